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
    reading: Option<(Wish, JoinHandle<(Loaded, bool)>)>,
    /// What holds was read before anybody watched the disk.
    unsure: bool,
}

/// Why something is read.
#[derive(Debug, Clone, Copy)]
enum Wish {
    Asked(RecycleCause),
    /// It may have changed between the first reading and the watching; only what differs is news.
    Unsure,
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
        Self { input: Arc::new(input), plan, from_file, due: None, reading: None, unsure: true }
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

    /// The next outcome; never, while nobody asks. To be called once the disk is watched. May be dropped and called
    /// again.
    pub(crate) async fn next(&mut self) -> Outcome {
        loop {
            if self.reading.is_none() {
                let Some(wish) = self.wish() else { return std::future::pending().await };
                if matches!(wish, Wish::Asked(RecycleCause::Config))
                    && self.plan.app.disallow_rotation_on_config_change
                {
                    return Outcome::Ignored;
                }
                let input = Arc::clone(&self.input);
                let read = move || (config::load(&input, &DiskFiles), has_web_config(&input.folder));
                self.reading = Some((wish, tokio::task::spawn_blocking(read)));
            }
            let Some((wish, reading)) = &mut self.reading else { continue };
            let wish = *wish;
            let read = reading.await;
            self.reading = None;
            return match (wish, read) {
                (Wish::Unsure, Ok((loaded, _))) if loaded.plan.as_ref() == Some(&self.plan) => continue,
                (Wish::Unsure, Ok((loaded, from_file))) => {
                    self.judge(RecycleCause::Config, loaded, from_file)
                }
                (Wish::Asked(cause), Ok((loaded, from_file))) => self.judge(cause, loaded, from_file),
                (_, Err(_)) => {
                    Outcome::Refused("reading it failed on an error of the server's own".to_owned())
                }
            };
        }
    }

    /// Whatever is read makes sure.
    fn wish(&mut self) -> Option<Wish> {
        let unsure = std::mem::take(&mut self.unsure);
        self.due.take().map(Wish::Asked).or(unsure.then_some(Wish::Unsure))
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    async fn next(reloader: &mut Reloader) -> Option<Outcome> {
        tokio::time::timeout(Duration::from_secs(1), reloader.next()).await.ok()
    }

    #[test]
    fn what_changed_before_anybody_watched_is_found_and_nothing_else() {
        let folder = std::env::temp_dir().join(format!("falconer-reload-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder");
        let write = |limit: u32| {
            let text = format!(
                "<configuration><system.webServer><aspNetCore processPath=\"/bin/true\" startupTimeLimit=\"{limit}\" \
                 /></system.webServer></configuration>"
            );
            std::fs::write(folder.join("web.config"), text).expect("a file");
        };
        write(10);
        let input = Input { folder: folder.clone(), descriptors: 1024, ..Input::default() };
        let plan = config::load(&input, &DiskFiles).plan.expect("a plan");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let mut same = Reloader::new(input.clone(), plan.clone());
            assert!(next(&mut same).await.is_none(), "nothing changed");
            let mut other = Reloader::new(input, plan);
            write(20);
            let outcome = next(&mut other).await;
            assert!(
                matches!(outcome, Some(Outcome::Accepted { cause: RecycleCause::Config, .. })),
                "{outcome:?}"
            );
            assert!(next(&mut other).await.is_none(), "it is told once");
        });
        std::fs::remove_dir_all(&folder).expect("it is ours");
    }
}
