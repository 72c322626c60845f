//! What we let in from outside: licences, banned packages, sources, default features, and a written reason
//! for each.
//!
//! The lists of licences and bans stand in `deny.toml` and are read from there, so that this check and
//! cargo-deny cannot disagree. This check needs nothing installed; cargo-deny adds its own where it is.

use std::collections::BTreeSet;

use crate::metadata::Metadata;
use crate::spdx;

/// Where packages may come from; anything else could change under us.
const CRATES_IO: &str = "registry+https://github.com/rust-lang/crates.io-index";

/// Dependencies that may keep their default features, each with its reason.
const DEFAULTS_WANTED: &[(&str, &str)] = &[];

/// What `deny.toml` says.
#[derive(Debug)]
pub(crate) struct Policy {
    licences: Vec<String>,
    banned: Vec<String>,
}

impl Policy {
    /// Reads the two lists out of the text of `deny.toml`.
    pub(crate) fn read(text: &str) -> Result<Self, String> {
        let licences = strings_in(text, "allow = [");
        let banned = strings_in(text, "deny = [");
        if licences.is_empty() || banned.is_empty() {
            return Err("deny.toml: cannot find `allow = [` and `deny = [` with something in them".to_owned());
        }
        Ok(Self { licences, banned })
    }

    /// The same of a package and of what is derived from it: `openssl` bans `openssl-sys` too.
    fn bans(&self, name: &str) -> bool {
        let derived =
            |ban: &String| name.strip_prefix(ban.as_str()).is_some_and(|rest| rest.starts_with('-'));
        self.banned.iter().any(|ban| ban == name || derived(ban))
    }
}

/// The first quoted string of each line of a list, up to its closing bracket; comments do not count.
fn strings_in(text: &str, opening: &str) -> Vec<String> {
    let Some((_, rest)) = text.split_once(&format!("\n{opening}\n")) else { return Vec::new() };
    let lines = rest.lines().map(str::trim).take_while(|line| *line != "]");
    lines
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split('"').nth(1))
        .map(str::to_owned)
        .collect()
}

/// Licences, bans and sources of everything in the lock file.
pub(crate) fn check_packages(metadata: &Metadata, policy: &Policy) -> Vec<String> {
    let mut wrong = Vec::new();
    for package in &metadata.packages {
        let name = format!("{} {}", package.name, package.version);
        match package.license.as_deref().map(|licence| spdx::satisfied(licence, &policy.licences)) {
            Some(Ok(true)) => {}
            Some(Ok(false)) => {
                let licence = package.license.as_deref().unwrap_or_default();
                wrong.push(format!("{name}: licence `{licence}` is not allowed by deny.toml"));
            }
            Some(Err(unreadable)) => wrong.push(format!("{name}: {unreadable}")),
            None => wrong.push(format!("{name}: names no licence")),
        }
        if policy.bans(&package.name) {
            wrong.push(format!("{name}: is banned by deny.toml"));
        }
        if package.source.as_deref().is_some_and(|source| source != CRATES_IO) {
            wrong.push(format!("{name}: does not come from crates.io"));
        }
        if package.source.is_none() && !package.member {
            wrong.push(format!("{name}: is a folder outside the workspace"));
        }
    }
    wrong
}

/// Default features of what our own manifests name.
pub(crate) fn check_features(metadata: &Metadata) -> Vec<String> {
    let mut wrong = Vec::new();
    for package in metadata.members() {
        for dependency in package.dependencies.iter().filter(|one| !one.member && one.default_features) {
            let name = dependency.name.as_str();
            if !DEFAULTS_WANTED.iter().any(|(wanted, _)| *wanted == name) {
                wrong.push(format!("{} → {name}: default-features = false is missing", package.name));
            }
        }
    }
    wrong
}

