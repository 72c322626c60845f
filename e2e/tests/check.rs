//! Promise: `falconer check` says what serving would do, where each value comes from, and every mistake with what
//! to do about it; it serves nothing and leaves nothing.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{ExitCode, Stdio};

use e2e::{Context as _, Folder, Need, Outcome, Puppet, Suite, ensure, find, process};
use serde_json::Value;

#[path = "check/options.rs"]
mod options;

/// Five mistakes, each of another kind.
const FIVE: &str = "<configuration>
  <system.webServer>
    <handlers>
      <add name=\"aspNetCore\" path=\"*\" verb=\"*\" modules=\"AspNetCoreModuleV2\" />
    </handlers>
    <aspNetCore processPath=\"dotnet\" arguments=\".\\web.dll\" startupTimeLimit=\"7200\"
                stdoutLogEnabled=\"yes\" requestTimeOut=\"00:05:00\">
      <environmentVariables><environmentVariable value=\"b\" /></environmentVariables>
      <environmentVariable name=\"A\" value=\"b\" />
    </aspNetCore>
  </system.webServer>
</configuration>
";

/// Code, line and column of each, in the order of the file, and a word of its hint.
const SAID: [(&str, u64, u64, &str); 5] = [
    ("bad-value", 6, 78, "seconds"),
    ("bad-value", 7, 35, "true or false"),
    ("unknown-attribute", 7, 40, "requestTimeout"),
    ("missing-attribute", 8, 29, "name"),
    ("unknown-element", 9, 7, "environmentVariables"),
];

fn main() -> ExitCode {
    let suite = Suite::new()
        .test("five mistakes are five diagnostics with line, column and hint", five)
        .test("a file is checked for itself", file_alone)
        .test("every value has an origin", origins)
        .test("the document has the members that its description shows", described)
        .test("secrets are masked in both forms", masked)
        .test("the command line is understood, or exit code 2", usage)
        .test("a folder that is not there", no_folder)
        .test("HOME that does not last is told", home)
        .test("falconer.toml of the working directory is read, and flags beat it", settings)
        .test("falconer.toml of a publish folder is not", settings_of_a_deployer)
        .test("a site root is inherited from, and nothing above it", inherited)
        .needing("root obeys no falconer.toml that others may write", &[Need::Root], settings_of_others)
        .test("nothing that a file holds reaches the terminal unescaped", escaped)
        .needing("with --start: an app with the integration is paired", &[Need::Dotnet], paired)
        .needing("with --start: a slim app is not, and that is told", &[Need::Dotnet], unpaired)
        .needing("with --start: a start that fails is explained", &[Need::Dotnet], failed);
    mendable()
        .iter()
        .fold(options::add(suite), |suite, broken| {
            suite.needing(broken.name, &[Need::Dotnet], || broken.told())
        })
        .run()
}

/// How a check ended: exit code, stdout, stderr.
struct Checked {
    code: i32,
    out: String,
    err: String,
}

fn check(target: &Path, arguments: &[&str], environment: &[(&str, Option<&str>)]) -> Outcome<Checked> {
    check_from(Path::new(env!("CARGO_MANIFEST_DIR")), target, arguments, environment)
}

