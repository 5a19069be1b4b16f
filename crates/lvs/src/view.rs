//! What the core knows, for those who show it: dump files and status.

use types::ipvs::{Protocol, ServiceKey};
use types::{Family, Instant};

use crate::action::CheckId;
use crate::check::{Check, Checks, Phase};
use crate::lvs::{Lvs, ServerState, ServiceState, place};
use crate::names::{ServerName, ServiceName};
use crate::settings::checkers::Checker;
use crate::settings::{Group, GroupEntry, GroupId, RealServer, Service, Settings, VirtualServer};

/// A virtual server and what is known of it.
#[derive(Clone, Copy, Debug)]
pub struct ServiceView<'a> {
    lvs: &'a Lvs,
    /// What the settings say.
    pub settings: &'a VirtualServer,
    state: &'a ServiceState,
}

/// A real server and what is known of it.
#[derive(Clone, Copy, Debug)]
pub struct ServerView<'a> {
    lvs: &'a Lvs,
    service: &'a VirtualServer,
    /// What the settings say.
    pub settings: &'a RealServer,
    state: &'a ServerState,
    sorry_in_use: bool,
}

/// A check and what is known by it.
#[derive(Clone, Copy, Debug)]
pub struct CheckView<'a> {
    /// What the settings say.
    pub settings: &'a Checker,
    /// Its number.
    pub id: CheckId,
    state: &'a Check,
    all: &'a Checks,
}

/// A `virtual_server_group` and what is known of it.
#[derive(Clone, Copy, Debug)]
pub struct GroupView<'a> {
    lvs: &'a Lvs,
    /// What the settings say.
    pub settings: &'a Group,
    id: GroupId,
}

impl Lvs {
    /// The settings.
    pub const fn settings(&self) -> &Settings {
        &self.settings
    }

    /// All virtual servers, in the order of the settings.
    pub fn services(&self) -> impl Iterator<Item = ServiceView<'_>> {
        let services = self.settings.virtual_servers.iter().zip(&self.services);
        services.map(|(settings, state)| ServiceView {
            lvs: self,
            settings,
            state,
        })
    }
}

impl Lvs {
    /// All groups, in the order of the settings, used or not.
    pub fn groups(&self) -> impl Iterator<Item = GroupView<'_>> {
        let groups = self.settings.groups.iter().enumerate();
        groups.map(|(at, settings)| GroupView {
            lvs: self,
            settings,
            id: GroupId(place(at)),
        })
    }

    /// The number in a tracked file; 0 for one that is missing.
    pub fn file(&self, name: &str) -> i32 {
        self.files.get(name).copied().unwrap_or(0)
    }
}

impl<'a> GroupView<'a> {
    /// The virtual servers that are made for it.
    fn users(&self) -> impl Iterator<Item = ServiceView<'a>> {
        let id = self.id;
        let of_group = move |service: &ServiceView<'_>| matches!(service.settings.service, Service::Group { group, .. } if group == id);
        self.lvs.services().filter(of_group)
    }

    /// Whether the settings before had a virtual server for it.
    pub fn is_reloaded(&self) -> bool {
        self.users().any(|service| service.is_reloaded())
    }

    /// The mark that stands for its addresses (`nftables_ipvs`).
    pub fn mark(&self, protocol: Protocol) -> Option<u32> {
        self.lvs.marks.given(&self.settings.name, protocol)
    }

    /// How many real servers the kernel's table should have for its addresses.
    pub fn servers_by_protocol(&self, protocol: Protocol) -> usize {
        let of_protocol = |service: &ServiceView<'_>| matches!(service.settings.service, Service::Group { protocol: Some(one), .. } if one == protocol);
        let users = self.users().filter(of_protocol);
        users.map(|service| service.present_servers()).sum()
    }

    /// The same for one of its marks, as that of a family.
    pub fn servers_by_family(&self, entry: &GroupEntry, family: Family) -> usize {
        let GroupEntry::Mark { mark, .. } = *entry else {
            return 0;
        };
        let key = ServiceKey::Mark { mark, family };
        let users = self
            .users()
            .filter(|service| service.state.keys.contains(&key));
        users.map(|service| service.present_servers()).sum()
    }
}

