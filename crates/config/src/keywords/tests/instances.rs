//! Unicast, devices of an instance's own, signatures, and the details of an instance.

use vrrp::settings::{AntiReplay, Authentication, InstanceSettings, OldChecksum};

use super::{GENERAL, NUMBER, table, whole, with};
use crate::Class;
use crate::testing::Fake;

/// Unicast as one line.
fn unicast(i: &InstanceSettings) -> String {
    let Some(unicast) = &i.unicast else {
        return "multicast".into();
    };
    let peers: Vec<_> = unicast
        .peers
        .iter()
        .map(|peer| format!("{} {}-{}", peer.address, peer.min_ttl, peer.max_ttl))
        .collect();
    let old = match unicast.old_checksum {
        OldChecksum::Detect => "",
        OldChecksum::Always => " old",
        OldChecksum::Never => " new",
    };
    let check = if unicast.check_source { " check" } else { "" };
    format!("{}{check}{old} {:?}", peers.join(","), unicast.ttl)
}

#[test]
fn peers() {
    table(
        unicast,
        &[
            ("", "multicast", &[]),
            ("unicast_peer {\n10.0.0.9\n}", "10.0.0.9 0-255 None", &[]),
            (
                "unicast_peer {\n10.0.0.9/24\n10.0.0.9-x\n}",
                "10.0.0.9 0-255 None",
                &[Class::General],
            ),
            (
                "unicast_peer {\n10.0.0.9 min_ttl 250 max_ttl 254\n}",
                "10.0.0.9 250-254 check None",
                &[],
            ),
            (
                "unicast_peer {\n10.0.0.9 min_ttl 5 max_ttl 3\n}",
                "10.0.0.9 5-3 check None",
                &[Class::General],
            ),
            (
                "unicast_peer {\n10.0.0.9 min_ttl\n}",
                "10.0.0.9 0-255 None",
                &[Class::General],
            ),
            (
                "unicast_peer {\n10.0.0.9 min_ttl 256\n}",
                "10.0.0.9 0-255 None",
                &[Class::InvalidNumber],
            ),
            (
                "unicast_peer {\n10.0.0.9 ttl 5 min_ttl 5\n}",
                "10.0.0.9 0-255 None",
                &[Class::General],
            ),
            (
                "unicast_peer {\nfd00::9\n10.0.0.9\n}",
                "10.0.0.9 0-255 None",
                &[Class::General],
            ),
            (
                "unicast_peer {\nxx.xx\n}",
                "multicast",
                &[Class::Deprecated, Class::General],
            ),
            (
                "unicast_peer {\n10.0.0.9\n}\nunicast_ttl 64",
                "10.0.0.9 0-255 Some(64)",
                &[],
            ),
            ("unicast_ttl 64", "multicast", &[Class::General]),
            ("unicast_ttl 256", "multicast", &[Class::InvalidNumber]),
            ("check_unicast_src", "multicast", &[Class::Deprecated]),
            ("unicast_fault_no_peer", " None", &[]),
            (
                "unicast_peer {\n10.0.0.9\n}\nold_unicast_checksum",
                "10.0.0.9 0-255 old None",
                &[],
            ),
            (
                "unicast_peer {\n10.0.0.9\n}\nold_unicast_checksum never",
                "10.0.0.9 0-255 new None",
                &[],
            ),
            (
                "old_unicast_checksum ever",
                "multicast",
                &[Class::Deprecated, Class::General],
            ),
        ],
    );
}

