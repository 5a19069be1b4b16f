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
    // Static entries name them: they are known by their names already.
    Keyword { role: Role::Block { open: |r, s| { r.names.track_groups.insert(s.argument(1).to_owned()); true }, close: |_, _| {} }, ..block(&[""], "track_group", "NAME {block}", Optional) },
    block(&[""], "garp_group", "{block}", Nothing).effect("the limits do not apply"),
    list(&[""], "linkbeat_interfaces", "{IFNAME [MII|ETHTOOL|IOCTL]...}", Nothing),
    block(&[""], "vrrp_track_process", "NAME {block}", Argument),
    list(&[""], "interface_up_down_delays", "{IFNAME DOWN [UP]...}", Nothing),
    block(&[""], "bfd_instance", "NAME {block}", Argument),
    block(&[""], "track_file", "NAME {block}", Argument),
    block(&[""], "vrrp_track_file", "NAME {block}", Argument),
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
