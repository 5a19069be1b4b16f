//! `global_defs`, and the keywords that stand beside it.
//!
//! What `global_defs` says about all instances at once is written in each of them instead.

use lvs::settings::global::{FlushOnStop, SyncDaemon, Timeouts};
use vrrp::settings::global::GlobalSettings;

use super::page::{CommandLine, Page, User, Word};
use crate::settings::Settings;
use crate::settings::global::{
    AdvertBuffer, AdvertBufferPolicy, AutoPriority, Buffers, BusyFile, Dbus, Fifo, Fifos, Files,
    Firewall, Global, IpsetNames, Ipsets, IpvsNamespace, Mail, Namespaces, Process, Processes,
    ReceiveBuffer, Reload, Scripts, Snmp, TimedCommand,
};

/// Everything that no block of its own stands for.
pub(super) fn write(page: &mut Page, settings: &Settings) {
    let Global {
        router_id,
        instance,
        use_pid_dir,
        child_wait_time,
        umask,
        enable_script_security,
        dynamic_interfaces,
        allow_if_changes,
        default_interface,
        disable_local_igmp,
        json_version,
        log_unknown_vrids,
        vmac_names,
        processes,
        namespaces,
        scripts,
        mail,
        fifos,
        snmp,
        dbus,
        firewall,
        buffers,
        reload,
        files,
    } = &settings.global;
    let usual = Global::default();
    let GlobalSettings {
        linkbeat_use_polling,
        ..
    } = settings.vrrp.global;
    page.word("instance", instance.as_deref());
    page.flag("use_pid_dir", *use_pid_dir);
    page.value("child_wait_time", child_wait_time.as_secs());
    page.flag("linkbeat_use_polling", linkbeat_use_polling);
    of_namespaces(page, namespaces);
    page.block("global_defs", |page| {
        page.word("router_id", router_id.as_deref());
        page.value("umask", format_args!("0{umask:o}"));
        match (dynamic_interfaces, allow_if_changes) {
            (true, true) => page.line("dynamic_interfaces allow_if_changes"),
            (true, false) => page.line("dynamic_interfaces"),
            (false, _) => {}
        }
        page.word("default_interface", Some(default_interface));
        page.flag("disable_local_igmp", *disable_local_igmp);
        page.option("json_version", not_usual(json_version, &usual.json_version));
        page.flag("log_unknown_vrids", *log_unknown_vrids);
        page.word("vmac_prefix", Some(&vmac_names.instances));
        page.word("vmac_addr_prefix", Some(&vmac_names.addresses));
        of_processes(page, processes);
        of_mail(page, mail);
        of_snmp(page, snmp);
        of_dbus(page, dbus);
        of_firewall(page, firewall);
        of_buffers(page, buffers);
        of_reload(page, reload);
        of_files(page, files);
        of_instances(page, settings);
        of_servers(page, &settings.lvs.global);
        of_scripts(page, scripts);
        of_fifos(page, fifos);
        // Behind the scripts: those of nobody in particular are judged when they are met.
        page.flag("enable_script_security", *enable_script_security);
    });
}

/// A value that is not the usual one. What a build of keepalived may know nothing of is not spelled out without need:
/// SNMP, D-Bus, JSON, BFD and ipsets.
fn not_usual<'a, T: PartialEq + ?Sized>(value: &'a T, usual: &T) -> Option<&'a T> {
    Some(value).filter(|value| *value != usual)
}

fn of_namespaces(page: &mut Page, namespaces: &Namespaces) {
    let Namespaces {
        network,
        ipvs,
        with_ipsets,
    } = namespaces;
    page.word("net_namespace", network.as_deref());
    match ipvs {
        IpvsNamespace::SameAsDaemon => {}
        IpvsNamespace::Initial => page.line("net_namespace_ipvs"),
        IpvsNamespace::Named(name) => page.word("net_namespace_ipvs", Some(name)),
    }
    page.flag("namespace_with_ipsets", *with_ipsets);
}

