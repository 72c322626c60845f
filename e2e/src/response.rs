//! One response as it came, byte by byte.

/// How a response ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// By its own framing: length reached, last chunk seen, or no body at all.
    Complete,
    /// By FIN, without any framing: the reader cannot know whether it is whole.
    AtClose,
    /// Before its framing said so.
    Cut,
}

/// One response.
#[derive(Debug, Clone)]
pub struct Response {
    /// Of the status line.
    pub status: u16,
    /// As it came, with the blank line.
    pub head: Vec<u8>,
    /// In order, names as spelled, values trimmed.
    pub fields: Vec<(String, String)>,
    /// Decoded.
    pub body: Vec<u8>,
    /// Heads of the informational responses before it.
    pub informational: Vec<Vec<u8>>,
    /// Whether it is whole.
    pub end: End,
}

impl Response {
    /// Reads a head (with its blank line); the body is empty yet.
    #[must_use]
    pub fn of_head(head: Vec<u8>) -> Option<Self> {
        let text = String::from_utf8_lossy(&head).into_owned();
        let mut lines = text.split("\r\n");
        let status = lines.next()?.strip_prefix("HTTP/1.")?.get(2..5)?.parse().ok()?;
        let fields = lines
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.to_owned(), value.trim().to_owned()))
            .collect();
        Some(Self { status, head, fields, body: Vec::new(), informational: Vec::new(), end: End::Cut })
    }

    /// Every value of that name, in order.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.fields
            .iter()
            .filter(move |(have, _)| have.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// The first value of that name.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(have, _)| have.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// Whether a list of that name holds this token.
    #[must_use]
    pub fn lists(&self, name: &str, token: &str) -> bool {
        self.all(name).flat_map(|value| value.split(',')).any(|one| one.trim().eq_ignore_ascii_case(token))
    }

    /// Whether the sender closes the connection afterwards.
    #[must_use]
    pub fn closes(&self) -> bool {
        self.lists("Connection", "close")
    }

    /// The body as text.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// A line `name=value` of the puppet's plain answer.
    #[must_use]
    pub fn value(&self, name: &str) -> Option<String> {
        self.text().lines().find_map(|line| Some(line.strip_prefix(name)?.strip_prefix('=')?.to_owned()))
    }

    /// The pid in the puppet's plain answer.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.value("pid")?.parse().ok()
    }

    /// Head and the start of the body, for a failure's text.
    #[must_use]
    pub fn describe(&self) -> String {
        let shown = self.body.get(..self.body.len().min(300)).unwrap_or_default();
        format!(
            "{}{} [{} bytes, {:?}]",
            String::from_utf8_lossy(&self.head),
            String::from_utf8_lossy(shown),
            self.body.len(),
            self.end
        )
    }
}
