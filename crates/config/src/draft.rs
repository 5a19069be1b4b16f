//! What the text says, before defaults and cross-checks: `read` fills it, `resolve` makes settings of it.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use types::{Family, IfName, Prefix, Priority, Version, Vrid, Weight};
use vrrp::settings::{
    Debounce, ExtraGarp, GarpGroup, GarpSettings, InitialState, Linkbeat, PreferredLifetime, Route,
    Rule, Static,
};

use crate::diagnostics::Span;
use crate::settings::{Global, RunAs};

pub(crate) mod checkers;
mod global;
pub(crate) mod lvs;

pub(crate) use global::{FifoDraft, GlobalDraft, SyncDaemonDraft, TimedDraft};
mod instance;
mod links;
mod trackers;

pub(crate) use instance::{HmacDraft, IpvlanDraft, UnicastDraft, VmacAddress, VmacDraft};
pub(crate) use links::{GarpGroupDraft, TrackGroupDraft};
pub(crate) use trackers::{
    BfdDraft, FileDraft, Inherited, ProcessDraft, TrackedDraft, TrackedLists,
};

/// A value and where it was given.
#[derive(Clone, Debug)]
pub(crate) struct At<T> {
    pub(crate) value: T,
    pub(crate) span: Span,
}

/// The whole configuration.
#[derive(Debug, Default)]
pub(crate) struct Draft {
    pub(crate) global: Global,
    pub(crate) globals: GlobalDraft,
    pub(crate) vrrp_global: vrrp::settings::global::GlobalSettings,
    pub(crate) lvs_global: ::lvs::settings::global::GlobalSettings,
    pub(crate) use_symlink_paths: bool,
    pub(crate) set_supplementary_groups: bool,
    pub(crate) script_user: ScriptUser,
    pub(crate) defaults: Defaults,
    pub(crate) scripts: Vec<ScriptDraft>,
    pub(crate) instances: Vec<InstanceDraft>,
    pub(crate) groups: Vec<GroupDraft>,
    pub(crate) lvs: lvs::LvsDraft,
    /// Each has its interface.
    pub(crate) static_ipaddress: Vec<Static<AddressDraft>>,
    pub(crate) static_routes: Vec<Static<Route>>,
    pub(crate) static_rules: Vec<Static<Rule>>,
    pub(crate) files: Vec<FileDraft>,
    pub(crate) processes: Vec<ProcessDraft>,
    pub(crate) bfd: Vec<BfdDraft>,
    pub(crate) track_groups: Vec<TrackGroupDraft>,
    /// An interface was named that does not exist.
    pub(crate) lacks_interface: bool,
    pub(crate) garp_groups: Vec<GarpGroup>,
    pub(crate) linkbeat: Vec<Linkbeat>,
    pub(crate) debounce: Vec<Debounce>,
    /// Scripts that were tracked by a misspelt name, or before their definition; that was reported.
    pub(crate) misspelt_scripts: BTreeSet<String>,
    /// Where secrets are written, and what they are called.
    pub(crate) secrets: Vec<At<&'static str>>,
}

/// Whom scripts without a user of their own run as.
#[derive(Clone, Debug, Default)]
pub(crate) enum ScriptUser {
    /// `script_user` is absent.
    #[default]
    Builtin,
    Named(RunAs),
    /// The name is nobody's: such scripts are dropped.
    Unknown,
}

/// What `global_defs` says about all instances.
#[derive(Debug, Default)]
pub(crate) struct Defaults {
    pub(crate) version: Option<Version>,
    pub(crate) strict: bool,
    pub(crate) garp: GarpDraft,
    pub(crate) min_garp: bool,
    pub(crate) garp_interval: Duration,
    pub(crate) gna_interval: Duration,
    pub(crate) down_timer_adverts: Option<u8>,
    pub(crate) group4: Option<IpAddr>,
    pub(crate) group6: Option<IpAddr>,
    pub(crate) lower_prio_no_advert: bool,
    pub(crate) higher_prio_send_advert: bool,
    pub(crate) owner_ignore_adverts: bool,
    pub(crate) skip_check_adv_addr: bool,
    pub(crate) notify_priority_changes: bool,
    /// `smtp_alert_vrrp`, else `smtp_alert`.
    pub(crate) smtp_alert: bool,
    pub(crate) check_unicast_src: bool,
    pub(crate) v3_checksum_as_v2: bool,
    pub(crate) garp_extra_if: Option<ExtraGarp>,
}

/// The schedule of gratuitous ARPs, as far as it is given.
#[derive(Clone, Debug, Default)]
pub(crate) struct GarpDraft {
    pub(crate) master_delay: Option<u32>,
    pub(crate) master_repeat: Option<u32>,
    pub(crate) master_refresh: Option<u32>,
    pub(crate) master_refresh_repeat: Option<u32>,
    pub(crate) lower_prio_delay: Option<u32>,
    pub(crate) lower_prio_repeat: Option<u32>,
}

