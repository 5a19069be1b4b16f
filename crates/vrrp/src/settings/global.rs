//! What concerns the VRRP core as a whole: the part of `global_defs` that is neither the host's nor a mere default.

use core::time::Duration;

use serde::{Deserialize, Serialize};

/// What concerns all instances together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GlobalSettings {
    /// `vrrp_startup_delay`: how long after the start instances begin; 1 ms to 4294.967295 s, zero: at once.
    pub startup_delay: Duration,
    /// `vrrp_delay_after_boot`: they do not begin before the machine has been up for so long; the later one counts.
    pub delay_after_boot: Duration,
    /// `dynamic_interfaces allow_if_changes`: interfaces may turn into others, so that instances clash.
    pub allow_if_changes: bool,
    /// `linkbeat_use_polling`: the state of a link is asked for again and again; the kernel's word is not enough.
    pub linkbeat_use_polling: bool,
}
