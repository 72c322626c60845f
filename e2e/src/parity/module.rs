//! Of aspnet/AspNetCoreModule, the first module.

use super::Entry;
use super::Verdict::{Different, Same};

pub(super) const ENTRIES: &[Entry] = &[
    Entry {
        number: 84,
        source: "FunctionalTest (V1)",
        test: "BasicTest",
        behaviour: "One process, of the right program, and event 1001.",
        verdict: Same,
        proven_by: &["parity::one process, and event 1001"],
    },
    Entry {
        number: 85,
        source: "FunctionalTest (V1)",
        test: "RapidFailsPerMinuteTest",
        behaviour: "An app that ends more often than `rapidFailsPerMinute` is 502 and event 1003.",
        verdict: Same,
        proven_by: &["parity::beyond rapidFailsPerMinute it is 502.5 and event 1003"],
    },
    Entry {
        number: 86,
        source: "FunctionalTest (V1)",
        test: "ShutdownTimeLimitTest",
        behaviour: "The app ends in its own time within `shutdownTimeLimit`; event 1006 has status 202.",
        verdict: Different(
            "the app is told by SIGTERM, which every host on Linux knows, and not by an HTTP message, so \
             that 1006 has no status; the time limit and the kill are the same",
        ),
        proven_by: &["parity::an app may take its time within shutdownTimeLimit"],
    },
    Entry {
        number: 87,
        source: "FunctionalTest (V1)",
        test: "ShutdownTimeLimitTest2, ShutdownTimeLimitTest3",
        behaviour: "With `shutdownTimeLimit` 0 the app is killed at once; event 1005.",
        verdict: Same,
        proven_by: &["parity::a shutdownTimeLimit of 0 kills at once"],
    },
    Entry {
        number: 88,
        source: "FunctionalTest (V1)",
        test: "ShutdownTimeLimitTest4",
        behaviour: "Whatever is first, the app's own end or `shutdownTimeLimit`.",
        verdict: Same,
        proven_by: &[
            "parity::an app may take its time within shutdownTimeLimit",
            "parity::an app that does not end is killed at shutdownTimeLimit",
        ],
    },
    Entry {
        number: 89,
        source: "FunctionalTest (V1)",
        test: "V21_ShutdownTimeLimitTest",
        behaviour: "While a slow app ends, every request is 503 with the page; when the page goes another \
             process answers.",
        verdict: Same,
        proven_by: &["parity::while a slow app ends every request gets the page"],
    },
    Entry {
        number: 90,
        source: "FunctionalTest (V1)",
        test: "StartupTimeLimitTest",
        behaviour: "An app that needs 3 s is served within `startupTimeLimit`, and is 502 beyond it.",
        verdict: Same,
        proven_by: &["parity::startupTimeLimit above and below what the app needs"],
    },
    Entry {
        number: 91,
        source: "FunctionalTest (V1)",
        test: "RecycleApplicationAfterBackendProcessBeingKilled",
        behaviour: "After a kill the next request starts another process; event 1001.",
        verdict: Same,
        proven_by: &[
            "parity::a killed app is another process at the next request",
            "pool::kill -9 with 64 requests under way: those fail, the next one waits and is served",
        ],
    },
    Entry {
        number: 92,
        source: "FunctionalTest (V1)",
        test: "RecycleApplicationAfterW3WPProcessBeingKilled",
        behaviour: "When the server is killed the app ends with it, and its files are free.",
        verdict: Same,
        proven_by: &[
            "parity::a killed server takes its app along",
            "lifecycle::no orphans after kill -9: dotnet X.dll",
        ],
    },
    Entry {
        number: 93,
        source: "FunctionalTest (V1)",
        test: "RecycleApplicationAfterWebConfigUpdated",
        behaviour: "A touched web.config of the app or of its parent means another process.",
        verdict: Same,
        proven_by: &[
            "parity::a touched web.config means a new process",
            "parity::a touched web.config of the site root means a new process",
        ],
    },
    Entry {
        number: 94,
        source: "FunctionalTest (V1)",
        test: "RecycleApplicationWithURLRewrite, RecycleParentApplicationWithURLRewrite",
        behaviour: "The same where a rewrite rule leads to the app.",
        verdict: Different(
            "rules of `rewrite` are not honoured yet, which a warning at every start says with the place of \
             each; the rest does not depend on how a request came",
        ),
        proven_by: &["parity::rewrite rules are told as not honoured, and do not stand in the way"],
    },
    Entry {
        number: 95,
        source: "FunctionalTest (V1)",
        test: "EnvironmentVariablesTest",
        behaviour: "A variable of web.config adds one variable; `%VAR%`, hosting startups, authentication, \
             port, path and token are as documented; the server's own variables are inherited.",
        verdict: Different(
            "`ASPNETCORE_IIS_HTTPAUTH` is always `anonymous;`, since nobody else lets people in yet, and \
             variables for apps of other builders stand beside IIS's; the README lists them all",
        ),
        proven_by: &["parity::a variable of web.config adds one variable, and the rest is as documented"],
    },
    Entry {
        number: 96,
        source: "FunctionalTest (V1)",
        test: "AppOfflineTestWithRenaming",
        behaviour: "`App_Offline.Htm` takes the app offline, renaming it away brings another process; files \
             can be deleted meanwhile.",
        verdict: Same,
        proven_by: &[
            "parity::offline in odd case and by renaming",
            "offline::the case of its name does not matter, and renaming it away ends it",
        ],
    },
    Entry {
        number: 97,
        source: "FunctionalTest (V1)",
        test: "AppOfflineTestWithUrlRewriteAndDeleting",
        behaviour: "The same through a rewrite rule, and by deleting.",
        verdict: Different(
            "rules of `rewrite` are not honoured yet, which a warning at every start says with the place of \
             each; the rest does not depend on how a request came",
        ),
        proven_by: &[
            "parity::rewrite rules are told as not honoured, and do not stand in the way",
            "parity::offline and back, twice",
        ],
    },
    Entry {
        number: 98,
        source: "FunctionalTest (V1)",
        test: "PostMethodTest",
        behaviour: "A form that is posted, short and long, comes back.",
        verdict: Same,
        proven_by: &["parity::a form comes back, short and long"],
    },
    Entry {
        number: 99,
        source: "FunctionalTest (V1)",
        test: "DisableStartUpErrorPageTest",
        behaviour: "With `disableStartUpErrorPage` a failed start is 502.3 with the page of `httpErrors`, \
             else the page of the module with its link; event 1000 names the program.",
        verdict: Different(
            "`httpErrors` is not honoured yet, which a warning says, and the pages are the server's own, \
             without a link to Microsoft's pages",
        ),
        proven_by: &["parity::disableStartUpErrorPage makes it 502.3"],
    },
    Entry {
        number: 100,
        source: "FunctionalTest (V1)",
        test: "ProcessesPerApplicationTest",
        behaviour: "With 2 and with 10 processes exactly so many answer; back to 1, one does.",
        verdict: Different(
            "the n-th request starts the n-th process as on IIS, but does not wait for it: those that serve answer \
             meanwhile, the least busy one first, where IIS asks each in turn, however busy it is",
        ),
        proven_by: &[
            "parity::processesPerApplication: so many processes under load, and one again",
            "pool::one request starts one process, many start all",
            "pool::requests go where the fewest are",
        ],
    },
    Entry {
        number: 101,
        source: "FunctionalTest (V1)",
        test: "RequestTimeoutTest",
        behaviour: "A request that takes 65 s is 200 with `requestTimeout` of 2 min, and 502 with 1 min.",
        verdict: Same,
        proven_by: &["parity::requestTimeout above and below what the app needs"],
    },
    Entry {
        number: 102,
        source: "FunctionalTest (V1)",
        test: "V21_RequestTimeoutTest",
        behaviour: "The same in seconds.",
        verdict: Same,
        proven_by: &["parity::requestTimeout above and below what the app needs"],
    },
    Entry {
        number: 103,
        source: "FunctionalTest (V1)",
        test: "StdoutLogEnabledTest",
        behaviour: "The folder of the log is made; the file is locked while the app runs; a path that is \
             blocked is event 1004 and the app runs; app_offline.htm releases the file.",
        verdict: Different(
            "no file is locked here, so that nothing needs to be released; a log that is deleted comes \
             again with the next start, as on IIS",
        ),
        proven_by: &["parity::the folder of the log is made, and a blocked one is event 1004"],
    },
    Entry {
        number: 104,
        source: "FunctionalTest (V1)",
        test: "ProcessPathAndArgumentsTest",
        behaviour: "`dotnet.exe` and `./X.dll`, `dotnet` and `.\\X.dll`, `%systemdrive%` in both.",
        verdict: Same,
        proven_by: &["parity::every way to write processPath and arguments"],
    },
    Entry {
        number: 105,
        source: "FunctionalTest (V1)",
        test: "ForwardWindowsAuthTokenTest",
        behaviour: "`MS-ASPNETCORE-WINAUTHTOKEN` is absent for anonymous requests, and there with Windows \
             authentication.",
        verdict: Different("it is never there: a Windows token cannot be on Linux"),
        proven_by: &["parity::no Windows token reaches the app"],
    },
    Entry {
        number: 106,
        source: "FunctionalTest (V1)",
        test: "CompressionTest",
        behaviour: "gzip by the app's middleware, by IIS, or by neither.",
        verdict: Different(
            "`urlCompression` is not honoured yet, which a warning says; what the app compresses passes as \
             it is",
        ),
        proven_by: &["parity::what the app compresses passes, and urlCompression is told as not honoured"],
    },
    Entry {
        number: 107,
        source: "FunctionalTest (V1)",
        test: "CachingTest",
        behaviour: "The app's response caching works: the same answer until it expires.",
        verdict: Same,
        proven_by: &["parity::the app's response caching works"],
    },
    Entry {
        number: 108,
        source: "FunctionalTest (V1)",
        test: "SendHTTPSRequestTest",
        behaviour: "http and https bindings both work.",
        verdict: Same,
        proven_by: &["parity::http and https both lead to the app"],
    },
    Entry {
        number: 114,
        source: "FunctionalTest (V1)",
        test: "V21_WebSocketRecycledWithConfigChangeTest",
        behaviour: "An open WebSocket is closed by the server when web.config changes, and the next one \
             works.",
        verdict: Same,
        proven_by: &["parity::a WebSocket is closed when web.config changes, and the next one opens"],
    },
    Entry {
        number: 115,
        source: "FunctionalTest (V1)",
        test: "RecylingAppPoolTest",
        behaviour: "An app that does not leak is not recycled; beyond the memory limit the process is \
             replaced.",
        verdict: Different(
            "what is measured is the memory of the app, where IIS looks at its worker process and so never \
             at an app out of process",
        ),
        proven_by: &["parity::memory beyond its limit replaces the process", "pool::recycled by size"],
    },
    Entry {
        number: 116,
        source: "FunctionalTest (V1)",
        test: "V21_StressTest",
        behaviour: "Mixed load with recycles, app_offline.htm and kills: the server goes on.",
        verdict: Same,
        proven_by: &[
            "parity::mixed load, recycles, app_offline.htm and kills",
            "recycled::web is replaced while it is used",
        ],
    },
];
