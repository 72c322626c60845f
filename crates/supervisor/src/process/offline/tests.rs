use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;

use super::*;

/// A folder of its own, gone with the test.
pub(crate) struct Temporary(PathBuf);

impl Temporary {
    pub(crate) fn new() -> Self {
        let mut random = [0; 8];
        getrandom::fill(&mut random).expect("the system has randomness");
        let path = std::env::temp_dir().join(format!("falconer-offline-{:016x}", u64::from_ne_bytes(random)));
        std::fs::create_dir(&path).expect("a temporary folder");
        Self(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    pub(crate) fn at(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        std::fs::write(self.at(name), text).expect("the folder can be written");
    }

    pub(crate) fn remove(&self, name: &str) {
        std::fs::remove_file(self.at(name)).expect("the file is there");
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        // A folder that stays in /tmp is no reason to fail.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Without ears: what is seen must not depend on them.
fn deaf(path: &Path) -> Folder {
    Folder::new(path.to_owned())
}

fn look(folder: &mut Folder, thoroughly: bool) -> bool {
    folder.look(thoroughly, &mut Watches::default())
}

fn seen(folder: &mut Folder) -> Option<Vec<u8>> {
    look(folder, true);
    match folder.sight() {
        Sight::Absent => None,
        Sight::Present(page) => Some(page.to_vec()),
    }
}

/// What is seen with this under the name, and whether it goes away again.
fn seen_once(temporary: &Temporary) -> Option<Vec<u8>> {
    seen(&mut deaf(temporary.path()))
}

#[test]
fn the_bytes_are_sent_as_they_are_whatever_the_case_of_the_name() {
    let temporary = Temporary::new();
    assert_eq!(seen_once(&temporary), None);
    for name in ["app_offline.htm", "App_Offline.Htm", "APP_OFFLINE.HTM"] {
        temporary.write(name, "\u{feff}<h1>back soon</h1>\r\n");
        assert_eq!(
            seen_once(&temporary).as_deref(),
            Some("\u{feff}<h1>back soon</h1>\r\n".as_bytes()),
            "{name}"
        );
        temporary.remove(name);
        assert_eq!(seen_once(&temporary), None);
    }
}

#[test]
fn other_names_and_other_folders_are_not_it() {
    let temporary = Temporary::new();
    std::fs::create_dir(temporary.at("wwwroot")).expect("a folder");
    for name in ["app_offline.html", "app_off", "app_offline", "_app_offline.htm", "wwwroot/app_offline.htm"]
    {
        temporary.write(name, "x");
    }
    assert_eq!(seen_once(&temporary), None);
}

#[test]
fn what_is_no_small_regular_file_has_no_content() {
    let temporary = Temporary::new();
    let name = temporary.at("app_offline.htm");
    temporary.write("secret", "do not show");
    let mode = Mode::from_raw_mode(0o600);
    let fifo =
        || rustix::fs::mknodat(rustix::fs::CWD, &name, FileType::Fifo, mode, 0).map_err(io::Error::from);
    let giant = || File::create(&name).and_then(|file| file.set_len(10 << 30));
    let above = || std::fs::write(&name, vec![b'x'; 1 + (1 << 20)]);
    let makers: [(&str, &dyn Fn() -> io::Result<()>); 6] = [
        ("a FIFO", &fifo),
        ("a symlink", &|| symlink("secret", &name)),
        ("a symlink to nothing", &|| symlink("nothing", &name)),
        ("a sparse giant", &giant),
        ("one byte too many", &above),
        ("a folder", &|| std::fs::create_dir(&name)),
    ];
    for (what, make) in makers {
        make().expect(what);
        assert_eq!(seen_once(&temporary), Some(Vec::new()), "{what}");
        if std::fs::remove_file(&name).is_err() {
            std::fs::remove_dir(&name).expect("what is no file is a folder");
        }
    }
    std::fs::write(&name, vec![b'x'; 1 << 20]).expect("a file");
    assert_eq!(seen_once(&temporary).map(|page| page.len()), Some(1 << 20), "the largest page");
}

#[test]
fn a_file_that_may_not_be_read_is_there_all_the_same() {
    let temporary = Temporary::new();
    temporary.write("app_offline.htm", "x");
    let permissions = std::fs::Permissions::from_mode(0o000);
    std::fs::set_permissions(temporary.at("app_offline.htm"), permissions).expect("a file of ours");
    // Root may read everything.
    let expected = if rustix::process::geteuid().is_root() { b"x".to_vec() } else { Vec::new() };
    assert_eq!(seen_once(&temporary), Some(expected));
}

#[test]
fn a_changed_content_is_read_and_a_name_that_moves_away_is_gone() {
    let temporary = Temporary::new();
    let mut folder = deaf(temporary.path());
    temporary.write("app_offline.htm", "one");
    assert_eq!(seen(&mut folder), Some(b"one".to_vec()));
    temporary.write("app_offline.htm", "three");
    assert_eq!(seen(&mut folder), Some(b"three".to_vec()));
    std::fs::rename(temporary.at("app_offline.htm"), temporary.at("App_Offline.htm")).expect("a name");
    assert_eq!(seen(&mut folder), Some(b"three".to_vec()));
    std::fs::rename(temporary.at("App_Offline.htm"), temporary.at("app_offline.old")).expect("a name");
    assert_eq!(seen(&mut folder), None);
}

#[test]
fn another_folder_at_the_path_is_looked_into() {
    let temporary = Temporary::new();
    for release in ["one", "two"] {
        std::fs::create_dir(temporary.at(release)).expect("a folder");
    }
    temporary.write("two/app_offline.htm", "two");
    symlink("one", temporary.at("current")).expect("a link");
    let mut folder = deaf(&temporary.at("current"));
    assert_eq!(seen(&mut folder), None);
    temporary.remove("current");
    assert_eq!(seen(&mut folder), None);
    symlink("two", temporary.at("current")).expect("a link");
    look(&mut folder, false);
    assert_eq!(folder.sight(), &Sight::Present(b"two".as_slice().into()));
}

#[test]
fn names_that_are_no_text_do_no_harm() {
    let temporary = Temporary::new();
    let name = temporary.path().join(OsStr::from_bytes(b"app_offline.ht\xff"));
    std::fs::write(name, "x").expect("a file");
    assert_eq!(seen_once(&temporary), None);
}
