//! Services and real servers as the text has them.
//!
//! The draft of a service lives until its block closes; what is kept of it then are settings and a few places.

use std::collections::BTreeMap;
use std::net::IpAddr;

use lvs::settings::checkers::{CommandId, Microseconds};
use lvs::settings::{
    Forwarding, Granularity, Group, GroupId, Octets, Protocol, Ssl, VirtualServer,
};
use types::Family;

use super::checkers::CheckerDraft;
use super::{At, CommandDraft};
use crate::diagnostics::Span;

/// All that was read of LVS.
#[derive(Debug, Default)]
pub(crate) struct LvsDraft {
    /// Services that are complete, but for the groups that some name.
    pub(crate) virtual_servers: Vec<VirtualServer>,
    /// What the services with a group still wait for, in their order.
    pub(crate) waiting: Vec<Waiting>,
    pub(crate) groups: Vec<Group>,
    /// Where the groups are, by name.
    pub(crate) group_ids: BTreeMap<String, GroupId>,
    pub(crate) ssl: Option<Box<Ssl>>,
    pub(crate) commands: Commands,
}

/// A service that names a group: the groups may be defined after it.
#[derive(Debug)]
pub(crate) struct Waiting {
    /// Its place in [`LvsDraft::virtual_servers`].
    pub(crate) index: usize,
    pub(crate) group: String,
    pub(crate) span: Span,
    /// `protocol`, as far as it was given.
    pub(crate) protocol: Option<Protocol>,
    /// The family that the service itself has.
    pub(crate) family: Option<Family>,
    /// Where its real servers are, in their order.
    pub(crate) real_servers: Vec<Span>,
    pub(crate) sorry_server: Option<Span>,
    /// It has no scheduler and no forwarding method of its own. That is no matter if there is no such group.
    pub(crate) no_scheduler: Option<bool>,
    pub(crate) no_method: Option<bool>,
    /// `persistence_engine` of a service that is not persistent yet.
    pub(crate) persistence_engine: Option<At<String>>,
}

/// The commands of services and checks; equal ones are one.
#[derive(Debug, Default)]
pub(crate) struct Commands {
    ids: BTreeMap<(Vec<String>, u32, u32, Vec<u32>), CommandId>,
    /// By their ids.
    drafts: Vec<CommandDraft>,
}

impl Commands {
    /// The number of a command. It says nothing yet of whether the command can run.
    pub(crate) fn id(&mut self, draft: CommandDraft) -> CommandId {
        let user = &draft.user;
        let key = (draft.argv.clone(), user.uid, user.gid, user.groups.clone());
        // More commands than numbers would not fit into memory.
        let next = CommandId(u32::try_from(self.drafts.len()).unwrap_or(u32::MAX));
        let drafts = &mut self.drafts;
        *self.ids.entry(key).or_insert_with(|| {
            drafts.push(draft);
            next
        })
    }

    /// A command by its number.
    pub(crate) fn get(&self, id: CommandId) -> Option<&CommandDraft> {
        self.drafts.get(usize::try_from(id.0).ok()?)
    }
}

/// What a `virtual_server` line names.
#[derive(Clone, Debug)]
pub(crate) enum ServiceDraft {
    /// Port 0: none was given.
    Address(IpAddr, u16),
    Mark(u32),
    Group(String),
}

/// A `virtual_server` block.
#[derive(Debug)]
pub(crate) struct VirtualServerDraft {
    pub(crate) service: ServiceDraft,
    pub(crate) span: Span,
    /// The family, as soon as something decides it.
    pub(crate) family: Option<Family>,
    pub(crate) timing: TimingDraft,
    pub(crate) scheduler: Option<String>,
    /// What was given as the scheduler, or as the method, was reported.
    pub(crate) scheduler_refused: bool,
    pub(crate) method_refused: bool,
    pub(crate) one_packet: bool,
    pub(crate) scheduler_flags: [bool; 3],
    pub(crate) lvs_method: Option<Forwarding>,
    pub(crate) persistence_engine: Option<At<String>>,
    pub(crate) persistence_timeout: Option<u32>,
    pub(crate) persistence_granularity: Option<Granularity>,
    pub(crate) protocol: Option<Protocol>,
    pub(crate) ha_suspend: bool,
    pub(crate) inhibit_on_failure: bool,
    pub(crate) alpha: bool,
    pub(crate) omega: bool,
    pub(crate) smtp_alert: Option<bool>,
    pub(crate) virtualhost: Option<Octets>,
    pub(crate) snmp_name: Option<String>,
    pub(crate) quorum_up: Option<CommandDraft>,
    pub(crate) quorum_down: Option<CommandDraft>,
    pub(crate) quorum: u32,
    pub(crate) hysteresis: u32,
    pub(crate) weight: u32,
    pub(crate) sorry_server: Option<SorryServerDraft>,
    pub(crate) real_servers: Vec<RealServerDraft>,
}

