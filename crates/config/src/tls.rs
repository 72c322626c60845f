//! `--tls-cert`, `--tls-key` and `--tls-client-ca`: whether they are needed, there, and what they are taken for. Whether the key
//! belongs to the certificate is for those who can do cryptography.

use std::ffi::OsStr;
use std::path::Path;

use crate::code::Code;
use crate::diagnostic::Place;
use crate::input::{Files, Kind};
use crate::origins::quoted;
use crate::own::Own;
use crate::plan::{Binding, PemFile, Scheme, TlsPlan};
use crate::pool::SslFlags;
use crate::report::{Report, Spanned};

/// A chain of ten certificates has a twentieth of this.
const LARGEST: usize = 1024 * 1024;

/// What a file is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Certificate,
    Key,
    ClientCa,
}

/// A file that is named, and for what.
#[derive(Clone, Copy)]
struct Named<'a> {
    role: Role,
    path: &'a Path,
    place: &'a Place,
}

/// What https bindings show to clients; none without such a binding, and when something is wrong (and reported).
pub(crate) fn certificate(
    bindings: &[Binding],
    own: &Own,
    files: &dyn Files,
    report: &mut Report,
) -> Option<TlsPlan> {
    let all =
        [(Role::Certificate, &own.tls_cert), (Role::Key, &own.tls_key), (Role::ClientCa, &own.tls_client_ca)];
    let given = all
        .map(|(role, file)| file.as_ref().map(|file| Named { role, path: &file.value, place: &file.place }));
    let https = bindings.iter().find(|binding| binding.scheme == Scheme::Https);
    let Some(https) = https else {
        for named in given.iter().flatten() {
            let message = format!("{} is given, but nothing listens for https", named.role.flag());
            let hint = "add --listen https://ADDR:PORT, or leave the flag out";
            report.error(Code::TlsWithoutHttps, named.place, message).hint(hint);
        }
        return None;
    };
    if refuse_archives(given, report) {
        return None;
    }
    let [certificate, key, client_ca] = given;
    let absent: Vec<&str> = [(certificate, Role::Certificate), (key, Role::Key)]
        .iter()
        .filter(|(named, _)| named.is_none())
        .map(|(_, role)| role.flag())
        .collect();
    if !absent.is_empty() {
        let message = format!("\"{}\" is without {}", https.text, absent.join(" and "));
        let hint = "name a certificate and its key, both in PEM: --tls-cert FILE --tls-key FILE";
        let place = own.listen.iter().find(|listen| listen.value == https.text).map(|listen| &listen.place);
        let place = place.cloned().unwrap_or_else(|| Place::whole("--listen"));
        report.error(Code::TlsWithoutCertificate, &place, message).hint(hint);
    }
    let [certificate, key, client_ca] = [certificate, key, client_ca].map(|named| named?.read(files, report));
    Some(TlsPlan { certificate: certificate?, key: key?, client_ca })
}

/// What clients are asked for, by `sslFlags` of web.config. A CA alone asks for nothing, as in IIS.
pub(crate) fn of_clients(
    tls: Option<TlsPlan>,
    asked: Option<&Spanned<SslFlags>>,
    (bindings, own): (&[Binding], &Own),
    report: &mut Report,
) -> Option<TlsPlan> {
    let has_https = bindings.iter().any(|binding| binding.scheme == Scheme::Https);
    let negotiates = asked.is_some_and(|flags| flags.value.negotiate_cert);
    if let Some(Spanned { value: flags, place }) = asked {
        if flags.negotiate_cert && !has_https {
            let message = "sslFlags ask clients for a certificate, and nothing listens for https".to_owned();
            let hint = "add --listen https://ADDR:PORT, or take SslNegotiateCert and SslRequireCert away";
            report.error(Code::SslWithoutHttps, place, message).hint(hint);
        } else if flags.negotiate_cert && own.tls_client_ca.is_none() {
            let message = "sslFlags ask clients for a certificate, and it is not said from whom".to_owned();
            let hint = "name the certificates of those who issue them, in PEM: --tls-client-ca FILE";
            report.error(Code::ClientCaMissing, place, message).hint(hint);
        } else if flags.ssl
            && !has_https
            && own.trusted_proxies.as_ref().is_none_or(|list| list.value.is_empty())
        {
            let message =
                "sslFlags refuse what does not come over TLS, and nothing listens for https".to_owned();
            let hint = "every request is answered 403.4; add --listen https://ADDR:PORT, or --trusted-proxy CIDR \
                        where another server ends TLS";
            report.warning(Code::SslWithoutHttps, place, message).hint(hint);
        }
    }
    let given = own.tls_client_ca.as_ref().filter(|_| has_https && !negotiates);
    if let Some(file) = given {
        let message = "no client is asked for a certificate".to_owned();
        let hint = "write <access sslFlags=\"Ssl, SslNegotiateCert\" /> below <security> in web.config";
        report.warning(Code::ClientCaUnused, &file.place, message).hint(hint);
    }
    tls.map(|tls| TlsPlan { client_ca: tls.client_ca.filter(|_| negotiates), ..tls })
}

