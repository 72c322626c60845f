//! Bytes of a web.config to a checked XML tree, with a place for every node. Nothing here knows what the
//! elements mean. No DTD, no external entity, and caps on everything that an attacker could grow.

use roxmltree::{Attribute, Document, Node, ParsingOptions};

use crate::code::Code;
use crate::diagnostic::Place;
use crate::report::{Report, Spanned};

/// IIS reads no web.config beyond 250 KB (`MaxWebConfigFileSizeInKB`).
pub(crate) const MOST_BYTES: usize = 256 * 1024;
/// Deeper than any schema section nests.
const MOST_DEPTH: usize = 64;
/// More than any element of the schema has. The parser compares attributes pairwise.
const MOST_ATTRIBUTES: usize = 256;

/// UTF-8 with or without a byte order mark, or UTF-16 with one, as text without the mark.
pub(crate) fn decode(bytes: &[u8], place: &Place, report: &mut Report) -> Option<String> {
    let wide = |read: fn([u8; 2]) -> u16| {
        let (pairs, rest) = bytes[2..].as_chunks::<2>();
        let units = pairs.iter().map(|pair| read(*pair));
        let text: Result<String, _> = char::decode_utf16(units).collect();
        text.ok().filter(|_| rest.is_empty())
    };
    let (text, encoding) = match bytes {
        [0xFF, 0xFE, ..] => (wide(u16::from_le_bytes), "UTF-16"),
        [0xFE, 0xFF, ..] => (wide(u16::from_be_bytes), "UTF-16"),
        [0xEF, 0xBB, 0xBF, rest @ ..] => (str::from_utf8(rest).ok().map(str::to_owned), "UTF-8"),
        _ => (str::from_utf8(bytes).ok().map(str::to_owned), "UTF-8"),
    };
    if text.is_none() {
        let message = format!("the file is not valid {encoding}");
        let utf8 = (encoding == "UTF-8").then(|| bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes));
        let place = utf8.and_then(|bytes| first_wrong(bytes, place)).unwrap_or_else(|| place.clone());
        report
            .error(Code::BadEncoding, &place, message)
            .hint("save it as UTF-8, or as UTF-16 with a byte order mark");
    }
    text
}

/// The place of the first byte that is no UTF-8, mostly a letter with an accent from an old code page.
fn first_wrong(bytes: &[u8], place: &Place) -> Option<Place> {
    let wrong = str::from_utf8(bytes).err()?;
    let before = str::from_utf8(&bytes[..wrong.valid_up_to()]).ok()?;
    Some(Place::within(before, before.len(), &place.file))
}

/// The tree, or none after the first mistake: what follows one is noise.
pub(crate) fn parse<'a>(text: &'a str, file: &str, report: &mut Report) -> Option<Document<'a>> {
    if text.trim().is_empty() {
        let place = Place { file: file.to_owned(), line: 1, column: 1 };
        let message = "the file is empty; there is no root element".to_owned();
        report.error(Code::MalformedXml, &place, message).hint("was it cut off while it was copied?");
        return None;
    }
    if let Err((offset, code, message)) = check_caps(text) {
        let place = Place::within(text, offset, file);
        report.error(code, &place, message).hint("no web.config needs this; is it the right file?");
        return None;
    }
    let options = ParsingOptions { allow_dtd: false, nodes_limit: 100_000, ..ParsingOptions::default() };
    match Document::parse_with_options(text, options) {
        Ok(document) => Some(document),
        Err(error) => {
            let place = match error {
                // The parser knows no place for these.
                roxmltree::Error::DtdDetected => {
                    Place::within(text, text.find("<!DOCTYPE").unwrap_or(0), file)
                }
                roxmltree::Error::UnclosedRootNode
                | roxmltree::Error::UnexpectedEndOfStream
                | roxmltree::Error::NoRootNode => Place::within(text, text.trim_end().len(), file),
                _ => Place { file: file.to_owned(), line: error.pos().row, column: error.pos().col },
            };
            explain(&error, &place, report);
            None
        }
    }
}

