//! The one way from what the operator wrote to a Plan. Decides which value counts; the leaves check and look.

use std::path::{Path, PathBuf};

use crate::assemble::{Said, assemble};
use crate::code::Code;
use crate::diagnostic::Place;
use crate::environment::{self, Environment};
use crate::input::{Files, Input, Kind, Loaded};
use crate::logs::Debug;
use crate::plan::{Origin, StdoutLog};
use crate::program::{self, Machine, Resolved};
use crate::report::{Report, Spanned};
use crate::site::{self, Tree, web_config_name};
use crate::webconfig::{self, AppSection, Source, WebConfig};
use crate::{advice, argv, effective, expand, infer, listen, logs, own, tls};

/// Reads the folder and the command line into a Plan.
///
/// Everything that can be checked is checked, so that one run shows every mistake.
#[must_use]
pub fn load(input: &Input, files: &dyn Files) -> Loaded {
    let mut report = Report::default();
    let own = own::read(input, files, &mut report);
    let bindings = listen::bindings(&own.listen, &mut report);
    let tls = tls::certificate(&bindings, &own, files, &mut report);
    let tree = site::locate(input, &own, files, &mut report);
    let path_base = tree.as_ref().map(|tree| tree.path_base(&own, &mut report)).unwrap_or_default();
    let parts = app(tree.as_ref(), input, files, &mut report);
    let asked = parts.as_ref().and_then(|parts| parts.config.ssl_flags.as_ref());
    let tls = tls::of_clients(tls, asked, (&bindings, &own), &mut report);
    if let Some(parts) = &parts {
        advice::advise(parts, input, files, &mut report);
    }
    let dotnet = parts.as_ref().and_then(|parts| parts.resolved.search.clone());
    let parts = parts.filter(|_| !report.has_errors());
    let said = parts.as_ref().map(|parts| Said { parts, own: &own, input });
    let plan = said.map(|said| assemble(said, (bindings, tls), path_base));
    let both = plan.as_ref().zip(said);
    let effective = both.map(|(plan, said)| effective::table(plan, said)).unwrap_or_default();
    Loaded { plan, diagnostics: report.into_diagnostics(), effective, dotnet }
}

/// Checks one web.config for itself: syntax, names and ranges, without the folder that it may be meant for.
#[must_use]
pub fn load_file(file: &Path, input: &Input, files: &dyn Files) -> Loaded {
    let mut report = Report::default();
    let name = file.display().to_string();
    let bytes = site::read(file, &name, files, &mut report);
    let config =
        bytes.and_then(|bytes| webconfig::read(&[Source { bytes, name, depth: 0 }], &[], &mut report));
    let section = config.as_ref().and_then(|config| config.app.as_ref());
    environment::build(
        section.map(|section| section.environment.as_slice()).unwrap_or_default(),
        input,
        &mut report,
    );
    if let Some(section) = section {
        described(section, input, &mut report);
        logs::stdout_log(section, input, &mut report);
    }
    logs::debug_log(section, input, &mut report);
    Loaded { plan: None, diagnostics: report.into_diagnostics(), effective: Vec::new(), dotnet: None }
}

/// What the folder says about its app.
pub(crate) struct Parts {
    pub(crate) config: WebConfig,
    pub(crate) environment: Environment,
    pub(crate) resolved: Resolved,
    /// Where the program was named.
    pub(crate) origin: Origin,
    pub(crate) stdout_log: Option<StdoutLog>,
    pub(crate) debug_log: Option<Debug>,
    /// The app's own first.
    pub(crate) config_files: Vec<PathBuf>,
}

impl Parts {
    pub(crate) fn section(&self) -> Option<&AppSection> {
        self.config.app.as_ref()
    }
}