/// Started in a folder of its own.
fn check_from(
    working: &Path,
    target: &Path,
    arguments: &[&str],
    environment: &[(&str, Option<&str>)],
) -> Outcome<Checked> {
    let mut command = process::command(&find::falconer()?);
    command.current_dir(working);
    command.arg("check").arg(target).args(arguments).stdin(Stdio::null());
    for (name, value) in environment {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    let output = command.output().context("falconer check")?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let code = output.status.code().context("it was killed")?;
    Ok(Checked { code, out: text(&output.stdout), err: text(&output.stderr) })
}

impl Checked {
    fn says(&self, code: i32, words: &[&str]) -> Outcome {
        ensure!(self.code == code, "ended with {}, not {code}:\n{}{}", self.code, self.out, self.err);
        // Wrapped lines are one sentence.
        let flat = self.out.split_whitespace().collect::<Vec<_>>().join(" ");
        for word in words {
            ensure!(flat.contains(word), "{word:?} is not said:\n{}{}", self.out, self.err);
        }
        Ok(())
    }

    fn json(&self) -> Outcome<Value> {
        serde_json::from_str(&self.out).context(&self.out)
    }
}

fn five() -> Outcome {
    // Not one more for what is not installed here.
    let folder = Folder::with_config(&FIVE.replace("\"dotnet\"", "\"sh\""))?;
    let moved = |column: u64| column - u64::from(column == 78) * 4;
    let text = check(folder.path(), &[], &[])?;
    for (code, line, column, hint) in SAID {
        let place = format!("web.config:{line}:{}", moved(column));
        text.says(1, &[&format!("error[{code}]"), &place, hint, "5 errors."])?;
    }
    ensure!(!text.out.contains('\u{1b}'), "colours where no terminal is: {}", text.out);
    let json = check(folder.path(), &["--json"], &[])?;
    ensure!(json.code == 1, "{}", json.out);
    let all = json.json()?;
    let list = all["diagnostics"].as_array().context("a list")?;
    ensure!(list.len() == 5 && all["errors"] == 5 && all["ok"] == false, "{all:#}");
    for (one, (code, line, column, hint)) in list.iter().zip(SAID) {
        let right = one["code"] == code && one["severity"] == "error" && one["file"] == "web.config";
        ensure!(right && one["line"] == line && one["column"] == moved(column), "{one:#}");
        ensure!(one["hint"].as_str().is_some_and(|text| text.contains(hint)), "{one:#}");
    }
    Ok(())
}

fn file_alone() -> Outcome {
    let folder = Folder::with_config(FIVE)?;
    let file = folder.path().join("web.config");
    check(&file, &[], &[])?.says(1, &["web.config:9:7", "5 errors."])?;
    // The dll is not there, and nobody looks for it.
    let good = folder.write("other.config", FIVE.replace("7200", "72").replace("yes", "true"))?;
    let good_text = std::fs::read_to_string(&good)?;
    let good_text = good_text
        .replace("requestTimeOut", "requestTimeout")
        .replace("variable value", "variable name=\"A\" value");
    let good_text = good_text.replace("<environmentVariable value", "<environmentVariable name=\"A\" value");
    let good_text = good_text.replace("      <environmentVariable name=\"A\" value=\"b\" />\n", "");
    folder.write("other.config", good_text)?;
    check(&good, &[], &[])?.says(0, &["No mistakes."])?;
    let logs = "<configuration><system.webServer><handlers><add name=\"a\" path=\"*\" verb=\"*\" modules=\"AspNetCoreModuleV2\" \
                /></handlers><aspNetCore processPath=\"dotnet\" stdoutLogEnabled=\"true\" stdoutLogFile=\"D:\\logs\\x\">\
                <handlerSettings><handlerSetting name=\"debugLevel\" value=\"verbose\" /></handlerSettings>\
                </aspNetCore></system.webServer></configuration>";
    let logs = folder.write("logs.config", logs)?;
    check(&logs, &[], &[])?.says(0, &["stdoutLogFile \"D:", "debugLevel \"verbose\"", "2 warnings"])?;
    let started = check(&good, &["--start"], &[])?;
    ensure!(started.code == 2 && started.err.contains("folder"), "{} {}", started.code, started.err);
    Ok(())
}

fn origins() -> Outcome {
    let folder = Puppet::new().attribute("shutdownTimeLimit", "7").body_limit(1_000_000).folder()?;
    let flags = ["--path-base", "/shop", "--listen", "127.0.0.1:0", "--env", "COLOUR=red"];
    let text = check(folder.path(), &flags, &[])?;
    text.says(
        0,
        &[
            "path base /shop --path-base",
            "listen 127.0.0.1:0 --listen",
            "shutdownTimeLimit 7 seconds web.config:2:",
            "startupTimeLimit 120 seconds default",
            "body_bytes (maxAllowedContentLength) 1,000,000 bytes web.config:",
            "head_lines (headerLimits) 100 lines default",
            "COLOUR red --env",
            "ASPNETCORE_APPL_PATH /shop server",
            "ASPNETCORE_URLS http://127.0.0.1:PORT server",
        ],
    )?;
    let longest = text.out.lines().map(|line| line.chars().count()).max().unwrap_or(0);
    let words = text.out.split_whitespace().map(|word| word.chars().count()).max().unwrap_or(0);
    ensure!(longest <= 100.max(words + 60), "a line of {longest} columns:\n{}", text.out);
    let all = check(folder.path(), &[&flags[..], &["--json"]].concat(), &[])?.json()?;
    let limits = all["plan"]["limits"].as_array().context("limits")?;
    let body = limits.iter().find(|one| one["name"] == "body_bytes").context("body_bytes")?;
    ensure!(body["value"] == "1000000" && body["iis"] == "maxAllowedContentLength", "{body:#}");
    ensure!(body["origin"]["file"] == "web.config" && body["origin"]["line"].is_u64(), "{body:#}");
    ensure!(all["version"] == 1 && all["ok"] == true && all["start"].is_null(), "{all:#}");
    Ok(())
}

fn described() -> Outcome {
    let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/check-json.md"))?;
    let example =
        text.split("```json").nth(1).and_then(|rest| rest.split("```").next()).context("an example")?;
    let example: Value = serde_json::from_str(example).context("the example")?;
    let folder = Folder::with_config(&FIVE.replace("7200", "72").replace("yes", "true"))?;
    folder.replace("web.config", "requestTimeOut", "requestTimeout")?;
    folder.replace("web.config", "environmentVariable value", "environmentVariable name=\"A\" value")?;
    folder.replace("web.config", "      <environmentVariable name=\"A\" value=\"b\" />\n", "")?;
    let real = check(folder.path(), &["--json"], &[])?.json()?;
    same_members("", &example, &real)
}

/// Of objects and of the first ones in lists; what is null may be anything.
fn same_members(at: &str, example: &Value, real: &Value) -> Outcome {
    match (example, real) {
        (Value::Object(left), Value::Object(right)) => {
            // Which members an origin has depends on its kind.
            let names = |object: &serde_json::Map<String, Value>| object.keys().cloned().collect::<Vec<_>>();
            let is_origin = left.contains_key("kind");
            ensure!(is_origin || names(left) == names(right), "{at}: {:?} {:?}", names(left), names(right));
            left.iter().try_for_each(|(name, value)| match right.get(name) {
                Some(other) => same_members(&format!("{at}/{name}"), value, other),
                None => Ok(()),
            })
        }
        (Value::Array(left), Value::Array(right)) => match (left.first(), right.first()) {
            (Some(left), Some(right)) => same_members(&format!("{at}[]"), left, right),
            (Some(_), None) | (None, _) => Ok(()),
        },
        (Value::Null, _) | (_, Value::Null) => Ok(()),
        (left, right) => {
            let same = std::mem::discriminant(left) == std::mem::discriminant(right);
            ensure!(same, "{at}: {left} is described, {right} is written");
            Ok(())
        }
    }
}

fn masked() -> Outcome {
    let folder = Puppet::new().variable("ConnectionStrings__Shop", "Server=db;Password=hunter2").folder()?;
    let flags = ["--env", "Api:Key=hunter2", "--env", "DATABASE_URL=postgres://ann:hunter2@db/shop"];
    let environment = [
        ("GITHUB_TOKEN", Some("hunter2")),
        ("CLIENT_SECRET", Some("hunter2")),
        ("ASPNETCORE_X_PASSWORD", Some("hunter2")),
    ];
    let text = check(folder.path(), &flags, &environment)?;
    text.says(
        0,
        &[
            "ConnectionStrings__Shop ********",
            "Api:Key ********",
            "ASPNETCORE_TOKEN ********",
            "GITHUB_TOKEN",
        ],
    )?;
    let json = check(folder.path(), &[&flags[..], &["--json"]].concat(), &environment)?;
    for out in [&text.out, &json.out] {
        ensure!(!out.contains("hunter2"), "a secret is shown:\n{out}");
    }
    let all = json.json()?;
    let list = all["environment"].as_array().context("variables")?;
    for name in [
        "ConnectionStrings__Shop",
        "Api:Key",
        "DATABASE_URL",
        "GITHUB_TOKEN",
        "CLIENT_SECRET",
        "ASPNETCORE_TOKEN",
    ] {
        let one = list.iter().find(|one| one["name"] == name).context(name)?;
        ensure!(one["masked"] == true && one["value"].is_null(), "{one:#}");
    }
    Ok(())
}

fn usage() -> Outcome {
    let folder = Puppet::new().folder()?;
    let bare = process::command(&find::falconer()?).arg("check").output()?;
    ensure!(bare.status.code() == Some(2), "check of nothing: {}", bare.status);
    let unknown = check(folder.path(), &["--fast"], &[])?;
    ensure!(unknown.code == 2 && unknown.err.contains("--fast"), "{} {}", unknown.code, unknown.err);
    check(folder.path(), &["--listen", "nowhere"], &[])?.says(1, &["error[bad-listen]", "at --listen"])?;
    check(folder.path(), &["--path-base", "shop"], &[])?.says(1, &["error[bad-path-base]"])
}

fn no_folder() -> Outcome {
    let folder = Folder::empty()?;
    check(&folder.path().join("gone"), &[], &[])?.says(1, &["error[no-folder]", "dotnet publish"])?;
    check(folder.path(), &[], &[])?.says(1, &["error[nothing-to-run]", "the folder is empty"])
}

fn home() -> Outcome {
    let folder = Folder::with_config(FIVE)?;
    folder.write("web.config", "<configuration />")?;
    folder.write("web.dll", "")?;
    folder.write("web.runtimeconfig.json", "{}")?;
    let told = |home: Option<&str>| -> Outcome<bool> {
        Ok(check(folder.path(), &[], &[("HOME", home)])?.out.contains("home-not-kept"))
    };
    ensure!(told(None)? && told(Some("/dev/shm/ann"))?, "nothing is said of a HOME that is lost");
    // The folder for temporary files may itself be in memory.
    ensure!(!told(Some(env!("CARGO_MANIFEST_DIR")))?, "a HOME that lasts is complained about");
    Ok(())
}

const SETTINGS: &str =
    "site.bindings = [\"18098\"]\n[applicationPool.processModel]\nidleTimeout = \"00:20:00\"\n";

fn settings() -> Outcome {
    let (app, working) = (Puppet::new().folder()?, Folder::empty()?);
    working.write("falconer.toml", SETTINGS)?;
    let said = check_from(working.path(), app.path(), &["--idle-timeout", "60"], &[])?;
    said.says(
        0,
        &["listen 18098 falconer.toml:1:18", "idleTimeout 00:01:00 --idle-timeout", "No mistakes."],
    )?;
    let other = working.write("other.toml", "idleTimeout = 5\n")?;
    let other = process::text(&other);
    check_from(working.path(), app.path(), &["--config", &other], &[])?
        .says(1, &["error[unknown-setting]", "other.toml:1:1", "[applicationPool.processModel]", "1 error."])
}

fn settings_of_a_deployer() -> Outcome {
    let app = Puppet::new().folder()?;
    let own = app.write("falconer.toml", SETTINGS)?;
    check_from(app.path(), Path::new("."), &[], &[])?
        .says(0, &["listen 127.0.0.1:8080 default", "warning[config-in-folder]", "it is not read"])?;
    check(app.path(), &["--config", &process::text(&own)], &[])?.says(1, &["error[config-in-folder]"])
}

fn inherited() -> Outcome {
    let site = Puppet::new().folder()?;
    site.write("web.config", "<configuration><system.webServer><aspNetCore shutdownTimeLimit=\"21\" /></system.webServer></configuration>")?;
    let app = site.path().join("sub/app");
    std::fs::create_dir_all(&app)?;
    let program = process::text(&find::puppet()?);
    let text = format!(
        "<configuration><system.webServer><aspNetCore processPath=\"{program}\" /></system.webServer></configuration>"
    );
    std::fs::write(app.join("web.config"), text)?;
    let root = process::text(site.path());
    let place = format!("{root}/web.config:1:65");
    let said = check(&app, &["--site-root", &root], &[])?;
    said.says(0, &["path base /sub/app --site-root", "shutdownTimeLimit 21 seconds", &place])?;
    check(&app, &[], &[])?.says(0, &["path base / default", "shutdownTimeLimit 10 seconds default"])
}

fn settings_of_others() -> Outcome {
    let (app, working) = (Puppet::new().folder()?, Folder::empty()?);
    let own = working.write("falconer.toml", SETTINGS)?;
    let look = || check_from(working.path(), app.path(), &[], &[]);
    std::os::unix::fs::chown(&own, Some(1000), None)?;
    look()?.says(1, &["error[config-writable]", "belongs to the user 1000", "chown root:root"])?;
    std::os::unix::fs::chown(&own, Some(0), None)?;
    std::fs::set_permissions(&own, std::fs::Permissions::from_mode(0o664))?;
    look()?.says(1, &["error[config-writable]", "its mode is 0664"])?;
    std::fs::set_permissions(&own, std::fs::Permissions::from_mode(0o640))?;
    look()?.says(0, &["listen 18098 falconer.toml:1:18"])?;
    std::fs::set_permissions(working.path(), std::fs::Permissions::from_mode(0o777))?;
    look()?.says(1, &["error[config-writable]", "its mode is 0777"])
}

fn escaped() -> Outcome {
    let folder = Puppet::new().folder()?;
    let text = check(folder.path(), &["--env", "Y=\u{1b}[2J"], &[])?;
    text.says(0, &["\\u{1b}[2J"])?;
    ensure!(!text.out.contains('\u{1b}'), "{}", text.out);
    Ok(())
}

fn start(name: &str) -> Outcome<(Checked, Value)> {
    let root = process::text(&find::dotnet()?.root);
    let folder = Folder::app(name)?;
    let environment = [("DOTNET_ROOT", Some(root.as_str()))];
    let text = check(folder.path(), &["--start", "--path-base", "/shop"], &environment)?;
    let json = check(folder.path(), &["--start", "--json"], &environment)?.json()?;
    if let Some(pid) = json["start"]["pid"].as_u64() {
        let pid = u32::try_from(pid).context("a pid")?;
        ensure!(process::living(pid).is_none(), "process {pid} still runs");
    }
    Ok((text, json))
}

fn paired() -> Outcome {
    let (text, json) = start("web")?;
    text.says(0, &["started in ", "listens 127.0.0.1:", "paired yes", "stopped in ", "exited with code 0"])?;
    let start = &json["start"];
    ensure!(start["started"] == true && start["paired"] == true && start["seconds"].is_f64(), "{start:#}");
    Ok(())
}

fn unpaired() -> Outcome {
    let (text, json) = start("slim")?;
    text.says(0, &["paired no", "warning[unpaired]", "UseIISIntegration"])?;
    ensure!(json["start"]["paired"] == false && json["ok"] == true, "{json:#}");
    Ok(())
}

fn failed() -> Outcome {
    let (text, json) = start("broken-exit0")?;
    text.says(
        1,
        &[
            "failed after",
            "exited with code 0",
            "stage PostStartCheck",
            "| broken-exit0",
            "error[start-failed]",
        ],
    )?;
    ensure!(json["start"]["started"] == false && json["start"]["stage"] == "PostStartCheck", "{json:#}");
    ensure!(json["diagnostics"][0]["code"] == "start-failed", "{json:#}");
    Ok(())
}

/// A folder that cannot be served as it is, and the words from which a person can mend it.
struct Broken {
    name: &'static str,
    app: &'static str,
    spoil: fn(&Folder) -> Outcome,
    /// Whether .NET can be found at all.
    dotnet: bool,
    code: i32,
    said: &'static [&'static str],
}

