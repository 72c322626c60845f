//! What an https binding shows to its clients, made ready before anything is bound. Called by the binary with the
//! Plan's files; the sessions themselves live in `session`.

use std::sync::Arc;

use config::{Code, Diagnostic, Place, Severity, SslFlags, TlsPlan};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use rustls::sign::{CertifiedKey, SigningKey, SingleCertAndKey};
use rustls::{Error, InconsistentKeys, RootCertStore, ServerConfig, version};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

/// TLS as this server speaks it: 1.2 and 1.3, one certificate, HTTP/1.1 inside (ALPN).
#[derive(Debug, Clone)]
pub struct Tls {
    plain: Arc<ServerConfig>,
    /// The same, and clients are asked for a certificate; none where nobody could have signed one.
    asking: Option<Arc<ServerConfig>>,
}

impl Tls {
    /// Reads certificate and key, and sees that they belong together.
    ///
    /// # Errors
    /// What the operator has to mend.
    pub fn prepare(plan: &TlsPlan) -> Result<Self, Diagnostic> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let certified = Arc::new(SingleCertAndKey::from(certified(plan, &provider)?));
        let asking = match client_verifier(plan, &provider)? {
            Some(verifier) => Some(config(&provider, &certified, verifier)?),
            None => None,
        };
        Ok(Self { plain: config(&provider, &certified, WebPkiClientVerifier::no_client_auth())?, asking })
    }

    /// For a connection that begins now: clients are asked for a certificate where the site wants to see one.
    pub(crate) fn config(&self, flags: SslFlags) -> &Arc<ServerConfig> {
        self.asking.as_ref().filter(|_| flags.negotiate_cert).unwrap_or(&self.plain)
    }
}

fn config(
    provider: &Arc<CryptoProvider>,
    certified: &Arc<SingleCertAndKey>,
    verifier: Arc<dyn ClientCertVerifier>,
) -> Result<Arc<ServerConfig>, Diagnostic> {
    let mut config = ServerConfig::builder_with_provider(Arc::clone(provider))
        .with_protocol_versions(&[&version::TLS13, &version::TLS12])
        .expect("the provider has suites for both")
        .with_client_cert_verifier(verifier)
        // The place of a resolver that looks at the name which the client asks for (SNI).
        .with_cert_resolver(Arc::<SingleCertAndKey>::clone(certified));
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    // Sessions are resumed by tickets that the client keeps: every thread can open them, and none of them holds
    // anything for a client that is gone. Each config has a key of its own: a session in which no certificate was
    // asked for does not become one in which none was shown.
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.ticketer = aws_lc_rs::Ticketer::new()
        .map_err(|error| unusable("--tls-key", format!("no key for session tickets: {error}")))?;
    Ok(Arc::new(config))
}

fn certified(plan: &TlsPlan, provider: &CryptoProvider) -> Result<CertifiedKey, Diagnostic> {
    let (certificate, key) = (plan.certificate.path.display(), plan.key.path.display());
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&plan.certificate.text).collect();
    let mut chain =
        chain.map_err(|error| unusable("--tls-cert", format!("{certificate} cannot be read: {error}")))?;
    let signing = PrivateKeyDer::from_pem_slice(&plan.key.text)
        .map_err(|error| unusable("--tls-key", format!("{key} cannot be read: {error}")))?;
    let signing = provider
        .key_provider
        .load_private_key(signing)
        .map_err(|error| unusable("--tls-key", format!("the key in {key} cannot be used: {error}")))?;
    // Archives of Windows may list the issuers first; clients want the server's own certificate there.
    match chain.iter().position(|one| matches(one, &signing).is_ok()) {
        Some(own) => chain[..=own].rotate_right(1),
        None => return Err(no_match(plan, chain.first().map(|first| matches(first, &signing)))),
    }
    Ok(CertifiedKey::new(chain, signing))
}

/// Nobody is refused here for showing no certificate: that is said as HTTP (403.7), so that people see a page. One that
/// is not good ends the handshake.
fn client_verifier(
    plan: &TlsPlan,
    provider: &Arc<CryptoProvider>,
) -> Result<Option<Arc<dyn ClientCertVerifier>>, Diagnostic> {
    let Some(file) = &plan.client_ca else { return Ok(None) };
    let unusable = |why: String| unusable("--tls-client-ca", format!("{} {why}", file.path.display()));
    let mut authorities = RootCertStore::empty();
    for authority in CertificateDer::pem_slice_iter(&file.text) {
        let authority = authority.map_err(|error| unusable(format!("cannot be read: {error}")))?;
        authorities.add(authority).map_err(|error| unusable(format!("cannot be used: {error}")))?;
    }
    if authorities.is_empty() {
        return Err(unusable("holds no certificate".to_owned()));
    }
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(authorities), Arc::clone(provider));
    let verifier = verifier.allow_unauthenticated().build();
    Ok(Some(verifier.map_err(|error| unusable(format!("cannot be used: {error}")))?))
}

fn matches(certificate: &CertificateDer<'static>, key: &Arc<dyn SigningKey>) -> Result<(), Error> {
    CertifiedKey::new(vec![certificate.clone()], Arc::clone(key)).keys_match()
}

fn no_match(plan: &TlsPlan, first: Option<Result<(), Error>>) -> Diagnostic {
    let (certificate, key) = (plan.certificate.path.display(), plan.key.path.display());
    match first {
        Some(Err(Error::InconsistentKeys(InconsistentKeys::KeyMismatch))) => Diagnostic {
            code: Code::TlsKeyMismatch,
            hint: Some(format!(
                "openssl x509 -noout -pubkey -in {certificate} and openssl pkey -pubout -in {key} print the same for a pair"
            )),
            ..unusable("--tls-key", format!("{key} is not the key of the certificate in {certificate}"))
        },
        Some(Err(error)) => unusable("--tls-cert", format!("{certificate} cannot be used: {error}")),
        Some(Ok(())) | None => unusable("--tls-cert", format!("{certificate} holds no certificate")),
    }
}

fn unusable(flag: &str, message: String) -> Diagnostic {
    Diagnostic {
        severity: Severity::Error,
        code: Code::TlsUnusable,
        message,
        place: Some(Place { file: flag.to_owned(), line: 0, column: 0 }),
        hint: None,
    }
}
