//! What every test here needs: an app that is started, its events, and a look at who is still alive.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use contract::PairingToken;
use libtest_mimic::{Failed, Trial};
use supervisor::WorkerId;
use supervisor::process::{Launch, ProcessEvent, ProcessHandle, Spawner};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

/// No test here waits longer for anything.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// A port that nobody listens on, for apps that do not either. A drawn one could be another test's meanwhile.
pub(crate) const NOBODYS: u16 = 1;

pub(crate) type Outcome = Result<(), Failed>;

/// A test that runs on a control runtime of its own.
pub(crate) fn trial<F>(name: &str, test: impl FnOnce() -> F + Send + 'static) -> Trial
where
    F: Future<Output = Outcome>,
{
    Trial::test(name, move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async { tokio::time::timeout(3 * PATIENCE, test()).await })?
    })
}

/// Fails the test with these words unless the condition holds.
pub(crate) fn check(condition: bool, words: impl FnOnce() -> String) -> Outcome {
    if condition { Ok(()) } else { Err(words().into()) }
}

pub(crate) fn same<T: std::fmt::Debug + PartialEq>(seen: T, expected: T) -> Outcome {
    check(seen == expected, || format!("seen {seen:?}, expected {expected:?}"))
}

/// A word that no other test and no other run uses, and that is no part of another one: a number, also for `sleep`.
pub(crate) fn unique() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    format!("{:07}{:05}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

/// A folder that is removed at the end.
pub(crate) struct Folder(pub(crate) PathBuf);

impl Folder {
    pub(crate) fn new() -> std::io::Result<Self> {
        let path = std::env::temp_dir().join(format!("process-test-{}", unique()));
        fs::create_dir_all(&path)?;
        Ok(Self(path))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

pub(crate) fn this_binary() -> PathBuf {
    std::env::current_exe().expect("a running binary has a path")
}

/// An app to be started: `/bin/sh -c SCRIPT` unless changed.
pub(crate) fn shell(script: &str) -> Launch {
    let mut launch = program(Path::new("/bin/sh"), &["-c", script]);
    launch.environment = vec![("PATH".into(), "/usr/local/bin:/usr/bin:/bin".into())];
    launch
}

pub(crate) fn program(path: &Path, arguments: &[&str]) -> Launch {
    Launch {
        worker: WorkerId(1),
        program: path.to_owned(),
        arguments: arguments.iter().map(OsString::from).collect(),
        folder: "/".into(),
        environment: Vec::new(),
        token: PairingToken::generate().expect("randomness"),
        port: NOBODYS,
        startup_time_limit: PATIENCE,
        stdout_log: None,
        console_redirection: true,
        private_network: false,
    }
}

/// A started app.
pub(crate) struct App {
    pub(crate) handle: ProcessHandle,
    events: UnboundedReceiver<(WorkerId, ProcessEvent)>,
    /// Whether `Gone` was seen.
    pub(crate) gone: bool,
}

impl App {
    pub(crate) fn start(launch: Launch) -> std::io::Result<Self> {
        Ok(Self::start_with(&Spawner::start()?, launch))
    }

    pub(crate) fn start_with(spawner: &Spawner, launch: Launch) -> Self {
        let (send, events) = unbounded_channel();
        Self { handle: spawner.launch(launch, send), events, gone: false }
    }

    /// The next event.
    pub(crate) async fn next(&mut self) -> Result<ProcessEvent, Failed> {
        match tokio::time::timeout(PATIENCE, self.events.recv()).await {
            Ok(Some((_, event))) => {
                self.gone |= matches!(event, ProcessEvent::Gone);
                Ok(event)
            }
            Ok(None) => Err("the events ended".into()),
            Err(_) => Err(format!("no event came; output so far: {}", self.handle.output()).into()),
        }
    }

    /// The next event within a short while, if any.
    pub(crate) async fn soon(&mut self, wait: Duration) -> Option<ProcessEvent> {
        tokio::time::timeout(wait, self.events.recv()).await.ok().flatten().map(|(_, event)| event)
    }

    pub(crate) async fn started(&mut self) -> Result<u32, Failed> {
        match self.next().await? {
            ProcessEvent::Started { pid } => Ok(pid),
            other => Err(format!("expected Started, came {other:?}").into()),
        }
    }

    /// The names of all events to the last, without those that were taken already.
    pub(crate) async fn rest(&mut self) -> Result<Vec<String>, Failed> {
        let mut seen = Vec::new();
        while !self.gone {
            seen.push(format!("{:?}", self.next().await?));
        }
        match tokio::time::timeout(PATIENCE, self.events.recv()).await {
            Ok(None) => Ok(seen),
            other => Err(format!("after Gone came {other:?}").into()),
        }
    }

    /// Waits until the app has printed this.
    pub(crate) async fn printed(&self, words: &str) -> Outcome {
        for _ in 0..2000 {
            if self.handle.output().contains(words) {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        Err(format!("never printed {words:?}: {}", self.handle.output()).into())
    }
}

/// The processes whose command line holds this word, zombies left out.
pub(crate) fn alive(word: &str) -> Vec<u32> {
    let pids = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = pids.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    pids.filter(|&pid| command_line(pid).contains(word)).collect()
}

pub(crate) fn command_line(pid: u32) -> String {
    String::from_utf8_lossy(&fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default()).replace('\0', " ")
}

/// A number of a process in /proc/PID/stat: 4 is the parent, 5 the group, 6 the session.
pub(crate) fn stat(pid: u32, field: usize) -> Option<u32> {
    let line = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    line.rsplit_once(')')?.1.split_ascii_whitespace().nth(field - 3)?.parse().ok()
}

/// Waits until nothing with this word is alive.
pub(crate) async fn none_left(word: &str, within: Duration) -> Outcome {
    let deadline = tokio::time::Instant::now() + within;
    loop {
        let left = alive(word);
        if left.is_empty() {
            return Ok(());
        }
        if tokio::time::Instant::now() > deadline {
            let lines: Vec<_> = left.iter().map(|&pid| (pid, command_line(pid))).collect();
            return Err(format!("still alive after {within:?}: {lines:?}").into());
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Waits until so many processes with this word are alive.
pub(crate) async fn wait_for(word: &str, count: usize) -> Result<Vec<u32>, Failed> {
    for _ in 0..1000 {
        let found = alive(word);
        if found.len() >= count {
            return Ok(found);
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    Err(format!("not {count} with {word} but {:?}", alive(word)).into())
}

/// Sends a signal, as an outsider would.
pub(crate) fn signal(pid: u32, signal: rustix::process::Signal) -> Outcome {
    let number = rustix::process::Pid::from_raw(pid.cast_signed()).ok_or("not a process id")?;
    Ok(rustix::process::kill_process(number, signal)?)
}
