//! Certificates of clients, and what `sslFlags` asks of a connection.

use std::net::SocketAddr;

use e2e::folder::Folder;
use e2e::server::serve_folder;
use e2e::{Context as _, Need, Options, Outcome, Puppet, Record, Request, Server, Suite, clock, ensure};
use rustls::HandshakeKind;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;

use super::secure::{self, CERTIFICATE, KEY, Secure, VERSIONS, files};

/// Signed the certificates of clients; its own key is gone.
const AUTHORITY: &str = include_str!("../data/client-authority.crt");
/// Alice's, until the year 2120; its key belongs to the two others as well.
const ALICE: &str = include_str!("../data/client.crt");
const ALICES_KEY: &str = include_str!("../data/client.key");
/// From the same authority, until 2021.
const EXPIRED: &str = include_str!("../data/expired.crt");
/// Signed by itself.
const STRANGER: &str = include_str!("../data/stranger.crt");
/// No authority in it.
const EMPTY: &str = "# nobody\n";

type Test = fn(&Server, SocketAddr, &Record) -> Outcome;

pub(super) fn add(suite: Suite) -> Suite {
    let tests: &[(&'static str, &'static str, Test)] = &[
        (
            "a client's certificate reaches the app with each request, and only that one",
            "Ssl, SslNegotiateCert",
            shown,
        ),
        ("a resumed session still has its certificate", "SslNegotiateCert", resumed),
        ("who shows no certificate is served where none is required", "SslNegotiateCert", none),
        ("a certificate that is not good ends the handshake", "SslNegotiateCert", bad),
        ("SslRequireCert: 403.7 without a certificate", "Ssl,SslNegotiateCert,SslRequireCert", required),
        ("Ssl: 403.4 for http", "Ssl", clear),
        ("nobody is asked where sslFlags does not ask", "", unasked),
    ];
    let suite = tests.iter().fold(suite, |suite, (name, flags, test)| {
        let (flags, test) = (*flags, *test);
        suite.test(*name, move || served(flags, AUTHORITY, &[], test))
    });
    suite
        .test("Ssl: what a trusted proxy got over https is welcome", || {
            served("Ssl", AUTHORITY, &["--trusted-proxy", "127.0.0.1"], proxied)
        })
        .test("a file without authorities is told before anything listens", no_authority)
        .needing("a .NET app sees the certificate of its client", &[Need::Dotnet], dotnet)
}

fn with_flags(folder: &Folder, flags: &str) -> Outcome {
    let access = format!("</aspNetCore><security><access sslFlags=\"{flags}\" /></security>");
    folder.replace("web.config", "</aspNetCore>", &access)
}

/// An http and an https address whose clients may be asked for a certificate.
fn options(app: &Folder, files: &Folder, authority: &str) -> Outcome<Options> {
    let authority = files.write("clients.crt", authority)?;
    let options = secure::options(app.path(), files.path());
    Ok(options.arg("--tls-client-ca").arg(&e2e::process::text(&authority)))
}

fn served(flags: &str, authority: &str, arguments: &[&str], test: Test) -> Outcome {
    let (app, files) = (Puppet::new().folder()?, files(CERTIFICATE, KEY)?);
    with_flags(&app, flags)?;
    let options = options(&app, &files, authority)?;
    let options = arguments.iter().fold(options, |options, one| options.arg(one));
    serve_folder(&app, &options, |server, record| test(server, secure::address(server)?, record))
}

fn connect(address: SocketAddr, certificate: &str) -> Outcome<Secure> {
    Secure::connect_as(address, secure::config(VERSIONS, Some((certificate, ALICES_KEY)))?)
}

/// The lines between those that begin and end it: DER in base64.
fn in_base64(pem: &str) -> String {
    pem.lines().filter(|line| !line.starts_with("---")).collect()
}

fn certificates(request: &Request) -> Vec<String> {
    request.values("MS-ASPNETCORE-CLIENTCERT")
}

fn shown(_: &Server, address: SocketAddr, record: &Record) -> Outcome {
    let wanted = in_base64(ALICE);
    for version in VERSIONS {
        let config = secure::config(&[version], Some((ALICE, ALICES_KEY)))?;
        let mut client = Secure::connect_as(address, config)?;
        for lines in [
            "",
            "MS-ASPNETCORE-CLIENTCERT: evil\r\n",
            "ms_aspnetcore_clientcert: evil\r\nX-ARR-ClientCert: evil\r\nX-Client-Cert: evil\r\n",
            "Connection: MS-ASPNETCORE-CLIENTCERT\r\nMS-ASPNETCORE-ClientCert: evil\r\n",
        ] {
            client.send(format!("GET /x HTTP/1.1\r\nHost: localhost\r\n{lines}\r\n"))?;
            let (head, _) = client.response()?;
            ensure!(head.starts_with("HTTP/1.1 200"), "{lines:?}: {head}");
            let request = record.requests().pop().context("nothing arrived")?;
            ensure!(certificates(&request) == [wanted.as_str()], "{lines:?}: {:?}", request.lines());
            ensure!(!request.lines().iter().any(|line| line.contains("evil")), "{:?}", request.lines());
        }
    }
    Ok(())
}