impl VirtualServerDraft {
    pub(crate) fn new(service: ServiceDraft, span: Span) -> Self {
        let family = match service {
            ServiceDraft::Address(address, _) => Some(Family::of(address)),
            ServiceDraft::Mark(_) | ServiceDraft::Group(_) => None,
        };
        Self {
            service,
            span,
            family,
            timing: TimingDraft::default(),
            scheduler: None,
            scheduler_refused: false,
            method_refused: false,
            one_packet: false,
            scheduler_flags: [false; 3],
            lvs_method: None,
            persistence_engine: None,
            persistence_timeout: None,
            persistence_granularity: None,
            protocol: None,
            ha_suspend: false,
            inhibit_on_failure: false,
            alpha: false,
            omega: false,
            smtp_alert: None,
            virtualhost: None,
            snmp_name: None,
            quorum_up: None,
            quorum_down: None,
            quorum: 1,
            hysteresis: 0,
            weight: 1,
            sorry_server: None,
            real_servers: Vec::new(),
        }
    }
}

/// A `real_server` block.
#[derive(Debug)]
pub(crate) struct RealServerDraft {
    pub(crate) address: IpAddr,
    /// 0: none was given.
    pub(crate) port: u16,
    pub(crate) span: Span,
    pub(crate) timing: TimingDraft,
    pub(crate) weight: Option<u32>,
    /// Its own, else what the service had when its block opened.
    pub(crate) lvs_method: Option<Forwarding>,
    pub(crate) uthreshold: u32,
    pub(crate) lthreshold: u32,
    pub(crate) inhibit_on_failure: Option<bool>,
    pub(crate) alpha: Option<bool>,
    pub(crate) smtp_alert: Option<bool>,
    pub(crate) notify_up: Option<Box<CommandDraft>>,
    pub(crate) notify_down: Option<Box<CommandDraft>>,
    pub(crate) virtualhost: Option<Octets>,
    pub(crate) snmp_name: Option<String>,
    pub(crate) checkers: Vec<CheckerDraft>,
}

impl RealServerDraft {
    pub(crate) fn new(
        address: IpAddr,
        port: u16,
        lvs_method: Option<Forwarding>,
        span: Span,
    ) -> Self {
        Self {
            address,
            port,
            span,
            timing: TimingDraft::default(),
            weight: None,
            lvs_method,
            uthreshold: 0,
            lthreshold: 0,
            inhibit_on_failure: None,
            alpha: None,
            smtp_alert: None,
            notify_up: None,
            notify_down: None,
            virtualhost: None,
            snmp_name: None,
            checkers: Vec::new(),
        }
    }
}

/// A `sorry_server` and what belongs to it.
#[derive(Clone, Debug)]
pub(crate) struct SorryServerDraft {
    pub(crate) address: IpAddr,
    /// 0: none was given.
    pub(crate) port: u16,
    pub(crate) span: Span,
    pub(crate) lvs_method: Option<Forwarding>,
    pub(crate) inhibit: bool,
}

/// Times, as far as they are given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct TimingDraft {
    pub(crate) retry: Option<u32>,
    pub(crate) delay_before_retry: Option<Microseconds>,
    pub(crate) warmup: Option<Microseconds>,
    pub(crate) connect_timeout: Option<Microseconds>,
    pub(crate) delay_loop: Option<Microseconds>,
}

/// A `virtual_server_group` block.
#[derive(Debug)]
pub(crate) struct ServerGroupDraft {
    pub(crate) group: Group,
    pub(crate) span: Span,
}

/// The LVS blocks that are being filled.
#[derive(Debug, Default)]
pub(crate) struct LvsReading {
    pub(crate) server: Option<Box<VirtualServerDraft>>,
    pub(crate) real: Option<Box<RealServerDraft>>,
    pub(crate) group: Option<ServerGroupDraft>,
    pub(crate) ssl: Ssl,
}
