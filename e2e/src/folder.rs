//! Publish folders: the puppet's, made for one test, and copies of the sample apps.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use crate::find;
use crate::outcome::{Context, Outcome};
use crate::process::{command, text};
use crate::record::Record;
use crate::temp::{TempDir, copy_tree};

/// A publish folder of one test.
#[derive(Debug)]
pub struct Folder {
    dir: TempDir,
}

impl Folder {
    /// An empty one.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn empty() -> Outcome<Self> {
        Ok(Self { dir: TempDir::new()? })
    }

    /// One with this web.config and nothing else.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn with_config(config: &str) -> Outcome<Self> {
        let folder = Self::empty()?;
        folder.dir.write("web.config", config)?;
        Ok(folder)
    }

    /// A copy of a sample app.
    ///
    /// # Errors
    /// When there is no such app.
    pub fn app(name: &str) -> Outcome<Self> {
        let from = find::dotnet()?.apps.join(name);
        let folder = Self::empty()?;
        copy_tree(&from, folder.path()).context(name)?;
        Ok(folder)
    }

    /// A publish of one of our own apps (`e2e/apps/NAME`), built with the SDK that was found.
    ///
    /// # Errors
    /// What the SDK says when it does not build.
    pub fn published(name: &str) -> Outcome<Self> {
        let source = Self::empty()?;
        copy_tree(&Path::new(env!("CARGO_MANIFEST_DIR")).join("apps").join(name), source.path())
            .context(name)?;
        let folder = Self::empty()?;
        let root = find::dotnet()?.root;
        let mut publish = command(&root.join("dotnet"));
        publish.args(["publish", "-c", "Release", "-o"]).arg(folder.path()).current_dir(source.path());
        // Nothing is kept in the home folder, and no build process stays behind.
        publish.env("DOTNET_ROOT", &root).env("NUGET_PACKAGES", source.path().join("packages"));
        for (switch, value) in [
            ("DOTNET_CLI_TELEMETRY_OPTOUT", "1"),
            ("DOTNET_SKIP_FIRST_TIME_EXPERIENCE", "1"),
            ("DOTNET_GENERATE_ASPNET_CERTIFICATE", "false"),
            ("DOTNET_CLI_USE_MSBUILD_SERVER", "0"),
            ("MSBUILDDISABLENODEREUSE", "1"),
            ("UseSharedCompilation", "false"),
        ] {
            publish.env(switch, value);
        }
        let output = publish.output().context("dotnet publish")?;
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        crate::ensure!(output.status.success(), "dotnet publish of {name} failed: {said}");
        Ok(folder)
    }

    /// The same, built once for each state of its source: what was built before is copied.
    ///
    /// # Errors
    /// What the SDK says when it does not build.
    pub fn built(name: &str) -> Outcome<Self> {
        // Trials run side by side, and the second one wants what the first one builds.
        static ONE: Mutex<()> = Mutex::new(());
        let _one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = find::built(&Path::new(env!("CARGO_MANIFEST_DIR")).join("apps").join(name))?;
        if !kept.is_dir() {
            let fresh = Self::published(name)?;
            let part = kept.with_extension(std::process::id().to_string());
            copy_tree(fresh.path(), &part)?;
            // Another run may have been first, and has built the same.
            if std::fs::rename(&part, &kept).is_err() {
                std::fs::remove_dir_all(&part)?;
            }
        }
        let folder = Self::empty()?;
        copy_tree(&kept, folder.path()).context(name)?;
        Ok(folder)
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    /// Writes a file into it.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn write(&self, name: &str, text: impl AsRef<[u8]>) -> Outcome<PathBuf> {
        self.dir.write(name, text)
    }

    /// Changes the text of one file.
    ///
    /// # Errors
    /// When the text to replace is not there.
    pub fn replace(&self, name: &str, from: &str, to: &str) -> Outcome {
        let old = std::fs::read_to_string(self.path().join(name)).context(name)?;
        crate::ensure!(old.contains(from), "{name} does not hold {from:?}: {old}");
        self.write(name, old.replacen(from, to, 1))?;
        Ok(())
    }

    /// What the puppet saw.
    #[must_use]
    pub fn record(&self) -> Record {
        Record::at(&self.path().join("record"))
    }

    /// Files of its `logs` folder, with their names.
    #[must_use]
    pub fn logs(&self) -> Vec<(PathBuf, String)> {
        let Ok(entries) = std::fs::read_dir(self.path().join("logs")) else { return Vec::new() };
        entries
            .filter_map(|entry| {
                let path = entry.ok()?.path();
                let bytes = std::fs::read(&path).ok()?;
                Some((path, String::from_utf8_lossy(&bytes).into_owned()))
            })
            .collect()
    }
}

