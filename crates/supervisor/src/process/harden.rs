//! What the server does to itself before it reads anything from outside.

use std::io;

use rustix::process::{DumpableBehavior, Resource, Rlimit};

use crate::process::raw;

/// Protects this process and raises its limits; `main` calls it first.
///
/// Tokens and keys in its memory must not end up in a core file, and no process of the same user may read
/// them through ptrace or /proc (PR_SET_DUMPABLE 0, soft RLIMIT_CORE 0: the hard limit stays, so that an app
/// may still ask for cores of its own). The soft limit of descriptors is raised to the hard one. SIGCHLD gets
/// its default back, or the exits of keepers would be lost to a parent that had ignored it.
///
/// Returns the limit of open descriptors, [`u64::MAX`] for none.
///
/// # Errors
/// The system refused one of these, which it does not do to a process that may run at all.
pub fn harden() -> io::Result<u64> {
    raw::default_child_signal();
    rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    let cores = rustix::process::getrlimit(Resource::Core);
    rustix::process::setrlimit(Resource::Core, Rlimit { current: Some(0), ..cores })?;
    let descriptors = rustix::process::getrlimit(Resource::Nofile);
    rustix::process::setrlimit(Resource::Nofile, Rlimit { current: descriptors.maximum, ..descriptors })?;
    Ok(descriptors.maximum.unwrap_or(u64::MAX))
}

/// Schedules the calling thread as one that carries requests: woken, it waits for its turn instead of interrupting
/// who runs (`SCHED_BATCH`), as the app's threads do. A policy that the operator chose stays.
pub fn schedule_as_batch() {
    raw::schedule_as_batch();
}
