//! What else the log is told, and in which words.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::sync::Arc;
use core::fmt;
use core::net::IpAddr;
use core::time::Duration;

use types::{Centiseconds, Claim, Family, IfName, Prefix, Priority, Vrid};

use crate::receive::Rejection;

/// How much detail a log line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detail {
    /// Always logged.
    Normal,
    /// Logged with `--log-detail`.
    Detailed,
}

/// How two masters became one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Truce {
    /// The other one is silent.
    TheyGaveWay,
    /// We went to BACKUP because of it.
    WeGaveWay,
    /// We left MASTER for another reason.
    WeLeft,
}

/// A line for the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The instance or script that it is about.
    pub name: Arc<str>,
    /// What is to be said.
    pub event: Event,
}

/// A tracked object that is a fault as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Culprit {
    /// An interface.
    Interface(IfName),
    /// A script.
    Script(Arc<str>),
    /// A file.
    File {
        /// Its name in the configuration.
        name: Arc<str>,
        /// What it says.
        value: i32,
    },
    /// Processes.
    Processes(Arc<str>),
    /// A BFD session.
    Bfd(Arc<str>),
}

impl fmt::Display for Culprit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Interface(name) => write!(f, "the state of tracked interface {name}"),
            Self::Script(name) => write!(f, "the result of tracked script {name}"),
            Self::File { name, value } => write!(f, "tracked file {name} says {value}"),
            Self::Processes(name) => write!(f, "the number of tracked process {name}"),
            Self::Bfd(name) => write!(f, "the state of tracked BFD session {name}"),
        }
    }
}

