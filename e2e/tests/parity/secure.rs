//! http and https in front of the app.

use std::net::SocketAddr;

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

/// Signed the one below.
const CLIENT_AUTHORITY: &str = include_str!("../data/client-authority.crt");
/// Of a client.
const CLIENT: &str = include_str!("../data/client.crt");
/// The key of that certificate: a secret of nobody.
const CLIENT_KEY: &str = include_str!("../data/client.key");
/// SHA-1 of the certificate, as `X509Certificate2.Thumbprint` has it.
const THUMBPRINT: &str = "4DDBCCEC985AD93326B48669F1124E920AF250CA";

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
        let alice = tls::config(tls::VERSIONS, Some((CLIENT, CLIENT_KEY)))?;
        let (text, _) = Secure::connect_as(address, alice)?.get("/ClientCertificate")?;
        ensure!(text.contains(&format!("Enabled;{THUMBPRINT}\r\n")), "{text}");
        let (text, _) = Secure::connect(address)?.get("/ClientCertificate")?;
        ensure!(text.contains("Disabled\r\n"), "{text}");
        Ok(())
    })
}
