//! The report for programs: one document, described in `docs/check-json.md`. A change that takes something away
//! or gives it another meaning raises [`VERSION`].

use config::{Diagnostic, DotnetSearch, Effective, Group, Origin, Place, Severity};
use serde_json::{Value, json};

use super::Found;
use super::environment::{Source, Variable};
use super::trial::{Pairing, Trial};

/// Of the document's form.
const VERSION: u32 = 1;

/// The document with a line break behind it.
pub(super) fn document(found: &Found) -> String {
    let loaded = &found.loaded;
    let group = |group: Group| -> Vec<Value> {
        loaded.effective.iter().filter(|one| one.group == group).map(effective).collect()
    };
    let plan = loaded.plan.as_ref().map(|_| {
        json!({ "app": group(Group::App), "settings": group(Group::Settings), "limits": group(Group::Limits) })
    });
    let document = json!({
        "version": VERSION,
        "target": found.target,
        "ok": found.count(false) == 0,
        "errors": found.count(false),
        "warnings": found.count(true),
        "plan": plan,
        "environment": found.environment.iter().map(variable).collect::<Vec<_>>(),
        "dotnet": loaded.dotnet.as_ref().map(dotnet),
        "start": found.trial.as_ref().map(start),
        "diagnostics": loaded.diagnostics.iter().map(diagnostic).collect::<Vec<_>>(),
    });
    format!("{document:#}\n")
}

fn effective(one: &Effective) -> Value {
    let text = |text: &str| if text.is_empty() { Value::Null } else { text.into() };
    json!({ "name": one.name, "iis": text(one.iis), "value": one.value, "unit": text(one.unit), "origin": origin(&one.origin) })
}

fn origin(origin: &Origin) -> Value {
    match origin {
        Origin::Default => json!({ "kind": "default" }),
        Origin::Inferred => json!({ "kind": "inferred" }),
        Origin::At(place) => {
            let mut value = json!({ "kind": "written" });
            place_into(&mut value, Some(place));
            value
        }
    }
}

fn place_into(value: &mut Value, place: Option<&Place>) {
    let number = |number: u32| if number == 0 { Value::Null } else { number.into() };
    value["file"] = place.map_or(Value::Null, |place| place.file.as_str().into());
    value["line"] = place.map_or(Value::Null, |place| number(place.line));
    value["column"] = place.map_or(Value::Null, |place| number(place.column));
}

fn variable(one: &Variable) -> Value {
    let source = match &one.source {
        Source::Written(at) => origin(at),
        Source::Server => json!({ "kind": "server" }),
        Source::Inherited => json!({ "kind": "inherited" }),
    };
    json!({ "name": one.name, "value": one.value, "masked": one.value.is_none(), "origin": source })
}

fn dotnet(search: &DotnetSearch) -> Value {
    let installed = search.installed.iter().map(|(root, frameworks)| {
        let list = frameworks.iter().map(|one| json!({ "name": one.name, "versions": one.versions }));
        json!({ "root": root.to_string_lossy(), "frameworks": list.collect::<Vec<_>>() })
    });
    json!({
        "used": search.used.as_ref().map(|path| path.to_string_lossy()),
        "looked": search.looked.iter().map(|path| path.to_string_lossy()).collect::<Vec<_>>(),
        "installed": installed.collect::<Vec<_>>(),
        "wanted": search.wanted,
        "lacking": search.lacking,
    })
}

fn start(trial: &Trial) -> Value {
    match trial {
        Trial::Started { took, address, pid, pairing, stopped, stop_took } => {
            let (paired, answer) = match pairing {
                Pairing::Paired => (Some(true), None),
                Pairing::Unpaired(answer) => (Some(false), Some(answer)),
                Pairing::Unknown(why) => (None, Some(why)),
            };
            json!({
                "started": true,
                "seconds": took.as_secs_f64(),
                "address": address.to_string(),
                "pid": pid,
                "paired": paired,
                "answer": answer,
                "stopped": stopped,
                "stop_seconds": stop_took.as_secs_f64(),
            })
        }
        Trial::Failed { took, why, hint, report } => json!({
            "started": false,
            "seconds": took.as_secs_f64(),
            "reason": why,
            "hint": hint,
            "command": report.as_ref().map(|report| report.command.as_str()),
            "stage": report.as_ref().map(|report| report.stage),
            "port": report.as_ref().map(|report| report.port),
            "attempts": report.as_ref().map(|report| report.attempts),
            "output": report.as_ref().map(|report| report.output.as_str()),
        }),
    }
}

fn diagnostic(one: &Diagnostic) -> Value {
    let severity = match one.severity {
        Severity::Warning => "warning",
        Severity::Missing => "missing",
        Severity::Error => "error",
    };
    let mut value = json!({
        "code": one.code.as_str(),
        "severity": severity,
        "message": one.message,
        "hint": one.hint,
    });
    place_into(&mut value, one.place.as_ref());
    value
}
