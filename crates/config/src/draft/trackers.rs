//! Blocks that define what instances track, and the entries that name them.

use std::net::IpAddr;
use std::num::NonZeroU8;
use std::time::Duration;

use bfd::settings::MaxHops;
use vrrp::settings::{FileInit, ParameterMatch, TrackWeight};

use super::At;
use crate::diagnostics::Span;

/// An entry of `track_file`, `track_process` or `track_bfd`.
#[derive(Clone, Debug)]
pub(crate) struct TrackedDraft {
    pub(crate) name: String,
    pub(crate) weight: TrackWeight,
    pub(crate) reverse: bool,
    pub(crate) span: Span,
}

/// The three lists of an instance or a group.
#[derive(Clone, Debug, Default)]
pub(crate) struct TrackedLists {
    pub(crate) files: Vec<TrackedDraft>,
    pub(crate) processes: Vec<TrackedDraft>,
    pub(crate) bfd: Vec<TrackedDraft>,
}

/// What an entry inherits from the block that it names.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Inherited {
    pub(crate) weight: TrackWeight,
    pub(crate) reverse: bool,
}

/// A `track_file` block.
#[derive(Clone, Debug)]
pub(crate) struct FileDraft {
    pub(crate) name: String,
    pub(crate) path: Option<At<String>>,
    pub(crate) weight: Option<TrackWeight>,
    pub(crate) reverse: bool,
    pub(crate) init: Option<FileInit>,
}

impl FileDraft {
    pub(crate) const fn new(name: String) -> Self {
        Self {
            name,
            path: None,
            weight: None,
            reverse: false,
            init: None,
        }
    }
}

/// A `vrrp_track_process` block.
#[derive(Clone, Debug)]
pub(crate) struct ProcessDraft {
    pub(crate) name: String,
    /// The program and its parameters; empty: not given.
    pub(crate) command: Vec<String>,
    pub(crate) matching: Option<ParameterMatch>,
    pub(crate) full_command: bool,
    pub(crate) weight: TrackWeight,
    pub(crate) reverse: bool,
    pub(crate) quorum: u16,
    pub(crate) quorum_given: bool,
    pub(crate) quorum_max: Option<u16>,
    pub(crate) fork_delay: Duration,
    pub(crate) terminate_delay: Duration,
}

impl ProcessDraft {
    pub(crate) const fn new(name: String) -> Self {
        Self {
            name,
            command: Vec::new(),
            matching: None,
            full_command: false,
            weight: TrackWeight::FAULT,
            reverse: false,
            quorum: 1,
            quorum_given: false,
            quorum_max: None,
            fork_delay: Duration::ZERO,
            terminate_delay: Duration::ZERO,
        }
    }
}

/// The multiplier of a session that says nothing.
const MULTIPLIER: NonZeroU8 = NonZeroU8::new(5).unwrap();

/// A `bfd_instance` block.
#[derive(Clone, Debug)]
pub(crate) struct BfdDraft {
    pub(crate) name: String,
    pub(crate) span: Span,
    /// Where the block ends.
    pub(crate) end: Option<Span>,
    pub(crate) neighbor: Option<At<IpAddr>>,
    /// The neighbour was given, but is no address; that was said already.
    pub(crate) refused: bool,
    pub(crate) source: Option<At<IpAddr>>,
    /// Microseconds.
    pub(crate) min_rx: u64,
    pub(crate) min_tx: u64,
    pub(crate) idle_tx: u64,
    pub(crate) multiplier: NonZeroU8,
    pub(crate) passive: bool,
    pub(crate) ttl: Option<NonZeroU8>,
    pub(crate) max_hops: At<MaxHops>,
    pub(crate) multihop: bool,
    pub(crate) weight: TrackWeight,
    pub(crate) reverse: bool,
    pub(crate) vrrp: bool,
    pub(crate) checker: bool,
}

impl BfdDraft {
    /// keepalived's defaults.
    pub(crate) const fn new(name: String, span: Span) -> Self {
        Self {
            name,
            span,
            end: None,
            neighbor: None,
            refused: false,
            source: None,
            min_rx: 10_000,
            min_tx: 10_000,
            idle_tx: 1_000_000,
            multiplier: MULTIPLIER,
            passive: false,
            ttl: None,
            max_hops: At {
                value: MaxHops::AtMost(0),
                span,
            },
            multihop: false,
            weight: TrackWeight::FAULT,
            reverse: false,
            vrrp: false,
            checker: false,
        }
    }
}