fn of_processes(page: &mut Page, processes: &Processes) {
    let Processes {
        parent_name,
        vrrp,
        checker,
        bfd,
        max_auto_priority,
        min_auto_priority_delay,
    } = processes;
    page.word("process_name", parent_name.as_deref());
    for (child, process) in [("vrrp", vrrp), ("checker", checker), ("bfd", bfd)] {
        let Process {
            name,
            nice,
            no_swap,
            realtime,
            cpus,
            rttime_limit,
        } = process;
        page.word(&format!("{child}_process_name"), name.as_deref());
        if child == "bfd" && *process == Process::default() {
            continue;
        }
        page.value(&format!("{child}_priority"), nice);
        page.flag(&format!("{child}_no_swap"), *no_swap);
        page.option(&format!("{child}_rt_priority"), realtime.as_ref());
        if !cpus.is_empty() {
            let cpus: Vec<String> = cpus.iter().map(ToString::to_string).collect();
            page.value(&format!("{child}_cpu_affinity"), cpus.join(" "));
        }
        // 0 is refused, and that is how no limit came about.
        let micros = rttime_limit.map_or(0, |limit| limit.as_micros());
        page.value(&format!("{child}_rlimit_rttime"), micros);
    }
    let most = match max_auto_priority {
        AutoPriority::Off => 0,
        AutoPriority::OffAndQuiet => -1,
        AutoPriority::UpTo(most) => i16::from(*most),
    };
    page.value("max_auto_priority", most);
    page.value(
        "min_auto_priority_delay",
        min_auto_priority_delay.as_micros(),
    );
}

fn of_mail(page: &mut Page, mail: &Mail) {
    let Mail {
        server,
        helo_name,
        connect_timeout,
        from,
        to,
        alert,
        alert_vrrp,
        alert_checker,
        no_faults,
        no_checkers,
    } = mail;
    if let Some(server) = server {
        let port = server.address.port();
        page.value("smtp_server", format_args!("{} {port}", Word(&server.host)));
    }
    page.word("smtp_helo_name", helo_name.as_deref());
    page.value("smtp_connect_timeout", connect_timeout.as_secs());
    let from = from.as_deref().map(mailbox_as_written);
    page.word("notification_email_from", from.as_deref());
    let to: Vec<String> = to.iter().map(|text| mailbox_as_written(text)).collect();
    page.list("notification_email", to.iter().map(|text| Word(text)));
    for (name, on) in [
        ("smtp_alert", alert),
        ("smtp_alert_vrrp", alert_vrrp),
        ("smtp_alert_checker", alert_checker),
    ] {
        if let Some(on) = on {
            page.switch(name, *on);
        }
    }
    page.flag("no_email_faults", *no_faults);
    page.switch("no_checker_emails", *no_checkers);
}

/// A mailbox without the quotes that a header needs around its display name: the file cannot hold any.
fn mailbox_as_written(text: &str) -> String {
    let Some((quoted, address)) = text
        .strip_prefix('"')
        .and_then(|rest| rest.rsplit_once("\" <"))
    else {
        return text.to_owned();
    };
    let mut name = String::new();
    let mut characters = quoted.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => name.extend(characters.next()),
            other => name.push(other),
        }
    }
    format!("{name} <{address}")
}

fn of_snmp(page: &mut Page, snmp: &Snmp) {
    let Snmp {
        socket,
        traps,
        vrrp,
        checker,
        rfc2787,
        rfc6527,
        virtual_server_interval,
        real_server_interval,
    } = snmp;
    page.word("snmp_socket", socket.as_deref());
    page.flag("enable_traps", *traps);
    page.flag("enable_snmp_vrrp", *vrrp);
    page.flag("enable_snmp_checker", *checker);
    page.flag("enable_snmp_rfcv2", *rfc2787);
    page.flag("enable_snmp_rfcv3", *rfc6527);
    let usual = Snmp::default();
    if snmp.virtual_server_interval != usual.virtual_server_interval
        || snmp.real_server_interval != usual.real_server_interval
    {
        page.seconds("snmp_vs_stats_update_interval", *virtual_server_interval);
        page.seconds("snmp_rs_stats_update_interval", *real_server_interval);
    }
}

fn of_dbus(page: &mut Page, dbus: &Dbus) {
    let Dbus {
        enabled,
        service_name,
        no_interface_name,
    } = dbus;
    page.flag("enable_dbus", *enabled);
    let usual = Dbus::default();
    page.word(
        "dbus_service_name",
        not_usual(service_name.as_str(), &usual.service_name),
    );
    page.word("dbus_no_interface_name", no_interface_name.as_deref());
}

fn of_firewall(page: &mut Page, firewall: &Firewall) {
    let Firewall {
        nftables,
        nftables_priority,
        nftables_ifindex,
        nftables_counters,
        iptables,
        ipsets,
    } = firewall;
    // The table first: it resets the priority.
    page.word("nftables", nftables.as_deref());
    page.value("nftables_priority", nftables_priority);
    page.flag("nftables_ifindex", *nftables_ifindex);
    page.flag("nftables_counters", *nftables_counters);
    if let Some(chains) = iptables {
        let names = [Some(&chains.input), chains.output.as_ref()];
        page.words("vrrp_iptables", names.into_iter().flatten());
    }
    match ipsets {
        usual if *usual == Ipsets::default() => {}
        Ipsets::Off => page.line("vrrp_ipsets"),
        Ipsets::Named(names) => page.words("vrrp_ipsets", set_names(names)),
    }
}

