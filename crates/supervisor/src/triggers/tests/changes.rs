//! A web.config changes, or the folder does.

use std::time::SystemTime;

use super::*;

/// Nothing else comes within this.
const SILENCE: Duration = Duration::from_secs(5);

struct Stage {
    temporary: Temporary,
    events: UnboundedReceiver<Command>,
    changes: UnboundedReceiver<Change>,
    config_files: watch::Sender<Vec<PathBuf>>,
    touches: u64,
}

impl Stage {
    /// `app` is a link to `one`; the web.config of the app and the one above it count.
    fn new(deaf: bool) -> Self {
        let temporary = Temporary::new();
        for release in ["one", "two"] {
            std::fs::create_dir(temporary.at(release)).expect("a folder");
            temporary.write(&format!("{release}/web.config"), release);
        }
        temporary.write("web.config", "");
        symlink("one", temporary.at("app")).expect("a link");
        let files = vec![temporary.at("app/web.config"), temporary.at("web.config")];
        let folder = temporary.at("app");
        let triggers = if deaf { super::deaf(&folder, &files) } else { Triggers::begin(folder, &files) };
        assert_eq!(triggers.disk.is_deaf(), deaf);
        let (events, happened) = unbounded_channel();
        let (tell, changes) = unbounded_channel();
        let config_files = watch::Sender::new(files);
        let listeners = Listeners { events, changes: tell };
        tokio::spawn(triggers.watch(listeners, config_files.subscribe()));
        Self { temporary, events: happened, changes, config_files, touches: 0 }
    }

