//! A case file, the disk that it describes, and the text of what came of it. Used by the test programs beside.

mod memory;
mod show;

use std::path::PathBuf;
use std::time::Duration;

use config::{Files as _, Input};

pub(crate) use memory::MemoryFiles;
pub(crate) use show::show;

/// One `.case` file: what is there, and what is expected.
#[derive(Debug)]
pub(crate) struct Case {
    pub(crate) input: Input,
    pub(crate) files: MemoryFiles,
    pub(crate) expected: String,
}

/// Lines of directives, then `web.config:` and its text, then a dashed line, then the expectation.
///
/// ```text
/// # a comment                      folder /srv/app (the default)
/// file web.dll                     a file below the folder, or an absolute one
/// program web                      an executable in Linux's format
/// elf web                          such a file without its executable bit
/// script run                       an executable that is none
/// text NAME CONTENT                a file with that text; \n is a line break
/// pipe NAME                        what is neither a file nor a folder
/// mode NAME 600                    the permission bits of such a file
/// link /usr/bin/dotnet TARGET      a symlink to an existing file
/// dotnet /usr/lib/dotnet 10.0.12   an installation with both frameworks in these versions
/// runtimeconfig web 10.0.0 [rollForward]   web.runtimeconfig.json that wants them
/// owner PATH 1000                  the user that such a file, or a folder, belongs to
/// toml LINE                        a line of /etc/falconer.toml, which --config then names
/// flag NAME VALUE                  a flag of serve by its name
/// listen, tls-cert, tls-key, path-base, env, environment, descriptors, always-running, root   the input
/// encoding utf-8-bom | utf-16le | utf-16be      newline crlf      name Web.config
/// ```
pub(crate) fn read_case(text: &str) -> Case {
    let dashes = text.find("\n--------").expect("a case has a dashed line");
    // The line break before the dashes ends the last line of the text above.
    let (given, expected) = text.split_at(dashes + 1);
    let expected = expected.trim_start_matches('-').trim().to_owned();
    let (directives, config) = match given.split_once("\nweb.config:\n") {
        Some((directives, config)) => (directives, Some(config)),
        None => (given, None),
    };
    let input = Input { folder: PathBuf::from("/srv/app"), descriptors: 1_048_576, ..Input::default() };
    let mut case = Case { input, files: MemoryFiles::default(), expected };
    let mut written = Written { name: "web.config".into(), encoding: String::new(), crlf: false };
    case.files.folder("/srv/app");
    for line in directives.lines().filter(|line| !line.starts_with('#') && !line.trim().is_empty()) {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        if !written.directive(word, rest) && !case.input_directive(word, rest) {
            case.file_directive(word, rest);
        }
    }
    if let Some(config) = config {
        let path = case.input.folder.join(&written.name);
        case.files.file(&path.to_string_lossy(), &written.encode(config), false);
    }
    case
}

struct Written {
    name: String,
    encoding: String,
    crlf: bool,
}

impl Written {
    fn directive(&mut self, word: &str, rest: &str) -> bool {
        match word {
            "name" => self.name = rest.to_owned(),
            "encoding" => self.encoding = rest.to_owned(),
            "newline" => self.crlf = rest == "crlf",
            _ => return false,
        }
        true
    }

    fn encode(&self, text: &str) -> Vec<u8> {
        let text = if self.crlf { text.replace('\n', "\r\n") } else { text.to_owned() };
        let wide = |write: fn(u16) -> [u8; 2]| {
            std::iter::once(0xFEFF).chain(text.encode_utf16()).flat_map(write).collect::<Vec<u8>>()
        };
        match self.encoding.as_str() {
            "" => text.into_bytes(),
            "utf-8-bom" => format!("\u{feff}{text}").into_bytes(),
            "utf-16le" => wide(u16::to_le_bytes),
            "utf-16be" => wide(u16::to_be_bytes),
            other => panic!("unknown encoding {other}"),
        }
    }
}

impl Case {
    fn input_directive(&mut self, word: &str, rest: &str) -> bool {
        let input = &mut self.input;
        match word {
            "folder" => input.folder = PathBuf::from(rest),
            "listen" => input.listen.push(rest.to_owned()),
            "tls-cert" => input.tls_cert = Some(PathBuf::from(rest)),
            "tls-key" => input.tls_key = Some(PathBuf::from(rest)),
            "path-base" => input.path_base = Some(rest.to_owned()),
            "env" => input.env.push(rest.to_owned()),
            "descriptors" => input.descriptors = rest.parse().expect("a number"),
            "always-running" => input.always_running = Some(rest != "false"),
            "root" => input.is_root = true,
            "toml" => self.toml(rest),
            "flag" => self.flag(rest),
            "drain-timeout" => {
                input.drain_timeout = Some(Duration::from_secs(rest.parse().expect("a number")));
            }
            "environment" => {
                let (name, value) = rest.split_once('=').expect("NAME=VALUE");
                input.environment.push((name.into(), value.into()));
            }
            _ => return false,
        }
        true
    }

