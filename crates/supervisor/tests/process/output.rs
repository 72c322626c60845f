//! What an app prints: the report, the log file, the token.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Duration;

use config::StdoutLog;
use contract::PairingToken;
use libtest_mimic::Trial;
use supervisor::process::{Launch, ProcessEvent};

use crate::harness::{App, Folder, Outcome, check, program, same, shell, this_binary, trial};
use crate::roles::Outsider;

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("a_failed_start_is_explained_when_it_is_told", explained),
        trial("the_token_is_masked_wherever_it_falls", masked),
        trial("a_log_file_is_named_after_the_app", log_file),
        trial("a_log_is_continued_in_other_files_and_old_ones_go", bounded),
        trial("a_log_that_cannot_be_does_not_stop_the_app", no_log),
        trial("a_full_disk_does_not_stop_the_app", full),
        trial("nothing_is_lost_at_the_end", last_words),
        trial("the_log_is_whole_when_the_end_of_its_app_is_told", log_before_end),
    ]
}

async fn explained() -> Outcome {
    for _ in 0..20 {
        let mut app = App::start(shell("echo to stdout; echo to stderr >&2; exit 134"))?;
        app.started().await?;
        same(format!("{:?}", app.next().await?), "Exited(Code(134))".to_owned())?;
        let output = app.handle.output();
        check(output.contains("to stdout\n") && output.contains("to stderr\n"), || {
            format!("at the exit: {output:?}")
        })?;
        app.rest().await?;
    }
    Ok(())
}

fn logged(folder: &Folder) -> StdoutLog {
    StdoutLog { folder: folder.0.join("logs/deep"), prefix: "stdout".into(), max_size: None, max_files: None }
}