    fn touch(&mut self, name: &str) {
        self.touches += 1;
        let file = std::fs::File::options().append(true).open(self.temporary.at(name)).expect("it is there");
        // The clock of the disk may be slower than this test.
        file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(self.touches)).expect("a time");
    }

    fn lead_to(&self, release: &str) {
        symlink(release, self.temporary.at("new")).expect("a link");
        std::fs::rename(self.temporary.at("new"), self.temporary.at("app")).expect("a name");
    }

    /// All changes until nothing more comes, with the time of each.
    async fn told(&mut self) -> Vec<(Change, Duration)> {
        let (mut told, start) = (Vec::new(), Instant::now());
        while let Ok(change) = timeout(SILENCE, self.changes.recv()).await {
            told.push((change.expect("the task lives"), start.elapsed()));
        }
        told
    }

    async fn expect(&mut self, expected: Change, why: &str) {
        let told = self.told().await;
        assert!(matches!(told.as_slice(), [(change, _)] if *change == expected), "{why}: {told:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_web_config_of_its_own_or_above_is_told_once_for_whatever_happens_to_it() {
    for deaf in [false, true] {
        let mut stage = Stage::new(deaf);
        assert_eq!(stage.told().await, []);
        for file in ["one/web.config", "web.config"] {
            stage.touch(file);
            stage.expect(Change::Config, "touched").await;
            stage.temporary.write(file, "longer than before");
            stage.expect(Change::Config, "written").await;
            stage.temporary.remove(file);
            stage.expect(Change::Config, "gone").await;
            stage.temporary.write("new", "x");
            let odd = stage.temporary.at(file).with_file_name("Web.CONFIG");
            std::fs::rename(stage.temporary.at("new"), odd).expect("a name");
            stage.expect(Change::Config, "there again, in another spelling").await;
        }
        for other in ["one/appsettings.json", "web.config.bak", "two/web.config"] {
            stage.temporary.write(other, "x");
            assert_eq!(stage.told().await, [], "{other}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_burst_is_one_change_and_one_without_end_is_told_within_a_second() {
    for deaf in [false, true] {
        let mut stage = Stage::new(deaf);
        for _ in 0..7 {
            stage.touch("one/web.config");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        let told = stage.told().await;
        assert_eq!(told.len(), 1, "{told:?}");
        // From the last touch, which was 100 ms ago.
        assert!(told[0].1 <= LOOK + QUIET, "{told:?}");

        let start = Instant::now();
        let mut times = Vec::new();
        while start.elapsed() < Duration::from_secs(4) {
            stage.touch("web.config");
            tokio::time::sleep(Duration::from_millis(100)).await;
            times.extend(stage.changes.try_recv().map(|_| start.elapsed()));
        }
        assert!(times.len() >= 3 && times.len() <= 4, "{times:?}");
        assert!(times[0] <= BURST_MOST + 2 * LOOK, "{times:?}");
        let last = stage.told().await;
        assert!((1..=2).contains(&last.len()), "the last touches are told too: {last:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn another_folder_at_the_path_is_told_and_watched() {
    for deaf in [false, true] {
        let mut stage = Stage::new(deaf);
        for release in ["two", "one", "two"] {
            stage.lead_to(release);
            stage.expect(Change::Folder, release).await;
            stage.touch(&format!("{release}/web.config"));
            stage.expect(Change::Config, release).await;
            let page = format!("{release}/app_offline.htm");
            stage.temporary.write(&page, "x");
            assert!(next(&mut stage.events).await.is_some());
            stage.temporary.remove(&page);
            assert!(next(&mut stage.events).await.is_none());
            let old = if release == "two" { "one" } else { "two" };
            stage.touch(&format!("{old}/web.config"));
            assert_eq!(stage.told().await, [], "the old folder concerns nobody");
        }
        // Not the link but the folder itself, which may be given the number of the old one, though not its birth once the
        // clock of the disk has gone on.
        std::thread::sleep(Duration::from_millis(50));
        std::fs::remove_dir_all(stage.temporary.at("two")).expect("it is there");
        std::fs::create_dir(stage.temporary.at("two")).expect("a folder");
        stage.expect(Change::Folder, "made anew").await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_folder_that_is_away_is_told_when_another_one_comes() {
    let mut stage = Stage::new(false);
    stage.temporary.remove("app");
    assert_eq!(stage.told().await, [], "there is nothing to load a plan from");
    stage.lead_to("one");
    assert_eq!(stage.told().await, [], "the same one");
    stage.temporary.remove("app");
    assert_eq!(stage.told().await, []);
    stage.lead_to("two");
    stage.expect(Change::Folder, "another one").await;
}

#[tokio::test(start_paused = true)]
async fn what_is_heard_is_told_soon_and_the_page_at_once() {
    let mut stage = Stage::new(false);
    tokio::time::sleep(Duration::from_millis(50)).await;
    let start = Instant::now();
    stage.lead_to("two");
    heard().await;
    let change = timeout(MAKE_SURE / 2, stage.changes.recv()).await.expect("the link is heard");
    assert_eq!(change, Some(Change::Folder));
    assert!(start.elapsed() >= QUIET, "{:?}", start.elapsed());
    stage.touch("two/web.config");
    heard().await;
    tokio::time::sleep(GATHER * 2).await;
    let start = Instant::now();
    stage.temporary.write("two/app_offline.htm", "");
    heard().await;
    assert!(next(&mut stage.events).await.is_some());
    assert_eq!(start.elapsed(), Duration::ZERO, "not with the burst");
    assert_eq!(stage.changes.recv().await, Some(Change::Config));
    assert!(start.elapsed() < QUIET, "{:?}", start.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_later_plan_may_come_from_other_files() {
    let mut stage = Stage::new(false);
    let own = stage.temporary.at("app/web.config");
    stage.config_files.send_replace(vec![own.clone()]);
    assert_eq!(stage.told().await, []);
    stage.touch("web.config");
    assert_eq!(stage.told().await, []);
    stage.config_files.send_replace(vec![own, stage.temporary.at("two/web.config")]);
    assert_eq!(stage.told().await, [], "it begins as it is");
    stage.touch("two/web.config");
    stage.expect(Change::Config, "a new one").await;
}

#[tokio::test(start_paused = true)]
async fn more_than_the_kernel_notes_is_looked_at_all_the_same() {
    let mut stage = Stage::new(false);
    let most = std::fs::read_to_string("/proc/sys/fs/inotify/max_queued_events");
    let most: u32 = most.ok().and_then(|text| text.trim().parse().ok()).unwrap_or(16_384);
    let (one, other) = (stage.temporary.at("one/x"), stage.temporary.at("one/y"));
    std::fs::write(&one, "").expect("a file");
    // Nobody else runs meanwhile: the queue is full when the touch comes.
    for _ in 0..most / 4 + 1 {
        std::fs::rename(&one, &other).expect("a name");
        std::fs::rename(&other, &one).expect("a name");
    }
    let start = Instant::now();
    stage.touch("one/web.config");
    let change = timeout(MAKE_SURE / 2, stage.changes.recv()).await.expect("the overflow is heard");
    assert_eq!(change, Some(Change::Config));
    assert!(start.elapsed() < MAKE_SURE / 2);
}
