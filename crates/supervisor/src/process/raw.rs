//! Every unsafe line of this room: forking, executing, signal dispositions. All of it is called by the keeper,
//! which is single-threaded, except [`default_child_signal`], which the server calls before it has threads,
//! [`register`], which the server calls for pidfds, [`unshare_network`], which its spawning thread calls, and [`schedule_as_batch`],
//! which each data thread calls.
//!
//! No decision is taken here: each function is one system call with its arguments made safe.
#![allow(unsafe_code)] // No safe crate offers fork, execve, dispositions and signalfd; tokio's registration asks for a promise.

use std::ffi::CString;
use std::io;
use std::os::fd::{FromRawFd as _, OwnedFd};

use rustix::io::Errno;
use rustix::process::Pid;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// Which side of a fork this is.
#[derive(Debug)]
pub(super) enum Forked {
    /// The new process.
    Child,
    /// The old one, with the new one's id.
    Parent(Pid),
}

/// Copies this process, which must have one thread only.
pub(super) fn fork() -> Result<Forked, Errno> {
    // SAFETY: the keeper has one thread, so no lock can be held by a thread that the copy lacks.
    let pid = unsafe { libc::fork() };
    match pid {
        -1 => Err(last_error()),
        0 => Ok(Forked::Child),
        pid => Ok(Forked::Parent(Pid::from_raw(pid).ok_or(Errno::CHILD)?)),
    }
}

/// Becomes another program. Returns only when it could not.
pub(super) fn execve(path: &CString, arguments: &[CString], environment: &[CString]) -> Errno {
    let pointers = |texts: &[CString]| -> Vec<*const libc::c_char> {
        texts.iter().map(|text| text.as_ptr()).chain(std::iter::once(std::ptr::null())).collect()
    };
    let (arguments, environment) = (pointers(arguments), pointers(environment));
    // SAFETY: all three point to NUL-terminated strings, the two lists end with a null pointer, and their
    // owners are borrowed until this returns.
    unsafe { libc::execve(path.as_ptr(), arguments.as_ptr(), environment.as_ptr()) };
    last_error()
}

/// Ends this process without running what the forked copy inherited: no destructors, no buffers flushed twice.
pub(super) fn exit_now(code: i32) -> ! {
    // SAFETY: it takes a number and does not return.
    unsafe { libc::_exit(code) }
}

/// Ignores a signal; survives an exec, so a child undoes it with [`default_signals`].
pub(super) fn ignore_signal(signal: libc::c_int) {
    // SAFETY: SIG_IGN is a valid disposition and runs no code of ours.
    unsafe { libc::signal(signal, libc::SIG_IGN) };
}

/// Takes ended children as the system's default does: they stay until they are waited for. A server that was
/// started with SIGCHLD ignored would otherwise lose every exit status.
pub(super) fn default_child_signal() {
    // SAFETY: SIG_DFL is a valid disposition and runs no code of ours.
    unsafe { libc::signal(libc::SIGCHLD, libc::SIG_DFL) };
}

/// Every disposition back to the default and nothing blocked, as a program expects to be started. Not through
/// the C library: it refuses the two signals that it keeps for its threads, which may be inherited as ignored.
pub(super) fn default_signals() {
    // The kernel's `struct sigaction`, all zero: SIG_DFL, no flags, nothing masked.
    let default = [0_u64; 4];
    let mask_size = size_of::<u64>();
    for signal in 1..=64 {
        // SAFETY: the kernel reads a structure of at most this size and writes none; no handler is installed.
        unsafe {
            libc::syscall(
                libc::SYS_rt_sigaction,
                signal,
                default.as_ptr(),
                std::ptr::null_mut::<u64>(),
                mask_size,
            )
        };
    }
    set_mask(&[]);
}

/// Blocks these signals and returns a descriptor that is readable while one of them waits.
pub(super) fn signal_descriptor(signals: &[libc::c_int]) -> Result<OwnedFd, Errno> {
    let set = set_mask(signals);
    // SAFETY: the set is initialised; -1 asks for a new descriptor.
    let descriptor = unsafe { libc::signalfd(-1, &raw const set, libc::SFD_CLOEXEC | libc::SFD_NONBLOCK) };
    if descriptor == -1 {
        return Err(last_error());
    }
    // SAFETY: the call has just opened it, nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(descriptor) })
}

fn set_mask(signals: &[libc::c_int]) -> libc::sigset_t {
    let mut set = std::mem::MaybeUninit::uninit();
    // SAFETY: sigemptyset initialises the set before anything reads it; the numbers are valid signals.
    unsafe {
        libc::sigemptyset(set.as_mut_ptr());
        for &signal in signals {
            libc::sigaddset(set.as_mut_ptr(), signal);
        }
        libc::sigprocmask(libc::SIG_SETMASK, set.as_ptr(), std::ptr::null_mut());
        set.assume_init()
    }
}

/// Closes every descriptor but the standard ones: for a process that owns none of them yet.
pub(super) fn close_strangers() {
    // SAFETY: the keeper calls this first, before it has opened anything that is owned.
    unsafe { libc::syscall(libc::SYS_close_range, 3_u32, u32::MAX, 0_u32) };
}

/// Marks every descriptor but the standard ones to be closed by the next exec.
pub(super) fn close_strangers_on_exec() {
    // SAFETY: the flag only marks descriptors, it closes none.
    unsafe { libc::syscall(libc::SYS_close_range, 3_u32, u32::MAX, libc::CLOSE_RANGE_CLOEXEC) };
}

/// Lets a woken thread of this kind wait for its turn instead of interrupting who runs. Leaves a policy that the
/// operator chose alone; where the system refuses, only speed is lost.
pub(super) fn schedule_as_batch() {
    let parameters = libc::sched_param { sched_priority: 0 };
    // SAFETY: 0 is the calling thread, and the parameters live until the call returns.
    unsafe {
        if libc::sched_getscheduler(0) == libc::SCHED_OTHER {
            libc::sched_setscheduler(0, libc::SCHED_BATCH, &raw const parameters);
        }
    }
}

/// Leaves the network of this process for a new one, the calling thread alone.
pub(super) fn unshare_network() -> Result<(), Errno> {
    // SAFETY: a network is nothing that other threads share memory by; what must be a process's own whole, such as its
    // descriptors, is not touched.
    unsafe { rustix::thread::unshare_unsafe(rustix::thread::UnshareFlags::NEWNET) }
}

/// Lets the runtime that this is called in wait until a descriptor is readable.
pub(super) fn register(descriptor: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    // SAFETY: an owned descriptor is open and stays the same for as long as it is owned, and nothing takes it
    // out of the registration.
    Ok(unsafe { AsyncFd::register_with_interest(descriptor, Interest::READABLE) }?)
}

fn last_error() -> Errno {
    io::Error::last_os_error().raw_os_error().map_or(Errno::IO, Errno::from_raw_os_error)
}
