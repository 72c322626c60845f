//! What the server and a keeper say to each other over the keeper's standard input.
//!
//! Server → keeper: one length-prefixed order, then single bytes ([`TERMINATE`], [`KILL`]). Keeper → server:
//! length-prefixed lines. Both ends are the same binary, so there is no version. Called by `spawn` and `watch`
//! on one side, by `keeper` on the other.

use std::ffi::{CString, OsStr};
use std::os::unix::ffi::OsStrExt as _;

use rustix::io::Errno;

use crate::process::{Exit, Launch};

/// Command: SIGTERM to the app's process group.
pub(super) const TERMINATE: u8 = b'T';
/// Command: SIGKILL to the whole subtree.
pub(super) const KILL: u8 = b'K';

/// An order larger than any environment that the system would accept is not one of ours.
const LARGEST: usize = 64 << 20;
const PREFIX: usize = 4;

/// What the keeper needs to know, ready for `execve`.
///
/// Printable in tests alone: the environment holds the token.
#[cfg_attr(test, derive(Debug, PartialEq, Eq))]
pub(super) struct Order {
    /// The server's process id: a keeper with another parent has been orphaned.
    pub(super) parent: u32,
    /// The executable as it was asked for.
    pub(super) program: CString,
    /// Working directory.
    pub(super) folder: CString,
    /// `argv`, the program first.
    pub(super) arguments: Vec<CString>,
    /// `NAME=VALUE` each.
    pub(super) environment: Vec<CString>,
}

/// What the keeper tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Reply {
    /// The program was executed.
    Started { pid: u32 },
    /// It was not.
    Failed { stage: String, errno: i32, path: String },
    /// The started process ended.
    Exited(Exit),
}

/// Writes the order that starts this launch.
///
/// # Errors
/// EINVAL where a text holds a NUL byte, which no program could be given.
pub(super) fn write_order(launch: &Launch, parent: u32) -> Result<Vec<u8>, Errno> {
    let mut order = vec![0; PREFIX];
    order.extend_from_slice(&parent.to_le_bytes());
    put(&mut order, &[launch.program.as_os_str()])?;
    put(&mut order, &[launch.folder.as_os_str()])?;
    count(&mut order, launch.arguments.len() + 1);
    put(&mut order, &[launch.program.as_os_str()])?;
    for argument in &launch.arguments {
        put(&mut order, &[argument])?;
    }
    count(&mut order, launch.environment.len());
    for (name, value) in &launch.environment {
        put(&mut order, &[name, OsStr::new("="), value])?;
    }
    seal(&mut order);
    Ok(order)
}

fn put(order: &mut Vec<u8>, parts: &[&OsStr]) -> Result<(), Errno> {
    count(order, parts.iter().map(|part| part.len()).sum());
    for part in parts {
        if part.as_bytes().contains(&0) {
            return Err(Errno::INVAL);
        }
        order.extend_from_slice(part.as_bytes());
    }
    Ok(())
}

fn count(message: &mut Vec<u8>, number: usize) {
    message.extend_from_slice(&u32::try_from(number).unwrap_or(u32::MAX).to_le_bytes());
}

fn seal(message: &mut [u8]) {
    let length = u32::try_from(message.len() - PREFIX).unwrap_or(u32::MAX);
    message[..PREFIX].copy_from_slice(&length.to_le_bytes());
}

/// How long the order is that starts with this prefix; none when it cannot be an order.
pub(super) fn order_length(prefix: [u8; PREFIX]) -> Option<usize> {
    usize::try_from(u32::from_le_bytes(prefix)).ok().filter(|&length| length <= LARGEST)
}

/// Reads an order, without its prefix.
pub(super) fn read_order(body: &[u8]) -> Option<Order> {
    let mut rest = body;
    let parent = take_number(&mut rest)?;
    let program = take_text(&mut rest)?;
    let folder = take_text(&mut rest)?;
    let arguments = take_list(&mut rest)?;
    let environment = take_list(&mut rest)?;
    rest.is_empty().then_some(Order { parent, program, folder, arguments, environment })
}

fn take_number(rest: &mut &[u8]) -> Option<u32> {
    let (number, after) = rest.split_first_chunk::<PREFIX>()?;
    *rest = after;
    Some(u32::from_le_bytes(*number))
}

fn take_text(rest: &mut &[u8]) -> Option<CString> {
    let length = usize::try_from(take_number(rest)?).ok()?;
    let (text, after) = rest.split_at_checked(length)?;
    *rest = after;
    CString::new(text).ok()
}

fn take_list(rest: &mut &[u8]) -> Option<Vec<CString>> {
    let items = take_number(rest)?;
    (0..items).map(|_| take_text(rest)).collect()
}

