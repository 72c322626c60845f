//! `X.runtimeconfig.json`: which shared frameworks an app wants, and whether an installed version will do
//! (the host's roll-forward rules). Reads text, decides; the disk is looked at by [`crate::dotnet`].

use std::cmp::Ordering;
use std::fmt;

use serde_json::Value;

/// What an app wants.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct RuntimeConfig {
    pub(crate) frameworks: Vec<Framework>,
    pub(crate) roll_forward: RollForward,
    /// The app brings its runtime along (`includedFrameworks`).
    pub(crate) self_contained: bool,
    /// The app lifts Kestrel's limit of 30,000,000 bytes where a server in front of it has one (measured: .NET 10
    /// needs this switch for what earlier versions did by themselves).
    pub(crate) lifts_body_limit: bool,
}

const LIFTS_BODY_LIMIT: &str = "Microsoft.AspNetCore.Server.IISIntegration.ClearMaxRequestBodySize";

/// One shared framework.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Framework {
    pub(crate) name: String,
    pub(crate) version: Version,
}

/// How far a version may be from the wanted one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum RollForward {
    /// Exactly the wanted one.
    Disable,
    /// The same major and minor, and a patch that is not lower.
    Patch,
    /// The same major, and nothing lower. The default.
    #[default]
    Minor,
    /// Nothing lower.
    Major,
}

impl RollForward {
    /// The word of the file or of `DOTNET_ROLL_FORWARD`, ignoring case. The `Latest` kinds differ in which
    /// version is taken, not in which will do.
    pub(crate) fn read(word: &str) -> Option<Self> {
        Some(match word.trim().to_ascii_lowercase().as_str() {
            "disable" => Self::Disable,
            "latestpatch" => Self::Patch,
            "minor" | "latestminor" => Self::Minor,
            "major" | "latestmajor" => Self::Major,
            _ => return None,
        })
    }

    /// Whether `installed` will do for `wanted`.
    pub(crate) fn accepts(self, wanted: &Version, installed: &Version) -> bool {
        let same = match self {
            Self::Disable => return wanted == installed,
            Self::Patch => wanted.numbers[..2] == installed.numbers[..2],
            Self::Minor => wanted.numbers[0] == installed.numbers[0],
            Self::Major => true,
        };
        same && installed >= wanted
    }
}

/// A version by the rules of SemVer, which `shared/` names its folders by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Version {
    numbers: [u32; 3],
    prerelease: Option<String>,
}

impl Version {
    /// `10.0.0`, `10.0.0-rc.1.25451.107`.
    pub(crate) fn read(text: &str) -> Option<Self> {
        let text = text.split('+').next().unwrap_or(text);
        let (numbers, prerelease) = match text.split_once('-') {
            Some((numbers, prerelease)) => (numbers, Some(prerelease.to_owned())),
            None => (text, None),
        };
        let mut parts = numbers.split('.').map(|part| part.parse().ok());
        let numbers = [parts.next()??, parts.next()??, parts.next()??];
        parts.next().is_none().then_some(Self { numbers, prerelease })
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [major, minor, patch] = self.numbers;
        write!(f, "{major}.{minor}.{patch}")?;
        self.prerelease.as_ref().map_or(Ok(()), |prerelease| write!(f, "-{prerelease}"))
    }
}

