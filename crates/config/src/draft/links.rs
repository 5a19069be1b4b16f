//! Blocks about interfaces and about instances that static entries depend on.

use std::time::Duration;

use types::IfName;

use super::At;
use crate::diagnostics::Span;

/// A `track_group` block.
#[derive(Clone, Debug)]
pub(crate) struct TrackGroupDraft {
    pub(crate) name: String,
    pub(crate) span: Span,
    pub(crate) members: Vec<At<String>>,
}

/// A `garp_group` block.
#[derive(Clone, Debug, Default)]
pub(crate) struct GarpGroupDraft {
    pub(crate) interfaces: Vec<IfName>,
    pub(crate) garp_interval: Option<Duration>,
    pub(crate) gna_interval: Option<Duration>,
    /// An interval was given, but is none; that was said already.
    pub(crate) interval_refused: bool,
}
