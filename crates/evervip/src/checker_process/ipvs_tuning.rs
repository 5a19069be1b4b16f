//! What concerns IPVS as a whole: how long it keeps idle connections (`lvs_timeouts`), and the sync daemons that follow no
//! instance (`lvs_sync_daemon`). Both count while there are virtual servers, and end with them or with the process.

use std::collections::BTreeMap;
use std::time::Duration;

use config::settings::global::IpvsNamespace;
use log::{debug, error, info};
use lvs::settings::global::{self as settings, GlobalSettings, SyncDaemon};
use sys::ipvs::{Ipvs, SyncRole, Timeouts};
use types::Instant;

use crate::ipvs::sync_daemons::{self, Wanted};
use crate::ipvs::{self, Module, timeouts};

/// Until it is tried again.
const RETRY: Duration = Duration::from_secs(5);

/// What was done to IPVS as a whole, and what should be.
#[derive(Default)]
pub(super) struct IpvsTuning {
    namespace: IpvsNamespace,
    timeouts: settings::Timeouts,
    daemon: Option<SyncDaemon>,
    /// The kernel's timeouts before we changed any; `None`: we have not.
    original: Option<Timeouts>,
    /// What the parent knows of these.
    told: Option<Timeouts>,
    untold: Vec<(String, Option<i64>)>,
    /// Daemons may run because of us.
    involved: bool,
    retry_at: Option<Instant>,
    complaint: Option<String>,
}

/// Why something is not as it should be.
enum Trouble {
    /// There is no IPVS, or no way to it.
    NoIpvs(String),
    Other(String),
}

impl IpvsTuning {
    /// After a predecessor that died: what was before it, as the parent has kept it among what was overridden.
    pub(super) fn new(overridden: &mut BTreeMap<String, i64>) -> Self {
        let original = timeouts::take(overridden);
        Self {
            original,
            told: original,
            ..Self::default()
        }
    }

    /// What the parent does not know yet: what to put back should we die.
    pub(super) fn overrides_to_tell(&mut self) -> &mut Vec<(String, Option<i64>)> {
        if self.told != self.original {
            self.told = self.original;
            self.untold.extend(timeouts::to_overridden(self.original));
        }
        &mut self.untold
    }

    /// First settings or new ones. Without virtual servers nothing of it counts (keepalived: there is no process then).
    pub(super) fn settings_change(
        &mut self,
        now: Instant,
        namespace: &IpvsNamespace,
        settings: Option<&GlobalSettings>,
    ) {
        // The same as long as the daemon runs.
        self.namespace = namespace.clone();
        let wanted = settings.map_or_else(Default::default, |settings| settings.timeouts);
        let daemon = settings.and_then(|settings| settings.sync_daemon.as_ref());
        // With an instance it is the VRRP process'.
        let daemon = daemon.filter(|daemon| daemon.instance.is_none());
        let left_over = self.original.is_some() && wanted == settings::Timeouts::default();
        let changed = self.timeouts != wanted || self.daemon.as_ref() != daemon;
        if !changed && !left_over && self.retry_at.is_none() {
            return;
        }
        self.timeouts = wanted;
        self.daemon = daemon.cloned();
        self.complaint = None;
        self.turn(now);
    }

    /// When [`tick`](Self::tick) has something to do.
    pub(super) const fn next_wake(&self) -> Option<Instant> {
        self.retry_at
    }

    /// Tries again what did not work, if it is time.
    pub(super) fn tick(&mut self, now: Instant) {
        if self.retry_at.is_some_and(|at| at <= now) {
            self.turn(now);
        }
    }

    /// Puts everything back.
    pub(super) fn end(&mut self) {
        self.timeouts = settings::Timeouts::default();
        self.daemon = None;
        if let Err(Trouble::NoIpvs(problem) | Trouble::Other(problem)) = self.adjust() {
            error!("{problem}");
        }
        *self = Self {
            original: self.original,
            told: self.told,
            untold: std::mem::take(&mut self.untold),
            ..Self::default()
        };
    }