fn explain(error: &roxmltree::Error, place: &Place, report: &mut Report) {
    let text = error.to_string();
    let what = text.split(&format!(" at {}", error.pos())).next().unwrap_or(&text).to_owned();
    let (code, message, hint) = match error {
        roxmltree::Error::DtdDetected => (
            Code::DtdRefused,
            "a document type definition is refused".into(),
            "remove <!DOCTYPE ...> and its entities",
        ),
        roxmltree::Error::MalformedEntityReference(_) => (
            Code::MalformedXml,
            "malformed XML: \"&\" starts an entity that does not end in \";\"".into(),
            "write &amp; for an ampersand",
        ),
        roxmltree::Error::UnknownEntityReference(name, _) => (
            Code::MalformedXml,
            format!("malformed XML: unknown entity \"&{name};\""),
            "XML knows &amp; &lt; &gt; &quot; &apos; and &#NUMBER;",
        ),
        roxmltree::Error::UnclosedRootNode | roxmltree::Error::UnexpectedEndOfStream => (
            Code::MalformedXml,
            "malformed XML: the file ends before its elements do".into(),
            "was it cut off while it was copied?",
        ),
        _ => (Code::MalformedXml, format!("malformed XML: {what}"), "correct the file and try again"),
    };
    report.error(code, place, message).hint(hint);
}

type Refusal = (usize, Code, String);

/// Depth and attributes, counted before the parser sees the text. The count need not understand XML: where
/// it misreads a malformed text, the parser refuses that text anyway.
fn check_caps(text: &str) -> Result<(), Refusal> {
    let mut depth = 0_usize;
    let mut at = 0;
    while let Some(open) = text[at..].find('<').map(|open| at + open) {
        let tag = &text[open..];
        let skipped = [("<!--", "-->"), ("<![CDATA[", "]]>"), ("<?", "?>")]
            .into_iter()
            .find(|(start, _)| tag.starts_with(start))
            .map(|(start, end)| {
                tag[start.len()..].find(end).map_or(tag.len(), |found| start.len() + found + end.len())
            });
        if let Some(length) = skipped {
            at = open + length;
            continue;
        }
        let (length, attributes) = measure_tag(tag);
        let body = &tag[..length];
        if body.starts_with("</") {
            depth = depth.saturating_sub(1);
        } else if !body.ends_with("/>") && !body.starts_with("<!") {
            depth += 1;
        }
        if attributes > MOST_ATTRIBUTES {
            return Err((
                open,
                Code::TooManyAttributes,
                format!("an element has more than {MOST_ATTRIBUTES} attributes"),
            ));
        }
        if depth > MOST_DEPTH {
            return Err((open, Code::TooDeep, format!("elements are nested deeper than {MOST_DEPTH}")));
        }
        at = open + length;
    }
    Ok(())
}

/// Bytes of a tag with its brackets, and the equals signs outside its quotes.
fn measure_tag(tag: &str) -> (usize, usize) {
    let mut quote = None;
    let mut equals = 0;
    for (index, byte) in tag.bytes().enumerate() {
        match (quote, byte) {
            (None, b'>') => return (index + 1, equals),
            (None, b'=') => equals += 1,
            (None, b'"' | b'\'') => quote = Some(byte),
            (Some(open), _) if open == byte => quote = None,
            (None | Some(_), _) => {}
        }
    }
    (tag.len(), equals)
}

/// One element and the file it stands in.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Element<'a, 'i> {
    node: Node<'a, 'i>,
    file: &'a str,
}

impl<'a, 'i> Element<'a, 'i> {
    pub(crate) fn root(document: &'a Document<'i>, file: &'a str) -> Self {
        Self { node: document.root_element(), file }
    }

