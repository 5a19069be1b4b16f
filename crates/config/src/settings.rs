//! What a configuration resolves to: one value for the parent, one for each core, every default applied.
//!
//! The parent sends the parts to its children as values; no child ever parses text.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub mod global;

pub use global::Global;

/// A resolved configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// What concerns the processes themselves.
    pub global: Global,
    /// The VRRP core's part.
    pub vrrp: vrrp::Settings,
    /// The LVS core's part.
    pub lvs: lvs::Settings,
    /// The commands that `lvs` names by their number.
    pub lvs_commands: Vec<Command>,
    /// The BFD core's part.
    pub bfd: bfd::Settings,
    /// How to run each script of `vrrp.scripts`, by its name.
    pub commands: BTreeMap<String, Command>,
    /// What to run when an instance changes state, by the instance's name; only of those that run anything.
    pub instance_notify: BTreeMap<String, Notify>,
    /// What to run when a sync group changes state, by the group's name; only of those that run anything.
    pub group_notify: BTreeMap<String, Notify>,
}

/// A program to run: an argument vector and whom to run it as.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Command {
    /// The program as configured and its arguments; never empty. `argv[0]` is what the program sees as its name.
    pub argv: Vec<String>,
    /// The file to execute: an absolute path, symbolic links already followed.
    pub path: String,
    /// Whom to run it as.
    pub user: RunAs,
}

/// The identity a script runs with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunAs {
    /// User id.
    pub uid: u32,
    /// Group id.
    pub gid: u32,
    /// Supplementary groups; empty: none.
    pub groups: Vec<u32>,
    /// The user's name; `None`: it is the daemon's own identity, which nobody named.
    pub user: Option<String>,
    /// The group's name, where one was given; else it is the user's own group.
    pub group: Option<String>,
}

/// The scripts of an instance or a group (`notify`, `notify_master`, ...).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notify {
    /// `notify_master`.
    pub master: Option<Command>,
    /// `notify_backup`.
    pub backup: Option<Command>,
    /// `notify_fault`.
    pub fault: Option<Command>,
    /// `notify_stop`.
    pub stop: Option<Command>,
    /// `notify_deleted`: what a deletion at reload is reported as.
    pub deleted: NotifyDeleted,
    /// `notify_master_rx_lower_pri`; instances only.
    pub master_rx_lower_pri: Option<Command>,
    /// `notify`: run for every transition, with what happened as further arguments.
    pub any: Option<Command>,
}

/// What the deletion of an instance at a reload is reported as (`notify_deleted`).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum NotifyDeleted {
    /// As FAULT to the generic script only; the keyword is absent.
    #[default]
    AsFault,
    /// As DELETED; the script, if there is one, runs first.
    AsDeleted(Option<Command>),
}
