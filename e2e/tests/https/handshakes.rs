//! What comes before the first request: versions, slow clients, clients that speak something else, and files that
//! cannot be used.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Duration;

use e2e::clock::seconds;
use e2e::folder::Folder;
use e2e::{Client, Context as _, Ending as Closed, Outcome, Puppet, Record, Server};
use e2e::{ensure, find, now, process, wait_for};

use super::secure::{self, AUTHORITY, CERTIFICATE, Ending, KEY, OTHER_KEY, Secure, files, options};

/// The first message of a client that knows nothing newer than TLS 1.1: no extensions, suites of its time.
fn hello_of_tls11() -> Vec<u8> {
    let suites: &[u8] = &[0xC0, 0x13, 0xC0, 0x14, 0xC0, 0x09, 0xC0, 0x0A, 0x00, 0x2F, 0x00, 0x35];
    let groups: &[u8] = &[0x00, 0x0A, 0x00, 0x04, 0x00, 0x02, 0x00, 0x17];
    let mut body = vec![3, 2];
    body.extend_from_slice(&[7; 32]);
    body.extend_from_slice(&[0, 0, 12]);
    body.extend_from_slice(suites);
    body.extend_from_slice(&[1, 0, 0, 8]);
    body.extend_from_slice(groups);
    let length = u8::try_from(body.len()).unwrap_or_default();
    [&[22, 3, 1, 0, length + 4, 1, 0, 0, length], &body[..]].concat()
}

pub(super) fn versions(server: &mut Server, address: SocketAddr, record: &Record) -> Outcome {
    for version in secure::VERSIONS {
        let name = format!("{:?}", version.version);
        let path = format!("/{name}");
        let secure = Secure::connect_with(address, &[version]).context(&name)?;
        ensure!(secure.0.conn.protocol_version() == Some(version.version), "another version than {name}");
        ensure!(secure.0.conn.alpn_protocol() == Some(b"http/1.1"), "{:?}", secure.0.conn.alpn_protocol());
        let (text, ending) = secure.get(&path)?;
        ensure!(text.starts_with("HTTP/1.1 200 OK\r\n"), "{name}: {text}");
        ensure!(ending == Ending::Told, "{name} ends without close_notify");
        let request = record.wait_request(&path, seconds(5))?;
        ensure!(request.values("X-Forwarded-Proto") == ["https"], "{:?}", request.lines());
    }
    ensure!(server.get("/plain")?.status == 200, "http beside https");
    let request = record.wait_request("/plain", seconds(5))?;
    ensure!(request.values("X-Forwarded-Proto") == ["http"], "{:?}", request.lines());
    let (text, _) = Secure::connect(address)?.get("/env")?;
    let wanted = format!("\nASPNETCORE_ANCM_HTTPS_PORT={}\n", address.port());
    ensure!(text.contains(&wanted), "no {wanted:?} in {text}");
    Ok(())
}

pub(super) fn old_versions(_: &mut Server, address: SocketAddr, _: &Record) -> Outcome {
    let mut client = Client::connect(address)?;
    client.send(hello_of_tls11())?;
    let (bytes, ending) = client.ending(seconds(5));
    // One fatal alert (RFC 5246 §7.2), and no hello from the server.
    ensure!(bytes.first() == Some(&21) && bytes.get(5) == Some(&2), "TLS 1.1 was answered {bytes:?}");
    ensure!(bytes.len() == 7 && ending != Closed::Open, "{bytes:?}, then {ending:?}");
    Ok(())
}

/// OpenSSL, as Python has it.
const SCRIPT: &str = "
import socket, ssl, sys
port = int(sys.argv[1])
for version in ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3:
    context = ssl.create_default_context(cafile=sys.argv[2])
    context.minimum_version = context.maximum_version = version
    context.set_alpn_protocols(['h2', 'http/1.1'])
    for round in range(2):
        with socket.create_connection(('127.0.0.1', port), 5) as plain:
            with context.wrap_socket(plain, server_hostname='localhost') as secure:
                secure.sendall(b'GET /python HTTP/1.1\\r\\nHost: localhost\\r\\nConnection: close\\r\\n\\r\\n')
                text = b''
                while block := secure.recv(65536):
                    text += block
                print(secure.version(), secure.selected_alpn_protocol(), text.split(b'\\r\\n')[0].decode())
