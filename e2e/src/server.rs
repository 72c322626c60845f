//! The built binary over one folder: started, watched, signalled, and surely ended.

use std::io::{BufRead as _, BufReader, Read};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustix::process::Signal;

use crate::client::{self, Client};
use crate::clock::{seconds, wait_for};
use crate::find;
use crate::folder::{Folder, Puppet};
use crate::outcome::{Context, Failure, Outcome};
use crate::process;
use crate::record::Record;
use crate::response::Response;

/// How to start the server.
#[derive(Debug, Clone)]
pub struct Options {
    folder: PathBuf,
    listen: Vec<String>,
    arguments: Vec<String>,
    environment: Vec<(String, String)>,
}

impl Options {
    /// `serve DIR --listen 127.0.0.1:0`.
    #[must_use]
    pub fn new(folder: &Path) -> Self {
        Self { folder: folder.to_owned(), listen: Vec::new(), arguments: Vec::new(), environment: Vec::new() }
    }

    /// Another address than a drawn port on 127.0.0.1; may be given more than once.
    #[must_use]
    pub fn listen(mut self, address: &str) -> Self {
        self.listen.push(address.to_owned());
        self
    }

    /// One more argument.
    #[must_use]
    pub fn arg(mut self, argument: &str) -> Self {
        self.arguments.push(argument.to_owned());
        self
    }

