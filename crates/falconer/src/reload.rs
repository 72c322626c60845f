//! Reads the configuration again while the server runs, and decides whether what it says takes the place of what
//! holds.
//!
//! The same door as at the start, `config::load`, so that nothing is accepted later that would not have been then.
//! What is not accepted changes nothing. Called by `run`, which hands on what was accepted.

use std::ffi::OsString;
use std::path::Path;
use std::sync::Arc;

use config::{Files as _, Input, Loaded, Plan, Severity};
use supervisor::{Change, RecycleCause};
use tokio::task::JoinHandle;

use crate::files::DiskFiles;

/// Who knows what holds, and reads what may come to hold.
#[derive(Debug)]
pub(crate) struct Reloader {
    input: Arc<Input>,
    plan: Plan,
    /// The app's own web.config was there when the plan was made.
    from_file: bool,
    /// What was asked for since the last reading began.
    due: Option<RecycleCause>,
    /// What is being read, and why.
    reading: Option<(RecycleCause, JoinHandle<(Loaded, bool)>)>,
}

/// What came of a reading.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// It holds from here on.
    Accepted {
        cause: RecycleCause,
        plan: Box<Plan>,
        /// What of it does not, as it cannot change while the server runs.
        restart: Vec<&'static str>,
    },
    /// What held goes on to hold; the reason in a sentence.
    Refused(String),
    /// `disallowRotationOnConfigChange` says so.
    Ignored,
}

impl Reloader {
    /// The plan that holds was made of this input.
    pub(crate) fn new(input: Input, plan: Plan) -> Self {
        let from_file = has_web_config(&input.folder);
        Self { input: Arc::new(input), plan, from_file, due: None, reading: None }
    }

    /// What holds.
    pub(crate) fn plan(&self) -> &Plan {
        &self.plan
    }

    /// The server's own environment.
    pub(crate) fn inherited(&self) -> &[(OsString, OsString)] {
        &self.input.environment
    }

    /// The disk changed.
    pub(crate) fn changed(&mut self, change: Change) {
        self.ask(match change {
            Change::Config => RecycleCause::Config,
            Change::Folder => RecycleCause::Folder,
        });
    }

    /// Somebody wants it read again. Several wishes become one.
    pub(crate) fn ask(&mut self, cause: RecycleCause) {
        let weight = |cause| match cause {
            RecycleCause::Operator => 2,
            RecycleCause::Folder => 1,
            _ => 0,
        };
        self.due = [self.due, Some(cause)].into_iter().flatten().max_by_key(|cause| weight(*cause));
    }

    /// The next outcome; never, while nobody asks. May be dropped and called again.
    pub(crate) async fn next(&mut self) -> Outcome {
        if self.reading.is_none()
            && let Some(cause) = self.due.take()
        {
            if cause == RecycleCause::Config && self.plan.app.disallow_rotation_on_config_change {
                return Outcome::Ignored;
            }
            let input = Arc::clone(&self.input);
            let read = move || (config::load(&input, &DiskFiles), has_web_config(&input.folder));
            self.reading = Some((cause, tokio::task::spawn_blocking(read)));
        }
        let Some((cause, reading)) = &mut self.reading else { return std::future::pending().await };
        let cause = *cause;
        let read = reading.await;
        self.reading = None;
        match read {
            Ok((loaded, from_file)) => self.judge(cause, loaded, from_file),
            Err(_) => Outcome::Refused("reading it failed on an error of the server's own".to_owned()),
        }
    }

    /// An empty, half-written or missing file never replaces one that was good: a deployment is under way.
    fn judge(&mut self, cause: RecycleCause, loaded: Loaded, from_file: bool) -> Outcome {
        if cause == RecycleCause::Config && self.from_file && !from_file {
            return Outcome::Refused("web.config is gone".to_owned());
        }
        let Loaded { plan, diagnostics, .. } = loaded;
        let Some(mut plan) = plan else {
            let errors: Vec<_> = diagnostics.iter().filter(|one| one.severity == Severity::Error).collect();
            let text: Vec<_> = errors.iter().map(ToString::to_string).collect();
            return Outcome::Refused(text.join("\n"));
        };
        let mut restart = Vec::new();
        if plan.bindings != self.plan.bindings {
            restart.push("bindings");
        }
        if plan.tls != self.plan.tls {
            restart.push("certificate and key");
        }
        (plan.bindings, plan.tls) = (self.plan.bindings.clone(), self.plan.tls.clone());
        (self.plan, self.from_file) = (plan.clone(), from_file);
        Outcome::Accepted { cause, plan: Box::new(plan), restart }
    }
}

fn has_web_config(folder: &Path) -> bool {
    DiskFiles.list(folder).iter().any(|name| name.eq_ignore_ascii_case("web.config"))
}
