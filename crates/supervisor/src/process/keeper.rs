//! `falconer __keep`: the life of a keeper, the small process between the server and one app.
//!
//! It is the app's parent and the subreaper of everything below, so that nothing of the app can outlive it,
//! and it ends when the server does: its standard input is a socket to the server, and the end of that socket
//! (or another parent) means the server is gone. It has one thread, holds no configuration, and trusts
//! nothing but that socket.

use std::ffi::OsStr;
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;
use std::process::ExitCode;

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::net::SendFlags;
use rustix::pipe::PipeFlags;
use rustix::process::{DumpableBehavior, Pid, Resource, Rlimit, Signal, WaitOptions, WaitStatus};

use crate::process::raw::{self, Forked};
use crate::process::wire::{self, Order, Reply};
use crate::process::{Exit, child, leftovers, stop};

/// How often the killing looks for children again: an orphan arrives without a signal.
const AGAIN: Timespec = Timespec { tv_sec: 0, tv_nsec: 5_000_000 };
/// The same after [`HASTE`] looks: what is left then waits for a device, and no haste ends it.
const AGAIN_LATER: Timespec = Timespec { tv_sec: 0, tv_nsec: 200_000_000 };
const HASTE: u32 = 400;
/// A tree that keeps forking leaves more dead than are worth remembering.
const UNCLEAN_MOST: usize = 256;

/// The whole life of a keeper: `main` calls this, and nothing else, when the first argument is `__keep`.
/// Standard input is the socket to the server, standard output and error are the app's.
#[must_use]
pub fn keep() -> ExitCode {
    raw::close_strangers();
    let signals = match become_keeper() {
        Ok(signals) => signals,
        Err((stage, error)) => {
            fail(stage, error);
            return ExitCode::FAILURE;
        }
    };
    // An order that never comes, or is cut short, means that the server has died meanwhile.
    let Some(order) = receive_order() else { return ExitCode::FAILURE };
    let Some(parent) = i32::try_from(order.parent).ok().and_then(Pid::from_raw) else {
        return ExitCode::FAILURE;
    };
    if rustix::process::getppid() != Some(parent) {
        return ExitCode::FAILURE;
    }
    match start(&order) {
        Ok((app, failures)) => {
            let temporary = temporary_folder(&order);
            drop(order);
            Keeper {
                app,
                parent,
                signals,
                failures: Some(failures),
                failed: false,
                heard: true,
                killing: false,
                asked: false,
                looks: 0,
                temporary,
                unclean: Vec::new(),
            }
            .run();
            ExitCode::SUCCESS
        }
        Err((stage, error)) => {
            fail(stage, error);
            ExitCode::FAILURE
        }
    }
}

/// Everything about this process that must hold before it has a child.
fn become_keeper() -> Result<OwnedFd, (&'static str, Errno)> {
    for signal in [libc::SIGINT, libc::SIGHUP, libc::SIGQUIT] {
        raw::ignore_signal(signal);
    }
    raw::default_child_signal();
    // SIGTERM is what the system sends when the server's spawning thread ends. Blocked and read from a
    // descriptor, it only wakes the loop: SIGKILL here would leave the whole tree behind.
    let signals =
        raw::signal_descriptor(&[libc::SIGTERM, libc::SIGCHLD]).map_err(|error| ("signalfd", error))?;
    rustix::process::set_parent_process_death_signal(Some(Signal::TERM))
        .map_err(|error| ("pdeathsig", error))?;
    rustix::process::setsid().map_err(|error| ("setsid", error))?;
    rustix::process::set_child_subreaper(Some(rustix::process::getpid()))
        .map_err(|error| ("subreaper", error))?;
    rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable)
        .map_err(|error| ("dumpable", error))?;
    let cores = rustix::process::getrlimit(Resource::Core);
    rustix::process::setrlimit(Resource::Core, Rlimit { current: Some(0), ..cores })
        .map_err(|error| ("limits", error))?;
    rustix::thread::set_name(c"falconer-keep").map_err(|error| ("name", error))?;
    Ok(signals)
}

fn receive_order() -> Option<Order> {
    let mut prefix = [0; 4];
    receive(&mut prefix)?;
    let mut body = vec![0; wire::order_length(prefix)?];
    receive(&mut body)?;
    wire::read_order(&body)
}

fn receive(mut buffer: &mut [u8]) -> Option<()> {
    while !buffer.is_empty() {
        match rustix::io::read(rustix::stdio::stdin(), &mut *buffer) {
            Ok(0) => return None,
            Ok(read) => buffer = &mut buffer[read..],
            Err(Errno::INTR) => {}
            Err(_) => return None,
        }
    }
    Some(())
}

/// Forks the app. The descriptor tells how that goes on: it ends when the program is executed, and carries a
/// reply when it could not be.
fn start(order: &Order) -> Result<(Pid, OwnedFd), (&'static str, Errno)> {
    let null = rustix::fs::open("/dev/null", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty());
    let null = null.map_err(|error| ("keeper", error))?;
    let (failures, tell) = rustix::pipe::pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK)
        .map_err(|error| ("keeper", error))?;
    let keeper = rustix::process::getpid();
    match raw::fork().map_err(|error| ("fork", error))? {
        Forked::Child => child::become_app(order, keeper, &tell),
        Forked::Parent(app) => {
            // The pipes to the server must end with the app, not with us.
            let _ = rustix::stdio::dup2_stdout(&null);
            let _ = rustix::stdio::dup2_stderr(&null);
            Ok((app, failures))
        }
    }
}

