//! Every reason to turn a message away, with its status and its sentence.
//!
//! The sentences are for the operator and for the visitor, so they name the fault and quote nothing of what
//! was received. All of them are decided elsewhere in this crate.

use std::fmt;

/// Why reading stopped before the head was complete.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Halt<E> {
    Partial,
    Bad(E),
}

impl<E> From<E> for Halt<E> {
    fn from(fault: E) -> Self {
        Self::Bad(fault)
    }
}

impl From<Halt<HeadFault>> for Halt<Refusal> {
    fn from(halt: Halt<HeadFault>) -> Self {
        match halt {
            Halt::Partial => Self::Partial,
            Halt::Bad(fault) => Self::Bad(Refusal::Head(fault)),
        }
    }
}

impl From<Halt<HeadFault>> for Halt<BadResponse> {
    fn from(halt: Halt<HeadFault>) -> Self {
        match halt {
            Halt::Partial => Self::Partial,
            Halt::Bad(fault) => Self::Bad(BadResponse::Head(fault)),
        }
    }
}

impl From<HeadFault> for Halt<Refusal> {
    fn from(fault: HeadFault) -> Self {
        Self::Bad(Refusal::Head(fault))
    }
}

impl From<HeadFault> for Halt<BadResponse> {
    fn from(fault: HeadFault) -> Self {
        Self::Bad(BadResponse::Head(fault))
    }
}

/// What can be wrong with the field lines of requests and responses alike (RFC 9112 §2.2, §5, §6).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HeadFault {
    /// LF without CR before it.
    BareLineFeed,
    /// CR without LF behind it.
    BareCarriageReturn,
    /// A control byte (NUL and DEL among them, TAB not) in a start line or value.
    ControlByte,
    /// The first field line starts with a blank.
    LeadingBlank,
    /// A later field line starts with a blank (obs-fold).
    FoldedLine,
    /// A blank between a name and its colon.
    BlankBeforeColon,
    /// A line without a colon.
    NoColon,
    /// A line that starts with its colon.
    EmptyName,
    /// A name with a byte that no token has.
    NameByte,
    /// A value of a request that is not UTF-8 (measured: Kestrel answers 400 to it).
    NotUtf8,
    /// More bytes than the limit.
    HeadTooLong,
    /// More field lines than the limit.
    TooManyLines,
    /// A name that becomes `Content-Length` or `Transfer-Encoding` when `_` is read as `-`.
    FramingLookalike,
    /// Content-Length that is not a plain decimal number below 2^63.
    LengthMalformed,
    /// Two Content-Length lines, equal or not.
    LengthTwice,
    /// Content-Length beside Transfer-Encoding.
    LengthAndCoding,
    /// Two Transfer-Encoding lines.
    CodingTwice,
    /// Transfer-Encoding that is neither `chunked` nor one other token.
    CodingMalformed,
    /// Transfer-Encoding with one token that is not `chunked`.
    CodingUnknown,
    /// Transfer-Encoding in HTTP/1.0.
    CodingInHttp10,
    /// A Connection field that is not a list of tokens.
    ConnectionMalformed,
    /// More connection options than anybody has a use for.
    TooManyOptions,
}

impl HeadFault {
    /// One English sentence without its full stop.
    #[must_use]
    pub fn reason(self) -> &'static str {
        match self {
            Self::BareLineFeed => "a line of the head ends with LF alone",
            Self::BareCarriageReturn => "the head has a CR that no LF follows",
            Self::ControlByte => "the head has a control character in it",
            Self::LeadingBlank => "the first header line starts with a blank",
            Self::FoldedLine => "a header line is folded onto the next one",
            Self::BlankBeforeColon => "a header name has a blank before its colon",
            Self::NoColon => "a header line has no colon",
            Self::EmptyName => "a header line has no name",
            Self::NameByte => "a header name has a character that names cannot have",
            Self::NotUtf8 => "a header value is not valid UTF-8",
            Self::HeadTooLong => "the header fields are too long",
            Self::TooManyLines => "there are too many header fields",
            Self::FramingLookalike => "a header name imitates Content-Length or Transfer-Encoding",
            Self::LengthMalformed => "Content-Length is not a plain decimal number",
            Self::LengthTwice => "two Content-Length fields",
            Self::LengthAndCoding => "Content-Length and Transfer-Encoding together",
            Self::CodingTwice => "two Transfer-Encoding fields",
            Self::CodingMalformed => "Transfer-Encoding is not exactly chunked",
            Self::CodingUnknown => "the only known transfer coding is chunked",
            Self::CodingInHttp10 => "HTTP/1.0 has no Transfer-Encoding",
            Self::ConnectionMalformed => "the Connection field is not a list of names",
            Self::TooManyOptions => "the Connection field lists too many names",
        }
    }
}

/// What can be wrong with a host and its port (RFC 9112 §3.2, RFC 3986 §3.2.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HostFault {
    /// Nothing, or nothing before the port.
    Empty,
    /// A byte that names cannot have: a blank, a list's comma, a path, a user name, an escape.
    Byte,
    /// A port that is empty, not a number, zero or above 65535.
    Port,
    /// Brackets that hold no IPv6 address, or are not closed.
    Ipv6,
}