impl Broken {
    fn told(&self) -> Outcome {
        let folder = Folder::app(self.app)?;
        (self.spoil)(&folder)?;
        let root = process::text(&find::dotnet()?.root);
        let empty = process::text(folder.path());
        let environment = if self.dotnet {
            [("DOTNET_ROOT", Some(root.as_str())), ("PATH", Some("/usr/bin:/bin"))]
        } else {
            // Nothing is installed for all on a machine that runs this with a bundle of its own.
            [("DOTNET_ROOT", None), ("PATH", Some(empty.as_str()))]
        };
        check(folder.path(), &[], &environment)?.says(self.code, self.said)
    }
}

fn as_is(_: &Folder) -> Outcome {
    Ok(())
}

fn mendable() -> &'static [Broken] {
    &[
        Broken {
            name: "mend: an app for a .NET that is not installed",
            app: "legacy-net8",
            spoil: as_is,
            dotnet: true,
            code: 1,
            said: &[
                "error[framework-not-found]",
                "Microsoft.NETCore.App 8.0.0",
                "has 10.",
                "DOTNET_ROLL_FORWARD",
            ],
        },
        Broken {
            name: "mend: an app for a .NET that does not exist",
            app: "future",
            spoil: as_is,
            dotnet: true,
            code: 1,
            said: &["error[framework-not-found]", "99.0.0", "has 10.", "install what is wanted"],
        },
        Broken {
            name: "mend: a dll that is not there",
            app: "broken-nodll",
            spoil: as_is,
            dotnet: true,
            code: 1,
            said: &["error[program-not-found]", "./missing.dll", "broken-nodll.dll"],
        },
        Broken {
            name: "mend: a program without its executable bit",
            app: "singlefile-fdd",
            spoil: |folder| {
                let program = folder.path().join("singlefile-fdd");
                Ok(std::fs::set_permissions(program, std::fs::Permissions::from_mode(0o644))?)
            },
            dotnet: true,
            code: 1,
            said: &["error[no-executable-bit]", "chmod +x ./singlefile-fdd"],
        },
        Broken {
            name: "mend: the name of a dll in another case",
            app: "web",
            spoil: |folder| folder.replace("web.config", "web.dll", "Web.DLL"),
            dotnet: true,
            code: 0,
            said: &["warning[other-case]", "./Web.DLL is there as ./web.dll", "write ./web.dll"],
        },
        Broken {
            name: "mend: no dotnet anywhere",
            app: "web",
            spoil: as_is,
            dotnet: false,
            code: 1,
            said: &["error[dotnet-not-found]", "install the .NET runtime", "/usr/share/dotnet/dotnet"],
        },
    ]
}