impl Reply {
    /// As sent.
    pub(super) fn write(&self) -> Vec<u8> {
        let line = match self {
            Self::Started { pid } => format!("started {pid}"),
            Self::Failed { stage, errno, path } => format!("failed {stage} {errno} {path}"),
            Self::Exited(Exit::Code(code)) => format!("exited code {code}"),
            Self::Exited(Exit::Signal(signal)) => format!("exited signal {signal}"),
        };
        let mut message = vec![0; PREFIX];
        message.extend_from_slice(line.as_bytes());
        seal(&mut message);
        message
    }

    /// Takes the first whole reply off `received`. What cannot be understood is skipped: a keeper of ours
    /// sends nothing else.
    pub(super) fn take(received: &mut Vec<u8>) -> Option<Self> {
        loop {
            let prefix = *received.first_chunk::<PREFIX>()?;
            let end = PREFIX + usize::try_from(u32::from_le_bytes(prefix)).ok()?;
            let line = String::from_utf8_lossy(received.get(PREFIX..end)?).into_owned();
            received.drain(..end);
            if let Some(reply) = Self::parse(&line) {
                return Some(reply);
            }
        }
    }

    fn parse(line: &str) -> Option<Self> {
        let (word, rest) = line.split_once(' ')?;
        match word {
            "started" => Some(Self::Started { pid: rest.parse().ok()? }),
            "exited" => match rest.split_once(' ')? {
                ("code", code) => Some(Self::Exited(Exit::Code(code.parse().ok()?))),
                ("signal", signal) => Some(Self::Exited(Exit::Signal(signal.parse().ok()?))),
                _ => None,
            },
            "failed" => {
                let mut words = rest.splitn(3, ' ');
                let stage = words.next()?.to_owned();
                let errno = words.next()?.parse().ok()?;
                Some(Self::Failed { stage, errno, path: words.next().unwrap_or("").to_owned() })
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;
    use std::time::Duration;

    use contract::PairingToken;

    use super::*;
    use crate::face::WorkerId;

    fn launch(argument: &[u8]) -> Launch {
        Launch {
            worker: WorkerId(1),
            program: "/bin/app".into(),
            arguments: vec![OsStr::from_bytes(argument).to_owned(), OsString::new()],
            folder: "/srv/shop".into(),
            environment: vec![("A".into(), "b=c".into()), ("EMPTY".into(), OsString::new())],
            token: PairingToken::from_bits([7; 32]),
            port: 12345,
            startup_time_limit: Duration::from_secs(1),
            stdout_log: None,
            console_redirection: true,
            private_network: false,
        }
    }

    #[test]
    fn an_order_arrives_as_it_was_written() {
        let message = write_order(&launch(b"x \xFF\ny"), 77).unwrap();
        let (prefix, body) = message.split_first_chunk().unwrap();
        assert_eq!(order_length(*prefix), Some(body.len()));
        let order = read_order(body).unwrap();
        assert_eq!((order.parent, order.program.as_bytes()), (77, &b"/bin/app"[..]));
        assert_eq!(order.folder.as_bytes(), b"/srv/shop");
        let arguments: Vec<_> = order.arguments.iter().map(|text| text.as_bytes()).collect();
        assert_eq!(arguments, [&b"/bin/app"[..], b"x \xFF\ny", b""]);
        let environment: Vec<_> = order.environment.iter().map(|text| text.as_bytes()).collect();
        assert_eq!(environment, [&b"A=b=c"[..], b"EMPTY="]);
    }

    #[test]
    fn a_cut_or_longer_order_is_none() {
        let message = write_order(&launch(b"x"), 77).unwrap();
        let body = &message[PREFIX..];
        for end in 0..body.len() {
            assert_eq!(read_order(&body[..end]), None, "cut at {end}");
        }
        assert_eq!(read_order(&[body, b"x"].concat()), None);
        assert_eq!(order_length([0xFF; 4]), None);
    }

    #[test]
    fn a_nul_byte_cannot_be_ordered() {
        assert_eq!(write_order(&launch(b"a\0b"), 1), Err(Errno::INVAL));
    }

    #[test]
    fn replies_arrive_in_order_however_they_are_cut() {
        let replies = [
            Reply::Started { pid: 42 },
            Reply::Failed { stage: "execve".into(), errno: 2, path: "/a b\nc".into() },
            Reply::Failed { stage: "fork".into(), errno: 11, path: String::new() },
            Reply::Exited(Exit::Code(134)),
            Reply::Exited(Exit::Signal(9)),
        ];
        let bytes: Vec<u8> = replies.iter().flat_map(Reply::write).collect();
        let (mut received, mut seen) = (Vec::new(), Vec::new());
        for byte in bytes {
            received.push(byte);
            seen.extend(Reply::take(&mut received));
        }
        assert_eq!(seen, replies);
        assert!(received.is_empty());
    }
}
