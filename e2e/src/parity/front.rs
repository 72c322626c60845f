//! Behaviour of the front door: paths, headers, bodies, WebSockets, certificates.

use super::Entry;
use super::Verdict::Same;

pub(super) const ENTRIES: &[Entry] = &[
    Entry {
        number: 56,
        source: "RequestResponseTests",
        test: "RequestPath_UrlUnescaping",
        behaviour: "Escapes in the path are decoded, but `%2F`; `%2B` is 404.11.",
        verdict: Same,
        proven_by: &[],
    },
    Entry {
        number: 57,
        source: "RequestResponseTests",
        test: "Request_WithDoubleSlashes_LeftAlone",
        behaviour: "`//a/b//c` arrives as it is.",
        verdict: Same,
        proven_by: &[],
    },
    Entry {
        number: 58,
        source: "RequestResponseTests",
        test: "Request_WithNavigation_Removed, Request_WithEscapedNavigation_Removed",
        behaviour: "Dot segments are resolved, also as `%2E`.",
        verdict: Same,
        proven_by: &[],
    },
    Entry {
        number: 59,
        source: "RequestResponseTests",
        test: "Request_ControlCharacters_400, Request_EscapedControlCharacters_400",
        behaviour: "Control characters in the target are 400.",
        verdict: Same,
        proven_by: &[],
    },
    Entry {
        number: 60,
        source: "RequestResponseTests",
        test: "PassesThroughCompressionOutOfProcess",
        behaviour: "What the app compressed arrives untouched.",
        verdict: Same,
        proven_by: &[],
    },
    Entry {
        number: 61,
        source: "RequestResponseTests",
        test: "ReadAndWriteSynchronously, ReadAndWriteEcho, ReadAndWriteCopyToAsync, ReadAndWriteEchoTwice, \
             ReadSetHeaderWrite, ReadAndWriteSlowConnection, ConsumePartialBody, \
             AsyncChunkedPostIsAccepted",
        behaviour: "Bodies are echoed whole, from slow clients and in chunks; a body may be read in part.",
        verdict: Same,
        proven_by: &[],
    },
    Entry {
        number: 62,
        source: "RequestResponseTests",
        test: "CustomErrorCodeWorks, TransferEncodingNotSetForStatusCodes, ServerHeaderIsOverriden, \
             AddEmptyHeaderSkipped, AddResponseHeaders_HeaderValuesAreSetCorrectly, \
             ErrorCodeIsSetForExceptionDuringRequest",
        behaviour: "Status, reason and headers of the app reach the client.",
        verdict: Same,
        proven_by: &[],
    },
    Entry {
        number: 63,
        source: "RequestResponseTests",
        test: "LargeResponseBodyTest, LargeResponseBodyFromFile",
        behaviour: "Bodies of up to 100,000,000 bytes arrive whole.",
        verdict: Same,
        proven_by: &[],
    },
    Entry {
        number: 64,
        source: "RequestResponseTests",
        test: "ServerWorksAfterClientDisconnect, RequestAbortedTokenFires",
        behaviour: "A client that leaves cancels its request, and only that.",
        verdict: Same,
        proven_by: &[],
    },
    Entry {
        number: 65,
        source: "Latin1Tests",
        test: "Latin1Works, Latin1ReplacedWithoutAppContextSwitch, Latin1InvalidCharacters_HttpSysRejects",
        behaviour: "Latin-1 in headers passes, NUL is 400.",
        verdict: Same,
        proven_by: &[],
    },
    Entry {
        number: 66,
        source: "CompressionTests",
        test: "BufferingDisabledWithCompressedRequest, BufferingDisabledWithoutCompressedRequest, \
             DynamicResponsesAreCompressed",
        behaviour: "Events arrive one by one, with and without gzip; dynamic responses are compressed.",
        verdict: Same,
        proven_by: &[],
    },
    Entry {
        number: 67,
        source: "MaxRequestBodySizeTests",
        test: "IISRejectsContentLengthTooLargeByDefault",
        behaviour: "A Content-Length of 30,000,001 is 404.13 or 413.",
        verdict: Same,
        proven_by: &[],
    },
    Entry {
        number: 68,
        source: "MaxRequestBodySizeTests",
        test: "SetIISLimitMaxRequestBodySizeE2EWorks, ..WithLargerLimit, ..WithIntMaxValue, \
             MaxRequestBodySizeE2EWorks, SetIISLimitMaxRequestBodyLogsWarning",
        behaviour: "`maxAllowedContentLength` and the app's own limit both hold.",
        verdict: Same,
        proven_by: &[],
    },
    Entry {
        number: 69,
        source: "RequestPathBaseTests",
        test: "RequestPathBase_Split, RequestPathBase_WithDoubleSlashes_Split",
        behaviour: "The path base is found whatever its case and however its slashes are written, and told \
             as the client wrote it.",
        verdict: Same,
        proven_by: &[],
    },
    Entry {
        number: 70,
        source: "Http2Tests, Http2TrailersResetTests, Http3Tests",
        test: "",
        behaviour: "Requests over HTTP/2 and 3, with and without bodies and lengths; trailers and resets.",
        verdict: Same,
        proven_by: &[],
    },
    Entry {
        number: 71,
        source: "FrebTests",
        test: "CheckCommonFrebEvents, FrebIncludesHResultFailures, CheckFailedRequestEvents, \
             CheckFrebDisconnect",
        behaviour: "Failed requests are traced into files.",
        verdict: Same,
        proven_by: &[],
    },
    Entry {
        number: 109,
        source: "FunctionalTest (V1)",
        test: "FilterOutMSRequestHeadersTest",
        behaviour: "Headers of clients that begin with `MS-ASPNETCORE` never reach the app.",
        verdict: Same,
        proven_by: &[],
    },
    Entry {
        number: 110,
        source: "FunctionalTest (V1)",
        test: "ClientCertificateMappingTest",
        behaviour: "With a client certificate the app gets it; http is 403.4, none is 403.7.",
        verdict: Same,
        proven_by: &[],
    },
    Entry {
        number: 111,
        source: "FunctionalTest (V1)",
        test: "WebSocketErrorhandlingTest",
        behaviour: "Without WebSockets an upgrade is answered as a plain request, and the server goes on.",
        verdict: Same,
        proven_by: &[],
    },
    Entry {
        number: 112,
        source: "FunctionalTest (V1)",
        test: "WebSocketTest",
        behaviour: "101, text and binary echoed, the sub-protocol kept, close from either side, the app's \
             process the same.",
        verdict: Same,
        proven_by: &[],
    },
    Entry {
        number: 113,
        source: "FunctionalTest (V1)",
        test: "V21_WebSocketAppOfflineTest",
        behaviour: "An open WebSocket is closed when app_offline.htm comes, and the next request is 503.",
        verdict: Same,
        proven_by: &[],
    },
];
