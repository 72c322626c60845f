//! The command line: what can be said, and how we speak back.

pub(crate) mod check;
pub(crate) mod demo;
pub(crate) mod options;
pub(crate) mod print;
pub(crate) mod reference;
pub(crate) mod serve;

/// Everything went well, or ended as it was told to.
pub(crate) const OK: u8 = 0;
/// The configuration is wrong, or there is nothing to run.
pub(crate) const BAD_CONFIGURATION: u8 = 1;
/// An address could not be bound, or the system refused what a server needs. (2 is clap's, for usage.)
pub(crate) const CANNOT_RUN: u8 = 3;

/// Hosts ASP.NET Core publish folders the way IIS and the ASP.NET Core Module do.
#[derive(Debug, clap::Parser)]
#[command(version, about, arg_required_else_help = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// The verbs.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Serve a publish folder in the foreground
    Serve(serve::Arguments),
    /// Say what serve would do with a folder or a web.config, and every mistake in it
    Check(check::Arguments),
    /// A generated page of the documents
    #[command(name = "__docs", hide = true)]
    Reference(reference::Arguments),
    /// Show in a browser what Falconer does, with an app of its own
    Demo(demo::Arguments),
}
