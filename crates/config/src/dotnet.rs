//! Which `dotnet` of this machine: every place where one is installed, in order, and the first whose `shared/`
//! has what the app wants.

use std::path::{Path, PathBuf};

use contract::DOTNET_ROOT;

use crate::input::{Files, Input};
use crate::paths;
use crate::runtimeconfig::{Framework, RollForward, RuntimeConfig, Version};

/// One installation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Dotnet {
    /// The executable, as found.
    pub(crate) path: PathBuf,
    /// The folder that holds `shared/`, without symlinks.
    pub(crate) root: PathBuf,
}

/// Where .NET was looked for and what was found: for people who wonder why it is this one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DotnetSearch {
    /// The `dotnet` that was taken.
    pub used: Option<PathBuf>,
    /// Every place that was looked at, in order.
    pub looked: Vec<PathBuf>,
    /// Every installation, in the same order: its root, and the versions of each shared framework.
    pub installed: Vec<(PathBuf, Vec<InstalledFramework>)>,
    /// What the app asks for: names with versions. Empty when that is not known.
    pub wanted: Vec<String>,
    /// What of it no installation has.
    pub lacking: Option<String>,
}

/// One shared framework of an installation, and its versions, lowest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstalledFramework {
    /// `Microsoft.AspNetCore.App`.
    pub name: String,
    /// `8.0.11`, `10.0.0`.
    pub versions: Vec<String>,
}

/// What a search found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Found {
    /// The first that satisfies, else the first of all, so that the app's own host can say what is wrong.
    pub(crate) dotnet: Option<Dotnet>,
    /// What was wanted and is nowhere, and what is there instead.
    pub(crate) lacking: Option<(String, String)>,
}

/// Every installation, best first: the path that was named, `DOTNET_ROOT` of the app, then the machine's.
pub(crate) fn installed(
    named: Option<PathBuf>,
    root: Option<&str>,
    input: &Input,
    files: &dyn Files,
) -> (Vec<Dotnet>, Vec<PathBuf>) {
    let mut paths: Vec<PathBuf> = named.into_iter().collect();
    let roots = root.into_iter().chain(input.variable(DOTNET_ROOT)).filter(|root| root.starts_with('/'));
    paths.extend(roots.map(|root| Path::new(root).join("dotnet")));
    paths.extend(search_path(input).map(|folder| folder.join("dotnet")));
    paths.extend(registered(files));
    for root in ["/usr/lib/dotnet", "/usr/share/dotnet", "/usr/local/share/dotnet"] {
        paths.push(Path::new(root).join("dotnet"));
    }
    let mut snaps = files.list(Path::new("/snap"));
    snaps.retain(|name| name.starts_with("dotnet"));
    // The names end in the version: the newest first.
    snaps.sort_by(|left, right| right.cmp(left));
    paths.extend(snaps.iter().map(|name| Path::new("/snap").join(name).join("current/dotnet")));
    let home = input.variable("HOME").filter(|home| home.starts_with('/'));
    paths.extend(home.map(|home| Path::new(home).join(".dotnet/dotnet")));

    let mut looked: Vec<PathBuf> = Vec::new();
    for path in paths {
        if !looked.contains(&path) {
            looked.push(path);
        }
    }
    let mut installed: Vec<Dotnet> = Vec::new();
    for path in looked.iter().filter(|path| paths::is_executable(path, files)) {
        let real = files.real(path);
        let root = real.parent().unwrap_or(Path::new("/")).to_owned();
        if !installed.iter().any(|other| other.root == root) {
            installed.push(Dotnet { path: path.clone(), root });
        }
    }
    (installed, looked)
}

/// The whole search, for people.
pub(crate) fn describe(
    (installed, looked): (&[Dotnet], Vec<PathBuf>),
    wanted: Option<&RuntimeConfig>,
    found: &Found,
    files: &dyn Files,
) -> DotnetSearch {
    let inventory = |dotnet: &Dotnet| {
        let mut names = files.list(&dotnet.root.join("shared"));
        names.sort();
        let frameworks = names.into_iter().map(|name| {
            let versions = versions(&dotnet.root, &name, files).iter().map(ToString::to_string).collect();
            InstalledFramework { name, versions }
        });
        (dotnet.root.clone(), frameworks.collect())
    };
    let frameworks = wanted.map(|wanted| wanted.frameworks.as_slice()).unwrap_or_default();
    DotnetSearch {
        used: found.dotnet.as_ref().map(|dotnet| dotnet.path.clone()),
        looked,
        installed: installed.iter().map(inventory).collect(),
        wanted: frameworks.iter().map(|one| format!("{} {}", one.name, one.version)).collect(),
        lacking: found.lacking.as_ref().map(|(lacking, _)| lacking.clone()),
    }
}

