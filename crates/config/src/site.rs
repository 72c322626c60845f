//! Where the app lies in its site: the folders whose web.config counts for it, and the path that follows from them.
//! Nothing above the app is looked at unless the operator names the site's root.

use std::path::{Component, Path, PathBuf};

use crate::code::Code;
use crate::diagnostic::Place;
use crate::input::{Files, Input, Kind};
use crate::own::Own;
use crate::report::{Report, Spanned};
use crate::webconfig::{self, Source, WebConfig};

/// The way from the root of the site to the app.
#[derive(Debug)]
pub(crate) struct Tree {
    /// The root first, the app's own folder last; that one alone where no root was named.
    folders: Vec<PathBuf>,
    /// The names below the root: one less than there are folders.
    names: Vec<String>,
    /// The root without symlinks: what is inherited lies in it.
    root: Option<PathBuf>,
}

/// The tree of this app; none when the root is wrong (and reported).
pub(crate) fn locate(input: &Input, own: &Own, files: &dyn Files, report: &mut Report) -> Option<Tree> {
    let alone = || Tree { folders: vec![input.folder.clone()], names: Vec::new(), root: None };
    let Some(Spanned { value: root, place }) = &own.site_root else { return Some(alone()) };
    let mut refuse = |message: String, hint: &str| {
        report.error(Code::BadSiteRoot, place, message).hint(hint);
        None
    };
    let shown = root.display();
    if files.kind(root) != Some(Kind::Folder) {
        return refuse(
            format!("the site root {shown} is not a folder"),
            "name the folder of the site above the app",
        );
    }
    let real = files.real(root);
    // As the operator names them, so that the path stays when a symlink on the way leads elsewhere.
    let lexical = below(&input.folder, root).map(|names| (root.clone(), names));
    let found = lexical.or_else(|| Some((real.clone(), below(&files.real(&input.folder), &real)?)));
    let Some((top, names)) = found else {
        let message = format!("{} does not lie in the site root {shown}", input.folder.display());
        return refuse(message, "name a folder above the app, or leave the site root out");
    };
    let mut folders = vec![top];
    for name in &names {
        let next = folders.last().map(|folder| folder.join(name)).unwrap_or_default();
        folders.push(next);
    }
    if let Some(out) = folders.iter().find(|folder| !files.real(folder).starts_with(&real)) {
        let message = format!("{} leads out of the site root {shown}, through a symlink", out.display());
        return refuse(message, "keep what symlinks lead to below the site root, or leave the site root out");
    }
    // The app's own folder keeps the name that the operator gave it.
    if let Some(last) = folders.last_mut() {
        last.clone_from(&input.folder);
    }
    Some(Tree { folders, names, root: Some(real) })
}

/// The names that lead from one folder down to another; none when they do not, or are no text.
fn below(folder: &Path, root: &Path) -> Option<Vec<String>> {
    let climbs = |path: &Path| path.components().any(|component| component == Component::ParentDir);
    if climbs(folder) || climbs(root) {
        return None;
    }
    let rest = folder.strip_prefix(root).ok()?;
    rest.components().map(|component| Some(component.as_os_str().to_str()?.to_owned())).collect()
}

impl Tree {
    /// `--path-base`, else the way down from the root, as the app will see it. Both come decoded: an escape in them would
    /// be decoded twice.
    pub(crate) fn path_base(&self, own: &Own, report: &mut Report) -> String {
        let (given, place, hint) = match (&own.path_base, &own.site_root) {
            (Some(given), _) => (given.value.clone(), &given.place, "write it like /shop, decoded"),
            (None, Some(root)) => {
                let hint = "it follows from the site root; name another one with --path-base";
                (format!("/{}", self.names.join("/")), &root.place, hint)
            }
            (None, None) => return "/".to_owned(),
        };
        if let Some(wrong) = wrong_base(&given) {
            report.error(Code::BadPathBase, place, format!("\"{given}\" {wrong}")).hint(hint);
        }
        match given.trim_end_matches('/') {
            "" => "/".to_owned(),
            base => base.to_owned(),
        }
    }

    /// Every web.config that counts or would count if it were there, the app's own first, then upwards.
    pub(crate) fn config_files(&self, files: &dyn Files) -> Vec<PathBuf> {
        let path = |folder: &PathBuf| {
            let name = web_config_name(folder, files);
            folder.join(name.as_deref().unwrap_or("web.config"))
        };
        self.folders.iter().rev().map(path).collect()
    }

    /// What all of them say together; none after a mistake that leaves nothing to read.
    pub(crate) fn web_config(&self, files: &dyn Files, report: &mut Report) -> Option<WebConfig> {
        let mut sources = Vec::new();
        let own = self.folders.len() - 1;
        for (depth, folder) in self.folders.iter().enumerate() {
            let Some(name) = web_config_name(folder, files) else { continue };
            let path = folder.join(&name);
            let name = if depth == own { name } else { path.display().to_string() };
            if depth < own && !self.holds(&path, files) {
                let message = "the file is a symlink that leads out of the site root".to_owned();
                let hint = "put the file itself there";
                report.error(Code::BadSiteRoot, &Place::whole(name), message).hint(hint);
                return None;
            }
            let bytes = read(&path, &name, files, report)?;
            sources.push(Source { bytes, name, depth });
        }
        if sources.is_empty() {
            return Some(WebConfig::default());
        }
        webconfig::read(&sources, &self.names, report)
    }

    fn holds(&self, path: &Path, files: &dyn Files) -> bool {
        self.root.as_ref().is_none_or(|root| files.real(path).starts_with(root))
    }
}

/// What no decoded path base can be.
fn wrong_base(given: &str) -> Option<&'static str> {
    if !given.starts_with('/') {
        Some("does not start with \"/\"")
    } else if given.contains(['?', '#', '%', '\\']) || given.chars().any(char::is_control) {
        Some("holds a character that no decoded path base can have")
    } else if given.trim_end_matches('/').split('/').skip(1).any(|segment| matches!(segment, "" | "." | ".."))
    {
        Some("holds an empty or a dot segment")
    } else {
        None
    }
}

/// The name ignores case, as it does where the file comes from: Visual Studio writes `Web.config`.
pub(crate) fn web_config_name(folder: &Path, files: &dyn Files) -> Option<String> {
    let mut names = files.list(folder);
    names.retain(|name| name.eq_ignore_ascii_case("web.config"));
    names.sort_by_key(|name| (name != "web.config", name.clone()));
    // A folder may let us in and not tell what it holds.
    let unlisted = || {
        let usual = ["web.config", "Web.config"].into_iter();
        let there = |name: &&str| files.mode(&folder.join(name)).is_some();
        usual.filter(there).map(str::to_owned).next()
    };
    names.into_iter().next().or_else(unlisted)
}

/// The bytes of one web.config.
pub(crate) fn read(file: &Path, name: &str, files: &dyn Files, report: &mut Report) -> Option<Vec<u8>> {
    match files.read(file, webconfig::MOST_BYTES + 1) {
        Ok(bytes) => Some(bytes),
        Err(error) => {
            let message = format!("the file cannot be read: {error}");
            report.error(Code::Unreadable, &Place::whole(name), message).hint("check its owner and mode");
            None
        }
    }
}