impl PartialOrd for Version {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Version {
    /// SemVer 2.0.0 §11: a prerelease is lower than its release, and its parts compare one by one.
    fn cmp(&self, other: &Self) -> Ordering {
        self.numbers.cmp(&other.numbers).then_with(|| match (&self.prerelease, &other.prerelease) {
            (None, None) => Ordering::Equal,
            (None, Some(_)) => Ordering::Greater,
            (Some(_), None) => Ordering::Less,
            (Some(left), Some(right)) => compare_prerelease(left, right),
        })
    }
}

fn compare_prerelease(left: &str, right: &str) -> Ordering {
    let part =
        |text: &str| text.parse::<u64>().map_or_else(|_| (1, 0, text.to_owned()), |n| (0, n, String::new()));
    left.split('.').map(part).cmp(right.split('.').map(part))
}

/// Reads the file's text.
pub(crate) fn read(bytes: &[u8]) -> Result<RuntimeConfig, String> {
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    let text = without_comments(&String::from_utf8_lossy(bytes));
    // The host stops reading where the first value ends (measured).
    let first = serde_json::Deserializer::from_str(&text).into_iter::<Value>().next();
    let root = first.ok_or("it is empty")?.map_err(|error| error.to_string())?;
    let options = &root["runtimeOptions"];
    let many = options["frameworks"].as_array().map(Vec::as_slice).unwrap_or_default();
    let frameworks = many.iter().chain(options.get("framework")).map(framework).collect::<Result<_, _>>()?;
    let roll_forward = options["rollForward"].as_str().and_then(RollForward::read).unwrap_or_default();
    let self_contained = options["includedFrameworks"].as_array().is_some_and(|list| !list.is_empty());
    let switch = &options["configProperties"][LIFTS_BODY_LIMIT];
    let lifts_body_limit = switch.as_bool().unwrap_or(false)
        || switch.as_str().is_some_and(|word| word.eq_ignore_ascii_case("true"));
    Ok(RuntimeConfig { frameworks, roll_forward, self_contained, lifts_body_limit })
}

/// The text with comments of both kinds blanked out, which the host takes (measured), line breaks kept.
fn without_comments(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(next) = rest.chars().next() {
        let comment = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if let Some(inside) = rest.strip_prefix("/*") {
            inside.find("*/").map_or(rest.len(), |end| end + 4)
        } else {
            0
        };
        if comment > 0 {
            out.extend(rest[..comment].chars().map(|next| if next == '\n' { '\n' } else { ' ' }));
            rest = &rest[comment..];
            continue;
        }
        let length = if next == '"' { string_length(rest) } else { next.len_utf8() };
        out.push_str(&rest[..length]);
        rest = &rest[length..];
    }
    out
}

/// Bytes of the string literal that a text starts with, its quotes included.
fn string_length(text: &str) -> usize {
    let mut escaped = false;
    for (at, byte) in text.bytes().enumerate().skip(1) {
        match byte {
            b'"' if !escaped => return at + 1,
            b'\\' => escaped = !escaped,
            _ => escaped = false,
        }
    }
    text.len()
}

fn framework(value: &Value) -> Result<Framework, String> {
    let text = |key: &str| value[key].as_str().ok_or_else(|| format!("a framework has no {key}"));
    let name = text("name")?.to_owned();
    // A name becomes a folder's name below `shared/`.
    if name.is_empty() || name.contains('/') || name.starts_with('.') {
        return Err(format!("\"{name}\" is not a framework's name"));
    }
    let version = text("version")?;
    let version = Version::read(version).ok_or_else(|| format!("\"{version}\" is not a version"))?;
    Ok(Framework { name, version })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roll_forward_accepts_what_the_host_accepts() {
        let version = |text| Version::read(text).expect("the tests write versions");
        for (rule, wanted, installed, accepted) in [
            ("Minor", "8.0.0", "8.0.11", true),
            ("Minor", "8.0.0", "8.1.0", true),
            ("Minor", "8.0.5", "8.0.4", false),
            ("Minor", "8.0.0", "10.0.0", false),
            ("latestMajor", "8.0.0", "10.0.0", true),
            ("Major", "10.0.0", "8.0.0", false),
            ("LatestPatch", "8.0.0", "8.1.0", false),
            ("LatestPatch", "8.0.0", "8.0.1", true),
            ("Disable", "8.0.0", "8.0.1", false),
            ("Minor", "10.0.0", "10.0.0-rc.1.2", false),
            ("Minor", "10.0.0-rc.1.2", "10.0.0", true),
            ("Minor", "10.0.0-rc.2", "10.0.0-rc.10", true),
            ("Minor", "10.0.0-rc.2", "10.0.0-preview.7", false),
        ] {
            let rule = RollForward::read(rule).expect("the tests write rules");
            assert_eq!(
                rule.accepts(&version(wanted), &version(installed)),
                accepted,
                "{rule:?} {wanted} {installed}"
            );
        }
        for wrong in ["", "8", "8.0", "8.0.0.0", "8.0.x", "-8.0.0", "8..0"] {
            assert_eq!(Version::read(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn both_shapes_are_read() {
        let one = br#"{"runtimeOptions":{"rollForward":"Major","framework":{"name":"Microsoft.NETCore.App","version":"8.0.0"}}}"#;
        let read_one = read(one).expect("the text is sound");
        assert_eq!((read_one.frameworks.len(), read_one.roll_forward), (1, RollForward::Major));
        let included = br#"{"runtimeOptions":{"includedFrameworks":[{"name":"Microsoft.NETCore.App","version":"8.0.0"}]}}"#;
        assert!(read(included).expect("the text is sound").self_contained);
        for wrong in [
            "",
            "[",
            r#"{"runtimeOptions":{"framework":{"name":"../x","version":"8.0.0"}}}"#,
            r#"{"runtimeOptions":{"framework":{}}}"#,
        ] {
            assert!(read(wrong.as_bytes()).is_err(), "{wrong}");
        }
        assert_eq!(read(b"[1]"), Ok(RuntimeConfig::default()));
        let commented = br#"// a
            {/* "b */"runtimeOptions":{"note":"http://x/* \" \\","includedFrameworks":[1]}} rest"#;
        assert!(read(commented).expect("the host reads it").self_contained);
        assert_eq!(without_comments("/*/ \"x\""), "       ");
    }
}