/// Absolute folders of PATH. A relative one would mean another folder for the app than for us.
pub(crate) fn search_path(input: &Input) -> impl Iterator<Item = &Path> {
    let path = input.variable("PATH").unwrap_or("/usr/local/bin:/usr/bin:/bin");
    path.split(':').map(Path::new).filter(|folder| folder.is_absolute())
}

/// `/etc/dotnet/install_location` and its twin for this kind of processor, which counts first.
fn registered(files: &dyn Files) -> impl Iterator<Item = PathBuf> {
    let processor = match std::env::consts::ARCH {
        "x86_64" => "x64",
        "aarch64" => "arm64",
        other => other,
    };
    [format!("/etc/dotnet/install_location_{processor}"), "/etc/dotnet/install_location".to_owned()]
        .into_iter()
        .filter_map(|file| files.read(Path::new(&file), 4096).ok())
        .filter_map(|bytes| String::from_utf8(bytes).ok())
        .filter_map(|text| text.lines().next().map(|line| PathBuf::from(line.trim())))
        .filter(|root| root.is_absolute())
        .map(|root| root.join("dotnet"))
}

/// The first installation that has all that is wanted. Without knowledge of what is wanted: the first that has
/// frameworks at all.
pub(crate) fn choose(
    installed: &[Dotnet],
    wanted: Option<&RuntimeConfig>,
    roll_forward: Option<RollForward>,
    files: &dyn Files,
) -> Found {
    let Some(wanted) = wanted else {
        let shared = |dotnet: &&Dotnet| !files.list(&dotnet.root.join("shared")).is_empty();
        return Found { dotnet: installed.iter().find(shared).or(installed.first()).cloned(), lacking: None };
    };
    let rule = roll_forward.unwrap_or(wanted.roll_forward);
    let lacks = |dotnet: &Dotnet, framework: &&Framework| {
        !versions(&dotnet.root, &framework.name, files)
            .iter()
            .any(|version| rule.accepts(&framework.version, version))
    };
    let satisfies = |dotnet: &&Dotnet| !wanted.frameworks.iter().any(|framework| lacks(dotnet, &framework));
    if let Some(dotnet) = installed.iter().find(satisfies) {
        return Found { dotnet: Some(dotnet.clone()), lacking: None };
    }
    let lacking = |framework: &&Framework| installed.iter().all(|dotnet| lacks(dotnet, framework));
    let mut names: Vec<&Framework> = wanted.frameworks.iter().filter(lacking).collect();
    if names.is_empty() {
        // Each one is somewhere, but nowhere are all of them together.
        names = wanted.frameworks.iter().collect();
    }
    let text: Vec<String> =
        names.iter().map(|framework| format!("{} {}", framework.name, framework.version)).collect();
    let there = inventory(installed, &names, files);
    Found { dotnet: installed.first().cloned(), lacking: Some((text.join(" and "), there)) }
}

fn versions(root: &Path, framework: &str, files: &dyn Files) -> Vec<Version> {
    let names = files.list(&root.join("shared").join(framework));
    let mut versions: Vec<Version> = names.iter().filter_map(|name| Version::read(name)).collect();
    versions.sort();
    versions
}

fn inventory(installed: &[Dotnet], wanted: &[&Framework], files: &dyn Files) -> String {
    let mut lines = Vec::new();
    for dotnet in installed {
        for framework in wanted {
            let versions: Vec<String> =
                versions(&dotnet.root, &framework.name, files).iter().map(ToString::to_string).collect();
            let list = if versions.is_empty() { "no version".to_owned() } else { versions.join(", ") };
            lines.push(format!("{} has {list} of {}", dotnet.root.display(), framework.name));
        }
    }
    lines.join("; ")
}
