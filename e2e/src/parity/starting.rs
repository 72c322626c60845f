//! Of dotnet/aspnetcore: ports, app_offline.htm, changed configuration, variables.

use super::Entry;
use super::Verdict::{Different, NotApplicable, Same};

pub(super) const ENTRIES: &[Entry] = &[
    Entry {
        number: 1,
        source: "AspNetCorePortTests",
        test: "EnvVarInWebConfig_Valid",
        behaviour: "`ASPNETCORE_PORT` of web.config is the port that the app listens on.",
        verdict: Same,
        proven_by: &["parity::a port of web.config is the one that the app listens on"],
    },
    Entry {
        number: 2,
        source: "AspNetCorePortTests",
        test: "EnvVarInWebConfig_Empty",
        behaviour: "An empty `ASPNETCORE_PORT` means a drawn port within the range.",
        verdict: Different(
            "the range begins at 10000 too, but ends where this system's own range of drawn ports begins, \
             and not at 48000",
        ),
        proven_by: &["parity::an empty port is a drawn one"],
    },
    Entry {
        number: 3,
        source: "AspNetCorePortTests",
        test: "EnvVarInWebConfig_Invalid",
        behaviour: "A port below 1025, above 48000, or no number at all is answered 502.5.",
        verdict: Different(
            "48001 to 65535 are taken: the upper end on IIS only keeps clear of the ports that Windows \
             draws",
        ),
        proven_by: &["parity::a port that no app may have is 502.5"],
    },
    Entry {
        number: 4,
        source: "AspNetCorePortTests",
        test: "ShutdownMultipleTimesWorks",
        behaviour: "An app that ends itself is started again by the next request, each time.",
        verdict: Same,
        proven_by: &["parity::an app that ends itself is there again, twice"],
    },
    Entry {
        number: 5,
        source: "ShutdownTests",
        test: "AppOfflineDroppedWhileSiteIsDown_SiteReturns503_OutOfProcess",
        behaviour: "With app_offline.htm there before the first request, every request is answered 503 with \
             its bytes.",
        verdict: Same,
        proven_by: &[
            "parity::offline before the first request",
            "offline::there before the first request: nothing is started",
        ],
    },
    Entry {
        number: 6,
        source: "ShutdownTests",
        test: "LockedAppOfflineDroppedWhileSiteIsDown_SiteReturns503_OutOfProcess",
        behaviour: "An app_offline.htm that cannot be read is answered 503 with an empty body.",
        verdict: Same,
        proven_by: &[
            "parity::an unreadable app_offline.htm before the first request",
            "offline::what cannot be read is an empty page",
        ],
    },
    Entry {
        number: 7,
        source: "ShutdownTests",
        test: "AppOfflineDroppedWhileSiteFailedToStartInShim_AppOfflineServed_OutOfProcess",
        behaviour: "A program that does not exist is 502.5; app_offline.htm dropped then is shown all the \
             same.",
        verdict: Same,
        proven_by: &["parity::offline while the start fails"],
    },
    Entry {
        number: 8,
        source: "ShutdownTests",
        test: "AppOfflineDroppedWhileSiteRunning_SiteShutsDown_OutOfProcess",
        behaviour: "Running, offline, back, running, offline again.",
        verdict: Same,
        proven_by: &["parity::offline and back, twice"],
    },
    Entry {
        number: 9,
        source: "ShutdownTests",
        test: "AppOfflineDropped_CanRemoveAppOfflineAfterAddingAndSiteWorks_OutOfProcess",
        behaviour: "app_offline.htm that was added and removed before the first start changes nothing.",
        verdict: Same,
        proven_by: &["parity::offline and back before the first start"],
    },
    Entry {
        number: 10,
        source: "ShutdownTests",
        test: "AppOfflineAddedAndRemovedStress_OutOfProcess",
        behaviour: "Five times on and off under load: only 200 and 503, no broken connection.",
        verdict: Same,
        proven_by: &[
            "parity::offline five times under load",
            "offline::twenty times on and off under load: 200 and 503, nothing else",
        ],
    },
    Entry {
        number: 11,
        source: "ShutdownTests",
        test: "ConfigurationChangeForcesChildProcessRestart",
        behaviour: "A touched web.config means a new process.",
        verdict: Same,
        proven_by: &[
            "parity::a touched web.config means a new process",
            "pool::a touch is enough, and the old process goes only when the new one serves",
        ],
    },
    Entry {
        number: 12,
        source: "ShutdownTests",
        test: "OutOfProcessToInProcessHostingModelSwitchWorks",
        behaviour: "`hostingModel` changed to `inprocess` while the app runs: it goes on serving.",
        verdict: Different(
            "it goes on in a new process of its own, on Kestrel, whose `Server` header it has; there is no \
             worker process to move into",
        ),
        proven_by: &["parity::hostingModel changed to inprocess goes on serving"],
    },
    Entry {
        number: 13,
        source: "ShutdownTests",
        test: "ConfigurationTouchedStress_OutOfProcess",
        behaviour: "A hundred touches of web.config under load: only 200 and 503, no broken connection.",
        verdict: Same,
        proven_by: &[
            "parity::web.config touched a hundred times under load",
            "pool::under load no request is lost, and every POST arrives once",
            "pool::100 touches while app_offline.htm comes and goes: only 200 and 503",
        ],
    },
    Entry {
        number: 14,
        source: "ShutdownTests",
        test: "ClosesConnectionOnServerAbortOutOfProcess",
        behaviour: "An app that aborts its connection before an answer: 502 with 0x80072f78 in the body, or \
             a reset.",
        verdict: Different(
            "502.3 with a sentence and a request number; 0x80072f78 is a number of WinHTTP, which is not \
             here",
        ),
        proven_by: &["parity::an app that aborts its connection is 502"],
    },
    Entry {
        number: 15,
        source: "StartupTests",
        test: "EnvironmentVariableForLauncherPathIsPreferred",
        behaviour: "`ANCM_LAUNCHER_PATH` of the server beats `processPath`.",
        verdict: Same,
        proven_by: &["parity::ANCM_LAUNCHER_PATH beats processPath"],
    },
    Entry {
        number: 16,
        source: "StartupTests",
        test: "EnvironmentVariableForLauncherArgsIsPreferred",
        behaviour: "`ANCM_LAUNCHER_ARGS` of the server beats `arguments`.",
        verdict: Same,
        proven_by: &["parity::ANCM_LAUNCHER_ARGS beats arguments"],
    },
    Entry {
        number: 17,
        source: "StartupTests",
        test: "IncludesAdditionalErrorPageTextOutOfProcessStartupFailure_CorrectString",
        behaviour: "A failed start is 502 with `HTTP Error 502.5 - ANCM Out-Of-Process Startup Failure`, \
             the link of `ANCM_ADDITIONAL_ERROR_PAGE_LINK`, and ends with `</html>` and CRLF.",
        verdict: Same,
        proven_by: &["parity::the page of a failed start"],
    },
    Entry {
        number: 18,
        source: "StartupTests",
        test: "IncludesAdditionalErrorPageTextOutOfProcessHandlerLoadFailure_CorrectString",
        behaviour: "A `handlerVersion` that is not installed is 500.0.",
        verdict: NotApplicable("there is one server and no handler DLL to choose"),
        proven_by: &["parity::handlerVersion changes nothing"],
    },
    Entry {
        number: 19,
        source: "StartupTests",
        test: "GetLongEnvironmentVariable_OutOfProcess",
        behaviour: "A value of more than 300 characters arrives whole.",
        verdict: Same,
        proven_by: &["parity::variables arrive as web.config has them"],
    },
    Entry {
        number: 20,
        source: "StartupTests",
        test: "AuthHeaderEnvironmentVariableRemoved_OutOfProcess",
        behaviour: "`ASPNETCORE_IIS_HTTPAUTH` of web.config is overwritten.",
        verdict: Same,
        proven_by: &[
            "parity::variables arrive as web.config has them",
            "serve::web.config cannot override the pairing",
        ],
    },
    Entry {
        number: 21,
        source: "StartupTests",
        test: "WebConfigOverridesGlobalEnvironmentVariables_OutOfProcess",
        behaviour: "A variable of web.config beats one of the server's environment.",
        verdict: Same,
        proven_by: &["parity::variables arrive as web.config has them"],
    },
    Entry {
        number: 22,
        source: "StartupTests",
        test: "WebConfigAppendsHostingStartup_OutOfProcess",
        behaviour: "`ASPNETCORE_HOSTINGSTARTUPASSEMBLIES` of the server gets \
             `Microsoft.AspNetCore.Server.IISIntegration` appended.",
        verdict: Same,
        proven_by: &["parity::hosting startups are appended, or left as web.config has them"],
    },
    Entry {
        number: 23,
        source: "StartupTests",
        test: "WebConfigOverridesHostingStartup_OutOfProcess",
        behaviour: "`ASPNETCORE_HOSTINGSTARTUPASSEMBLIES` of web.config is left as it is.",
        verdict: Same,
        proven_by: &["parity::hosting startups are appended, or left as web.config has them"],
    },
    Entry {
        number: 24,
        source: "StartupTests",
        test: "WebConfigExpandsVariables_OutOfProcess",
        behaviour: "`%TestVariable%` in a value is expanded from the server's environment.",
        verdict: Same,
        proven_by: &["parity::variables arrive as web.config has them"],
    },
    Entry {
        number: 25,
        source: "StartupTests",
        test: "PreferEnvironmentVariablesOverWebConfigWhenConfigured",
        behaviour: "With `ANCM_PREFER_ENVIRONMENT_VARIABLES` the server's environment beats web.config.",
        verdict: Same,
        proven_by: &["parity::ANCM_PREFER_ENVIRONMENT_VARIABLES turns the order around"],
    },
    Entry {
        number: 26,
        source: "StartupTests",
        test: "AncmHttpsPortCanBeOverriden",
        behaviour: "`ASPNETCORE_ANCM_HTTPS_PORT` of web.config is kept, and `ASPNETCORE_HTTPS_PORT` is not \
             set.",
        verdict: Same,
        proven_by: &["parity::the https port is told, unless web.config or several addresses say otherwise"],
    },
    Entry {
        number: 27,
        source: "StartupTests",
        test: "HttpsRedirectionWorksIn30AndNot22",
        behaviour: "With one https binding `UseHttpsRedirection` answers 307 to it.",
        verdict: Same,
        proven_by: &[
            "parity::UseHttpsRedirection leads to the https address",
            "https::UseHttpsRedirection leads to the https address",
        ],
    },
    Entry {
        number: 28,
        source: "StartupTests",
        test: "MultipleHttpsPortsProduceNoEnvVar",
        behaviour: "With two https ports `ASPNETCORE_ANCM_HTTPS_PORT` is absent.",
        verdict: Same,
        proven_by: &["parity::the https port is told, unless web.config or several addresses say otherwise"],
    },
    Entry {
        number: 29,
        source: "StartupTests",
        test: "SetsConnectionCloseHeader",
        behaviour: "With `forwardResponseConnectionHeader` the app's `Connection: close` reaches the \
             client.",
        verdict: Same,
        proven_by: &["parity::forwardResponseConnectionHeader passes Connection: close on"],
    },
];
