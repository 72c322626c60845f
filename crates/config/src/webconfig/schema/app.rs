//! What describes an app: `<aspNetCore>`, `<httpPlatform>`, and the handlerSettings of the former.

use super::Honoured::{InPart, No, NoEffect, Translated, Yes};
use super::{PartInfo, part};

pub(super) const ASP_NET_CORE: &[PartInfo] = &[
    part(
        "@processPath",
        "text, required",
        Translated,
        "the program; `dotnet.exe`, `.\\App.exe` and backslashes become what they mean here",
    ),
    part(
        "@arguments",
        "text, empty",
        Translated,
        "split by the rules of Windows; arguments that are files of the folder get their slashes and case",
    ),
    part(
        "@startupTimeLimit",
        "0 to 3600 s, 120",
        Yes,
        "how long one attempt to start may take until the app listens",
    ),
    part(
        "@shutdownTimeLimit",
        "0 to 600 s, 10",
        Yes,
        "how long a graceful stop may take before the app is killed",
    ),
    part(
        "@rapidFailsPerMinute",
        "0 to 100, 10",
        Yes,
        "an app that ends more often within a minute is not started again before that minute is over",
    ),
    part(
        "@requestTimeout",
        "00:00:00 to 360:00:00, 00:02:00",
        Yes,
        "each wait for the app; 00:00:00 is none",
    ),
    part("@stdoutLogEnabled", "true or false, false", Yes, "stdout and stderr go to a file too"),
    part(
        "@stdoutLogFile",
        "text, .\\aspnetcore-stdout",
        Translated,
        "the start of that file's name; a path of another machine becomes the app's folder",
    ),
    part(
        "@processesPerApplication",
        "1 to 100, 1",
        Yes,
        "so many processes serve the app; one alone where `ASPNETCORE_PORT` is fixed",
    ),
    part("@forwardWindowsAuthToken", "true or false, true", NoEffect, "there is no Windows token to forward"),
    part(
        "@disableStartUpErrorPage",
        "true or false, false",
        Yes,
        "a failed start answers 502.3 without the report",
    ),
    part(
        "@hostingModel",
        "inprocess or outofprocess",
        Translated,
        "`inprocess` is run out of process, on Kestrel",
    ),
    part("environmentVariables", "", Yes, "variables for the app"),
    part(
        "environmentVariables/environmentVariable/@name",
        "text, required",
        Yes,
        "case does not count; the last one of a name wins",
    ),
    part(
        "environmentVariables/environmentVariable/@value",
        "text, required",
        Yes,
        "`%VAR%` is expanded from the server's environment",
    ),
    part("handlerSettings", "", InPart, "settings that are not listed are ignored, as in IIS"),
    part("handlerSettings/handlerSetting/@name", "text, required", InPart, "see below"),
    part("handlerSettings/handlerSetting/@value", "text, required", InPart, "see below"),
    part("recycleOnFileChange", "", NoEffect, "in the schema, and read by no version of the module"),
    part(
        "recycleOnFileChange/file/@path",
        "text",
        NoEffect,
        "in the schema, and read by no version of the module",
    ),
];

pub(super) const HTTP_PLATFORM: &[PartInfo] = &[
    part("@processPath", "text, required", Translated, "as in `aspNetCore`"),
    part("@arguments", "text, empty", Translated, "as in `aspNetCore`; `%HTTP_PLATFORM_PORT%` is the port"),
    part(
        "@startupTimeLimit",
        "0 to 3600 s, 10",
        Yes,
        "how long one attempt to start may take until the program listens",
    ),
    part(
        "@startupRetryCount",
        "0 to 100, 10",
        No,
        "a start that fails for its port is tried once more, on another port",
    ),
    part(
        "@shutdownTimeLimit",
        "0 to 600 s, 10",
        Yes,
        "how long a graceful stop may take before the program is killed",
    ),
    part("@rapidFailsPerMinute", "0 to 100, 10", Yes, "as in `aspNetCore`"),
    part(
        "@requestTimeout",
        "whole minutes to 720:00:00, 00:02:00",
        Yes,
        "each wait for the program; 00:00:00 is none",
    ),
    part("@stdoutLogEnabled", "true or false, false", Yes, "stdout and stderr go to a file too"),
    part("@stdoutLogFile", "text, httpplatform-stdout", Translated, "the start of that file's name"),
    part(
        "@processesPerApplication",
        "1 to 100, 1",
        Yes,
        "so many processes serve the app; one alone where `ASPNETCORE_PORT` is fixed",
    ),
    part(
        "@forwardWindowsAuthToken",
        "true or false, false",
        NoEffect,
        "there is no Windows token to forward",
    ),
    part(
        "environmentVariables",
        "",
        Yes,
        "variables for the program; `PORT` is its port where it does not stand here",
    ),
    part(
        "environmentVariables/environmentVariable/@name",
        "text, required",
        Yes,
        "case does not count; the last one of a name wins",
    ),
    part(
        "environmentVariables/environmentVariable/@value",
        "text, required",
        Yes,
        "`%HTTP_PLATFORM_PORT%` is the port, other `%VAR%` come from the server's environment",
    ),
    part("recycleOnFileChange", "", NoEffect, "in the schema, and read by no version of the module"),
    part(
        "recycleOnFileChange/file/@path",
        "text",
        NoEffect,
        "in the schema, and read by no version of the module",
    ),
];

/// handlerSettings: their names ignore case.
pub const HANDLER_SETTINGS: &[PartInfo] = &[
    part(
        "enableOutOfProcessConsoleRedirection",
        "true or false, true",
        Yes,
        "false: the app's stdout and stderr are not read",
    ),
    part(
        "forwardResponseConnectionHeader",
        "true or false, false",
        Yes,
        "the app's `Connection` header is passed on",
    ),
    part(
        "debugFile",
        "text, none",
        Translated,
        "event lines of the app go to this file too; `.\\aspnetcore-debug.log` where `debugLevel` says `file`",
    ),
    part(
        "debugLevel",
        "list of error, warning, info, trace, file, console, eventlog",
        InPart,
        "the least level of these lines; `trace` is as `info`, `console` and `eventlog` change nothing",
    ),
    part(
        "disallowRotationOnConfigChange",
        "true or false, false",
        Yes,
        "a changed web.config recycles nothing",
    ),
    part("shutdownDelay", "ms, 1000", No, "new connections are refused at once"),
    part("experimentalEnableShadowCopy", "true or false, false", No, "the app runs in its folder"),
    part("enableShadowCopy", "true or false, false", No, "the app runs in its folder"),
    part("shadowCopyDirectory", "text", No, "the app runs in its folder"),
    part("cleanShadowCopyDirectory", "true or false, false", No, "the app runs in its folder"),
    part("handlerVersion", "text", NoEffect, "there is one version of this server"),
    part(
        "setCurrentDirectory",
        "true or false, true",
        NoEffect,
        "the working directory is the app's folder, as out of process in IIS",
    ),
    part("callStartupHook", "true or false, true", NoEffect, "concerns in-process apps of IIS"),
    part("stackSize", "bytes", NoEffect, "concerns in-process apps of IIS"),
    part(
        "suppressRecycleOnStartupTimeout",
        "true or false, false",
        NoEffect,
        "concerns in-process apps of IIS",
    ),
];
