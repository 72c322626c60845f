//! Of dotnet/aspnetcore: output, several apps, authentication, WebSockets, mistakes in web.config.

use super::Entry;
use super::Verdict::{Different, NotApplicable, Same};

pub(super) const ENTRIES: &[Entry] = &[
    Entry {
        number: 30,
        source: "LoggingTests",
        test: "CheckStdoutLoggingToFile",
        behaviour: "stdout goes to `{stdoutLogFile}_{yyyyMMddHHmmss}_{pid}.log`, in UTC.",
        verdict: Different(
            "the number in the name is the app's process and not the server's, so that it can be found in \
             `ps` and in the event lines; lines end as the app ends them",
        ),
        proven_by: &["parity::stdout and stderr go to a log with the name that IIS gives it"],
    },
    Entry {
        number: 31,
        source: "LoggingTests",
        test: "CheckStdoutErrLoggingToFile",
        behaviour: "stderr goes to the same file.",
        verdict: Same,
        proven_by: &["parity::stdout and stderr go to a log with the name that IIS gives it"],
    },
    Entry {
        number: 32,
        source: "LoggingTests",
        test: "InvalidFilePathForLogs_ServerStillRuns",
        behaviour: "With a log file that cannot be made the app is served all the same.",
        verdict: Same,
        proven_by: &["parity::a log that cannot be made stops nobody"],
    },
    Entry {
        number: 33,
        source: "LoggingTests",
        test: "CaptureLogsForOutOfProcessWhenProcessFailsToStart",
        behaviour: "What the app printed before its start failed stands in the event.",
        verdict: Same,
        proven_by: &["parity::what the app printed before its start failed is told"],
    },
    Entry {
        number: 34,
        source: "LoggingTests",
        test: "DisableRedirectionNoLogs",
        behaviour: "With `enableOutOfProcessConsoleRedirection` false the event has no output.",
        verdict: Same,
        proven_by: &["parity::without redirection nothing of the output is told"],
    },
    Entry {
        number: 35,
        source: "LoggingTests",
        test: "CaptureLogsForOutOfProcessWhenProcessFailsToStart30KbMax",
        behaviour: "Of long output 30,000 characters are kept.",
        verdict: Different("the last 30,000 and not the first, since the reason stands at the end"),
        proven_by: &["parity::of long output the last 30,000 characters are told"],
    },
    Entry {
        number: 36,
        source: "LoggingTests",
        test: "StartupMessagesAreLoggedIntoDebugLogFile, ..DefaultDebugLogFile, ..WhenEnabledWithEnvVar, \
             ..LogFileSwitched, DebugLogsAreWrittenToEventLog, CheckUTF8File, \
             OnlyOneFileCreatedWithProcessStartTime, CheckStdoutLoggingToPipeWithFirstWrite",
        behaviour: "`debugFile` and `debugLevel` give a trace file; logs keep UTF-8; one file for each \
             start.",
        verdict: Different(
            "the trace file holds the server's own event lines, since there is no DLL to trace; `eventlog` \
             is where those go anyhow",
        ),
        proven_by: &[
            "parity::the trace file of debugFile",
            "parity::a log keeps UTF-8, and there is one for each start",
        ],
    },
    Entry {
        number: 37,
        source: "MultiApplicationTests",
        test: "RunsTwoOutOfProcessApps",
        behaviour: "/app1 and /app2 are two processes.",
        verdict: Different(
            "one server serves one app for now, so that two apps are two servers, each with its path base",
        ),
        proven_by: &["parity::two apps are two processes, whatever their hosting models"],
    },
    Entry {
        number: 38,
        source: "MultiApplicationTests",
        test: "FailsAndLogsEventLogForMixedHostingModel",
        behaviour: "A second app with another hosting model in one pool is 500.34.",
        verdict: Different(
            "both are served: every app has a process of its own, so that there is nothing to mix",
        ),
        proven_by: &["parity::two apps are two processes, whatever their hosting models"],
    },
    Entry {
        number: 39,
        source: "MultiApplicationTests",
        test: "FailsAndLogsWhenRunningTwoInProcessApps",
        behaviour: "Two `inprocess` apps in one pool are 500.35.",
        verdict: Different("both are served: every app has a process of its own"),
        proven_by: &["parity::two apps are two processes, whatever their hosting models"],
    },
    Entry {
        number: 40,
        source: "HttpsTests",
        test: "HttpsNoClientCert_NoClientCert",
        behaviour: "Over https without a client certificate the app sees none.",
        verdict: Same,
        proven_by: &["parity::https without a client certificate"],
    },
    Entry {
        number: 41,
        source: "HttpsTests",
        test: "HttpsClientCert_GetCertInformation",
        behaviour: "The app sees the client certificate that was sent.",
        verdict: Same,
        proven_by: &["parity::https with a client certificate"],
    },
    Entry {
        number: 42,
        source: "BasicAuthTests",
        test: "BasicAuthTest",
        behaviour: "Basic authentication is done in front of the app, which sees an authenticated request.",
        verdict: Different(
            "authentication in front of the app comes with a later version; until then a warning at every \
             start names the section, the app lets people in itself, and what the client sends as \
             `Authorization` reaches it",
        ),
        proven_by: &[
            "parity::authentication of web.config is told as not honoured, and Authorization reaches the app",
        ],
    },
    Entry {
        number: 43,
        source: "WindowsAuthTests",
        test: "WindowsAuthTest",
        behaviour: "With Windows authentication the app sees `Windows:<user>`.",
        verdict: Different(
            "a Windows token cannot be on Linux, and what the client calls so never reaches the app; \
             authentication in front of the app comes with a later version, and a warning at every start \
             says so",
        ),
        proven_by: &[
            "parity::authentication of web.config is told as not honoured, and Authorization reaches the app",
            "parity::no Windows token reaches the app",
        ],
    },
    Entry {
        number: 44,
        source: "GlobalVersionTests",
        test: "GlobalVersion_DefaultWorks, EnvironmentVariableWorks, NewVersionNumber, \
             MultipleRequestHandlers, DoesNotCrashWhenNoVersionsAvailable",
        behaviour: "`handlerVersion` and folders of versions choose the handler DLL.",
        verdict: NotApplicable("there is one server and no handler DLL to choose"),
        proven_by: &["parity::handlerVersion changes nothing"],
    },
    Entry {
        number: 45,
        source: "RequestResponseTests",
        test: "ClientDisconnectStress",
        behaviour: "A hundred clients vanish in the middle of an upload; the server goes on.",
        verdict: Same,
        proven_by: &["parity::a hundred clients vanish within their uploads"],
    },
    Entry {
        number: 46,
        source: "ApplicationInitializationTests",
        test: "ApplicationPreloadStartsApp",
        behaviour: "With preload the app is started without a request.",
        verdict: Same,
        proven_by: &[
            "parity::preload starts the app without a request",
            "pool::preload: there before the first request",
        ],
    },
    Entry {
        number: 47,
        source: "ApplicationInitializationTests",
        test: "ApplicationInitializationPageIsRequested",
        behaviour: "The pages of `applicationInitialization` are requested at the start.",
        verdict: Same,
        proven_by: &[
            "parity::the pages of applicationInitialization are asked for at the start",
            "pool::warm-up pages are asked for before the first request gets in",
        ],
    },
    Entry {
        number: 48,
        source: "UpgradeFeatureDetectionTests",
        test: "UpgradeFeatureDetectionEnabled_OutOfProcess",
        behaviour: "With WebSockets on, the app can upgrade.",
        verdict: Same,
        proven_by: &["parity::the app can upgrade, unless web.config turns WebSockets off"],
    },
    Entry {
        number: 49,
        source: "UpgradeFeatureDetectionTests",
        test: "UpgradeFeatureDetectionDisabled_OutOfProcess",
        behaviour: "With `webSocket enabled=\"false\"` the app cannot upgrade.",
        verdict: Same,
        proven_by: &["parity::the app can upgrade, unless web.config turns WebSockets off"],
    },
    Entry {
        number: 50,
        source: "MultipleAppTests",
        test: "Startup",
        behaviour: "Ten apps that are started at once all answer.",
        verdict: Different(
            "one server serves one app for now, so that two apps are two servers, each with its path base",
        ),
        proven_by: &["parity::ten apps that are started at once all answer"],
    },
    Entry {
        number: 51,
        source: "NtlmAuthentationTest",
        test: "NtlmAuthentication",
        behaviour: "Anonymous requests pass; a page for users is 401 with NTLM and Negotiate, a forbidden \
             one 403; with credentials the user is known.",
        verdict: Different(
            "NTLM and Negotiate come with a later version; anonymous requests and the app's own 401 and 403 \
             pass as they are, and what IIS would do to them is told as not honoured",
        ),
        proven_by: &["parity::the app's own 401 and 403 pass without a challenge of ours"],
    },
    Entry {
        number: 52,
        source: "WebSocketTests",
        test: "RequestWithBody_NotUpgradable, RequestWithoutBody_Upgradable, OnStartedCalledForWebSocket, \
             WebReadBeforeUpgrade, CanSendAndReceiveData",
        behaviour: "A request with a body cannot be upgraded, one without can; headers and cookies come \
             with the 101; data goes both ways.",
        verdict: Same,
        proven_by: &[
            "parity::a WebSocket is opened with headers and cookies, and echoes",
            "parity::a request with a body is no upgrade",
        ],
    },
    Entry {
        number: 53,
        source: "StartupTests",
        test: "CheckInvalidHostingModelParameter",
        behaviour: "A `hostingModel` that is neither is 500 and an event.",
        verdict: Different(
            "the server does not start and says where the mistake is; a mistake that is made while the app \
             runs leaves the old app running, and is told",
        ),
        proven_by: &[
            "parity::mistakes in web.config are told before anything listens",
            "parity::a broken edit of web.config keeps the old app",
            "pool::a file that is broken, empty or gone changes nothing",
        ],
    },
    Entry {
        number: 54,
        source: "StartupTests",
        test: "ReportsWebConfigAuthoringErrors",
        behaviour: "An empty `processPath`, an unknown hosting model, a wrong element are 500 and an event \
             with the reason.",
        verdict: Different(
            "the server does not start; it names file, line, column and what to write instead, for all \
             mistakes at once",
        ),
        proven_by: &["parity::mistakes in web.config are told before anything listens"],
    },
    Entry {
        number: 55,
        source: "StartupTests",
        test: "ExpandEnvironmentVariableInWebConfig, StartsWithWebConfigVariationsPortable, ..Standalone, \
             StartsWithDotnetLocation, StartsWithDotnetOnThePath, InvalidProcessPath_ExpectServerError, \
             DoesNotStartIfDisabled",
        behaviour: "`processPath` and `arguments` in the many ways that people write them.",
        verdict: Same,
        proven_by: &[
            "parity::every way to write processPath and arguments",
            "parity::a program that is not there is 502.5",
        ],
    },
];
