//! Reads the configuration again while the server runs, and decides whether what it says takes the place of what
//! holds.
//!
//! The same door as at the start, `config::load`, so that nothing is accepted later that would not have been then.
//! What is not accepted changes nothing. Called by `run`, which hands on what was accepted.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use config::{Diagnostic, Files as _, Input, Loaded, PemFile, Plan, Severity};
use supervisor::{Change, RecycleCause};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until};

use crate::files::DiskFiles;

/// How often to look whether what is missing has come: a deployment may have begun with web.config, and what the program
/// is to be is read off the files beside it.
const MISSING_LOOK: Duration = Duration::from_secs(2);

/// Who knows what holds, and reads what may come to hold.
#[derive(Debug)]
pub(crate) struct Reloader {
    input: Arc<Input>,
    plan: Plan,
    /// Folders that had a web.config when the plan was made, the app's own first.
    described: Vec<PathBuf>,
    /// What was said besides when the plan was read; not known before the first reading here.
    told: Vec<Diagnostic>,
    /// What was asked for since the last reading began.
    due: Option<RecycleCause>,
    /// What is being read, and why.
    reading: Option<(Wish, JoinHandle<Read>)>,
    /// What holds was read before anybody watched the disk.
    unsure: bool,
    /// When to look again for what the plan misses; none where it misses nothing.
    look: Option<Instant>,
}

/// Why something is read.
#[derive(Debug, Clone, Copy)]
enum Wish {
    Asked(RecycleCause),
    /// It may have changed between the first reading and the watching; only what differs is news.
    Unsure,
    /// Something was missing; that it has come is news.
    Missing,
}

/// What was read, and whether what the plan that holds was made of is still there.
#[derive(Debug)]
struct Read {
    loaded: Loaded,
    gone: Option<PathBuf>,
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
        /// What was not said of the plan before: what is missing, and warnings.
        news: Vec<Diagnostic>,
    },
    /// What held goes on to hold; the reason in a sentence.
    Refused(String),
    /// `disallowRotationOnConfigChange` says so.
    Ignored,
}

impl Reloader {
    /// The plan that holds was made of this input.
    pub(crate) fn new(input: Input, plan: Plan) -> Self {
        let described = described(&plan);
        Self {
            input: Arc::new(input),
            plan,
            described,
            told: Vec::new(),
            due: None,
            reading: None,
            unsure: true,
            look: None,
        }
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
                let Some(wish) = self.wish() else {
                    let Some(at) = self.look else { return std::future::pending().await };
                    sleep_until(at).await;
                    continue;
                };
                if matches!(wish, Wish::Asked(RecycleCause::Config))
                    && self.plan.app.disallow_rotation_on_config_change
                {
                    return Outcome::Ignored;
                }
                let (input, described) = (Arc::clone(&self.input), self.described.clone());
                let read = move || {
                    let loaded = config::load(&input, &DiskFiles);
                    let gone = described.into_iter().find(|folder| !has_web_config(folder));
                    Read { loaded, gone }
                };
                self.reading = Some((wish, tokio::task::spawn_blocking(read)));
            }
            let Some((wish, reading)) = &mut self.reading else { continue };
            let wish = *wish;
            let read = reading.await;
            self.reading = None;
            return match (wish, read) {
                (Wish::Unsure, Ok(read)) if read.loaded.plan.as_ref() == Some(&self.plan) => {
                    self.tell(read.loaded.diagnostics);
                    continue;
                }
                (Wish::Missing, read) => match read.ok().filter(|read| self.has_come(read)) {
                    Some(read) => self.judge(RecycleCause::Config, read),
                    None => {
                        self.look_again();
                        continue;
                    }
                },
                (Wish::Unsure, Ok(read)) => self.judge(RecycleCause::Config, read),
                (Wish::Asked(cause), Ok(read)) => self.judge(cause, read),
                (_, Err(_)) => {
                    Outcome::Refused("reading it failed on an error of the server's own".to_owned())
                }
            };
        }
    }

    /// Whatever is read makes sure.
    fn wish(&mut self) -> Option<Wish> {
        let unsure = std::mem::take(&mut self.unsure);
        let missing = self.look.is_some_and(|at| at <= Instant::now());
        let wish = self.due.take().map(Wish::Asked).or(unsure.then_some(Wish::Unsure));
        wish.or(missing.then_some(Wish::Missing))
    }

    /// Whether something that was missing is there now. What else changed is told by whoever watches.
    fn has_come(&self, read: &Read) -> bool {
        let now = &read.loaded.diagnostics;
        let mut missed = self.told.iter().filter(|one| one.severity == Severity::Missing);
        let whole = read.loaded.plan.is_some() && read.gone.is_none();
        whole && missed.any(|old| !now.iter().any(|one| same(old, one)))
    }

    /// What was said of the plan that holds; gives what was said of the one before.
    fn tell(&mut self, diagnostics: Vec<Diagnostic>) -> Vec<Diagnostic> {
        let told = std::mem::replace(&mut self.told, diagnostics);
        self.look_again();
        told
    }

    fn look_again(&mut self) {
        let misses = self.told.iter().any(|one| one.severity == Severity::Missing);
        let follows = !self.plan.app.disallow_rotation_on_config_change;
        self.look = (misses && follows).then(|| Instant::now() + MISSING_LOOK);
    }

    /// An empty, half-written or missing file never replaces one that was good: a deployment is under way. It may also be
    /// one that makes the folder anew, and copies programs before the web.config.
    fn judge(&mut self, cause: RecycleCause, Read { loaded, gone }: Read) -> Outcome {
        if let Some(folder) = gone.filter(|_| cause != RecycleCause::Operator) {
            let file = folder.join("web.config");
            return Outcome::Refused(format!("{} is gone; SIGHUP goes on without it", file.display()));
        }
        let Loaded { plan, diagnostics, .. } = loaded;
        let Some(mut plan) = plan else {
            let errors: Vec<_> = diagnostics.iter().filter(|one| one.severity == Severity::Error).collect();
            let text: Vec<_> = errors.iter().map(ToString::to_string).collect();
            return Outcome::Refused(text.join("\n"));
        };
        let restart = fixed(&self.plan, &plan);
        (plan.bindings, plan.tls) = (self.plan.bindings.clone(), self.plan.tls.clone());
        (self.plan, self.described) = (plan.clone(), described(&plan));
        let told = self.tell(diagnostics);
        let said = |one: &Diagnostic| told.iter().any(|old| same(old, one));
        let news = self.told.iter().filter(|one| !said(one)).cloned().collect();
        Outcome::Accepted { cause, plan: Box::new(plan), restart, news }
    }
}

