//! Views of the state, for those who read keepalived's dump files.
//!
//! Everything here turns a core's own view into text, byte for byte as the readers expect it
//! (`keepalived.stats`, `keepalived.data`, `keepalived.json`, `keepalived_check.data`, `keepalived_bfd.data`). Writing the
//! text to a file is the host's business.

#![forbid(unsafe_code)]

mod bfd_data;
mod check_data;
mod data;
mod globals;
mod json;
mod page;
mod routing;
mod stats;

pub use bfd_data::{BfdContext, bfd_data};
pub use check_data::{CheckContext, check_data};
pub use data::{Context, NotifyScript, NotifyWhen, WallClock, data};
pub use json::json;
pub use stats::stats;
