//! Settings of IIS beside those that `falconer.toml` has: what stands in their place. The reader takes its hints from
//! here, and `docs/configuration.md` is written from here.

/// One setting of `applicationHost.config` that `falconer.toml` does not have.
#[derive(Debug, Clone, Copy)]
pub struct IisSetting {
    /// Where it stands in IIS, as a setting of ours would be named; or a table with all that is in it.
    pub key: &'static str,
    /// What is here in its place; empty for nothing.
    pub instead: &'static str,
    /// Why, or what to mind; may be empty where there is something in its place.
    pub note: &'static str,
}

const fn is(key: &'static str, instead: &'static str, note: &'static str) -> IisSetting {
    IisSetting { key, instead, note }
}

const fn nothing(key: &'static str, note: &'static str) -> IisSetting {
    IisSetting { key, instead: "", note }
}

const USER: &str = "the user that runs the server";
const USER_NOTE: &str = "User= in its unit";
const HOME: &str = "HOME in the server's environment";
const RAPID_FAILS: &str = "rapidFailsPerMinute of <aspNetCore> in web.config";
const QUOTA: &str = "CPUQuota= in the server's unit";
const AFFINITY: &str = "CPUAffinity= in the server's unit";
const EVENTS: &str = "each recycle is an event line with its cause";
const SHAPING: &str = "the system shapes traffic, as with tc";
const LIVENESS: &str = "a process that takes no connection any more is found without it and replaced";
const FOLDER: &str = "the folder that serve is given";
const ONE_SITE: &str = "a server has one site and one pool";
const ON_DEMAND: &str = "a server that runs is ready, and startMode says when its app is started";
const OF_WINDOWS: &str = "it concerns .NET Framework, or Windows";

