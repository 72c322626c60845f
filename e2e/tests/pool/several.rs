//! `processesPerApplication`: as many processes as requests asked for, the least busy one next.

use super::*;

pub(super) fn add_to(suite: Suite) -> Suite {
    let four = || Puppet::new().attribute("processesPerApplication", "4");
    suite
        .served("one request starts one process, many start all", four(), &[], lazily)
        .served("requests go where the fewest are", four(), &[], least_busy)
        .served("the end of one process fails no request on another", four(), &[], independent)
        .test("under load all are replaced one by one", || replaced(4))
        .test("fewer processes after a change", fewer)
        .test("one process, four, and one again, and no request fails", back_and_forth)
}

fn pids(server: &Server, requests: u32) -> Outcome<BTreeSet<u32>> {
    (0..requests).map(|_| pid(server)).collect()
}

fn all(server: &Server, count: usize) -> Outcome<BTreeSet<u32>> {
    wait_for(&format!("{count} processes"), SOON, || pids(server, 20).ok().filter(|pids| pids.len() == count))
}

fn lazily(server: &mut Server, record: &Record) -> Outcome {
    pid(server)?;
    pause(1000);
    ensure!(record.starts().len() == 1, "{:?}", record.starts());
    pid(server)?;
    wait_for("a second process", SOON, || (record.starts().len() == 2).then_some(()))?;
    pause(500);
    ensure!(record.starts().len() == 2, "{:?}", record.starts());
    let everybody = all(server, 4)?;
    ensure!(pids(server, 40)?.is_subset(&everybody), "more than there may be");
    ensure!(record.starts().len() == 4, "{:?}", record.starts());
    Ok(())
}

fn least_busy(server: &mut Server, record: &Record) -> Outcome {
    let everybody = all(server, 4)?;
    // Three of them get one that does not end; all others go to the fourth. Each in its turn, since two at once may
    // both find the same process free.
    let mut busy = Vec::new();
    for number in 0..3 {
        let target = format!("/hang/{number}");
        let client = order(server, &target, "hang")?;
        busy.push((record.wait_request(&target, SOON)?.pid, client));
    }
    let held: BTreeSet<u32> = busy.iter().map(|(pid, _)| *pid).collect();
    ensure!(held.len() == 3, "two of them on one process");
    let free: BTreeSet<u32> = everybody.difference(&held).copied().collect();
    ensure!(pids(server, 20)? == free, "a busy process was asked");
    drop(busy);
    Ok(())
}

fn independent(server: &mut Server, record: &Record) -> Outcome {
    let everybody = all(server, 4)?;
    let load = Load::start(server.address(), 4, 200);
    for pid in everybody.iter().take(3) {
        pause(200);
        process::signal(*pid, Signal::KILL)?;
    }
    pause(500);
    let tally = load.end();
    // What was within a killed process may fail, and nothing else.
    let failed: u64 =
        tally.statuses.iter().filter(|(status, _)| **status != 200).map(|(_, count)| count).sum();
    ensure!(tally.failures.is_empty(), "{:?}", tally.failures);
    ensure!(failed <= 3 * 4, "{:?}", tally.statuses);
    tally.arrived_once(record)?;
    all(server, 4)?;
    Ok(())
}

fn replaced(count: usize) -> Outcome {
    let folder = Puppet::new().attribute("processesPerApplication", &count.to_string()).folder()?;
    serve_folder(&folder, &Options::new(folder.path()), |server, record| {
        let old = all(server, count)?;
        let load = Load::start(server.address(), 8, 300);
        touch(&folder)?;
        wait_for("new processes", seconds(20), || {
            let now = pids(server, 20).ok()?;
            (now.len() == count && now.is_disjoint(&old)).then_some(())
        })?;
        let tally = load.end();
        tally.all_are(&[200])?;
        tally.arrived_once(record)?;
        ensure!(record.starts().len() == 2 * count, "{} starts", record.starts().len());
        Ok(())
    })
}

fn fewer() -> Outcome {
    let folder = Puppet::new().attribute("processesPerApplication", "3").folder()?;
    serve_folder(&folder, &Options::new(folder.path()), |server, _| {
        let old = all(server, 3)?;
        folder.replace("web.config", "processesPerApplication=\"3\"", "processesPerApplication=\"1\"")?;
        wait_for("one new process", SOON, || {
            let now = pids(server, 10).ok()?;
            (now.len() == 1 && now.is_disjoint(&old)).then_some(())
        })?;
        old.into_iter().try_for_each(gone)
    })
}

fn back_and_forth() -> Outcome {
    let folder = Puppet::new().attribute("processesPerApplication", "1").folder()?;
    serve_folder(&folder, &Options::new(folder.path()), |server, record| {
        pid(server)?;
        let load = Load::start(server.address(), 8, 300);
        for (from, to) in [(1, 4), (4, 1), (1, 4), (4, 1)] {
            let number = |count: usize| format!("processesPerApplication=\"{count}\"");
            folder.replace("web.config", &number(from), &number(to))?;
            all(server, to)?;
        }
        let tally = load.end();
        tally.all_are(&[200])?;
        tally.arrived_once(record)
    })
}
