//! Of dotnet/aspnetcore and of aspnet/IISIntegration, which came before it.

use super::Entry;
use super::Verdict::{Different, NotApplicable, Same};

pub(super) const ENTRIES: &[Entry] = &[
    Entry {
        number: 72,
        source: "ShadowCopyTests",
        test: "DoesNotLockFiles, RelativeInSameDirectory, RelativeOutside, SingleFileChanged, \
             E2EWorksWithFolderPresent, E2EWorksWithOldFoldersPresent, CleansUpOlderFolders, \
             IgnoresItsOwnDirectory",
        behaviour: "The app runs from a copy, so that its files can be replaced while it runs.",
        verdict: Different(
            "nothing is copied, since no file is locked here: a deployment replaces them while the app \
             runs, and a touched web.config starts the new ones beside the old",
        ),
        proven_by: &["parity::the files of a running app can be replaced"],
    },
    Entry {
        number: 73,
        source: "ShutdownTests",
        test: "ShutdownTimeoutIsApplied, GracefulShutdownWorksWithMultipleRequestsInFlight_InProcess, \
             ConfigurationChangeStopsInProcess, CallStopAsyncOnRequestThread",
        behaviour: "Requests under way finish when the app is taken offline; at `shutdownTimeLimit` it is \
             killed.",
        verdict: Same,
        proven_by: &[
            "parity::half-sent bodies and a waiting request finish after app_offline.htm",
            "parity::an app that does not end is killed at shutdownTimeLimit",
        ],
    },
    Entry {
        number: 74,
        source: "StdOutRedirectionTests, IISExpressShutdownTests, AppOfflineIISExpressTests, \
             AuthenticationTests, NewHandler, NewShim, IIS.Tests",
        test: "",
        behaviour: "What the runtime prints inside the worker process, exit codes, unit tests of the native \
             server.",
        verdict: NotApplicable("all of it happens inside the worker process of IIS"),
        proven_by: &[],
    },
    Entry {
        number: 75,
        source: "HelloWorldTest (2.2)",
        test: "HelloWorld",
        behaviour: "Path, query, authentication and folders as the app sees them; `BodyLimit` is null.",
        verdict: Different(
            "since .NET 10 the app keeps Kestrel's limit of 30,000,000 bytes behind any server, unless its \
             runtimeconfig.json lifts it, which a warning says where web.config asks for more; the rest is \
             the same",
        ),
        proven_by: &["parity::path, query, folders and limits as the app sees them"],
    },
    Entry {
        number: 76,
        source: "CommonStartupTests (2.2)",
        test: "StartupStress",
        behaviour: "A hundred first requests at once are all answered 200.",
        verdict: Same,
        proven_by: &["parity::a hundred first requests at once"],
    },
    Entry {
        number: 77,
        source: "ClientDisconnectStress (2.2)",
        test: "ClientDisconnectStress",
        behaviour: "As 45.",
        verdict: Same,
        proven_by: &["parity::a hundred clients vanish within their uploads"],
    },
    Entry {
        number: 78,
        source: "ServerAbortTests (2.2)",
        test: "ClosesConnectionOnServerAbort",
        behaviour: "As 14.",
        verdict: Different("as 14"),
        proven_by: &["parity::an app that aborts its connection is 502"],
    },
    Entry {
        number: 79,
        source: "AppOfflineTests (2.2)",
        test: "AppOfflineDroppedWhileSiteFailedToStartInShim, AppOfflineDroppedWhileSiteRunning, \
             AppOfflineDropped_CanRemoveAppOfflineAfterAdding, AppOfflineAddedAndRemovedStress",
        behaviour: "As 5 to 10.",
        verdict: Same,
        proven_by: &[
            "parity::offline while the start fails",
            "parity::offline and back, twice",
            "parity::offline and back before the first start",
            "parity::offline five times under load",
        ],
    },
    Entry {
        number: 80,
        source: "ConfigurationChangeTests (2.2)",
        test: "ConfigurationChangeForcesChildProcessRestart, \
             OutOfProcessToInProcessHostingModelSwitchWorks, ConfigurationTouchedStress",
        behaviour: "As 11 to 13.",
        verdict: Different("as 12"),
        proven_by: &[
            "parity::a touched web.config means a new process",
            "parity::hostingModel changed to inprocess goes on serving",
            "parity::web.config touched a hundred times under load",
        ],
    },
    Entry {
        number: 81,
        source: "AspNetCorePortTests, GlobalVersionTests, LogFileTests, MultiApplicationTests, \
             ClientCertificateTests, BasicAuth, WindowsAuth, Compression (2.2)",
        test: "",
        behaviour: "Earlier forms of 1 to 4, 30 to 44 and 66.",
        verdict: Different("as those"),
        proven_by: &[
            "parity::a port of web.config is the one that the app listens on",
            "parity::stdout and stderr go to a log with the name that IIS gives it",
            "parity::two apps are two processes, whatever their hosting models",
            "parity::https with a client certificate",
        ],
    },
    Entry {
        number: 82,
        source: "ServicesTests (2.2)",
        test: "ApplicationPreloadStartsApp, ApplicationInitializationPageIsRequested",
        behaviour: "As 46 and 47.",
        verdict: Same,
        proven_by: &[
            "parity::preload starts the app without a request",
            "parity::the pages of applicationInitialization are asked for at the start",
        ],
    },
    Entry {
        number: 83,
        source: "BackwardsCompatibility, ForwardsCompatibility (2.2)",
        test: "",
        behaviour: "Old and new module and handler DLLs work together.",
        verdict: NotApplicable(
            "there is one server and no handler DLL to choose; both names of the module are known",
        ),
        proven_by: &["parity::the name of the first module is known"],
    },
];
