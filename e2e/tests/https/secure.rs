//! A server with an https address, and a client that speaks TLS to it and believes only the test's authority.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;

use e2e::clock::seconds;
use e2e::folder::Folder;
use e2e::server::serve_folder;
use e2e::{Context as _, Options, Outcome, Puppet, Record, Server, process, wait_for};
use rustls::crypto::aws_lc_rs;
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned, SupportedProtocolVersion};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};

/// Signed the one below; its own key is gone.
pub(super) const AUTHORITY: &str = include_str!("../data/authority.crt");
/// For localhost, 127.0.0.1 and ::1, until the year 2120.
pub(super) const CERTIFICATE: &str = include_str!("../data/site.crt");
/// The key of that certificate: a secret of nobody.
pub(super) const KEY: &str = include_str!("../data/site.key");
/// A key that belongs to no certificate.
pub(super) const OTHER_KEY: &str = include_str!("../data/other.key");

pub(super) const VERSIONS: &[&SupportedProtocolVersion] = &[&rustls::version::TLS12, &rustls::version::TLS13];

/// A folder with these as `site.crt` and `site.key`, the key for its owner alone.
pub(super) fn files(certificate: &str, key: &str) -> Outcome<Folder> {
    let folder = Folder::empty()?;
    folder.write("authority.crt", AUTHORITY)?;
    folder.write("site.crt", certificate)?;
    let key = folder.write("site.key", key)?;
    std::fs::set_permissions(key, std::fs::Permissions::from_mode(0o600))?;
    Ok(folder)
}

/// An http and an https address, with the certificate from that folder.
pub(super) fn options(app: &Path, files: &Path) -> Options {
    Options::new(app)
        .listen("127.0.0.1:0")
        .listen("https://127.0.0.1:0")
        .arg("--tls-cert")
        .arg(&process::text(&files.join("site.crt")))
        .arg("--tls-key")
        .arg(&process::text(&files.join("site.key")))
}

/// A trial against a server with an https address over a puppet.
pub(super) type Check = fn(&mut Server, SocketAddr, &Record) -> Outcome;

/// Starts it and runs the trial.
pub(super) fn secured(puppet: &Puppet, arguments: &[&str], check: Check) -> Outcome {
    let (app, files) = (puppet.folder()?, files(CERTIFICATE, KEY)?);
    let options = options(app.path(), files.path());
    let options = arguments.iter().fold(options, |options, one| options.arg(one));
    serve_folder(&app, &options, |server, record| {
        let address = address(server)?;
        check(server, address, record)
    })
}

/// Where it listens for https.
pub(super) fn address(server: &Server) -> Outcome<SocketAddr> {
    wait_for("the https address", seconds(5), || {
        let output = server.output();
        let (whole, _) = output.rsplit_once('\n')?;
        let line = whole.lines().find(|line| line.contains("istening on https://"))?;
        line.split_once("https://")?.1.split(['/', ' ']).next()?.parse().ok()
    })
}

/// One connection over TLS, its handshake done.
pub(super) struct Secure(pub(super) StreamOwned<ClientConnection, TcpStream>);

/// How a connection ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    /// With close_notify: what came is all there is.
    Told,
    /// In any other way.
    Cut,
}

/// Of a client that shows this certificate, with its key, when it is asked for one.
pub(super) fn config(
    versions: &[&'static SupportedProtocolVersion],
    identity: Option<(&str, &str)>,
) -> Outcome<Arc<ClientConfig>> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(AUTHORITY.as_bytes())?)?;
    let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_protocol_versions(versions)?
        .with_root_certificates(roots);
    let mut config = match identity {
        None => config.with_no_client_auth(),
        Some((certificate, key)) => config.with_client_auth_cert(
            vec![CertificateDer::from_pem_slice(certificate.as_bytes())?],
            PrivateKeyDer::from_pem_slice(key.as_bytes())?,
        )?,
    };
    // As browsers do: both, the better one first.
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

impl Secure {
    pub(super) fn connect(address: SocketAddr) -> Outcome<Self> {
        Self::connect_with(address, VERSIONS)
    }

    pub(super) fn connect_with(
        address: SocketAddr,
        versions: &[&'static SupportedProtocolVersion],
    ) -> Outcome<Self> {
        Self::connect_as(address, config(versions, None)?)
    }

    /// The same configuration resumes sessions of earlier connections.
    pub(super) fn connect_as(address: SocketAddr, config: Arc<ClientConfig>) -> Outcome<Self> {
        let mut session = ClientConnection::new(config, ServerName::try_from("localhost")?)?;
        let mut socket = TcpStream::connect_timeout(&address, seconds(5)).context("connect")?;
        socket.set_nodelay(true)?;
        socket.set_read_timeout(Some(seconds(20)))?;
        socket.set_write_timeout(Some(seconds(20)))?;
        while session.is_handshaking() {
            session.complete_io(&mut socket).context("handshake")?;
        }
        Ok(Self(StreamOwned::new(session, socket)))
    }

    pub(super) fn send(&mut self, bytes: impl AsRef<[u8]>) -> Outcome {
        self.0.write_all(bytes.as_ref()).context("send")?;
        self.0.flush().context("flush")
    }

    /// Up to and with the empty line.
    pub(super) fn head(&mut self) -> Outcome<String> {
        let mut head = Vec::new();
        let mut byte = [0];
        while !head.ends_with(b"\r\n\r\n") {
            self.0.read_exact(&mut byte).context("head")?;
            head.extend_from_slice(&byte);
        }
        Ok(String::from_utf8_lossy(&head).into_owned())
    }

    /// A response with its length, and nothing beyond.
    pub(super) fn response(&mut self) -> Outcome<(String, Vec<u8>)> {
        let head = self.head()?;
        let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: "));
        let mut body = vec![0; length.context(format!("no length: {head}"))?.trim().parse()?];
        self.0.read_exact(&mut body).context("body")?;
        Ok((head, body))
    }

    /// Everything to the end, and how it came.
    pub(super) fn rest(&mut self) -> (Vec<u8>, Ending) {
        let mut all = Vec::new();
        let ending = match self.0.read_to_end(&mut all) {
            Ok(_) => Ending::Told,
            Err(_) => Ending::Cut,
        };
        (all, ending)
    }

    /// One GET as the last of its connection.
    pub(super) fn get(mut self, path: &str) -> Outcome<(String, Ending)> {
        self.send(format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"))?;
        let (bytes, ending) = self.rest();
        Ok((String::from_utf8_lossy(&bytes).into_owned(), ending))
    }
}
