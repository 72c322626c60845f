//! The port that the app listens on, and an app that ends itself.

use super::*;

pub(super) const TRIALS: &[Trial] = &[
    ("a port of web.config is the one that the app listens on", fixed),
    ("an empty port is a drawn one", drawn),
    ("a port that no app may have is 502.5", bad),
    ("an app that ends itself is there again, twice", ends_itself),
    ("the app listens on the told port alone", told),
    ("the path base becomes PathBase", path_base),
];

fn addresses(site: &Site) -> Outcome<String> {
    site.text("/ServerAddresses")
}

fn fixed() -> Outcome {
    let port = e2e::port::free_of(e2e::port::UNDRAWN)?;
    Hosting::new().variable("ASPNETCORE_PORT", &port.to_string()).serve(|site| {
        let addresses = addresses(site)?;
        ensure!(addresses == format!("http://127.0.0.1:{port}"), "{addresses}");
        Ok(())
    })
}

fn drawn() -> Outcome {
    let range = std::fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").context("the range")?;
    let first: u16 = range.split_ascii_whitespace().next().context("no number")?.parse()?;
    Hosting::new().variable("ASPNETCORE_PORT", "").serve(|site| {
        let addresses = addresses(site)?;
        let port: u16 = addresses.rsplit(':').next().context("no port")?.parse()?;
        ensure!((10_000..first).contains(&port), "{addresses}, where connections are from {first}");
        Ok(())
    })
}

fn bad() -> Outcome {
    for port in ["1024", "noninteger", "65536"] {
        Hosting::new().variable("ASPNETCORE_PORT", port).serve(|site| {
            let response = site.server.get("/")?;
            ensure!(
                response.status == 502 && response.text().contains("502.5"),
                "{port}: {}",
                response.describe()
            );
            Ok(())
        })?;
    }
    let above = e2e::port::free_of(e2e::port::above_drawn()?)?.to_string();
    Hosting::new().variable("ASPNETCORE_PORT", &above).serve(|site| {
        let addresses = addresses(site)?;
        ensure!(addresses.ends_with(&above), "{addresses}");
        Ok(())
    })
}

fn ends_itself() -> Outcome {
    Hosting::new().serve(|site| {
        for _ in 0..2 {
            let pid = site.pid()?;
            ensure!(site.text("/Shutdown")? == "Shutting down", "no answer of its own");
            site.another(pid)?;
        }
        Ok(())
    })
}

fn told() -> Outcome {
    let elsewhere = "http://127.0.0.1:5998";
    let hosting = Hosting::new().starting(&format!("--urls {elsewhere}"));
    hosting.variable("ASPNETCORE_HTTP_PORTS", "5998").serve_with(
        |options| options.arg("--path-base").arg("/base"),
        |site| {
            let addresses = site.text("/base/ServerAddresses")?;
            let port = site.text("/base/Environment")?;
            let port =
                port.lines().find_map(|line| line.strip_prefix("ASPNETCORE_PORT=")).context("no port")?;
            ensure!(addresses == format!("http://127.0.0.1:{port}"), "{addresses}");
            Ok(())
        },
    )
}

fn path_base() -> Outcome {
    Hosting::new().serve_with(
        |options| options.arg("--path-base").arg("/Sub/App"),
        |site| {
            for (path, base) in [("/Sub/App/PathBase", "/Sub/App"), ("/sub/APP/PathBase", "/sub/APP")] {
                let text = site.text(path)?;
                ensure!(text == base, "{path}: {text}");
            }
            ensure!(site.text("/Sub/App/Path/x")? == "/x", "the path has the base in it");
            Ok(())
        },
    )
}