/// Why a request head is refused. Every refusal means: answer, `Connection: close`, nothing forwarded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// A fault that responses could have as well.
    Head(HeadFault),
    /// The method is empty or has a byte that tokens cannot have.
    MethodMalformed,
    /// The request line has no target.
    NoTarget,
    /// The target has a byte outside 0x21 to 0x7E, or a `#`.
    TargetByte,
    /// The path has `%00` in it.
    TargetNul,
    /// A target that is none of the forms of RFC 9112 §3.2 which the method may have.
    TargetForm,
    /// The authority of an absolute target is no valid host.
    TargetAuthority,
    /// A path that climbs above the root with `..`.
    PathAboveRoot,
    /// A path with an escaped control character.
    PathControl,
    /// A request line without a version, as in HTTP/0.9.
    NoVersion,
    /// A request line with a fourth part, or a blank at its end.
    ExtraPart,
    /// A version that is none.
    VersionMalformed,
    /// A version other than HTTP/1.0 and HTTP/1.1.
    VersionNotSupported,
    /// A request line longer than the limit.
    RequestLineTooLong,
    /// CONNECT: we are no forward proxy.
    Connect,
    /// HTTP/1.1 without Host.
    HostMissing,
    /// Two Host lines, equal or not.
    HostTwice,
    /// A Host that is no valid host.
    Host(HostFault),
    /// Upgrade beside a body: where the body ends and the new protocol starts would be a matter of opinion.
    UpgradeWithBody,
    /// Expect with anything but one `100-continue`.
    ExpectUnknown,
    /// POST or PUT of HTTP/1.0 without a length (Kestrel answers 400 as well).
    LengthRequired,
}

impl Refusal {
    /// The status of the answer.
    #[must_use]
    pub fn status(self) -> u16 {
        match self {
            Self::Connect => 405,
            Self::RequestLineTooLong => 414,
            Self::ExpectUnknown => 417,
            Self::Head(HeadFault::HeadTooLong | HeadFault::TooManyLines) => 431,
            Self::Head(HeadFault::CodingUnknown) => 501,
            Self::VersionNotSupported => 505,
            _ => 400,
        }
    }

    /// One English sentence without its full stop.
    #[must_use]
    pub fn reason(self) -> &'static str {
        match self {
            Self::Head(fault) => fault.reason(),
            Self::MethodMalformed => "the request does not start with a method",
            Self::NoTarget => "the request line has no target, or two blanks in a row",
            Self::TargetByte => "the target has a character that must be escaped",
            Self::TargetNul => "the path has %00 in it",
            Self::TargetForm => "the target is neither a path nor an http or https address",
            Self::TargetAuthority => "the target's host or port is malformed",
            Self::PathAboveRoot => "the path climbs above the root",
            Self::PathControl => "the path has an escaped control character in it",
            Self::NoVersion => "the request line has no HTTP version",
            Self::ExtraPart => "the request line has more than three parts",
            Self::VersionMalformed => "the request line does not end with an HTTP version",
            Self::VersionNotSupported => "only HTTP/1.1 and HTTP/1.0 are spoken here",
            Self::RequestLineTooLong => "the request line is too long",
            Self::Connect => "CONNECT is not offered here",
            Self::HostMissing => "the Host field is missing",
            Self::HostTwice => "two Host fields",
            Self::Host(HostFault::Empty) => "the Host field names no host",
            Self::Host(HostFault::Byte) => "the Host field has a character that host names cannot have",
            Self::Host(HostFault::Port) => "the Host field's port is not a port number",
            Self::Host(HostFault::Ipv6) => "the Host field's brackets hold no IPv6 address",
            Self::UpgradeWithBody => "an Upgrade request cannot have a body",
            Self::ExpectUnknown => "the only known expectation is 100-continue",
            Self::LengthRequired => "an HTTP/1.0 request with a body needs Content-Length",
        }
    }
}

/// Why a response head of an app is not passed on. Its connection must not be used again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BadResponse {
    /// A fault that requests could have as well.
    Head(HeadFault),
    /// It does not start with `HTTP/1.1` or `HTTP/1.0` and a blank.
    Version,
    /// The status is not three digits from 100 to 999.
    Status,
    /// The status line is longer than the limit.
    StatusLineTooLong,
    /// 101, but the request asked for no upgrade.
    UnaskedUpgrade,
    /// 101 to something other than exactly `websocket`.
    OtherUpgrade,
}

impl BadResponse {
    /// One English sentence without its full stop.
    #[must_use]
    pub fn reason(self) -> &'static str {
        match self {
            Self::Head(fault) => fault.reason(),
            Self::Version => "the response does not start with HTTP/1.1 or HTTP/1.0",
            Self::Status => "the response's status is not a number from 100 to 999",
            Self::StatusLineTooLong => "the response's status line is too long",
            Self::UnaskedUpgrade => "the response switches protocols although nobody asked",
            Self::OtherUpgrade => "the response switches to a protocol that is not WebSocket",
        }
    }
}

impl fmt::Display for HeadFault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.reason())
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.reason())
    }
}

impl fmt::Display for BadResponse {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.reason())
    }
}

impl std::error::Error for HeadFault {}
impl std::error::Error for Refusal {}
impl std::error::Error for BadResponse {}
