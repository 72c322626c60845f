use std::os::unix::fs::symlink;
use std::time::{Duration, SystemTime};

use super::*;
use crate::process::offline::tests::Temporary;

fn begun(paths: &[PathBuf]) -> Configs {
    let mut configs = Configs::new(paths);
    assert!(!look(&mut configs), "what is there at first is no change");
    configs
}

fn look(configs: &mut Configs) -> bool {
    configs.look(false, &mut Watches::default())
}

fn touch(path: &Path) {
    let file = std::fs::File::options().append(true).open(path).expect("it is there");
    file.set_modified(SystemTime::now() + Duration::from_secs(5)).expect("the time can be set");
}

#[test]
fn what_happens_to_a_file_is_seen_once() {
    let temporary = Temporary::new();
    let mut configs = begun(&[temporary.at("web.config")]);
    let at = |name: &str| temporary.at(name);
    let steps: [(&str, &dyn Fn()); 9] = [
        ("comes", &|| temporary.write("web.config", "one")),
        ("written", &|| temporary.write("web.config", "three")),
        ("touched", &|| touch(&at("web.config"))),
        ("copied over with its old time", &|| {
            temporary.write("new", "three");
            std::fs::rename(at("new"), at("web.config")).expect("a name");
        }),
        ("another spelling", &|| std::fs::rename(at("web.config"), at("Web.Config")).expect("a name")),
        ("touched in that", &|| touch(&at("Web.Config"))),
        ("a second one", &|| temporary.write("WEB.CONFIG", "")),
        ("the second goes", &|| temporary.remove("WEB.CONFIG")),
        ("goes", &|| temporary.remove("Web.Config")),
    ];
    for (what, step) in steps {
        step();
        // A name that came within the same tick of the clock shows only to who looks thoroughly.
        assert!(configs.look(true, &mut Watches::default()), "{what}");
        assert!(!look(&mut configs), "{what}, again");
        temporary.write("other", what);
        assert!(!look(&mut configs), "{what}, then another file");
    }
}

#[test]
fn traps_under_the_name_are_only_looked_at() {
    let temporary = Temporary::new();
    let path = temporary.at("web.config");
    let mut configs = begun(std::slice::from_ref(&path));
    let mode = Mode::from_raw_mode(0o600);
    rustix::fs::mknodat(rustix::fs::CWD, &path, rustix::fs::FileType::Fifo, mode, 0).expect("a FIFO");
    assert!(configs.look(true, &mut Watches::default()), "opening it would wait for ever");
    temporary.remove("web.config");
    symlink("/dev/zero", &path).expect("a link");
    assert!(configs.look(true, &mut Watches::default()));
    assert!(!look(&mut configs));
}

#[test]
fn what_a_link_leads_to_counts() {
    let temporary = Temporary::new();
    temporary.write("real", "one");
    symlink("real", temporary.at("web.config")).expect("a link");
    let mut configs = begun(&[temporary.at("web.config")]);
    touch(&temporary.at("real"));
    assert!(look(&mut configs));
    temporary.remove("real");
    assert!(look(&mut configs) && !look(&mut configs));
}

#[test]
fn a_folder_that_is_away_says_nothing() {
    let temporary = Temporary::new();
    std::fs::create_dir(temporary.at("app")).expect("a folder");
    temporary.write("app/web.config", "one");
    let mut configs = begun(&[temporary.at("app/web.config")]);
    std::fs::rename(temporary.at("app"), temporary.at("away")).expect("a name");
    assert!(!look(&mut configs));
    std::fs::rename(temporary.at("away"), temporary.at("app")).expect("a name");
    assert!(!look(&mut configs), "it is as it was");
    std::fs::rename(temporary.at("app"), temporary.at("away")).expect("a name");
    std::fs::create_dir(temporary.at("app")).expect("a folder");
    assert!(look(&mut configs), "it is gone");
}

#[test]
fn other_files_may_be_asked_for() {
    let temporary = Temporary::new();
    std::fs::create_dir(temporary.at("app")).expect("a folder");
    let (own, parent) = (temporary.at("app/web.config"), temporary.at("web.config"));
    let mut configs = begun(std::slice::from_ref(&own));
    temporary.write("app/web.config", "");
    temporary.write("web.config", "");
    configs.replace(&[own.clone(), parent.clone()]);
    assert!(configs.look(true, &mut Watches::default()), "the known one is compared with what was known");
    assert!(!look(&mut configs), "the new one begins as it is");
    touch(&parent);
    assert!(look(&mut configs));
    configs.replace(&[own]);
    touch(&parent);
    assert!(!look(&mut configs));
    assert!(configs.is_name(c"WEB.config") && !configs.is_name(c"web.config.bak"));
}
