//! The sample apps and what they answer.

use e2e::Need;

/// One request and its answer.
pub(super) struct Ask {
    pub(super) method: &'static str,
    pub(super) path: &'static str,
    pub(super) status: u16,
    /// Somewhere in head or body; `{base}` stands for the path base.
    pub(super) holds: &'static str,
}

/// One app.
pub(super) struct App {
    pub(super) name: &'static str,
    pub(super) needs: &'static [Need],
    pub(super) asks: &'static [Ask],
    /// Whether it knows path bases.
    pub(super) base: bool,
    /// What it prints when it is told to stop.
    pub(super) last_words: Option<&'static str>,
}

const fn get(path: &'static str, holds: &'static str) -> Ask {
    Ask { method: "GET", path, status: 200, holds }
}

const fn status(path: &'static str, status: u16, holds: &'static str) -> Ask {
    Ask { method: "GET", path, status, holds }
}

/// A .NET app with the full builder: paired, at home at any path.
const fn full(name: &'static str, asks: &'static [Ask]) -> App {
    App {
        name,
        needs: &[Need::Dotnet],
        asks,
        base: true,
        last_words: Some("Application is shutting down..."),
    }
}

/// A .NET app that logs nothing, not even its end.
const fn silent(name: &'static str, asks: &'static [Ask]) -> App {
    let app = full(name, asks);
    App { last_words: None, ..app }
}

/// A .NET app that knows no path base.
const fn rootless(name: &'static str, asks: &'static [Ask]) -> App {
    let app = full(name, asks);
    App { base: false, ..app }
}

pub(super) const APPS: &[App] = &[
    full("web", &[get("/", "Hello World!")]),
    full("webapi", &[get("/weatherforecast", "temperatureC"), status("/openapi/v1.json", 404, "")]),
    full(
        "mvc",
        &[
            get("/", "{base}/"),
            get("/Home/Privacy", "Privacy"),
            get("/lib/bootstrap/dist/css/bootstrap.min.css", "text/css"),
        ],
    ),
    full("razor", &[get("/", "{base}/"), get("/Privacy", "Privacy")]),
    full(
        "blazor",
        &[
            get("/", "<base href"),
            get("/counter", "Counter"),
            get("/_framework/blazor.web.js", "javascript"),
            Ask {
                method: "POST",
                path: "/_blazor/negotiate?negotiateVersion=1",
                status: 200,
                holds: "connectionToken",
            },
            status("/nowhere", 404, "<html"),
        ],
    ),
    full("grpc", &[status("/", 400, "An HTTP/1.x request was sent to an HTTP/2 only endpoint.")]),
    rootless("slim", &[get("/", "slim"), get("/items", "item 2"), get("/request", "shop.example")]),
    rootless("aot", &[get("/todos", "["), get("/todos/1", "{")]),
    full("selfcontained", &[get("/", ""), get("/where", "{base}")]),
    full("singlefile-fdd", &[get("/", ""), get("/where", "{base}")]),
    full("worker", &[get("/", "ticks"), get("/healthz", "Healthy")]),
    full(
        "signalr",
        &[
            get("/", "<html"),
            get("/sse?n=2&ms=10", "data:"),
            Ask {
                method: "POST",
                path: "/chat/negotiate?negotiateVersion=1",
                status: 200,
                holds: "WebSockets",
            },
        ],
    ),
    full(
        "probe",
        &[
            get("/probe", "\"pathBase\": \"{base}\""),
            get("/big?bytes=1000", "Content-Length: 1000"),
            get("/stream?n=3&ms=1", "chunk 2"),
            status("/redirect", 302, "Location: {base}/probe"),
            status("/status/418", 418, "status 418"),
            status("/throw", 500, ""),
            get("/headers", "X-Twice: second"),
        ],
    ),
    full(
        "https",
        &[get("/", "http://shop.example{base}/"), status("/login", 302, "http://shop.example{base}/item/1")],
    ),
    full("forwarded", &[get("/any", "127.0.0.1")]),
    full("windowsauth", &[get("/", ""), status("/private", 500, "")]),
    full("identity", &[get("/", "{base}/"), get("/Identity/Account/Register", "__RequestVerificationToken")]),
    silent("yarp", &[get("/x", "target=/x")]),
    silent("plaintext", &[get("/plaintext", "Hello, World!"), get("/json", "{"), get("/bytes/100", "")]),
    App {
        name: "httpplatform-node",
        needs: &[Need::Dotnet, Need::Node],
        asks: &[get("/any", "\"{base}/any\"")],
        base: true,
        last_words: None,
    },
    App {
        name: "httpplatform-python",
        needs: &[Need::Dotnet, Need::Python],
        asks: &[get("/any", "\"{base}/any\"")],
        base: true,
        last_words: None,
    },
    App {
        name: "generic-node",
        needs: &[Need::Dotnet, Need::Node],
        asks: &[get("/any", "\"path\": \"/any\"")],
        base: true,
        last_words: Some("generic-node: SIGTERM"),
    },
];
