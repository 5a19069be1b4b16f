//! The words of the log: keepalived's, for those who search for them, and behind them the reason in ours.

use std::fmt;
use std::net::SocketAddr;

use crate::action::Activation;
use crate::dialogue::{Failure, Obstacle, http, words};
use crate::misc::CommandEnd;
use crate::names::{ServerName, ServiceName};
use crate::pace::Turn;
use crate::reload::News;
use crate::settings::checkers::{Checker, CheckerKind, HttpCheck};
use crate::settings::{GroupEntry, Protocol, Service, Settings, VirtualServer};

/// Why an attempt failed.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Reason<'a> {
    /// A dialogue says so.
    Dialogue(&'a Failure),
    /// A command ended so.
    Command {
        /// How.
        end: CommandEnd,
        /// It took too long, and was told to end.
        overdue: bool,
    },
    /// A file or a session says so.
    Told,
}

impl<'a> From<&'a Failure> for Reason<'a> {
    fn from(failure: &'a Failure) -> Self {
        Self::Dialogue(failure)
    }
}

impl fmt::Display for Reason<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dialogue(failure) => failure.fmt(f),
            Self::Command { overdue: true, .. } => f.write_str("it took too long"),
            Self::Command { end, .. } => match end {
                CommandEnd::Exited(status) => write!(f, "exited with status {status}"),
                CommandEnd::Signalled(signal) => write!(f, "due to signal {signal}"),
                CommandEnd::NotStarted => f.write_str("it could not be started"),
                CommandEnd::NoProcess => f.write_str("there was no process for it"),
            },
            Self::Told => f.write_str("it is told so"),
        }
    }
}

/// What a message is about.
pub(crate) struct Told<'a> {
    pub(crate) server: ServerName<'a>,
    pub(crate) service: ServiceName<'a>,
    pub(crate) checker: &'a Checker,
}

impl Told<'_> {
    fn subject(&self) -> words::Subject<'_> {
        words::Subject {
            kind: &self.checker.kind,
            server: &self.server,
            address: SocketAddr::new(self.server.address, self.server.port),
            service: &self.service,
        }
    }
}

/// What becomes of a check.
pub(crate) fn activation(
    f: &mut fmt::Formatter<'_>,
    activation: Activation,
    server: &ServerName<'_>,
    service: &ServiceName<'_>,
) -> fmt::Result {
    let verb = match activation {
        Activation::Activated => "Activating",
        Activation::Deactivated => "Deactivating",
        Activation::Suspended => "Suspending",
    };
    write!(
        f,
        "{verb} healthchecker for service {server} for VS {service}"
    )
}

/// The result of an attempt, if anybody should hear of it. `chatty`: failures that do not count yet, too.
pub(crate) fn result(
    told: &Told<'_>,
    checker: &Checker,
    (turn, page): (Turn, u16),
    result: Result<(), Reason<'_>>,
    chatty: bool,
) -> Option<String> {
    match (turn, result) {
        (Turn::Up, _) => success(told, checker),
        (Turn::PageIsGood, _) => page_is_good(told, checker, page),
        (Turn::Retry(number), Err(reason)) if chatty => {
            Some(attempt_failed(told, checker, number, reason))
        }
        (Turn::Down { retried }, Err(reason)) => Some(failure(told, checker, retried, reason)),
        (Turn::Nothing | Turn::Retry(_) | Turn::Down { .. }, _) => None,
    }
}

/// What came instead of an echo reply, or that nothing could be sent, has a line of its own (keepalived): for each attempt,
/// whether it counts or not.
pub(crate) fn detail(told: &Told<'_>, failure: &Failure) -> Option<String> {
    let line = told.subject().detail(failure)?;
    Some(format!("{line} ({})", told.server))
}

