//! Instances and sync groups. What `global_defs`, strict mode or a group decided is written in each instance.

use std::net::IpAddr;

use types::{Family, Version};
use vrrp::settings::{
    AntiReplay, AuthHmac, Authentication, ExtraGarp, GarpSettings, HmacKey, HmacMode, InitialState,
    InstanceSettings, IpvlanMode, OldChecksum, Preempt, SyncGroupSettings, Unicast, UnicastPeer,
    VirtualInterface, VirtualInterfaceKind,
};

use super::page::{Hex, Page, Seconds, Word};
use super::{routes, tracking};
use crate::settings::{Notify, NotifyDeleted, Settings};

/// All instances, and then their groups.
pub(super) fn write(page: &mut Page, settings: &Settings) {
    for instance in &settings.vrrp.instances {
        let header = format!("vrrp_instance {}", Word(&instance.name));
        page.block(header, |page| {
            of_instance(page, instance, &settings.vrrp);
            if let Some(scripts) = settings.instance_notify.get(&instance.name) {
                notify(page, scripts);
            }
        });
    }
    for group in &settings.vrrp.sync_groups {
        sync_group(page, group, settings);
    }
}

/// The groups for adverts, IPv4 and IPv6, that only `global_defs` can give an instance: one with unicast peers, and one
/// with a group over IPv6 that is not of link scope. All such instances of a family have the same.
pub(super) fn global_groups(settings: &Settings) -> [Option<IpAddr>; 2] {
    [Family::V4, Family::V6].map(|family| {
        let mut instances = settings.vrrp.instances.iter();
        let found = instances.find(|one| one.family == family && !names_group(one));
        found.map(|instance| instance.mcast_dst_ip)
    })
}

/// Whether the instance itself can say which group it sends to.
fn names_group(instance: &InstanceSettings) -> bool {
    let wide = match instance.mcast_dst_ip {
        IpAddr::V4(_) => false,
        IpAddr::V6(group) => group.segments()[0] & 0xf != 2,
    };
    instance.unicast.is_none() && !wide
}

/// What the family follows from, when nothing in the instance tells that it is IPv6.
fn of_family(page: &mut Page, instance: &InstanceSettings) {
    let peers = instance.unicast.as_ref();
    let told = instance.mcast_src_ip.is_some()
        || names_group(instance)
        || peers.is_some_and(|unicast| !unicast.peers.is_empty())
        || !instance.virtual_ipaddress.is_empty();
    match (instance.family, instance.version) {
        (Family::V6, Version::V3) if !told => page.line("native_ipv6"),
        // It is not used: there are peers to come.
        (Family::V6, Version::V2) if !told => page.value("mcast_dst_ip", Family::V6.vrrp_group()),
        (Family::V4 | Family::V6, Version::V2 | Version::V3) => {}
    }
}

