//! The demo's sample app: what anybody could write in Rust for Falconer. It runs in a process of its own, knows nothing
//! of the server but the room `integration`, and does what the buttons of its page say.

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HOST, HeaderName};
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Extension, Router};
use integration::{Facts, Hosted};
use serde_json::json;
use tokio::sync::Notify;

use crate::cli::demo::echo::echo;
use crate::cli::demo::journal::{self, Journal};
use crate::cli::{BAD_CONFIGURATION, print};

const PAGE: &str = include_str!("page.html");
/// What visitors get while the app is offline.
const OFFLINE: &str = include_str!("offline.html");
/// Everything the page needs is in the page.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'; \
                      img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
/// A header that no page of another site can send without asking first, and the app never says yes: nobody else's
/// page may press the buttons.
const BUTTON: HeaderName = HeaderName::from_static("x-demo-button");
/// A slow app is still an app: far below every limit of the server.
const SLOWEST: u64 = 10_000;
/// Processes that the page shows.
const SHOWN: usize = 8;

#[derive(Debug)]
struct Demo {
    hosted: Hosted,
    journal: Journal,
    started: u64,
    /// Milliseconds before each answer.
    delay: AtomicU64,
    stop: Notify,
    web_config: String,
}

/// Runs until told to stop.
pub(crate) fn run() -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    match runtime.and_then(|runtime| runtime.block_on(serve())) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            print::failure(&format!("the demo's app cannot run: {error}"), None);
            ExitCode::from(BAD_CONFIGURATION)
        }
    }
}

async fn serve() -> std::io::Result<()> {
    let hosted = Hosted::from_env()?;
    if !hosted.is_hosted() {
        return Err(std::io::Error::other("nobody hosts it; start `falconer demo`, which does"));
    }
    let told_to_stop = hosted.told_to_stop()?;
    let listener = hosted.listen().await?;
    let folder = Path::new(".");
    let journal = Journal::in_folder(folder);
    journal.app_starts(hosted.port())?;
    let demo = Arc::new(Demo {
        journal,
        started: journal::milliseconds(),
        delay: AtomicU64::new(0),
        stop: Notify::new(),
        web_config: std::fs::read_to_string(folder.join("web.config")).unwrap_or_default(),
        hosted,
    });
    let app = routes(&demo).layer(demo.hosted.layer());
    let end = async move {
        tokio::select! {
            () = told_to_stop => {}
            () = demo.stop.notified() => {}
        }
    };
    axum::serve(listener, app).with_graceful_shutdown(end).await
}

fn routes(demo: &Arc<Demo>) -> Router {
    let buttons = Router::new()
        .route("/crash", post(crash))
        .route("/slow", post(slow))
        .route("/stop", post(stop))
        .route("/offline", post(offline))
        .layer(middleware::from_fn(only_our_own_page));
    let answers = Router::new()
        .route("/", get(page))
        .route("/state", get(state))
        .layer(middleware::from_fn_with_state(Arc::clone(demo), late));
    let all = answers.merge(buttons).route("/echo", get(echo)).with_state(Arc::clone(demo));
    match demo.hosted.path_base() {
        "" => all,
        base => Router::new().nest(base, all),
    }
}

/// As slow as the button said.
async fn late(State(demo): State<Arc<Demo>>, request: axum::extract::Request, next: Next) -> Response {
    let delay = demo.delay.load(Ordering::Relaxed);
    if delay > 0 {
        tokio::time::sleep(Duration::from_millis(delay)).await;
    }
    next.run(request).await
}

async fn only_our_own_page(request: axum::extract::Request, next: Next) -> Response {
    if request.headers().contains_key(BUTTON) {
        next.run(request).await
    } else {
        (StatusCode::FORBIDDEN, format!("only the demo's own page presses its buttons ({BUTTON}: 1)\n"))
            .into_response()
    }
}

async fn page() -> impl IntoResponse {
    let headers = [
        (CONTENT_TYPE, "text/html; charset=utf-8"),
        (CACHE_CONTROL, "no-store"),
        (CONTENT_SECURITY_POLICY, POLICY),
    ];
    (headers, PAGE)
}

/// Who started whom, and what the request that asks brought along.
async fn state(
    State(demo): State<Arc<Demo>>,
    facts: Extension<Facts>,
    headers: HeaderMap,
) -> impl IntoResponse {
    let story = demo.journal.read();
    let now = journal::milliseconds();
    let first = story.lives.len().saturating_sub(SHOWN);
    let lives: Vec<_> = story.lives[first..]
        .iter()
        .map(|life| json!({"pid": life.pid, "port": life.port, "age": now.saturating_sub(life.started), "told": life.told}))
        .collect();
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let body = json!({
        "app": {
            "pid": std::process::id(),
            "port": demo.hosted.port(),
            "uptime": now.saturating_sub(demo.started),
            "delay": demo.delay.load(Ordering::Relaxed),
            "starts": story.lives.len(),
        },
        "keeper": {"pid": std::os::unix::process::parent_id()},
        "falconer": story.server.map(|(pid, began)| json!({"pid": pid, "uptime": now.saturating_sub(began)})),
        "lives": lives,
        "request": {
            "client": facts.client.map(|client| client.to_string()),
            "scheme": facts.scheme.as_str(),
            "host": text(HOST.as_str()),
            "path_base": &*facts.path_base,
        },
        "web_config": demo.web_config,
    });
    ([(CONTENT_TYPE, "application/json"), (CACHE_CONTROL, "no-store")], body.to_string())
}

/// Ends the process in the middle of this very request, as a bug would.
async fn crash(State(demo): State<Arc<Demo>>) -> StatusCode {
    // A page with one line less is no reason not to crash.
    let _ = demo.journal.told("crash");
    std::process::abort()
}

/// The body is the delay in milliseconds.
async fn slow(State(demo): State<Arc<Demo>>, body: Bytes) -> StatusCode {
    match str::from_utf8(&body).ok().and_then(|text| text.trim().parse::<u64>().ok()) {
        Some(delay) if delay <= SLOWEST => {
            demo.delay.store(delay, Ordering::Relaxed);
            StatusCode::NO_CONTENT
        }
        _ => StatusCode::BAD_REQUEST,
    }
}

/// Leaves the page that visitors get from here on. Whoever takes it away again must live longer than this process.
async fn offline(State(demo): State<Arc<Demo>>) -> StatusCode {
    // First of all, since what follows ends this process.
    let _ = demo.journal.told("offline");
    // Whole when it appears. Its folder is this process's working folder.
    let written = std::fs::write("offline.new", OFFLINE)
        .and_then(|()| std::fs::rename("offline.new", super::OFFLINE_FILE));
    if written.is_ok() { StatusCode::ACCEPTED } else { StatusCode::INTERNAL_SERVER_ERROR }
}

/// Ends the process in order, once this request is answered.
async fn stop(State(demo): State<Arc<Demo>>) -> StatusCode {
    let _ = demo.journal.told("stop");
    // One permit is kept for the waiter.
    demo.stop.notify_one();
    StatusCode::ACCEPTED
}
