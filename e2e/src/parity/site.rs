//! The C# app `parity`, hosted by each trial as its own web.config says.

use std::fmt::Write as _;
use std::time::Duration;

use crate::clock::{seconds, wait_for};
use crate::find;
use crate::folder::{Folder, escape};
use crate::outcome::{Context, Failure, Outcome};
use crate::response::Response;
use crate::server::{Options, Server};

/// How long a trial waits for what the server does by itself, on a busy machine.
pub const SOON: Duration = seconds(20);

/// A web.config for the app.
#[derive(Debug, Clone)]
pub struct Hosting {
    attributes: Vec<(String, String)>,
    variables: Vec<(String, String)>,
    settings: Vec<(String, String)>,
    sections: String,
}

impl Default for Hosting {
    fn default() -> Self {
        let pairs =
            [("processPath", "dotnet"), ("arguments", ".\\parity.dll"), ("hostingModel", "outofprocess")];
        let attributes =
            pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Self { attributes, variables: Vec::new(), settings: Vec::new(), sections: String::new() }
    }
}

impl Hosting {
    /// As the SDK writes it, but out of process.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The first argument of the app: a way to start.
    #[must_use]
    pub fn starting(self, way: &str) -> Self {
        self.attribute("arguments", &format!(".\\parity.dll {way}"))
    }

    /// An attribute of `<aspNetCore>`, in place of the same one.
    #[must_use]
    pub fn attribute(mut self, name: &str, value: &str) -> Self {
        self.attributes.retain(|(have, _)| have != name);
        self.attributes.push((name.to_owned(), value.to_owned()));
        self
    }

    /// A variable for the app.
    #[must_use]
    pub fn variable(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    /// A `<handlerSetting>`.
    #[must_use]
    pub fn setting(mut self, name: &str, value: &str) -> Self {
        self.settings.push((name.to_owned(), value.to_owned()));
        self
    }

    /// stdout and stderr of the app go to files in `logs`.
    #[must_use]
    pub fn logged(self) -> Self {
        self.attribute("stdoutLogEnabled", "true").attribute("stdoutLogFile", ".\\logs\\stdout")
    }

    /// More of `<system.webServer>`, as it stands in the file.
    #[must_use]
    pub fn section(mut self, xml: &str) -> Self {
        self.sections.push_str(xml);
        self
    }

    /// The file.
    #[must_use]
    pub fn config(&self) -> String {
        let mut out = String::from(
            "<configuration><location path=\".\" inheritInChildApplications=\"false\"><system.webServer><handlers>\n\
             <add name=\"aspNetCore\" path=\"*\" verb=\"*\" modules=\"AspNetCoreModuleV2\" \
             resourceType=\"Unspecified\" /></handlers>\n<aspNetCore",
        );
        // Writing to a string cannot fail.
        for (name, value) in &self.attributes {
            let _ = write!(out, " {name}=\"{}\"", escape(value));
        }
        out.push_str(">\n<environmentVariables>\n");
        for (name, value) in &self.variables {
            let (name, value) = (escape(name), escape(value));
            let _ = writeln!(out, "<environmentVariable name=\"{name}\" value=\"{value}\" />");
        }
        out.push_str("</environmentVariables><handlerSettings>\n");
        for (name, value) in &self.settings {
            let (name, value) = (escape(name), escape(value));
            let _ = writeln!(out, "<handlerSetting name=\"{name}\" value=\"{value}\" />");
        }
        let _ = write!(
            out,
            "</handlerSettings></aspNetCore>\n{}</system.webServer></location></configuration>\n",
            self.sections
        );
        out
    }

    /// A publish folder with it.
    ///
    /// # Errors
    /// When the SDK cannot publish the app.
    pub fn folder(&self) -> Outcome<Folder> {
        let folder = Folder::built("parity")?;
        folder.write("web.config", self.config())?;
        Ok(folder)
    }

    /// Serves it.
    ///
    /// # Errors
    /// The test's own, with what the server said.
    pub fn serve(&self, test: impl FnOnce(&mut Site) -> Outcome) -> Outcome {
        self.serve_with(|options| options, test)
    }

    /// Serves it with other options.
    ///
    /// # Errors
    /// The test's own, with what the server said.
    pub fn serve_with(
        &self,
        change: impl FnOnce(Options) -> Options,
        test: impl FnOnce(&mut Site) -> Outcome,
    ) -> Outcome {
        let folder = self.folder()?;
        let options = change(Options::new(folder.path()).dotnet()?);
        Site::start(folder, &options)?.test(test)
    }
}

/// A server over a folder that the test writes to.
#[derive(Debug)]
pub struct Site {
    /// Before the folder, so that it ends first.
    pub server: Server,
    /// What it serves.
    pub folder: Folder,
}

impl Site {
    /// Starts a server over that folder.
    ///
    /// # Errors
    /// When it does not come up.
    pub fn start(folder: Folder, options: &Options) -> Outcome<Self> {
        Ok(Self { server: Server::start(options)?, folder })
    }

