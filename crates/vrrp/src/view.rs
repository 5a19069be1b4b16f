//! An instance as dumps and tests see it.

use core::net::IpAddr;
use core::time::Duration;

use types::{Centiseconds, Claim, Instant, Priority};

use crate::instance::Instance;
use crate::settings::InstanceSettings;
use crate::state::{State, StateName};
use crate::statistics::Statistics;

/// The master that a backup listens to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MasterView {
    /// Its address.
    pub address: IpAddr,
    /// Its priority, or that it is leaving.
    pub claim: Claim,
}

/// Another master that a master hears.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RivalView {
    /// Its address.
    pub address: IpAddr,
    /// When its first advert was heard.
    pub since: Instant,
}

/// An instance as dumps and tests see it.
#[derive(Clone, Copy, Debug)]
pub struct InstanceView<'a> {
    /// Its settings.
    pub settings: &'a InstanceSettings,
    /// Its state.
    pub state: StateName,
    /// The state it would like to be in; differs from `state` in a sync group that waits for its other members.
    pub wants: StateName,
    /// Backup: the master.
    pub master: Option<MasterView>,
    /// Master: another one that is heard.
    pub rival: Option<RivalView>,
    /// The interval that the master advertises with, or our own.
    pub master_advert_int: Centiseconds,
    /// The master-down interval that follows from it.
    pub master_down: Duration,
    /// The priority in the election.
    pub effective_priority: Priority,
    /// Where adverts leave from.
    pub source: Option<IpAddr>,
    /// How many unweighted trackers have failed.
    pub tracker_faults: u32,
    /// Its own interface is down or missing.
    pub interface_down: bool,
    /// The interface below its own is down or missing.
    pub base_down: bool,
    /// It has no address to send from.
    pub no_source: bool,
    /// It is to talk to peers and has none.
    pub config_error: bool,
    /// A peer was found to compute its checksums in the old way.
    pub old_checksum_seen: bool,
    /// How many unweighted scripts have not reported yet.
    pub scripts_pending: u32,
    /// When its timer runs out.
    pub deadline: Option<Instant>,
    /// When it last changed its state.
    pub last_transition: Option<Instant>,
    /// When it last sent an advert.
    pub last_advert_sent: Option<Instant>,
    /// Its counters.
    pub statistics: Statistics,
}

impl Instance {
    pub(crate) fn view(&self) -> InstanceView<'_> {
        InstanceView {
            settings: &self.settings,
            state: self.state_name(),
            wants: self.wants,
            master: match &self.state {
                State::Backup(backup) => backup.master,
                State::Init | State::Master(_) | State::Fault { .. } | State::Stop => None,
            },
            rival: match &self.state {
                State::Master(master) => master.rival.as_deref().and_then(|rival| {
                    rival.told.then_some(RivalView {
                        address: rival.address,
                        since: rival.since,
                    })
                }),
                State::Init | State::Backup(_) | State::Fault { .. } | State::Stop => None,
            },
            master_advert_int: self.master_advert_int,
            master_down: self.master_down(),
            effective_priority: self.effective,
            source: self.source,
            tracker_faults: self.faults.trackers,
            interface_down: self.faults.interface_down,
            base_down: self.faults.base_down,
            no_source: self.faults.no_source,
            config_error: self.faults.config_error,
            old_checksum_seen: self.old_checksum_seen,
            scripts_pending: self.faults.pending,
            deadline: self.deadline(),
            last_transition: self.last.transition,
            last_advert_sent: self.last.advert_sent,
            statistics: self.statistics.all(),
        }
    }
}
