//! Removes what a .NET process leaves in the folder of temporary files when it could not clean up.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

/// Removes the diagnostic sockets and debugger pipes of this process (`dotnet-diagnostic-PID-…`,
/// `clr-debug-pipe-PID-…`) from our own TMPDIR, or /tmp. For an app with a TMPDIR of its own use
/// [`sweep_diagnostics_in`].
pub fn sweep_diagnostics(pid: u32) {
    sweep_diagnostics_in(&std::env::temp_dir(), pid);
}

/// The same in another folder.
///
/// Only what belongs to our user is removed, and nothing while a process with this number is alive: it may be
/// a new one.
pub fn sweep_diagnostics_in(folder: &Path, pid: u32) {
    sweep(folder, &[pid]);
}

/// The same for many processes, with one look at the folder.
pub(super) fn sweep(folder: &Path, pids: &[u32]) {
    let us = rustix::process::geteuid().as_raw();
    let dead = |pid: &&u32| !Path::new(&format!("/proc/{pid}")).exists();
    let prefixes: Vec<_> = pids
        .iter()
        .filter(dead)
        .flat_map(|pid| [format!("dotnet-diagnostic-{pid}-"), format!("clr-debug-pipe-{pid}-")])
        .collect();
    if prefixes.is_empty() {
        return;
    }
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let left = name.to_str().is_some_and(|name| prefixes.iter().any(|prefix| name.starts_with(prefix)));
        // Metadata of the entry itself: a link is judged by its own owner and removed, never followed.
        if left && entry.metadata().is_ok_and(|metadata| metadata.uid() == us && !metadata.is_dir()) {
            let _ = fs::remove_file(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_files_of_that_dead_process_go() {
        let folder = std::env::temp_dir().join(format!("leftovers-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        // Above the largest number that Linux gives to a process.
        let (dead, alive) = (4_194_305_u32, std::process::id());
        let left = [format!("dotnet-diagnostic-{dead}-123-socket"), format!("clr-debug-pipe-{dead}-123-in")];
        let kept = [
            format!("dotnet-diagnostic-{dead}0-123-socket"),
            format!("clr-debug-pipe-{alive}-1-out"),
            format!("other-{dead}-1"),
        ];
        for name in left.iter().chain(&kept) {
            fs::write(folder.join(name), "").unwrap();
        }
        sweep_diagnostics_in(&folder, dead);
        sweep_diagnostics_in(&folder, alive);
        let there = |name: &String| folder.join(name).exists();
        let (left, kept) =
            (left.iter().filter(|name| there(name)).count(), kept.iter().filter(|name| there(name)).count());
        fs::remove_dir_all(&folder).unwrap();
        assert_eq!((left, kept), (0, 3));
    }
}
