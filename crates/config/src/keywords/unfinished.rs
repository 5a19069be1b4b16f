//! Keywords of keepalived that evervip does not act on yet: accepted, their blocks read for mistakes and stepped over.
//!
//! A keyword leaves this table by getting an acting row in its block's file.

use super::arguments::Needs::{self, Argument, Nothing, Optional};
use super::arguments::with_needs;
use super::{Keyword, PENDING, REFUSES, Role, pending};

const fn row(
    blocks: &'static [&'static str],
    name: &'static str,
    arguments: &'static str,
    needs: Needs,
    role: Role,
) -> Keyword {
    Keyword {
        blocks,
        name,
        arguments: with_needs(arguments, needs),
        help: "not acted on yet",
        role,
        pending: PENDING,
        ..super::ROW
    }
}

const fn value(
    blocks: &'static [&'static str],
    name: &'static str,
    arguments: &'static str,
    needs: Needs,
) -> Keyword {
    row(blocks, name, arguments, needs, Role::Ignored)
}

const fn block(
    blocks: &'static [&'static str],
    name: &'static str,
    arguments: &'static str,
    needs: Needs,
) -> Keyword {
    let role = Role::Block {
        open: |_, _| true,
        close: |_, _| {},
    };
    row(blocks, name, arguments, needs, role)
}

const fn list(
    blocks: &'static [&'static str],
    name: &'static str,
    arguments: &'static str,
    needs: Needs,
) -> Keyword {
    row(blocks, name, arguments, needs, Role::List(|_, _| {}))
}

impl Keyword {
    /// Says what happens instead.
    const fn effect(mut self, effect: &'static str) -> Self {
        self.pending = pending(effect);
        self
    }

    /// An instance with it is left out.
    const fn refuses(mut self) -> Self {
        self.pending = REFUSES;
        self
    }

    /// keepalived reports it as an old spelling of another keyword.
    const fn deprecated(mut self, instead: &'static str) -> Self {
        self.deprecated = Some(instead);
        self
    }
}

