//! What this program agreed on with the server that started it, read from its environment once.

use std::fmt;
use std::io;
use std::net::Ipv4Addr;
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use crate::layer::PairingLayer;

/// The agreement between this program and its server. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Hosted(Arc<Agreement>);

pub(crate) struct Agreement {
    port: u16,
    /// None without a server.
    pub(crate) token: Option<Box<[u8]>>,
    /// Without a slash at its end.
    pub(crate) path_base: Arc<str>,
    /// True once the server has ordered the end.
    pub(crate) stop: watch::Sender<bool>,
}

impl fmt::Debug for Agreement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { port, token, path_base, stop: _ } = self;
        let token = token.as_ref().map(|_| "***");
        f.debug_struct("Agreement")
            .field("port", port)
            .field("token", &token)
            .field("path_base", path_base)
            .finish()
    }
}

impl Hosted {
    /// Where a program that nobody hosts listens.
    pub const DEFAULT_PORT: u16 = 3000;

    /// Reads `ASPNETCORE_PORT`, `ASPNETCORE_TOKEN` and `ASPNETCORE_APPL_PATH`. Without a token, nobody hosts this
    /// program: every request is served, and the port is [`Hosted::DEFAULT_PORT`] unless it is given.
    ///
    /// # Errors
    /// The port is no number from 1 to 65535, or there is a token and no port.
    pub fn from_env() -> io::Result<Self> {
        Self::from_env_or(Self::DEFAULT_PORT)
    }

    /// The same with another port for a program that nobody hosts; 0 draws one.
    ///
    /// # Errors
    /// As [`Hosted::from_env`].
    pub fn from_env_or(port: u16) -> io::Result<Self> {
        #[expect(clippy::disallowed_methods, reason = "the one place that reads the environment")]
        let variable = |name: &str| std::env::var(name).ok();
        Self::from_variables(variable, port)
    }

    fn from_variables(variable: impl Fn(&str) -> Option<String>, default: u16) -> io::Result<Self> {
        // Empty counts as absent, as it does for IISIntegration.
        let given =
            |name| variable(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty());
        let token = given(contract::TOKEN).map(|token| token.into_bytes().into_boxed_slice());
        let port = match given(contract::PORT) {
            Some(text) => text.parse().ok().filter(|port| *port != 0).ok_or_else(|| not_a_port(&text))?,
            None if token.is_some() => return Err(not_a_port("")),
            None => default,
        };
        let path_base = given(contract::APPL_PATH).unwrap_or_default().trim_end_matches('/').into();
        Ok(Self(Arc::new(Agreement { port, token, path_base, stop: watch::Sender::new(false) })))
    }

    /// Whether a server started this program.
    #[must_use]
    pub fn is_hosted(&self) -> bool {
        self.0.token.is_some()
    }

    /// The port that was agreed on.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.0.port
    }

    /// The path below which the program lives, without a slash at its end: empty for the root.
    #[must_use]
    pub fn path_base(&self) -> &str {
        &self.0.path_base
    }

    /// Listens where the server expects it: on 127.0.0.1, since nobody else is to reach this program.
    ///
    /// # Errors
    /// Somebody else has the port, or the system refuses.
    pub async fn listen(&self) -> io::Result<TcpListener> {
        TcpListener::bind((Ipv4Addr::LOCALHOST, self.0.port)).await
    }

    /// Refuses requests that did not come through the server, and tells the program who really sent the others.
    /// Put it outermost.
    #[must_use]
    pub fn layer(&self) -> PairingLayer {
        PairingLayer::new(Arc::clone(&self.0))
    }

    /// Resolves when this program shall stop: on SIGTERM, on SIGINT, or when the server says so in a request. From
    /// this call on, neither signal ends the process by itself.
    ///
    /// # Errors
    /// The system refuses to watch signals.
    ///
    /// # Panics
    /// Outside a tokio runtime with its I/O enabled.
    pub fn told_to_stop(&self) -> io::Result<impl Future<Output = ()> + Send + use<>> {
        let (mut terminate, mut interrupt) =
            (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        let agreement = Arc::clone(&self.0);
        Ok(async move {
            let mut order = agreement.stop.subscribe();
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
                // The sender lives in the agreement, which is held here.
                _ = order.wait_for(|stop| *stop) => {}
            }
        })
    }
}

fn not_a_port(text: &str) -> io::Error {
    let message = format!("{} is '{text}', which is not a port from 1 to 65535", contract::PORT);
    io::Error::new(io::ErrorKind::InvalidInput, message)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// What a program finds when these variables are set.
    pub(crate) fn with(variables: &[(&str, &str)]) -> io::Result<Hosted> {
        let find = |name: &str| {
            variables.iter().find(|(have, _)| *have == name).map(|(_, value)| (*value).to_owned())
        };
        Hosted::from_variables(find, 3000)
    }

    #[test]
    fn the_environment_by_table() {
        const PORT: &str = "ASPNETCORE_PORT";
        const TOKEN: &str = "ASPNETCORE_TOKEN";
        const PATH: &str = "ASPNETCORE_APPL_PATH";
        for (variables, expected) in [
            (&[][..], Some((3000, false, ""))),
            (&[(PORT, "8123")], Some((8123, false, ""))),
            (&[(PORT, " 8123 "), (TOKEN, "t"), (PATH, "/")], Some((8123, true, ""))),
            (&[(PORT, "1"), (TOKEN, "t"), (PATH, "/shop/eu/")], Some((1, true, "/shop/eu"))),
            (&[(PORT, "1"), (TOKEN, ""), (PATH, "/shop")], Some((1, false, "/shop"))),
            (&[(PORT, ""), (TOKEN, "")], Some((3000, false, ""))),
            (&[(TOKEN, "t")], None),
            (&[(PORT, "0")], None),
            (&[(PORT, "65536")], None),
            (&[(PORT, "eighty")], None),
        ] {
            let hosted = with(variables).ok();
            let found = hosted.as_ref().map(|hosted| (hosted.port(), hosted.is_hosted(), hosted.path_base()));
            assert_eq!(found, expected, "{variables:?}");
        }
    }

    #[test]
    fn the_token_is_never_printed() {
        let hosted = with(&[("ASPNETCORE_PORT", "1"), ("ASPNETCORE_TOKEN", "secret")]).unwrap();
        let shown = format!("{hosted:?} {:?}", hosted.layer());
        assert!(!shown.contains("secret") && shown.contains("***"), "{shown}");
    }

    #[tokio::test]
    async fn only_this_machine_can_connect() {
        let hosted = Hosted::from_variables(|_| None, 0).unwrap();
        let address = hosted.listen().await.unwrap().local_addr().unwrap();
        assert!(address.ip().is_loopback());
    }
}