/// What a [`Report`] says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Trackers moved the effective priority.
    PriorityChanged {
        /// It was.
        from: Priority,
        /// It is.
        to: Priority,
    },
    /// A packet for this instance was refused. Said once until the state or the master changes.
    Rejected {
        /// Who sent it.
        from: IpAddr,
        /// Why.
        why: Rejection,
    },
    /// The master's interval is not ours (version 3: harmless, it is learnt).
    IntervalDiffers {
        /// Who sent it.
        from: IpAddr,
        /// The master's.
        theirs: Centiseconds,
        /// Ours.
        ours: Centiseconds,
    },
    /// The addresses in an advert are not ours. The advert counts all the same.
    AddressesDiffer {
        /// Who sent it.
        from: IpAddr,
        /// An address of ours that the advert lacks; `None`: only the number differs.
        missing: Option<IpAddr>,
        /// How many it lists.
        theirs: usize,
        /// How many we have.
        ours: usize,
    },
    /// Another router is master now.
    MasterIs {
        /// Which.
        address: IpAddr,
        /// With what priority.
        claim: Claim,
    },
    /// A master, or a backup that will take over, heard a lower priority.
    LowerPriority {
        /// Who sent it.
        from: IpAddr,
        /// Its priority.
        theirs: Priority,
        /// Ours.
        ours: Priority,
    },
    /// A master gives way.
    HigherPriority {
        /// To whom.
        from: IpAddr,
        /// Its priority.
        theirs: Priority,
        /// Ours.
        ours: Priority,
    },
    /// Another router sends from our own address with our own priority.
    SameAddressAndPriority {
        /// The address.
        from: IpAddr,
    },
    /// Another router says that it owns the addresses, too.
    TwoOwners {
        /// Which.
        from: IpAddr,
    },
    /// An owner gives up ownership for as long as the other one claims it.
    OwnershipLowered,
    /// An advert with priority 0 was sent.
    SentPriorityZero,
    /// Somebody removed a route or a rule that a master holds.
    RoutingLost {
        /// Which, as it stands in the file.
        what: String,
        /// It is not put back: it has happened again and again.
        given_up: bool,
    },
    /// Somebody removed a static address, route or rule.
    StaticLost {
        /// Which, as it stands in the file.
        what: String,
        /// It has happened again and again: it is put back a little later.
        later: bool,
    },
    /// Somebody took an address away from us. The host may know who: it adds that to the line.
    AddressLost {
        /// Which.
        address: Prefix,
        /// Where it was.
        interface: IfName,
        /// It has happened too often: the instance leaves MASTER. Otherwise the address is put back.
        given_up: bool,
    },
    /// More was taken away than is named one by one.
    MoreLosses,
    /// Duplicate address detection found that somebody else has a virtual address (`-nodad`).
    DuplicateAddress {
        /// Which.
        address: Prefix,
        /// Where it is.
        interface: IfName,
    },
    /// Another router is master, too, and neither gives way.
    DualMaster {
        /// Which.
        other: IpAddr,
        /// Its priority.
        theirs: Priority,
        /// Ours.
        ours: Priority,
    },
    /// There is one master again.
    DualMasterEnded {
        /// Which router the other one was.
        other: IpAddr,
        /// From its first advert until this was known.
        lasted: Duration,
        /// How it came about.
        truce: Truce,
    },
    /// The start is delayed (`vrrp_startup_delay`, `vrrp_delay_after_boot`).
    StartDelayed {
        /// By so much, from now.
        by: Duration,
    },
    /// The delay before the start is over (`vrrp_startup_delay`, `vrrp_delay_after_boot`).
    DelayedStartCompleted,
    /// A master slept while others must have taken over (`timer_expired_backup`): it gives way.
    Overslept {
        /// Since its last advert.
        silent: Duration,
    },
    /// There is no address to send adverts from.
    NoSourceAddress {
        /// On this interface.
        interface: IfName,
        /// Of this family.
        family: Family,
    },
    /// The configured source address is not there (`track_src_ip`).
    SourceGone {
        /// The address.
        address: IpAddr,
    },
    /// Another instance has the same VRID on the same interface: only one of them runs.
    DuplicateVrid {
        /// Which one runs.
        other: Arc<str>,
        /// The VRID.
        vrid: Vrid,
        /// The family.
        family: Family,
    },
    /// There is nobody to send adverts to, and nothing but peers is wanted (`unicast_fault_no_peer`).
    NoPeers,
    /// A peer computes its checksums as keepalived before 1.3.7 did. Said once.
    OldChecksum {
        /// Which peer.
        from: IpAddr,
    },
    /// Nothing that can happen makes it work.
    Unusable {
        /// Why.
        why: Box<str>,
    },
    /// The name of its device is somebody else's.
    NameTaken {
        /// The name.
        device: IfName,
    },
    /// The interface below its own is not usable.
    BaseDown {
        /// Which.
        interface: IfName,
    },
    /// A tracked interface, or the instance's own, is not usable.
    InterfaceDown {
        /// Which.
        interface: IfName,
    },
    /// A signed advert was accepted, but its sender's clock is so far from ours that soon none will be.
    ClockSkew {
        /// Who sent it.
        from: IpAddr,
        /// Whole seconds that its clock is behind ours; negative: ahead.
        behind: i32,
    },
    /// A master has used up the numbers of authentication headers and gives way.
    NumbersUsedUp,
    /// Mastership was kept over a restart of the process.
    Resumed,
    /// A script's result changed.
    ScriptChanged {
        /// To this.
        good: bool,
        /// The run that did it.
        outcome: crate::script::ScriptOutcome,
    },
    /// A script takes longer than it may.
    ScriptTimedOut,
    /// Something that an instance depends on without a weight has failed.
    TrackerFailed(Culprit),
    /// A tracked file says something else.
    FileChanged {
        /// It said.
        from: i32,
        /// It says.
        to: i32,
    },
    /// There are enough tracked processes now, or no longer, and that counts.
    QuorumChanged {
        /// Whether there are.
        met: bool,
        /// How many there are.
        count: u32,
    },
    /// A tracked BFD session changed its state.
    BfdChanged {
        /// To this.
        up: bool,
    },
    /// A run was left out because the one before has not ended.
    ScriptStillRunning,
}

