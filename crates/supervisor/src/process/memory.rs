//! How much memory the processes of one worker hold for themselves.
//!
//! IIS counts private bytes: what a process has written, not what it maps of files, which the system takes back when it
//! needs the room. So pages that are clean are left out, and those that were swapped out are not.

use std::fs;

use crate::process::ownership::KeptListeners;
use crate::process::subtree;

/// The private bytes of everything that a worker has started, together; none when it is gone or nothing of it can be
/// looked at. Walks through /proc and the page tables of each process, which blocks for milliseconds: once a minute
/// and on a thread that may.
#[must_use]
pub fn private_memory(listeners: &KeptListeners) -> Option<u64> {
    let keeper = listeners.keeper()?;
    let each = subtree::descendants(keeper).into_iter().filter_map(|process| of_process(process.pid));
    let sum = each.fold(None, |sum: Option<u64>, bytes| Some(sum.unwrap_or(0).saturating_add(bytes)));
    // It may have ended meanwhile, and its number be another's.
    sum.filter(|_| listeners.keeper().is_some())
}

/// One that ended meanwhile has none. Where its pages may not be looked at, what everybody may know is close to it.
fn of_process(pid: u32) -> Option<u64> {
    let read = |file: &str| fs::read_to_string(format!("/proc/{pid}/{file}")).ok();
    let exact =
        read("smaps_rollup").and_then(|text| sum(&text, &["Private_Dirty", "Private_Hugetlb", "SwapPss"]));
    exact.or_else(|| sum(&read("status")?, &["RssAnon", "VmSwap"]))
}

/// The sum of these lines, in bytes; none when the first one is not there.
fn sum(text: &str, names: &[&str]) -> Option<u64> {
    let value = |name: &str| -> Option<u64> {
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
        let kib: u64 = line.trim().strip_suffix("kB")?.trim_end().parse().ok()?;
        kib.checked_mul(1024)
    };
    value(names.first()?)?;
    Some(names.iter().filter_map(|name| value(name)).fold(0, u64::saturating_add))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_summed_and_the_first_must_be_there() {
        let text = "55f0-7ffc ---p 00000000 00:00 0 [rollup]\nRss:   9000 kB\nPrivate_Clean:  700 kB\n\
            Private_Dirty:   20 kB\nPrivate_Hugetlb: 2048 kB\nSwapPss:  4 kB\nSwap: 99 kB\n";
        assert_eq!(sum(text, &["Private_Dirty", "Private_Hugetlb", "SwapPss"]), Some(2072 << 10));
        assert_eq!(sum(text, &["Private_Dirty", "Missing"]), Some(20 << 10));
        assert_eq!(sum(text, &["Missing", "Private_Dirty"]), None);
        assert_eq!(sum("RssAnon:\t  12 kB\nVmSwap:\t 1 kB\n", &["RssAnon", "VmSwap"]), Some(13 << 10));
        assert_eq!(sum("RssAnon:\t  x kB\n", &["RssAnon"]), None);
    }

    #[test]
    fn what_is_written_counts() {
        let me = std::process::id();
        let before = of_process(me).expect("we may look at ourselves");
        let written = vec![1_u8; 64 << 20];
        let after = of_process(me).expect("we may look at ourselves");
        assert!(after >= before + (60 << 20), "{before} and {after}");
        drop(written);
        assert_eq!(of_process(u32::MAX), None);
    }

    #[test]
    fn nobody_holds_nothing() {
        assert_eq!(private_memory(&KeptListeners::any()), None);
        assert_eq!(private_memory(&KeptListeners::of(u32::MAX)), None);
        let parent = KeptListeners::of(std::os::unix::process::parent_id());
        assert!(private_memory(&parent).is_some_and(|bytes| bytes > 0));
        parent.retire();
        assert_eq!(private_memory(&parent), None);
    }
}
