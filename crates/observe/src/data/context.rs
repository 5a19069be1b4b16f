//! What a dump needs beyond the core's own state, and how the core's time reads on a calendar.

use std::collections::{BTreeMap, BTreeSet};

use types::Instant;

/// What a dump needs beyond the core's own state.
#[derive(Debug)]
pub struct Context<'a> {
    /// Turns the core's time into the calendar's.
    pub clock: WallClock,
    /// `router_id`.
    pub router_id: &'a str,
    /// `json_version`: 1 or 2.
    pub json_version: u8,
    /// The command line of each tracked script, by its name.
    pub commands: &'a BTreeMap<String, String>,
    /// The notify scripts of each instance, by its name.
    pub notify: &'a BTreeMap<String, Vec<NotifyScript>>,
    /// Names of the instances with `notify_deleted`.
    pub notify_deleted: &'a BTreeSet<String>,
    /// How a point in calendar time (seconds since 1970) reads: `Sat Nov 21 10:00:00 2026`.
    pub calendar: fn(i64) -> String,
}

/// A notify script of an instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotifyScript {
    /// When it runs.
    pub when: NotifyWhen,
    /// Its command line, each word in single quotes.
    pub command: String,
    /// Whom it runs as.
    pub uid: u32,
    /// With which group.
    pub gid: u32,
}

/// When a notify script runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotifyWhen {
    /// `notify_backup`.
    Backup,
    /// `notify_master`.
    Master,
    /// `notify_fault`.
    Fault,
    /// `notify_stop`.
    Stop,
    /// `notify_deleted`.
    Deleted,
    /// `notify`.
    Any,
    /// `notify_master_rx_lower_pri`.
    MasterRxLowerPri,
}

impl NotifyWhen {
    /// What `keepalived.data` calls it.
    pub(super) const fn title(self) -> &'static str {
        match self {
            Self::Backup => "Backup",
            Self::Master => "Master",
            Self::Fault => "Fault",
            Self::Stop => "Stop",
            Self::Deleted => "Deleted",
            Self::Any => "Generic",
            Self::MasterRxLowerPri => "Master rx lower pri",
        }
    }
}

/// How the core's clock relates to the calendar's.
#[derive(Clone, Copy, Debug)]
pub struct WallClock {
    /// A moment on the core's clock ...
    pub now: Instant,
    /// ... and the same moment in nanoseconds since 1970.
    pub unix_nanos: i128,
}

impl WallClock {
    /// Seconds since 1970, with a fraction, of a moment on the core's clock.
    #[must_use]
    pub fn wall(&self, at: Instant) -> f64 {
        let micros = self.nanos(at) / 1000;
        // A double holds microseconds exactly until the year 2255.
        #[expect(clippy::cast_precision_loss, reason = "see above")]
        let micros = micros as f64;
        micros / 1e6
    }

    fn nanos(&self, at: Instant) -> i128 {
        self.unix_nanos + i128::from(at.as_nanos()) - i128::from(self.now.as_nanos())
    }

    /// Seconds since 1970 and the microseconds beyond; 0 for what has not been yet.
    pub(crate) fn parts(&self, at: Option<Instant>) -> (i64, i128) {
        let nanos = at.map_or(0, |at| self.nanos(at));
        let seconds = nanos.div_euclid(1_000_000_000);
        let micros = nanos.rem_euclid(1_000_000_000) / 1000;
        (i64::try_from(seconds).unwrap_or(0), micros)
    }
}
