//! Text to Plan: what the operator asked for, typed, checked and immutable, with every mistake reported.
//!
//! No async, no sockets, no processes. The disk is seen only through [`Files`], the environment only as a
//! list of values, so that every case is a small file. [`load`] is the door: `serve`, `check` and a later
//! reload use this one function. [`load_file`] is its half that needs no folder.

mod advice;
mod argv;
mod assemble;
mod code;
mod diagnostic;
mod dotnet;
mod effective;
mod environment;
mod expand;
mod foreign;
mod infer;
mod input;
mod listen;
mod logs;
mod origins;
mod own;
mod paths;
mod plan;
mod pool;
mod program;
mod report;
mod resolve;
mod runtimeconfig;
mod settings;
mod site;
mod tls;
mod value;
mod webconfig;

pub use argv::split_arguments;
pub use code::{Code, CodeInfo};
pub use diagnostic::{Diagnostic, Place, Severity};
pub use dotnet::{DotnetSearch, InstalledFramework};
pub use effective::{Effective, Group};
pub use input::{Files, Input, Keeping, Kind, Loaded};
pub use own::{IIS_SETTINGS, IisSetting, OPTIONS, OPTIONS_EXAMPLE, OptionInfo};
pub use plan::{
    AppPlan, Binding, EnvironmentEntry, Handler, LimitInfo, Limits, Origin, PemFile, Plan, PortChoice,
    Program, Scheme, StdoutLog, TlsPlan,
};
pub use pool::{DebugLevel, DebugLog, Network, Recycling, SslFlags, WarmUpPage};
pub use resolve::{load, load_file};
pub use value::write_time_span;
pub use webconfig::schema::{HANDLER_SETTINGS, Honoured, PartInfo, SECTIONS, SectionInfo};
