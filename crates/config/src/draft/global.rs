//! What `global_defs` says and only `resolve` can complete.

use std::time::Duration;

use lvs::settings::global::SyncDaemon;

use super::{At, CommandDraft};
use crate::settings::global::Owner;

/// The part of `global_defs` that waits for something that may stand further down.
#[derive(Debug, Default)]
pub(crate) struct GlobalDraft {
    pub(crate) vmac_prefix: Option<String>,
    pub(crate) vmac_addr_prefix: Option<String>,
    pub(crate) snmp_rs_interval: Option<Duration>,
    pub(crate) startup: TimedDraft,
    pub(crate) shutdown: TimedDraft,
    pub(crate) notify_fifo: FifoDraft,
    pub(crate) vrrp_notify_fifo: FifoDraft,
    pub(crate) lvs_notify_fifo: FifoDraft,
    /// How many host names were looked up.
    pub(crate) lookups: u8,
    /// There is a `virtual_server` block: a checker process runs.
    pub(crate) has_servers: bool,
    pub(crate) sync_daemon: Option<At<SyncDaemonDraft>>,
}

/// `startup_script` or `shutdown_script`, and its timeout.
#[derive(Debug)]
pub(crate) struct TimedDraft {
    pub(crate) command: Option<CommandDraft>,
    pub(crate) timeout: Duration,
}

impl Default for TimedDraft {
    fn default() -> Self {
        Self {
            command: None,
            timeout: Duration::from_secs(10),
        }
    }
}

/// A FIFO and its reader.
#[derive(Debug, Default)]
pub(crate) struct FifoDraft {
    pub(crate) path: Option<String>,
    pub(crate) owner: Option<Owner>,
    pub(crate) reader: Option<CommandDraft>,
}

/// `lvs_sync_daemon`; its id may be the instance's.
#[derive(Clone, Debug)]
pub(crate) struct SyncDaemonDraft {
    /// Complete but for the id.
    pub(crate) settings: SyncDaemon,
    pub(crate) id: Option<u8>,
}
