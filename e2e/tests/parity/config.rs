//! What web.config and the command line say: mistakes, what is not honoured, spelling.

use super::*;

pub(super) const TRIALS: &[Trial] = &[
    ("mistakes in web.config are told before anything listens", mistakes),
    (
        "authentication of web.config is told as not honoured, and Authorization reaches the app",
        authentication,
    ),
    ("no Windows token reaches the app", windows_token),
    ("the app's own 401 and 403 pass without a challenge of ours", challenges),
    ("handlerSettings in any case", settings),
    ("addresses to listen on, as people write them", addresses),
];

fn mistakes() -> Outcome {
    let plain = Hosting::new().config();
    for (from, to, words) in [
        ("hostingModel=\"outofprocess\"", "hostingModel=\"bogus\"", &["hostingModel", "bogus"][..]),
        ("processPath=\"dotnet\"", "processPath=\"\"", &["processPath"]),
        ("<environmentVariables>", "<environmentVariables><add name=\"a\" value=\"b\" />", &["add"]),
    ] {
        let folder = Hosting::new().folder()?;
        ensure!(plain.contains(from), "{from} is not in {plain}");
        folder.write("web.config", plain.replacen(from, to, 1))?;
        let (status, output) = Options::new(folder.path()).dotnet()?.run()?;
        ensure!(status.code() == Some(1), "{to}: ended with {status}: {output}");
        ensure!(!output.contains("istening on"), "{to}: it listened: {output}");
        for word in words.iter().chain(&["web.config:", "error["]) {
            ensure!(output.contains(word), "{to}: {word:?} is not in {output}");
        }
    }
    Ok(())
}

const AUTHENTICATION: &str = "<security><authentication><anonymousAuthentication enabled=\"false\" />\
    <basicAuthentication enabled=\"true\" /><windowsAuthentication enabled=\"true\" />\
    </authentication></security>\n";

fn authentication() -> Outcome {
    Hosting::new().section(AUTHENTICATION).serve(|site| {
        let response = site.server.client()?.get_with("/Headers", "Authorization: Basic dTpw\r\n")?;
        ensure!(response.status == 200, "{}", response.describe());
        ensure!(response.text().contains("Authorization=Basic dTpw"), "{}", response.text());
        ensure!(site.text("/Auth")? == "null", "somebody is signed in");
        for section in ["basicAuthentication", "windowsAuthentication"] {
            site.server.wait_output(section, SOON)?;
        }
        ensure!(site.server.output().contains("not-honoured"), "{}", site.server.output());
        Ok(())
    })
}

fn windows_token() -> Outcome {
    let hosting = Hosting::new().attribute("forwardWindowsAuthToken", "true").section(AUTHENTICATION);
    hosting.serve(|site| {
        let lines = "MS-ASPNETCORE-WINAUTHTOKEN: 1f4\r\nAuthorization: Negotiate abc\r\n";
        let response = site.server.client()?.get_with("/Headers", lines)?;
        ensure!(response.status == 200, "{}", response.describe());
        let text = response.text().to_ascii_uppercase();
        ensure!(text.contains("AUTHORIZATION") && !text.contains("WINAUTHTOKEN"), "{text}");
        Ok(())
    })
}

fn challenges() -> Outcome {
    Hosting::new().section(AUTHENTICATION).serve(|site| {
        for (path, status) in [("/HelloWorld", 200), ("/Restricted", 401), ("/Forbidden", 403)] {
            let response = site.server.get(path)?;
            ensure!(response.status == status, "{path}: {}", response.describe());
            ensure!(response.field("WWW-Authenticate").is_none(), "{path}: {}", response.describe());
        }
        Ok(())
    })
}

fn settings() -> Outcome {
    let hosting = Hosting::new().setting("FORWARDRESPONSECONNECTIONHEADER", "true");
    hosting.serve(|site| {
        let response = site.server.client()?.get("/Close")?;
        ensure!(response.closes(), "{}", response.describe());
        Ok(())
    })
}

fn addresses() -> Outcome {
    let folder = Puppet::new().folder()?;
    for address in
        ["127.0.0.1:0", "http://127.0.0.1:0", "localhost:0", "[::1]:0", ":0", "0", "*:0", "http://+:0"]
    {
        let options = Options::new(folder.path()).listen(address);
        let server = Server::start(&options).context(address)?;
        let mut at = server.address();
        if at.ip().is_unspecified() {
            at.set_ip(std::net::Ipv4Addr::LOCALHOST.into());
        }
        let response = e2e::client::get(at, "/x").context(address)?;
        ensure!(response.status == 200, "{address}: {}", response.describe());
    }
    Ok(())
}