    fn toml(&mut self, line: &str) {
        let path = self.input.config.get_or_insert_with(|| PathBuf::from("/etc/falconer.toml")).clone();
        let mut bytes = self.files.read(&path, usize::MAX).unwrap_or_default();
        bytes.extend_from_slice(format!("{line}\n").as_bytes());
        self.files.file(&path.to_string_lossy(), &bytes, false);
    }

    fn flag(&mut self, text: &str) {
        let (name, value) = text.split_once(' ').unwrap_or((text, ""));
        let number = || value.parse::<u64>().expect("a number");
        let seconds = || Some(Duration::from_secs(number()));
        let input = &mut self.input;
        match name {
            "config" => input.config = Some(PathBuf::from(value)),
            "working-folder" => input.working_folder = Some(PathBuf::from(value)),
            "site-root" => input.site_root = Some(PathBuf::from(value)),
            "tls-client-ca" => input.tls_client_ca = Some(PathBuf::from(value)),
            "trusted-proxy" => input.trusted_proxies.push(value.to_owned()),
            "private-network" => input.private_network = Some(value != "false"),
            "preload" => input.preload = Some(value != "false"),
            "idle-timeout" => input.idle_timeout = seconds(),
            "disallow-overlapping-rotation" => input.disallow_overlapping_rotation = Some(value != "false"),
            "recycle-time" => input.recycle_time = seconds(),
            "recycle-requests" => input.recycle_requests = Some(number()),
            "recycle-memory" => input.recycle_memory = Some(number()),
            "recycle-at" => input.recycle_at.push(value.to_owned()),
            "stdout-log-max-size" => input.stdout_log_max_size = Some(number()),
            "stdout-log-max-files" => input.stdout_log_max_files = u32::try_from(number()).ok(),
            "total-timeout" => input.total_timeout = seconds(),
            "max-connections" => input.max_connections = u32::try_from(number()).ok(),
            "connection-timeout" => input.connection_timeout = seconds(),
            "header-wait-timeout" => input.header_wait_timeout = seconds(),
            "queue-length" => input.queue_length = u16::try_from(number()).ok(),
            "upstream-connections" => input.upstream_connections = u16::try_from(number()).ok(),
            _ => panic!("unknown flag {name}"),
        }
    }

    fn file_directive(&mut self, word: &str, rest: &str) {
        let (first, more) = rest.split_once(' ').unwrap_or((rest, ""));
        let path = self.input.folder.join(first);
        let path = path.to_string_lossy();
        match word {
            "file" => self.files.file(&path, b"", false),
            "program" => self.files.file(&path, b"\x7FELF\x02", true),
            "elf" => self.files.file(&path, b"\x7FELF\x02", false),
            "windows" => self.files.file(&path, b"MZ\x90\0\x03", true),
            "foreign" => self.files.file(&path, b"\x7FELF\x02\x02\x01\0\0\0\0\0\0\0\0\0\0\x02\0\x16", true),
            "script" => self.files.file(&path, b"#!/bin/sh\n", true),
            "text" => self.files.file(&path, more.replace("\\n", "\n").as_bytes(), false),
            "pipe" => self.files.pipe(&path),
            "mode" => {
                self.files.change_mode(&path, u32::from_str_radix(more, 8).expect("an octal number"));
            }
            "owner" => self.files.change_owner(&path, more.parse().expect("a number")),
            "link" => self.files.put_link(&path, more),
            "dotnet" => self.files.dotnet(&path, more),
            "runtimeconfig" => self.runtime_config(first, more),
            _ => panic!("unknown directive {word}"),
        }
    }

    fn runtime_config(&mut self, stem: &str, wanted: &str) {
        let (version, roll) = wanted.split_once(' ').unwrap_or((wanted, "Minor"));
        let frameworks = ["Microsoft.NETCore.App", "Microsoft.AspNetCore.App"]
            .map(|name| format!(r#"{{"name":"{name}","version":"{version}"}}"#))
            .join(",");
        let key = if roll == "included" { "includedFrameworks" } else { "frameworks" };
        let text = format!(r#"{{"runtimeOptions":{{"rollForward":"{roll}","{key}":[{frameworks}]}}}}"#);
        let path = self.input.folder.join(format!("{stem}.runtimeconfig.json"));
        self.files.file(&path.to_string_lossy(), text.as_bytes(), false);
    }
}
