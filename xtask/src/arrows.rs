//! Which room may depend on which: the table of ARCHITECTURE.md as data, and its proof.
//!
//! One convenient import is how a clean house becomes a mess, so a new arrow needs a change of this table,
//! which a reviewer sees.

use std::collections::VecDeque;

use crate::metadata::Metadata;

/// One of our packages.
struct Room {
    name: &'static str,
    /// Our own packages that its manifest may name, in tests too.
    may_use: &'static [&'static str],
    /// Packages that may not be reached from it at all.
    never_below: &'static [&'static str],
    /// Packages that its own code may not name, though a room below it may.
    never_itself: &'static [&'static str],
}

/// Runtimes, and what speaks to sockets or processes.
const ASYNC: &[&str] =
    &["tokio", "mio", "futures", "futures-util", "async-trait", "hyper", "h2", "axum", "tower"];
/// What reads or writes HTTP.
const HTTP: &[&str] = &["http1", "httparse", "http", "hyper", "h2", "h3", "axum", "tungstenite", "clap"];
/// What reads configuration or the command line.
const TEXT: &[&str] = &["clap", "roxmltree", "toml", "serde_json"];

const ROOMS: &[Room] = &[
    Room { name: "contract", may_use: &[], never_below: ASYNC, never_itself: TEXT },
    Room {
        name: "http1",
        may_use: &[],
        never_below: &["tokio", "mio", "rustix", "libc", "clap"],
        never_itself: TEXT,
    },
    Room {
        name: "config",
        may_use: &["contract"],
        never_below: ASYNC,
        never_itself: &["clap", "rustix", "http1"],
    },
    Room { name: "supervisor", may_use: &["contract", "config"], never_below: HTTP, never_itself: TEXT },
    Room {
        name: "proxy",
        may_use: &["contract", "config", "http1", "supervisor"],
        never_below: &["clap", "hyper", "axum"],
        never_itself: TEXT,
    },
    Room {
        name: "falconer",
        may_use: &["contract", "config", "http1", "supervisor", "proxy", "integration"],
        never_below: &[],
        never_itself: &["roxmltree"],
    },
    // It lives inside other people's programs, so it brings as little as it can.
    Room {
        name: "integration",
        may_use: &["contract"],
        never_below: &["http1", "rustix", "clap"],
        never_itself: TEXT,
    },
    Room { name: "axum-app", may_use: &["integration"], never_below: &["clap"], never_itself: &[] },
    Room { name: "e2e", may_use: &["contract"], never_below: &[], never_itself: &[] },
    Room { name: "xtask", may_use: &[], never_below: &["tokio"], never_itself: &[] },
];

/// Every forbidden arrow, as sentences.
pub(crate) fn check(metadata: &Metadata) -> Vec<String> {
    check_against(ROOMS, metadata)
}

fn check_against(rooms: &[Room], metadata: &Metadata) -> Vec<String> {
    let mut wrong = Vec::new();
    for (at, package) in metadata.packages.iter().enumerate().filter(|(_, package)| package.member) {
        let Some(room) = rooms.iter().find(|room| room.name == package.name) else {
            wrong.push(format!("{} stands in no row of the table of rooms", package.name));
            continue;
        };
        for dependency in &package.dependencies {
            let (name, forbidden) = (dependency.name.as_str(), dependency.member);
            if forbidden && !room.may_use.contains(&name) {
                wrong.push(format!("{} → {name}: this arrow is not in the table", room.name));
            }
        }
        let built = metadata.built.iter().filter(|(from, _)| *from == at);
        for name in built.map(|&(_, to)| metadata.packages[to].name.as_str()) {
            if room.never_itself.contains(&name) {
                wrong.push(format!("{} → {name}: this room must not know it", room.name));
            }
        }
        wrong.extend(
            paths_below(metadata, at, room.never_below)
                .into_iter()
                .map(|path| format!("{path}: must not be reached from this room")),
        );
    }
    wrong
}

