//! What the simulation builds its worlds of, and how it reads a worker.

use std::time::{Duration, Instant};

use config::PortChoice;
use contract::PairingToken;
use supervisor::{Evidence, Means, ServingWorker, Settings, State, Worker, WorkerEvent, WorkerId};

use super::random::Random;

pub(super) fn settings(random: &mut Random, instances: usize, fixed_port: bool) -> Settings {
    let page = config::WarmUpPage { path: "/warm".to_owned(), host: None };
    Settings {
        application: "/".to_owned(),
        folder: "/srv/app".to_owned(),
        command: "dotnet app.dll".to_owned(),
        port: match (fixed_port, random.one_in(20)) {
            (true, _) => PortChoice::Fixed(5000),
            (false, true) => PortChoice::Invalid("abc".to_owned()),
            (false, false) => PortChoice::Draw,
        },
        instances,
        always_running: random.one_in(3),
        preload: random.one_in(4),
        startup_time_limit: Duration::from_secs(10),
        shutdown_time_limit: Duration::from_secs(3),
        drain_limit: Duration::from_secs(30),
        rapid_fails_per_minute: random.pick(&[0, 1, 10, 100]),
        disallow_overlap: random.one_in(4),
        idle_timeout: random.one_in(4).then_some(Duration::from_secs(5)),
        recycling: config::Recycling {
            time: random.one_in(4).then_some(Duration::from_secs(20)),
            requests: random.one_in(4).then_some(0),
            private_memory: random.one_in(4).then_some(1000),
            schedule: Vec::new(),
        },
        warm_up: if random.one_in(3) { [page].into() } else { [].into() },
    }
}

pub(super) fn listening(id: WorkerId, owner: u32) -> WorkerEvent {
    let token = PairingToken::from_bits([0; PairingToken::LENGTH / 2]);
    let mut serving = ServingWorker::fixed(id, ([127, 0, 0, 1], 5000).into(), token, 1);
    std::sync::Arc::get_mut(&mut serving).expect("nobody else has it yet").pid = owner;
    WorkerEvent::Listening { serving }
}

pub(super) fn gone() -> WorkerEvent {
    WorkerEvent::Gone { evidence: Evidence::default() }
}

pub(super) fn is_launching(worker: &&Worker) -> bool {
    matches!(worker.state, State::Launching { .. })
}

pub(super) fn rank(worker: &Worker) -> u8 {
    match worker.state {
        State::Launching { .. } => 0,
        State::Warming { .. } => 1,
        State::Serving { .. } => 2,
        State::Draining { .. } => 3,
        State::Stopping { means: Means::Terminate, .. } => 4,
        State::Stopping { means: Means::Kill(_), .. } => 5,
        State::Gone => 6,
    }
}

pub(super) fn deadline(worker: &Worker) -> Option<Instant> {
    match worker.state {
        State::Launching { deadline }
        | State::Warming { deadline, .. }
        | State::Draining { deadline }
        | State::Stopping { deadline, .. } => Some(deadline),
        State::Serving { .. } | State::Gone => None,
    }
}
