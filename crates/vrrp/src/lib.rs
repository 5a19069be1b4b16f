//! The Virtual Router Redundancy Protocol: RFC 3768 (version 2), RFC 9568 (version 3) and keepalived's extensions.
//!
//! This crate decides; it does nothing. It has no socket, no clock and no knowledge of `keepalived.conf`. A host
//! carries inputs to [`Vrrp`] and its [`Action`]s to the operating system; the daemon is one such host, the simulator
//! another.
//!
//! # The contract
//! **One input at a time, then drain.** Call one `handle_*` method, then [`Vrrp::poll_action`] until it returns `None`,
//! carrying out each action in order, before the next input. Time is an argument and never runs backwards. After
//! draining, sleep until an input arrives or [`Vrrp::next_deadline`] passes, then call [`Vrrp::handle_timeout`].
//! Packets that have arrived are handed over before a time-out is: whoever was asleep must not mistake its own sleep
//! for the master's silence.
//!
//! ```
//! use evervip_vrrp::{Settings, Vrrp};
//! use types::Instant;
//!
//! let mut vrrp = Vrrp::new();
//! let mut now = Instant::ZERO;
//! vrrp.handle_settings(now, Settings::default());
//! for _ in 0..3 {
//!     while let Some(action) = vrrp.poll_action() {
//!         println!("to carry out: {action:?}");
//!     }
//!     let Some(deadline) = vrrp.next_deadline() else { break };
//!     now = now.max(deadline);
//!     vrrp.handle_timeout(now);
//! }
//! ```
//!
//! Settings are an input like any other: [`Vrrp::handle_settings`] is both first start and reload. It computes the
//! difference itself, and what did not change is not touched.
//!
//! # Where to look
//! | question | file |
//! |---|---|
//! | what an advert does to a Backup or a Master | `election.rs` |
//! | why a packet is refused, and which counter says so | `receive.rs` |
//! | how adverts are signed, and what a replay is | `proof.rs` |
//! | skew and master-down arithmetic | `timers.rs` |
//! | when gratuitous ARPs and neighbour advertisements leave | `garp.rs` |
//! | what happens when somebody removes an address of a master | `loss.rs` |
//! | two masters at once; a flood of adverts | `rival.rs`; `flood.rs` |
//! | two instances of one VRID on one interface | `clash.rs` |
//! | delays at the start; a master that slept | `startup.rs`, `overslept.rs` |
//! | why the effective priority is 90; what is a fault | `track.rs`, `assess.rs` |
//! | what the kernel's events do | `kernel_events.rs` |
//! | which instance a packet is for | `listeners.rs` |
//! | when a check script runs, and when its failure counts | `script.rs` |
//! | what a tracked file means; which processes are meant, and when they are enough | `file.rs`, `process.rs` |
//! | how long a link must be down before it counts | `debounce.rs` |
//! | the macvlans and ipvlans that we make | `devices.rs` |
//! | which addresses we hold, and what the kernel holds | `holdings.rs` |
//! | which routes and rules we hold; what their loss does | `routing.rs`, `routing_events.rs` |
//! | static addresses, routes and rules | `statics.rs` |
//! | which addresses take no packets | `firewall.rs` |
//! | instances that move together | `sync_group.rs` |
//! | the states and how they are entered | `state.rs`, `instance.rs` |
//! | what a reload does | `reload.rs` |

#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod action;
mod assess;
mod clash;
mod deadlines;
mod debounce;
mod devices;
mod election;
mod file;
mod firewall;
mod flood;
mod garp;
mod holdings;
mod instance;
mod interfaces;
mod kernel_events;
mod listeners;
mod loss;
mod overslept;
mod process;
mod proof;
mod receive;
mod reload;
mod rival;
mod routing;
mod routing_events;
mod script;
pub mod settings;
mod startup;
mod state;
mod statics;
mod statistics;
mod sync_group;
#[cfg(test)]
mod testbench;
pub mod timers;
mod track;
mod verdicts;
mod view;
mod vrrp;
mod watched;

pub use crate::action::{
    Action, Announced, Announcement, Carrier, Culprit, Detail, DeviceAction, Event, Report,
    RoutingChange, Signal, Subject, Truce,
};
pub use crate::devices::DeviceView;
pub use crate::file::file_number;
pub use crate::firewall::Blocked;
pub use crate::interfaces::{Interface, InterfaceAddress, InterfaceKind};
pub use crate::process::ProcessView;
pub use crate::receive::{Packet, Rejection};
pub use crate::routing::SeenRoute;
pub use crate::script::{ScriptOutcome, ScriptState, ScriptView};
pub use crate::settings::Settings;
pub use crate::state::StateName;
pub use crate::statics::StaticView;
pub use crate::statistics::Statistics;
pub use crate::sync_group::GroupView;
pub use crate::view::{InstanceView, MasterView, RivalView};
pub use crate::vrrp::{Release, Vrrp};
pub use crate::watched::{BfdView, FileView};
