//! What the app finds in its environment.

use super::*;

pub(super) const TRIALS: &[Trial] = &[
    ("variables arrive as web.config has them", of_config),
    ("hosting startups are appended, or left as web.config has them", hosting_startups),
    ("the https port is told, unless web.config or several addresses say otherwise", https_port),
    ("ANCM_PREFER_ENVIRONMENT_VARIABLES turns the order around", preferred),
    ("a variable of web.config adds one variable, and the rest is as documented", counted),
];

const STARTUPS: &str = "ASPNETCORE_HOSTINGSTARTUPASSEMBLIES";

fn is(site: &Site, name: &str, wanted: Option<&str>) -> Outcome {
    let have = site.variable(name)?;
    ensure!(have.as_deref() == wanted, "{name} is {have:?} and not {wanted:?}");
    Ok(())
}

fn of_config() -> Outcome {
    let long = "AReallyLongValueThatIsGreaterThan300CharactersToForceAResizeInNative".repeat(5);
    let hosting = Hosting::new()
        .variable("LONG", &long)
        .variable("ASPNETCORE_IIS_HTTPAUTH", "shouldberemoved")
        .variable("OVERRIDDEN", "web.config")
        .variable("EXPANDED", "%TestVariable%;Hello")
        .variable("LONG_EXPANDED", "%LongVariable%;%LongVariable%")
        .variable("UNKNOWN", "%NoSuchVariable%");
    hosting.serve_with(
        |options| {
            let options = options.variable("OVERRIDDEN", "server").variable("TestVariable", "World");
            options.variable("LongVariable", &long).variable("OWN", &long)
        },
        |site| {
            is(site, "LONG", Some(&long))?;
            is(site, "ASPNETCORE_IIS_HTTPAUTH", Some("anonymous;"))?;
            is(site, "OVERRIDDEN", Some("web.config"))?;
            is(site, "EXPANDED", Some("World;Hello"))?;
            is(site, "LONG_EXPANDED", Some(&format!("{long};{long}")))?;
            is(site, "UNKNOWN", Some("%NoSuchVariable%"))?;
            is(site, "OWN", Some(&long))?;
            is(site, "NoSuchVariable", None)
        },
    )
}

fn hosting_startups() -> Outcome {
    let server = |options: Options| options.variable(STARTUPS, "Asm1");
    Hosting::new().serve_with(server, |site| {
        is(site, STARTUPS, Some("Asm1;Microsoft.AspNetCore.Server.IISIntegration"))
    })?;
    let hosting = Hosting::new().variable(STARTUPS, "Asm2");
    hosting.serve_with(server, |site| is(site, STARTUPS, Some("Asm2")))
}

fn https_port() -> Outcome {
    let port = "ASPNETCORE_ANCM_HTTPS_PORT";
    let hosting = Hosting::new().variable(port, "123");
    secure::served(&hosting, &["https://127.0.0.1:0"], |site, _| {
        is(site, port, Some("123"))?;
        is(site, "ASPNETCORE_HTTPS_PORT", None)
    })?;
    secure::served(&Hosting::new(), &["https://127.0.0.1:0", "https://127.0.0.1:0"], |site, _| {
        is(site, port, None)
    })?;
    secure::served(&Hosting::new(), &["https://127.0.0.1:0"], |site, address| {
        is(site, port, Some(&address.port().to_string()))
    })
}

fn preferred() -> Outcome {
    for (prefer, wanted) in [("true", "server"), ("1", "server"), ("false", "web.config")] {
        let hosting = Hosting::new().variable("TestVariable", "web.config").variable("Other", "web.config");
        hosting.serve_with(
            |options| {
                options
                    .variable("ANCM_PREFER_ENVIRONMENT_VARIABLES", prefer)
                    .variable("TestVariable", "server")
            },
            |site| {
                is(site, "TestVariable", Some(wanted))?;
                is(site, "Other", Some("web.config"))
            },
        )?;
    }
    Ok(())
}

fn counted() -> Outcome {
    let names = |hosting: &Hosting| {
        let mut names = Vec::new();
        hosting.serve_with(
            |options| options.variable("OF_THE_SERVER", "inherited"),
            |site| {
                let all = site.text("/Environment")?;
                names = all.lines().filter_map(|line| Some(line.split_once('=')?.0.to_owned())).collect();
                names.sort();
                Ok(())
            },
        )?;
        Ok::<Vec<String>, Failure>(names)
    };
    let plain = names(&Hosting::new())?;
    for name in [
        "ASPNETCORE_PORT",
        "ASPNETCORE_APPL_PATH",
        "ASPNETCORE_TOKEN",
        "ASPNETCORE_IIS_HTTPAUTH",
        "ASPNETCORE_IIS_WEBSOCKETS_SUPPORTED",
        "ASPNETCORE_IIS_PHYSICAL_PATH",
        STARTUPS,
        "OF_THE_SERVER",
        "PATH",
    ] {
        ensure!(plain.iter().any(|have| have == name), "{name} is not in {plain:?}");
    }
    let mut more = names(&Hosting::new().variable("ANCMTestFoo", "foo"))?;
    more.retain(|name| name != "ANCMTestFoo");
    ensure!(more == plain, "{more:?} and not {plain:?}");
    Ok(())
}
