//! What IIS keeps outside of web.config: from flags, else from `--config FILE`, else from `falconer.toml` in the working
//! directory. Flags beat the file; what neither says stays none, and is the caller's default.

mod file;
mod iis;
mod options;
mod trust;

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::code::Code;
use crate::diagnostic::Place;
use crate::input::{Files, Input};
use crate::origins::quoted;
use crate::pool::Network;
use crate::report::{Report, Spanned};
use crate::value;
use file::Settings;
pub use iis::{IIS_SETTINGS, IisSetting};
use options as key;
pub use options::{OPTIONS, OPTIONS_EXAMPLE, OptionInfo};

/// The name that is looked for in the working directory.
const NAME: &str = "falconer.toml";
/// A file with every setting has a hundredth of this.
const MOST_BYTES: usize = 256 * 1024;

const DAY: u64 = 24 * 60 * 60;

/// Where a name belongs that stands in web.config, and that IIS keeps outside of it.
pub(crate) fn of_pool(name: &str) -> Option<String> {
    let tables = ["applicationPool", "application", "site.limits", "limits", "webLimits"];
    let ours = OPTIONS.iter().find_map(|option| {
        let (table, last) = option.key.rsplit_once('.')?;
        let is_meant = tables.iter().any(|known| table.starts_with(known)) && last.eq_ignore_ascii_case(name);
        is_meant.then(|| format!("{last} stands in falconer.toml, below [{table}]"))
    });
    ours.or_else(|| {
        let mut of_pool = IIS_SETTINGS.iter().filter(|one| one.key.starts_with("applicationPool."));
        of_pool.find(|one| one.name().eq_ignore_ascii_case(name)).map(IisSetting::hint)
    })
}

/// What was said, each with its place.
#[derive(Debug, Default)]
pub(crate) struct Own {
    pub(crate) listen: Vec<Spanned<String>>,
    pub(crate) tls_cert: Option<Spanned<PathBuf>>,
    pub(crate) tls_key: Option<Spanned<PathBuf>>,
    pub(crate) tls_client_ca: Option<Spanned<PathBuf>>,
    pub(crate) trusted_proxies: Option<Spanned<Vec<Network>>>,
    pub(crate) private_network: Option<Spanned<bool>>,
    pub(crate) max_connections: Option<Spanned<u64>>,
    pub(crate) connection_timeout: Option<Spanned<Duration>>,
    pub(crate) header_wait_timeout: Option<Spanned<Duration>>,
    pub(crate) queue_length: Option<Spanned<u64>>,
    pub(crate) upstream_connections: Option<Spanned<u64>>,
    pub(crate) path_base: Option<Spanned<String>>,
    pub(crate) site_root: Option<Spanned<PathBuf>>,
    pub(crate) always_running: Option<Spanned<bool>>,
    pub(crate) preload: Option<Spanned<bool>>,
    pub(crate) idle_timeout: Option<Spanned<Duration>>,
    pub(crate) disallow_overlapping_rotation: Option<Spanned<bool>>,
    pub(crate) disallow_rotation_on_config_change: Option<Spanned<bool>>,
    pub(crate) recycle_time: Option<Spanned<Duration>>,
    pub(crate) recycle_requests: Option<Spanned<u64>>,
    /// In KiB.
    pub(crate) recycle_memory: Option<Spanned<u64>>,
    pub(crate) recycle_at: Option<Spanned<Vec<Duration>>>,
    pub(crate) log_max_size: Option<Spanned<u64>>,
    pub(crate) log_max_files: Option<Spanned<u64>>,
    pub(crate) total_timeout: Option<Spanned<Duration>>,
    pub(crate) drain_timeout: Option<Spanned<Duration>>,
}

/// Reads the file, if there is one, and the flags over it.
pub(crate) fn read(input: &Input, files: &dyn Files, report: &mut Report) -> Own {
    let (mut settings, folder) = match source(input, files, report) {
        Some(source) => (source.settings(files, report), source.folder()),
        None => (Settings::default(), PathBuf::new()),
    };
    let mut own = of_file(&mut settings, &folder, report);
    debug_assert!(settings.unread().is_empty(), "{:?}", settings.unread());
    refuse_below_own_root(&own, input, files, report);
    flags(input, &mut own, report);
    idle_never(&own, report);
    few_descriptors(&own, input, report);
    own
}

