//! The signals of a stop. Only the keeper calls this: it is the parent and alone knows which of its children
//! it has reaped, so that no signal can reach a process that took over a number.

use rustix::process::{Pid, Signal};

use crate::process::subtree;

/// Asks the app to end: SIGTERM to its process group. A group whose processes have all ended is not signalled,
/// since its number may be somebody else's by now; then the orphans that came to the keeper are asked instead.
/// Says whether there was a group: when it has ended, whoever it leaves behind is to be asked too.
pub(super) fn terminate(app: Pid) -> bool {
    let keeper = number(rustix::process::getpid());
    let members = subtree::descendants(keeper);
    if members.iter().any(|process| process.group == number(app)) {
        signal_group(app);
        return true;
    }
    for child in members.iter().filter(|process| process.parent == keeper) {
        if let Some(child) = pid(child.pid) {
            let _ = rustix::process::kill_process(child, Signal::TERM);
            let _ = rustix::process::kill_process(child, Signal::CONT);
        }
    }
    false
}

/// Whether the app's process group has processes.
pub(super) fn group_lives(app: Pid) -> bool {
    let keeper = number(rustix::process::getpid());
    subtree::descendants(keeper).iter().any(|process| process.group == number(app))
}

/// A stopped process would take the SIGTERM only when somebody continues it.
fn signal_group(group: Pid) {
    let _ = rustix::process::kill_process_group(group, Signal::TERM);
    let _ = rustix::process::kill_process_group(group, Signal::CONT);
}

/// SIGKILL to each direct child of the keeper. Their children come to the keeper, the subreaper, as they die:
/// called again until none is left, this reaches the whole subtree.
pub(super) fn kill_children() {
    let keeper = number(rustix::process::getpid());
    for child in subtree::processes().filter(|process| process.parent == keeper) {
        if let Some(child) = pid(child.pid) {
            let _ = rustix::process::kill_process(child, Signal::KILL);
        }
    }
}

fn number(pid: Pid) -> u32 {
    pid.as_raw_nonzero().get().unsigned_abs()
}

fn pid(number: u32) -> Option<Pid> {
    Pid::from_raw(i32::try_from(number).ok()?)
}