impl<'a> ServiceView<'a> {
    /// Its name.
    pub const fn name(&self) -> ServiceName<'a> {
        ServiceName {
            service: self.settings,
            settings: &self.lvs.settings,
        }
    }

    /// Whether enough of its servers live.
    pub const fn has_quorum(&self) -> bool {
        self.state.quorum_up
    }

    /// Whether the sorry server serves.
    pub const fn sorry_in_use(&self) -> bool {
        self.state.sorry_in_use
    }

    /// Whether the settings before had it, too.
    pub const fn is_reloaded(&self) -> bool {
        self.state.reloaded
    }

    /// Whether the kernel has a service for each of its addresses and marks: none if there is no table, or if it refused.
    pub fn is_set(&self) -> bool {
        let Lvs { table, watch, .. } = self.lvs;
        let is_there = |key| table.get(key).is_some() && !watch.unmade.contains(key);
        let keys = &self.state.keys;
        !self.lvs.no_table && !keys.is_empty() && keys.iter().all(is_there)
    }

    fn present_servers(&self) -> usize {
        self.servers().filter(ServerView::is_present).count()
    }

    /// Its real servers, in the order of the settings.
    pub fn servers(&self) -> impl Iterator<Item = ServerView<'a>> + use<'a> {
        let Self {
            lvs,
            settings,
            state,
        } = *self;
        let servers = settings.real_servers.iter().zip(&state.servers);
        servers.map(move |(server, state_of)| ServerView {
            lvs,
            service: settings,
            settings: server,
            state: state_of,
            sorry_in_use: state.sorry_in_use,
        })
    }
}

impl<'a> ServerView<'a> {
    /// Its name.
    pub const fn name(&self) -> ServerName<'a> {
        ServerName::of(self.settings, self.service)
    }

    /// Whether no check says that it is down.
    pub const fn is_alive(&self) -> bool {
        self.state.is_alive()
    }

    /// How many checks say that it is down.
    pub const fn failed_checks(&self) -> u32 {
        self.state.failed
    }

    /// Its weight, with what its checks add.
    pub fn effective_weight(&self) -> u32 {
        self.state.weight(self.settings)
    }

    /// Whether the kernel's table should have it.
    pub const fn is_present(&self) -> bool {
        (self.is_alive() && !self.sorry_in_use) || self.settings.inhibit_on_failure
    }

    /// Whether the settings before had it, too.
    pub const fn is_reloaded(&self) -> bool {
        self.state.reloaded
    }

    /// Its checks, in the order of the settings.
    pub fn checks(&self) -> impl Iterator<Item = CheckView<'a>> {
        let lvs = self.lvs;
        let checks = self.settings.checkers.iter().zip(&self.state.checks);
        checks.filter_map(|(settings, id)| {
            Some(CheckView {
                settings,
                id: *id,
                state: lvs.checks.get(*id)?,
                all: &lvs.checks,
            })
        })
    }
}

impl CheckView<'_> {
    /// Whether the server is well by it.
    pub const fn is_up(&self) -> bool {
        self.state.progress.up
    }

    /// Whether that is known, and not only assumed.
    pub const fn has_run(&self) -> bool {
        self.state.progress.has_run
    }

    /// Failures in a row that do not count yet.
    pub const fn failures(&self) -> u32 {
        self.state.progress.failures
    }

    /// Whether it is made at all (`ha_suspend`).
    pub fn is_enabled(&self) -> bool {
        self.state.phase != Phase::Suspended
    }

    /// What it adds to the weight.
    pub const fn contribution(&self) -> i64 {
        self.state.contribution
    }

    /// The page that took the server down; counted from 0.
    pub const fn failed_url(&self) -> Option<u16> {
        self.state.progress.failed_url
    }

    /// When its last attempt began.
    pub fn began(&self) -> Option<Instant> {
        Some(self.state.began).filter(|began| *began != Instant::ZERO)
    }

    /// The exit status of its command.
    pub const fn last_status(&self) -> Option<i32> {
        self.state.last_status
    }

    /// The operating system's number (errno) for the last trouble that it has met, however long ago.
    pub fn last_errno(&self) -> Option<u16> {
        Some(self.state.last_errno).filter(|number| *number != 0)
    }

    /// The number that the library has for the last trouble with TLS that a page has met, counted from 0.
    pub fn last_tls_error(&self, page: u16) -> Option<i32> {
        self.all.tls_error(self.id, page)
    }

    /// The number of its last echo request.
    pub const fn sequence(&self) -> u16 {
        self.state.sequence
    }
}
