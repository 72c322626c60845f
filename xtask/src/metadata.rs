//! What cargo knows of our packages and their dependencies, reduced to what the checks ask for.
//!
//! The only reader of `cargo metadata`; the checks see [`Metadata`].

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;

use serde_json::Value;

use crate::command::Call;

/// Every package that some build of ours uses, and who uses whom.
#[derive(Debug, Default)]
pub(crate) struct Metadata {
    pub(crate) packages: Vec<Package>,
    /// What ends up in a build: normal and build dependencies, without those that only the model checker
    /// gets (`cfg(loom)`). Indices into `packages`.
    pub(crate) built: Vec<(usize, usize)>,
    /// Where builds go.
    pub(crate) target: PathBuf,
}

/// One package.
#[derive(Debug, Default, Clone)]
pub(crate) struct Package {
    pub(crate) name: String,
    pub(crate) version: String,
    /// SPDX expression.
    pub(crate) license: Option<String>,
    /// Where it comes from; none for our own.
    pub(crate) source: Option<String>,
    /// Whether it is one of our own.
    pub(crate) member: bool,
    /// What its manifest names, of every kind.
    pub(crate) dependencies: Vec<Dependency>,
}

/// One line of a manifest.
#[derive(Debug, Default, Clone)]
pub(crate) struct Dependency {
    pub(crate) name: String,
    /// Whether it is one of our own packages.
    pub(crate) member: bool,
    pub(crate) default_features: bool,
}

impl Metadata {
    /// Asks cargo.
    pub(crate) fn load() -> Result<Self, String> {
        let text = Call::cargo(&["metadata", "--format-version", "1"]).capture()?;
        let value = serde_json::from_str(&text).map_err(|error| format!("cargo metadata: {error}"))?;
        Self::read(&value, &used_packages()?)
            .ok_or_else(|| "cargo metadata prints a shape that this tool does not know".to_owned())
    }

    /// Our own packages.
    pub(crate) fn members(&self) -> impl Iterator<Item = &Package> {
        self.packages.iter().filter(|package| package.member)
    }

    fn read(value: &Value, used: &HashSet<String>) -> Option<Self> {
        let members = value["workspace_members"].as_array()?;
        let mut index = HashMap::new();
        let mut packages = Vec::new();
        for package in value["packages"].as_array()? {
            let read = Package::read(package, members.contains(&package["id"]))?;
            if used.contains(&key(&read.name, &read.version)) {
                index.insert(package["id"].as_str()?, packages.len());
                packages.push(read);
            }
        }
        let mut built = Vec::new();
        for node in value["resolve"]["nodes"].as_array()? {
            let Some(&from) = index.get(node["id"].as_str()?) else { continue };
            for dependency in node["deps"].as_array()? {
                let to = index.get(dependency["pkg"].as_str()?);
                let is_built = dependency["dep_kinds"].as_array()?.iter().any(is_built);
                built.extend(to.filter(|_| is_built).map(|&to| (from, to)));
            }
        }
        let target = value["target_directory"].as_str()?.into();
        Some(Self { packages, built, target })
    }
}

impl Package {
    fn read(value: &Value, member: bool) -> Option<Self> {
        let text = |key: &str| value[key].as_str().map(str::to_owned);
        let dependencies = value["dependencies"].as_array()?.iter().map(Dependency::read);
        Some(Self {
            name: text("name")?,
            version: text("version")?,
            license: text("license"),
            source: text("source"),
            member,
            dependencies: dependencies.collect::<Option<_>>()?,
        })
    }
}

impl Dependency {
    fn read(value: &Value) -> Option<Self> {
        Some(Self {
            name: value["name"].as_str()?.to_owned(),
            member: value["source"].is_null(),
            default_features: value["uses_default_features"].as_bool()?,
        })
    }
}

/// Names and versions of what is compiled for some target, our tests included.
///
/// `cargo metadata` knows more: it takes a weak feature (`ring?/std`) for a dependency, and the lock file does
/// too. `cargo tree` resolves features as a build does.
fn used_packages() -> Result<HashSet<String>, String> {
    let edges = "--edges=normal,build,dev";
    let tree = Call::cargo(&["tree", "--workspace", "--target=all", edges, "--prefix=none", "--format={p}"]);
    let used: HashSet<String> = tree.capture()?.lines().filter_map(used_package).collect();
    if used.is_empty() { Err("cargo tree prints nothing".to_owned()) } else { Ok(used) }
}

/// Reads `name v1.2.3 (where it comes from)`.
fn used_package(line: &str) -> Option<String> {
    let mut words = line.split_whitespace();
    Some(key(words.next()?, words.next()?.strip_prefix('v')?))
}

fn key(name: &str, version: &str) -> String {
    format!("{name} {version}")
}

fn is_built(kind: &Value) -> bool {
    let target = kind["target"].as_str().unwrap_or("");
    kind["kind"] != "dev" && target != "cfg(loom)"
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_what_is_built_becomes_an_edge() {
        let package = |id: &str, source: Value| {
            json!({"id": id, "name": id, "version": "1.0.0", "license": "MIT", "source": source, "dependencies":
                [{"name": "other", "source": "registry+x", "uses_default_features": true}]})
        };
        let edge = |to: &str, kind: Value, target: Value| json!({"pkg": to, "dep_kinds": [{"kind": kind, "target": target}]});
        let used = ["a v1.0.0 (/somewhere)", "b v1.0.0", "b v1.0.0 (*)", ""]
            .into_iter()
            .filter_map(used_package)
            .collect();
        let metadata = Metadata::read(&json!({
            "workspace_members": ["a"],
            "target_directory": "/somewhere",
            "packages": [package("a", Value::Null), package("weak", json!("registry+x")), package("b", json!("registry+x"))],
            "resolve": {"nodes": [{"id": "a", "deps": [
                edge("b", Value::Null, json!("cfg(loom)")), edge("b", json!("dev"), Value::Null),
                edge("b", json!("build"), Value::Null), edge("b", Value::Null, json!("cfg(unix)")),
                edge("weak", Value::Null, Value::Null),
            ]}, {"id": "weak", "deps": []}]},
        }), &used)
        .expect("the shape that cargo prints");
        assert_eq!(metadata.built, [(0, 1), (0, 1)]);
        assert!(metadata.packages[0].member && !metadata.packages[1].member);
        assert_eq!(metadata.members().count(), 1);
        let dependency = &metadata.packages[0].dependencies[0];
        assert!(dependency.default_features && !dependency.member && dependency.name == "other");
    }

    #[test]
    fn an_unknown_shape_is_not_an_empty_graph() {
        assert!(Metadata::read(&json!({"packages": []}), &HashSet::new()).is_none());
    }
}