/// The server is well.
fn success(told: &Told<'_>, checker: &Checker) -> Option<String> {
    let server = &told.server;
    match &checker.kind {
        CheckerKind::Http(_) => Some(format!("Remote Web server {server} succeed on service.")),
        CheckerKind::Misc(_) => Some(misc(told, "succeeded")),
        CheckerKind::Bfd(name) => Some(format!("BFD check of [{name}] RS({server}) is UP")),
        CheckerKind::File(file) => Some(format!(
            "({server}): tracked file {} leaving FAULT state",
            file.track_file
        )),
        CheckerKind::Tcp(_)
        | CheckerKind::Udp(_)
        | CheckerKind::Ping(_)
        | CheckerKind::Smtp(_)
        | CheckerKind::Dns(_) => told.subject().is_well(),
    }
}

fn page_is_good(told: &Told<'_>, checker: &Checker, page: u16) -> Option<String> {
    let CheckerKind::Http(check) = &checker.kind else {
        return None;
    };
    let url = check.urls.get(usize::from(page))?;
    let criterion = http::criterion(url);
    Some(format!(
        "{criterion} success to {} url({}).",
        told.server, url.path
    ))
}

/// A failure that does not count yet.
fn attempt_failed(told: &Told<'_>, checker: &Checker, number: u32, reason: Reason<'_>) -> String {
    let server = &told.server;
    let retry = checker.retry;
    match (&checker.kind, reason) {
        (CheckerKind::Misc(_), _) => {
            let more = match number {
                1 => format!(", will do {retry} {}", retries(retry)),
                _ => format!(" on retry {}/{retry}", number - 1),
            };
            misc(told, &misc_failure(reason, &more))
        }
        (CheckerKind::Http(check), Reason::Dialogue(failure)) => {
            let what = http::reason(failure, check.tls.is_some());
            format!("{what} server {server}. ({reason})")
        }
        (_, Reason::Dialogue(failure)) => match told.subject().failed(failure) {
            Some(line) => format!("{line} ({reason})"),
            None => format!("{reason} server {server}."),
        },
        (_, Reason::Command { .. } | Reason::Told) => format!("{server}: {reason}"),
    }
}

/// The server is not well.
fn failure(told: &Told<'_>, checker: &Checker, retried: bool, reason: Reason<'_>) -> String {
    let server = &told.server;
    let retry = checker.retry;
    match (&checker.kind, reason) {
        (CheckerKind::Http(check), _) => {
            // keepalived says so after the very first attempt, too.
            let after = if retry > 0 {
                format!(" after {retry} retries")
            } else {
                String::new()
            };
            let kind = web(check);
            format!("{kind} on service {server} failed{after}. ({reason})")
        }
        (CheckerKind::Misc(_), _) => {
            let more = match (retried, retry) {
                (_, 0) => " with retry disabled".to_owned(),
                (true, _) => format!(" after {retry} {}", retries(retry)),
                (false, _) => String::new(),
            };
            misc(told, &misc_failure(reason, &more))
        }
        (CheckerKind::Bfd(name), _) => format!("BFD check of [{name}] RS({server}) is DOWN"),
        (CheckerKind::File(file), _) => format!(
            "({server}): tracked file {} now FAULT state",
            file.track_file
        ),
        (_, Reason::Dialogue(failure)) => {
            let line = told.subject().went_down(failure, retried.then_some(retry));
            format!("{} ({reason})", line.unwrap_or_default())
        }
        (_, Reason::Command { .. } | Reason::Told) => format!("{server}: {reason}"),
    }
}

const fn web(check: &HttpCheck) -> &'static str {
    if check.tls.is_some() {
        "SSL_CHECK"
    } else {
        "HTTP_CHECK"
    }
}

fn misc(told: &Told<'_>, what: &str) -> String {
    let CheckerKind::Misc(check) = &told.checker.kind else {
        return String::new();
    };
    let script = told
        .service
        .settings
        .command(check.command)
        .map(|command| command.line.as_str())
        .unwrap_or_default();
    format!(
        "Misc check for [{} VS {}] by [{script}] {what}.",
        told.server, told.service
    )
}

fn misc_failure(reason: Reason<'_>, more: &str) -> String {
    match reason {
        Reason::Command { overdue: true, .. } => format!("timed out{more}"),
        Reason::Command { .. } | Reason::Dialogue(_) | Reason::Told => {
            format!("failed{more} ({reason})")
        }
    }
}

