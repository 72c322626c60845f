//! Where processes come from: the operating system, or the script of a test.

use tokio::sync::mpsc::UnboundedSender;

#[cfg(test)]
use super::tests;
use crate::face::WorkerId;
use crate::process::{Launch, ProcessEvent, ProcessHandle, Spawner};

/// Where processes come from.
#[derive(Debug)]
pub(super) enum Launcher {
    Spawner(Spawner),
    #[cfg(test)]
    Script(tests::Script),
}

/// One process.
#[derive(Debug)]
pub(super) enum Handle {
    Process(ProcessHandle),
    #[cfg(test)]
    Script(tests::ScriptHandle),
}

impl Launcher {
    pub(super) fn launch(&self, launch: Launch, events: UnboundedSender<(WorkerId, ProcessEvent)>) -> Handle {
        match self {
            Self::Spawner(spawner) => Handle::Process(spawner.launch(launch, events)),
            #[cfg(test)]
            Self::Script(script) => Handle::Script(script.launch(launch, events)),
        }
    }
}

impl Handle {
    pub(super) fn terminate(&self) {
        match self {
            Self::Process(process) => process.terminate(),
            #[cfg(test)]
            Self::Script(script) => script.tell(tests::Done::Terminate),
        }
    }

    pub(super) fn kill(&self) {
        match self {
            Self::Process(process) => process.kill(),
            #[cfg(test)]
            Self::Script(script) => script.tell(tests::Done::Kill),
        }
    }

    pub(super) fn output(&self) -> String {
        match self {
            Self::Process(process) => process.output(),
            #[cfg(test)]
            Self::Script(script) => script.output(),
        }
    }
}