    fn turn(&mut self, now: Instant) {
        self.retry_at = match self.adjust() {
            Ok(()) => {
                if self.complaint.take().is_some() {
                    info!("lvs_timeouts and lvs_sync_daemon count now");
                }
                None
            }
            Err(Trouble::NoIpvs(problem)) => {
                // Whoever balances says so.
                debug!("lvs_timeouts, lvs_sync_daemon: {problem}");
                Some(now + RETRY)
            }
            Err(Trouble::Other(problem)) => {
                if self.complaint.as_ref() != Some(&problem) {
                    error!("{problem}");
                    self.complaint = Some(problem);
                }
                Some(now + RETRY)
            }
        };
    }

    /// Makes the kernel's state what it should be, as far as it is ours.
    fn adjust(&mut self) -> Result<(), Trouble> {
        let wants_timeouts = self.timeouts != settings::Timeouts::default();
        let timeouts = wants_timeouts || self.original.is_some();
        let daemons = self.daemon.is_some() || self.involved;
        if !timeouts && !daemons {
            return Ok(());
        }
        // Whoever balances has seen to the module.
        let mut ipvs = ipvs::open(&self.namespace, Module::Leave)
            .map_err(|problem| Trouble::NoIpvs(format!("{problem:#}")))?;
        let mut outcome = Ok(());
        if timeouts {
            outcome = self.set_timeouts(&mut ipvs).map_err(|problem| {
                Trouble::Other(format!("Failed to set ipvs timeouts: {problem}"))
            });
        }
        if daemons {
            let wanted = match &self.daemon {
                Some(daemon) => sync_daemons::wanted(daemon, [SyncRole::Backup, SyncRole::Master]),
                None => Wanted::new(),
            };
            self.involved = true;
            let turned = sync_daemons::turn(&mut ipvs, &wanted);
            if turned.is_ok() {
                self.involved = self.daemon.is_some();
            }
            outcome = outcome.and(
                turned.map_err(|problem| Trouble::Other(format!("lvs_sync_daemon: {problem}"))),
            );
        }
        outcome
    }

    fn set_timeouts(&mut self, ipvs: &mut Ipvs) -> Result<(), sys::Error> {
        let current = ipvs.timeouts()?;
        let original = self.original.unwrap_or(current);
        let wanted = mixed(&self.timeouts, original);
        if wanted != current {
            debug!("IPVS timeouts: {current:?} before, {wanted:?} now");
            ipvs.set_timeouts(wanted)?;
        }
        let ours = self.timeouts != settings::Timeouts::default();
        self.original = ours.then_some(original);
        Ok(())
    }
}

/// The timeouts that the settings name, and the kernel's own where they name none.
fn mixed(wanted: &settings::Timeouts, original: Timeouts) -> Timeouts {
    let one = |wanted: Option<Duration>, original| {
        wanted
            .and_then(|wanted| u32::try_from(wanted.as_secs()).ok())
            .filter(|seconds| *seconds != 0)
            .unwrap_or(original)
    };
    Timeouts {
        tcp: one(wanted.tcp, original.tcp),
        tcp_fin: one(wanted.tcpfin, original.tcp_fin),
        udp: one(wanted.udp, original.udp),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_named_stays_as_the_kernel_had_it() {
        let original = Timeouts {
            tcp: 900,
            tcp_fin: 120,
            udp: 300,
        };
        let wanted = settings::Timeouts {
            tcp: Some(Duration::from_secs(100)),
            tcpfin: None,
            udp: Some(Duration::ZERO),
        };
        let expected = Timeouts {
            tcp: 100,
            ..original
        };
        assert_eq!(mixed(&wanted, original), expected);
        assert_eq!(mixed(&settings::Timeouts::default(), original), original);
    }
}
