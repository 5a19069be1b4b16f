//! Bidirectional Forwarding Detection: RFC 5880, RFC 5881 (one hop) and RFC 5883 (several hops), asynchronous mode, as
//! keepalived does it.
//!
//! This crate decides; it does nothing. It has no socket, no clock and no knowledge of `keepalived.conf`. A host carries
//! inputs to [`Bfd`] and its [`Action`]s to the operating system.
//!
//! # The contract
//! **One input at a time, then drain.** Call one `handle_*` method, then [`Bfd::poll_action`] until it returns `None`,
//! carrying out each action in order, before the next input. Time is an argument and never runs backwards. After draining,
//! sleep until an input arrives or [`Bfd::next_deadline`] passes, then call [`Bfd::handle_timeout`]. Packets that have
//! arrived are handed over before a time-out is: whoever was asleep must not mistake its own sleep for the neighbour's
//! silence.
//!
//! ```
//! use evervip_bfd::{Bfd, Settings};
//! use types::Instant;
//!
//! let mut bfd = Bfd::new(1);
//! let now = Instant::ZERO;
//! bfd.handle_settings(now, Settings::default());
//! while let Some(action) = bfd.poll_action() {
//!     println!("to carry out: {action:?}");
//! }
//! assert_eq!(bfd.next_deadline(), None);
//! ```
//!
//! Settings are an input like any other: [`Bfd::handle_settings`] is both first start and reload. It computes the difference
//! itself, and a session whose two ends stay the same goes on.
//!
//! # Where to look
//! | question | file |
//! |---|---|
//! | what a packet does to a session; when one is sent | `session.rs` |
//! | how often to send, how long to wait | `intervals.rs` |
//! | when changed intervals count; the Poll Sequence | `poll.rs` |
//! | whose packet it is, and why one is refused | `receive.rs` |
//! | what VRRP and the checkers are told | `session.rs`, `Session::tell` |
//! | what a reload does | `reload.rs` |
//! | what a successor of a dead process goes on with | `record.rs` |
//! | the words of the log | `event.rs` |

#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(test)]
extern crate std;

mod action;
mod bfd;
mod event;
mod intervals;
mod poll;
mod receive;
mod record;
mod reload;
mod session;
pub mod settings;
#[cfg(test)]
mod tests;
mod view;

pub use crate::action::{Action, Consumer, SessionId};
pub use crate::bfd::Bfd;
pub use crate::event::{Event, Level};
pub use crate::receive::{Packet, Refusal};
pub use crate::record::Record;
pub use crate::settings::Settings;
pub use crate::view::SessionView;