/// A line may stand elsewhere by now and say the same.
fn same(old: &Diagnostic, new: &Diagnostic) -> bool {
    (old.code, &old.message) == (new.code, &new.message)
}

/// What differs and cannot change while the server runs.
fn fixed(old: &Plan, new: &Plan) -> Vec<&'static str> {
    let mut fixed = Vec::new();
    if new.bindings != old.bindings {
        fixed.push("bindings");
    }
    let ((old, old_ca), (new, new_ca)) = (of_tls(old), of_tls(new));
    if new != old {
        fixed.push("certificate and key");
    }
    if new_ca != old_ca {
        fixed.push("certificates of clients");
    }
    fixed
}

/// What is shown to clients, and what is asked of them.
fn of_tls(plan: &Plan) -> (Option<[&PemFile; 2]>, Option<&PemFile>) {
    let tls = plan.tls.as_ref();
    (tls.map(|tls| [&tls.certificate, &tls.key]), tls.and_then(|tls| tls.client_ca.as_ref()))
}

/// Folders of a plan that have a web.config, the app's own first.
fn described(plan: &Plan) -> Vec<PathBuf> {
    let folders = plan.app.config_files.iter().filter_map(|file| file.parent());
    folders.filter(|folder| has_web_config(folder)).map(Path::to_owned).collect()
}

