//! Behind a trusted proxy, a line says who asked and who brought it.

use e2e::{Outcome, Puppet, Suite, ensure};
use serde_json::Value;

use super::logged;

pub(super) fn add(suite: Suite) -> Suite {
    suite
        .test("behind a trusted proxy a line names the client and the proxy", || {
            trusted(&["--trusted-proxy", "127.0.0.1"], true)
        })
        .test("what a peer that is not trusted says is in no line", || {
            trusted(&["--trusted-proxy", "10.0.0.1"], false)
        })
}

fn trusted(arguments: &[&str], believed: bool) -> Outcome {
    logged(&Puppet::new(), arguments, |server, _, log| {
        let mut proxy = server.client()?;
        let own = proxy.own_address()?.port();
        proxy.get("/nothing-said")?;
        proxy.get_with("/said", "X-Forwarded-For: 203.0.113.7:4711\r\nX-Forwarded-Proto: https\r\n")?;
        proxy.get_with("/no-port", "X-Forwarded-For: 2001:db8::7\r\n")?;
        for (path, client, port, scheme) in [
            ("/nothing-said", "127.0.0.1", Value::from(own), "http"),
            ("/said", "203.0.113.7", 4711.into(), "https"),
            ("/no-port", "2001:db8::7", Value::Null, "http"),
        ] {
            let line = log.about(path)?;
            if believed && client != "127.0.0.1" {
                ensure!(line["client"] == client && line["client_port"] == port, "{line}");
                ensure!(line["peer"] == "127.0.0.1" && line["peer_port"] == own, "{line}");
                ensure!(line["scheme"] == scheme, "{line}");
            } else {
                ensure!(line["client"] == "127.0.0.1" && line["client_port"] == own, "{line}");
                ensure!(line["peer"].is_null() && line["scheme"] == "http", "{line}");
            }
        }
        Ok(())
    })
}