    /// Runs the test.
    ///
    /// # Errors
    /// The test's own, with what the server said.
    pub fn test(mut self, test: impl FnOnce(&mut Self) -> Outcome) -> Outcome {
        test(&mut self)
            .map_err(|Failure(why)| Failure(format!("{why}\n--- the server said:\n{}", self.server.output())))
    }

    /// The body of a 200.
    ///
    /// # Errors
    /// When the answer is another one.
    pub fn text(&self, path: &str) -> Outcome<String> {
        let response = self.server.get(path)?;
        crate::ensure!(response.status == 200, "{path}: {}", response.describe());
        Ok(response.text())
    }

    /// A variable of the app; none when it is not set.
    ///
    /// # Errors
    /// When the app does not answer.
    pub fn variable(&self, name: &str) -> Outcome<Option<String>> {
        let all = self.text("/Environment")?;
        Ok(all.lines().find_map(|line| Some(line.strip_prefix(name)?.strip_prefix('=')?.to_owned())))
    }

    /// The app's process.
    ///
    /// # Errors
    /// When the app does not answer.
    pub fn pid(&self) -> Outcome<u32> {
        let text = self.text("/ProcessId")?;
        Ok(text.trim_start_matches("pid=").trim().parse()?)
    }

    /// Asks until the answer has that status.
    ///
    /// # Errors
    /// When it never has.
    pub fn until(&self, path: &str, status: u16) -> Outcome<Response> {
        wait_for(&format!("status {status}"), SOON, || {
            self.server.get(path).ok().filter(|response| response.status == status)
        })
    }

    /// Waits until another process answers than that one, and gives its number.
    ///
    /// # Errors
    /// When the same one goes on.
    pub fn another(&self, than: u32) -> Outcome<u32> {
        wait_for(&format!("another process than {than}"), SOON, || self.pid().ok().filter(|pid| *pid != than))
    }

    /// Waits until an event with that number was told so often.
    ///
    /// # Errors
    /// When it was not.
    pub fn event(&self, id: u32, count: usize) -> Outcome {
        wait_for(&format!("{count} × event {id}"), SOON, || {
            (self.server.output().matches(&format!("[{id}]")).count() >= count).then_some(())
        })
    }

    /// Puts another web.config in the place of the old one, whole, as deployment tools do it.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn config(&self, hosting: &Hosting) -> Outcome {
        self.folder.write("web.config.new", hosting.config())?;
        let path = self.folder.path();
        std::fs::rename(path.join("web.config.new"), path.join("web.config")).context("web.config")
    }

    /// Sets the time of a file to now, with nothing changed in it.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn touch(&self, name: &str) -> Outcome {
        touch(&self.folder, name)
    }

    /// Removes a file.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn remove(&self, name: &str) -> Outcome {
        std::fs::remove_file(self.folder.path().join(name)).context(name)
    }
}

/// Sets the time of a file to now, with nothing changed in it.
///
/// # Errors
/// When the disk refuses.
pub fn touch(folder: &Folder, name: &str) -> Outcome {
    let file = std::fs::File::options().append(true).open(folder.path().join(name)).context(name)?;
    file.set_modified(std::time::SystemTime::now()).context(name)
}

/// Where .NET is, for starts without the server.
///
/// # Errors
/// When there is none.
pub fn dotnet() -> Outcome<std::path::PathBuf> {
    Ok(find::dotnet()?.root.join("dotnet"))
}