fn has_web_config(folder: &Path) -> bool {
    DiskFiles.list(folder).iter().any(|name| name.eq_ignore_ascii_case("web.config"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What comes of what was asked for.
    async fn next(reloader: &mut Reloader) -> Option<Outcome> {
        tokio::time::timeout(Duration::from_secs(20), reloader.next()).await.ok()
    }

    /// What comes by itself within a moment, which is nothing.
    async fn soon(reloader: &mut Reloader) -> Option<Outcome> {
        tokio::time::timeout(Duration::from_secs(1), reloader.next()).await.ok()
    }

    /// A folder of this test alone.
    fn folder(name: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("falconer-reload-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder");
        folder
    }

    fn write(folder: &Path, attributes: &str) {
        let text = format!(
            "<configuration><system.webServer><aspNetCore {attributes} /></system.webServer></configuration>"
        );
        std::fs::write(folder.join("web.config"), text).expect("a file");
    }

    fn runtime() -> tokio::runtime::Runtime {
        tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime")
    }

    /// Who goes on from what stands in this folder now.
    fn reloader(folder: &Path) -> Reloader {
        of(Input { folder: folder.to_owned(), descriptors: 1024, ..Input::default() })
    }

    fn of(input: Input) -> Reloader {
        let plan = config::load(&input, &DiskFiles).plan.expect("a plan");
        Reloader::new(input, plan)
    }

    #[test]
    fn what_changed_before_anybody_watched_is_found_and_nothing_else() {
        let folder = folder("early");
        let limit =
            |limit: u32| write(&folder, &format!("processPath=\"/bin/true\" startupTimeLimit=\"{limit}\""));
        limit(10);
        let (mut same, mut other) = (reloader(&folder), reloader(&folder));
        runtime().block_on(async {
            assert!(soon(&mut same).await.is_none(), "nothing changed");
            limit(20);
            let outcome = next(&mut other).await;
            assert!(
                matches!(outcome, Some(Outcome::Accepted { cause: RecycleCause::Config, .. })),
                "{outcome:?}"
            );
            assert!(soon(&mut other).await.is_none(), "it is told once");
        });
        std::fs::remove_dir_all(&folder).expect("it is ours");
    }

    #[test]
    fn what_is_said_of_a_change_is_said_once() {
        let folder = folder("news");
        write(&folder, "processPath=\"/bin/true\"");
        let mut reloader = reloader(&folder);
        let codes = |outcome: Option<Outcome>| match outcome {
            Some(Outcome::Accepted { news, .. }) => {
                news.iter().map(|one| one.code.as_str()).collect::<Vec<_>>()
            }
            other => panic!("{other:?}"),
        };
        runtime().block_on(async {
            assert!(soon(&mut reloader).await.is_none(), "nothing changed");
            write(&folder, "processPath=\"/bin/true\" hostingModel=\"inprocess\"");
            reloader.changed(Change::Config);
            assert_eq!(codes(next(&mut reloader).await), ["inprocess"]);
            write(&folder, "\n processPath=\"/bin/true\"\n hostingModel=\"inprocess\"");
            reloader.changed(Change::Config);
            assert!(codes(next(&mut reloader).await).is_empty());
        });
        std::fs::remove_dir_all(&folder).expect("it is ours");
    }

    #[test]
    fn what_was_missing_and_has_come_is_found_by_itself() {
        let folder = folder("late");
        write(&folder, "processPath=\".\\web.exe\"");
        let mut reloader = reloader(&folder);
        assert!(reloader.plan().app.program.arguments.is_empty(), "nothing to run yet");
        runtime().block_on(async {
            assert!(soon(&mut reloader).await.is_none(), "nothing changed");
            let runtime =
                "{\"runtimeOptions\":{\"framework\":{\"name\":\"None.Such\",\"version\":\"1.0.0\"}}}";
            std::fs::write(folder.join("web.runtimeconfig.json"), runtime).expect("a file");
            // Last, since without it nothing has come yet, whoever reads meanwhile.
            std::fs::write(folder.join("web.dll"), "MZ").expect("a file");
            // Dropped and called again, as when events come meanwhile.
            let mut tries = std::iter::repeat_with(|| ()).take(30);
            let outcome = loop {
                match soon(&mut reloader).await {
                    None if tries.next().is_some() => {}
                    outcome => break outcome,
                }
            };
            let Some(Outcome::Accepted { plan, .. }) = outcome else { panic!("{outcome:?}") };
            assert_eq!(plan.app.program.arguments, ["./web.dll"]);
            // Its framework is still missing, which is no news.
            let again = tokio::time::timeout(MISSING_LOOK * 2, reloader.next()).await;
            assert!(again.is_err(), "{again:?}");
        });
        std::fs::remove_dir_all(&folder).expect("it is ours");
    }

    #[test]
    fn a_folder_that_is_made_anew_counts_when_its_file_is_there() {
        let folder = folder("anew");
        write(&folder, "processPath=\"/bin/true\"");
        let mut reloader = reloader(&folder);
        runtime().block_on(async {
            std::fs::remove_dir_all(&folder).expect("it is ours");
            // Half a copy: enough to run, and without what the web.config says.
            std::fs::create_dir(&folder).expect("a folder");
            std::os::unix::fs::symlink("/bin/true", folder.join("program")).expect("a link");
            reloader.changed(Change::Folder);
            let Some(Outcome::Refused(why)) = next(&mut reloader).await else { panic!("it is refused") };
            assert!(why.contains("/web.config is gone"), "{why}");
            write(&folder, "processPath=\"/bin/false\"");
            reloader.changed(Change::Config);
            let outcome = next(&mut reloader).await;
            assert!(matches!(outcome, Some(Outcome::Accepted { .. })), "{outcome:?}");
        });
        std::fs::remove_dir_all(&folder).expect("it is ours");
    }

    #[test]
    fn a_file_above_that_is_gone_changes_nothing_before_the_operator_says_so() {
        let root = folder("gone");
        let app = root.join("app");
        std::fs::create_dir_all(&app).expect("a folder");
        write(&root, "shutdownTimeLimit=\"3\"");
        write(&app, "processPath=\"/bin/true\"");
        let mut reloader =
            of(Input { folder: app, site_root: Some(root.clone()), descriptors: 1024, ..Input::default() });
        runtime().block_on(async {
            std::fs::remove_file(root.join("web.config")).expect("it is there");
            reloader.changed(Change::Config);
            let Some(Outcome::Refused(why)) = next(&mut reloader).await else { panic!("it is refused") };
            assert!(why.contains("/web.config is gone") && why.contains("SIGHUP"), "{why}");
            assert_eq!(reloader.plan().app.shutdown_time_limit, Duration::from_secs(3));
            reloader.ask(RecycleCause::Operator);
            let outcome = next(&mut reloader).await;
            assert!(matches!(outcome, Some(Outcome::Accepted { .. })), "{outcome:?}");
            assert_eq!(reloader.plan().app.shutdown_time_limit, Duration::from_secs(10));
            // From here on it is as if it had never been there.
            reloader.changed(Change::Config);
            let outcome = next(&mut reloader).await;
            assert!(matches!(outcome, Some(Outcome::Accepted { .. })), "{outcome:?}");
        });
        std::fs::remove_dir_all(&root).expect("it is ours");
    }
}