impl Report {
    /// When it is logged.
    pub const fn detail(&self) -> Detail {
        match self.event {
            Event::MasterIs { .. }
            | Event::SentPriorityZero
            | Event::IntervalDiffers { .. }
            | Event::FileChanged { .. }
            | Event::ScriptStillRunning => Detail::Detailed,
            Event::PriorityChanged { .. }
            | Event::Rejected { .. }
            | Event::AddressesDiffer { .. }
            | Event::LowerPriority { .. }
            | Event::HigherPriority { .. }
            | Event::SameAddressAndPriority { .. }
            | Event::TwoOwners { .. }
            | Event::OwnershipLowered
            | Event::AddressLost { .. }
            | Event::RoutingLost { .. }
            | Event::StaticLost { .. }
            | Event::MoreLosses
            | Event::DuplicateAddress { .. }
            | Event::DualMaster { .. }
            | Event::DualMasterEnded { .. }
            | Event::StartDelayed { .. }
            | Event::DelayedStartCompleted
            | Event::Overslept { .. }
            | Event::NoSourceAddress { .. }
            | Event::SourceGone { .. }
            | Event::DuplicateVrid { .. }
            | Event::NoPeers
            | Event::OldChecksum { .. }
            | Event::InterfaceDown { .. }
            | Event::Unusable { .. }
            | Event::NameTaken { .. }
            | Event::BaseDown { .. }
            | Event::ClockSkew { .. }
            | Event::NumbersUsedUp
            | Event::Resumed
            | Event::ScriptChanged { .. }
            | Event::TrackerFailed(_)
            | Event::QuorumChanged { .. }
            | Event::BfdChanged { .. }
            | Event::ScriptTimedOut => Detail::Normal,
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = &self.name;
        match &self.event {
            Event::PriorityChanged { from, to } => {
                write!(
                    f,
                    "({name}) Changing effective priority from {from} to {to}"
                )
            }
            Event::Rejected { from, why } => {
                write!(f, "({name}) packet from {from} ignored: {why}")
            }
            Event::IntervalDiffers { from, theirs, ours } => {
                write!(
                    f,
                    "({name}) {from} advertises every {theirs}, we every {ours}; following the master"
                )
            }
            Event::AddressesDiffer {
                from,
                missing: Some(missing),
                ..
            } => {
                write!(
                    f,
                    "({name}) the advert of {from} does not list our {missing}"
                )
            }
            Event::AddressesDiffer {
                from,
                missing: None,
                theirs,
                ours,
            } => {
                write!(
                    f,
                    "({name}) the advert of {from} lists {theirs} addresses, we have {ours}"
                )
            }
            Event::MasterIs {
                address,
                claim: Claim::At(priority),
            } => {
                write!(f, "({name}) master is {address}, priority {priority}")
            }
            Event::MasterIs {
                address,
                claim: Claim::Leaving,
            } => {
                write!(f, "({name}) master {address} is leaving")
            }
            Event::LowerPriority { from, theirs, ours } => {
                write!(
                    f,
                    "({name}) received lower priority advert from {from}: {theirs}, ours is {ours}"
                )
            }
            Event::HigherPriority { from, theirs, ours } => {
                write!(
                    f,
                    "({name}) giving way to {from}: its priority {theirs}, ours {ours}"
                )
            }
            Event::SameAddressAndPriority { from } => write!(
                f,
                "({name}) another router sends from our address {from} with our priority: give each router an address \
                 and a priority of its own"
            ),
            Event::TwoOwners { from } => write!(
                f,
                "({name}) {from} has priority 255, too: only one router can own the addresses, lower the priority of \
                 the other"
            ),
            Event::OwnershipLowered => {
                write!(
                    f,
                    "({name}) another owner keeps advertising: lowering our priority to 254"
                )
            }
            Event::SentPriorityZero => write!(f, "({name}) sent 0 priority"),
            Event::AddressLost {
                address,
                interface,
                given_up: false,
            } => {
                write!(
                    f,
                    "({name}) somebody removed {address} from {interface}: it is put back"
                )
            }
            Event::AddressLost {
                address,
                interface,
                given_up: true,
            } => write!(
                f,
                "({name}) somebody keeps removing {address} from {interface}: leaving MASTER for a while; see \
                 docs/network-managers.md"
            ),
            Event::RoutingLost {
                what,
                given_up: false,
            } => write!(f, "({name}) somebody removed the {what}: it is put back"),
            Event::RoutingLost {
                what,
                given_up: true,
            } => write!(
                f,
                "({name}) somebody keeps removing the {what}: leaving MASTER for a while; see docs/network-managers.md"
            ),
            Event::StaticLost { what, later: false } => {
                write!(f, "somebody removed the static {what}: it is put back")
            }
            Event::StaticLost { what, later: true } => write!(
                f,
                "somebody removes the static {what} again and again: it is put back once a second; find out who does, or \
                 say no_track"
            ),
            Event::MoreLosses => write!(
                f,
                "({name}) more is being removed; it is put back without further words"
            ),
            Event::DuplicateAddress { address, interface } => write!(
                f,
                "({name}) another host has {address}, too: it is not announced on {interface}; remove it there, then \
                 here: it is put back and tested again"
            ),
            Event::DualMaster {
                other,
                theirs,
                ours,
            } => write!(
                f,
                "({name}) two masters: {other} is MASTER, too, with priority {theirs}, ours is {ours}"
            ),
            Event::DualMasterEnded {
                other,
                lasted,
                truce,
            } => {
                let (seconds, tenths) = (lasted.as_secs(), lasted.subsec_millis() / 100);
                write!(
                    f,
                    "({name}) no longer two masters, after {seconds}.{tenths} s: "
                )?;
                match truce {
                    Truce::TheyGaveWay => write!(
                        f,
                        "{other} is silent; we stay MASTER and announce our addresses"
                    ),
                    Truce::WeGaveWay => write!(f, "we give way to {other}"),
                    Truce::WeLeft => write!(f, "we leave MASTER to {other}"),
                }
            }
            Event::StartDelayed { by } => {
                write!(f, "Delaying startup for {} seconds", by.as_secs_f64())
            }
            Event::DelayedStartCompleted => write!(f, "Delayed start completed"),
            Event::Overslept { silent } => {
                let (seconds, tenths) = (silent.as_secs(), silent.subsec_millis() / 100);
                write!(
                    f,
                    "({name}) sent nothing for {seconds}.{tenths} s, for this process was not scheduled: giving way to \
                     whoever took over"
                )
            }
            Event::NoSourceAddress { interface, family } => write!(
                f,
                "({name}) {interface} has no {family} address to send adverts from: add one, or set mcast_src_ip"
            ),
            Event::SourceGone { address } => {
                write!(
                    f,
                    "({name}) the source address {address} is not on this host"
                )
            }
            Event::DuplicateVrid {
                other,
                vrid,
                family,
            } => write!(
                f,
                "({name}) - warning, VRID {vrid} for {family} is currently duplicated on {other}"
            ),
            Event::NoPeers => write!(
                f,
                "({name}) there are no unicast peers: staying in FAULT until a reload brings some"
            ),
            Event::OldChecksum { from } => write!(
                f,
                "({name}) {from} computes checksums as keepalived before 1.3.7 did; they are accepted"
            ),
            Event::Unusable { why } => write!(f, "({name}) stays in FAULT: {why}"),
            Event::NameTaken { device } => write!(
                f,
                "({name}) interface {device} is there and is not the device that we would make: remove it, or give the \
                 device another name"
            ),
            Event::BaseDown { interface } => {
                write!(f, "({name}) interface {interface}, below its own, is down")
            }
            Event::InterfaceDown { interface } => {
                write!(f, "({name}) interface {interface} is down or missing")
            }
            Event::ClockSkew { from, behind } => {
                let (seconds, where_to) = (
                    behind.unsigned_abs(),
                    if *behind > 0 { "behind" } else { "ahead of" },
                );
                write!(
                    f,
                    "({name}) the clock of {from} is {seconds} s {where_to} ours: set them right before its adverts are refused"
                )
            }
            Event::NumbersUsedUp => write!(
                f,
                "({name}) no authentication header has a number left: giving way, numbers begin again"
            ),
            Event::Resumed => write!(f, "({name}) was MASTER before the restart and stays MASTER"),
            Event::ScriptChanged { good: true, .. } => write!(f, "VRRP_Script({name}) succeeded"),
            Event::ScriptChanged {
                good: false,
                outcome,
            } => write!(f, "VRRP_Script({name}) failed ({outcome})"),
            Event::TrackerFailed(culprit) => write!(f, "({name}) fault: {culprit}"),
            Event::FileChanged { from, to } => {
                write!(f, "track_file {name} changed from {from} to {to}")
            }
            Event::QuorumChanged { met: true, count } => {
                write!(
                    f,
                    "vrrp_track_process {name} has its quorum: {count} running"
                )
            }
            Event::QuorumChanged { met: false, count } => {
                write!(
                    f,
                    "vrrp_track_process {name} has no quorum: {count} running"
                )
            }
            Event::BfdChanged { up } => {
                write!(
                    f,
                    "BFD session {name} is {}",
                    if *up { "up" } else { "down" }
                )
            }
            Event::ScriptTimedOut => write!(f, "VRRP_Script({name}) timed_out"),
            Event::ScriptStillRunning => {
                write!(
                    f,
                    "VRRP_Script({name}) is still running: this run is left out"
                )
            }
        }
    }
}

impl Report {
    pub(crate) fn new(name: &Arc<str>, event: Event) -> Self {
        Self {
            name: Arc::clone(name),
            event,
        }
    }
}
