//! Responses by order: the header `X-Puppet` holds steps, separated by `;`.
//!
//! * `early` (first): the body is not read before the answer; `read` reads it then, `sip:N:MS` with N pauses;
//! * `raw:HEX` sends these bytes, `repeat:N:HEX` so often, `trickle:MS:HEX` one by one, `fill:N` so many `x`;
//! * `sse:N:MS` so many chunks that are events; `echo` what comes after the head, raw;
//! * `deaf`: from now on the process takes no connection, and its queue of them has room for one;
//! * `sleep:MS`, `await:FILE` until that file is there, `hang` until the peer is gone, `close`, `reset`, `exit:CODE`, `abort`.

use std::io::{self, Write as _};
use std::path::Path;

use crate::clock::pause;

use super::connection::{Head, Then, Wire};
use super::{hex, log, start};

pub(super) fn perform(wire: &mut Wire, head: &Head, orders: &str) -> io::Result<Then> {
    let mut steps = orders.split(';').map(str::trim).peekable();
    if steps.next_if(|step| *step == "early").is_none() {
        wire.body(head, |_| ())?;
    }
    for step in steps {
        let words: Vec<&str> = step.split(':').collect();
        let number =
            |index: usize| words.get(index).and_then(|word| word.parse::<u64>().ok()).unwrap_or_default();
        let bytes = || hex::decode(words.last().unwrap_or(&""));
        match words.first().copied().unwrap_or_default() {
            "raw" => wire.stream.write_all(&bytes())?,
            "repeat" => repeat(wire, number(1), &bytes())?,
            "trickle" => trickle(wire, number(1), &bytes())?,
            "fill" => fill(wire, number(1))?,
            "sse" => events(wire, number(1), number(2))?,
            "read" => drop(wire.body(head, |_| ())?),
            "sip" => sip(wire, head, number(1), number(2))?,
            "echo" => echo_raw(wire)?,
            "deaf" => start::deafen(),
            "sleep" => pause(number(1)),
            "await" => wait_for_file(Path::new(words.get(1).unwrap_or(&""))),
            "hang" => {
                wire.hang();
                return Ok(Then::Close);
            }
            "close" => return Ok(Then::Close),
            "reset" => return reset(wire),
            "exit" => exit(number(1)),
            "abort" => std::process::abort(),
            other => {
                log::note(wire.number, "unknown-order", other);
                return Ok(Then::Close);
            }
        }
    }
    Ok(Then::GoOn)
}

#[expect(clippy::exit, reason = "an app that ends in the middle of a request is what the test asks for")]
fn exit(code: u64) -> ! {
    std::process::exit(i32::try_from(code).unwrap_or(1))
}

fn wait_for_file(file: &Path) {
    while !file.exists() {
        pause(10);
    }
}

fn repeat(wire: &mut Wire, count: u64, bytes: &[u8]) -> io::Result<()> {
    let mut block = Vec::new();
    for _ in 0..count {
        block.extend_from_slice(bytes);
        if block.len() > 64 * 1024 {
            wire.stream.write_all(&block)?;
            block.clear();
        }
    }
    wire.stream.write_all(&block)
}

fn trickle(wire: &mut Wire, milliseconds: u64, bytes: &[u8]) -> io::Result<()> {
    for byte in bytes {
        wire.stream.write_all(std::slice::from_ref(byte))?;
        pause(milliseconds);
    }
    Ok(())
}

fn fill(wire: &mut Wire, count: u64) -> io::Result<()> {
    let block = [b'x'; 64 * 1024];
    let mut left = count;
    while left > 0 {
        let now = usize::try_from(left).unwrap_or(usize::MAX).min(block.len());
        wire.stream.write_all(block.get(..now).unwrap_or_default())?;
        left -= now as u64;
        log::note(wire.number, "filled", &(count - left).to_string());
    }
    Ok(())
}

fn events(wire: &mut Wire, count: u64, milliseconds: u64) -> io::Result<()> {
    for number in 1..=count {
        let event = format!("id: {number}\ndata: {number}\n\n");
        wire.stream.write_all(format!("{:x}\r\n{event}\r\n", event.len()).as_bytes())?;
        pause(milliseconds);
    }
    Ok(())
}

/// Reads the body, and pauses after each of its first pieces of at most 64 KiB.
fn sip(wire: &mut Wire, head: &Head, count: u64, milliseconds: u64) -> io::Result<()> {
    let mut left = count;
    let pace = |_: &[u8]| {
        if left > 0 {
            left -= 1;
            pause(milliseconds);
        }
    };
    wire.body(head, pace).map(drop)
}

/// What comes from now on goes back as it is: what a tunnel carries.
fn echo_raw(wire: &mut Wire) -> io::Result<()> {
    loop {
        let data = wire.take(u64::MAX)?;
        if data.is_empty() {
            return Ok(());
        }
        log::note(wire.number, "tunnel", &hex::encode(data.get(..data.len().min(256)).unwrap_or_default()));
        wire.stream.write_all(&data)?;
    }
}

/// RST instead of FIN.
fn reset(wire: &Wire) -> io::Result<Then> {
    rustix::net::sockopt::set_socket_linger(&wire.stream, Some(std::time::Duration::ZERO))?;
    Ok(Then::Close)
}