    /// The name as written, without its namespace.
    pub(crate) fn name(self) -> &'a str {
        self.node.tag_name().name()
    }

    pub(crate) fn children(self) -> impl Iterator<Item = Element<'a, 'i>> {
        self.node.children().filter(Node::is_element).map(move |node| Element { node, file: self.file })
    }

    pub(crate) fn place(self) -> Place {
        self.at(self.node.range().start)
    }

    /// The value of an attribute and the place of that value.
    pub(crate) fn attribute(self, name: &str) -> Option<Spanned<String>> {
        let attribute = self.plain_attributes().find(|attribute| attribute.name() == name)?;
        Some(Spanned { value: attribute.value().to_owned(), place: self.at(attribute.range_value().start) })
    }

    /// Name and place of every attribute. Those with a namespace are left out: they are leftovers of
    /// transforms (`xdt:Transform`) and mean nothing here.
    pub(crate) fn attributes(self) -> impl Iterator<Item = (&'a str, Place)> {
        self.plain_attributes().map(move |attribute| (attribute.name(), self.at(attribute.range().start)))
    }

    /// Name and place of every attribute that belongs to a transform.
    pub(crate) fn transforms(self) -> impl Iterator<Item = (&'a str, Place)> {
        let attributes = self.node.attributes();
        let of_transform =
            attributes.filter(|a| a.namespace().is_some_and(|name| name.ends_with("XML-Document-Transform")));
        of_transform.map(move |attribute| (attribute.name(), self.at(attribute.range().start)))
    }

    /// This element and all below it, in the order of the file.
    pub(crate) fn visit(self, see: &mut dyn FnMut(Element<'a, 'i>)) {
        for node in self.node.descendants().filter(Node::is_element) {
            see(Element { node, file: self.file });
        }
    }

    fn plain_attributes(self) -> impl Iterator<Item = Attribute<'a, 'i>> {
        self.node.attributes().filter(|attribute| attribute.namespace().is_none())
    }

    fn at(self, offset: usize) -> Place {
        let position = self.node.document().text_pos_at(offset);
        Place { file: self.file.to_owned(), line: position.row, column: position.col }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(text: &str) -> Option<&'static str> {
        let mut report = Report::default();
        let parsed = parse(text, "web.config", &mut report).is_some();
        let codes: Vec<_> =
            report.into_diagnostics().iter().map(|diagnostic| diagnostic.code.as_str()).collect();
        assert_eq!(parsed, codes.is_empty());
        codes.first().copied()
    }

    #[test]
    fn the_first_wrong_byte_has_a_place() {
        let at = |bytes: &[u8]| {
            let mut report = Report::default();
            assert!(decode(bytes, &Place::whole("web.config"), &mut report).is_none());
            report.into_diagnostics()[0].place.as_ref().map(ToString::to_string)
        };
        assert_eq!(at(b"<a>\n <!-- caf\xE9 -->"), Some("web.config:2:10".to_owned()));
        assert_eq!(at(b"\xEF\xBB\xBF<caf\xE9/>"), Some("web.config:1:5".to_owned()));
        assert_eq!(at(b"\xFF\xFE<"), Some("web.config".to_owned()));
    }

    #[test]
    fn caps_hold_before_the_parser_works() {
        let nested = |n: usize| format!("{}{}", "<a>".repeat(n), "</a>".repeat(n));
        assert_eq!(code(&nested(64)), None);
        assert_eq!(code(&nested(65)), Some("too-deep"));
        let many = |n: usize| (0..n).map(|i| format!(" a{i}='='")).collect::<String>();
        assert_eq!(code(&format!("<a{}/>", many(256))), None);
        assert_eq!(code(&format!("<a{}/>", many(257))), Some("too-many-attributes"));
        assert_eq!(code(&format!("<a><!-- {} --><![CDATA[{}]]></a>", nested(70), "<b>".repeat(70))), None);
        assert_eq!(code(&"<b/>".repeat(3)), Some("malformed-xml"));
        assert_eq!(code("<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>"), Some("dtd-refused"));
    }

    #[test]
    fn encodings_are_told_by_their_mark() {
        let read = |bytes: &[u8]| decode(bytes, &Place::whole("web.config"), &mut Report::default());
        assert_eq!(read(b"\xEF\xBB\xBF<\xC3\xA9/>").as_deref(), Some("<é/>"));
        assert_eq!(read(b"\xFF\xFE<\0\xE9\0").as_deref(), Some("<é"));
        assert_eq!(read(b"\xFE\xFF\0<\0\xE9").as_deref(), Some("<é"));
        for wrong in [&b"\xFF\xFE<"[..], b"\xFF\xFE\x00\xD8", b"<\xE9/>", b"\xEF\xBB\xBF\xFF"] {
            assert_eq!(read(wrong), None);
        }
    }
}
