//! `keepalived.json`: one compact line.

use std::sync::Arc;

use serde::Serialize;
use types::{Instant, Version};
use vrrp::settings::{Authentication, ParameterMatch, Preempt};
use vrrp::{InstanceView, ProcessView, Statistics, Vrrp};

use crate::data::{Context, NotifyWhen, Owner, address_text};
use crate::routing::{route_text, rule_text};

/// The whole file. Version 1 is an array of instances, version 2 an object that holds it.
///
/// # Errors
/// Not expected: every value has a JSON form.
pub fn json(vrrp: &Vrrp, context: &Context<'_>) -> Result<String, serde_json::Error> {
    let instances: Vec<Instance> = vrrp
        .instances()
        .map(|view| Instance::of(&view, context))
        .collect();
    let text = if context.json_version == 2 {
        serde_json::to_string(&Version2 {
            vrrp: instances,
            track_process: vrrp.processes().map(|view| Process::of(&view)).collect(),
        })?
    } else {
        serde_json::to_string(&instances)?
    };
    // keepalived's writer escapes the solidus; readers that compare texts expect it.
    Ok(text.replace('/', "\\/"))
}

#[derive(Serialize)]
struct Version2 {
    vrrp: Vec<Instance>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    track_process: Vec<Process>,
}

#[derive(Serialize)]
struct Process {
    process: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    parameters: Option<String>,
    param_match: &'static str,
    min_processes: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_processes: Option<u16>,
    current_processes: u32,
    have_quorum: bool,
    /// Negated if the sense is turned.
    weight: i16,
    terminate_delay: f64,
    fork_delay: f64,
    fork_delay_timer_running: bool,
    terminate_delay_timer_running: bool,
    full_command: bool,
}

impl Process {
    fn of(view: &ProcessView<'_>) -> Self {
        let settings = view.settings;
        let weight = settings.weight.get();
        Self {
            process: settings.command.clone(),
            parameters: (!settings.parameters.is_empty()).then(|| settings.parameters.join(" ")),
            param_match: match settings.matching {
                ParameterMatch::Exact if settings.parameters.is_empty() => "none",
                ParameterMatch::Exact => "exact",
                ParameterMatch::Partial => "partial",
                ParameterMatch::Initial => "initial",
            },
            min_processes: settings.quorum,
            max_processes: settings.quorum_max,
            current_processes: view.count,
            have_quorum: view.quorum,
            weight: if settings.reverse { -weight } else { weight },
            terminate_delay: settings.terminate_delay.as_secs_f64(),
            fork_delay: settings.fork_delay.as_secs_f64(),
            fork_delay_timer_running: view.gaining,
            terminate_delay_timer_running: view.losing,
            full_command: settings.full_command,
        }
    }
}

#[derive(Serialize)]
struct Instance {
    data: Data,
    stats: Stats,
}

/// Key order and types are keepalived's: consumers tell a number from a boolean.
#[derive(Serialize)]
struct Data {
    iname: String,
    dont_track_primary: u8,
    skip_check_adv_addr: u8,
    strict_mode: u8,
    vmac_ifname: String,
    ifp_ifname: String,
    master_priority: u8,
    last_transition: f64,
    garp_delay: u32,
    garp_refresh: u32,
    garp_rep: u32,
    garp_refresh_rep: u32,
    garp_lower_prio_delay: u32,
    garp_lower_prio_rep: u32,
    lower_prio_no_advert: u8,
    higher_prio_send_advert: u8,
    vrid: u8,
    base_priority: u8,
    effective_priority: u8,
    vipset: bool,
    promote_secondaries: bool,
    adver_int: f64,
    master_adver_int: f64,
    accept: u8,
    nopreempt: bool,
    preempt_delay: u64,
    state: u32,
    wantstate: u32,
    version: u8,
    smtp_alert: bool,
    notify_deleted: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    script_backup: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    script_master: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    script_fault: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    script_stop: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    script_deleted: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    script: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    script_master_rx_lower_pri: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    vips: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    evips: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    vroutes: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    vrules: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    track_ifp: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    track_script: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    track_process: Vec<String>,
    auth_type: u8,
    #[serde(skip_serializing_if = "Option::is_none")]
    auth_data: Option<&'static str>,
}

#[derive(Serialize)]
struct Stats {
    advert_rcvd: u64,
    advert_sent: u64,
    become_master: u64,
    release_master: u64,
    packet_len_err: u64,
    advert_interval_err: u64,
    ip_ttl_err: u64,
    invalid_type_rcvd: u64,
    addr_list_err: u64,
    invalid_authtype: u64,
    authtype_mismatch: u64,
    auth_failure: u64,
    auth_ext_missing: u64,
    auth_ext_malformed: u64,
    auth_ext_unknown_key: u64,
    auth_ext_invalid_hmac: u64,
    auth_ext_stale: u64,
    auth_ext_replay: u64,
    pri_zero_rcvd: u64,
    pri_zero_sent: u64,
}

