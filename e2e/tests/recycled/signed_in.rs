//! Somebody registers, confirms, signs in, and is still known when another process answers.

use std::collections::BTreeMap;

use e2e::Response;

use super::*;

pub(super) fn add(suite: Suite) -> Suite {
    suite.needing("who is signed in stays so when the app is replaced", DOTNET, signed_in)
}

const EMAIL: &str = "ada@shop.example";
const PASSWORD: &str = "Correct-horse-7";

/// The keys that sign cookies lie in the home folder, which lasts longer than a process.
fn signed_in() -> Outcome {
    let (folder, home) = (Folder::app("identity")?, Folder::empty()?);
    let options = Options::new(folder.path()).dotnet()?.variable("HOME", &process::text(home.path()));
    serve_folder(&folder, &options, |server, _| {
        let mut visitor = Visitor { server, cookies: BTreeMap::new() };
        ensure!(!visitor.known()?, "known before");
        visitor.register()?;
        visitor.sign_in()?;
        ensure!(visitor.known()?, "not known after signing in");
        let keys = home.path().join(".aspnet/DataProtection-Keys");
        ensure!(keys.is_dir(), "no keys in {}", keys.display());
        let mut pid = worker(server, None)?;
        for round in 1..=2 {
            pid = another(server, &folder, pid).context(format!("round {round}"))?;
            ensure!(visitor.known()?, "round {round}: no longer known to process {pid}");
        }
        let stranger = Visitor { server, cookies: BTreeMap::new() }.known()?;
        ensure!(!stranger, "a stranger is known");
        server.stop(seconds(20))
    })
}

/// As much of a browser as this takes.
struct Visitor<'a> {
    server: &'a Server,
    cookies: BTreeMap<String, String>,
}

impl Visitor<'_> {
    fn known(&mut self) -> Outcome<bool> {
        let page = self.get("/")?;
        ensure!(page.status == 200, "{}", page.describe());
        Ok(page.text().contains(&format!("Hello {EMAIL}!")))
    }

    fn register(&mut self) -> Outcome {
        let form =
            [("Input.Email", EMAIL), ("Input.Password", PASSWORD), ("Input.ConfirmPassword", PASSWORD)];
        let response = self.post("/Identity/Account/Register", &form)?;
        let next = response.field("Location").context(response.describe())?.to_owned();
        let page = self.get(&next)?.text();
        // Without a mail server the template shows the link that it would send.
        let link = page.split('"').find(|part| part.contains("ConfirmEmail?")).context(page.clone())?;
        let link = link.replace("&amp;", "&");
        let link = link.find("/Identity").and_then(|at| link.get(at..)).context(link.clone())?;
        let response = self.get(link)?;
        ensure!(response.text().contains("Thank you for confirming"), "{}", response.describe());
        Ok(())
    }

    fn sign_in(&mut self) -> Outcome {
        let form = [("Input.Email", EMAIL), ("Input.Password", PASSWORD), ("Input.RememberMe", "false")];
        let response = self.post("/Identity/Account/Login", &form)?;
        ensure!(response.status == 302, "{}", response.describe());
        Ok(())
    }

    fn get(&mut self, path: &str) -> Outcome<Response> {
        let cookies = self.cookie_line();
        let response = self.server.client()?.patience(seconds(60)).get_with(path, &cookies)?;
        self.keep(&response);
        Ok(response)
    }

    /// Fills in the form that is at that path, with the token that it holds against forgery.
    fn post(&mut self, path: &str, form: &[(&str, &str)]) -> Outcome<Response> {
        let page = self.get(path)?.text();
        let token = page.split("__RequestVerificationToken").nth(1).context(page.clone())?;
        let token = token.split("value=\"").nth(1).and_then(|rest| rest.split('"').next());
        let token = token.context("a form without a token")?.to_owned();
        let fields = form.iter().copied().chain([("__RequestVerificationToken", token.as_str())]);
        let body: Vec<String> = fields.map(|(name, value)| format!("{name}={}", escape(value))).collect();
        let (body, cookies) = (body.join("&"), self.cookie_line());
        let mut client = self.server.client()?.patience(seconds(60));
        client.send(format!(
            "POST {path} HTTP/1.1\r\nHost: shop.example\r\n{cookies}\
             Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        ))?;
        let response = client.response().context(path)?;
        self.keep(&response);
        Ok(response)
    }

    fn cookie_line(&self) -> String {
        if self.cookies.is_empty() {
            return String::new();
        }
        let all: Vec<String> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        format!("Cookie: {}\r\n", all.join("; "))
    }

    fn keep(&mut self, response: &Response) {
        for cookie in response.all("Set-Cookie") {
            let pair = cookie.split(';').next().and_then(|pair| pair.split_once('='));
            if let Some((name, value)) = pair {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
    }
}

/// For a form's value.
fn escape(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' | b'-' | b'_' | b'.' => char::from(byte).to_string(),
            _ => format!("%{byte:02X}"),
        })
        .collect()
}