/// IIS stops an idle pool whatever its start mode, and starts it again at once where that is AlwaysRunning.
fn idle_never(own: &Own, report: &mut Report) {
    let always = own.always_running.as_ref().is_some_and(|always| always.value);
    let idle = own.idle_timeout.as_ref().filter(|idle| always && !idle.value.is_zero());
    if let Some(idle) = idle {
        let message = "idleTimeout has no effect, as the app is always running".to_owned();
        report
            .warning(Code::NoEffect, &idle.place, message)
            .hint("set only one of idleTimeout and startMode");
    }
}

/// IIS takes this number, its default, for no limit.
const UNLIMITED: u64 = u32::MAX as u64;

/// More connections than the system lets this process have: fewer are accepted, and whoever asked for more hears of it.
fn few_descriptors(own: &Own, input: &Input, report: &mut Report) {
    let Some(wanted) = own.max_connections.as_ref().filter(|wanted| wanted.value != UNLIMITED) else {
        return;
    };
    let affordable = affordable(input.descriptors);
    if wanted.value <= affordable {
        return;
    }
    let message = format!(
        "maxConnections is {}, but {} descriptors (RLIMIT_NOFILE) are enough for {affordable} connections only",
        wanted.value, input.descriptors
    );
    let needed = needed(wanted.value);
    let hint = format!(
        "raise the hard limit to {needed}: LimitNOFILE={needed} in the unit, --ulimit nofile={needed} for a container"
    );
    report.warning(Code::FewDescriptors, &wanted.place, message).hint(hint);
}

/// Connections of clients for so many descriptors: each may need a second one, to the app, and a fifth stays for
/// everything else.
pub(crate) fn affordable(descriptors: u64) -> u64 {
    ((descriptors / 2).saturating_mul(4) / 5).max(1)
}

/// The least number of descriptors that so many connections can be had for.
fn needed(connections: u64) -> u64 {
    connections.saturating_mul(5).div_ceil(4) * 2
}

/// The file that is read.
struct Source {
    path: PathBuf,
    /// As the operator knows it.
    name: String,
}

/// Whoever deploys the app may write its folder, and must not decide what this server does.
fn source(input: &Input, files: &dyn Files, report: &mut Report) -> Option<Source> {
    let (path, name) = match (&input.config, &input.working_folder) {
        (Some(path), _) => (path.clone(), path.display().to_string()),
        (None, Some(folder)) => (folder.join(NAME), NAME.to_owned()),
        (None, None) => return None,
    };
    let named = input.config.is_some();
    // Whatever stands there is meant: a pipe is refused below, not passed over.
    if !named && files.mode(&path).is_none() && files.link(&path).is_none() {
        return None;
    }
    let deployed = std::iter::once(&input.folder).chain(&input.site_root);
    let deployed =
        deployed.map(|folder| files.real(folder)).find(|folder| trust::leads_through(&path, folder, files));
    if let Some(folder) = deployed {
        let message = format!("{name} lies in {}, which deployments write", folder.display());
        if named {
            let hint = "move it to a folder that only the operator writes";
            report.error(Code::ConfigInFolder, &Place::whole(name), message).hint(hint);
        } else {
            let hint =
                "it is not read; start from another folder, or move the file and name it with --config";
            report.warning(Code::ConfigInFolder, &Place::whole(name), message).hint(hint);
        }
        return None;
    }
    let weak = if input.is_root { trust::weak_spot(&path, files) } else { None };
    if let Some((at, why)) = weak {
        let message = format!("{name} is not read by root: {} {why}", at.display());
        let at = quoted(&at.to_string_lossy());
        let hint = format!("chown root:root {at} && chmod go-w {at}; or run the server as another user");
        report.error(Code::ConfigWritable, &Place::whole(name), message).hint(hint);
        return None;
    }
    Some(Source { path, name })
}

/// The site root may be named by the file itself.
fn refuse_below_own_root(own: &Own, input: &Input, files: &dyn Files, report: &mut Report) {
    let Some(root) = &own.site_root else { return };
    let path = input.config.clone().or_else(|| Some(input.working_folder.as_ref()?.join(NAME)));
    if path.is_some_and(|path| trust::leads_through(&path, &files.real(&root.value), files)) {
        let message =
            format!("this file lies in its own siteRoot {}, which deployments write", root.value.display());
        let hint = "move it to a folder that only the operator writes";
        report.error(Code::ConfigInFolder, &root.place, message).hint(hint);
    }
}

impl Source {
    fn folder(&self) -> PathBuf {
        self.path.parent().unwrap_or(Path::new("/")).to_owned()
    }