#[test]
fn an_instance_without_an_interface() {
    let text = |inside: &str| {
        format!(
            "vrrp_instance A {{\nvirtual_router_id 1\n{inside}\nvirtual_ipaddress {{\n10.0.0.1 dev eth0\n}}\n}}"
        )
    };
    for (inside, runs) in [
        ("unicast_src_ip 10.0.0.2\nunicast_peer {\n10.0.0.9\n}", true),
        ("unicast_peer {\n10.0.0.9\n}", false),
        ("unicast_src_ip 10.0.0.2", false),
        ("", false),
        ("use_vmac", false),
    ] {
        assert_eq!(whole(&text(inside)).0.is_some(), runs, "{inside}");
    }
    let v6 = |source: &str| {
        whole(&format!(
            "vrrp_instance A {{\nvirtual_router_id 1\nvrf eth1\nunicast_src_ip {source}\nunicast_peer {{\nfd00::9\n}}\n\
             virtual_ipaddress {{\nfe80::1 dev eth0\nfe80::2\n}}\n}}"
        ))
    };
    assert_eq!(v6("fe80::2").0, None);
    let (settings, classes) = v6("fd00::2");
    let settings = settings.unwrap();
    let i = &settings.vrrp.instances[0];
    assert_eq!(i.interface, None);
    assert_eq!(i.vrf.as_ref().unwrap().as_str(), "eth1");
    assert_eq!(i.virtual_ipaddress.len(), 1, "fe80::2 has no interface");
    assert!(classes.contains(&Class::Uncounted), "{classes:?}");
    let (_, classes) = whole(&with("vrf eth1"));
    assert_eq!(classes, [Class::General]);
    assert_eq!(whole(&with("vrf")).1, [Class::MissingParameter]);
}

#[test]
fn devices() {
    table(
        |i| {
            i.virtual_interface
                .as_ref()
                .map_or("none".into(), |device| {
                    let base = if device.transmit_on_base { " base" } else { "" };
                    format!("{} {:?} {:?}{base}", device.name, device.group, device.kind)
                        .replace("MacAddress([0, 0, 94, 0, 1, 1])", "own")
                        .replace("announce_link", "link")
                })
        },
        &[
            (
                "use_vmac",
                "vrrp.1 None Macvlan { address: own, link: false }",
                &[],
            ),
            (
                "use_vmac v.1 02:03:04:05:06 netlink_notify_msg group 5\nvmac_xmit_base",
                "v.1 Some(5) Macvlan { address: MacAddress([2, 3, 4, 5, 6, 1]), link: true } base",
                &[],
            ),
            (
                "use_vmac name v group blue",
                "v None Macvlan { address: own, link: false }",
                &[Class::General],
            ),
            (
                "use_vmac 01:02:03:04:05:06",
                "vrrp.1 None Macvlan { address: own, link: false }",
                &[Class::General],
            ),
            (
                "use_vmac 00:00:5e:00:02:06",
                "vrrp.1 None Macvlan { address: own, link: false }",
                &[Class::General],
            ),
            (
                "use_vmac v w",
                "v None Macvlan { address: own, link: false }",
                &[Class::General],
            ),
            (
                "use_vmac a_name_of_16_by_",
                "vrrp.1 None Macvlan { address: own, link: false }",
                &[Class::General],
            ),
            (
                "use_vmac group",
                "vrrp.1 None Macvlan { address: own, link: false }",
                &[Class::General],
            ),
            (
                "use_ipvlan i 10.0.0.5/24 private",
                "i None Ipvlan { address: Some(Prefix { address: 10.0.0.5, length: 24 }), mode: Private }",
                &[],
            ),
            (
                "use_ipvlan",
                "vrrp.1 None Ipvlan { address: None, mode: Bridge }",
                &[Class::General],
            ),
            (
                "use_ipvlan 10.0.0.5/99",
                "vrrp.1 None Ipvlan { address: None, mode: Bridge }",
                &[Class::General, Class::General],
            ),
            (
                "use_ipvlan 10.0.0.5 bridge vepa\nuse_ipvlan 10.0.0.6",
                "vrrp.1 None Ipvlan { address: Some(Prefix { address: 10.0.0.5, length: 32 }), mode: Bridge }",
                &[Class::General, Class::General],
            ),
            ("vmac_xmit_base", "none", &[Class::General]),
        ],
    );
    let (settings, _) = whole(&with("use_ipvlan 10.0.0.5/24"));
    let source = settings.unwrap().vrrp.instances[0].mcast_src_ip;
    assert_eq!(source, Some("10.0.0.5".parse().unwrap()));
    let two = with("use_vmac v")
        + &with("use_vmac v")
            .replace("_id 1", "_id 2")
            .replace("A {", "B {");
    let (settings, classes) = whole(&two);
    assert_eq!(classes, [Class::General]);
    let second = settings.unwrap().vrrp.instances[1]
        .virtual_interface
        .clone();
    assert_eq!(second.unwrap().name.as_str(), "vrrp.2");
}

