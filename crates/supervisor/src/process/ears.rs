//! Hears of changes in the folders that concern an app, through one inotify instance.
//!
//! Folders are listened to and not files: a file that is replaced takes its watch with it, a name does not. What is
//! heard is only a reason to look; nothing is concluded from it. `disk` keeps the watches, `triggers.rs` waits.

use std::ffi::CStr;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd as _, OwnedFd};

use rustix::fs::inotify::{self, CreateFlags, ReadFlags, Reader, WatchFlags};
use rustix::io::Errno;
use rustix::path::Arg;
use tokio::io::unix::AsyncFd;

use crate::process::raw;

/// Reads of the event queue before other tasks get their turn.
const READS: u32 = 16;
/// Rounds of these until somebody who makes noise all the time is left to it.
const ROUNDS: u32 = 64;

/// One mask for all folders, since one folder may be listened to for several reasons. No `MODIFY`: it would come with
/// every line that an app logs into its own folder, and who writes a file also closes it.
const ABOUT_A_NAME: WatchFlags = WatchFlags::CREATE
    .union(WatchFlags::MOVED_TO)
    .union(WatchFlags::MOVED_FROM)
    .union(WatchFlags::DELETE)
    .union(WatchFlags::CLOSE_WRITE)
    .union(WatchFlags::ATTRIB);
const ABOUT_THE_FOLDER: WatchFlags = WatchFlags::DELETE_SELF.union(WatchFlags::MOVE_SELF);
/// The folder is another one, or more happened than was noted.
const ALARM: ReadFlags = ReadFlags::DELETE_SELF
    .union(ReadFlags::MOVE_SELF)
    .union(ReadFlags::UNMOUNT)
    .union(ReadFlags::QUEUE_OVERFLOW);

/// How soon to look for what was heard, the most pressing last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Noise {
    /// It concerns nobody.
    None,
    /// It may wait for what comes with it.
    Soon,
    /// At once.
    Now,
}

/// Hears.
#[derive(Debug)]
pub(crate) struct Ears(AsyncFd<OwnedFd>);

/// Which folders are listened to. Its calls block.
#[derive(Debug, Default)]
pub(crate) struct Watches {
    /// None for one who is deaf.
    ears: Option<OwnedFd>,
    /// Since the last look.
    old: Vec<i32>,
    /// Asked for in this one.
    new: Vec<i32>,
}

impl Watches {
    /// With ears where the system gives them. Must be called inside a runtime.
    pub(crate) fn open() -> (Self, Option<Ears>) {
        let opened = || -> io::Result<(Ears, OwnedFd)> {
            let ears = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)?;
            let own = ears.try_clone()?;
            Ok((Ears(raw::register(ears)?), own))
        };
        match opened() {
            Ok((ears, own)) => (Self { ears: Some(own), ..Self::default() }, Some(ears)),
            // Out of inotify instances, or none in this sandbox: who is deaf looks often.
            Err(_) => (Self::default(), None),
        }
    }

    /// Hears of changes in this very folder, even if another one stands at its path by now. False when that is not
    /// possible.
    pub(super) fn listen_to(&mut self, folder: &OwnedFd) -> bool {
        self.listen_at(format!("/proc/self/fd/{}", folder.as_raw_fd()))
    }

    /// The same for the folder that stands at a path now.
    pub(super) fn listen_at(&mut self, path: impl Arg) -> bool {
        let Some(ears) = &self.ears else { return false };
        let flags = ABOUT_A_NAME | ABOUT_THE_FOLDER | WatchFlags::ONLYDIR;
        // The same folder keeps its number.
        let watch = inotify::add_watch(ears, path, flags).ok();
        self.new.extend(watch.filter(|watch| !self.new.contains(watch)));
        watch.is_some()
    }

    /// Forgets every folder that was not asked for since the last time.
    pub(super) fn settle(&mut self) {
        if let Some(ears) = &self.ears {
            for &gone in self.old.iter().filter(|old| !self.new.contains(old)) {
                // One whose folder is gone is gone by itself.
                let _ = inotify::remove_watch(ears, gone);
            }
        }
        self.old = std::mem::take(&mut self.new);
    }
}

impl Ears {
    /// Resolves when something was heard that concerns somebody; `judge` says which names do.
    pub(crate) async fn heard(&self, judge: impl Fn(&CStr) -> Noise) -> Noise {
        loop {
            let Ok(mut ready) = self.0.readable().await else {
                return std::future::pending().await;
            };
            match hear(ready.get_inner(), &judge) {
                (Noise::None, true) => ready.clear_ready(),
                (Noise::None, false) => {}
                (noise, _) => return noise,
            }
        }
    }

    /// Forgets what happened so far: for one who looks anyway.
    pub(crate) fn forget(&self) {
        for _ in 0..ROUNDS {
            if hear(self.0.get_ref(), &|_| Noise::None).1 {
                return;
            }
        }
    }
}

/// The most pressing noise of those that wait, and whether none is left.
fn hear(ears: impl AsFd, judge: &impl Fn(&CStr) -> Noise) -> (Noise, bool) {
    let mut buffer = [MaybeUninit::uninit(); 4096];
    let mut events = Reader::new(ears, &mut buffer);
    let mut noise = Noise::None;
    let mut reads = 0;
    while reads < READS {
        match events.next() {
            Ok(event) if event.events().intersects(ALARM) => noise = Noise::Now,
            // Without a name it is the folder's own attributes, or a watch that we gave up.
            Ok(event) => noise = noise.max(event.file_name().map_or(Noise::None, judge)),
            Err(Errno::INTR) => {}
            Err(_) => return (noise, true),
        }
        reads += u32::from(events.is_buffer_empty());
    }
    (noise, false)
}