    /// One more variable in the server's own environment.
    #[must_use]
    pub fn variable(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// .NET, where it is not installed for all.
    ///
    /// # Errors
    /// When there is none.
    pub fn dotnet(self) -> Outcome<Self> {
        let root = process::text(&find::dotnet()?.root);
        Ok(self.variable("DOTNET_ROOT", &root))
    }

    fn spawn(&self) -> Outcome<Child> {
        let mut command = process::command(&find::falconer()?);
        command.arg("serve").arg(&self.folder);
        let drawn = ["127.0.0.1:0".to_owned()];
        for address in if self.listen.is_empty() { &drawn[..] } else { &self.listen } {
            command.args(["--listen", address]);
        }
        command.args(&self.arguments);
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn().context("falconer")
    }

    /// Runs it to its end, which must come by itself: for starts that fail.
    ///
    /// # Errors
    /// When it does not end.
    pub fn run(&self) -> Outcome<(ExitStatus, String)> {
        let mut server = Server::of(self.spawn()?, SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
        let status = server.wait(seconds(20))?;
        Ok((status, server.output()))
    }
}

/// A running server; killed on drop.
#[derive(Debug)]
pub struct Server {
    child: Child,
    address: SocketAddr,
    output: Arc<Mutex<Vec<u8>>>,
    readers: Vec<std::thread::JoinHandle<()>>,
}

impl Server {
    fn of(mut child: Child, address: SocketAddr) -> Self {
        let output = Arc::new(Mutex::new(Vec::new()));
        let mut readers = Vec::new();
        if let Some(out) = child.stdout.take() {
            readers.push(collect(out, Arc::clone(&output)));
        }
        if let Some(err) = child.stderr.take() {
            readers.push(collect(err, Arc::clone(&output)));
        }
        Self { child, address, output, readers }
    }

    /// Starts it and waits until it says where it listens.
    ///
    /// # Errors
    /// When it does not come up.
    pub fn start(options: &Options) -> Outcome<Self> {
        let mut server = Self::of(options.spawn()?, SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
        let address = wait_for("the server's address", seconds(20), || match server.addresses().first() {
            Some(address) => Some(Ok(*address)),
            None => server.child.try_wait().ok().flatten().map(Err),
        });
        match address {
            Ok(Ok(address)) => server.address = address,
            Ok(Err(status)) => {
                server.join_readers();
                crate::fail!("the server ended with {status}:\n{}", server.output())
            }
            Err(Failure(why)) => crate::fail!("{why}:\n{}", server.output()),
        }
        Ok(server)
    }

    /// Every address that it said it listens on.
    #[must_use]
    pub fn addresses(&self) -> Vec<SocketAddr> {
        let output = self.output();
        let whole = output.rfind('\n').map_or("", |end| output.get(..end).unwrap_or_default());
        whole
            .lines()
            .filter(|line| line.contains("istening on"))
            .filter_map(|line| line.split_once("http://")?.1.split(['/', ' ']).next()?.parse().ok())
            .collect()
    }

    /// The first of them.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its process.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it printed so far.
    #[must_use]
    pub fn output(&self) -> String {
        let bytes = self.output.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Waits for a text in what it prints.
    ///
    /// # Errors
    /// When it does not come.
    pub fn wait_output(&self, text: &str, limit: Duration) -> Outcome {
        wait_for(&format!("{text:?} in the server's output"), limit, || {
            self.output().contains(text).then_some(())
        })
    }

    /// A connection.
    ///
    /// # Errors
    /// When it does not listen.
    pub fn client(&self) -> Outcome<Client> {
        Client::connect(self.address)
    }

    /// One GET over a connection of its own.
    ///
    /// # Errors
    /// When no response comes.
    pub fn get(&self, path: &str) -> Outcome<Response> {
        client::get(self.address, path)
    }

    /// Sends a signal.
    ///
    /// # Errors
    /// When it is gone.
    pub fn signal(&self, signal: Signal) -> Outcome {
        process::signal(self.pid(), signal)
    }

    /// Waits for its end.
    ///
    /// # Errors
    /// When it does not end in time.
    pub fn wait(&mut self, limit: Duration) -> Outcome<ExitStatus> {
        let child = &mut self.child;
        let status = wait_for("the server's end", limit, || child.try_wait().ok().flatten())?;
        self.join_readers();
        Ok(status)
    }

    /// SIGTERM, then its end: exit code 0 within `limit`.
    ///
    /// # Errors
    /// When it does not end so.
    pub fn stop(&mut self, limit: Duration) -> Outcome {
        self.signal(Signal::TERM)?;
        let status = self.wait(limit)?;
        crate::ensure!(status.code() == Some(0), "the server ended with {status}, not with exit code 0");
        Ok(())
    }

    /// `kill -9`, and reaped.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn kill(&mut self) -> Outcome {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// Both pipes end when every holder is gone; the apps have pipes of their own.
    fn join_readers(&mut self) {
        let readers = std::mem::take(&mut self.readers);
        // Someone may have inherited a pipe: what was read until now is then all there is.
        let _ = wait_for("the end of the output", seconds(2), || {
            readers.iter().all(std::thread::JoinHandle::is_finished).then_some(())
        });
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Line by line: half a number is another number, and a line of the other pipe must not come between.
fn collect(from: impl Read + Send + 'static, into: Arc<Mutex<Vec<u8>>>) -> std::thread::JoinHandle<()> {
    std::thread::spawn(move || {
        let (mut from, mut line) = (BufReader::new(from), Vec::new());
        while let Ok(1..) = from.read_until(b'\n', &mut line) {
            into.lock().unwrap_or_else(PoisonError::into_inner).append(&mut line);
        }
    })
}

/// Starts a server over a puppet, runs the test, and shows the server's output when it fails.
///
/// # Errors
/// The test's own.
pub fn serve(
    puppet: &Puppet,
    arguments: &[&str],
    test: impl FnOnce(&mut Server, &Record) -> Outcome,
) -> Outcome {
    let folder = puppet.folder()?;
    let options = arguments.iter().fold(Options::new(folder.path()), |options, one| options.arg(one));
    serve_folder(&folder, &options, test)
}

/// The same over any folder.
///
/// # Errors
/// The test's own.
pub fn serve_folder(
    folder: &Folder,
    options: &Options,
    test: impl FnOnce(&mut Server, &Record) -> Outcome,
) -> Outcome {
    let mut server = Server::start(options)?;
    let record = folder.record();
    let outcome = test(&mut server, &record);
    outcome.map_err(|Failure(why)| {
        Failure(format!("{why}\n--- the server said:\n{}\n--- {}", server.output(), record.describe()))
    })
}
