//! The Connection field: what it says about the connection, and which fields it keeps from going further.

use crate::bytes::{is_token, trim};
use crate::fault::HeadFault;
use crate::fields::{Field, Notes, Span};
use crate::framing::Version;
use crate::known::Known;

/// Each option is looked up among all fields, so their number is bounded; real lists have one to three.
const MOST_OPTIONS: usize = 32;

/// What the options say that have a meaning of their own.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Options {
    close: bool,
    keep_alive: bool,
    pub(crate) upgrade: bool,
}

impl Options {
    /// Whether the connection goes on behind this message, as far as the sender is concerned (RFC 9112 §9.3).
    pub(crate) fn persists(self, version: Version) -> bool {
        !self.close && (version == Version::Http11 || self.keep_alive)
    }
}

/// Reads all Connection fields and marks what they nominate.
pub(crate) fn read_options(notes: &Notes, fields: &mut [Field], buffer: &[u8]) -> Result<Options, HeadFault> {
    let mut options = Options::default();
    if notes.connection.count == 0 {
        return Ok(options);
    }
    let mut count = 0;
    for index in 0..fields.len() {
        if fields[index].known != Known::Connection {
            continue;
        }
        // An empty element is no option (RFC 9110 §5.6.1.2).
        for option in
            fields[index].value.of(buffer).split(|&byte| byte == b',').map(trim).filter(|o| !o.is_empty())
        {
            count += 1;
            if count > MOST_OPTIONS {
                return Err(HeadFault::TooManyOptions);
            }
            if !option.iter().all(|&byte| is_token(byte)) {
                return Err(HeadFault::ConnectionMalformed);
            }
            options.take(option, fields, buffer);
        }
    }
    Ok(options)
}

impl Options {
    fn take(&mut self, option: &[u8], fields: &mut [Field], buffer: &[u8]) {
        let known = Known::find(option);
        match known {
            Known::Upgrade => self.upgrade = true,
            Known::KeepAlive => self.keep_alive = true,
            Known::Other if option.eq_ignore_ascii_case(b"close") => {
                self.close = true;
                return;
            }
            _ if is_end_to_end(option, known) => return,
            _ => {}
        }
        let same_name =
            |name: Span| name.len as usize == option.len() && name.of(buffer).eq_ignore_ascii_case(option);
        for field in fields {
            field.nominated |= field.known == known && (known != Known::Other || same_name(field.name));
        }
    }
}

/// Fields that speak to the other end. Dropping them because a list says so would let a sender take away what
/// the app decides by.
fn is_end_to_end(name: &[u8], known: Known) -> bool {
    let content = name.len() >= 8 && name[..8].eq_ignore_ascii_case(b"content-");
    content
        || matches!(
            known,
            Known::Host
                | Known::Authorization
                | Known::CacheControl
                | Known::Cookie
                | Known::Date
                | Known::ETag
                | Known::Expect
                | Known::IfModifiedSince
                | Known::IfNoneMatch
                | Known::LastModified
                | Known::Location
                | Known::Origin
                | Known::Range
                | Known::Referer
                | Known::SecWebSocketAccept
                | Known::SecWebSocketExtensions
                | Known::SecWebSocketKey
                | Known::SecWebSocketProtocol
                | Known::SecWebSocketVersion
                | Known::SetCookie
                | Known::TransferEncoding
                | Known::Vary
                | Known::WwwAuthenticate
        )
}
