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
    /// `vrrp_garp_extra_if`: announcements on interfaces that only some addresses are on; `None`: none.
    pub garp_extra_if: Option<ExtraGarp>,
    /// `v3_checksum_as_v2`: what holds for instances that do not say: checksums of VRRPv3 over IPv4 leave out the pseudo
    /// header.
    pub v3_checksum_as_v2: bool,
    /// `vrrp_check_unicast_src`: what holds for instances that do not say: unicast adverts count only from a peer.
    pub check_unicast_src: bool,
    /// `linkbeat_use_polling`: the state of a link is asked for again and again; the kernel's word is not enough.
    pub linkbeat_use_polling: bool,
}

/// Periodic announcements of addresses on interfaces other than the instance's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExtraGarp {
    /// Time between two of them; 1 s to 86400 s.
    pub interval: Duration,
    /// On all such interfaces; otherwise on VMAC interfaces only.
    pub all: bool,
}
