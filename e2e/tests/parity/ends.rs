//! How long the app may take to end, and what happens to one that does not.

use std::time::Duration;

use super::*;

pub(super) const TRIALS: &[Trial] = &[
    ("an app may take its time within shutdownTimeLimit", own_time),
    ("an app that does not end is killed at shutdownTimeLimit", at_limit),
    ("a shutdownTimeLimit of 0 kills at once", at_once),
];

/// How long the app lives on once it was told to end, by being taken offline.
fn ends(limit: &str, needs: &str, test: impl FnOnce(&Site, Duration) -> Outcome) -> Outcome {
    let hosting = Hosting::new().attribute("shutdownTimeLimit", limit).variable("PARITY_STOP_DELAY", needs);
    hosting.serve(|site| {
        let pid = site.pid()?;
        // It may be told before we see that it is offline.
        let start = now();
        site.folder.write("app_offline.htm", "offline")?;
        site.until("/", 503)?;
        wait_for("the app's end", SOON + SOON, || process::living(pid).is_none().then_some(()))?;
        let took = start.elapsed();
        site.event(1030, 1)?;
        site.remove("app_offline.htm")?;
        site.another(pid)?;
        test(site, took)
    })
}

fn own_time() -> Outcome {
    ends("30", "2000", |site, took| {
        ensure!(took >= seconds(2) && took < seconds(20), "it took {took:?}");
        site.event(1006, 1)?;
        ensure!(!site.server.output().contains("[1005]"), "it was killed");
        Ok(())
    })
}

fn at_limit() -> Outcome {
    ends("2", "60000", |site, took| {
        ensure!(took >= seconds(2) && took < seconds(20), "it took {took:?}");
        site.event(1005, 1)
    })
}

fn at_once() -> Outcome {
    ends("0", "60000", |site, took| {
        // An app that is waited for lives on for ten seconds at least.
        ensure!(took < seconds(8), "it took {took:?}");
        site.event(1005, 1)
    })
}