const fn retries(count: u32) -> &'static str {
    if count == 1 { "retry" } else { "retries" }
}

/// Nothing was found out, for a reason on our side.
pub(crate) fn no_result(told: &Told<'_>, obstacle: &Obstacle) -> String {
    match told.subject().no_result(obstacle) {
        Some(line) => format!("{line} ({}: {obstacle})", told.server),
        None => format!(
            "A check of {} has no result until a reload finds it better: {obstacle}",
            told.server
        ),
    }
}

/// A quorum is gained or lost.
pub(crate) fn quorum(
    (quorum, hysteresis): (u32, u32),
    sum: u64,
    up: bool,
    (initial, was_up): (bool, bool),
    service: &str,
) -> String {
    let more = u64::from(quorum) + u64::from(hysteresis);
    let less = quorum.saturating_sub(hysteresis);
    if up {
        format!("Gained quorum {quorum}+{hysteresis}={more} <= {sum} for VS {service}")
    } else if initial {
        let limit = if was_up { u64::from(less) } else { more };
        format!("Starting with quorum down {quorum}-{hysteresis}={limit} > {sum} for VS {service}")
    } else {
        format!("Lost quorum {quorum}-{hysteresis}={less} > {sum} for VS {service}")
    }
}

/// The sorry server comes in, or goes.
pub(crate) fn sorry(sorry: &str, service: &str, inhibit: bool, comes: bool) -> [String; 2] {
    match (comes, inhibit) {
        (true, false) => [
            format!("Adding sorry server {sorry} to VS {service}"),
            format!("Removing alive servers from the pool for VS {service}"),
        ],
        (true, true) => [
            format!("Enabling sorry server {sorry} to VS {service}"),
            format!("Removing alive servers from the pool for VS {service}"),
        ],
        (false, false) => [
            format!("Removing sorry server {sorry} from VS {service}"),
            format!("Adding alive servers to the pool for VS {service}"),
        ],
        (false, true) => [
            format!("Disabling sorry server {sorry} from VS {service}"),
            format!("Adding alive servers to the pool for VS {service}"),
        ],
    }
}

/// What became of the entries of a group.
pub(crate) fn group_entries(
    (before, old): (&VirtualServer, &Settings),
    (after, new): (&VirtualServer, &Settings),
) -> Vec<News> {
    let entries = |server: &VirtualServer, settings: &Settings| match &server.service {
        Service::Group {
            group, protocol, ..
        } => settings.group(*group).map(|group| {
            let protocol = protocol.map_or("none", Protocol::name);
            (group.name.clone(), group.entries.clone(), protocol)
        }),
        Service::Address { .. } | Service::Mark { .. } => None,
    };
    let (Some((name, before, were)), Some((_, after, are))) =
        (entries(before, old), entries(after, new))
    else {
        return Vec::new();
    };
    let gone = before.iter().filter(|entry| !after.contains(entry));
    let gone = gone.map(|entry| {
        let entry = entry_name(entry, were, "");
        News::Line(format!("VS [{entry}] in group {name} no longer exists"))
    });
    let come = after.iter().filter(|entry| !before.contains(entry));
    let come = come.map(|entry| {
        let entry = entry_name(entry, are, "FWM ");
        News::Line(format!("VS [{entry}] added into group {name}"))
    });
    gone.chain(come).collect()
}

/// `[10.0.0.1]:tcp:80`, `[10.0.0.1]:tcp:80-10.0.0.9`; a mark is called `FWM 5` when it comes, and `5` when it goes (keepalived).
fn entry_name(entry: &GroupEntry, protocol: &str, title: &str) -> String {
    match entry {
        GroupEntry::Addresses { first, last, port } => {
            let name = format!("[{first}]:{protocol}:{port}");
            if first == last {
                name
            } else {
                format!("{name}-{last}")
            }
        }
        GroupEntry::Mark { mark, .. } => format!("{title}{mark}"),
    }
}