    fn settings(&self, files: &dyn Files, report: &mut Report) -> Settings {
        let place = Place::whole(self.name.as_str());
        let bytes = match files.read(&self.path, MOST_BYTES + 1) {
            Ok(bytes) => bytes,
            Err(error) => {
                let message = format!("the file cannot be read: {error}");
                report
                    .error(Code::Unreadable, &place, message)
                    .hint("check its path, its owner and its mode");
                return Settings::default();
            }
        };
        if bytes.len() > MOST_BYTES {
            let message = format!("the file is larger than {} KiB", MOST_BYTES / 1024);
            report.error(Code::FileTooLarge, &place, message).hint("is it the right file?");
            return Settings::default();
        }
        let text = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(&bytes);
        match str::from_utf8(text) {
            Ok(text) => file::read(text, &self.name, report),
            Err(_) => {
                let message = "the file is not valid UTF-8".to_owned();
                report.error(Code::BadEncoding, &place, message).hint("save it as UTF-8");
                Settings::default()
            }
        }
    }
}

fn of_file(settings: &mut Settings, folder: &Path, report: &mut Report) -> Own {
    let mut path = |key, report: &mut Report| {
        let text = settings.text(key, report)?;
        Some(Spanned { value: folder.join(text.value), place: text.place })
    };
    let (tls_cert, tls_key) = (path(key::CERTIFICATE, report), path(key::KEY, report));
    let (tls_client_ca, site_root) = (path(key::CLIENT_CA, report), path(key::SITE_ROOT, report));
    let listen = settings.list(key::BINDINGS, report).map(|list| list.value).unwrap_or_default();
    let proxies = settings.list(key::TRUSTED_PROXIES, report);
    let schedule = settings.list(key::SCHEDULE, report);
    let most = u64::from(u32::MAX);
    Own {
        listen,
        tls_cert,
        tls_key,
        tls_client_ca,
        trusted_proxies: proxies.map(|list| networks(list, report)),
        private_network: settings.boolean(key::PRIVATE_NETWORK, report),
        max_connections: settings.count(key::MAX_CONNECTIONS, 1..=most, report),
        connection_timeout: settings.wait(key::CONNECTION_TIMEOUT, report),
        header_wait_timeout: settings.wait(key::HEADER_WAIT, report),
        queue_length: settings.count(key::QUEUE_LENGTH, 10..=65_535, report),
        upstream_connections: settings.count(key::UPSTREAM_CONNECTIONS, 1..=65_535, report),
        path_base: settings.text(key::PATH, report),
        site_root,
        always_running: start_mode(settings, report),
        preload: settings.boolean(key::PRELOAD, report),
        idle_timeout: settings.span(key::IDLE_TIMEOUT, 30 * DAY, report),
        disallow_overlapping_rotation: settings.boolean(key::NO_OVERLAP, report),
        disallow_rotation_on_config_change: settings.boolean(key::NO_ROTATION, report),
        recycle_time: settings.span(key::TIME, 300 * DAY, report),
        recycle_requests: settings.number(key::REQUESTS, most, report),
        recycle_memory: settings.number(key::MEMORY, most, report),
        recycle_at: schedule.map(|list| times(list, report)),
        // TOML's own numbers end there.
        log_max_size: settings.number(key::LOG_SIZE, i64::MAX.unsigned_abs(), report),
        log_max_files: settings.number(key::LOG_FILES, most, report),
        total_timeout: settings.span(key::TOTAL_TIMEOUT, 15 * DAY, report),
        drain_timeout: settings.span(key::DRAIN_TIMEOUT, 15 * DAY, report),
    }
}

fn start_mode(settings: &mut Settings, report: &mut Report) -> Option<Spanned<bool>> {
    let hint = "write \"OnDemand\" or \"AlwaysRunning\"";
    settings.checked(key::START_MODE, hint, report, |word| match word {
        word if word.eq_ignore_ascii_case("OnDemand") => Ok(false),
        word if word.eq_ignore_ascii_case("AlwaysRunning") => Ok(true),
        _ => Err("is not a start mode".to_owned()),
    })
}

fn networks(list: Spanned<Vec<Spanned<String>>>, report: &mut Report) -> Spanned<Vec<Network>> {
    let check = |item: Spanned<String>| match value::network(&item.value) {
        Ok(network) => Some(network),
        Err((why, hint)) => {
            report.error(Code::BadNetwork, &item.place, format!("\"{}\" {why}", item.value)).hint(hint);
            None
        }
    };
    Spanned { value: list.value.into_iter().filter_map(check).collect(), place: list.place }
}