fn resumed(_: &Server, address: SocketAddr, record: &Record) -> Outcome {
    for version in VERSIONS {
        let config = secure::config(&[version], Some((ALICE, ALICES_KEY)))?;
        for round in 0..3 {
            let mut client = Secure::connect_as(address, std::sync::Arc::clone(&config))?;
            client.send("GET /x HTTP/1.1\r\nHost: localhost\r\n\r\n")?;
            client.response()?;
            let resumed = client.0.conn.handshake_kind() == Some(HandshakeKind::Resumed);
            ensure!(resumed == (round > 0), "round {round}: {:?}", client.0.conn.handshake_kind());
            let request = record.requests().pop().context("nothing arrived")?;
            ensure!(certificates(&request) == [in_base64(ALICE)], "round {round}: {:?}", request.lines());
        }
    }
    Ok(())
}

fn none(server: &Server, address: SocketAddr, record: &Record) -> Outcome {
    let (text, _) = Secure::connect(address)?.get("/secure")?;
    ensure!(text.starts_with("HTTP/1.1 200"), "{text}");
    ensure!(server.get("/clear")?.status == 200, "http");
    for request in record.requests() {
        ensure!(certificates(&request).is_empty(), "{:?}", request.lines());
    }
    Ok(())
}

/// In TLS 1.3 the client hears of it only with its first read.
fn bad(server: &Server, address: SocketAddr, record: &Record) -> Outcome {
    for certificate in [STRANGER, EXPIRED] {
        let served = connect(address, certificate).and_then(|client| client.get("/evil"));
        let refused = served.as_ref().map_or(true, |(text, _)| text.is_empty());
        ensure!(refused, "served: {served:?}");
    }
    ensure!(server.get("/last")?.status == 200, "no more answers");
    ensure!(record.requests().len() == 1, "{}", record.describe());
    Ok(())
}

fn page(text: &str, number: &str) -> Outcome {
    ensure!(text.starts_with("HTTP/1.1 403 Forbidden\r\n"), "{text}");
    ensure!(text.contains(&format!("HTTP Error {number} - Forbidden</title>")), "{text}");
    Ok(())
}

fn required(server: &Server, address: SocketAddr, record: &Record) -> Outcome {
    let (text, _) = Secure::connect(address)?.get("/nobody")?;
    page(&text, "403.7")?;
    let clear = server.get("/clear")?;
    ensure!(clear.status == 403 && clear.text().contains("HTTP Error 403.4"), "{}", clear.describe());
    let (text, _) = connect(address, ALICE)?.get("/alice")?;
    ensure!(text.starts_with("HTTP/1.1 200"), "{text}");
    let seen: Vec<String> = record.requests().iter().map(Request::target).collect();
    ensure!(seen == ["/alice"], "{seen:?}");
    Ok(())
}

fn clear(server: &Server, address: SocketAddr, record: &Record) -> Outcome {
    let response = server.client()?.get_with("/clear", "X-Forwarded-Proto: https\r\n")?;
    ensure!(
        response.status == 403 && response.text().contains("HTTP Error 403.4"),
        "{}",
        response.describe()
    );
    let (text, _) = connect(address, ALICE)?.get("/secure")?;
    ensure!(text.starts_with("HTTP/1.1 200"), "{text}");
    let seen: Vec<String> = record.requests().iter().map(Request::target).collect();
    ensure!(seen == ["/secure"], "{seen:?}");
    Ok(())
}

fn proxied(server: &Server, _: SocketAddr, _: &Record) -> Outcome {
    for (lines, status) in
        [("X-Forwarded-Proto: https\r\n", 200), ("X-Forwarded-Proto: http\r\n", 403), ("", 403)]
    {
        let response = server.client()?.get_with("/x", lines)?;
        ensure!(response.status == status, "{lines:?}: {}", response.describe());
    }
    Ok(())
}

fn unasked(_: &Server, address: SocketAddr, record: &Record) -> Outcome {
    let (text, _) = connect(address, ALICE)?.get("/x")?;
    ensure!(text.starts_with("HTTP/1.1 200"), "{text}");
    let request = record.wait_request("/x", clock::seconds(1))?;
    ensure!(certificates(&request).is_empty(), "{:?}", request.lines());
    Ok(())
}

fn no_authority() -> Outcome {
    for (authority, words) in [(EMPTY, "clients.crt"), (&*ALICE.replacen("MII", "MJJ", 1), "tls-unusable")] {
        let (app, files) = (Puppet::new().folder()?, files(CERTIFICATE, KEY)?);
        with_flags(&app, "SslNegotiateCert")?;
        let (status, said) = options(&app, &files, authority)?.run()?;
        ensure!(status.code() == Some(1), "ended with {status}: {said}");
        ensure!(said.contains("--tls-client-ca") && said.contains(words), "{said}");
        ensure!(!said.contains("istening"), "it listened: {said}");
    }
    Ok(())
}

fn dotnet() -> Outcome {
    let (app, files) = (Folder::app("probe")?, files(CERTIFICATE, KEY)?);
    let asking = "</handlers><security><access sslFlags=\"Ssl,SslNegotiateCert\" /></security>";
    app.replace("web.config", "</handlers>", asking)?;
    let options = options(&app, &files, AUTHORITY)?.dotnet()?;
    serve_folder(&app, &options, |server, _| {
        let address = secure::address(server)?;
        let (text, _) = connect(address, ALICE)?.get("/probe")?;
        let alice = CertificateDer::from_pem_slice(ALICE.as_bytes())?;
        ensure!(
            text.contains("CN=alice") && text.contains("\"isHttps\": true"),
            "{} bytes: {text}",
            alice.len()
        );
        let (text, _) = Secure::connect(address)?.get("/probe")?;
        ensure!(text.contains("\"clientCertificate\": null"), "{text}");
        Ok(())
    })
}
