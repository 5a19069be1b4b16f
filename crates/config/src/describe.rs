//! A configuration in words, for `-d`: one "key = value" per line, secrets masked.

use std::fmt::Write;

use vrrp::settings::{
    Authentication, InitialState, InstanceSettings, Preempt, PreferredLifetime, VirtualAddress,
    VirtualInterfaceKind,
};

use crate::settings::{Command, Notify, NotifyDeleted, Settings};

/// Everything the settings say, in the order of the file.
pub fn describe(settings: &Settings) -> String {
    let mut out = Lines::default();
    global(&mut out, settings);
    for script in &settings.vrrp.scripts {
        out.head("script", &script.name);
        if let Some(run) = settings.commands.get(&script.name) {
            out.line("command", &command(run));
        }
        out.line("interval", &format!("{}s", script.interval.as_secs_f64()));
        out.line(
            "timeout",
            &format!(
                "{}s",
                script.timeout.unwrap_or(script.interval).as_secs_f64()
            ),
        );
        out.line("rise", &script.rise.to_string());
        out.line("fall", &script.fall.to_string());
    }
    for instance in &settings.vrrp.instances {
        describe_instance(&mut out, instance);
        if let Some(notify) = settings.instance_notify.get(&instance.name) {
            scripts(&mut out, notify);
        }
    }
    for session in &settings.bfd.sessions {
        out.head("bfd instance", &session.name);
        out.line("neighbor_ip", &session.neighbor.to_string());
    }
    for group in &settings.vrrp.sync_groups {
        out.head("sync group", &group.name);
        out.line("members", &group.members.join(" "));
        if let Some(notify) = settings.group_notify.get(&group.name) {
            scripts(&mut out, notify);
        }
    }
    out.text
}

/// Indented lines under headings.
#[derive(Default)]
struct Lines {
    text: String,
}

impl Lines {
    fn head(&mut self, kind: &str, name: &str) {
        self.push(format_args!("{kind} {name}"));
    }

    fn line(&mut self, key: &str, value: &str) {
        self.push(format_args!("  {key} = {value}"));
    }

    fn push(&mut self, line: std::fmt::Arguments<'_>) {
        // Writing to a string cannot fail.
        if writeln!(self.text, "{line}").is_err() {
            self.text.push('\n');
        }
    }
}

fn global(out: &mut Lines, settings: &Settings) {
    let global = &settings.global;
    let named = |name: &Option<String>, otherwise: &str| {
        name.clone().unwrap_or_else(|| otherwise.to_owned())
    };
    out.push(format_args!("global"));
    out.line("router_id", &named(&global.router_id, "(host name)"));
    out.line(
        "enable_script_security",
        &global.enable_script_security.to_string(),
    );
    out.line(
        "process_name",
        &named(&global.processes.parent_name, "(as called)"),
    );
    out.line(
        "vrrp_process_name",
        &named(&global.processes.vrrp.name, "(as called)"),
    );
    out.line("instance", &named(&global.instance, "(none)"));
    out.line("use_pid_dir", &global.use_pid_dir.to_string());
    out.line(
        "child_wait_time",
        &format!("{}s", global.child_wait_time.as_secs()),
    );
    out.line("umask", &format!("{:04o}", global.umask));
    out.line("dynamic_interfaces", &global.dynamic_interfaces.to_string());
    out.line("json_version", &global.json_version.to_string());
    out.line("log_unknown_vrids", &global.log_unknown_vrids.to_string());
    out.line(
        "vrrp_garp_interval",
        &format!("{}s", settings.vrrp.garp_interval.as_secs_f64()),
    );
    out.line(
        "vrrp_gna_interval",
        &format!("{}s", settings.vrrp.gna_interval.as_secs_f64()),
    );
}

