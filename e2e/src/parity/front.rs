//! Behaviour of the front door: paths, headers, bodies, WebSockets, certificates.

use super::Entry;
use super::Verdict::{Different, Same};

pub(super) const ENTRIES: &[Entry] = &[
    Entry {
        number: 56,
        source: "RequestResponseTests",
        test: "RequestPath_UrlUnescaping",
        behaviour: "Escapes in the path are decoded, but `%2F`; `%2B` is 404.11.",
        verdict: Different(
            "`%2B` arrives as `+`: IIS refuses it in case something decodes the path a second time, and \
             here the path is passed on as it came and decoded once, by the app",
        ),
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
        proven_by: &[
            "front::doubled slashes stay, dot segments go, escaped ones too",
            "framing::a path never climbs above the root",
        ],
    },
    Entry {
        number: 59,
        source: "RequestResponseTests",
        test: "Request_ControlCharacters_400, Request_EscapedControlCharacters_400",
        behaviour: "Control characters in the target are 400, raw tab and line feed excepted.",
        verdict: Different(
            "a raw tab and a raw line feed are 400 as well: IIS takes them for the end of the target, and a \
             line that two readers end at different places is how requests are smuggled",
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
        behaviour: "Status, reason and headers of the app reach the client; an empty header is left out.",
        verdict: Different(
            "an empty header arrives as the app set it, since that is what it set; the rest is the same",
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
            "front::a hundred clients leave within their uploads, and the app is served on",
            "front::RequestAborted fires for a client that leaves, and only for it",
            "streaming::RequestAborted fires in a .NET app within a second",
        ],
    },
    Entry {
        number: 65,
        source: "Latin1Tests",
        test: "Latin1Works, Latin1ReplacedWithoutAppContextSwitch, Latin1InvalidCharacters_HttpSysRejects",
        behaviour: "Latin-1 in headers passes, NUL is 400.",
        verdict: Different(
            "Latin-1 in a request's header is 400, since Kestrel, which is what runs the app here, takes \
             UTF-8 and answers so itself; UTF-8 passes, and in an answer both do",
        ),
        proven_by: &[
            "front::a header in Latin-1 or with NUL is refused, an answer's passes",
            "front::text beyond ASCII in a header arrives as UTF-8",
        ],
    },
    Entry {
        number: 66,
        source: "CompressionTests",
        test: "BufferingDisabledWithCompressedRequest, BufferingDisabledWithoutCompressedRequest, \
             DynamicResponsesAreCompressed",
        behaviour: "Events arrive one by one, with and without gzip; dynamic responses are compressed.",
        verdict: Different(
            "`urlCompression` is not honoured yet, which a warning says; what the app compresses passes, \
             and nothing is ever buffered",
        ),
        proven_by: &[
            "front::lines of an answer arrive one by one, compressed by the app or not",
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
        behaviour: "`maxAllowedContentLength` and the app's own limit both hold; above it the app's is \
             lifted.",
        verdict: Different(
            "above 30,000,000 the limit that Kestrel has since .NET 10 behind any server bites until the \
             app lifts it in its runtimeconfig.json, which a warning says with the line to add",
        ),
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
            "`\\`, `%5C`, `%2F` and doubled slashes in the base are 404: Kestrel does not take them for \
             slashes and would serve such a request as if it had no base",
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
            "HTTP/2 and 3 come with a later version, and every client that speaks them speaks HTTP/1.1; \
             what the tests ask of methods, bodies and lengths holds there, trailers and resets are of \
             apps in process",
        ),
        proven_by: &["front::methods without a body, bodies with and without a length"],
    },
    Entry {
        number: 71,
        source: "FrebTests",
        test: "CheckCommonFrebEvents, FrebIncludesHResultFailures, CheckFailedRequestEvents, \
             CheckFrebDisconnect",
        behaviour: "Failed requests are traced into files.",
        verdict: Different(
            "there are no files of XML for each request; the access log has a line for every one, with the \
             status behind the dot, the reason, and the id that the visitor's page shows",
        ),
        proven_by: &[
            "access_log::an app without an answer: 502.3",
            "access_log::an app that does not start: 502.5",
            "access_log::clients that go away",
            "access_log::the page's request id is the line's",
        ],
    },
    Entry {
        number: 109,
        source: "FunctionalTest (V1)",
        test: "FilterOutMSRequestHeadersTest",
        behaviour: "Headers of clients that begin with `MS-ASPNETCORE` never reach the app.",
        verdict: Same,
        proven_by: &["front::a client's MS-ASPNETCORE headers never arrive, by http and by https"],
    },
    Entry {
        number: 110,
        source: "FunctionalTest (V1)",
        test: "ClientCertificateMappingTest",
        behaviour: "With a client certificate the app gets it; http is 403.4, none is 403.7.",
        verdict: Same,
        proven_by: &[
            "parity::https with a client certificate",
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
        proven_by: &[
            "websocket::a .NET app offers no WebSockets where web.config forbids them",
            "front::an app that takes no WebSocket answers plainly, and is served on",
        ],
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
