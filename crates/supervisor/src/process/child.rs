//! The forked copy of a keeper on its way to becoming the app. Everything that the app inherits is put right
//! here, in an order that matters; the keeper itself is never touched by the app's folder or environment.
//!
//! Nothing here may return to the keeper's code: this is another process already.

use std::ffi::{CString, OsStr};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::process::{Pid, Signal};

use crate::process::raw;
use crate::process::wire::{Order, Reply};

/// Where `execve` looks when the app has no PATH, as the C library does.
const DEFAULT_PATH: &[u8] = b"/usr/local/bin:/usr/bin:/bin";

/// What could not be done.
#[derive(Debug)]
struct Failure {
    stage: &'static str,
    error: Errno,
    path: Vec<u8>,
}

/// Becomes the app; where that fails, tells why through `failures` and ends.
pub(super) fn become_app(order: &Order, keeper: Pid, failures: &OwnedFd) -> ! {
    let failure = prepare(order, keeper).err().unwrap_or_else(|| execute(order));
    let reply = Reply::Failed {
        stage: failure.stage.to_owned(),
        errno: failure.error.raw_os_error(),
        path: String::from_utf8_lossy(&failure.path).into_owned(),
    };
    let _ = rustix::io::write(failures, &reply.write());
    raw::exit_now(127)
}

fn prepare(order: &Order, keeper: Pid) -> Result<(), Failure> {
    let at = |stage| move |error| Failure { stage, error, path: Vec::new() };
    rustix::process::setpgid(None, None).map_err(at("setpgid"))?;
    raw::default_signals();
    // A front and its app wake each other for every request. When each wake interrupts who runs, they spend the
    // machine on switching (measured on two cores, 64 clients: 1.5 times the requests, a tenth of the p99).
    raw::schedule_as_batch();
    rustix::thread::set_no_new_privs(true).map_err(at("no_new_privs"))?;
    // After everything that would clear it. If the keeper died before this line, no signal will come: hence
    // the second look at the parent.
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL)).map_err(at("pdeathsig"))?;
    if rustix::process::getppid() != Some(keeper) {
        raw::exit_now(127);
    }
    let null = rustix::fs::open("/dev/null", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty());
    null.and_then(rustix::stdio::dup2_stdin).map_err(|error| Failure {
        stage: "stdin",
        error,
        path: b"/dev/null".to_vec(),
    })?;
    raw::close_strangers_on_exec();
    rustix::process::chdir(&order.folder).map_err(|error| Failure {
        stage: "chdir",
        error,
        path: order.folder.as_bytes().to_vec(),
    })
}

/// Executes the program. A bare name is looked up in the app's own PATH; a file that is there but may not be
/// executed is reported only when no other folder has the program, as a shell would.
fn execute(order: &Order) -> Failure {
    let name = order.program.as_bytes();
    let failed = |error, path: &[u8]| Failure { stage: "execve", error, path: path.to_vec() };
    if name.is_empty() || name.contains(&b'/') {
        return failed(raw::execve(&order.program, &order.arguments, &order.environment), name);
    }
    let path = order.environment.iter().find_map(|entry| entry.as_bytes().strip_prefix(b"PATH="));
    let mut denied = None;
    for folder in path.unwrap_or(DEFAULT_PATH).split(|&byte| byte == b':') {
        // An empty element would mean the app's own folder: a name without `/` never means that.
        if folder.is_empty() {
            continue;
        }
        let candidate = Path::new(OsStr::from_bytes(folder)).join(OsStr::from_bytes(name));
        let candidate =
            CString::new(candidate.as_os_str().as_bytes()).expect("made of two texts without NUL");
        match raw::execve(&candidate, &order.arguments, &order.environment) {
            Errno::NOENT | Errno::NOTDIR => {}
            Errno::ACCESS => denied = denied.or(Some(candidate)),
            error => return failed(error, candidate.as_bytes()),
        }
    }
    match denied {
        Some(candidate) => failed(Errno::ACCESS, candidate.as_bytes()),
        None => failed(Errno::NOENT, name),
    }
}
