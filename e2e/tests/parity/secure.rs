//! http and https in front of the app.

use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;

use rustls::crypto::aws_lc_rs;
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};

use super::tls::{Secure, address, files};
use super::*;

pub(super) const TRIALS: &[Trial] = &[
    ("UseHttpsRedirection leads to the https address", redirection),
    ("https without a client certificate", no_certificate),
    ("https with a client certificate", certificate),
    ("http and https both lead to the app", both),
];

/// Serves the app at an http address and these.
pub(super) fn served(
    hosting: &Hosting,
    listen: &[&str],
    test: impl FnOnce(&mut Site, SocketAddr) -> Outcome,
) -> Outcome {
    let (folder, files) = (hosting.folder()?, files(tls::CERTIFICATE, tls::KEY)?);
    let options = with_files(&folder, listen, &files)?;
    Site::start(folder, &options)?.test(|site| {
        let address = address(&site.server)?;
        test(site, address)
    })
}

fn with_files(folder: &Folder, listen: &[&str], files: &Folder) -> Outcome<Options> {
    let mut options = Options::new(folder.path()).dotnet()?.listen("127.0.0.1:0");
    for (option, file) in [("--tls-cert", "site.crt"), ("--tls-key", "site.key")] {
        options = options.arg(option).arg(&process::text(&files.path().join(file)));
    }
    Ok(listen.iter().fold(options, |options, address| options.listen(address)))
}

const ONE: &[&str] = &["https://127.0.0.1:0"];

fn redirection() -> Outcome {
    served(&Hosting::new(), ONE, |site, address| {
        let response = site.server.get("/Secure?a=b")?;
        let wanted = format!("https://shop.example:{}/Secure?a=b", address.port());
        ensure!(
            response.status == 307 && response.field("Location") == Some(&wanted),
            "{}",
            response.describe()
        );
        let (text, _) = Secure::connect(address)?.get("/Secure")?;
        ensure!(text.starts_with("HTTP/1.1 200") && text.contains("https"), "{text}");
        Ok(())
    })
}

fn no_certificate() -> Outcome {
    served(&Hosting::new(), ONE, |_, address| {
        let (text, _) = Secure::connect(address)?.get("/ClientCertificate")?;
        ensure!(text.starts_with("HTTP/1.1 200") && text.contains("Disabled"), "{text}");
        Ok(())
    })
}

fn both() -> Outcome {
    served(&Hosting::new(), ONE, |site, address| {
        let text = site.text("/Connection")?;
        ensure!(text == "http 127.0.0.1", "{text}");
        let (text, _) = Secure::connect(address)?.get("/Connection")?;
        ensure!(text.contains("https 127.0.0.1"), "{text}");
        Ok(())
    })
}

/// Signed the one below; its own key is gone.
const CLIENT_AUTHORITY: &str = include_str!("../data/client-authority.crt");
/// Of alice, until the year 2120.
const CLIENT: &str = include_str!("../data/client.crt");
/// The key of that certificate: a secret of nobody.
const CLIENT_KEY: &str = include_str!("../data/client.key");
/// SHA-1 of the certificate, as `X509Certificate2.Thumbprint` has it.
const THUMBPRINT: &str = "D628A0C05A6A2265848351BE60D5BF9E3975836C";

/// A connection that shows the client's certificate when it is asked for one.
fn as_alice(address: SocketAddr) -> Outcome<Secure> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(tls::AUTHORITY.as_bytes())?)?;
    let own = CertificateDer::from_pem_slice(CLIENT.as_bytes())?;
    let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_protocol_versions(tls::VERSIONS)?
        .with_root_certificates(roots)
        .with_client_auth_cert(vec![own], PrivateKeyDer::from_pem_slice(CLIENT_KEY.as_bytes())?)?;
    let session = ClientConnection::new(Arc::new(config), ServerName::try_from("localhost")?)?;
    let socket = TcpStream::connect_timeout(&address, SOON).context("connect")?;
    socket.set_read_timeout(Some(SOON))?;
    Ok(Secure(StreamOwned::new(session, socket)))
}

fn certificate() -> Outcome {
    let folder = Hosting::new()
        .section("<security><access sslFlags=\"Ssl, SslNegotiateCert\" /></security>\n")
        .folder()?;
    let files = files(tls::CERTIFICATE, tls::KEY)?;
    let authority = files.write("clients.crt", CLIENT_AUTHORITY)?;
    let options = with_files(&folder, ONE, &files)?;
    let options = options.arg("--tls-client-ca").arg(&process::text(&authority));
    Site::start(folder, &options)?.test(|site| {
        let address = address(&site.server)?;
        let (text, _) = as_alice(address)?.get("/ClientCertificate")?;
        ensure!(text.contains(&format!("Enabled;{THUMBPRINT}\r\n")), "{text}");
        let (text, _) = Secure::connect(address)?.get("/ClientCertificate")?;
        ensure!(text.contains("Disabled\r\n"), "{text}");
        Ok(())
    })
}