/// How the puppet is to be hosted and how it is to misbehave.
#[derive(Debug, Clone, Default)]
pub struct Puppet {
    program: Option<(String, String)>,
    attributes: Vec<(String, String)>,
    variables: Vec<(String, String)>,
    body_limit: Option<u64>,
}

impl Puppet {
    /// One that behaves.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Another program with these arguments; `{puppet}` stands for the puppet's path.
    #[must_use]
    pub fn through(mut self, program: &str, arguments: &str) -> Self {
        self.program = Some((program.to_owned(), arguments.to_owned()));
        self
    }

    /// An attribute of `<aspNetCore>`.
    #[must_use]
    pub fn attribute(mut self, name: &str, value: &str) -> Self {
        self.attributes.push((name.to_owned(), value.to_owned()));
        self
    }

    /// A variable for the app.
    #[must_use]
    pub fn variable(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    /// `maxAllowedContentLength`.
    #[must_use]
    pub fn body_limit(mut self, bytes: u64) -> Self {
        self.body_limit = Some(bytes);
        self
    }

    /// stdout and stderr of the app go to files in `logs`.
    #[must_use]
    pub fn logged(self) -> Self {
        self.attribute("stdoutLogEnabled", "true").attribute("stdoutLogFile", ".\\logs\\stdout")
    }

    /// Writes the publish folder.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn folder(&self) -> Outcome<Folder> {
        let folder = Folder::empty()?;
        std::fs::create_dir_all(folder.path().join("logs"))?;
        folder.write("web.config", self.config(&folder)?)?;
        Ok(folder)
    }

    fn config(&self, folder: &Folder) -> Outcome<String> {
        let puppet = text(&find::puppet()?);
        let (program, arguments) = match &self.program {
            Some((program, arguments)) => {
                (program.replace("{puppet}", &puppet), arguments.replace("{puppet}", &puppet))
            }
            None => (puppet, String::new()),
        };
        let mut out = format!(
            "<configuration><system.webServer><handlers><add name=\"aspNetCore\" path=\"*\" verb=\"*\" \
             modules=\"AspNetCoreModuleV2\" resourceType=\"Unspecified\" /></handlers>\n<aspNetCore \
             hostingModel=\"outofprocess\" processPath=\"{}\" arguments=\"{}\"",
            escape(&program),
            escape(&arguments)
        );
        for (name, value) in &self.attributes {
            write!(out, " {name}=\"{}\"", escape(value))?;
        }
        out.push_str("><environmentVariables>\n");
        let record = text(&folder.path().join("record"));
        let own = [("PUPPET_RECORD".to_owned(), record)];
        for (name, value) in own.iter().chain(&self.variables) {
            writeln!(out, "<environmentVariable name=\"{}\" value=\"{}\" />", escape(name), escape(value))?;
        }
        out.push_str("</environmentVariables></aspNetCore>\n");
        if let Some(bytes) = self.body_limit {
            writeln!(
                out,
                "<security><requestFiltering><requestLimits maxAllowedContentLength=\"{bytes}\" \
                 /></requestFiltering></security>"
            )?;
        }
        out.push_str("</system.webServer></configuration>\n");
        Ok(out)
    }
}

/// Text as an attribute's value.
pub(crate) fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;")
}
