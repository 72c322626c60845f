//! The door of a hosted program: who may come in, and what the program is told of them (IISMiddleware does the same
//! for ASP.NET Core).

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use contract::{EVENT, PAIRING_TOKEN};
use http::header::HeaderMap;
use http::{Request, Response, StatusCode};
use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

use crate::facts;
use crate::hosted::Agreement;

/// Wraps a service so that only the server reaches it; made by [`crate::Hosted::layer`].
#[derive(Debug, Clone)]
pub struct PairingLayer(Arc<Agreement>);

impl PairingLayer {
    pub(crate) fn new(agreement: Arc<Agreement>) -> Self {
        Self(agreement)
    }
}

impl<S> Layer<S> for PairingLayer {
    type Service = Paired<S>;

    fn layer(&self, inner: S) -> Paired<S> {
        Paired { inner, agreement: Arc::clone(&self.0) }
    }
}

/// A service that only the server reaches.
///
/// A request without the token is answered 400. One with it has the token taken away, so that no page or log of the
/// program can show it, and carries [`crate::Facts`] among its extensions. The server's order to shut down is answered
/// 202 and resolves [`crate::Hosted::told_to_stop`]. Neither answer has a body.
#[derive(Debug, Clone)]
pub struct Paired<S> {
    inner: S,
    agreement: Arc<Agreement>,
}

impl<S, B, R> Service<Request<B>> for Paired<S>
where
    S: Service<Request<B>, Response = Response<R>>,
    R: Default,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Answering<S::Future>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<B>) -> Answering<S::Future> {
        let path_base = Arc::clone(&self.agreement.path_base);
        let facts = match &self.agreement.token {
            Some(token) if !carries(request.headers(), token) => {
                return Answering::own(StatusCode::BAD_REQUEST);
            }
            Some(_) => facts::read(request.headers(), path_base),
            None => facts::unhosted(path_base),
        };
        request.headers_mut().remove(PAIRING_TOKEN);
        if self.agreement.token.is_some() && orders_the_end(&request, &self.agreement.path_base) {
            self.agreement.stop.send_replace(true);
            return Answering::own(StatusCode::ACCEPTED);
        }
        request.extensions_mut().insert(facts);
        Answering { inner: Some(self.inner.call(request)), status: StatusCode::OK }
    }
}

/// Exactly one line, and the right one. A second line is refused even if it is equal, as Kestrel's side does: what
/// stands between must not be able to add one.
fn carries(headers: &HeaderMap, token: &[u8]) -> bool {
    let mut lines = headers.get_all(PAIRING_TOKEN).iter();
    match (lines.next(), lines.next()) {
        (Some(line), None) => equal(line.as_bytes().trim_ascii(), token),
        _ => false,
    }
}

/// Takes as long for a wrong first byte as for a wrong last one. The length is no secret.
fn equal(one: &[u8], other: &[u8]) -> bool {
    let difference = one.iter().zip(other).fold(0, |sum, (a, b)| std::hint::black_box(sum | (a ^ b)));
    one.len() == other.len() && difference == 0
}

fn orders_the_end<B>(request: &Request<B>, path_base: &str) -> bool {
    let path = request.uri().path();
    let below = path.get(..path_base.len()).filter(|start| start.eq_ignore_ascii_case(path_base));
    let path = below.map_or(path, |start| &path[start.len()..]);
    request.method().as_str().eq_ignore_ascii_case("POST")
        && path.eq_ignore_ascii_case("/iisintegration")
        && request
            .headers()
            .get(EVENT)
            .is_some_and(|event| event.as_bytes().trim_ascii().eq_ignore_ascii_case(b"shutdown"))
}

pin_project! {
    /// The answer to come: the program's, or the door's own.
    #[derive(Debug)]
    pub struct Answering<F> {
        // None when the program was not asked.
        #[pin]
        inner: Option<F>,
        // All that the door's own answer says.
        status: StatusCode,
    }
}

impl<F> Answering<F> {
    fn own(status: StatusCode) -> Self {
        Self { inner: None, status }
    }
}

