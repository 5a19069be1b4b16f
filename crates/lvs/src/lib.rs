//! Load balancing by the kernel's IPVS, and the health of the servers behind it, as keepalived does both.
//!
//! This crate decides; it does nothing. It has no socket, no clock and no knowledge of `keepalived.conf`. A host carries
//! inputs to [`Lvs`] and its [`Action`]s to the operating system.
//!
//! # The contract
//! **One input at a time, then drain.** Call one `handle_*` method, then [`Lvs::poll_action`] until it returns `None`,
//! carrying out each action in order, before the next input. Time is an argument and never runs backwards. After draining,
//! sleep until an input arrives or [`Lvs::next_deadline`] passes, then call [`Lvs::handle_timeout`].
//!
//! ```
//! use evervip_lvs::{Lvs, Settings};
//! use types::Instant;
//!
//! let mut lvs = Lvs::new(1);
//! let now = Instant::ZERO;
//! lvs.handle_settings(now, Settings::default());
//! while let Some(action) = lvs.poll_action() {
//!     println!("to carry out: {action:?}");
//! }
//! assert_eq!(lvs.next_deadline(), None);
//! ```
//!
//! Settings are an input like any other: [`Lvs::handle_settings`] is both first start and reload. It computes the difference
//! itself, and what did not change is not touched: a check that stays keeps its state, its timer and its attempt.
//!
//! What the kernel's table should hold is a function of what is known of the servers ([`mod@table`], `converge.rs`); what it
//! does hold is a value; commands are their difference. So start, recovery, reload, a command that was refused and an entry
//! that somebody removed are one code path.
//!
//! # Where to look
//! | question | file |
//! |---|---|
//! | what a check sends, expects and concludes | `dialogue/` |
//! | when a failure counts, when the next attempt begins | `pace.rs` |
//! | what the failure of a check does to its server, and that to its virtual server | `health.rs` |
//! | when there are enough servers | `quorum.rs` |
//! | which IPVS services a virtual server stands for | `entries.rs` |
//! | what the kernel's table should hold | `converge.rs` |
//! | the difference from what it does hold | `table.rs` |
//! | what a reload does | `reload.rs` |
//! | what stays when the daemon stops | `stop.rs` |
//! | commands of MISC_CHECK; tracked files | `misc.rs`, `file.rs` |
//! | `ha_suspend` | `suspend.rs` |
//! | checks that do not run, entries that others changed | `watch.rs` |
//! | the words of the log | `messages.rs`, `meddling.rs`, `names.rs` |

#![forbid(unsafe_code)]

mod action;
mod check;
mod converge;
pub mod dialogue;
mod entries;
mod file;
mod health;
mod lvs;
mod meddling;
mod messages;
mod misc;
mod names;
mod pace;
mod quorum;
mod reload;
pub mod settings;
mod stop;
mod suspend;
pub mod table;
#[cfg(test)]
mod tests;
mod timeline;
pub mod view;
mod watch;

pub use action::{Action, Activation, Announcement, CheckId, Level, Line, LineText, Subject};
pub use entries::GivenMark;
pub use lvs::{Lvs, RefusalKind};
pub use misc::{CommandEnd, Signal};
pub use names::{ServerName, ServiceName};
pub use settings::Settings;
pub use table::Held;
