//! What to run: `processPath` and `arguments` of a file written for Windows, as a program of this machine
//! (ASP.NET Core Module: `SetupCommandLine`).

use std::path::{Path, PathBuf};

use contract::DOTNET_ROOT;

use crate::code::Code;
use crate::diagnostic::{Place, Severity};
use crate::dotnet::{self, Dotnet, DotnetSearch};
use crate::environment::Environment;
use crate::expand;
use crate::foreign;
use crate::input::{Files, Input};
use crate::paths;
use crate::plan::Program;
use crate::report::Report;
use crate::runtimeconfig::{self, RollForward, RuntimeConfig};

/// A program and the .NET it runs on.
#[derive(Debug, Clone)]
pub(crate) struct Resolved {
    pub(crate) program: Program,
    /// None for programs that need no installed .NET.
    pub(crate) dotnet: Option<Dotnet>,
    /// What the app says about itself, where it is a .NET app that does.
    pub(crate) runtime: Option<RuntimeConfig>,
    /// Where .NET was looked for; none where it was not needed.
    pub(crate) search: Option<DotnetSearch>,
}

/// Everything that finding a program looks at.
#[derive(Clone, Copy)]
pub(crate) struct Machine<'a> {
    pub(crate) input: &'a Input,
    pub(crate) files: &'a dyn Files,
    pub(crate) environment: &'a Environment,
    /// Where the program was named; none when it was inferred.
    pub(crate) place: Option<&'a Place>,
}

/// Finds the program that an expanded `processPath` means, with arguments that are split but not translated.
pub(crate) fn resolve(
    process: &str,
    arguments: Vec<String>,
    machine: Machine,
    report: &mut Report,
) -> Resolved {
    let process = process.trim().trim_matches('"');
    let linux = paths::to_linux(process);
    let name = linux.rsplit('/').next().unwrap_or(&linux);
    let arguments = machine.translate(arguments, report);
    if name.eq_ignore_ascii_case("dotnet") || name.eq_ignore_ascii_case("dotnet.exe") {
        return machine.run_dotnet(machine.named_dotnet(process, &linux), arguments, report);
    }
    machine.run_program(process, &linux, arguments, report)
}