/// One line per keyword, however long, in the order of the blocks.
#[rustfmt::skip]
pub(super) const KEYWORDS: &[Keyword] = &[
    value(&[""], "linkbeat_use_polling", "", Nothing),
    value(&[""], "net_namespace", "NAME", Optional).effect("evervip runs in the network namespace it was started in"),
    value(&[""], "net_namespace_ipvs", "[NAME]", Optional),
    value(&[""], "namespace_with_ipsets", "", Nothing),
    block(&[""], "track_group", "NAME {block}", Optional),
    list(&[""], "static_ipaddress", "{ADDR[/PREFIX] [address options]...}", Nothing).effect("the addresses are not added"),
    list(&[""], "static_routes", "{route...}", Nothing).effect("the routes are not made"),
    list(&[""], "static_rules", "{rule...}", Nothing).effect("the rules are not made"),
    block(&[""], "garp_group", "{block}", Nothing).effect("the limits do not apply"),
    list(&[""], "linkbeat_interfaces", "{IFNAME [MII|ETHTOOL|IOCTL]...}", Nothing),
    block(&[""], "vrrp_track_process", "NAME {block}", Argument),
    list(&[""], "interface_up_down_delays", "{IFNAME DOWN [UP]...}", Nothing),
    block(&[""], "bfd_instance", "NAME {block}", Argument),
    block(&[""], "track_file", "NAME {block}", Argument),
    block(&[""], "vrrp_track_file", "NAME {block}", Argument),
    value(&["global_defs"], "checker_process_name", "NAME", Argument),
    value(&["global_defs"], "lvs_process_name", "NAME", Argument),
    value(&["global_defs"], "bfd_process_name", "NAME", Argument),
    value(&["global_defs"], "notification_email_from", "ADDR", Optional),
    value(&["global_defs"], "smtp_server", "ADDR|HOSTNAME [PORT]", Argument),
    value(&["global_defs"], "smtp_helo_name", "STRING", Optional),
    value(&["global_defs"], "smtp_connect_timeout", "INT", Argument),
    list(&["global_defs"], "notification_email", "{ADDR...}", Nothing),
    value(&["global_defs"], "smtp_alert", "[BOOL]", Optional),
    value(&["global_defs"], "startup_script", "COMMAND [USER [[:][GROUP]]]", Optional),
    value(&["global_defs"], "startup_script_timeout", "INT", Optional),
    value(&["global_defs"], "shutdown_script", "COMMAND [USER [[:][GROUP]]]", Optional),
    value(&["global_defs"], "shutdown_script_timeout", "INT", Optional),
    value(&["global_defs"], "max_auto_priority", "[INT]", Optional),
    value(&["global_defs"], "min_auto_priority_delay", "INT", Optional),
    value(&["global_defs"], "smtp_alert_vrrp", "[BOOL]", Optional),
    value(&["global_defs"], "smtp_alert_checker", "[BOOL]", Optional),
    value(&["global_defs"], "checker_log_all_failures", "[BOOL]", Optional),
    value(&["global_defs"], "no_email_faults", "", Nothing),
    value(&["global_defs"], "disable_local_igmp", "", Nothing),
    value(&["global_defs"], "v3_checksum_as_v2", "", Nothing).effect("checksums of VRRPv3 cover the pseudo header, as the RFC demands"),
    value(&["global_defs"], "lvs_timeouts", "[tcp INT] [tcpfin INT] [udp INT]", Optional),
    value(&["global_defs"], "lvs_flush", "", Nothing),
    value(&["global_defs"], "lvs_flush_on_stop", "[VS]", Optional),
    value(&["global_defs"], "lvs_flush_onstop", "[VS]", Optional),
    value(&["global_defs"], "lvs_sync_daemon", "IFNAME [[inst] NAME] [id INT] [maxlen INT] [port INT] [ttl INT] [group ADDR]", Optional),
    value(&["global_defs"], "vrrp_garp_extra_if", "[all] INT", Optional),
    value(&["global_defs"], "vrrp_vmac_garp_intvl", "[all] INT", Optional).deprecated("vrrp_garp_extra_if"),
    value(&["global_defs"], "vrrp_iptables", "[INCHAIN [OUTCHAIN]]", Optional),
    value(&["global_defs"], "vrrp_ipsets", "[ADDR4 [ADDR6 [IF6 [IGMP [MLD [ND]]]]]]", Optional),
    value(&["global_defs"], "nftables", "[TABLE]", Optional),
    value(&["global_defs"], "nftables_priority", "INT", Argument),
    value(&["global_defs"], "nftables_ifindex", "", Nothing),
    value(&["global_defs"], "vrrp_check_unicast_src", "", Nothing),
    value(&["global_defs"], "vrrp_priority", "INT", Optional),
    value(&["global_defs"], "vrrp_no_swap", "", Nothing),
    value(&["global_defs"], "vrrp_rt_priority", "INT", Optional),
    value(&["global_defs"], "vrrp_cpu_affinity", "INT [INT...]", Optional),
    value(&["global_defs"], "vrrp_rlimit_rttime", "INT", Argument),
    value(&["global_defs"], "vrrp_rlimit_rtime", "INT", Argument),
    value(&["global_defs"], "checker_priority", "INT", Optional),
    value(&["global_defs"], "checker_no_swap", "", Nothing),
    value(&["global_defs"], "checker_rt_priority", "INT", Optional),
    value(&["global_defs"], "checker_cpu_affinity", "INT [INT...]", Optional),
    value(&["global_defs"], "checker_rlimit_rttime", "INT", Argument),
    value(&["global_defs"], "checker_rlimit_rtime", "INT", Argument),
    value(&["global_defs"], "bfd_priority", "INT", Optional),
    value(&["global_defs"], "bfd_no_swap", "", Nothing),
    value(&["global_defs"], "bfd_rt_priority", "INT", Optional),
    value(&["global_defs"], "bfd_cpu_affinity", "INT [INT...]", Optional),
    value(&["global_defs"], "bfd_rlimit_rttime", "INT", Argument),
    value(&["global_defs"], "bfd_rlimit_rtime", "INT", Argument),
    value(&["global_defs"], "nftables_ipvs", "[TABLE]", Optional),
    value(&["global_defs"], "nftables_ipvs_priority", "INT", Argument),
    value(&["global_defs"], "nftables_ipvs_start_fwmark", "INT", Argument),
    value(&["global_defs"], "nftables_counters", "", Nothing),
    value(&["global_defs"], "notify_fifo", "PATH [USER [GROUP]]", Optional).effect("nothing is written to a FIFO"),
    value(&["global_defs"], "notify_fifo_script", "COMMAND [USER [[:][GROUP]]]", Optional),
    value(&["global_defs"], "vrrp_notify_fifo", "PATH [USER [GROUP]]", Optional).effect("nothing is written to a FIFO"),
    value(&["global_defs"], "vrrp_notify_fifo_script", "COMMAND [USER [[:][GROUP]]]", Optional),
    value(&["global_defs"], "lvs_notify_fifo", "PATH [USER [GROUP]]", Optional),
    value(&["global_defs"], "lvs_notify_fifo_script", "COMMAND [USER [[:][GROUP]]]", Optional),
    value(&["global_defs"], "fifo_write_vrrp_states_on_reload", "", Nothing),
    value(&["global_defs"], "snmp_socket", "ADDR", Optional),
    value(&["global_defs"], "enable_traps", "", Nothing),
    value(&["global_defs"], "enable_snmp_vrrp", "", Nothing),
    value(&["global_defs"], "enable_snmp_keepalived", "", Nothing),
    value(&["global_defs"], "enable_snmp_rfc", "", Nothing),
    value(&["global_defs"], "enable_snmp_rfcv2", "", Nothing),
    value(&["global_defs"], "enable_snmp_rfcv3", "", Nothing),
    value(&["global_defs"], "enable_snmp_checker", "", Nothing),
    value(&["global_defs"], "snmp_vs_stats_update_interval", "DECIMAL", Argument),
    value(&["global_defs"], "snmp_rs_stats_update_interval", "DECIMAL", Argument),
    value(&["global_defs"], "enable_dbus", "", Nothing),
    value(&["global_defs"], "dbus_service_name", "NAME", Optional),
    value(&["global_defs"], "dbus_no_interface_name", "NAME", Optional),
    value(&["global_defs"], "vrrp_netlink_cmd_rcv_bufs", "INT", Optional),
    value(&["global_defs"], "vrrp_netlink_cmd_rcv_bufs_force", "[BOOL]", Optional),
    value(&["global_defs"], "vrrp_netlink_monitor_rcv_bufs", "INT", Optional),
    value(&["global_defs"], "vrrp_netlink_monitor_rcv_bufs_force", "[BOOL]", Optional),
    value(&["global_defs"], "process_monitor_rcv_bufs", "INT", Optional),
    value(&["global_defs"], "process_monitor_rcv_bufs_force", "[BOOL]", Optional),
    value(&["global_defs"], "lvs_netlink_cmd_rcv_bufs", "INT", Optional),
    value(&["global_defs"], "lvs_netlink_cmd_rcv_bufs_force", "[BOOL]", Optional),
    value(&["global_defs"], "lvs_netlink_monitor_rcv_bufs", "INT", Optional),
    value(&["global_defs"], "lvs_netlink_monitor_rcv_bufs_force", "[BOOL]", Optional),
    value(&["global_defs"], "rs_init_notifies", "[BOOL]", Optional),
    value(&["global_defs"], "no_checker_emails", "[BOOL]", Optional),
    value(&["global_defs"], "vrrp_rx_bufs_policy", "MTU|ADVERT|INT...", Optional),
    value(&["global_defs"], "vrrp_rx_bufs_multiplier", "INT", Optional),
    value(&["global_defs"], "vrrp_startup_delay", "DECIMAL", Argument).effect("instances start at once"),
    value(&["global_defs"], "vrrp_delay_after_boot", "DECIMAL", Argument).effect("instances start at once"),
    value(&["global_defs"], "vmac_prefix", "STRING", Argument),
    value(&["global_defs"], "vmac_addr_prefix", "STRING", Argument),
    value(&["global_defs"], "reload_check_config", "[PATH]", Optional),
    value(&["global_defs"], "reload_time_file", "PATH", Optional),
    value(&["global_defs"], "reload_repeat", "", Nothing),
    value(&["global_defs"], "reload_file", "[PATH]", Optional),
    value(&["global_defs"], "config_save_dir", "PATH", Argument),
    value(&["global_defs"], "tmp_config_directory", "PATH", Optional),
    value(&["global_defs"], "data_use_instance", "[BOOL]", Optional),
    value(&["global_defs"], "iproute_usr_dir", "PATH", Optional),
    value(&["global_defs"], "iproute_etc_dir", "PATH", Optional),
    value(&["global_defs"], "state_dump_file", "PATH", Optional),
    value(&["global_defs"], "stats_dump_file", "PATH", Optional),
    value(&["global_defs"], "json_dump_file", "PATH", Optional),
    list(&["track_group"], "group", "{INSTANCE...}", Nothing),
    list(&["vrrp_sync_group"], "track_file", "{NAME [weight INT [reverse|noreverse]]...}", Nothing).effect("the file is not watched: its content changes nothing"),
    list(&["vrrp_sync_group"], "track_process", "{NAME [weight INT [reverse|noreverse]]...}", Nothing).effect("the processes are not watched: their end changes nothing"),
    list(&["vrrp_sync_group"], "track_bfd", "{NAME [weight INT [reverse|noreverse]]...}", Nothing).effect("the session is not run: its loss changes nothing"),
    value(&["vrrp_sync_group"], "smtp_alert", "[BOOL]", Optional).effect("no mail is sent"),
    value(&["garp_group"], "garp_interval", "DECIMAL", Argument),
    value(&["garp_group"], "gna_interval", "DECIMAL", Argument),
    value(&["garp_group"], "interface", "IFNAME", Argument),
    list(&["garp_group"], "interfaces", "{IFNAME...}", Nothing),
    value(&["vrrp_instance"], "use_vmac", "[[name] IFNAME] [MAC] [netlink_notify_msg] [group GROUP]", Optional).effect("the instance runs on its interface itself, with the MAC address of that interface"),
    value(&["vrrp_instance"], "use_vmac_addr", "", Nothing),
    value(&["vrrp_instance"], "vmac_xmit_base", "", Nothing),
    value(&["vrrp_instance"], "use_ipvlan", "[[name] IFNAME] [ADDR[/PREFIX]] [bridge|private|vepa] [group GROUP]", Optional).effect("the instance runs on its interface itself"),
    list(&["vrrp_instance"], "unicast_peer", "{ADDR [min_ttl INT] [max_ttl INT]...}", Nothing).refuses(),
    value(&["vrrp_instance"], "unicast_fault_no_peer", "", Nothing),
    value(&["vrrp_instance"], "check_unicast_src", "", Nothing),
    value(&["vrrp_instance"], "old_unicast_checksum", "[never]", Optional),
    value(&["vrrp_instance"], "vrf", "IFNAME", Argument).effect("the instance runs on its interface, whatever the VRF"),
    list(&["vrrp_instance"], "track_file", "{NAME [weight INT [reverse|noreverse]]...}", Nothing).effect("the file is not watched: its content changes nothing"),
    list(&["vrrp_instance"], "track_process", "{NAME [weight INT [reverse|noreverse]]...}", Nothing).effect("the processes are not watched: their end changes nothing"),
    list(&["vrrp_instance"], "track_bfd", "{NAME [weight INT [reverse|noreverse]]...}", Nothing).effect("the session is not run: its loss changes nothing"),
    value(&["vrrp_instance"], "track_src_ip", "", Nothing).effect("the loss of the source address changes nothing"),
    value(&["vrrp_instance"], "unicast_ttl", "INT", Argument),
    value(&["vrrp_instance"], "promote_secondaries", "", Nothing),
    value(&["vrrp_instance"], "linkbeat_use_polling", "", Nothing).deprecated("linkbeat_interfaces"),
    value(&["vrrp_instance"], "v3_checksum_as_v2", "[BOOL]", Optional).effect("checksums of VRRPv3 cover the pseudo header, as the RFC demands"),
    list(&["vrrp_instance"], "virtual_routes", "{route...}", Nothing).effect("the routes are not made"),
    list(&["vrrp_instance"], "virtual_rules", "{rule...}", Nothing).effect("the rules are not made"),
    value(&["vrrp_instance"], "no_accept", "", Nothing).effect("packets to the virtual addresses are accepted: no firewall rule is made"),
    value(&["vrrp_instance"], "smtp_alert", "[BOOL]", Optional).effect("no mail is sent"),
    value(&["vrrp_instance"], "lvs_sync_daemon_interface", "IFNAME", Argument).deprecated("lvs_sync_daemon"),
    value(&["vrrp_instance"], "timer_expired_backup", "[INT]", Optional).effect("a master that was stopped for long goes on as master"),
    value(&["vrrp_instance"], "thread_timer_expired", "[INT]", Optional).deprecated("timer_expired_backup"),
    value(&["vrrp_instance"], "garp_extra_if", "[all] INT", Optional),
    value(&["vrrp_instance"], "vmac_garp_intvl", "[all] INT", Optional).deprecated("garp_extra_if"),
    value(&["vrrp_instance"], "kernel_rx_buf_size", "INT", Optional),
    block(&["vrrp_instance"], "auth_hmac", "{block}", Nothing).refuses(),
    value(&["vrrp_instance/auth_hmac"], "key", "INT SECRET|hex:HEX|file:PATH", Optional),
    value(&["vrrp_instance/auth_hmac"], "active_key", "INT", Argument),
    value(&["vrrp_instance/auth_hmac"], "time_window", "INT", Argument),
    value(&["vrrp_instance/auth_hmac"], "anti_replay", "time|monotonic", Argument),
    value(&["vrrp_instance/auth_hmac"], "mode", "enforce|permissive|receive-only", Argument),
    value(&["vrrp_track_process"], "process", "STRING [STRING...]", Argument),
    value(&["vrrp_track_process"], "param_match", "[initial|partial]", Optional),
    value(&["vrrp_track_process"], "weight", "INT [reverse]", Optional),
    value(&["vrrp_track_process"], "quorum", "INT", Argument),
    value(&["vrrp_track_process"], "quorum_max", "INT", Argument),
    value(&["vrrp_track_process"], "delay", "DECIMAL", Argument),
    value(&["vrrp_track_process"], "terminate_delay", "DECIMAL", Argument),
    value(&["vrrp_track_process"], "fork_delay", "DECIMAL", Argument),
    value(&["vrrp_track_process"], "full_command", "", Nothing),
    value(&["track_file"], "file", "PATH", Optional),
    value(&["track_file"], "weight", "INT [reverse]", Optional),
    value(&["track_file"], "init_file", "[INT] [overwrite]", Optional),
    value(&["vrrp_track_file"], "file", "PATH", Optional),
    value(&["vrrp_track_file"], "weight", "INT [reverse]", Optional),
    value(&["vrrp_track_file"], "init_file", "[INT] [overwrite]", Optional),
    value(&["bfd_instance"], "source_ip", "ADDR", Argument),
    value(&["bfd_instance"], "neighbor_ip", "ADDR", Optional),
    value(&["bfd_instance"], "neighbour_ip", "ADDR", Argument),
    value(&["bfd_instance"], "min_rx", "DECIMAL", Argument),
    value(&["bfd_instance"], "min_tx", "DECIMAL", Argument),
    value(&["bfd_instance"], "idle_tx", "DECIMAL", Argument),
    value(&["bfd_instance"], "multiplier", "INT", Argument),
    value(&["bfd_instance"], "passive", "", Nothing),
    value(&["bfd_instance"], "ttl", "INT", Argument),
    value(&["bfd_instance"], "hoplimit", "INT", Argument),
    value(&["bfd_instance"], "max_hops", "INT", Argument),
    value(&["bfd_instance"], "multihop", "[BOOL]", Optional),
    value(&["bfd_instance"], "weight", "INT [reverse]", Argument),
    value(&["bfd_instance"], "vrrp", "", Nothing),
    value(&["bfd_instance"], "checker", "", Nothing),
];
