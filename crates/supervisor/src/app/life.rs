//! What happens to a worker: it listens, is warmed, serves, ends, is gone.
//!
//! Pure like its parent, which alone calls it.

#![deny(clippy::wildcard_enum_match_arm)]

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::App;
use super::start::Start;
use crate::event::{Effect, Evidence, WorkerEvent};
use crate::face::{ServingWorker, WorkerId};
use crate::failures::Cause;
use crate::messages::{Suspicion, ToProxy};
use crate::process::Exit;
use crate::worker::{Means, State, Used};

/// Who asks for warm-up pages tells within this which of them was not answered in time.
const WARM_GRACE: Duration = Duration::from_secs(1);

impl App {
    pub(super) fn worker_event(&mut self, id: WorkerId, what: WorkerEvent, now: Instant) {
        let Some(worker) = self.workers.iter_mut().find(|worker| worker.id == id) else {
            // The rest of a worker that was gone before: SpawnFailed may be followed by Gone.
            return;
        };
        match what {
            WorkerEvent::Launched { port } => worker.port = port,
            WorkerEvent::Started { pid } => worker.pid = Some(pid),
            WorkerEvent::LogFileFailed { path, error } => {
                self.effects.push(Effect::Report(self.settings.log_file_failed(&path, &error)));
            }
            WorkerEvent::NotLaunched { stage, reason } => {
                self.blame(id, Cause::NotLaunched { stage, reason }, Evidence::default());
                self.gone(id, Evidence::default(), now);
            }
            WorkerEvent::SpawnFailed { stage, errno, path } => {
                self.blame(id, Cause::SpawnFailed { stage, errno, path }, Evidence::default());
                self.gone(id, Evidence::default(), now);
            }
            WorkerEvent::Listening { serving } => self.listening(id, serving, now),
            WorkerEvent::NotListening { why, evidence } => {
                if worker.is_launching() {
                    self.blame(id, Cause::NotListening(why), evidence);
                    self.kill(id, now);
                }
            }
            WorkerEvent::Exited { exit, evidence } => {
                worker.exit = Some(exit);
                self.exited(id, exit, evidence, now);
            }
            WorkerEvent::OwnerGone => self.owner_gone(id, now),
            WorkerEvent::Gone { evidence } => self.gone(id, evidence, now),
        }
    }

    fn listening(&mut self, id: WorkerId, serving: Arc<ServingWorker>, now: Instant) {
        let (pages, limit) = (Arc::clone(&self.settings.warm_up), self.settings.startup_time_limit);
        let worker = self.worker(id);
        if !worker.is_launching() {
            // It was told to go meanwhile: its gate was never published and nobody will enter it.
            return;
        }
        worker.owner = Some(serving.pid);
        worker.used = Some(Used::new(Arc::clone(&serving), now));
        let line = self.settings.started(self.known(id));
        self.report(line);
        if pages.is_empty() {
            return self.serve(id, serving, now);
        }
        let by = now + limit;
        self.worker(id).state = State::Warming { serving: Arc::clone(&serving), deadline: by + WARM_GRACE };
        self.effects.push(Effect::Tell(ToProxy::Warm { worker: serving, pages, by }));
    }

    /// A page that cannot be had is no reason not to serve: IIS does not look at its status either.
    pub(super) fn warmed(&mut self, id: WorkerId, result: Result<(), String>, now: Instant) {
        let warming = self.workers.iter().find(|worker| worker.id == id && worker.is_warming());
        let Some(State::Warming { serving, .. }) = warming.map(|worker| &worker.state) else { return };
        let serving = Arc::clone(serving);
        if let Err(why) = result {
            self.report(self.settings.not_warmed(&why));
        }
        self.serve(id, serving, now);
    }

    /// From here on requests are sent to it.
    fn serve(&mut self, id: WorkerId, serving: Arc<ServingWorker>, now: Instant) {
        let worker = self.worker(id);
        worker.used = Some(Used::new(Arc::clone(&serving), now));
        worker.state = State::Serving { serving };
        self.last_failure = None;
        match &self.start {
            Start::Running { worker, .. } if *worker == id => self.start = Start::Idle,
            Start::Idle | Start::Due { .. } | Start::Running { .. } | Start::Failed { .. } | Start::Over => {}
        }
        self.retire(now);
        self.wanted = self.wanted.max(self.serving()).min(self.settings.instances);
    }

    /// The process that we started has ended.
    fn exited(&mut self, id: WorkerId, exit: Exit, evidence: Evidence, now: Instant) {
        let worker = self.known(id);
        match worker.state {
            // A launcher that went well: what it launched may listen yet. Gone or the deadline ends the wait.
            State::Launching { .. } if exit == Exit::Code(0) => {}
            State::Warming { .. } if worker.owner_is_another() => {}
            State::Launching { .. } => {
                self.blame(id, Cause::Ended(Some(exit)), evidence);
                self.bury(id, now);
            }
            State::Warming { .. } => {
                self.blame(id, Cause::Warming(Some(exit)), evidence);
                self.bury(id, now);
            }
            State::Serving { .. } | State::Draining { .. } if worker.owner_is_another() => {
                let line = self.settings.launcher_exited(worker, exit);
                self.report(line);
            }
            State::Serving { .. } => self.crashed(id, now),
            State::Draining { .. } => self.bury(id, now),
            // With a launcher, the owner may still be on its way out.
            State::Stopping { means: Means::Terminate, .. } if worker.owner_is_another() => {}
            State::Stopping { means: Means::Terminate, .. } => self.bury(id, now),
            State::Stopping { means: Means::Kill(_), .. } | State::Gone => {}
        }
    }