impl<'a> Machine<'a> {
    fn folder(self) -> &'a Path {
        &self.input.folder
    }

    /// The `dotnet` that a path names on this machine, if it does: one in the folder, or an absolute path.
    fn named_dotnet(self, process: &str, linux: &str) -> Option<PathBuf> {
        if paths::has_drive(process) || expand::unresolved(process).is_some() {
            return None;
        }
        let stem = paths::without_suffix(linux, ".exe").unwrap_or(linux);
        Some(paths::join(self.folder(), stem)).filter(|path| paths::is_executable(path, self.files))
    }

    /// `dotnet` with arguments: the right one is known when the first `.dll` is.
    fn run_dotnet(self, named: Option<PathBuf>, arguments: Vec<String>, report: &mut Report) -> Resolved {
        let dll = arguments.iter().find(|argument| paths::without_suffix(argument, ".dll").is_some());
        self.check_first(arguments.first(), dll, report);
        let runtime = dll.and_then(|dll| {
            let stem = paths::without_suffix(dll, ".dll")?;
            self.runtime_config(&paths::join(self.folder(), stem), report)
        });
        if runtime.as_ref().is_some_and(|wanted| wanted.self_contained) {
            let message =
                "the app was published self-contained, without a program for Linux beside it".to_owned();
            let hint = "publish it for linux-x64, or framework-dependent";
            report.missing(Code::ProgramNotFound, self.place.cloned(), message).hint(hint);
        }
        let (dotnet, search) = self.find_dotnet(named, runtime.as_ref(), report);
        if dotnet.is_none() {
            self.explain_no_dotnet("dotnet was not found".to_owned(), &search, report);
        }
        let path = dotnet.as_ref().map_or_else(|| PathBuf::from("dotnet"), |dotnet| dotnet.path.clone());
        Resolved { program: Program { path, arguments }, dotnet, runtime, search: Some(search) }
    }

    /// Whether `dotnet` has something to run that it can run.
    fn check_first(self, first: Option<&String>, dll: Option<&String>, report: &mut Report) {
        let Some(first) = first else {
            let message = "dotnet is given nothing to run".to_owned();
            report
                .missing(Code::NothingToRun, self.place.cloned(), message)
                .hint("write arguments=\".\\App.dll\"");
            return;
        };
        if dll != Some(first) {
            return;
        }
        let path = paths::join(self.folder(), first);
        if !paths::is_file(&path, self.files) {
            let message = format!("{first} was not found in {}", self.folder().display());
            let hint = self.dlls_there();
            report.missing(Code::ProgramNotFound, self.place.cloned(), message).hint(hint);
        } else if !paths::is_file(&path.with_extension("runtimeconfig.json"), self.files) {
            self.explain_no_runtimeconfig(first, report);
        }
    }

    /// .NET asks for that file by its exact name.
    fn explain_no_runtimeconfig(self, dll: &str, report: &mut Report) {
        let stem = paths::without_suffix(dll, ".dll").unwrap_or(dll);
        let wanted = format!("{stem}.runtimeconfig.json");
        let message = format!("{dll} has no {} beside it", wanted.trim_start_matches("./"));
        let hint = match self.find(&wanted) {
            Some(there) => format!("rename {}: .NET looks for the exact name", self.relative(&there)),
            None => format!("a library has none; {}", self.dlls_there()),
        };
        report.missing(Code::NoRuntimeconfig, self.place.cloned(), message).hint(hint);
    }

    fn explain_no_dotnet(self, message: String, search: &DotnetSearch, report: &mut Report) {
        let looked: Vec<String> = search.looked.iter().map(|path| path.display().to_string()).collect();
        let hint = format!(
            "install the .NET runtime, put dotnet in PATH, or set DOTNET_ROOT; looked for {}",
            looked.join(", ")
        );
        report.missing(Code::DotnetNotFound, self.place.cloned(), message).hint(hint);
    }

    fn dlls_there(self) -> String {
        let mut apps: Vec<String> = self.files.list(self.folder());
        apps.retain(|name| name.ends_with(".runtimeconfig.json"));
        apps.sort();
        match apps.first().and_then(|name| name.strip_suffix(".runtimeconfig.json")) {
            Some(stem) => format!("the folder has {stem}.dll; is the name right, and was everything copied?"),
            None => "the folder has no app of .NET in it; was everything copied?".to_owned(),
        }
    }

    /// A program other than `dotnet`.
    fn run_program(
        self,
        process: &str,
        linux: &str,
        arguments: Vec<String>,
        report: &mut Report,
    ) -> Resolved {
        let stem = paths::without_suffix(linux, ".exe");
        let name = stem.unwrap_or(linux);
        let executable = |name: &str| self.find(name).filter(|path| paths::is_executable(path, self.files));
        let dll = self.dll_of(name, stem.is_some());
        if let Some(path) = executable(name)
            && (dll.is_none() || self.made_for(&path).is_none())
        {
            self.warn_other_case(name, &path, report);
            return self.run_file(path, arguments, report);
        }
        if let Some(dll) = dll {
            self.warn_passed_over(name, &dll, report);
            let arguments = std::iter::once(self.relative(&dll)).chain(arguments).collect();
            return self.run_dotnet(None, arguments, report);
        }
        if let Some(path) = executable(linux).or_else(|| self.on_path(name)).or_else(|| self.on_path(linux)) {
            return self.run_file(path, arguments, report);
        }
        self.explain(process, linux, name, report);
        let program = Program { path: PathBuf::from(linux), arguments };
        Resolved { program, dotnet: None, runtime: None, search: None }
    }

    /// The dll runs all the same, but whoever publishes again should keep the bit, or mean this machine.
    fn warn_passed_over(self, name: &str, dll: &Path, report: &mut Report) {
        let Some(path) = self.find(name).filter(|path| paths::is_file(path, self.files)) else { return };
        let (dll, made_for) = (self.relative(dll), self.made_for(&path));
        let path = self.relative(&path);
        let (code, message, hint) = match made_for {
            Some(made_for) => (
                Code::ForeignProgram,
                format!("{path} is a program for {made_for}; dotnet runs {dll} instead"),
                "nothing, unless another program was meant".to_owned(),
            ),
            None => (
                Code::NoExecutableBit,
                format!("{path} is not executable; dotnet runs {dll} instead"),
                format!("chmod +x {path}: copying and unpacking often lose that bit"),
            ),
        };
        report.add(Severity::Warning, code, self.place.cloned(), message).hint(hint);
    }

    /// What a program that cannot run here was made for.
    fn made_for(self, path: &Path) -> Option<&'static str> {
        foreign::made_for(path, self.files)
    }

    fn explain_foreign(self, path: &Path, made_for: &str, report: &mut Report) {
        let message = format!("{} is a program for {made_for}", self.relative(path));
        let hint = "publish the app for this machine, or framework-dependent: then its dll runs everywhere";
        report.missing(Code::ForeignProgram, self.place.cloned(), message).hint(hint);
    }

    /// Windows does not tell the two names apart.
    fn warn_other_case(self, written: &str, found: &Path, report: &mut Report) {
        if found != paths::join(self.folder(), written) {
            let found = self.relative(found);
            let message = format!("{written} is there as {found}, in another case");
            let hint = format!("write {found}: names on Linux are case-sensitive");
            report.add(Severity::Warning, Code::OtherCase, self.place.cloned(), message).hint(hint);
        }
    }

    fn find(self, path: &str) -> Option<PathBuf> {
        if path.is_empty() { None } else { paths::find(self.folder(), path, self.files) }
    }

    /// The `X.dll` that stands for `X.exe`, or for an `X` that lost its executable bit on the way here.
    fn dll_of(self, name: &str, windows: bool) -> Option<PathBuf> {
        let dll = self.find(&format!("{name}.dll"))?;
        let known = windows || self.find(&format!("{name}.runtimeconfig.json")).is_some();
        (known && paths::is_file(&dll, self.files)).then_some(dll)
    }

    fn on_path(self, name: &str) -> Option<PathBuf> {
        if name.is_empty() || name.contains('/') {
            return None;
        }
        // Our own PATH, not one that web.config gives to the app: as in IIS, the server looks for the program.
        let mut paths = dotnet::search_path(self.input).map(|folder| folder.join(name));
        paths.find(|path| paths::is_executable(path, self.files))
    }

    /// An executable of the folder may be a .NET app's own host, which needs to know where .NET is.
    fn run_file(self, path: PathBuf, arguments: Vec<String>, report: &mut Report) -> Resolved {
        if let Some(made_for) = self.made_for(&path) {
            self.explain_foreign(&path, made_for, report);
        }
        let runtime = self.runtime_config(&path, report);
        let self_contained = runtime.as_ref().is_some_and(|runtime| runtime.self_contained);
        if self_contained || !path.starts_with(self.folder()) {
            return Resolved { program: Program { path, arguments }, dotnet: None, runtime, search: None };
        }
        let (dotnet, search) = self.find_dotnet(None, runtime.as_ref(), report);
        if dotnet.is_none() && runtime.is_some() {
            let message = format!("{} needs .NET, and none was found", self.relative(&path));
            self.explain_no_dotnet(message, &search, report);
        }
        // A program that says nothing about .NET may be of any kind: no word about .NET then.
        let search = runtime.as_ref().map(|_| search);
        Resolved { program: Program { path, arguments }, dotnet, runtime, search }
    }

    fn find_dotnet(
        self,
        named: Option<PathBuf>,
        wanted: Option<&RuntimeConfig>,
        report: &mut Report,
    ) -> (Option<Dotnet>, DotnetSearch) {
        let (installed, looked) =
            dotnet::installed(named.clone(), self.environment.get(DOTNET_ROOT), self.input, self.files);
        let variable = "DOTNET_ROLL_FORWARD";
        let roll_forward = self.environment.get(variable).or_else(|| self.input.variable(variable));
        let found = dotnet::choose(&installed, wanted, roll_forward.and_then(RollForward::read), self.files);
        let search = dotnet::describe((&installed, looked), wanted, &found, self.files);
        let dotnet::Found { dotnet, lacking } = found;
        if let (Some(_), Some((wanted, there))) = (&dotnet, lacking) {
            let message = format!("the app wants {wanted}, and no installed .NET will do");
            let hint = format!("{there}; install what is wanted, or set DOTNET_ROLL_FORWARD");
            report.missing(Code::FrameworkNotFound, self.place.cloned(), message).hint(hint);
        }
        if let (Some(named), Some(dotnet), Some(place)) = (named, &dotnet, self.place)
            && named != dotnet.path
        {
            let message = format!("{} is used instead of {}", dotnet.path.display(), named.display());
            report
                .warning(Code::OtherDotnet, place, message)
                .hint("the one that is named lacks a framework of the app");
        }
        (dotnet, search)
    }

    /// Reads `X.runtimeconfig.json` beside `X`.
    fn runtime_config(self, stem: &Path, report: &mut Report) -> Option<RuntimeConfig> {
        let mut file = stem.as_os_str().to_owned();
        file.push(".runtimeconfig.json");
        let bytes = self.files.read(Path::new(&file), 1 << 20).ok()?;
        match runtimeconfig::read(&bytes) {
            Ok(config) => Some(config),
            Err(why) => {
                let message = format!("{} cannot be read: {why}", self.relative(Path::new(&file)));
                let hint = "the .NET host will refuse it too";
                report.missing(Code::BadRuntimeconfig, self.place.cloned(), message).hint(hint);
                None
            }
        }
    }

    fn explain(self, process: &str, linux: &str, name: &str, report: &mut Report) {
        let foreign = [name, linux].into_iter().find_map(|name| {
            let path = self.find(name).filter(|path| paths::is_file(path, self.files))?;
            self.made_for(&path).map(|made_for| (path, made_for))
        });
        if let Some((path, made_for)) = foreign {
            self.explain_foreign(&path, made_for, report);
            return;
        }
        let there = self.find(name).is_some_and(|path| paths::is_file(&path, self.files));
        if there {
            let subject =
                if self.place.is_some() { format!("processPath \"{process}\"") } else { name.to_owned() };
            let hint = format!("chmod +x {name}: copying and unpacking often lose that bit");
            let message = format!("{subject} is not executable");
            report.missing(Code::NoExecutableBit, self.place.cloned(), message).hint(hint);
            return;
        }
        let (message, hint) = if let Some(variable) = expand::unresolved(process) {
            let hint = format!("{variable} is not set in the server's environment");
            (format!("processPath \"{process}\" was not found"), hint)
        } else if paths::has_drive(process) {
            let short = name.rsplit('/').next().unwrap_or(name);
            let hint = format!("install it here and write processPath=\"{short}\"");
            (format!("processPath \"{process}\" is a path of a Windows machine"), hint)
        } else if name.contains('/') {
            let path = paths::join(self.folder(), name);
            let hint = format!("looked for {0} and {0}.dll", path.display());
            (format!("processPath \"{process}\" was not found"), hint)
        } else {
            let hint = format!("looked in {} and in PATH", self.folder().display());
            (format!("processPath \"{process}\" was not found"), hint)
        };
        report.missing(Code::ProgramNotFound, self.place.cloned(), message).hint(hint);
    }

    /// Arguments that are files of the folder once `\` is `/` and case is forgiven. The first one also when it
    /// is a `.dll` that is not there, as the message about it should show a path of this machine. Everything
    /// else is passed on as it is: a backslash may mean anything to a program.
    fn translate(self, arguments: Vec<String>, report: &mut Report) -> Vec<String> {
        let translate = |(at, argument): (usize, String)| {
            let linux = paths::to_linux(&argument);
            let dll = at == 0 && paths::without_suffix(&linux, ".dll").is_some();
            if (!dll && linux == argument)
                || paths::is_file(&paths::join(self.folder(), &argument), self.files)
            {
                return argument;
            }
            match paths::find(self.folder(), &linux, self.files)
                .filter(|path| paths::is_file(path, self.files))
            {
                Some(found) if found == paths::join(self.folder(), &linux) => linux,
                Some(found) => {
                    self.warn_other_case(&linux, &found, report);
                    self.relative(&found)
                }
                None if dll => linux,
                None => argument,
            }
        };
        arguments.into_iter().enumerate().map(translate).collect()
    }

    /// A path below the folder as an argument for a program that runs in it.
    fn relative(self, path: &Path) -> String {
        let below = path.strip_prefix(self.folder()).map(|below| format!("./{}", below.display()));
        below.unwrap_or_else(|_| path.display().to_string())
    }
}
