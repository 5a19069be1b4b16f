//! What the LVS core is told: the resolved configuration, with every default applied.
//!
//! `config` builds these from the text of `keepalived.conf`. Field names are keepalived's keywords where there is one.

use serde::{Deserialize, Serialize};

pub mod checkers;
pub mod global;
pub mod group;
pub mod octets;
pub mod peer;
pub mod server;
pub mod ssl;

pub use group::{Group, GroupEntry, GroupId};
pub use octets::Octets;
pub use server::{
    Forwarding, Granularity, GueChecksum, Persistence, Protocol, RealServer, Service, SorryServer,
    Timing, Tunnel, VirtualServer,
};
pub use ssl::Ssl;

/// Everything the core is told at start and at every reload.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// The services, in the order of the file; each has a real server. The file may hold one twice, as keepalived's may.
    pub virtual_servers: Vec<VirtualServer>,
    /// The `virtual_server_group`s, in the order of the file, used or not. Names are unique.
    pub groups: Vec<Group>,
    /// What SSL_GET shows and trusts (`SSL`); `None`: no certificate of ours, and whom the system trusts.
    pub ssl: Option<Box<Ssl>>,
    /// What concerns all virtual servers together.
    pub global: global::GlobalSettings,
    /// What each command runs, by its number.
    pub commands: Vec<CommandFacts>,
}

/// What a command is, as far as the core must know: equal facts, equal command, whatever its number.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommandFacts {
    /// The program and its arguments, as the log shows them.
    pub line: String,
    /// The user and the group that it runs as.
    pub user: (u32, u32),
}

impl Settings {
    /// Whether groups without marks of their own get one each (`nftables_ipvs`).
    pub const fn goes_by_marks(&self) -> bool {
        self.global.nftables.table.is_some()
    }

    /// What a command runs.
    pub fn command(&self, id: checkers::CommandId) -> Option<&CommandFacts> {
        self.commands.get(usize::try_from(id.0).ok()?)
    }

    /// The group that a service names.
    pub fn group(&self, id: GroupId) -> Option<&Group> {
        self.groups.get(usize::try_from(id.0).ok()?)
    }
}