fn of_instance(page: &mut Page, instance: &InstanceSettings, all: &vrrp::Settings) {
    let devices = &all.address_devices;
    let InstanceSettings {
        name: _,
        interface,
        vrf,
        family: _,
        version,
        vrid,
        priority,
        state,
        advert_int,
        down_timer_adverts,
        preempt,
        authentication,
        // They are all written by `routes`.
        virtual_ipaddress: _,
        virtual_ipaddress_excluded: _,
        virtual_routes: _,
        virtual_rules: _,
        mcast_src_ip,
        unicast,
        mcast_dst_ip,
        dont_track_primary,
        // They are all written by `tracking`.
        track_interface: _,
        track_script: _,
        track_file: _,
        track_process: _,
        track_bfd: _,
        track_src_ip,
        garp,
        lower_prio_no_advert,
        higher_prio_send_advert,
        owner_ignore_adverts,
        skip_check_adv_addr,
        notify_priority_changes,
        virtual_interface,
        use_vmac_addr,
        // It follows from the rest.
        unusable: _,
        promote_secondaries,
        v3_checksum_as_v2,
        accept,
        smtp_alert,
        kernel_rx_buf_size,
        timer_expired_backup,
        garp_extra_if,
        lvs_sync_daemon_interface,
    } = instance;
    // The version stands before everything that tells the family: behind it, 2 is refused over IPv6.
    page.value("version", version.number());
    of_family(page, instance);
    page.word("interface", interface.as_ref().map(|name| name.as_str()));
    page.word("vrf", vrf.as_ref().map(|name| name.as_str()));
    page.value("virtual_router_id", vrid.get());
    page.value("priority", priority.get());
    page.value(
        "state",
        match state {
            InitialState::Master => "MASTER",
            InitialState::Backup => "BACKUP",
        },
    );
    page.value("advert_int", Seconds(advert_int.as_duration()));
    page.value("down_timer_adverts", down_timer_adverts);
    match preempt {
        Preempt::Immediately => page.line("preempt"),
        Preempt::Never => page.line("nopreempt"),
        Preempt::After(delay) => page.seconds("preempt_delay", *delay),
    }
    page.option("timer_expired_backup", timer_expired_backup.as_ref());
    page.switch("strict_mode", false);
    of_authentication(page, authentication);
    if let Some(unicast) = unicast {
        page.option("unicast_src_ip", mcast_src_ip.as_ref());
        of_unicast(page, unicast);
    } else {
        page.option("mcast_src_ip", mcast_src_ip.as_ref());
    }
    if names_group(instance) {
        page.value("mcast_dst_ip", mcast_dst_ip);
    }
    page.flag("track_src_ip", *track_src_ip);
    if let Some(device) = virtual_interface {
        of_device(page, instance, device);
    }
    page.flag("use_vmac_addr", *use_vmac_addr);
    page.flag("promote_secondaries", *promote_secondaries);
    page.line(if *accept { "accept" } else { "no_accept" });
    page.flag("dont_track_primary", *dont_track_primary);
    page.switch("lower_prio_no_advert", *lower_prio_no_advert);
    page.switch("higher_prio_send_advert", *higher_prio_send_advert);
    // For anybody else it means nothing, and saying so would be a mistake.
    if priority.is_owner() {
        page.switch("owner_ignore_adverts", *owner_ignore_adverts);
    }
    page.switch("skip_check_adv_addr", *skip_check_adv_addr);
    page.switch("v3_checksum_as_v2", *v3_checksum_as_v2);
    page.switch("notify_priority_changes", *notify_priority_changes);
    page.switch("smtp_alert", *smtp_alert);
    page.option("kernel_rx_buf_size", kernel_rx_buf_size.as_ref());
    of_garp(page, garp);
    if let Some(ExtraGarp { every, all }) = garp_extra_if {
        let all = if *all { "all " } else { "" };
        let seconds = every.as_secs();
        page.value("garp_extra_if", format_args!("{all}{seconds}"));
    }
    let synchronisation = lvs_sync_daemon_interface.as_ref();
    page.word(
        "lvs_sync_daemon_interface",
        synchronisation.map(|name| name.as_str()),
    );
    tracking::write_lists(page, instance, all);
    routes::write(page, instance, devices);
    page.flag(
        "no_virtual_ipaddress",
        instance.virtual_ipaddress.is_empty(),
    );
}

fn of_unicast(page: &mut Page, unicast: &Unicast) {
    let Unicast {
        peers,
        check_source,
        ttl,
        old_checksum,
    } = unicast;
    page.flag("unicast_fault_no_peer", peers.is_empty());
    page.list("unicast_peer", peers.iter().map(peer));
    page.flag("check_unicast_src", *check_source);
    page.option("unicast_ttl", ttl.as_ref());
    match old_checksum {
        OldChecksum::Detect => {}
        OldChecksum::Always => page.line("old_unicast_checksum"),
        OldChecksum::Never => page.line("old_unicast_checksum never"),
    }
}

/// Limits that are none are not written: any would ask for a check of the source.
fn peer(peer: &UnicastPeer) -> String {
    let UnicastPeer {
        address,
        min_ttl,
        max_ttl,
    } = peer;
    match (min_ttl, max_ttl) {
        (0, &u8::MAX) => address.to_string(),
        _ => format!("{address} min_ttl {min_ttl} max_ttl {max_ttl}"),
    }
}

fn of_device(page: &mut Page, instance: &InstanceSettings, device: &VirtualInterface) {
    let VirtualInterface {
        name,
        group,
        kind,
        transmit_on_base,
    } = device;
    let name = device_name(name.as_str());
    let group = group.map(|group| format!("group {group}"));
    let (keyword, options) = match kind {
        VirtualInterfaceKind::Macvlan {
            address,
            announce_link,
        } => {
            // Its own address cannot be given, for it is VRRP's.
            let own = InstanceSettings::virtual_mac(instance.family, instance.vrid);
            let address = (*address != own).then(|| address.to_string());
            let announce = announce_link.then(|| "netlink_notify_msg".to_owned());
            ("use_vmac", [address, announce])
        }
        VirtualInterfaceKind::Ipvlan { address, mode } => {
            let mode = match mode {
                IpvlanMode::Bridge => "bridge",
                IpvlanMode::Private => "private",
                IpvlanMode::Vepa => "vepa",
            };
            let address = address.map(|address| address.to_string());
            ("use_ipvlan", [address, Some(mode.to_owned())])
        }
    };
    let words = std::iter::once(name)
        .chain(options.into_iter().flatten())
        .chain(group);
    let line = words.fold(keyword.to_owned(), |line, word| format!("{line} {word}"));
    page.line(line);
    page.flag("vmac_xmit_base", *transmit_on_base);
}

