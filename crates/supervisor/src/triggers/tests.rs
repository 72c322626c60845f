mod changes;

use std::os::unix::fs::symlink;
use std::path::Path;

use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::time::{Instant, timeout};

use super::*;
use crate::process::ears::Watches;
use crate::process::offline::tests::Temporary;

/// Far more than any look takes; with paused time it costs nothing.
const PATIENCE: Duration = Duration::from_secs(60);

/// Without web.config.
fn begin(folder: PathBuf) -> Triggers {
    Triggers::begin(folder, &[])
}

fn start(triggers: Triggers) -> UnboundedReceiver<Command> {
    let (events, happened) = unbounded_channel();
    let listeners = Listeners { events, changes: unbounded_channel().0 };
    tokio::spawn(triggers.watch(listeners, watch::channel(Vec::new()).1));
    happened
}

/// One that hears nothing and begins so.
fn deaf(folder: &Path, config_files: &[PathBuf]) -> Triggers {
    let mut disk = Disk::with(folder.to_owned(), config_files, Watches::default());
    disk.look(true);
    assert!(disk.is_deaf());
    Triggers { disk, ears: None }
}

/// The page of the next event; none when it says that the app is online.
async fn next(events: &mut UnboundedReceiver<Command>) -> Option<Vec<u8>> {
    match timeout(PATIENCE, events.recv()).await.expect("it is noticed").expect("the task lives") {
        Command::Event(Event::Offline(page)) => Some(page.to_vec()),
        Command::Event(Event::Online) => None,
        other => panic!("{other:?}"),
    }
}

/// Lets who listens hear what happened before the time goes on, which it else does for who waits for the kernel.
async fn heard() {
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
}

async fn comes_changes_and_goes(triggers: Triggers, temporary: &Temporary) {
    assert_eq!(triggers.page(), None);
    let mut events = start(triggers);
    for _ in 0..3 {
        temporary.write("other", "x");
        // Complete when it appears, as a careful deployment does it.
        temporary.write("new", "one");
        std::fs::rename(temporary.at("new"), temporary.at("App_Offline.Htm")).expect("a name");
        assert_eq!(next(&mut events).await.as_deref(), Some(b"one".as_slice()));
        temporary.write("new", "three");
        std::fs::rename(temporary.at("new"), temporary.at("App_Offline.Htm")).expect("a name");
        assert_eq!(next(&mut events).await.as_deref(), Some(b"three".as_slice()));
        temporary.remove("App_Offline.Htm");
        assert_eq!(next(&mut events).await, None);
    }
}

#[tokio::test(start_paused = true)]
async fn an_arrival_is_heard_at_once() {
    let temporary = Temporary::new();
    let triggers = begin(temporary.path().to_owned());
    assert!(!triggers.disk.is_deaf(), "inotify is there");
    let mut events = start(triggers);
    tokio::time::sleep(Duration::from_millis(50)).await;
    let start = Instant::now();
    temporary.write("app_offline.htm", "");
    heard().await;
    assert_eq!(next(&mut events).await, Some(Vec::new()));
    assert_eq!(start.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn it_comes_changes_and_goes() {
    let temporary = Temporary::new();
    comes_changes_and_goes(begin(temporary.path().to_owned()), &temporary).await;
}

#[tokio::test(start_paused = true)]
async fn who_is_deaf_sees_the_same() {
    let temporary = Temporary::new();
    comes_changes_and_goes(deaf(temporary.path(), &[]), &temporary).await;
}

#[tokio::test(start_paused = true)]
async fn what_is_there_from_the_start_is_known_before_anything_runs() {
    let temporary = Temporary::new();
    temporary.write("app_offline.htm", "one");
    let triggers = begin(temporary.path().to_owned());
    assert_eq!(triggers.page().as_deref(), Some(b"one".as_slice()));
    let mut events = start(triggers);
    temporary.remove("app_offline.htm");
    assert_eq!(next(&mut events).await, None);
}

#[tokio::test(start_paused = true)]
async fn a_folder_that_is_replaced_is_not_lost() {
    let temporary = Temporary::new();
    let path = temporary.at("current");
    std::fs::create_dir(&path).expect("a folder");
    let mut events = start(begin(path.clone()));
    for round in 0..3 {
        tokio::time::sleep(MAKE_SURE).await;
        if round == 0 { std::fs::remove_dir_all(&path) } else { std::fs::remove_file(&path) }
            .expect("it is there");
        let release = temporary.at(&format!("release{round}"));
        std::fs::create_dir(&release).expect("a folder");
        symlink(&release, &path).expect("a link");
        tokio::time::sleep(MAKE_SURE * 2).await;
        std::fs::write(release.join("app_offline.htm"), "new").expect("a file");
        assert!(next(&mut events).await.is_some());
        std::fs::remove_file(release.join("app_offline.htm")).expect("a file");
        while next(&mut events).await.is_some() {}
    }
}