/// A keeper with an app.
struct Keeper {
    app: Pid,
    parent: Pid,
    signals: OwnedFd,
    /// Open until the program is executed or could not be.
    failures: Option<OwnedFd>,
    /// It could not be: its end is no exit of an app.
    failed: bool,
    /// The server is still there.
    heard: bool,
    killing: bool,
    /// The app's process group was asked to end.
    asked: bool,
    /// For children to kill.
    looks: u32,
    /// Where the app keeps its temporary files.
    temporary: PathBuf,
    /// Who ended by a signal, and so could not remove them.
    unclean: Vec<u32>,
}

impl Keeper {
    /// Until no process is left below.
    fn run(&mut self) {
        loop {
            let (commands, signals, failures) = self.wait();
            if commands {
                self.take_commands();
            }
            if signals {
                self.take_signals();
            }
            if failures {
                self.take_failure();
            }
            if self.reap() {
                // Here and not in the server, which may be the one that died.
                leftovers::sweep(&self.temporary, &self.unclean);
                return;
            }
            if self.killing {
                self.looks = self.looks.saturating_add(1);
                stop::kill_children();
            } else if self.asked && !stop::group_lives(self.app) {
                // A shell ends by the signal and passes nothing on: not to what it started with `setsid`.
                self.asked = stop::terminate(self.app);
            }
        }
    }

    /// Waits until something happens; says on which descriptors.
    fn wait(&self) -> (bool, bool, bool) {
        let stdin = rustix::stdio::stdin();
        let mut descriptors = vec![PollFd::new(&self.signals, PollFlags::IN)];
        // The socket of a server that is gone would wake us for ever.
        if self.heard {
            descriptors.push(PollFd::new(&stdin, PollFlags::IN));
        }
        if let Some(failures) = &self.failures {
            descriptors.push(PollFd::new(failures, PollFlags::IN));
        }
        // An error here is an interruption: looking at everything is harmless, the descriptors do not block.
        let again = if self.looks < HASTE { &AGAIN } else { &AGAIN_LATER };
        if rustix::event::poll(&mut descriptors, self.killing.then_some(again)).is_err() {
            return (false, true, self.failures.is_some());
        }
        let mut ready = descriptors.iter().map(|descriptor| !descriptor.revents().is_empty());
        let signals = ready.next().unwrap_or(false);
        let commands = self.heard && ready.next().unwrap_or(false);
        (commands, signals, self.failures.is_some() && ready.next().unwrap_or(false))
    }

    fn take_commands(&mut self) {
        let mut commands = [0; 16];
        let read = match rustix::io::read(rustix::stdio::stdin(), &mut commands) {
            Err(Errno::INTR | Errno::AGAIN) => return,
            Err(_) => 0,
            Ok(read) => read,
        };
        if read == 0 {
            self.heard = false;
            self.killing = true;
        }
        for command in &commands[..read] {
            match *command {
                wire::TERMINATE => self.asked = stop::terminate(self.app),
                wire::KILL => self.killing = true,
                _ => {}
            }
        }
    }

    /// Which signal it was does not matter: children are reaped and the parent looked at after every wake-up.
    fn take_signals(&mut self) {
        let mut drained = [0; 512];
        while matches!(rustix::io::read(&self.signals, &mut drained), Ok(read) if read > 0) {}
        if rustix::process::getppid() != Some(self.parent) {
            self.killing = true;
        }
    }

    /// What the fork tells: nothing before its end means that the program runs.
    fn take_failure(&mut self) {
        let Some(failures) = &self.failures else { return };
        let mut message = vec![0; 8192];
        let read = rustix::io::read(failures, &mut message);
        if matches!(read, Err(Errno::AGAIN | Errno::INTR)) {
            return;
        }
        self.failures = None;
        match read {
            Ok(length) if length > 0 => {
                self.failed = true;
                send(&message[..length]);
            }
            _ => send(&Reply::Started { pid: number(self.app) }.write()),
        }
    }

    /// Reaps what has ended; true when nothing is left.
    fn reap(&mut self) -> bool {
        loop {
            match rustix::process::wait(WaitOptions::NOHANG) {
                Ok(Some((pid, status))) => {
                    if status.signaled() && self.unclean.len() < UNCLEAN_MOST {
                        self.unclean.push(number(pid));
                    }
                    if pid == self.app {
                        self.app_ended(status);
                    }
                }
                Err(Errno::INTR) => {}
                Ok(None) => return false,
                Err(_) => return true,
            }
        }
    }

    fn app_ended(&mut self, status: WaitStatus) {
        // Its end of the pipe was closed before it could be reaped: the answer is there.
        self.take_failure();
        if self.failed {
            return;
        }
        let exit = match (status.exit_status(), status.terminating_signal()) {
            (Some(code), _) => Exit::Code(code),
            (None, Some(signal)) => Exit::Signal(signal),
            (None, None) => return,
        };
        send(&Reply::Exited(exit).write());
    }
}

fn number(pid: Pid) -> u32 {
    pid.as_raw_nonzero().get().unsigned_abs()
}

/// As .NET finds it: the app's TMPDIR, else /tmp.
fn temporary_folder(order: &Order) -> PathBuf {
    let set = order.environment.iter().find_map(|entry| entry.as_bytes().strip_prefix(b"TMPDIR="));
    let set = set.filter(|folder| folder.starts_with(b"/")).unwrap_or(b"/tmp");
    OsStr::from_bytes(set).into()
}

fn fail(stage: &str, error: Errno) {
    send(
        &Reply::Failed { stage: stage.to_owned(), errno: error.raw_os_error(), path: String::new() }.write(),
    );
}

/// A server that does not read any more, or is gone, is told nothing.
fn send(message: &[u8]) {
    let stdin = rustix::stdio::stdin();
    let _ = rustix::net::send(stdin.as_fd(), message, SendFlags::NOSIGNAL | SendFlags::DONTWAIT);
}