/// The name of a device, announced where it could be taken for something else; older releases do not know that word.
fn device_name(name: &str) -> String {
    let options = [
        "group",
        "name",
        "netlink_notify_msg",
        "bridge",
        "private",
        "vepa",
    ];
    let other = options.contains(&name) || name.contains(':') || name.parse::<IpAddr>().is_ok();
    format!("{}{}", if other { "name " } else { "" }, Word(name))
}

fn of_authentication(page: &mut Page, authentication: &Authentication) {
    let (kind, password) = match authentication {
        Authentication::None => return,
        Authentication::Pass(password) => ("PASS", password),
        Authentication::Ah(password) => ("AH", password),
        Authentication::Hmac(hmac) => return of_hmac(page, hmac),
    };
    page.block("authentication", |page| {
        page.value("auth_type", kind);
        let bytes = password.bytes();
        let last = bytes.iter().rposition(|byte| *byte != 0);
        let text = last.and_then(|last| bytes.get(..=last)).unwrap_or_default();
        page.word("auth_pass", Some(&crate::bytes::decode(text.to_vec())));
    });
}

fn of_hmac(page: &mut Page, hmac: &AuthHmac) {
    let AuthHmac {
        keys,
        active_key,
        mode,
        anti_replay,
    } = hmac;
    page.block("auth_hmac", |page| {
        for HmacKey { id, secret } in keys {
            let digits = Hex(secret.bytes(), None);
            page.value("key", format_args!("{id} hex:{digits}"));
        }
        page.value("active_key", active_key);
        page.value(
            "mode",
            match mode {
                HmacMode::Enforce => "enforce",
                HmacMode::Permissive => "permissive",
                HmacMode::ReceiveOnly => "receive-only",
            },
        );
        match anti_replay {
            AntiReplay::Monotonic => page.line("anti_replay monotonic"),
            AntiReplay::Time { window } => {
                page.line("anti_replay time");
                page.value("time_window", window);
            }
        }
    });
}

fn of_garp(page: &mut Page, garp: &GarpSettings) {
    let GarpSettings {
        master_delay,
        master_repeat,
        master_refresh,
        master_refresh_repeat,
        lower_prio_delay,
        lower_prio_repeat,
    } = garp;
    page.value("garp_master_delay", master_delay);
    page.value("garp_master_repeat", master_repeat);
    page.value("garp_master_refresh", master_refresh);
    page.value("garp_master_refresh_repeat", master_refresh_repeat);
    page.value("garp_lower_prio_delay", lower_prio_delay);
    page.value("garp_lower_prio_repeat", lower_prio_repeat);
}

fn notify(page: &mut Page, notify: &Notify) {
    let Notify {
        master,
        backup,
        fault,
        stop,
        deleted,
        master_rx_lower_pri,
        any,
    } = notify;
    page.command("notify_master", master.as_ref());
    page.command("notify_backup", backup.as_ref());
    page.command("notify_fault", fault.as_ref());
    page.command("notify_stop", stop.as_ref());
    match deleted {
        NotifyDeleted::AsFault => {}
        NotifyDeleted::AsDeleted(None) => page.line("notify_deleted"),
        NotifyDeleted::AsDeleted(script) => page.command("notify_deleted", script.as_ref()),
    }
    page.command("notify_master_rx_lower_pri", master_rx_lower_pri.as_ref());
    page.command("notify", any.as_ref());
}

/// What a group tracks is in its members already.
fn sync_group(page: &mut Page, group: &SyncGroupSettings, settings: &Settings) {
    let SyncGroupSettings {
        name,
        members,
        smtp_alert,
    } = group;
    page.block(format_args!("vrrp_sync_group {}", Word(name)), |page| {
        page.list("group", members.iter().map(|member| Word(member)));
        let mut instances = settings.vrrp.instances.iter();
        let keeps = instances
            .any(|instance| members.contains(&instance.name) && tracking::has_weights(instance));
        page.flag("sync_group_tracking_weight", keeps);
        page.switch("smtp_alert", *smtp_alert);
        if let Some(scripts) = settings.group_notify.get(name) {
            notify(page, scripts);
        }
    });
}