impl GarpDraft {
    /// Fills the gaps from a complete schedule.
    pub(crate) fn over(&self, base: &GarpSettings) -> GarpSettings {
        GarpSettings {
            master_delay: self.master_delay.unwrap_or(base.master_delay),
            master_repeat: self.master_repeat.unwrap_or(base.master_repeat),
            master_refresh: self.master_refresh.unwrap_or(base.master_refresh),
            master_refresh_repeat: self
                .master_refresh_repeat
                .unwrap_or(base.master_refresh_repeat),
            lower_prio_delay: self.lower_prio_delay.unwrap_or(base.lower_prio_delay),
            lower_prio_repeat: self.lower_prio_repeat.unwrap_or(base.lower_prio_repeat),
        }
    }
}

/// A command line as written, and whom to run it as.
#[derive(Clone, Debug)]
pub(crate) struct CommandDraft {
    /// Never empty.
    pub(crate) argv: Vec<String>,
    pub(crate) user: RunAs,
    pub(crate) span: Span,
}

/// A `vrrp_script` block.
#[derive(Clone, Debug)]
pub(crate) struct ScriptDraft {
    pub(crate) name: String,
    pub(crate) span: Span,
    /// The command line's words.
    pub(crate) argv: Option<At<Vec<String>>>,
    pub(crate) interval: Option<Duration>,
    pub(crate) timeout: Option<Duration>,
    pub(crate) weight: Weight,
    pub(crate) reverse: bool,
    pub(crate) rise: u32,
    pub(crate) fall: u32,
    pub(crate) user: Option<RunAs>,
    /// Its user does not exist.
    pub(crate) removed: bool,
}

impl ScriptDraft {
    pub(crate) const fn new(name: String, span: Span) -> Self {
        Self {
            name,
            span,
            argv: None,
            interval: None,
            timeout: None,
            weight: Weight::FAULT,
            reverse: false,
            rise: 1,
            fall: 1,
            user: None,
            removed: false,
        }
    }
}

/// Scripts that run at a change of state.
#[derive(Clone, Debug, Default)]
pub(crate) struct NotifyDraft {
    pub(crate) master: Option<CommandDraft>,
    pub(crate) backup: Option<CommandDraft>,
    pub(crate) fault: Option<CommandDraft>,
    pub(crate) stop: Option<CommandDraft>,
    /// Given; the script may be absent.
    pub(crate) deleted: Option<Option<CommandDraft>>,
    pub(crate) master_rx_lower_pri: Option<CommandDraft>,
    pub(crate) any: Option<CommandDraft>,
}

/// An entry of `track_interface` or `track_script`.
#[derive(Clone, Debug)]
pub(crate) struct TrackDraft {
    pub(crate) name: String,
    pub(crate) weight: Weight,
    pub(crate) reverse: bool,
    pub(crate) span: Span,
}

/// An address line.
#[derive(Clone, Debug)]
pub(crate) struct AddressDraft {
    pub(crate) prefix: Prefix,
    /// `dev`; `None`: the instance's interface.
    pub(crate) interface: Option<IfName>,
    pub(crate) scope: u8,
    pub(crate) label: Option<String>,
    pub(crate) broadcast: Option<Ipv4Addr>,
    pub(crate) peer: Option<Prefix>,
    pub(crate) dad: bool,
    pub(crate) home: bool,
    pub(crate) mngtmpaddr: bool,
    pub(crate) noprefixroute: bool,
    pub(crate) autojoin: bool,
    pub(crate) preferred_lft: Option<PreferredLifetime>,
    pub(crate) no_track: bool,
    pub(crate) use_vmac: bool,
    pub(crate) span: Span,
}

/// `auth_type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AuthType {
    Pass,
    Ah,
}

/// What an instance was given, usable or not; what is wrong with it was reported.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Attempted {
    pub(crate) vrid: bool,
    pub(crate) interface: bool,
    pub(crate) addresses: bool,
    /// Misspelt, that is.
    pub(crate) password: bool,
}

