//! Every code that a diagnostic can have, with what it means and what to do: a code that is not in this table
//! cannot be used. `docs/errors.md` is written from it.

use std::fmt;

use crate::diagnostic::Severity;

macro_rules! codes {
    ($($(#[doc = $doc:literal])+ $name:ident = $text:literal, $severity:ident, $remedy:literal;)+) => {
        /// A searchable name for one kind of mistake, stable over versions.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Code {
            $($(#[doc = $doc])+ $name,)+
        }

        impl Code {
            /// Every code, in the order of their names.
            pub const TABLE: &[CodeInfo] = &[$(CodeInfo {
                code: Self::$name,
                severity: Severity::$severity,
                meaning: concat!($($doc, " "),+),
                remedy: $remedy,
            },)+];

            /// As printed: `bad-value`.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)+
                }
            }
        }
    };
}

/// What one code means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CodeInfo {
    /// The code.
    pub code: Code,
    /// How bad it usually is.
    pub severity: Severity,
    /// What is wrong, and why that matters.
    pub meaning: &'static str,
    /// What to do about it.
    pub remedy: &'static str,
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

codes! {
    /// The file is neither UTF-8 nor UTF-16 with a byte order mark.
    BadEncoding = "bad-encoding", Error,
        "Save it as UTF-8.";
    /// `--listen` does not name an address that can be listened on.
    BadListen = "bad-listen", Error,
        "Write `PORT`, `:PORT`, `ADDRESS:PORT`, `[IPv6]:PORT`, `localhost:PORT` or `*:PORT`.";
    /// `--trusted-proxy` or `trustedProxies` names no network.
    BadNetwork = "bad-network", Error,
        "Write an address, or a range such as `10.0.0.0/8`.";
    /// `--path-base` is not a decoded absolute path.
    BadPathBase = "bad-path-base", Error,
        "Write it like `/shop`.";
    /// `ASPNETCORE_PORT` is not a port that an app may have; IIS fails every start with it too.
    BadPort = "bad-port", Missing,
        "Leave it out, so that a free port is drawn for each start.";
    /// `X.runtimeconfig.json` cannot be read, so the .NET host will not start the app.
    BadRuntimeconfig = "bad-runtimeconfig", Missing,
        "Publish again, or mend the JSON at the place that is named.";
    /// The site root is no folder, or the app does not lie in it. Symlinks count as where they lead to, so that nothing
    /// outside of the root is read.
    BadSiteRoot = "bad-site-root", Error,
        "Name the folder of the site, above the app.";
    /// The value of an attribute is outside what the IIS schema allows, where IIS answers 500.19; or that of a setting
    /// outside what `falconer.toml` allows.
    BadValue = "bad-value", Error,
        "Write a value of the range in the message.";
    /// A variable cannot be set like this: no name, no value, or an equals sign in the name.
    BadVariable = "bad-variable", Error,
        "Write `name` and `value`, or `--env NAME=VALUE`.";
    /// `maxAllowedContentLength` is above 30,000,000 and the app's own limit stays there: Kestrel answers 413
    /// above it (measured with .NET 10; IIS lifted that limit).
    BodyLimit = "body-limit", Warning,
        "Set `\"Microsoft.AspNetCore.Server.IISIntegration.ClearMaxRequestBodySize\": true` in `configProperties` of `X.runtimeconfig.json`, or raise Kestrel's `MaxRequestBodySize` in the app.";
    /// `sslFlags` of web.config ask clients for a certificate, and nobody is named whose certificates count. IIS looks
    /// into the store of the machine; here no certificate is trusted that the operator did not mean.
    ClientCaMissing = "client-ca-missing", Error,
        "Add `--tls-client-ca FILE`.";
    /// `--tls-client-ca` is given, and web.config asks no client for a certificate.
    ClientCaUnused = "client-ca-unused", Warning,
        "Set `sslFlags` in web.config, or leave the option out.";
    /// The server's own configuration lies where deployments write. They must not decide whom the server trusts or
    /// where it listens. Only a warning where it was not named: then it is not read.
    ConfigInFolder = "config-in-folder", Error,
        "Move the file to a folder that only the operator writes, such as `/etc/falconer`.";
    /// The server runs as root, and others may write the file that it would obey, or a folder or symlink on the way to
    /// it.
    ConfigWritable = "config-writable", Error,
        "Give it to root as the hint shows, or run the server as another user.";
    /// The app needs .NET and no `dotnet` is where it was looked for.
    DotnetNotFound = "dotnet-not-found", Missing,
        "Install the ASP.NET Core runtime, put `dotnet` in `PATH`, or set `DOTNET_ROOT`.";
    /// A document type definition can grow without limit and read other files; none is accepted.
    DtdRefused = "dtd-refused", Error,
        "Remove `<!DOCTYPE ...>`.";
    /// Two handlers have the same name, which is a key; IIS answers 500.19.
    DuplicateHandler = "duplicate-handler", Error,
        "Rename one, or `<remove>` the first before the second.";
    /// A section stands twice for the same location; IIS answers 500.19.
    DuplicateSection = "duplicate-section", Error,
        "Merge the two.";
    /// `maxConnections` is more than the system's limit of descriptors affords: a request under way holds two. So many
    /// connections are open as it affords, and others wait.
    FewDescriptors = "few-descriptors", Warning,
        "Raise `LimitNOFILE=` of the unit, or the hard limit that Falconer is started with, or lower `maxConnections`.";
    /// The file is larger than any web.config that IIS reads.
    FileTooLarge = "file-too-large", Error,
        "Check that it is the right file.";
    /// Several processes are asked for, and `ASPNETCORE_PORT` is fixed: two cannot listen on one port, so one serves.
    FixedPort = "fixed-port", Warning,
        "Leave `ASPNETCORE_PORT` out, so that each process draws a port.";
    /// A path belongs to another machine; a folder of the app is used instead.
    ForeignPath = "foreign-path", Warning,
        "Write a path below the app, such as `.\\logs\\stdout`.";
    /// The program is there, and was published for another system or processor, so that this machine cannot run it.
    /// Only a warning where `dotnet` can run the dll beside it.
    ForeignProgram = "foreign-program", Missing,
        "Publish the app for this machine (`-r linux-x64`, `-r linux-arm64`), or framework-dependent.";
    /// No installed .NET has the framework version that `X.runtimeconfig.json` asks for.
    FrameworkNotFound = "framework-not-found", Missing,
        "Install that version, or let the app roll forward (`DOTNET_ROLL_FORWARD=Major`).";
    /// A section of .NET Framework, which no ASP.NET Core app reads.
    FrameworkSection = "framework-section", Warning,
        "Remove it, or move what is needed to `appsettings.json`.";
    /// ASP.NET Core keeps the keys that protect cookies in `$HOME/.aspnet`. Without a lasting, writable `HOME`
    /// they are lost at each restart, and everybody is signed out.
    HomeNotKept = "home-not-kept", Warning,
        "Set `HOME` to a folder that lasts and that the app may write, or configure data protection in the app.";
    /// `hostingModel="inprocess"` runs the app inside the IIS worker process; here it runs on Kestrel in a
    /// process of its own.
    Inprocess = "inprocess", Warning,
        "Nothing. Write `outofprocess` to silence this.";
    /// Two `--listen` stand for the same address.
    ListenTwice = "listen-twice", Error,
        "Leave one of them out.";
    /// A web.config above the app locks this section (`overrideMode="Deny"`); IIS answers 500.19.
    LockedSection = "locked-section", Error,
        "Remove the section, or unlock it above.";
    /// The file is not TOML.
    MalformedToml = "malformed-toml", Error,
        "Mend the place that is named.";
    /// The file is not well-formed XML; IIS answers 500.19.
    MalformedXml = "malformed-xml", Error,
        "Mend the place that is named; a file that ends too soon was often cut off while it was copied.";
    /// An element that is known stands where it cannot.
    MisplacedElement = "misplaced-element", Error,
        "Move it; locations do not nest.";
    /// A required attribute is missing; IIS answers 500.0 or 500.19.
    MissingAttribute = "missing-attribute", Error,
        "Add it.";
    /// The web.config describes no app; the app was found in the folder.
    NoAppSection = "no-app-section", Warning,
        "Nothing, if it is the right one.";
    /// A section that changes nothing for an app that takes every path, in IIS neither.
    NoEffect = "no-effect", Warning,
        "Nothing; it may be removed.";
    /// The program is there but may not be executed: copying and unpacking often lose that bit. Only a warning
    /// where `dotnet` can run the dll beside it.
    NoExecutableBit = "no-executable-bit", Missing,
        "`chmod +x` it.";
    /// The folder to serve is missing, or no folder.
    NoFolder = "no-folder", Error,
        "Name the folder that `dotnet publish` wrote.";
    /// No handler is mapped for the section that describes the app; IIS would not send it a request.
    NoHandler = "no-handler", Warning,
        "Add the handler that the message names.";
    /// `X.dll` has no `X.runtimeconfig.json` beside it, so `dotnet` does not know what to run it on.
    NoRuntimeconfig = "no-runtimeconfig", Missing,
        "Publish the app (not its library), and copy everything that was published.";
    /// A part of the file that is known and not done by this version.
    NotHonoured = "not-honoured", Warning,
        "See [web-config.md](web-config.md) for what that means.";
    /// The section is not in this file, or encrypted for the Windows machine it came from.
    NotSupported = "not-supported", Error,
        "Write the section's attributes here, in the clear.";
    /// Neither a web.config nor the folder names an app, or `dotnet` is given nothing to run.
    NothingToRun = "nothing-to-run", Error,
        "Name the folder that `dotnet publish` wrote.";
    /// A file is there in another case. Windows does not tell the two apart, Linux does; it was found all the
    /// same.
    OtherCase = "other-case", Warning,
        "Write the name as it is on the disk.";
    /// The `dotnet` that is named lacks a framework that another one has.
    OtherDotnet = "other-dotnet", Warning,
        "Install the framework there, or name the other one.";
    /// `%LAUNCHER_PATH%` and `%LAUNCHER_ARGS%` are replaced by `dotnet publish`; this is the project's own
    /// file.
    Placeholder = "placeholder", Error,
        "Serve the published folder.";
    /// The program or dll that is named is not there; the app cannot start (502.5).
    ProgramNotFound = "program-not-found", Missing,
        "Mend the name or copy the file; the message says where it was looked for.";
    /// The server sets this variable for each start.
    ReservedVariable = "reserved-variable", Warning,
        "Remove it.";
    /// `sslFlags` of web.config need TLS, and no binding is https. An error where clients are asked for certificates,
    /// else a warning.
    SslWithoutHttps = "ssl-without-https", Error,
        "Add `--listen https://ADDR:PORT`, or change `sslFlags`.";
    /// `check --start`: the app did not start.
    StartFailed = "start-failed", Missing,
        "The message has the stage, what happened, and the end of what the app printed.";
    /// The private key is under a password, and nobody is there to type it at a start.
    TlsEncryptedKey = "tls-encrypted-key", Error,
        "Write the key into a file without a password, as the hint shows, and let only the server read it.";
    /// What `--tls-cert` or `--tls-key` names is not there.
    TlsFileMissing = "tls-file-missing", Error,
        "Mend the path.";
    /// The private key is not that of the certificate, so that no client would accept the pair.
    TlsKeyMismatch = "tls-key-mismatch", Error,
        "Name the key that the certificate was asked for with, or ask for a new certificate.";
    /// Other users of the machine can read the private key, and so could pose as this server.
    TlsKeyMode = "tls-key-mode", Error,
        "`chmod 600` it; where it has been open for long, ask for a new certificate with a new key.";
    /// The file holds no certificate, or no private key, in PEM.
    TlsNotPem = "tls-not-pem", Error,
        "Convert it as the hint shows.";
    /// The file is a PKCS #12 archive, as Windows exports them.
    TlsPfx = "tls-pfx", Error,
        "Convert it with the line that the hint prints, then name the two new files.";
    /// Certificate or private key are in PEM, but what is inside cannot be used.
    TlsUnusable = "tls-unusable", Error,
        "Look at it with `openssl x509 -text` or `openssl pkey -text`; RSA from 2048 bits, ECDSA on P-256, P-384 and P-521, and Ed25519 are known.";
    /// A binding is https, and there is no certificate or no key for it.
    TlsWithoutCertificate = "tls-without-certificate", Error,
        "Add `--tls-cert FILE --tls-key FILE`.";
    /// A certificate or a key is given, and nothing listens for https.
    TlsWithoutHttps = "tls-without-https", Error,
        "Add `--listen https://ADDR:PORT`.";
    /// Elements nest deeper than in any web.config.
    TooDeep = "too-deep", Error,
        "Check that it is the right file.";
    /// An element has more attributes than any of the schema.
    TooManyAttributes = "too-many-attributes", Error,
        "Check that it is the right file.";
    /// There were more messages than anybody reads.
    TooManyMessages = "too-many-messages", Error,
        "Check that it is the right file.";
    /// Attributes of the `xdt` namespace belong into a transform file and are ignored, as in IIS.
    TransformLeftover = "transform-leftover", Warning,
        "Remove them.";
    /// An attribute that the schema does not have; IIS answers 500.19.
    UnknownAttribute = "unknown-attribute", Error,
        "Write the one that the hint names.";
    /// An element that the schema does not have, or in another case; IIS answers 500.19.
    UnknownElement = "unknown-element", Error,
        "Write the one that the hint names.";
    /// A section that IIS does not have.
    UnknownSection = "unknown-section", Warning,
        "Check its name.";
    /// A setting that `falconer.toml` does not have, or in another table.
    UnknownSetting = "unknown-setting", Error,
        "Write the one that the hint names; [configuration.md](configuration.md) has them all.";
    /// `check --start`: the app answers requests that do not come through the server (slim and AOT apps, other
    /// programs).
    Unpaired = "unpaired", Warning,
        "Add `builder.WebHost.UseIISIntegration()`, check `MS-ASPNETCORE-TOKEN` yourself, or see that nobody else has a login on the machine.";
    /// The file is there and cannot be read.
    Unreadable = "unreadable", Error,
        "Check its owner and mode.";
    /// The root element is not `<configuration>` (names are case-sensitive).
    WrongRoot = "wrong-root", Error,
        "Check that it is the right file.";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique_sorted_and_kebab_case() {
        let all: Vec<&str> = Code::TABLE.iter().map(|info| info.code.as_str()).collect();
        assert!(all.is_sorted_by(|left, right| left < right), "{all:?}");
        for info in Code::TABLE {
            let kebab = info.code.as_str().bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-');
            assert!(
                kebab && info.meaning.trim().ends_with('.') && info.remedy.ends_with('.'),
                "{}",
                info.code
            );
        }
    }
}
