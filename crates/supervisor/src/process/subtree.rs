//! Who descends from whom, and who holds which socket, as /proc shows it.
//!
//! A walk over parents instead of `task/*/children`: that file is missing on kernels without
//! CONFIG_PROC_CHILDREN. The keeper's own entry may be hidden (it is not dumpable), its children's are not.

use std::collections::HashMap;
use std::fs;
use std::net::SocketAddr;
use std::os::unix::ffi::OsStrExt as _;

use crate::process::proctcp;

/// One process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Process {
    pub(super) pid: u32,
    pub(super) parent: u32,
    pub(super) group: u32,
}

/// Every process that /proc shows.
pub(super) fn processes() -> impl Iterator<Item = Process> {
    pids().filter_map(read)
}

fn pids() -> impl Iterator<Item = u32> {
    fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

fn read(pid: u32) -> Option<Process> {
    let line = fs::read(format!("/proc/{pid}/stat")).ok()?;
    // The name stands in brackets and may itself hold brackets and blanks: the fields follow the last one.
    let fields = &line[line.iter().rposition(|&byte| byte == b')')? + 1..];
    let mut fields = str::from_utf8(fields).ok()?.split_ascii_whitespace();
    let parent = fields.nth(1)?.parse().ok()?;
    let group = fields.next()?.parse().ok()?;
    Some(Process { pid, parent, group })
}

/// The descendants of `root` without itself, nearest first.
pub(super) fn descendants(root: u32) -> Vec<Process> {
    let mut children: HashMap<u32, Vec<Process>> = HashMap::new();
    for process in processes() {
        children.entry(process.parent).or_default().push(process);
    }
    let mut found = children.remove(&root).unwrap_or_default();
    let mut next = 0;
    while next < found.len() {
        let below = children.remove(&found[next].pid).unwrap_or_default();
        found.extend(below);
        next += 1;
    }
    found
}

/// The nearest descendant of `root` that holds the socket with this inode.
pub(super) fn owner(root: u32, inode: u32) -> Option<u32> {
    descendants(root).into_iter().map(|process| process.pid).find(|&pid| holds(pid, inode))
}

/// Any process that holds the socket with this inode, as far as we may look.
pub(super) fn owner_anywhere(inode: u32) -> Option<u32> {
    pids().find(|&pid| holds(pid, inode))
}

/// Whether this process has the socket open. False where we may not look.
pub(super) fn holds(pid: u32, inode: u32) -> bool {
    sockets(pid).any(|held| held == inode)
}

fn sockets(pid: u32) -> impl Iterator<Item = u32> {
    let descriptors = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
    descriptors.filter_map(|entry| {
        let target = fs::read_link(entry.path()).ok()?;
        let inode = target.as_os_str().as_bytes().strip_prefix(b"socket:[")?.strip_suffix(b"]")?;
        str::from_utf8(inode).ok()?.parse().ok()
    })
}

/// Where the descendants of `root` listen, in the order of the system's tables.
pub(super) fn listening_addresses(root: u32) -> Vec<SocketAddr> {
    let held: Vec<u32> = descendants(root).into_iter().flat_map(|process| sockets(process.pid)).collect();
    let listeners = proctcp::listeners().into_iter();
    listeners.filter(|listener| held.contains(&listener.inode)).map(|listener| listener.address).collect()
}

/// The short name of a process (`comm`).
pub(super) fn name(pid: u32) -> Option<String> {
    let name = fs::read(format!("/proc/{pid}/comm")).ok()?;
    Some(String::from_utf8_lossy(&name).trim_end().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::kept_port::KeptPort;

    #[test]
    fn this_process_descends_from_its_parent_and_holds_its_listener() {
        let me = std::process::id();
        let parent = std::os::unix::process::parent_id();
        let found =
            descendants(parent).into_iter().find(|process| process.pid == me).expect("a child of its parent");
        assert_eq!(found.parent, parent);
        assert!(descendants(me).iter().all(|process| process.pid != me));

        let port = KeptPort::of("127.0.0.1");
        let (address, _listener) = (port.address, port.listen());
        let row = proctcp::listeners().into_iter().find(|row| row.address == address).expect("it listens");
        assert!(holds(me, row.inode));
        assert_eq!(owner(parent, row.inode), Some(me));
        assert_eq!(owner(me, row.inode), None, "a process is not its own descendant");
        assert!(listening_addresses(parent).contains(&address));
    }

    #[test]
    fn nobody_descends_from_nobody() {
        assert_eq!(descendants(u32::MAX), []);
        assert!(!holds(u32::MAX, 1));
        assert_eq!(name(u32::MAX), None);
    }
}