/// What Windows exports: certificate and key in one file, under a password that we do not know.
fn refuse_archives(given: [Option<Named>; 3], report: &mut Report) -> bool {
    let archive = given.into_iter().flatten().find(|named| {
        let extension = named.path.extension().map(OsStr::to_ascii_lowercase);
        extension.is_some_and(|extension| extension == "pfx" || extension == "p12")
    });
    let Some(Named { path, place, .. }) = archive else { return false };
    let name = |extension: &str| quoted(&path.with_extension(extension).to_string_lossy());
    let (archive, certificate, key) = (quoted(&path.to_string_lossy()), name("crt"), name("key"));
    let message = format!("{} is a PKCS #12 archive, and PEM is wanted", path.display());
    report.error(Code::TlsPfx, place, message).hint(format!(
        "openssl pkcs12 -in {archive} -nokeys -out {certificate} && \
         openssl pkcs12 -in {archive} -nocerts -nodes -out {key} && chmod 600 {key} \
         (an old archive needs -legacy too); then --tls-cert {certificate} --tls-key {key}"
    ));
    true
}

impl Role {
    const fn flag(self) -> &'static str {
        match self {
            Self::Certificate => "--tls-cert",
            Self::Key => "--tls-key",
            Self::ClientCa => "--tls-client-ca",
        }
    }
}

impl Named<'_> {
    fn read(self, files: &dyn Files, report: &mut Report) -> Option<PemFile> {
        let Self { role, path, place } = self;
        let name = path.display();
        match files.kind(path) {
            Some(Kind::File { .. }) => {}
            Some(Kind::Folder) => {
                let hint = "name the file in it";
                report.error(Code::TlsFileMissing, place, format!("{name} is a folder")).hint(hint);
                return None;
            }
            None => {
                let hint = "check the path, and that this user may enter its folders";
                report.error(Code::TlsFileMissing, place, format!("there is no file {name}")).hint(hint);
                return None;
            }
        }
        let closed = role != Role::Key || self.refuse_readable(files, report);
        let text = match files.read(path, LARGEST) {
            Ok(text) => text,
            Err(error) => {
                let message = format!("{name} cannot be read: {error}");
                report.error(Code::Unreadable, place, message).hint("check its owner and mode");
                return None;
            }
        };
        let right = self.look(&text, report);
        (closed && right).then(|| PemFile { path: path.to_owned(), text })
    }

    /// Whoever reads the key can pose as this server.
    fn refuse_readable(self, files: &dyn Files, report: &mut Report) -> bool {
        let Some(mode) = files.mode(self.path).filter(|mode| mode & 0o066 != 0) else { return true };
        let message =
            format!("the key {} is open to other users: its mode is {mode:04o}", self.path.display());
        let hint = format!("chmod 600 {}", quoted(&self.path.to_string_lossy()));
        report.error(Code::TlsKeyMode, self.place, message).hint(hint);
        false
    }

    /// Whether there is a block of the right kind; mistakes that have a name of their own are told by it.
    fn look(self, text: &[u8], report: &mut Report) -> bool {
        let blocks = blocks(text);
        let is_key = |label: &&str| matches!(*label, "PRIVATE KEY" | "RSA PRIVATE KEY" | "EC PRIVATE KEY");
        let has_certificate = blocks.contains(&"CERTIFICATE");
        let has_key = blocks.iter().any(is_key);
        let locked = blocks.contains(&"ENCRYPTED PRIVATE KEY") || holds(text, "Proc-Type: 4,ENCRYPTED");
        let path = self.path;
        let (name, file) = (path.display(), quoted(&path.to_string_lossy()));
        let open = quoted(&path.with_extension("open.key").to_string_lossy());
        let (code, message, hint) = match self.role {
            Role::Key if locked => (
                Code::TlsEncryptedKey,
                format!("the key in {name} is under a password"),
                format!("openssl pkey -in {file} -out {open} && chmod 600 {open}"),
            ),
            Role::Certificate | Role::ClientCa if has_certificate => return true,
            Role::Key if has_key => return true,
            Role::Certificate | Role::ClientCa if has_key || locked => {
                swapped(format!("{name} holds a key, no certificate"))
            }
            Role::Key if has_certificate => swapped(format!("{name} holds a certificate, no key")),
            Role::Certificate | Role::ClientCa => (
                Code::TlsNotPem,
                format!("{name} holds no certificate in PEM"),
                format!(
                    "it has a line -----BEGIN CERTIFICATE-----; from DER: openssl x509 -inform der -in {file} -out FILE"
                ),
            ),
            Role::Key => (
                Code::TlsNotPem,
                format!("{name} holds no key in PEM"),
                format!(
                    "it has a line -----BEGIN PRIVATE KEY-----; from DER: openssl pkey -inform der -in {file} -out FILE"
                ),
            ),
        };
        report.error(code, self.place, message).hint(hint);
        false
    }
}

fn swapped(message: String) -> (Code, String, String) {
    (Code::TlsNotPem, message, "are the two files swapped?".to_owned())
}

/// The labels of its blocks (RFC 7468).
fn blocks(text: &[u8]) -> Vec<&str> {
    let lines = text.split(|byte| *byte == b'\n').filter_map(|line| std::str::from_utf8(line).ok());
    lines.filter_map(|line| line.trim_end().strip_prefix("-----BEGIN ")?.strip_suffix("-----")).collect()
}

fn holds(text: &[u8], what: &str) -> bool {
    text.split(|byte| *byte == b'\n').any(|line| line.starts_with(what.as_bytes()))
}
