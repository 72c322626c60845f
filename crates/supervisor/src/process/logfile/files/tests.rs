use std::io::Write as _;
use std::os::unix::fs::{PermissionsExt as _, symlink};

use super::*;
use crate::process::kept_port::nobody_starts;

fn temporary(name: &str) -> StdoutLog {
    let folder = std::env::temp_dir().join(format!("logfile-{name}-{}", std::process::id())).join("a/b");
    StdoutLog { folder, prefix: "stdout".into(), max_size: None, max_files: None }
}

fn remove(log: &StdoutLog) {
    std::fs::remove_dir_all(log.folder.ancestors().nth(2).unwrap()).unwrap();
}

#[test]
fn a_file_is_created_for_its_owner_alone_and_never_over_another() {
    let log = temporary("create");
    let first = create(&log, (0, 0), 7).unwrap();
    assert_eq!(first.path.file_name().unwrap(), "stdout_19700101000000_7.log");
    assert_eq!(first.file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    std::os::unix::fs::symlink("/nonexistent/elsewhere", log.folder.join("stdout_19700101000000_7_1.log"))
        .unwrap();
    let second = create(&log, (0, 0), 7).unwrap();
    assert_eq!(second.path.file_name().unwrap(), "stdout_19700101000000_7_2.log", "a link is a taken name");
    remove(&log);
}

#[test]
fn a_folder_that_cannot_be_is_an_error() {
    let in_the_way =
        StdoutLog { folder: "/dev/null/logs".into(), prefix: "x".into(), max_size: None, max_files: None };
    create(&in_the_way, (0, 0), 7).unwrap_err();
    let escaping =
        StdoutLog { folder: "/tmp".into(), prefix: "../x".into(), max_size: None, max_files: None };
    create(&escaping, (0, 0), 7).unwrap_err();
}

#[test]
fn names_carry_the_utc_time() {
    assert_eq!(file_name("stdout", 1_709_210_096, 42, 0), "stdout_20240229123456_42.log");
    assert_eq!(file_name("x", 4_102_444_799, 1, 3), "x_20991231235959_1_3.log");
    assert_eq!(
        [date(0), date(59), date(789), date(11_016), date(11_017)],
        [(1970, 1, 1), (1970, 3, 1), (1972, 2, 29), (2000, 2, 29), (2000, 3, 1)]
    );
}

/// The files of a folder by name, with their lengths.
fn listed(log: &StdoutLog) -> Vec<(String, u64)> {
    let mut all: Vec<_> = std::fs::read_dir(&log.folder)
        .unwrap()
        .map(|entry| entry.unwrap())
        .map(|entry| (entry.file_name().into_string().unwrap(), entry.metadata().unwrap().len()))
        .collect();
    all.sort_by_key(|(name, _)| age(&log.prefix, &std::ffi::CString::new(name.as_str()).unwrap()));
    all
}

fn all_text(log: &StdoutLog) -> Vec<String> {
    let read = |(name, _): (String, u64)| std::fs::read_to_string(log.folder.join(name)).unwrap();
    listed(log).into_iter().map(read).collect()
}

fn written(log: &StdoutLog, chunks: &[&str]) -> Vec<String> {
    let mut files = Files::create(log, 7).unwrap();
    for chunk in chunks {
        files.write_all(chunk.as_bytes()).unwrap();
    }
    drop(files);
    let texts = all_text(log);
    remove(log);
    texts
}

#[test]
fn a_file_that_is_full_is_followed_by_another_and_no_line_is_torn() {
    let log = StdoutLog { max_size: Some(10), ..temporary("rotate") };
    let cases: [(&[&str], &[&str]); 7] = [
        (&["one\ntwo\n", "six\n"], &["one\ntwo\n", "six\n"]),
        (&["one\ntwo\nsix\nten\n"], &["one\ntwo\n", "six\nten\n"]),
        (&["123456789\n", "x"], &["123456789\n", "x"]),
        (&["exactly10\n"], &["exactly10\n"]),
        // A line that has begun ends where it began, whatever arrived with which read.
        (&["one\ntw", "o and more\nx\n"], &["one\ntwo and more\n", "x\n"]),
        (&["a line longer than a file\nb\n"], &["a line longer than a file\n", "b\n"]),
        (&["b\na line longer than a file\nc\n"], &["b\n", "a line longer than a file\n", "c\n"]),
    ];
    for (chunks, expected) in cases {
        assert_eq!(written(&log, chunks), expected, "{chunks:?}");
    }
}

#[test]
fn a_line_without_end_does_not_fill_the_disk() {
    let log = StdoutLog { max_size: Some(1000), ..temporary("endless") };
    let most = 1000 + LINE_MOST;
    let chunk = "x".repeat(30_000);
    let texts = written(&log, &[&chunk, &chunk, &chunk, &chunk, &chunk]);
    assert_eq!(texts.iter().map(String::len).sum::<usize>(), 150_000);
    assert!(texts.iter().all(|text| text.len() as u64 <= most), "{:?}", texts.iter().map(String::len));
    assert_eq!(texts.len(), 3);
}

#[test]
fn without_a_limit_there_is_one_file() {
    let log = temporary("unlimited");
    assert_eq!(written(&log, &["one\n", "two\n", &"x".repeat(1 << 20)]).len(), 1);
}

#[test]
fn the_oldest_go_and_nothing_else_does() {
    let log = StdoutLog { max_files: Some(3), ..temporary("retain") };
    std::fs::create_dir_all(&log.folder).unwrap();
    let at = |name: &str| log.folder.join(name);
    let old =
        ["stdout_20200101000000_9.log", "stdout_20200101000000_10_2.log", "stdout_20200101000001_1.log"];
    let others = [
        "stdout_20200101000000_9.log.gz",
        "stdout_20200101000000.log",
        "stdout_2020010100000_9.log",
        "stdout_20200101000000_9_0.log",
        "stdout_20200101000000_09.log",
        "stdout_20200101000000_+9.log",
        "stdout_20200101000000_9_1_1.log",
        "stdout_20200101000000_9_.log",
        "stdout_x_20200101000000_9.log",
        "STDOUT_20200101000000_9.log",
        "other_20200101000000_9.log",
        "notes.txt",
    ];
    for name in old.iter().chain(&others) {
        std::fs::write(at(name), "").unwrap();
    }
    std::fs::write(at("precious"), "x").unwrap();
    symlink(at("precious"), at("stdout_20190101000000_1.log")).unwrap();
    std::fs::create_dir(at("stdout_20190101000000_2.log")).unwrap();
    let fifo = at("stdout_20190101000000_3.log");
    rustix::fs::mknodat(rustix::fs::CWD, &fifo, FileType::Fifo, Mode::from_raw_mode(0o600), 0).unwrap();

    let files = Files::create(&log, 7).unwrap();
    let left: Vec<_> = listed(&log).into_iter().map(|(name, _)| name).collect();
    for name in others.iter().chain(&["precious", "stdout_20190101000000_1.log"]) {
        assert!(left.iter().any(|left| left == name), "{name} is gone");
    }
    assert!(!old.iter().any(|old| left.iter().any(|left| left == old)), "{left:?}");
    assert!(files.path().exists() && fifo.exists() && at("stdout_20190101000000_2.log").is_dir());
    remove(&log);
}

#[test]
fn one_that_is_written_never_goes() {
    // A file is in use for as long as anybody holds it open.
    let _alone = nobody_starts();
    let log = StdoutLog { max_size: Some(4), max_files: Some(2), ..temporary("in-use") };
    let quiet = create(&log, (0, 0), 1).unwrap();
    let mut busy = Files::create(&log, 2).unwrap();
    for line in ["one\n", "two\n", "six\n", "ten\n"] {
        busy.write_all(line.as_bytes()).unwrap();
        assert!(quiet.path.exists() && busy.path().exists());
    }
    assert_eq!(all_text(&log), ["", "ten\n"]);
    drop(quiet);
    busy.write_all(b"end\n").unwrap();
    assert_eq!(all_text(&log), ["ten\n", "end\n"]);
    drop(busy);
    remove(&log);
}

#[test]
fn so_many_in_one_second_that_names_run_out_lose_nothing() {
    let log = StdoutLog { max_size: Some(1), ..temporary("names") };
    let mut files = Files::create(&log, 7).unwrap();
    let lines = 2 * OTHER_NAMES + 100;
    for _ in 0..lines {
        files.write_all(b"x\n").unwrap();
    }
    drop(files);
    assert_eq!(all_text(&log).concat(), "x\n".repeat(lines as usize));
    remove(&log);
}
