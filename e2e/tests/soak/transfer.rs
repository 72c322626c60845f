//! Long transfers through the sample app `probe`, in both directions.

use std::io::Read as _;
use std::net::SocketAddr;

use e2e::{Client, Context as _, Outcome, ensure};

/// Which way, and how framed.
#[derive(Clone, Copy)]
pub(super) enum Transfer {
    UploadByLength,
    UploadInChunks,
    Download,
}

impl Transfer {
    /// Moves that many bytes.
    pub(super) fn run(self, address: SocketAddr, bytes: u64) -> Outcome {
        match self {
            Self::UploadByLength => upload(address, bytes, false),
            Self::UploadInChunks => upload(address, bytes, true),
            Self::Download => download(address, bytes),
        }
    }
}

fn upload(address: SocketAddr, bytes: u64, chunked: bool) -> Outcome {
    let mut client = Client::connect(address)?.patience(e2e::clock::seconds(120));
    let framing =
        if chunked { "Transfer-Encoding: chunked".to_owned() } else { format!("Content-Length: {bytes}") };
    client.send(format!("POST /upload HTTP/1.1\r\nHost: a\r\n{framing}\r\n\r\n"))?;
    let block = vec![b'x'; 1 << 20];
    let framed = [format!("{:x}\r\n", block.len()).as_bytes(), &block, b"\r\n"].concat();
    for _ in 0..bytes >> 20 {
        client.send(if chunked { &framed } else { &block })?;
    }
    if chunked {
        client.send("0\r\n\r\n")?;
    }
    let response = client.response()?;
    let report: serde_json::Value = serde_json::from_slice(&response.body).context(response.describe())?;
    let arrived = report.get("bytes").and_then(serde_json::Value::as_u64);
    ensure!(arrived == Some(bytes), "{arrived:?} of {bytes} bytes arrived");
    Ok(())
}

fn download(address: SocketAddr, bytes: u64) -> Outcome {
    let mut client = Client::connect(address)?;
    client.send(format!("GET /big?bytes={bytes} HTTP/1.1\r\nHost: a\r\n\r\n"))?;
    let head = client.final_head()?;
    let length = bytes.to_string();
    ensure!(head.field("Content-Length") == Some(length.as_str()), "{}", head.describe());
    let (mut stream, early) = client.into_parts();
    stream.set_read_timeout(Some(e2e::clock::seconds(60)))?;
    let mut block = vec![0; 1 << 20];
    let mut left = bytes - early.len() as u64;
    while left > 0 {
        let count = stream.read(&mut block)?;
        ensure!(count > 0, "ended {left} bytes too early");
        left -= count as u64;
    }
    Ok(())
}