const KEY: &str = "0123456789abcdef0123456789abcdef";

#[test]
fn signatures() {
    let hex = "0f".repeat(32);
    for (inside, expected, classes) in [
        (
            format!("key 1 {KEY}\nactive_key 1"),
            "1 of 1 Enforce Time { window: 5 }",
            vec![],
        ),
        (
            format!(
                "key 1 {KEY}\nkey 9 hex:{hex}\nactive_key 9\nmode receive-only\nanti_replay monotonic"
            ),
            "9 of 2 ReceiveOnly Monotonic",
            vec![],
        ),
        (
            format!("key 1 {KEY}\nactive_key 1\ntime_window 300\nmode permissive"),
            "1 of 1 Permissive Time { window: 300 }",
            vec![],
        ),
        (
            format!("key 1 {KEY}\nkey 1 {KEY}\nactive_key 1"),
            "1 of 1 Enforce Time { window: 5 }",
            vec![Class::General],
        ),
        (
            format!("key 1 {KEY}\nactive_key 1\ntime_window 301\nmode x\nanti_replay y"),
            "1 of 1 Enforce Time { window: 5 }",
            vec![Class::InvalidNumber, Class::General, Class::General],
        ),
        (
            "key 1 short\nactive_key 1".into(),
            "none",
            vec![Class::General; 2],
        ),
        (
            "key 1\nactive_key 1".into(),
            "none",
            vec![Class::General; 2],
        ),
        (
            format!("key 256 {KEY}\nactive_key 1"),
            "none",
            vec![Class::InvalidNumber, Class::General],
        ),
        (format!("key 1 {KEY}"), "none", vec![Class::General]),
        (
            format!("key 1 {KEY}\nactive_key 2"),
            "none",
            vec![Class::General],
        ),
        (
            "key 1 hex:0x\nactive_key 1".into(),
            "none",
            vec![Class::General; 2],
        ),
        (
            "key 1 file:good\nactive_key 1".into(),
            "1 of 1 Enforce Time { window: 5 }",
            vec![],
        ),
        (
            "key 1 file:key.open\nactive_key 1".into(),
            "1 of 1 Enforce Time { window: 5 }",
            vec![Class::Security],
        ),
        (
            "key 1 file:long\nactive_key 1".into(),
            "none",
            vec![Class::General; 2],
        ),
        (
            "key 1 file:nowhere\nactive_key 1".into(),
            "none",
            vec![Class::General; 2],
        ),
    ] {
        let loaded = Fake::default()
            .file(
                "/etc/keepalived/good",
                format!("hex:{}\r\n", "0f ".repeat(33)),
            )
            .file("/etc/keepalived/key.open", format!("{KEY}\n"))
            .file("/etc/keepalived/long", "0".repeat(139))
            .load(with(&format!("auth_hmac {{\n{inside}\n}}")));
        let said: Vec<_> = loaded.diagnostics.iter().map(|d| d.class).collect();
        let settings = loaded.settings.unwrap();
        let shown = match &settings.vrrp.instances[0].authentication {
            Authentication::Hmac(hmac) => {
                format!(
                    "{} of {} {:?} {:?}",
                    hmac.active_key,
                    hmac.keys.len(),
                    hmac.mode,
                    hmac.anti_replay
                )
            }
            Authentication::None | Authentication::Pass(_) | Authentication::Ah(_) => "none".into(),
        };
        assert_eq!((shown.as_str(), said), (expected, classes), "{inside}");
        for diagnostic in &loaded.diagnostics {
            let text = diagnostic.render(crate::Style::Plain);
            assert!(!text.contains(KEY) && !text.contains(&hex), "{text}");
        }
    }
    let window = |advert_int: &str| {
        let (settings, _) = whole(&with(&format!(
            "advert_int {advert_int}\nauth_hmac {{\nkey 1 {KEY}\nactive_key 1\n}}"
        )));
        match &settings.unwrap().vrrp.instances[0].authentication {
            Authentication::Hmac(hmac) => hmac.anti_replay,
            other @ (Authentication::None | Authentication::Pass(_) | Authentication::Ah(_)) => {
                panic!("{other:?}")
            }
        }
    };
    assert_eq!(window("4.9"), AntiReplay::Time { window: 12 });
    assert_eq!(window("200"), AntiReplay::Time { window: 300 });
}

