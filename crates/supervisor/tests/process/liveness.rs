//! Who takes connections and who does not.

use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use libtest_mimic::{Failed, Trial};
use rustix::process::Signal;
use supervisor::process::liveness::{Liveness, Verdict};
use supervisor::process::{Launch, ProcessEvent, port};

use crate::harness::{App, Outcome, check, program, same, shell, signal, this_binary, trial};

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("who_listens_and_never_accepts_is_stuck", never),
        trial("who_accepts_slowly_is_alive", slowly),
        trial("who_accepts_as_fast_as_others_come_is_alive", steadily),
        trial("who_was_stopped_is_stuck_until_it_goes_on", stopped),
        trial("who_was_stopped_with_requests_in_it_is_stuck_although_nobody_waits", stopped_busy),
        trial("who_is_stopped_now_and_then_is_alive", paced),
        trial("who_is_debugged_is_never_stuck", debugged),
        trial("the_queue_of_a_stranger_says_nothing", stranger),
    ]
}

/// An app that is listening, and one who looks at it with a clock that runs a second for each look.
struct Stage {
    app: App,
    pid: u32,
    address: SocketAddr,
    liveness: Liveness,
    now: Instant,
    open: Vec<TcpStream>,
}

impl Stage {
    async fn new(launch: Launch) -> Result<Self, Failed> {
        let mut app = App::start(launch)?;
        let pid = app.started().await?;
        let ProcessEvent::Listening { address, owner, listeners } = app.next().await? else {
            return Err("it does not listen".into());
        };
        let liveness = Liveness::new(address, owner, listeners);
        let now = tokio::time::Instant::now().into_std();
        Ok(Self { app, pid, address, liveness, now, open: Vec::new() })
    }

    fn connect(&mut self, count: usize) -> Outcome {
        for _ in 0..count {
            self.open.push(TcpStream::connect_timeout(&self.address, Duration::from_secs(5))?);
        }
        Ok(())
    }

    /// How many wait to be accepted, as the kernel's table of listeners has it.
    fn waiting(&self) -> Result<u32, Failed> {
        let SocketAddr::V4(address) = self.address else { return Err("no IPv4 address".into()) };
        let local = u32::from_ne_bytes(address.ip().octets());
        let local = format!("{local:08X}:{:04X}", address.port());
        let table = std::fs::read_to_string("/proc/self/net/tcp")?;
        let mut rows = table.lines().map(|row| row.split_ascii_whitespace().collect::<Vec<_>>());
        let row = rows.find(|row| row[1] == local && row[3] == "0A").ok_or("it does not listen")?;
        let queue = row[4].split_once(':').ok_or("no queue")?.1;
        Ok(u32::from_str_radix(queue, 16)?)
    }

    /// Until so many wait: whoever has connected may know of it before the listener does.
    async fn until_waiting(&self, wanted: impl Fn(u32) -> bool) -> Outcome {
        while !wanted(self.waiting()?) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        Ok(())
    }

    /// Until one more of those who wait was accepted, if any does.
    async fn until_accepted(&self) -> Outcome {
        let before = self.waiting()?;
        self.until_waiting(|now| now == 0 || now < before).await
    }

    fn look(&mut self) -> Verdict {
        self.look_at(false)
    }

    fn look_at(&mut self, busy: bool) -> Verdict {
        self.now += Duration::from_secs(1);
        self.liveness.look(self.now, busy)
    }

    fn looks(&mut self, count: usize) -> Vec<Verdict> {
        (0..count).map(|_| self.look()).collect()
    }

