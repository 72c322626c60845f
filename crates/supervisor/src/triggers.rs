//! What changes on disk and concerns a running app: `app_offline.htm` comes, changes and goes; a web.config is
//! touched; another folder stands at the app's path.
//!
//! One task on the control runtime per app decides when to look; the looking itself is in `process/disk.rs`, on
//! a thread for work that blocks, since a folder may be on a disk that hangs. What it sees of the page is told to the
//! state machine as events, at once. Other changes are told to whoever loads plans, when no more of them come: a
//! deployment writes more than one file. What follows from either is decided there.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};

use crate::event::Event;
use crate::process::disk::{Changed, Disk};
use crate::process::ears::{Ears, Noise};
use crate::process::offline::Sight;
use crate::runner::{Change, Command};

/// How often to look while the page is there, and where changes are not heard of. IIS looks every 200 ms; so that what
/// is seen is never older, on a busy machine too, twice as often.
const LOOK: Duration = Duration::from_millis(100);
/// How often to make sure that the folder at the path is still the one that is listened to.
const MAKE_SURE: Duration = Duration::from_secs(2);
/// What is heard of a web.config may wait so long for what comes with it.
const GATHER: Duration = Duration::from_millis(50);
/// A burst of changes is over when there was none for so long.
const QUIET: Duration = Duration::from_millis(250);
/// One that does not end is told so long after its first change.
const BURST_MOST: Duration = Duration::from_secs(1);

/// Watches what of the disk concerns one app.
#[derive(Debug)]
pub(crate) struct Triggers {
    disk: Disk,
    ears: Option<Ears>,
}

/// Who is told of what.
#[derive(Debug)]
pub(crate) struct Listeners {
    /// The state machine, of the page. When it is gone, the watching ends.
    pub(crate) events: UnboundedSender<Command>,
    /// Whoever loads the plan again.
    pub(crate) changes: UnboundedSender<Change>,
}

impl Triggers {
    /// Looks once, so that an app that is offline from the start is never started; only what differs from this is a
    /// change. Must be called inside a runtime.
    pub(crate) fn begin(folder: PathBuf, config_files: &[PathBuf]) -> Self {
        let (mut disk, ears) = Disk::new(folder, config_files);
        disk.look(true);
        Self { disk, ears }
    }

    /// What visitors are shown if the app is offline.
    pub(crate) fn page(&self) -> Option<Arc<[u8]>> {
        match self.disk.sight() {
            Sight::Absent => None,
            Sight::Present(page) => Some(Arc::clone(page)),
        }
    }

    /// Tells what changes from here on, until nobody listens. `config_files` is what a later plan comes from.
    pub(crate) async fn watch(
        mut self,
        listeners: Listeners,
        mut config_files: watch::Receiver<Vec<PathBuf>>,
    ) {
        let mut burst = Burst::default();
        while !listeners.events.is_closed() {
            let thoroughly = self.wait(burst.due(), &mut config_files).await;
            // No more than a comparison when they are the same.
            self.disk.replace_config_files(&config_files.borrow_and_update());
            let before = self.page();
            let Some(changed) = self.look(thoroughly).await else { return };
            let event = match self.page() {
                page if page == before => None,
                Some(page) => Some(Event::Offline(page)),
                None => Some(Event::Online),
            };
            let now = Instant::now();
            burst.note(changed, now);
            // Whoever is gone needs no news.
            let _ = event.map(|event| listeners.events.send(Command::Event(event)));
            let _ = burst.take(now).map(|change| listeners.changes.send(change));
        }
    }

    /// None when the runtime ends.
    async fn look(&mut self, thoroughly: bool) -> Option<Changed> {
        let mut disk = std::mem::take(&mut self.disk);
        let looked = tokio::task::spawn_blocking(move || {
            let changed = disk.look(thoroughly);
            (disk, changed)
        });
        match looked.await {
            Ok((disk, changed)) => {
                self.disk = disk;
                Some(changed)
            }
            // A server that would not notice any more is worse than none.
            Err(error) if error.is_panic() => std::process::abort(),
            Err(_) => None,
        }
    }

    /// Until it is time to look; whether every name must be looked at.
    async fn wait(&self, due: Option<Instant>, config_files: &mut watch::Receiver<Vec<PathBuf>>) -> bool {
        let due = async {
            match due {
                Some(due) => sleep_until(due).await,
                None => std::future::pending().await,
            }
        };
        let told = async {
            if config_files.changed().await.is_err() {
                // The last plan has come.
                std::future::pending::<()>().await;
            }
        };
        tokio::select! {
            thoroughly = self.noise() => thoroughly,
            // What was heard meanwhile is looked at too.
            () = due => true,
            () = told => true,
        }
    }

    /// Until there is something to look at, or it is time to make sure.
    async fn noise(&self) -> bool {
        let listens = !self.disk.is_deaf() && *self.disk.sight() == Sight::Absent;
        let Some(ears) = self.ears.as_ref().filter(|_| listens) else {
            sleep(LOOK).await;
            self.ears.iter().for_each(Ears::forget);
            return true;
        };
        let noise = tokio::select! {
            noise = ears.heard(|name| self.disk.judge(name)) => noise,
            () = sleep(MAKE_SURE) => return false,
        };
        if noise == Noise::Soon {
            sleep(GATHER).await;
            ears.forget();
        }
        true
    }
}

/// Changes that belong together.
#[derive(Debug, Default)]
struct Burst {
    /// The gravest of them, with the times of the first and the last.
    open: Option<(Change, Instant, Instant)>,
}

impl Burst {
    fn note(&mut self, changed: Changed, now: Instant) {
        let change = match changed {
            Changed { folder: true, .. } => Change::Folder,
            Changed { config: true, .. } => Change::Config,
            Changed { folder: false, config: false } => return,
        };
        let (before, first) = self.open.map_or((change, now), |(before, first, _)| (before, first));
        // Another folder has another web.config too.
        let gravest = if before == Change::Folder { before } else { change };
        self.open = Some((gravest, first, now));
    }

    /// When it is to be told.
    fn due(&self) -> Option<Instant> {
        self.open.map(|(_, first, last)| (last + QUIET).min(first + BURST_MOST))
    }

    /// What is to be told now. A change that is only just there may be followed by another one which the clock of
    /// the disk does not tell from it, so that it is told again when all is quiet.
    fn take(&mut self, now: Instant) -> Option<Change> {
        self.due().filter(|&due| due <= now)?;
        let (change, _, last) = self.open.take()?;
        self.open = (last == now).then_some((change, now, now));
        Some(change)
    }
}

#[cfg(test)]
mod tests;
