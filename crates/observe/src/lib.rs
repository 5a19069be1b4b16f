//! Views of the state, for those who read keepalived's dump files.
//!
//! Everything here turns a core's own view into text, byte for byte as the readers expect it
//! (`keepalived.stats`, `keepalived.data`, `keepalived.json`). Writing the text to a file is the host's business.

#![forbid(unsafe_code)]

mod data;
mod json;
mod routing;
mod stats;

pub use data::{Context, NotifyScript, NotifyWhen, WallClock, data};
pub use json::json;
pub use stats::stats;