";

pub(super) fn openssl() -> Outcome {
    secure::secured(&Puppet::new(), &[], |_, address, _| {
        let files = files(CERTIFICATE, KEY)?;
        let python = find::on_path("python3").context("no python3")?;
        let authority = process::text(&files.path().join("authority.crt"));
        let output = process::command(&python)
            .args(["-c", SCRIPT, &address.port().to_string(), &authority])
            .output()?;
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let wanted: String = ["TLSv1.2", "TLSv1.2", "TLSv1.3", "TLSv1.3"]
            .map(|version| format!("{version} http/1.1 HTTP/1.1 200 OK\n"))
            .concat();
        ensure!(said == wanted, "{said}{}", String::from_utf8_lossy(&output.stderr));
        Ok(())
    })
}

/// Ten seconds, from the start of the connection to the end of the handshake: for one that is silent, and for one
/// that sends a byte each second.
pub(super) fn slow(_: &mut Server, address: SocketAddr, _: &Record) -> Outcome {
    let start = now();
    let silent = std::thread::spawn(move || -> Outcome<Duration> {
        let (_, ending) = Client::connect(address)?.ending(seconds(20));
        ensure!(ending != Closed::Open, "a silent client is kept");
        Ok(start.elapsed())
    });
    let mut trickling = TcpStream::connect(address)?;
    trickling.set_read_timeout(Some(seconds(1)))?;
    // A record of 512 bytes, whose end is far away.
    for byte in [22, 3, 1, 2, 0, 1, 0, 1, 0xFC, 3, 3].iter().chain(&[0; 20]) {
        if trickling.write_all(&[*byte]).is_err() || trickling.read(&mut [0; 64]).is_ok() {
            break;
        }
        ensure!(Secure::connect(address)?.get("/beside")?.0.starts_with("HTTP/1.1 200"), "not served beside");
    }
    let silent = silent.join().ok().context("the silent client panicked")??;
    for (who, took) in [("trickling", start.elapsed()), ("silent", silent)] {
        ensure!(took > Duration::from_millis(9_500), "the {who} client was cut after {took:?}");
        // The trickling one would go on for half a minute.
        ensure!(took < seconds(18), "the {who} client was cut only after {took:?}");
    }
    Ok(())
}

pub(super) fn many(server: &mut Server, address: SocketAddr, _: &Record) -> Outcome {
    Secure::connect(address)?.get("/first")?;
    let mut idle = Vec::new();
    for number in 0..100_u8 {
        let mut client = Client::connect(address)?;
        // Some say nothing, some only begin.
        if number % 2 == 0 {
            client.send([22, 3, 1])?;
        }
        idle.push(client);
    }
    for _ in 0..20 {
        let start = now();
        let (text, _) = Secure::connect(address)?.get("/beside")?;
        ensure!(text.starts_with("HTTP/1.1 200"), "{text}");
        // The others have ten.
        ensure!(start.elapsed() < seconds(5), "served after {:?}", start.elapsed());
        ensure!(server.get("/plain")?.status == 200, "http beside idle handshakes");
    }
    Ok(())
}

/// A page for a browser that was given http:// by mistake; nothing for what is neither.
pub(super) fn in_the_clear(_: &mut Server, address: SocketAddr, record: &Record) -> Outcome {
    let mut client = Client::connect(address)?;
    client.send("GET /clear HTTP/1.1\r\nHost: a\r\n\r\n")?;
    let response = client.response()?;
    ensure!(response.status == 400 && response.closes(), "{}", response.describe());
    ensure!(response.text().contains("HTTPS"), "{}", response.text());
    for garbage in [&b"\x00\x00\x00\x00"[..], b"\x16\x03\x01\x00\x04oops", b"\x80\x2e\x01\x03\x01"] {
        let mut client = Client::connect(address)?;
        client.send(garbage)?;
        let (bytes, ending) = client.ending(seconds(5));
        ensure!(ending != Closed::Open, "{garbage:?} is waited for");
        ensure!(bytes.first().is_none_or(|first| *first == 21), "{garbage:?} was answered {bytes:?}");
    }
    ensure!(record.requests().is_empty(), "the app saw {}", record.describe());
    Ok(())
}