impl<F, R, E> Future for Answering<F>
where
    F: Future<Output = Result<Response<R>, E>>,
    R: Default,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        match this.inner.as_pin_mut() {
            Some(inner) => inner.poll(context),
            None => {
                let mut response = Response::new(R::default());
                *response.status_mut() = *this.status;
                Poll::Ready(Ok(response))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::future::{Ready, ready};

    use super::*;
    use crate::hosted::tests::with;
    use crate::{Facts, Hosted, Scheme};

    /// Says what it was told.
    #[derive(Debug, Clone)]
    struct App;

    impl Service<Request<()>> for App {
        type Response = Response<String>;
        type Error = Infallible;
        type Future = Ready<Result<Response<String>, Infallible>>;

        fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
            Poll::Ready(Ok(()))
        }

        fn call(&mut self, request: Request<()>) -> Self::Future {
            assert!(!request.headers().contains_key(PAIRING_TOKEN), "the app sees the token");
            let facts = request.extensions().get::<Facts>().expect("facts");
            let client = facts.client.map_or_else(|| "-".to_owned(), |client| client.to_string());
            ready(Ok(Response::new(format!("{client} {} {}", facts.scheme.as_str(), facts.path_base))))
        }
    }

    fn hosted() -> Hosted {
        with(&[("ASPNETCORE_PORT", "1"), ("ASPNETCORE_TOKEN", "secret"), ("ASPNETCORE_APPL_PATH", "/shop")])
            .expect("good variables")
    }

    async fn ask(hosted: &Hosted, line: &str, headers: &[(&str, &str)]) -> (u16, String) {
        let (method, path) = line.split_once(' ').expect("method and path");
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(()).expect("a request");
        let answer = hosted.layer().layer(App).call(request).await.expect("an answer");
        (answer.status().as_u16(), answer.into_body())
    }

    const TOKEN: (&str, &str) = ("ms-aspnetcore-token", "secret");

    #[tokio::test]
    async fn nobody_but_the_server_comes_in() {
        for (headers, expected) in [
            (&[][..], 400),
            (&[TOKEN], 200),
            (&[("MS-ASPNETCORE-TOKEN", "  secret ")], 200),
            (&[("ms-aspnetcore-token", "")], 400),
            (&[("ms-aspnetcore-token", "secre")], 400),
            (&[("ms-aspnetcore-token", "secrets")], 400),
            (&[("ms-aspnetcore-token", "Secret")], 400),
            (&[("ms-aspnetcore-token", "secret,x")], 400),
            (&[("ms_aspnetcore_token", "secret")], 400),
            (&[TOKEN, TOKEN], 400),
            (&[TOKEN, ("ms-aspnetcore-token", "other")], 400),
        ] {
            assert_eq!(ask(&hosted(), "GET /shop/x", headers).await.0, expected, "{headers:?}");
        }
    }

    #[tokio::test]
    async fn the_program_sees_the_client_as_the_server_did() {
        let told = [("x-forwarded-for", "203.0.113.7:4711"), ("x-forwarded-proto", "https")];
        let (_, seen) = ask(&hosted(), "GET /shop/x", &[TOKEN, told[0], told[1]]).await;
        assert_eq!(seen, "203.0.113.7:4711 https /shop");
        assert_eq!(ask(&hosted(), "GET /shop/x", &[TOKEN]).await.1, "- http /shop");
        // Without a server these headers are a stranger's words.
        let alone = with(&[]).expect("no variables");
        assert_eq!(ask(&alone, "GET /x", &[told[0], told[1]]).await, (200, "- http ".to_owned()));
        assert_eq!(Scheme::Https.as_str(), "https");
    }

    #[tokio::test]
    async fn the_order_to_stop_by_table() {
        const SHUTDOWN: (&str, &str) = ("ms-aspnetcore-event", "shutdown");
        for (line, headers, expected) in [
            ("POST /iisintegration", &[TOKEN, SHUTDOWN][..], 202),
            ("POST /shop/iisintegration", &[TOKEN, SHUTDOWN], 202),
            ("post /SHOP/IISIntegration?x=1", &[TOKEN, ("ms-aspnetcore-event", " ShutDown ")], 202),
            ("POST /shop/iisintegration", &[SHUTDOWN], 400),
            ("GET /shop/iisintegration", &[TOKEN, SHUTDOWN], 200),
            ("POST /shop/iisintegration/", &[TOKEN, SHUTDOWN], 200),
            ("POST /shop/iisintegration", &[TOKEN, ("ms-aspnetcore-event", "restart")], 200),
            ("POST /shop/iisintegration", &[TOKEN], 200),
        ] {
            let hosted = hosted();
            let stop = hosted.told_to_stop().expect("signals");
            assert_eq!(ask(&hosted, line, headers).await.0, expected, "{line} {headers:?}");
            let mut stop = std::pin::pin!(stop);
            let told =
                std::future::poll_fn(|context| Poll::Ready(stop.as_mut().poll(context).is_ready())).await;
            assert_eq!(told, expected == 202, "{line} {headers:?}");
        }
        let alone = with(&[]).expect("no variables");
        assert_eq!(ask(&alone, "POST /iisintegration", &[SHUTDOWN]).await.0, 200);
    }
}