#[test]
fn details() {
    table(
        |i| {
            format!(
                "{} {:?} {:?} {:?} {:?} {} {}",
                i.accept,
                i.kernel_rx_buf_size,
                i.timer_expired_backup,
                i.garp_extra_if
                    .map(|extra| (extra.every.as_secs(), extra.all)),
                i.lvs_sync_daemon_interface
                    .as_ref()
                    .map(|name| name.as_str()),
                i.smtp_alert,
                i.v3_checksum_as_v2,
            )
        },
        &[
            ("", "true None None None None false false", &[]),
            (
                "no_accept\naccept",
                "true None None None None false false",
                &[],
            ),
            ("no_accept", "false None None None None false false", &[]),
            (
                "kernel_rx_buf_size 4096",
                "true Some(4096) None None None false false",
                &[],
            ),
            (
                "kernel_rx_buf_size",
                "true None None None None false false",
                &[Class::General],
            ),
            (
                "kernel_rx_buf_size 1 2",
                "true None None None None false false",
                &[Class::General],
            ),
            (
                "kernel_rx_buf_size 10x",
                "true None None None None false false",
                &[Class::InvalidNumber],
            ),
            (
                "nopreempt\ntimer_expired_backup",
                "true None Some(254) None None false false",
                &[],
            ),
            (
                "nopreempt\nthread_timer_expired 7",
                "true None Some(7) None None false false",
                &[Class::Deprecated],
            ),
            (
                "timer_expired_backup 7",
                "true None None None None false false",
                &[Class::General],
            ),
            (
                "nopreempt\ntimer_expired_backup 255",
                "true None None None None false false",
                &[Class::InvalidNumber],
            ),
            (
                "garp_extra_if all 60",
                "true None None Some((60, true)) None false false",
                &[],
            ),
            (
                "vmac_garp_intvl 60",
                "true None None Some((60, false)) None false false",
                &[Class::Deprecated],
            ),
            (
                "garp_extra_if 60\ngarp_extra_if 0",
                "true None None None None false false",
                &[],
            ),
            (
                "garp_extra_if all",
                "true None None None None false false",
                &[Class::General],
            ),
            (
                "garp_extra_if 86401",
                "true None None None None false false",
                &[Class::InvalidNumber],
            ),
            (
                "lvs_sync_daemon_interface eth1\nlvs_sync_daemon_interface eth0",
                "true None None None Some(\"eth1\") false false",
                &[Class::Deprecated, Class::Deprecated, Class::General],
            ),
            (
                "smtp_alert",
                "true None None None None true false",
                &[Class::Pending],
            ),
            (
                "smtp_alert maybe",
                "true None None None None false false",
                &[Class::Pending, Class::General],
            ),
            (
                "v3_checksum_as_v2 yes",
                "true None None None None false true",
                &[],
            ),
        ],
    );
    table(
        |i| format!("{} {}", i.track_src_ip, i.promote_secondaries),
        &[
            ("track_src_ip", "false false", &[]),
            ("mcast_src_ip 10.0.0.5\ntrack_src_ip", "true false", &[]),
            ("promote_secondaries", "false true", &[]),
            ("use_vmac\npromote_secondaries", "false false", GENERAL),
            ("debug 3", "false false", &[]),
            ("debug 5", "false false", NUMBER),
            (
                "priority 255\nowner_ignore_adverts off",
                "false false",
                GENERAL,
            ),
        ],
    );
}