    /// The process that owned the listener has ended.
    fn owner_gone(&mut self, id: WorkerId, now: Instant) {
        let worker = self.known(id);
        match worker.state {
            State::Serving { .. } => self.crashed(id, now),
            State::Draining { .. } => self.bury(id, now),
            State::Warming { .. } => {
                // How a launcher ended says nothing of the one that listened.
                let exit = worker.exit.filter(|_| !worker.owner_is_another());
                self.blame(id, Cause::Warming(exit), Evidence::default());
                self.bury(id, now);
            }
            // A launcher (a shell) may still be about to end by itself.
            State::Stopping { means: Means::Terminate, .. } if worker.exit.is_none() => {}
            State::Stopping { means: Means::Terminate, .. } => self.bury(id, now),
            State::Launching { .. } | State::Stopping { means: Means::Kill(_), .. } | State::Gone => {}
        }
    }

    /// A worker that served has ended, and nobody had told it to.
    fn crashed(&mut self, id: WorkerId, now: Instant) {
        self.note_loss(id, now);
        self.wanted = self.wanted.saturating_sub(1);
        let answered = self.known(id).has_answered();
        self.bury(id, now);
        if !answered {
            self.await_verdict(id);
        }
    }

    /// IIS counts every process that ends by itself or is found dead.
    fn note_loss(&mut self, id: WorkerId, now: Instant) {
        self.note_steadiness(now);
        self.protection.exited();
        if self.known(id).has_answered() || !self.is_another_failure(id) {
            return;
        }
        match &self.start {
            // It is judged by itself, or together with the one whose end is being judged.
            Start::Idle | Start::Over | Start::Running { cause: Some(Cause::Crashed), .. } => {}
            // Another start is under way or held back, and tells whether the app is sound.
            Start::Due { .. } | Start::Running { .. } | Start::Failed { .. } => {
                self.protection.failed(now);
            }
        }
    }

    /// Several that served at the same time and ended together, killed or for want of what they share, failed once.
    pub(super) fn is_another_failure(&self, id: WorkerId) -> bool {
        self.known(id).used.as_ref().is_none_or(|used| self.protection.is_later(used.since))
    }

    /// Whether the end of this worker was a failed start is judged when nothing of it is left: the answer to its last
    /// request may have come, and not been read yet. Requests wait for the verdict.
    fn await_verdict(&mut self, id: WorkerId) {
        if matches!(self.start, Start::Idle) {
            self.starts += 1;
            let (cause, evidence) = (Some(Cause::Crashed), Evidence::default());
            self.start = Start::Running { worker: id, failed: Vec::new(), cause, evidence };
        }
    }

    /// Whoever has served for long shows that the app is sound.
    pub(super) fn note_steadiness(&mut self, now: Instant) {
        let served = self.workers.iter().filter(|worker| worker.serving().is_some());
        if let Some(since) = served.filter_map(|worker| Some(worker.used.as_ref()?.since)).min() {
            self.protection.served(since, now);
        }
    }

    pub(super) fn gone(&mut self, id: WorkerId, evidence: Evidence, now: Instant) {
        if self.known(id).serving().is_some() {
            // Its end was not told before; what is known now is all there is.
            self.crashed(id, now);
        }
        self.close_gate(id, now);
        self.worker(id).state = State::Gone;
        self.conclude(id, evidence, now);
        let worker = self.known(id);
        let had_served = worker.owner.is_some();
        // The end of a failed attempt was told as such; one that was called off has not failed.
        if worker.pid.is_some() && (had_served || worker.called_off) {
            let line = self.settings.shut_down(worker);
            self.report(line);
        }
        for pid in self.known(id).unclean() {
            self.effects.push(Effect::SweepDiagnostics { worker: id, pid });
        }
        self.effects.push(Effect::Forget(id));
        self.workers.retain(|worker| !worker.is_gone());
    }

    pub(super) fn suspect(&mut self, id: WorkerId, why: Suspicion, now: Instant) {
        let Some(worker) = self.workers.iter().find(|worker| worker.id == id && worker.serving().is_some())
        else {
            return;
        };
        let answered = worker.has_answered();
        let line = self.settings.suspected(worker, why);
        self.report(line);
        self.note_loss(id, now);
        self.drain(id, now + self.settings.drain_limit, now);
        // Most likely it has just ended, and its sockets tell before its parent can.
        if why == Suspicion::NoListener && !answered {
            self.await_verdict(id);
        }
        // Whoever found this out waits for the next worker.
        if self.serving() == 0 {
            self.wanted = self.wanted.max(1);
        }
    }

    pub(super) fn gate_is_empty(&mut self, id: WorkerId, now: Instant) {
        if self.workers.iter().any(|worker| worker.id == id && worker.is_draining()) {
            self.terminate(id, now);
        }
    }
}