/// Every one that is known: what administrators copy from `applicationHost.config`.
pub const IIS_SETTINGS: &[IisSetting] = &[
    is("applicationPoolDefaults", "[applicationPool]", ONE_SITE),
    is("siteDefaults", "[site]", ONE_SITE),
    is(
        "serverRuntime.appConcurrentRequestLimit",
        "upstreamConnections of [limits]",
        "it counts for each process",
    ),
    nothing("site.name", ONE_SITE),
    nothing("site.id", ONE_SITE),
    is("site.serverAutoStart", "the unit of the server", "with systemctl enable"),
    nothing("site.limits.maxBandwidth", SHAPING),
    nothing("site.limits.maxUrlSegments", "a request line has at most 8 KiB"),
    is("site.logFile", "--access-log FILE", ""),
    is("site.traceFailedRequestsLogging", "--access-log FILE", "it says why a request failed"),
    is("site.hsts", "UseHsts and UseHttpsRedirection in the app", ""),
    is("site.physicalPath", FOLDER, ""),
    is("site.virtualDirectory", FOLDER, ""),
    is("site.application", "[application]", ONE_SITE),
    nothing("application.applicationPool", ONE_SITE),
    is("application.enabledProtocols", "bindings of [site]", "their addresses begin with https://"),
    is("application.serviceAutoStartEnabled", "preloadEnabled of [application]", ""),
    nothing("application.serviceAutoStartProvider", OF_WINDOWS),
    is("application.physicalPath", FOLDER, ""),
    is("application.virtualDirectory", FOLDER, ""),
    nothing("applicationPool.name", ONE_SITE),
    nothing("applicationPool.autoStart", ON_DEMAND),
    nothing("applicationPool.managedRuntimeVersion", "the app's runtimeconfig.json names its .NET"),
    nothing("applicationPool.managedRuntimeLoader", OF_WINDOWS),
    nothing("applicationPool.managedPipelineMode", OF_WINDOWS),
    nothing("applicationPool.enable32BitAppOnWin64", "the publish folder decides it"),
    nothing("applicationPool.enableEmulationOnWinArm64", "the publish folder decides it"),
    nothing("applicationPool.enableConfigurationOverride", "what is in web.config counts"),
    nothing("applicationPool.CLRConfigFile", OF_WINDOWS),
    nothing("applicationPool.passAnonymousToken", OF_WINDOWS),
    is(
        "applicationPool.environmentVariables",
        "--env NAME=VALUE",
        "or <environmentVariables> of <aspNetCore> in web.config",
    ),
    is("applicationPool.processModel.identityType", USER, USER_NOTE),
    is("applicationPool.processModel.userName", USER, USER_NOTE),
    is("applicationPool.processModel.password", USER, USER_NOTE),
    is("applicationPool.processModel.logonType", USER, USER_NOTE),
    is("applicationPool.processModel.manualGroupMembership", USER, "SupplementaryGroups= in its unit"),
    is("applicationPool.processModel.loadUserProfile", HOME, "or --env HOME=/folder"),
    is("applicationPool.processModel.setProfileEnvironment", HOME, "or --env HOME=/folder"),
    nothing(
        "applicationPool.processModel.idleTimeoutAction",
        "an idle app is stopped (Terminate), never suspended",
    ),
    is(
        "applicationPool.processModel.maxProcesses",
        "processesPerApplication of <aspNetCore> in web.config",
        "",
    ),
    is(
        "applicationPool.processModel.shutdownTimeLimit",
        "shutdownTimeLimit of <aspNetCore> in web.config",
        "in seconds; requests under way have drainTimeout of [limits] before",
    ),
    is(
        "applicationPool.processModel.startupTimeLimit",
        "startupTimeLimit of <aspNetCore> in web.config",
        "in seconds",
    ),
    nothing("applicationPool.processModel.pingingEnabled", LIVENESS),
    nothing("applicationPool.processModel.pingInterval", LIVENESS),
    nothing("applicationPool.processModel.pingResponseTime", LIVENESS),
    nothing(
        "applicationPool.processModel.logEventOnProcessModel",
        "each stop of an idle app is an event line",
    ),
    nothing("applicationPool.recycling.logEventOnRecycle", EVENTS),
    is(
        "applicationPool.recycling.periodicRestart.memory",
        "privateMemory",
        "in KB too; virtual memory means nothing here",
    ),
    is("applicationPool.failure.rapidFailProtection", RAPID_FAILS, "it is always on"),
    is("applicationPool.failure.rapidFailProtectionMaxCrashes", RAPID_FAILS, ""),
    nothing(
        "applicationPool.failure.rapidFailProtectionInterval",
        "the rapidFailsPerMinute of <aspNetCore> in web.config counts by the minute, and starts go on when it is over",
    ),
    nothing(
        "applicationPool.failure.loadBalancerCapabilities",
        "a full queue is always answered 503 (HttpLevel)",
    ),
    nothing("applicationPool.failure.orphanWorkerProcess", "no process is left behind"),
    nothing("applicationPool.failure.orphanActionExe", "no process is left behind"),
    nothing("applicationPool.failure.orphanActionParams", "no process is left behind"),
    nothing("applicationPool.failure.autoShutdownExe", "event lines tell of it"),
    nothing("applicationPool.failure.autoShutdownParams", "event lines tell of it"),
    is("applicationPool.cpu.limit", QUOTA, "or --cpus for a container"),
    is("applicationPool.cpu.action", QUOTA, "it throttles"),
    is("applicationPool.cpu.resetInterval", QUOTA, "CPUQuotaPeriodSec= beside it"),
    is("applicationPool.cpu.smpAffinitized", AFFINITY, ""),
    is("applicationPool.cpu.smpProcessorAffinityMask", AFFINITY, "a list of processors"),
    is("applicationPool.cpu.smpProcessorAffinityMask2", AFFINITY, "a list of processors"),
    is("applicationPool.cpu.processorGroup", AFFINITY, ""),
    is("applicationPool.cpu.numaNodeAssignment", "NUMAPolicy= in the server's unit", ""),
    is("applicationPool.cpu.numaNodeAffinityMode", "NUMAPolicy= in the server's unit", ""),
    is(
        "webLimits.minBytesPerSecond",
        "connectionTimeout of [site.limits]",
        "within it a client must send something, or take 240 bytes for each of its seconds",
    ),
    nothing("webLimits.maxGlobalBandwidth", SHAPING),
    nothing("webLimits.demandStartThreshold", ON_DEMAND),
    nothing(
        "webLimits.dynamicIdleThreshold",
        "the idleTimeout of [applicationPool.processModel] does not change with the memory in use",
    ),
    nothing("webLimits.dynamicRegistrationThreshold", ONE_SITE),
];

impl IisSetting {
    /// The setting alone, without the tables around it.
    pub(super) fn name(&self) -> &'static str {
        self.key.rsplit('.').next().unwrap_or(self.key)
    }

    /// What to do, for whoever wrote it.
    pub(super) fn hint(&self) -> String {
        let Self { instead, note, .. } = self;
        match (*instead, *note) {
            ("", note) => format!("IIS's {} has nothing in its place: {note}", self.name()),
            (instead, "") => format!("IIS's {} is {instead} here", self.name()),
            (instead, note) => format!("IIS's {} is {instead} here ({note})", self.name()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::own::OPTIONS;

    #[test]
    fn a_name_is_ours_or_of_iis_and_once() {
        for one in IIS_SETTINGS {
            let same = |key: &str| key.eq_ignore_ascii_case(one.key);
            assert_eq!(IIS_SETTINGS.iter().filter(|other| same(other.key)).count(), 1, "{}", one.key);
            assert!(!OPTIONS.iter().any(|option| same(option.key)), "{}", one.key);
            assert!(!one.instead.is_empty() || !one.note.is_empty(), "{}", one.key);
        }
    }
}
