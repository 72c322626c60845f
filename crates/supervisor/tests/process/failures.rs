//! Starts that cannot be.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use libtest_mimic::{Failed, Trial};
use supervisor::process::{Launch, ProcessEvent};

use crate::harness::{App, Folder, Outcome, check, program, same, shell, trial};

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("a_failed_exec_is_told_with_its_path", failed_exec),
        trial("a_missing_folder_is_told", missing_folder),
        trial("a_bare_name_is_looked_up_in_the_apps_own_path", own_path),
        trial("a_nul_byte_is_told", nul),
        trial("an_environment_that_is_too_large_is_told", too_large),
        trial("a_large_environment_arrives", large),
    ]
}

/// Stage, error number and path of a start that fails; nothing else may be told but `Gone`.
async fn failure(launch: Launch) -> Result<(String, i32, String), Failed> {
    let mut app = App::start(launch)?;
    let event = app.next().await?;
    let ProcessEvent::SpawnFailed { stage, errno, path } = event else {
        return Err(format!("expected SpawnFailed, came {event:?}").into());
    };
    same(app.rest().await?, vec!["Gone".to_owned()])?;
    Ok((stage, errno, path))
}

fn file(folder: &Folder, name: &str, text: &str, mode: u32) -> std::io::Result<String> {
    let path = folder.0.join(name);
    fs::create_dir_all(path.parent().unwrap_or(Path::new("/")))?;
    fs::write(&path, text)?;
    fs::set_permissions(&path, fs::Permissions::from_mode(mode))?;
    Ok(path.display().to_string())
}

async fn failed_exec() -> Outcome {
    let folder = Folder::new()?;
    let missing = folder.0.join("missing").display().to_string();
    let cases = [
        (missing, libc::ENOENT),
        (file(&folder, "plain", "#!/bin/sh\n", 0o644)?, libc::EACCES),
        (file(&folder, "garbage", "MZ not for this system", 0o755)?, libc::ENOEXEC),
        (file(&folder, "orphan", "#!/no/such/interpreter\n", 0o755)?, libc::ENOENT),
        ("./relative".to_owned(), libc::ENOENT),
        (String::new(), libc::ENOENT),
    ];
    for (path, errno) in cases {
        let seen = failure(program(Path::new(&path), &[])).await?;
        same(seen, ("execve".to_owned(), errno, path))?;
    }
    Ok(())
}

async fn missing_folder() -> Outcome {
    let mut launch = shell("exit 0");
    launch.folder = "/no/such/folder".into();
    same(failure(launch).await?, ("chdir".to_owned(), libc::ENOENT, "/no/such/folder".to_owned()))?;
    let mut launch = shell("exit 0");
    launch.folder = "/dev/null".into();
    same(failure(launch).await?, ("chdir".to_owned(), libc::ENOTDIR, "/dev/null".to_owned()))
}

async fn own_path() -> Outcome {
    let folder = Folder::new()?;
    let denied = file(&folder, "a/tool", "#!/bin/sh\nexit 1\n", 0o644)?;
    file(&folder, "b/tool", "#!/bin/sh\nexit 42\n", 0o755)?;
    file(&folder, "tool", "#!/bin/sh\nexit 1\n", 0o755)?;
    let with_path = |path: String| {
        let mut launch = program(Path::new("tool"), &[]);
        launch.folder.clone_from(&folder.0);
        launch.environment = vec![("PATH".into(), path.into())];
        launch
    };
    let root = folder.0.display();
    // The first may not be executed, an empty element is not the app's folder.
    let mut app = App::start(with_path(format!(":/no/such:{root}/a::{root}/b")))?;
    app.started().await?;
    same(app.rest().await?, vec!["Exited(Code(42))".to_owned(), "Gone".to_owned()])?;
    same(
        failure(with_path(format!("/no/such:{root}/a"))).await?,
        ("execve".to_owned(), libc::EACCES, denied),
    )?;
    same(failure(with_path(String::new())).await?, ("execve".to_owned(), libc::ENOENT, "tool".to_owned()))?;
    let no_path = program(Path::new("no-such-tool"), &[]);
    same(failure(no_path).await?, ("execve".to_owned(), libc::ENOENT, "no-such-tool".to_owned()))
}

async fn nul() -> Outcome {
    let mut launch = shell("exit 0");
    launch.arguments.push("a\0b".into());
    same(failure(launch).await?, ("execve".to_owned(), libc::EINVAL, "/bin/sh".to_owned()))
}

async fn too_large() -> Outcome {
    let mut launch = shell("exit 0");
    launch.environment.push(("LARGE".into(), "x".repeat(1 << 20).into()));
    same(failure(launch).await?, ("execve".to_owned(), libc::E2BIG, "/bin/sh".to_owned()))
}

async fn large() -> Outcome {
    let mut launch = shell("echo ${#V0} ${#V9}; env | wc -c");
    launch.environment.extend((0..10).map(|n| (format!("V{n}").into(), "x".repeat(100_000).into())));
    let mut app = App::start(launch)?;
    app.started().await?;
    app.rest().await?;
    let output = app.handle.output();
    check(output.starts_with("100000 100000\n10000"), || output)
}