/// That every dependency has a row in docs/dependencies.md, and every row a dependency.
pub(crate) fn check_reasons(metadata: &Metadata, document: &str) -> Vec<String> {
    let used: BTreeSet<&str> = metadata
        .members()
        .flat_map(|package| &package.dependencies)
        .filter(|dependency| !dependency.member)
        .map(|dependency| dependency.name.as_str())
        .collect();
    let rows = document.lines().filter_map(|line| line.strip_prefix("| `")?.split_once("` |"));
    let reasons: Vec<(&str, &str)> = rows.collect();
    let mut wrong = Vec::new();
    for name in &used {
        if !reasons.iter().any(|(row, _)| row == name) {
            wrong.push(format!("{name}: docs/dependencies.md does not say why it is used"));
        }
    }
    for (name, reason) in reasons {
        if !used.contains(name) {
            wrong.push(format!("{name}: docs/dependencies.md explains it, but nothing uses it"));
        }
        if reason.trim_matches(['|', ' ']).is_empty() {
            wrong.push(format!("{name}: docs/dependencies.md gives no reason"));
        }
    }
    wrong
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metadata::{Dependency, Package};

    fn policy() -> Policy {
        Policy { licences: vec!["MIT".to_owned()], banned: vec!["ring".to_owned(), "openssl".to_owned()] }
    }

    fn package(name: &str) -> Package {
        Package {
            name: name.to_owned(),
            version: "1.0.0".to_owned(),
            license: Some("MIT".to_owned()),
            source: Some(CRATES_IO.to_owned()),
            ..Package::default()
        }
    }

    fn member(dependencies: &[(&str, bool)]) -> Metadata {
        let dependencies = dependencies.iter().map(|&(name, default_features)| Dependency {
            name: name.to_owned(),
            member: false,
            default_features,
        });
        let package = Package { member: true, dependencies: dependencies.collect(), ..package("ours") };
        Metadata { packages: vec![package], ..Metadata::default() }
    }

    #[test]
    fn the_real_policy_can_be_read() {
        let text = crate::command::read("deny.toml").expect("the repository has one");
        let policy = Policy::read(&text).expect("both lists");
        assert!(policy.licences.contains(&"MIT".to_owned()), "{policy:?}");
        assert!(policy.licences.iter().all(|licence| !licence.starts_with("GPL")), "{policy:?}");
        for name in ["ring", "openssl", "openssl-sys", "native-tls"] {
            assert!(policy.bans(name), "{name}");
        }
        assert!(!policy.bans("string") && !policy.bans("ringbuffer"), "a ban is of whole words");
    }

    #[test]
    fn a_policy_without_lists_is_an_error() {
        assert!(Policy::read("[licenses]\nallow = [\n]\n").is_err());
    }

    #[test]
    fn commented_lines_are_no_entries() {
        assert_eq!(
            strings_in("\nallow = [\n  # \"GPL\"\n  \"MIT\", # \"X\"\n]\n\"Y\"", "allow = ["),
            ["MIT"]
        );
    }

    #[test]
    fn each_bad_package_is_named() {
        let bad = [
            Package { license: Some("GPL-3.0-only".to_owned()), ..package("copyleft") },
            Package { license: None, ..package("nameless") },
            Package { license: Some("MIT OR".to_owned()), ..package("garbled") },
            package("openssl-sys"),
            Package { source: Some("git+https://example.com/x".to_owned()), ..package("forked") },
            Package { source: None, ..package("neighbour") },
        ];
        for package in bad {
            let name = package.name.clone();
            let metadata = Metadata { packages: vec![self::package("fine"), package], ..Metadata::default() };
            let found = check_packages(&metadata, &policy());
            assert!(found.len() == 1 && found[0].starts_with(&name), "{name}: {found:?}");
        }
    }

    #[test]
    fn default_features_need_a_reason() {
        assert_eq!(check_features(&member(&[("quiet", false)])), Vec::<String>::new());
        assert_eq!(check_features(&member(&[("loud", true)])).len(), 1);
    }

    #[test]
    fn reasons_and_dependencies_match_both_ways() {
        let metadata = member(&[("one", false), ("two", false)]);
        assert_eq!(check_reasons(&metadata, "| `one` | why |\n| `two` | why |"), Vec::<String>::new());
        assert!(check_reasons(&metadata, "| `one` | why |")[0].starts_with("two: "));
        assert!(check_reasons(&metadata, "| `one` | why |\n| `two` | |")[0].ends_with("gives no reason"));
        let stale = check_reasons(&metadata, "| `one` | why |\n| `two` | why |\n| `three` | why |");
        assert!(stale[0].starts_with("three: "), "{stale:?}");
    }
}