/// The text of the one log file, once it ends so: it is written by a thread of its own.
async fn log_text(folder: &Folder, end: &str) -> Result<String, libtest_mimic::Failed> {
    let mut text = String::new();
    for _ in 0..500 {
        let file = fs::read_dir(folder.0.join("logs/deep")).ok().and_then(|mut files| files.next());
        if let Some(Ok(file)) = file {
            text = String::from_utf8_lossy(&fs::read(file.path())?).into_owned();
            if text.ends_with(end) {
                return Ok(text);
            }
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let tail: String = text.chars().rev().take(200).collect::<Vec<_>>().into_iter().rev().collect();
    Err(format!("the log does not end with {end:?} but with {tail:?}").into())
}

async fn masked() -> Outcome {
    // Less than a mebibyte, so that nothing is dropped however slow the disk is.
    const LINES: usize = 6000;
    let folder = Folder::new()?;
    for token in [PairingToken::generate()?, PairingToken::from_bits([0xAB; 32])] {
        let log = StdoutLog { prefix: "flood".into(), ..logged(&folder) };
        let _ = fs::remove_dir_all(&log.folder);
        let launch = program(&this_binary(), &["flood", token.as_str(), &LINES.to_string()]);
        let mut app = App::start(Launch { token: token.clone(), stdout_log: Some(log), ..launch })?;
        app.started().await?;
        app.rest().await?;
        let (last, padding) = (LINES - 1, "-".repeat((LINES - 1) % 131));
        let end = format!("{last}{padding}***\n");
        let text = log_text(&folder, &end).await?;
        let report = app.handle.output();
        check(!text.contains(token.as_str()) && !report.contains(token.as_str()), || {
            "the token is there".to_owned()
        })?;
        check(report.ends_with(&end) && report.chars().count() == 30_000, || {
            format!("report of {}", report.len())
        })?;
        let expected: String =
            (0..LINES).map(|line| format!("{line}{}***\n", "-".repeat(line % 131))).collect();
        check(text == expected, || "lines are missing or changed".to_owned())?;
    }
    Ok(())
}

async fn log_file() -> Outcome {
    let folder = Folder::new()?;
    let launch =
        Launch { stdout_log: Some(logged(&folder)), ..shell("echo out; echo err >&2; sleep 0.1; echo end") };
    let mut app = App::start(launch)?;
    let pid = app.started().await?;
    app.rest().await?;
    let text = log_text(&folder, "end\n").await?;
    check(text.contains("out\n") && text.contains("err\n"), || text.clone())?;
    let file = fs::read_dir(folder.0.join("logs/deep"))?.next().ok_or("no file")??;
    let name = file.file_name().into_string().map_err(|_| "not text")?;
    let middle = name.strip_prefix("stdout_").and_then(|rest| rest.strip_suffix(&format!("_{pid}.log")));
    let stamp =
        middle.is_some_and(|stamp| stamp.len() == 14 && stamp.bytes().all(|byte| byte.is_ascii_digit()));
    check(stamp, || format!("{name} for {pid}"))?;
    same(file.metadata()?.permissions().mode() & 0o777, 0o600)
}

/// The texts of all log files of this process; the thread that writes them makes their folder too.
fn log_texts(folder: &Folder, pid: u32) -> Result<Vec<String>, libtest_mimic::Failed> {
    let folder = folder.0.join("logs/deep");
    let mut texts = Vec::new();
    for entry in fs::read_dir(&folder).into_iter().flatten() {
        let name = entry?.file_name().into_string().map_err(|_| "not text")?;
        check(name.contains(&format!("_{pid}")), || name.clone())?;
        // One that goes meanwhile is old enough.
        texts.extend(fs::read_to_string(folder.join(name)).ok());
    }
    Ok(texts)
}

async fn bounded() -> Outcome {
    const LINES: usize = 6000;
    let folder = Folder::new()?;
    let log = StdoutLog { max_size: Some(50_000), max_files: Some(3), ..logged(&folder) };
    let launch = program(&this_binary(), &["flood", "token", &LINES.to_string()]);
    let mut app = App::start(Launch { stdout_log: Some(log), ..launch })?;
    let pid = app.started().await?;
    app.rest().await?;
    let (last, padding) = (LINES - 1, "-".repeat((LINES - 1) % 131));
    let end = format!("{last}{padding}token\n");
    let mut texts = log_texts(&folder, pid)?;
    for _ in 0..500 {
        if texts.iter().any(|text| text.ends_with(&end)) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
        texts = log_texts(&folder, pid)?;
    }
    // Now that all is written no file comes or goes any more; one look may have seen some of both.
    let texts = log_texts(&folder, pid)?;
    same(texts.len(), 3)?;
    let whole = |line: &str| line.ends_with("token") && line.matches("token").count() == 1;
    check(texts.iter().all(|text| text.ends_with('\n') && text.lines().all(whole)), || "torn".to_owned())?;
    check(texts.iter().all(|text| text.len() <= 50_000), || format!("{:?}", texts.iter().map(String::len)))?;
    let mut texts: Vec<_> = texts.into_iter().filter(|text| !text.ends_with(&end)).collect();
    same(texts.len(), 2)?;
    // The two before the last: full ones, one after the other.
    let number = |text: &str| text.split(['-', 't']).next().and_then(|number| number.parse::<usize>().ok());
    texts.sort_by_key(|text| number(text));
    let next = texts[0].lines().count() + number(&texts[0]).ok_or("no number")?;
    same(number(&texts[1]), Some(next))
}

async fn no_log() -> Outcome {
    let log =
        StdoutLog { folder: "/dev/null/logs".into(), prefix: "x".into(), max_size: None, max_files: None };
    let folder = Folder::new()?;
    let told = folder.0.join("told");
    let script = format!(
        "head -c 5000000 /dev/zero | tr '\\0' x; echo; echo end; until [ -e {} ]; do sleep 0.02; done",
        told.display()
    );
    let mut app = App::start(Launch { stdout_log: Some(log), ..shell(&script) })?;
    app.started().await?;
    let event = app.next().await?;
    fs::write(told, "")?;
    let ProcessEvent::LogFile { path, error } = event else { return Err(format!("{event:?}").into()) };
    check(path.starts_with("/dev/null/logs") && !error.is_empty(), || format!("{path:?}: {error}"))?;
    same(app.rest().await?, vec!["Exited(Code(0))".to_owned(), "Gone".to_owned()])?;
    check(app.handle.output().ends_with("x\nend\n"), || "the end is missing".to_owned())
}

/// A file-size limit stands for a full disk: ignored as a signal, it fails the write in the same way.
async fn full() -> Outcome {
    let folder = Folder::new()?;
    let (binary, logs) = (this_binary(), folder.0.join("logs"));
    let script =
        format!("trap '' XFSZ; ulimit -f 128; exec {} full-disk {}", binary.display(), logs.display());
    let (_, line) = Outsider::start(Path::new("/bin/sh"), &["-c", &script])?;
    same(line, "LogFile, then Exited(Code(0)), then Gone".to_owned())
}

async fn last_words() -> Outcome {
    for _ in 0..20 {
        let mut app = App::start(shell("head -c 60000 /dev/zero | tr '\\0' x; printf last >&2; kill -9 $$"))?;
        app.started().await?;
        app.rest().await?;
        let output = app.handle.output();
        check(output.contains("last") && output.chars().count() == 30_000, || {
            format!("{} bytes", output.len())
        })?;
    }
    Ok(())
}

/// Whoever hears of the end may end the server, and the log's own thread with it. A file for each few lines takes that
/// thread much longer than the app.
async fn log_before_end() -> Outcome {
    let folder = Folder::new()?;
    let log = StdoutLog { max_size: Some(500), ..logged(&folder) };
    let mut app = App::start(Launch { stdout_log: Some(log), ..shell("seq 20000") })?;
    let pid = app.started().await?;
    app.rest().await?;
    let texts = log_texts(&folder, pid)?;
    let written: usize = texts.iter().map(String::len).sum();
    check(texts.iter().any(|text| text.ends_with("\n20000\n")), || format!("{written} bytes are in the log"))
}
