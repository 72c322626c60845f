//! What changes on disk and concerns a running app: `app_offline.htm` comes, changes and goes.
//!
//! One task on the control runtime per app decides when to look; the looking itself is in `process/offline.rs`, on
//! a thread for work that blocks, since a folder may be on a disk that hangs. What it sees is told to the state
//! machine as events; what follows is decided there.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc::UnboundedSender;

use crate::event::Event;
use crate::process::offline::{Ears, Folder, Sight};
use crate::runner::Command;

/// How often to look while the file is there, and where its arrival is not heard of. IIS looks no more often either.
const LOOK: Duration = Duration::from_millis(200);
/// How often to make sure that the folder at the path is still the one that is listened to.
const MAKE_SURE: Duration = Duration::from_secs(2);

/// Watches one app's folder.
#[derive(Debug)]
pub(crate) struct Triggers {
    folder: Folder,
    ears: Option<Ears>,
}

impl Triggers {
    /// Looks once, so that an app that is offline from the start is never started. Must be called inside a runtime.
    pub(crate) fn begin(folder: PathBuf) -> Self {
        let (mut folder, ears) = Folder::new(folder);
        folder.look(true);
        Self { folder, ears }
    }

    /// What visitors are shown if the app is offline.
    pub(crate) fn page(&self) -> Option<Arc<[u8]>> {
        match self.folder.sight() {
            Sight::Absent => None,
            Sight::Present(page) => Some(Arc::clone(page)),
        }
    }

    /// Tells what changes from here on, until nobody listens.
    pub(crate) async fn watch(mut self, events: UnboundedSender<Command>) {
        while !events.is_closed() {
            let thoroughly = self.wait().await;
            let before = self.page();
            let Self { mut folder, ears } = self;
            let looked = tokio::task::spawn_blocking(move || {
                folder.look(thoroughly);
                folder
            });
            let folder = match looked.await {
                Ok(folder) => folder,
                // A server that would not notice any more is worse than none.
                Err(error) if error.is_panic() => std::process::abort(),
                // The runtime ends.
                Err(_) => return,
            };
            self = Self { folder, ears };
            let event = match self.page() {
                page if page == before => continue,
                Some(page) => Event::Offline(page),
                None => Event::Online,
            };
            // Whoever is gone needs no news.
            let _ = events.send(Command::Event(event));
        }
    }

    /// Until it is time to look; whether every name must be looked at.
    async fn wait(&self) -> bool {
        let listens = !self.folder.is_deaf() && *self.folder.sight() == Sight::Absent;
        match &self.ears {
            Some(ears) if listens => tokio::select! {
                () = ears.heard() => true,
                () = tokio::time::sleep(MAKE_SURE) => false,
            },
            ears => {
                tokio::time::sleep(LOOK).await;
                if let Some(ears) = ears {
                    ears.forget();
                }
                true
            }
        }
    }
}

#[cfg(test)]
mod tests;