fn times(list: Spanned<Vec<Spanned<String>>>, report: &mut Report) -> Spanned<Vec<Duration>> {
    let check = |item: Spanned<String>| match value::time_of_day(&item.value) {
        Ok(time) => Some(time),
        Err(why) => {
            let message = format!("\"{}\" {why}", item.value);
            report.error(Code::BadValue, &item.place, message).hint("write 03:00, or 03:00:30 with seconds");
            None
        }
    };
    let mut value: Vec<Duration> = list.value.into_iter().filter_map(check).collect();
    value.sort_unstable();
    value.dedup();
    Spanned { value, place: list.place }
}

fn flags(input: &Input, own: &mut Own, report: &mut Report) {
    let words = |words: &[String], flag: &str| {
        let place = Place::whole(flag);
        let each = |word: &String| Spanned { value: word.clone(), place: place.clone() };
        let value: Vec<_> = words.iter().map(each).collect();
        (!value.is_empty()).then(|| Spanned { value, place: place.clone() })
    };
    if let Some(listen) = words(&input.listen, "--listen") {
        own.listen = listen.value;
    }
    if let Some(list) = words(&input.trusted_proxies, "--trusted-proxy") {
        own.trusted_proxies = Some(networks(list, report));
    }
    if let Some(list) = words(&input.recycle_at, "--recycle-at") {
        own.recycle_at = Some(times(list, report));
    }
    beat(&mut own.tls_cert, input.tls_cert.clone(), "--tls-cert");
    beat(&mut own.tls_key, input.tls_key.clone(), "--tls-key");
    beat(&mut own.tls_client_ca, input.tls_client_ca.clone(), "--tls-client-ca");
    beat(&mut own.private_network, input.private_network, "--private-network");
    beat(&mut own.max_connections, input.max_connections.map(u64::from), "--max-connections");
    beat(&mut own.connection_timeout, input.connection_timeout, "--connection-timeout");
    beat(&mut own.header_wait_timeout, input.header_wait_timeout, "--header-wait-timeout");
    beat(&mut own.queue_length, input.queue_length.map(u64::from), "--queue-length");
    let upstream = input.upstream_connections.map(u64::from);
    beat(&mut own.upstream_connections, upstream, "--upstream-connections");
    beat(&mut own.path_base, input.path_base.clone(), "--path-base");
    beat(&mut own.site_root, input.site_root.clone(), "--site-root");
    beat(&mut own.always_running, input.always_running, "--always-running");
    beat(&mut own.preload, input.preload, "--preload");
    beat(&mut own.idle_timeout, input.idle_timeout, "--idle-timeout");
    let overlap = input.disallow_overlapping_rotation;
    beat(&mut own.disallow_overlapping_rotation, overlap, "--disallow-overlapping-rotation");
    beat(&mut own.recycle_time, input.recycle_time, "--recycle-time");
    beat(&mut own.recycle_requests, input.recycle_requests, "--recycle-requests");
    beat(&mut own.recycle_memory, input.recycle_memory, "--recycle-memory");
    beat(&mut own.log_max_size, input.stdout_log_max_size, "--stdout-log-max-size");
    beat(&mut own.log_max_files, input.stdout_log_max_files.map(u64::from), "--stdout-log-max-files");
    beat(&mut own.total_timeout, input.total_timeout, "--total-timeout");
    beat(&mut own.drain_timeout, input.drain_timeout, "--drain-timeout");
}

/// A flag beats the file.
fn beat<T>(of_file: &mut Option<Spanned<T>>, flag: Option<T>, name: &str) {
    if let Some(value) = flag {
        *of_file = Some(Spanned { value, place: Place::whole(name) });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_descriptors_as_are_named_are_enough_and_no_fewer() {
        for connections in [2, 3, 4, 5, 409, 410, 8192, u64::from(u32::MAX)] {
            let needed = needed(connections);
            assert!(affordable(needed) >= connections, "{connections}");
            assert!(affordable(needed - 1) < connections, "{connections}");
        }
        assert_eq!(affordable(0), 1);
    }

    #[test]
    fn the_example_of_the_documents_is_right() {
        let mut report = Report::default();
        let mut settings = file::read(OPTIONS_EXAMPLE, NAME, &mut report);
        let own = of_file(&mut settings, Path::new("/etc"), &mut report);
        assert!(settings.unread().is_empty());
        assert_eq!(own.site_root.map(|root| root.value), Some(PathBuf::from("/srv/www")));
        assert_eq!(report.into_diagnostics(), []);
    }
}