/// The names of sets as far as they do not follow from the first one: those may be longer than what can be written.
fn set_names(names: &IpsetNames) -> Vec<&String> {
    fn all(names: &IpsetNames) -> [&String; 6] {
        let IpsetNames {
            address4,
            address6,
            interface6,
            igmp,
            mld,
            nd,
        } = names;
        [address4, address6, interface6, igmp, mld, nd]
    }
    let derived = IpsetNames::derived_from(&names.address4);
    let mut written = all(names).to_vec();
    for (name, derived) in all(names).iter().zip(all(&derived)).skip(1).rev() {
        if *name != derived {
            break;
        }
        written.pop();
    }
    written
}

fn of_buffers(page: &mut Page, buffers: &Buffers) {
    let Buffers {
        vrrp_netlink_cmd,
        vrrp_netlink_monitor,
        lvs_netlink_cmd,
        lvs_netlink_monitor,
        process_monitor,
        adverts,
    } = buffers;
    for (name, buffer) in [
        ("vrrp_netlink_cmd", vrrp_netlink_cmd),
        ("vrrp_netlink_monitor", vrrp_netlink_monitor),
        ("lvs_netlink_cmd", lvs_netlink_cmd),
        ("lvs_netlink_monitor", lvs_netlink_monitor),
        ("process_monitor", process_monitor),
    ] {
        let ReceiveBuffer { size, force } = buffer;
        page.value(&format!("{name}_rcv_bufs"), size);
        page.switch(&format!("{name}_rcv_bufs_force"), *force);
    }
    let AdvertBuffer { policy, multiplier } = adverts;
    match policy {
        AdvertBufferPolicy::System => {}
        AdvertBufferPolicy::Mtu => page.line("vrrp_rx_bufs_policy MTU"),
        AdvertBufferPolicy::Advert => page.line("vrrp_rx_bufs_policy ADVERT"),
        AdvertBufferPolicy::Bytes(bytes) => page.value("vrrp_rx_bufs_policy", bytes),
    }
    page.value("vrrp_rx_bufs_multiplier", multiplier);
}

fn of_reload(page: &mut Page, reload: &Reload) {
    let Reload {
        check_config,
        time_file,
        repeat,
        busy_file,
    } = reload;
    page.word("reload_check_config", check_config.as_deref());
    page.word("reload_time_file", time_file.as_deref());
    page.flag("reload_repeat", *repeat);
    match busy_file {
        None => {}
        Some(BusyFile::BesidePidFiles) => page.line("reload_file"),
        Some(BusyFile::At(path)) => page.word("reload_file", Some(path)),
    }
}

fn of_files(page: &mut Page, files: &Files) {
    let Files {
        state_dump,
        stats_dump,
        json_dump,
        dumps_carry_instance,
        config_save_dir,
        tmp_config_directory,
        iproute_usr_dir,
        iproute_etc_dir,
    } = files;
    page.word("state_dump_file", state_dump.as_deref());
    page.word("stats_dump_file", stats_dump.as_deref());
    page.word("json_dump_file", json_dump.as_deref());
    page.switch("data_use_instance", *dumps_carry_instance);
    page.word("config_save_dir", config_save_dir.as_deref());
    page.word("tmp_config_directory", tmp_config_directory.as_deref());
    page.word("iproute_usr_dir", iproute_usr_dir.as_deref());
    page.word("iproute_etc_dir", iproute_etc_dir.as_deref());
}

/// What concerns the VRRP core as a whole.
fn of_instances(page: &mut Page, settings: &Settings) {
    let GlobalSettings {
        startup_delay,
        delay_after_boot,
        // Said together with dynamic_interfaces.
        allow_if_changes: _,
        // It stands outside of the block.
        linkbeat_use_polling: _,
    } = settings.vrrp.global;
    // A time of 0 is the absence of the keyword.
    for (name, time) in [
        ("vrrp_startup_delay", startup_delay),
        ("vrrp_delay_after_boot", delay_after_boot),
        ("vrrp_garp_interval", settings.vrrp.garp_interval),
        ("vrrp_gna_interval", settings.vrrp.gna_interval),
    ] {
        if !time.is_zero() {
            page.seconds(name, time);
        }
    }
    let [group4, group6] = super::vrrp::global_groups(settings);
    page.option("vrrp_mcast_group4", group4);
    page.option("vrrp_mcast_group6", group6);
}

