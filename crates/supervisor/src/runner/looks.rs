//! What is looked at once a second while something serves: use, liveness, size. Called by `runner` alone.

use std::sync::Arc;

use super::{Command, Runner};
use crate::event::Event;
use crate::face::ServingWorker;
use crate::messages::Suspicion;
use crate::process;
use crate::process::liveness::Verdict;
use crate::worker::Worker;

/// Each so many looks it is looked how much memory they hold, where that matters.
const WEIGH: u32 = 10;

impl Runner {
    /// A second is over.
    pub(super) fn look(&mut self) {
        let serving: Vec<_> = self.app.workers().iter().filter_map(Worker::serving).map(Arc::clone).collect();
        if serving.is_empty() {
            return;
        }
        self.looks = self.looks.wrapping_add(1);
        self.step(Event::Look);
        // Who develops stops at breakpoints, and the debugger of .NET does not show from outside.
        let may_hang = self.setup.plan.is_development(&self.setup.inherited);
        for worker in serving {
            if !may_hang && self.is_stuck(&worker) {
                self.step(Event::Suspect(worker.id, Suspicion::NotAccepting));
            }
            if self.setup.plan.recycling.private_memory.is_some() && self.looks.is_multiple_of(WEIGH) {
                self.weigh(worker);
            }
        }
    }

    fn is_stuck(&mut self, worker: &ServingWorker) -> bool {
        let liveness = self.processes.get_mut(&worker.id).and_then(|process| process.liveness.as_mut());
        let now = tokio::time::Instant::now().into_std();
        liveness.is_some_and(|liveness| liveness.look(now, worker.busy() > 0) == Verdict::Stuck)
    }

    /// Adding up the pages of a large process takes a while.
    fn weigh(&self, worker: Arc<ServingWorker>) {
        let commands = self.commands.clone();
        tokio::task::spawn_blocking(move || {
            if let Some(bytes) = process::private_memory(&worker.listeners) {
                // A runner that is gone needs no weight.
                let _ = commands.send(Command::Event(Event::Memory(worker.id, bytes)));
            }
        });
    }
}
