//! The managed half inside the app, spoken to directly: what the server tells it is what it acts on.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Stdio};

use super::*;

pub(super) const TRIALS: &[Trial] = &[
    ("UseIISIntegration twice pairs once", twice),
    ("without a server the app is on its own", alone),
    ("past the server nobody is served", past),
    ("the shutdown message ends the app only as the module sends it", shutdown),
    ("no scheme of Windows, and nothing breaks without one", no_scheme),
];

/// Where the app listens, and its token.
fn behind(site: &Site, base: &str) -> Outcome<(SocketAddr, String)> {
    let all = site.text(&format!("{base}/Environment"))?;
    let value = |name: &str| all.lines().find_map(|line| Some(line.strip_prefix(name)?.to_owned()));
    let port: u16 = value("ASPNETCORE_PORT=").context("no port")?.parse()?;
    Ok((SocketAddr::from(([127, 0, 0, 1], port)), value("ASPNETCORE_TOKEN=").context("no token")?))
}

fn refused(address: SocketAddr) -> Outcome {
    let response = e2e::client::get(address, "/HelloWorld")?;
    ensure!(response.status == 400 && response.body.is_empty(), "{}", response.describe());
    Ok(())
}

fn twice() -> Outcome {
    Hosting::new().variable("PARITY_PAIR_TWICE", "1").serve_with(
        |options| options.arg("--path-base").arg("/base"),
        |site| {
            ensure!(site.text("/base/PathBase")? == "/base", "the path base is told otherwise");
            ensure!(site.text("/base/Path/x")? == "/x", "the path base is in the path");
            refused(behind(site, "/base")?.0)
        },
    )
}

struct Alone(Child);

impl Drop for Alone {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn alone() -> Outcome {
    let folder = Hosting::new().folder()?;
    let mut command = process::command(&e2e::parity::site::dotnet()?);
    command.args(["parity.dll", "--urls", "http://127.0.0.1:0"]).current_dir(folder.path());
    command.stdin(Stdio::null()).stdout(Stdio::piped());
    let mut app = Alone(command.spawn().context("dotnet")?);
    let said = app.0.stdout.take().context("no stdout")?;
    let address = BufReader::new(said)
        .lines()
        .map_while(Result::ok)
        .find_map(|line| Some(line.split_once("Now listening on: http://")?.1.to_owned()))
        .context("it does not say where it listens")?;
    let response = e2e::client::get(address.parse()?, "/HelloWorld")?;
    ensure!(response.status == 200 && response.text() == "Hello World", "{}", response.describe());
    Ok(())
}

fn past() -> Outcome {
    Hosting::new().serve(|site| {
        let (address, token) = behind(site, "")?;
        refused(address)?;
        let mut client = Client::connect(address)?;
        let response = client.get_with("/HelloWorld", &format!("MS-ASPNETCORE-TOKEN: {token}\r\n"))?;
        ensure!(response.status == 200, "{}", response.describe());
        let response = client.get_with("/HelloWorld", "MS-ASPNETCORE-TOKEN: other\r\n")?;
        ensure!(response.status == 400, "{}", response.describe());
        Ok(())
    })
}

fn message(address: SocketAddr, token: &str, line: &str, event: &str) -> Outcome<u16> {
    let mut client = Client::connect(address)?;
    client.send(format!(
        "{line} HTTP/1.1\r\nHost: a\r\nMS-ASPNETCORE-TOKEN: {token}\r\nMS-ASPNETCORE-EVENT: {event}\r\n\
         Content-Length: 0\r\n\r\n"
    ))?;
    Ok(client.response()?.status)
}

fn shutdown() -> Outcome {
    for (base, event) in [("", "shutdown"), ("/base", "Shutdown")] {
        let option = if base.is_empty() { "/" } else { base };
        Hosting::new().serve_with(
            |options| options.arg("--path-base").arg(option),
            |site| {
                let path = format!("{base}/ProcessId");
                let pid = site.text(&path)?;
                let (address, token) = behind(site, base)?;
                for (line, event) in [
                    (format!("PUT {base}/iisintegration"), event),
                    (format!("GET {base}/iisintegration"), event),
                    (format!("POST {base}/"), event),
                    (format!("POST {base}/other/iisintegration"), event),
                    (format!("POST {base}/iisintegration"), "event"),
                    (format!("POST {base}/iisintegration"), ""),
                ] {
                    let status = message(address, &token, &line, event)?;
                    ensure!((404..=405).contains(&status), "{line}, {event}: {status}");
                }
                ensure!(site.text(&path)? == pid, "another process answers");
                let status = message(address, &token, &format!("POST {base}/iisintegration"), event)?;
                ensure!(status == 202, "{event}: {status}");
                wait_for("another process", SOON, || site.text(&path).ok().filter(|text| *text != pid))?;
                Ok(())
            },
        )?;
    }
    Ok(())
}

fn no_scheme() -> Outcome {
    Hosting::new().serve(|site| {
        let schemes = site.text("/Schemes")?;
        ensure!(schemes.is_empty(), "{schemes}");
        ensure!(site.text("/Auth")? == "null", "somebody is signed in");
        Ok(())
    })
}