impl Instance {
    fn of(view: &InstanceView<'_>, context: &Context<'_>) -> Self {
        let settings = view.settings;
        let holds = view.state == vrrp::StateName::Master;
        let seconds = |at: Option<Instant>| at.map_or(0.0, |at| context.clock.wall(at));
        let texts = |addresses: &[Arc<vrrp::settings::VirtualAddress>]| {
            addresses
                .iter()
                .map(|address| address_text(address, holds, Owner::Instance(settings)))
                .collect()
        };
        let script = |when| {
            let scripts = context.notify.get(&settings.name)?;
            scripts
                .iter()
                .find(|script| script.when == when)
                .map(|script| script.command.clone())
        };
        let (auth_type, auth_data) = match settings.authentication {
            Authentication::None | Authentication::Hmac(_) => (0, None),
            Authentication::Pass(_) => (1, Some("********")),
            Authentication::Ah(_) => (2, Some("********")),
        };
        Self {
            data: Data {
                iname: settings.name.clone(),
                dont_track_primary: settings.dont_track_primary.into(),
                skip_check_adv_addr: settings.skip_check_adv_addr.into(),
                strict_mode: 0,
                vmac_ifname: settings
                    .virtual_interface
                    .as_ref()
                    .map_or_else(String::new, |device| device.name.to_string()),
                ifp_ifname: settings
                    .runs_on()
                    .map_or_else(String::new, ToString::to_string),
                master_priority: view.master.map_or(0, |master| master.claim.to_wire()),
                last_transition: seconds(view.last_transition),
                garp_delay: settings.garp.master_delay,
                garp_refresh: settings.garp.master_refresh,
                garp_rep: settings.garp.master_repeat,
                garp_refresh_rep: settings.garp.master_refresh_repeat,
                garp_lower_prio_delay: settings.garp.lower_prio_delay,
                garp_lower_prio_rep: settings.garp.lower_prio_repeat,
                lower_prio_no_advert: settings.lower_prio_no_advert.into(),
                higher_prio_send_advert: settings.higher_prio_send_advert.into(),
                vrid: settings.vrid.get(),
                base_priority: settings.priority.get(),
                effective_priority: view.effective_priority.get(),
                vipset: holds,
                promote_secondaries: settings.promote_secondaries,
                adver_int: f64::from(settings.advert_int.get()) / 100.0,
                master_adver_int: f64::from(view.master_advert_int.get()) / 100.0,
                accept: settings.accept.into(),
                nopreempt: settings.preempt == Preempt::Never,
                preempt_delay: match settings.preempt {
                    Preempt::After(delay) => delay.as_secs(),
                    Preempt::Immediately | Preempt::Never => 0,
                },
                state: view.state.number(),
                wantstate: view.wants.number(),
                version: match settings.version {
                    Version::V2 => 2,
                    Version::V3 => 3,
                },
                smtp_alert: false,
                notify_deleted: context.notify_deleted.contains(&settings.name),
                script_backup: script(NotifyWhen::Backup),
                script_master: script(NotifyWhen::Master),
                script_fault: script(NotifyWhen::Fault),
                script_stop: script(NotifyWhen::Stop),
                script_deleted: script(NotifyWhen::Deleted),
                script: script(NotifyWhen::Any),
                script_master_rx_lower_pri: script(NotifyWhen::MasterRxLowerPri),
                vips: texts(&settings.virtual_ipaddress),
                evips: texts(&settings.virtual_ipaddress_excluded),
                vroutes: settings
                    .virtual_routes
                    .iter()
                    .map(|route| route_text(route, None))
                    .collect(),
                vrules: settings
                    .virtual_rules
                    .iter()
                    .map(|rule| rule_text(rule, None))
                    .collect(),
                track_ifp: settings
                    .track_interface
                    .iter()
                    .map(|tracked| tracked.interface.to_string())
                    .collect(),
                track_script: settings
                    .track_script
                    .iter()
                    .map(|tracked| {
                        context
                            .commands
                            .get(&tracked.script)
                            .cloned()
                            .unwrap_or_else(|| tracked.script.clone())
                    })
                    .collect(),
                track_process: settings
                    .track_process
                    .iter()
                    .map(|tracked| tracked.name.clone())
                    .collect(),
                auth_type,
                auth_data,
            },
            stats: Stats::of(&view.statistics),
        }
    }
}

impl Stats {
    fn of(s: &Statistics) -> Self {
        Self {
            advert_rcvd: s.advert_rcvd,
            advert_sent: s.advert_sent,
            become_master: s.become_master,
            release_master: s.release_master,
            packet_len_err: s.packet_len_err,
            advert_interval_err: s.advert_interval_err,
            ip_ttl_err: s.ip_ttl_err,
            invalid_type_rcvd: s.invalid_type_rcvd,
            addr_list_err: s.addr_list_err,
            invalid_authtype: s.invalid_authtype,
            authtype_mismatch: s.authtype_mismatch,
            auth_failure: s.auth_failure,
            auth_ext_missing: s.auth_ext_missing,
            auth_ext_malformed: s.auth_ext_malformed,
            auth_ext_unknown_key: s.auth_ext_unknown_key,
            auth_ext_invalid_hmac: s.auth_ext_invalid_hmac,
            auth_ext_stale: s.auth_ext_stale,
            auth_ext_replay: s.auth_ext_replay,
            pri_zero_rcvd: s.pri_zero_rcvd,
            pri_zero_sent: s.pri_zero_sent,
        }
    }
}