/// A `vrrp_instance` block.
#[derive(Clone, Debug)]
pub(crate) struct InstanceDraft {
    pub(crate) name: String,
    pub(crate) span: Span,
    pub(crate) interface: Option<At<IfName>>,
    /// Where the block ends.
    pub(crate) end: Option<Span>,
    /// An interface was given, but cannot be used; that was said already.
    pub(crate) interface_refused: bool,
    pub(crate) attempted: Attempted,
    pub(crate) family: Option<Family>,
    pub(crate) version: Option<At<Version>>,
    pub(crate) vrid: Option<At<Vrid>>,
    /// A virtual_router_id was given, but is none; that was said already.
    pub(crate) vrid_refused: bool,
    pub(crate) priority: Option<At<Priority>>,
    pub(crate) state: Option<At<InitialState>>,
    /// Microseconds.
    pub(crate) advert_int: Option<At<u64>>,
    pub(crate) down_timer_adverts: Option<At<u8>>,
    pub(crate) nopreempt: Option<Span>,
    pub(crate) preempt_delay: Option<At<Duration>>,
    pub(crate) auth_type: Option<At<AuthType>>,
    /// The bytes as written, at most eight.
    pub(crate) auth_pass: Option<At<Vec<u8>>>,
    pub(crate) vips: Vec<AddressDraft>,
    pub(crate) excluded: Vec<AddressDraft>,
    pub(crate) virtual_routes: Vec<Route>,
    pub(crate) virtual_rules: Vec<Rule>,
    pub(crate) no_virtual_ipaddress: Option<Span>,
    pub(crate) source: Option<IpAddr>,
    pub(crate) unicast: UnicastDraft,
    pub(crate) vrf: Option<At<IfName>>,
    pub(crate) vmac: Option<VmacDraft>,
    pub(crate) ipvlan: Option<IpvlanDraft>,
    pub(crate) vmac_xmit_base: Option<Span>,
    pub(crate) use_vmac_addr: bool,
    pub(crate) hmac: Option<HmacDraft>,
    pub(crate) group: Option<At<IpAddr>>,
    pub(crate) dont_track_primary: bool,
    pub(crate) track_interface: Vec<TrackDraft>,
    pub(crate) track_script: Vec<TrackDraft>,
    pub(crate) tracked: TrackedLists,
    pub(crate) track_src_ip: bool,
    pub(crate) linkbeat_use_polling: bool,
    pub(crate) promote_secondaries: Option<Span>,
    pub(crate) v3_checksum_as_v2: Option<bool>,
    pub(crate) accept: Option<At<bool>>,
    pub(crate) smtp_alert: Option<bool>,
    pub(crate) kernel_rx_buf_size: Option<u32>,
    pub(crate) timer_expired_backup: Option<At<u8>>,
    /// Given; 0 seconds are none.
    pub(crate) garp_extra_if: Option<Option<ExtraGarp>>,
    pub(crate) lvs_sync_daemon_interface: Option<IfName>,
    pub(crate) garp: GarpDraft,
    pub(crate) strict: Option<bool>,
    pub(crate) lower_prio_no_advert: Option<bool>,
    pub(crate) higher_prio_send_advert: Option<bool>,
    pub(crate) owner_ignore_adverts: Option<At<bool>>,
    pub(crate) skip_check_adv_addr: Option<bool>,
    pub(crate) notify_priority_changes: Option<bool>,
    pub(crate) notify: NotifyDraft,
}

impl InstanceDraft {
    pub(crate) fn new(name: String, span: Span) -> Self {
        Self {
            name,
            span,
            end: None,
            interface: None,
            interface_refused: false,
            attempted: Attempted::default(),
            family: None,
            version: None,
            vrid: None,
            vrid_refused: false,
            priority: None,
            state: None,
            advert_int: None,
            down_timer_adverts: None,
            nopreempt: None,
            preempt_delay: None,
            auth_type: None,
            auth_pass: None,
            vips: Vec::new(),
            excluded: Vec::new(),
            virtual_routes: Vec::new(),
            virtual_rules: Vec::new(),
            no_virtual_ipaddress: None,
            source: None,
            unicast: UnicastDraft::default(),
            vrf: None,
            vmac: None,
            ipvlan: None,
            vmac_xmit_base: None,
            use_vmac_addr: false,
            hmac: None,
            group: None,
            dont_track_primary: false,
            track_interface: Vec::new(),
            track_script: Vec::new(),
            tracked: TrackedLists::default(),
            track_src_ip: false,
            linkbeat_use_polling: false,
            promote_secondaries: None,
            v3_checksum_as_v2: None,
            accept: None,
            smtp_alert: None,
            kernel_rx_buf_size: None,
            timer_expired_backup: None,
            garp_extra_if: None,
            lvs_sync_daemon_interface: None,
            garp: GarpDraft::default(),
            strict: None,
            lower_prio_no_advert: None,
            higher_prio_send_advert: None,
            owner_ignore_adverts: None,
            skip_check_adv_addr: None,
            notify_priority_changes: None,
            notify: NotifyDraft::default(),
        }
    }
}

/// A `vrrp_sync_group` block.
#[derive(Clone, Debug)]
pub(crate) struct GroupDraft {
    pub(crate) name: String,
    pub(crate) span: Span,
    pub(crate) members: Vec<At<String>>,
    /// There are no members, which was reported.
    pub(crate) known_empty: bool,
    pub(crate) track_interface: Vec<TrackDraft>,
    pub(crate) track_script: Vec<TrackDraft>,
    pub(crate) tracked: TrackedLists,
    pub(crate) smtp_alert: Option<bool>,
    pub(crate) tracking_weight: bool,
    pub(crate) notify_priority_changes: Option<bool>,
    pub(crate) notify: NotifyDraft,
}

impl GroupDraft {
    pub(crate) fn new(name: String, span: Span) -> Self {
        Self {
            name,
            span,
            members: Vec::new(),
            known_empty: false,
            track_interface: Vec::new(),
            track_script: Vec::new(),
            tracked: TrackedLists::default(),
            smtp_alert: None,
            tracking_weight: false,
            notify_priority_changes: None,
            notify: NotifyDraft::default(),
        }
    }
}