/// The shortest way to each package that must not be reached.
fn paths_below(metadata: &Metadata, start: usize, never: &[&str]) -> Vec<String> {
    let mut came_from = vec![None; metadata.packages.len()];
    let mut waiting = VecDeque::from([start]);
    let mut found = Vec::new();
    while let Some(at) = waiting.pop_front() {
        if never.contains(&metadata.packages[at].name.as_str()) {
            found.push(path_to(metadata, &came_from, at));
        }
        for &(_, to) in metadata.built.iter().filter(|(from, _)| *from == at) {
            if to != start && came_from[to].is_none() {
                came_from[to] = Some(at);
                waiting.push_back(to);
            }
        }
    }
    found
}

fn path_to(metadata: &Metadata, came_from: &[Option<usize>], end: usize) -> String {
    let way = std::iter::successors(Some(end), |&at| came_from[at]);
    let mut names: Vec<&str> = way.map(|at| metadata.packages[at].name.as_str()).collect();
    names.reverse();
    names.join(" → ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metadata::{Dependency, Package};

    /// Packages by name, ours first; arrows by name.
    fn world(ours: &[&str], others: &[&str], arrows: &[(&str, &str)]) -> Metadata {
        let names: Vec<&str> = ours.iter().chain(others).copied().collect();
        let index = |name: &str| names.iter().position(|have| *have == name).expect("a known name");
        let package = |&name: &&str| Package {
            name: name.to_owned(),
            member: ours.contains(&name),
            dependencies: arrows
                .iter()
                .filter(|(from, _)| *from == name)
                .map(|(_, to)| Dependency {
                    name: (*to).to_owned(),
                    member: ours.contains(to),
                    default_features: false,
                })
                .collect(),
            ..Package::default()
        };
        Metadata {
            packages: names.iter().map(package).collect(),
            built: arrows.iter().map(|(from, to)| (index(from), index(to))).collect(),
            ..Metadata::default()
        }
    }

    #[test]
    fn the_house_as_drawn_is_allowed() {
        let arrows = [
            ("config", "contract"),
            ("config", "roxmltree"),
            ("supervisor", "config"),
            ("supervisor", "tokio"),
            ("proxy", "supervisor"),
            ("proxy", "http1"),
            ("proxy", "tokio"),
            ("falconer", "proxy"),
            ("falconer", "clap"),
            ("http1", "memchr"),
        ];
        let ours = ["contract", "http1", "config", "supervisor", "proxy", "falconer"];
        let found = check(&world(&ours, &["tokio", "clap", "roxmltree", "memchr"], &arrows));
        assert_eq!(found, Vec::<String>::new());
    }

    #[test]
    fn every_kind_of_forbidden_arrow_is_named() {
        for (ours, others, arrows, expected) in [
            (
                &["contract", "http1"][..],
                &[][..],
                &[("http1", "contract")][..],
                "http1 → contract: this arrow",
            ),
            (&["http1"], &["tokio"], &[("http1", "tokio")], "http1 → tokio: must not be reached"),
            (
                &["http1"],
                &["nice", "tokio"],
                &[("http1", "nice"), ("nice", "tokio")],
                "http1 → nice → tokio: must",
            ),
            (&["config"], &["tokio"], &[("config", "tokio")], "config → tokio: must not be reached"),
            (&["proxy"], &["roxmltree"], &[("proxy", "roxmltree")], "proxy → roxmltree: this room"),
            (&["proxy"], &["x", "clap"], &[("proxy", "x"), ("x", "clap")], "proxy → x → clap: must not"),
            (&["supervisor"], &["httparse"], &[("supervisor", "httparse")], "supervisor → httparse: must"),
            (&["supervisor", "http1"], &[], &[("supervisor", "http1")], "supervisor → http1: this arrow"),
            (&["e2e", "falconer"], &[], &[("e2e", "falconer")], "e2e → falconer: this arrow"),
            (&["attic"], &[], &[], "attic stands in no row"),
        ] {
            let found = check(&world(ours, others, arrows));
            assert!(found.iter().any(|line| line.starts_with(expected)), "{expected}: {found:?}");
        }
    }

    #[test]
    fn a_circle_of_packages_ends() {
        let found = check(&world(&["http1"], &["a", "b"], &[("http1", "a"), ("a", "b"), ("b", "a")]));
        assert_eq!(found, Vec::<String>::new());
    }
}