/// What concerns all virtual servers together.
fn of_servers(page: &mut Page, global: &lvs::settings::global::GlobalSettings) {
    let lvs::settings::global::GlobalSettings {
        timeouts,
        flush,
        flush_on_stop,
        sync_daemon,
        nftables,
        rs_init_notifies,
        log_all_failures,
    } = global;
    let Timeouts { tcp, tcpfin, udp } = timeouts;
    let timeouts: Vec<String> = [("tcp", tcp), ("tcpfin", tcpfin), ("udp", udp)]
        .into_iter()
        .filter_map(|(name, time)| Some(format!("{name} {}", time.as_ref()?.as_secs())))
        .collect();
    if !timeouts.is_empty() {
        page.value("lvs_timeouts", timeouts.join(" "));
    }
    page.flag("lvs_flush", *flush);
    match flush_on_stop {
        FlushOnStop::No => {}
        FlushOnStop::Everything => page.line("lvs_flush_on_stop"),
        FlushOnStop::VirtualServers => page.line("lvs_flush_on_stop VS"),
    }
    if let Some(daemon) = sync_daemon {
        page.value("lvs_sync_daemon", sync_daemon_line(daemon));
    }
    // The table first: it resets the mark.
    page.word("nftables_ipvs", nftables.table.as_deref());
    page.value("nftables_ipvs_priority", nftables.priority);
    page.value("nftables_ipvs_start_fwmark", nftables.start_fwmark);
    page.switch("rs_init_notifies", *rs_init_notifies);
    page.switch("checker_log_all_failures", *log_all_failures);
}

fn sync_daemon_line(daemon: &SyncDaemon) -> String {
    let SyncDaemon {
        interface,
        instance,
        id,
        maxlen,
        port,
        ttl,
        group,
    } = daemon;
    let mut line = Word(interface.as_str()).to_string();
    if let Some(name) = instance {
        line += &format!(" inst {}", Word(name));
    }
    line += &format!(" id {id}");
    let options = [
        ("maxlen", maxlen.map(u32::from)),
        ("port", port.map(u32::from)),
        ("ttl", ttl.map(u32::from)),
    ];
    for (name, number) in options {
        if let Some(number) = number {
            line += &format!(" {name} {number}");
        }
    }
    if let Some(group) = group {
        line += &format!(" group {group}");
    }
    line
}

fn of_scripts(page: &mut Page, scripts: &Scripts) {
    let Scripts {
        use_symlink_paths,
        startup,
        shutdown,
    } = scripts;
    page.switch("use_symlink_paths", *use_symlink_paths);
    for (name, script) in [("startup", startup), ("shutdown", shutdown)] {
        if let Some(TimedCommand { command, timeout }) = script {
            page.command(&format!("{name}_script"), Some(command));
            page.value(&format!("{name}_script_timeout"), timeout.as_secs());
        }
    }
}

fn of_fifos(page: &mut Page, fifos: &Fifos) {
    let Fifos {
        all,
        vrrp,
        lvs,
        vrrp_states_on_reload,
    } = fifos;
    for (prefix, fifo) in [("", all), ("vrrp_", vrrp), ("lvs_", lvs)] {
        if let Some(fifo) = fifo {
            of_fifo(page, prefix, fifo);
        }
    }
    page.flag("fifo_write_vrrp_states_on_reload", *vrrp_states_on_reload);
}

fn of_fifo(page: &mut Page, prefix: &str, fifo: &Fifo) {
    let Fifo {
        path,
        owner,
        reader,
    } = fifo;
    let owner = owner.iter().flat_map(|owner| {
        let group = owner.group.as_ref();
        [Some(&owner.user), group].into_iter().flatten()
    });
    let words = std::iter::once(path).chain(owner);
    page.words(&format!("{prefix}notify_fifo"), words);
    if let Some(reader) = reader {
        // The last argument is the path of the FIFO, which nobody wrote.
        let argv = reader.argv.split_last().map_or(&[][..], |(_, argv)| argv);
        let command = CommandLine(argv);
        let name = format!("{prefix}notify_fifo_script");
        page.line(format_args!("{name} {command}{}", User(&reader.user)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mailboxes_lose_the_quotes_of_a_header() {
        for (header, written) in [
            ("a@example.com", "a@example.com"),
            ("Some One <a@example.com>", "Some One <a@example.com>"),
            ("\"J. Doe\" <j@example.com>", "J. Doe <j@example.com>"),
            ("\"a\\\\b\" <j@example.com>", "a\\b <j@example.com>"),
        ] {
            assert_eq!(mailbox_as_written(header), written);
        }
    }

    #[test]
    fn names_of_sets_that_follow_are_not_written() {
        let mut names = IpsetNames::derived_from("a");
        assert_eq!(set_names(&names), ["a"]);
        names.igmp = "b".into();
        assert_eq!(set_names(&names), ["a", "a6", "a_if6", "b"]);
    }
}