/// Ends at once with exit code 1 and these words, and never listens.
fn refused(certificate: &str, key: &str, mode: u32, words: &[&str]) -> Outcome {
    let (app, files) = (Puppet::new().folder()?, files(certificate, key)?);
    let key = files.path().join("site.key");
    std::fs::set_permissions(key, std::fs::Permissions::from_mode(mode))?;
    let (status, said) = options(app.path(), files.path()).run()?;
    ensure!(status.code() == Some(1), "ended with {status}: {said}");
    ensure!(!said.contains("istening"), "it listened: {said}");
    for word in words {
        ensure!(said.contains(word), "{word:?} is missing: {said}");
    }
    Ok(())
}

pub(super) fn mistakes() -> Outcome {
    let broken = CERTIFICATE.replacen("MII", "MJJ", 1);
    refused(CERTIFICATE, OTHER_KEY, 0o600, &["tls-key-mismatch", "site.key", "openssl pkey"])
        .context("pair")?;
    refused(CERTIFICATE, KEY, 0o644, &["tls-key-mode", "0644", "chmod 600"]).context("mode")?;
    refused(KEY, CERTIFICATE, 0o600, &["tls-not-pem", "swapped"]).context("swapped")?;
    refused(&broken, KEY, 0o600, &["tls-unusable", "site.crt"]).context("broken certificate")?;
    refused("", KEY, 0o600, &["tls-not-pem", "BEGIN CERTIFICATE"]).context("empty certificate")
}

/// Whoever converts an archive of Windows may get the issuer first.
pub(super) fn any_order() -> Outcome {
    let (app, files) = (Puppet::new().folder()?, files(&[AUTHORITY, CERTIFICATE].concat(), KEY)?);
    e2e::server::serve_folder(&app, &options(app.path(), files.path()), |server, _| {
        let (text, _) = Secure::connect(secure::address(server)?)?.get("/x")?;
        ensure!(text.starts_with("HTTP/1.1 200"), "{text}");
        Ok(())
    })
}

/// `UseHttpsRedirection` finds the port by itself, and does not redirect what came over TLS.
pub(super) fn redirection() -> Outcome {
    let (app, files) = (Folder::app("https")?, files(CERTIFICATE, KEY)?);
    e2e::server::serve_folder(&app, &options(app.path(), files.path()).dotnet()?, |server, _| {
        let address = secure::address(server)?;
        let response = server.get("/item/7?a=b")?;
        let wanted = format!("https://shop.example:{}/item/7?a=b", address.port());
        ensure!(response.status == 307, "{}", response.describe());
        ensure!(response.field("Location") == Some(wanted.as_str()), "{}", response.describe());
        let (text, _) = Secure::connect(address)?.get("/")?;
        ensure!(text.contains("\"scheme\":\"https\"") && text.contains("\"isHttps\":true"), "{text}");
        Ok(())
    })
}

/// A client that goes away within its handshake leaves nothing behind.
pub(super) fn gone(server: &mut Server, address: SocketAddr, _: &Record) -> Outcome {
    Secure::connect(address)?.get("/first")?;
    let descriptors = || {
        Ok::<_, std::io::Error>(
            std::fs::read_dir(Path::new("/proc").join(server.pid().to_string()).join("fd"))?.count(),
        )
    };
    let before = descriptors()?;
    for number in 0..200_usize {
        let hello = hello_of_tls11();
        let part = hello.get(..number % hello.len()).unwrap_or_default();
        Client::connect(address)?.send(part)?;
    }
    // Long before the deadline of handshakes.
    let freed = wait_for("the descriptors", seconds(5), || (descriptors().ok()? <= before + 2).then_some(()));
    freed.context(format!("{before} descriptors became {}", descriptors()?))
}