fn describe_instance(out: &mut Lines, instance: &InstanceSettings) {
    out.head("instance", &instance.name);
    let interface = instance.interface.as_ref();
    out.line(
        "interface",
        interface.map_or("(none)", |name| name.as_str()),
    );
    out.line("version", &instance.version.number().to_string());
    out.line("family", &instance.family.to_string());
    out.line("virtual_router_id", &instance.vrid.to_string());
    out.line("priority", &instance.priority.to_string());
    let state = match instance.state {
        InitialState::Backup => "BACKUP",
        InitialState::Master => "MASTER",
    };
    out.line("state", state);
    out.line(
        "advert_int",
        &format!("{}s", instance.advert_int.as_duration().as_secs_f64()),
    );
    out.line(
        "down_timer_adverts",
        &instance.down_timer_adverts.to_string(),
    );
    let preempt = match instance.preempt {
        Preempt::Immediately => "immediately".to_owned(),
        Preempt::Never => "never".to_owned(),
        Preempt::After(delay) => format!("after {}s", delay.as_secs_f64()),
    };
    out.line("preempt", &preempt);
    let authentication = match instance.authentication {
        Authentication::None => "none",
        Authentication::Pass(_) => "password ********",
        Authentication::Ah(_) => "AH ********",
        Authentication::Hmac(_) => "hmac ********",
    };
    out.line("authentication", authentication);
    let source = instance.mcast_src_ip.map_or_else(
        || "(first address of the interface)".to_owned(),
        |ip| ip.to_string(),
    );
    out.line("mcast_src_ip", &source);
    out.line("mcast_dst_ip", &instance.mcast_dst_ip.to_string());
    reach(out, instance);
    for vip in &instance.virtual_ipaddress {
        out.line("virtual_ipaddress", &address(vip));
    }
    for vip in &instance.virtual_ipaddress_excluded {
        out.line("virtual_ipaddress_excluded", &address(vip));
    }
    out.line(
        "dont_track_primary",
        &instance.dont_track_primary.to_string(),
    );
    for track in &instance.track_interface {
        out.line(
            "track_interface",
            &tracked(track.interface.as_str(), track.weight.get(), track.reverse),
        );
    }
    for track in &instance.track_script {
        out.line(
            "track_script",
            &tracked(&track.script, track.weight.get(), track.reverse),
        );
    }
    for (key, list) in [
        ("track_file", &instance.track_file),
        ("track_process", &instance.track_process),
        ("track_bfd", &instance.track_bfd),
    ] {
        for track in list {
            out.line(
                key,
                &tracked(&track.name, track.weight.get(), track.reverse),
            );
        }
    }
    let garp = &instance.garp;
    out.line("garp_master_delay", &format!("{}s", garp.master_delay));
    out.line("garp_master_repeat", &garp.master_repeat.to_string());
    out.line("garp_master_refresh", &format!("{}s", garp.master_refresh));
    out.line(
        "garp_master_refresh_repeat",
        &garp.master_refresh_repeat.to_string(),
    );
    out.line(
        "garp_lower_prio_delay",
        &format!("{}s", garp.lower_prio_delay),
    );
    out.line(
        "garp_lower_prio_repeat",
        &garp.lower_prio_repeat.to_string(),
    );
    out.line(
        "lower_prio_no_advert",
        &instance.lower_prio_no_advert.to_string(),
    );
    out.line(
        "higher_prio_send_advert",
        &instance.higher_prio_send_advert.to_string(),
    );
    out.line(
        "owner_ignore_adverts",
        &instance.owner_ignore_adverts.to_string(),
    );
    out.line(
        "skip_check_adv_addr",
        &instance.skip_check_adv_addr.to_string(),
    );
    out.line(
        "notify_priority_changes",
        &instance.notify_priority_changes.to_string(),
    );
}

/// Whom it talks to, and through what, where that is not the group and the interface.
fn reach(out: &mut Lines, instance: &InstanceSettings) {
    if let Some(unicast) = &instance.unicast {
        for peer in &unicast.peers {
            out.line(
                "unicast_peer",
                &format!(
                    "{} min_ttl {} max_ttl {}",
                    peer.address, peer.min_ttl, peer.max_ttl
                ),
            );
        }
        out.line("check_unicast_src", &unicast.check_source.to_string());
    }
    if let Some(vrf) = &instance.vrf {
        out.line("vrf", vrf.as_str());
    }
    if let Some(device) = &instance.virtual_interface {
        let kind = match device.kind {
            VirtualInterfaceKind::Macvlan { .. } => "use_vmac",
            VirtualInterfaceKind::Ipvlan { .. } => "use_ipvlan",
        };
        out.line(kind, device.name.as_str());
    }
    if let Some(why) = &instance.unusable {
        out.line("stays in FAULT", why);
    }
    out.line("accept", &instance.accept.to_string());
}

fn address(vip: &VirtualAddress) -> String {
    let mut text = format!("{} dev {}", vip.prefix, vip.interface);
    let mut add = |option: &str| {
        text.push(' ');
        text.push_str(option);
    };
    if vip.scope != 0 {
        add(&format!("scope {}", vip.scope));
    }
    if let Some(label) = &vip.label {
        add(&format!("label {label}"));
    }
    if let Some(broadcast) = vip.broadcast {
        add(&format!("brd {broadcast}"));
    }
    if let Some(peer) = vip.peer {
        add(&format!("peer {peer}"));
    }
    if let PreferredLifetime::Seconds(seconds) = vip.preferred_lft {
        add(&format!("preferred_lft {seconds}"));
    }
    let flags = [
        (vip.dad, "-nodad"),
        (vip.home, "home"),
        (vip.mngtmpaddr, "mngtmpaddr"),
        (vip.noprefixroute, "noprefixroute"),
        (vip.autojoin, "autojoin"),
        (vip.no_track, "no_track"),
    ];
    flags
        .iter()
        .filter(|(set, _)| *set)
        .for_each(|(_, name)| add(name));
    text
}

fn tracked(name: &str, weight: i16, reverse: bool) -> String {
    format!(
        "{name} weight {weight}{}",
        if reverse { " reverse" } else { "" }
    )
}

fn scripts(out: &mut Lines, notify: &Notify) {
    let deleted = match &notify.deleted {
        NotifyDeleted::AsFault => None,
        NotifyDeleted::AsDeleted(script) => Some(
            script
                .as_ref()
                .map_or_else(|| "(no script)".to_owned(), command),
        ),
    };
    let all = [
        ("notify_master", notify.master.as_ref().map(command)),
        ("notify_backup", notify.backup.as_ref().map(command)),
        ("notify_fault", notify.fault.as_ref().map(command)),
        ("notify_stop", notify.stop.as_ref().map(command)),
        ("notify_deleted", deleted),
        (
            "notify_master_rx_lower_pri",
            notify.master_rx_lower_pri.as_ref().map(command),
        ),
        ("notify", notify.any.as_ref().map(command)),
    ];
    for (key, script) in all {
        if let Some(script) = script {
            out.line(key, &script);
        }
    }
}

fn command(run: &Command) -> String {
    let words: Vec<_> = run.argv.iter().map(|word| format!("'{word}'")).collect();
    format!(
        "{} (file {}, user {}:{})",
        words.join(" "),
        run.path,
        run.user.uid,
        run.user.gid
    )
}
