//! Behaviour of the front door: paths, headers, bodies, WebSockets, certificates.

use super::Entry;
use super::Verdict::{Different, Same};

pub(super) const ENTRIES: &[Entry] = &[
    Entry {
        number: 56,
        source: "RequestResponseTests",
        test: "RequestPath_UrlUnescaping",
        behaviour: "Escapes in the path are decoded, but `%2F`; `%2B` is 404.11.",
        verdict: Different("`%2B` is served, since it is an honest plus; the rest is the same"),
        proven_by: &[
            "framing::a .NET app sees the path that was sent, and the base as the client wrote it",
            "framing::paths as docs/paths.md says, any app",
        ],
    },
    Entry {
        number: 57,
        source: "RequestResponseTests",
        test: "Request_WithDoubleSlashes_LeftAlone",
        behaviour: "`//a/b//c` arrives as it is.",
        verdict: Same,
        proven_by: &["front::doubled slashes stay, dot segments go, escaped ones too"],
    },
    Entry {
        number: 58,
        source: "RequestResponseTests",
        test: "Request_WithNavigation_Removed, Request_WithEscapedNavigation_Removed",
        behaviour: "Dot segments are resolved, also as `%2E`.",
        verdict: Same,
        proven_by: &["front::doubled slashes stay, dot segments go, escaped ones too"],
    },
    Entry {
        number: 59,
        source: "RequestResponseTests",
        test: "Request_ControlCharacters_400, Request_EscapedControlCharacters_400",
        behaviour: "Control characters in the target are 400.",
        verdict: Different(
            "a raw tab and a raw line feed, which IIS lets pass, are 400 as well, since what two readers \
             could understand in two ways is refused; the rest is the same",
        ),
        proven_by: &["front::control characters in a path are refused, raw and escaped"],
    },
    Entry {
        number: 60,
        source: "RequestResponseTests",
        test: "PassesThroughCompressionOutOfProcess",
        behaviour: "What the app compressed arrives untouched.",
        verdict: Same,
        proven_by: &["front::what the app compressed arrives untouched"],
    },
    Entry {
        number: 61,
        source: "RequestResponseTests",
        test: "ReadAndWriteSynchronously, ReadAndWriteEcho, ReadAndWriteCopyToAsync, ReadAndWriteEchoTwice, \
             ReadSetHeaderWrite, ReadAndWriteSlowConnection, ConsumePartialBody, \
             AsyncChunkedPostIsAccepted",
        behaviour: "Bodies are echoed whole, from slow clients and in chunks; a body may be read in part.",
        verdict: Same,
        proven_by: &[
            "front::a body is echoed whole, however the app reads and writes",
            "front::a slow client gets each byte back before it sends the next",
            "front::a header is set between reading and writing",
            "front::a body that is read in part never mixes with the next request",
            "front::a chunked request is accepted",
            "front::a connection carries in both directions at once",
        ],
    },
    Entry {
        number: 62,
        source: "RequestResponseTests",
        test: "CustomErrorCodeWorks, TransferEncodingNotSetForStatusCodes, ServerHeaderIsOverriden, \
             AddEmptyHeaderSkipped, AddResponseHeaders_HeaderValuesAreSetCorrectly, \
             ErrorCodeIsSetForExceptionDuringRequest",
        behaviour: "Status, reason and headers of the app reach the client.",
        verdict: Different(
            "an empty header arrives as an empty header, as the app sent it, where IIS leaves it out; the \
             rest is the same",
        ),
        proven_by: &[
            "front::a status and a reason of the app's own reach the client",
            "front::204 and 304 have no Transfer-Encoding",
            "front::the app's headers arrive as it set them, each value of them",
            "front::the app's Server header wins",
            "front::an exception in the app is its 500, and the next request is served",
        ],
    },
    Entry {
        number: 63,
        source: "RequestResponseTests",
        test: "LargeResponseBodyTest, LargeResponseBodyFromFile",
        behaviour: "Bodies of up to 100,000,000 bytes arrive whole.",
        verdict: Same,
        proven_by: &[
            "front::a large answer arrives whole, from memory",
            "front::a large answer arrives whole, from a file",
        ],
    },
    Entry {
        number: 64,
        source: "RequestResponseTests",
        test: "ServerWorksAfterClientDisconnect, RequestAbortedTokenFires",
        behaviour: "A client that leaves cancels its request, and only that.",
        verdict: Same,
        proven_by: &[
            "front::RequestAborted fires for a client that leaves, and only for it",
            "front::a hundred clients leave within their uploads, and the app is served on",
            "streaming::RequestAborted fires in a .NET app within a second",
        ],
    },
    Entry {
        number: 65,
        source: "Latin1Tests",
        test: "Latin1Works, Latin1ReplacedWithoutAppContextSwitch, Latin1InvalidCharacters_HttpSysRejects",
        behaviour: "Latin-1 in headers passes, NUL is 400.",
        verdict: Different(
            "a request header in Latin-1 is 400, since Kestrel answers 400 to what is no UTF-8; UTF-8 \
             arrives, NUL is 400 as on IIS",
        ),
        proven_by: &[
            "front::text beyond ASCII in a header arrives as UTF-8",
            "front::a header in Latin-1 or with NUL is refused, an answer's passes",
        ],
    },
    Entry {
        number: 66,
        source: "CompressionTests",
        test: "BufferingDisabledWithCompressedRequest, BufferingDisabledWithoutCompressedRequest, \
             DynamicResponsesAreCompressed",
        behaviour: "Events arrive one by one, with and without gzip; dynamic responses are compressed.",
        verdict: Different(
            "nothing is compressed by the server yet, which a warning says; what the app compresses \
             arrives piece by piece, as it flushes it",
        ),
        proven_by: &[
            "front::lines of an answer arrive one by one, compressed by the app or not",
            "streaming::server-sent events of a .NET app arrive one by one",
            "parity::what the app compresses passes, and urlCompression is told as not honoured",
        ],
    },
    Entry {
        number: 67,
        source: "MaxRequestBodySizeTests",
        test: "IISRejectsContentLengthTooLargeByDefault",
        behaviour: "A Content-Length of 30,000,001 is 404.13 or 413.",
        verdict: Same,
        proven_by: &["front::30,000,001 bytes are refused by default, by length and in chunks"],
    },
    Entry {
        number: 68,
        source: "MaxRequestBodySizeTests",
        test: "SetIISLimitMaxRequestBodySizeE2EWorks, ..WithLargerLimit, ..WithIntMaxValue, \
             MaxRequestBodySizeE2EWorks, SetIISLimitMaxRequestBodyLogsWarning",
        behaviour: "`maxAllowedContentLength` and the app's own limit both hold.",
        verdict: Same,
        proven_by: &[
            "front::a smaller maxAllowedContentLength is kept",
            "front::a larger maxAllowedContentLength reaches an app that lifts its limit",
            "front::above 30,000,000 the app's own limit bites, and is told of",
            "front::a limit that the app sets for a request is kept",
        ],
    },
    Entry {
        number: 69,
        source: "RequestPathBaseTests",
        test: "RequestPathBase_Split, RequestPathBase_WithDoubleSlashes_Split",
        behaviour: "The path base is found whatever its case and however its slashes are written, and told \
             as the client wrote it.",
        verdict: Different(
            "`\\`, `%2F` and doubled slashes within the base are 404: Kestrel would not take them for the \
             base and serve the app without it; case, escapes of letters and slashes behind the base are \
             the same",
        ),
        proven_by: &[
            "front::a path base in every spelling",
            "framing::paths as docs/paths.md says, below a base",
        ],
    },
    Entry {
        number: 70,
        source: "Http2Tests, Http2TrailersResetTests, Http3Tests",
        test: "",
        behaviour: "Requests over HTTP/2 and 3, with and without bodies and lengths; trailers and resets.",
        verdict: Different(
            "HTTP/2 and 3 are not offered yet, and clients that could speak them fall back to HTTP/1.1 by \
             ALPN, where methods, bodies and lengths are the same; a POST without a length has an empty \
             body (RFC 9112 §6.3)",
        ),
        proven_by: &[
            "front::methods without a body, bodies with and without a length",
            "https::TLS 1.2 and 1.3 reach the app, which is told",
            "front::a large answer arrives whole, from memory",
        ],
    },
    Entry {
        number: 71,
        source: "FrebTests",
        test: "CheckCommonFrebEvents, FrebIncludesHResultFailures, CheckFailedRequestEvents, \
             CheckFrebDisconnect",
        behaviour: "Failed requests are traced into files.",
        verdict: Different(
            "there is no trace for each request; the access log has a line for each, with status, \
             substatus, how it ended and the sentence of the error",
        ),
        proven_by: &[
            "access_log::an app without an answer: 502.3",
            "access_log::clients that go away",
            "access_log::a served request: who, what, how much, how long",
        ],
    },
    Entry {
        number: 109,
        source: "FunctionalTest (V1)",
        test: "FilterOutMSRequestHeadersTest",
        behaviour: "Headers of clients that begin with `MS-ASPNETCORE` never reach the app.",
        verdict: Same,
        proven_by: &[
            "front::a client's MS-ASPNETCORE headers never arrive, by http and by https",
            "trust::D1 D4 D5 D6 reserved names never arrive, however spelled",
        ],
    },
    Entry {
        number: 110,
        source: "FunctionalTest (V1)",
        test: "ClientCertificateMappingTest",
        behaviour: "With a client certificate the app gets it; http is 403.4, none is 403.7.",
        verdict: Same,
        proven_by: &[
            "https::a client's certificate reaches the app with each request, and only that one",
            "https::a .NET app sees the certificate of its client",
            "https::Ssl: 403.4 for http",
            "https::SslRequireCert: 403.7 without a certificate",
        ],
    },
    Entry {
        number: 111,
        source: "FunctionalTest (V1)",
        test: "WebSocketErrorhandlingTest",
        behaviour: "Without WebSockets an upgrade is answered as a plain request, and the server goes on.",
        verdict: Same,
        proven_by: &["front::an app that takes no WebSocket answers plainly, and is served on"],
    },
    Entry {
        number: 112,
        source: "FunctionalTest (V1)",
        test: "WebSocketTest",
        behaviour: "101, text and binary echoed, the sub-protocol kept, close from either side, the app's \
             process the same.",
        verdict: Same,
        proven_by: &["front::a WebSocket echoes, agrees on a sub-protocol and is closed by either side"],
    },
    Entry {
        number: 113,
        source: "FunctionalTest (V1)",
        test: "V21_WebSocketAppOfflineTest",
        behaviour: "An open WebSocket is closed when app_offline.htm comes, and the next request is 503.",
        verdict: Same,
        proven_by: &["front::app_offline.htm ends an open WebSocket in order, then shows its page"],
    },
];
