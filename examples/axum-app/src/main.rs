//! A small app in Rust that Falconer hosts as it hosts ASP.NET Core apps: it answers who asked, through what, and who
//! answers. The README beside it says how to run it.

use axum::http::Uri;
use axum::routing::get;
use axum::{Extension, Router};
use integration::{Facts, Hosted};

#[tokio::main(flavor = "current_thread")]
async fn main() -> std::io::Result<()> {
    let hosted = Hosted::from_env()?;
    let routes = Router::new().route("/", get(hello)).fallback(hello);
    // `--path-base /x` puts the app below a path; its own routes need not know.
    let app = match hosted.path_base() {
        "" => routes,
        base => Router::new().nest(base, routes),
    };
    let stop = hosted.told_to_stop()?;
    axum::serve(hosted.listen().await?, app.layer(hosted.layer())).with_graceful_shutdown(stop).await
}

async fn hello(Extension(facts): Extension<Facts>, uri: Uri) -> String {
    let client = facts.client.map_or_else(|| "somebody".to_owned(), |client| client.to_string());
    let (pid, scheme, base) = (std::process::id(), facts.scheme.as_str(), &facts.path_base);
    format!("Hello, {client}! You asked for {uri} below '{base}' over {scheme}; process {pid} answers.\n")
}