    async fn stop(&self) -> Outcome {
        signal(self.pid, Signal::STOP)?;
        let status = format!("/proc/{}/status", self.pid);
        while !std::fs::read_to_string(&status)?.contains("State:\tT") {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        Ok(())
    }

    async fn end(mut self) -> Outcome {
        self.app.handle.kill();
        self.app.rest().await.map(drop)
    }
}

/// Nine times alive, then stuck.
fn stuck() -> Vec<Verdict> {
    [vec![Verdict::Alive; 9], vec![Verdict::Stuck; 3]].concat()
}

fn role(words: &[&str]) -> Result<Launch, Failed> {
    let port = port::draw()?;
    let address = format!("127.0.0.1:{port}");
    let words: Vec<&str> =
        words.iter().map(|word| if *word == "ADDRESS" { &address } else { *word }).collect();
    Ok(Launch { port, ..program(&this_binary(), &words) })
}

async fn never() -> Outcome {
    let mut stage = Stage::new(role(&["listen", "ADDRESS"])?).await?;
    same(stage.looks(20), vec![Verdict::Alive; 20])?;
    stage.connect(2)?;
    stage.until_waiting(|now| now == 2).await?;
    same(stage.looks(5), vec![Verdict::Alive; 5])?;
    // More of them change nothing, and neither does one that goes.
    stage.connect(1)?;
    stage.open.remove(0);
    same(stage.looks(7), stuck()[5..].to_vec())?;
    stage.end().await
}

async fn slowly() -> Outcome {
    let mut stage = Stage::new(role(&["accept", "ADDRESS", "150"])?).await?;
    stage.connect(20)?;
    for _ in 0..20 {
        same(stage.look(), Verdict::Alive)?;
        stage.until_accepted().await?;
    }
    stage.end().await
}

async fn steadily() -> Outcome {
    let mut stage = Stage::new(role(&["accept", "ADDRESS", "100"])?).await?;
    stage.connect(10)?;
    for _ in 0..25 {
        // Never fewer than before.
        stage.connect(3)?;
        same(stage.look(), Verdict::Alive)?;
        stage.until_accepted().await?;
    }
    stage.end().await
}

async fn stopped() -> Outcome {
    let mut stage = Stage::new(role(&["accept", "ADDRESS", "0"])?).await?;
    stage.stop().await?;
    stage.connect(3)?;
    stage.until_waiting(|now| now == 3).await?;
    same(stage.looks(12), stuck())?;
    signal(stage.pid, Signal::CONT)?;
    stage.until_waiting(|now| now == 0).await?;
    same(stage.looks(12), vec![Verdict::Alive; 12])?;
    stage.end().await
}

async fn stopped_busy() -> Outcome {
    let mut stage = Stage::new(role(&["accept", "ADDRESS", "0"])?).await?;
    let busy = |stage: &mut Stage| (0..12).map(|_| stage.look_at(true)).collect::<Vec<_>>();
    same(busy(&mut stage), vec![Verdict::Alive; 12])?;
    stage.stop().await?;
    same(stage.looks(12), vec![Verdict::Alive; 12])?;
    same(busy(&mut stage), stuck())?;
    signal(stage.pid, Signal::CONT)?;
    tokio::time::sleep(Duration::from_millis(300)).await;
    same(busy(&mut stage), vec![Verdict::Alive; 12])?;
    stage.end().await
}

/// As cpulimit does it.
async fn paced() -> Outcome {
    let mut stage = Stage::new(python("", "while True: pass")?).await?;
    for _ in 0..12 {
        stage.stop().await?;
        same(stage.look_at(true), Verdict::Alive)?;
        let before = ticks(stage.pid)?;
        signal(stage.pid, Signal::CONT)?;
        while ticks(stage.pid)? == before {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
    stage.end().await
}

/// How long it ran, as the kernel writes it.
fn ticks(pid: u32) -> Result<String, Failed> {
    let line = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let ran = line.rsplit(')').next().and_then(|fields| fields.split_whitespace().nth(11));
    Ok(ran.ok_or("no such field")?.to_owned())
}

async fn debugged() -> Outcome {
    let traced = "import ctypes\nctypes.CDLL(None).ptrace(0,0,0,0)";
    let mut stage = Stage::new(python(traced, "import time\ntime.sleep(1000)")?).await?;
    let status = std::fs::read_to_string(format!("/proc/{}/status", stage.pid))?;
    check(!status.contains("TracerPid:\t0\n"), || "nobody traces it".to_owned())?;
    stage.connect(3)?;
    same(stage.looks(20), vec![Verdict::Alive; 20])?;
    stage.end().await
}

/// One that listens and never accepts; what it does before and after it listens.
fn python(before: &str, after: &str) -> Result<Launch, Failed> {
    let port = port::draw()?;
    let script = format!("{before}\nimport socket\ns=socket.create_server(('127.0.0.1',{port}))\n{after}");
    let mut launch = Launch { port, ..shell(&format!("exec python3 -c \"{script}\"")) };
    // Where python3 is depends on the machine: as in the operator's shell.
    #[expect(clippy::disallowed_methods, reason = "a test has no main that reads it")]
    launch.environment.extend(std::env::vars_os());
    Ok(launch)
}

async fn stranger() -> Outcome {
    let mut stage = Stage::new(role(&["listen", "ADDRESS"])?).await?;
    signal(stage.pid, Signal::KILL)?;
    stage.app.rest().await?;
    let _thief = crate::roles::Outsider::at(&stage.address.to_string())?;
    stage.connect(3)?;
    same(stage.looks(20), vec![Verdict::Alive; 20])
}
