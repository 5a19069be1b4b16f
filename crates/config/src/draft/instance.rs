//! Parts of a `vrrp_instance` block: unicast, devices of its own, keys.

use std::num::NonZeroU8;

use types::{IfName, MacAddress, Prefix};
use vrrp::settings::{HmacKey, HmacMode, IpvlanMode, OldChecksum, UnicastPeer};

use super::At;
use crate::diagnostics::Span;

/// What is said about unicast.
#[derive(Clone, Debug, Default)]
pub(crate) struct UnicastDraft {
    /// The first keyword that is about unicast.
    pub(crate) wanted: Option<Span>,
    /// Where the peers are listed.
    pub(crate) listed: Option<Span>,
    pub(crate) peers: Vec<UnicastPeer>,
    /// A peer has a limit, which asks for a check of the source.
    pub(crate) limited: bool,
    pub(crate) check_source: bool,
    pub(crate) ttl: Option<At<u8>>,
    pub(crate) old_checksum: OldChecksum,
    pub(crate) fault_no_peer: bool,
}

/// `use_vmac`.
#[derive(Clone, Debug)]
pub(crate) struct VmacDraft {
    pub(crate) span: Span,
    pub(crate) name: Option<IfName>,
    pub(crate) address: Option<At<VmacAddress>>,
    pub(crate) announce_link: bool,
    pub(crate) group: Option<u32>,
}

/// The address of a macvlan as written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum VmacAddress {
    Whole(MacAddress),
    /// The VRID is the sixth octet.
    WithVrid([u8; 5]),
}

/// `use_ipvlan`.
#[derive(Clone, Debug)]
pub(crate) struct IpvlanDraft {
    pub(crate) span: Span,
    pub(crate) name: Option<IfName>,
    pub(crate) address: Option<Prefix>,
    pub(crate) mode: Option<IpvlanMode>,
    pub(crate) group: Option<u32>,
}

/// An `auth_hmac` block.
#[derive(Clone, Debug)]
pub(crate) struct HmacDraft {
    pub(crate) span: Span,
    pub(crate) keys: Vec<HmacKey>,
    pub(crate) active: Option<At<NonZeroU8>>,
    pub(crate) mode: Option<At<HmacMode>>,
    pub(crate) monotonic: bool,
    /// Seconds.
    pub(crate) window: Option<u16>,
}

impl HmacDraft {
    pub(crate) const fn new(span: Span) -> Self {
        Self {
            span,
            keys: Vec::new(),
            active: None,
            mode: None,
            monotonic: false,
            window: None,
        }
    }
}