fn app(tree: Option<&Tree>, input: &Input, files: &dyn Files, report: &mut Report) -> Option<Parts> {
    let folder = Place::whole(input.folder.display().to_string());
    if files.kind(&input.folder) != Some(Kind::Folder) {
        let message = match files.kind(&input.folder) {
            Some(_) => format!("{} is not a folder", input.folder.display()),
            None => format!("the folder {} does not exist", input.folder.display()),
        };
        report.error(Code::NoFolder, &folder, message).hint("name the folder that \"dotnet publish\" wrote");
        environment::build(&[], input, report);
        return None;
    }
    let Some((tree, config)) = tree.and_then(|tree| Some((tree, tree.web_config(files, report)?))) else {
        environment::build(&[], input, report);
        return None;
    };
    let variables = config.app.as_ref().map(|section| section.environment.as_slice()).unwrap_or_default();
    let environment = environment::build(variables, input, report);
    let name = web_config_name(&input.folder, files);
    let described = match &config.app {
        // What is inherited may hold for every app of the site and name none.
        Some(section)
            if section.process_path.is_some() || name.is_some_and(|name| section.place.file == name) =>
        {
            described(section, input, report)
        }
        Some(_) | None => inferred(input, files, report),
    };
    let Command { process, arguments, origin } = described?;
    let place = match &origin {
        Origin::At(place) => Some(place),
        Origin::Default | Origin::Inferred => None,
    };
    let machine = Machine { input, files, environment: &environment, place };
    let resolved = program::resolve(&process, arguments, machine, report);
    let stdout_log = config.app.as_ref().and_then(|section| logs::stdout_log(section, input, report));
    let debug_log = logs::debug_log(config.app.as_ref(), input, report);
    let config_files = tree.config_files(files);
    Some(Parts { config, environment, resolved, origin, stdout_log, debug_log, config_files })
}

/// What to run, in the words of web.config after expansion.
struct Command {
    process: String,
    arguments: Vec<String>,
    origin: Origin,
}

/// `ANCM_LAUNCHER_PATH` and `ANCM_LAUNCHER_ARGS` of our own environment beat the attributes, as in IIS.
fn described(section: &AppSection, input: &Input, report: &mut Report) -> Option<Command> {
    let launcher = |name: &str| {
        let value = input.variable(name).filter(|value| !value.is_empty())?;
        Some(Spanned { value: value.to_owned(), place: Place::whole(name) })
    };
    let written = |text: &Option<Spanned<String>>| {
        let text = text.as_ref().filter(|text| !text.value.trim().is_empty())?;
        Some(Spanned { value: expand::expand(&text.value, input), place: text.place.clone() })
    };
    let process = launcher("ANCM_LAUNCHER_PATH").or_else(|| written(&section.process_path));
    let arguments = launcher("ANCM_LAUNCHER_ARGS").or_else(|| written(&section.arguments));
    let refused = process.iter().chain(&arguments).filter(|text| refuse_placeholder(text, report)).count();
    let Some(process) = process else {
        let place = section.process_path.as_ref().map_or(&section.place, |text| &text.place);
        let message = "attribute processPath is required".to_owned();
        report
            .error(Code::MissingAttribute, place, message)
            .hint("write processPath=\"dotnet\" or processPath=\".\\App\"");
        return None;
    };
    if refused > 0 {
        return None;
    }
    let arguments = arguments.map(|text| argv::split_arguments(&text.value)).unwrap_or_default();
    Some(Command { process: process.value, arguments, origin: Origin::At(process.place) })
}

/// `dotnet publish` replaces these; a file that still has them is the project's own.
fn refuse_placeholder(text: &Spanned<String>, report: &mut Report) -> bool {
    let launcher =
        |name: &&str| matches!(name.to_ascii_uppercase().as_str(), "LAUNCHER_PATH" | "LAUNCHER_ARGS");
    let found = expand::unresolved(&text.value).filter(launcher);
    if let Some(name) = found {
        let message = format!("%{name}% is a placeholder of the project's web.config");
        let hint = "serve the folder that \"dotnet publish\" wrote, not the project's";
        report.error(Code::Placeholder, &text.place, message).hint(hint);
    }
    found.is_some()
}

fn inferred(input: &Input, files: &dyn Files, report: &mut Report) -> Option<Command> {
    let name = web_config_name(&input.folder, files);
    let place = Place::whole(name.clone().unwrap_or_else(|| input.folder.display().to_string()));
    match infer::infer(&input.folder, files) {
        Ok((process, arguments)) => {
            if name.is_some() {
                let message =
                    "no <aspNetCore> and no <httpPlatform>; the app was found in the folder".to_owned();
                let hint = "\"dotnet publish\" writes the section unless the project switches that off";
                report.warning(Code::NoAppSection, &place, message).hint(hint);
            }
            Some(Command { process, arguments, origin: Origin::Inferred })
        }
        Err(found) => {
            let message =
                format!("nothing to run in {}: {}; {found}", input.folder.display(), infer::LOOKED_FOR);
            let hint = "name the folder that \"dotnet publish\" wrote";
            report.error(Code::NothingToRun, &place, message).hint(hint);
            None
        }
    }
}
