//! Where log lines go: syslog and standard error, never waiting for either.

use std::cell::RefCell;

use log::{LevelFilter, Log, Metadata, Record};
use sys::syslog::{Facility, Severity, Syslog};

use crate::command_line::{FacilityName, LogOptions};

/// The target of records that are shown on the console in another form.
pub(crate) const SYSLOG_ONLY: &str = "syslog only";

/// Begins to log under a name, for the life of the process.
pub(crate) fn start(options: &LogOptions, ident: &str) {
    let facility = match options.facility {
        FacilityName::Daemon => Facility::Daemon,
        FacilityName::User => Facility::User,
        FacilityName::Local(number) => Facility::Local(number),
    };
    SINK.with_borrow_mut(|sink| {
        sink.syslog = options.syslog.then(|| Syslog::connect(ident, facility));
        sink.console = options.console;
    });
    // Only the first call installs the logger; later ones change where its lines go.
    if log::set_logger(&LOGGER).is_ok() {
        log::set_max_level(LevelFilter::Info);
    }
    if options.detail {
        log::set_max_level(LevelFilter::Debug);
    }
}

/// Says, where anything still goes, how many lines were lost because nobody took them. For the end of a process.
pub(crate) fn report_lost_lines() {
    let syslog = SINK.with_borrow(|sink| sink.syslog.as_ref().map_or(0, Syslog::dropped));
    let console = sys::console::dropped();
    if syslog + console > 0 {
        log::warn!("log lines that nobody took: {syslog} for syslog, {console} for standard error");
    }
}

static LOGGER: Logger = Logger;

thread_local! {
    /// A daemon process has one thread; what other threads log goes nowhere.
    static SINK: RefCell<Sink> = const { RefCell::new(Sink { syslog: None, console: false }) };
}

struct Sink {
    syslog: Option<Syslog>,
    console: bool,
}

/// `Debug` records are the detailed ones (`-D`); keepalived logs nearly everything at one severity.
struct Logger;

impl Log for Logger {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.level() <= log::max_level()
    }

    fn log(&self, record: &Record<'_>) {
        if !self.enabled(record.metadata()) {
            return;
        }
        let severity = match record.level() {
            log::Level::Error => Severity::Error,
            log::Level::Warn => Severity::Warning,
            log::Level::Info | log::Level::Debug | log::Level::Trace => Severity::Information,
        };
        let text = record.args().to_string();
        SINK.with_borrow_mut(|sink| {
            if let Some(syslog) = &mut sink.syslog {
                syslog.send(severity, &text);
            }
            if sink.console && record.target() != SYSLOG_ONLY {
                sys::console::write_line(&format!("{}: {text}", sys::clock::local_time_text()));
            }
        });
    }

    fn flush(&self) {}
}
