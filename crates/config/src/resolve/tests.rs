//! The corrections that keepalived makes once everything is read, one line each.

use crate::testing::Fake;
use crate::{Class, Settings};

fn load(text: &str) -> (Option<Settings>, Vec<Class>) {
    let loaded = Fake::default().load(text);
    let mut classes: Vec<_> = loaded.diagnostics.iter().map(|d| d.class).collect();
    classes.retain(|class| *class != Class::Pending);
    (loaded.settings, classes)
}

fn one(name: &str, inside: &str) -> String {
    format!("vrrp_instance {name} {{\nvirtual_router_id 1\n{inside}\n}}\n")
}

#[test]
fn strict_mode() {
    let vip = "virtual_ipaddress {\n10.0.0.1\n}";
    for (inside, expected, classes) in [
        ("", "100 Backup accept=false None 3", vec![]),
        ("priority 255", "255 Master accept=true None 3", vec![]),
        (
            "accept",
            "100 Backup accept=false None 3",
            vec![Class::General],
        ),
        ("version 3\naccept", "100 Backup accept=true None 3", vec![]),
        (
            "priority 255\naccept",
            "255 Master accept=true None 3",
            vec![],
        ),
        (
            "state MASTER\npriority 10",
            "10 Backup accept=false None 3",
            vec![Class::General],
        ),
        (
            "down_timer_adverts 5\npreempt_delay 4",
            "100 Backup accept=false None 3",
            vec![Class::General; 2],
        ),
        (
            "use_vmac v 02:03:04:05:06:07\nvmac_xmit_base",
            "100 Backup accept=false Macvlan { address: MacAddress([0, 0, 94, 0, 1, 1]), announce_link: false } 3",
            vec![Class::General; 2],
        ),
        (
            "no_virtual_ipaddress",
            "100 Backup accept=false None 3",
            vec![],
        ),
        (
            "authentication {\nauth_type AH\nauth_pass x\n}",
            "100 Backup accept=false None 3",
            vec![Class::General],
        ),
        ("unicast_peer {\n10.0.0.9\n}", "fatal", vec![Class::General]),
    ] {
        let (settings, said) = load(&one(
            "A",
            &format!("interface eth0\nstrict_mode\n{inside}\n{vip}"),
        ));
        let shown = settings.map_or("fatal".into(), |settings| {
            let i = &settings.vrrp.instances[0];
            let device = i.virtual_interface.as_ref();
            let device = device.map_or("None".into(), |device| format!("{:?}", device.kind));
            assert!(i.lower_prio_no_advert && !i.higher_prio_send_advert);
            assert_eq!(i.owner_ignore_adverts, i.is_owner());
            assert_eq!((i.garp.lower_prio_delay, i.garp.lower_prio_repeat), (0, 0));
            format!(
                "{} {:?} accept={} {device} {}",
                i.priority, i.state, i.accept, i.down_timer_adverts
            )
        });
        assert_eq!((shown.as_str(), said), (expected, classes), "{inside}");
    }
    let hmac =
        "auth_hmac {\nkey 1 0123456789abcdef0123456789abcdef\nactive_key 1\nmode permissive\n}";
    let (settings, said) = load(&one(
        "A",
        &format!("interface eth0\nstrict_mode\n{hmac}\n{vip}"),
    ));
    assert_eq!(said, [Class::General]);
    let text = format!("{:?}", settings.unwrap().vrrp.instances[0].authentication);
    assert!(text.contains("mode: Enforce"), "{text}");
    // Where there is no multicast, strict mode has nothing against unicast.
    let machine = Fake::default().interface("tun0");
    let mut machine = machine;
    machine.interfaces.get_mut("tun0").unwrap().multicast = false;
    let text = one(
        "A",
        &format!("interface tun0\nstrict_mode\nunicast_peer {{\n10.0.0.9\n}}\n{vip}"),
    );
    assert!(machine.load(text).settings.is_some());
}

#[test]
fn unicast_and_devices() {
    let vip = "virtual_ipaddress {\n10.0.0.1 dev eth0\n}";
    let peer = "unicast_peer {\n10.0.0.9\n}";
    for (inside, expected, classes) in [
        (
            "interface eth0\nuse_vmac\nunicast_peer {\n10.0.0.9\n}",
            "224.0.0.18 base",
            vec![Class::General],
        ),
        (
            "interface eth0\nuse_vmac\nvmac_xmit_base\nunicast_peer {\n10.0.0.9\n}",
            "224.0.0.18 base",
            vec![],
        ),
        (
            "use_vmac\nunicast_src_ip 10.0.0.2\nunicast_peer {\n10.0.0.9\n}",
            "224.0.0.18 none",
            vec![Class::General],
        ),
        (
            "interface eth0\nmcast_dst_ip 224.0.0.33\nunicast_peer {\n10.0.0.9\n}",
            "224.0.0.18 none",
            vec![Class::General],
        ),
        (
            "interface eth0\nmcast_dst_ip 224.0.0.33",
            "224.0.0.33 none",
            vec![],
        ),
    ] {
        let (settings, said) = load(&one("A", &format!("{inside}\n{vip}")));
        let settings = settings.unwrap();
        let i = &settings.vrrp.instances[0];
        let device = i.virtual_interface.as_ref().map_or("none", |device| {
            if device.transmit_on_base {
                "base"
            } else {
                "own"
            }
        });
        assert_eq!(i.unicast.is_some(), inside.contains(peer));
        let shown = format!("{} {device}", i.mcast_dst_ip);
        assert_eq!((shown.as_str(), said), (expected, classes), "{inside}");
    }
}

#[test]
fn two_of_one_number() {
    let vip = |n: u8| format!("virtual_ipaddress {{\n10.0.0.{n} dev eth0\n}}");
    let peers = |list: &str| format!("unicast_peer {{\n{list}\n}}");
    for (first, second, fatal) in [
        (
            "interface eth0".to_owned(),
            "interface eth0".to_owned(),
            true,
        ),
        ("interface eth0".into(), "interface eth1".into(), false),
        (
            "interface eth0".into(),
            "interface eth0\nmcast_dst_ip 224.0.0.7".into(),
            false,
        ),
        (
            "interface eth0".into(),
            format!("interface eth0\n{}", peers("10.0.0.8")),
            false,
        ),
        (
            format!("interface eth0\n{}", peers("10.0.0.9")),
            format!("interface eth0\n{}", peers("10.0.0.9")),
            false,
        ),
        (
            format!(
                "interface eth0\nunicast_src_ip 10.0.0.1\n{}",
                peers("10.0.0.8\n10.0.0.9")
            ),
            format!(
                "interface eth0\nunicast_src_ip 10.0.0.1\n{}",
                peers("10.0.0.7\n10.0.0.8")
            ),
            true,
        ),
        (
            format!(
                "interface eth0\nunicast_src_ip 10.0.0.1\n{}",
                peers("10.0.0.9")
            ),
            format!(
                "interface eth1\nunicast_src_ip 10.0.0.1\n{}",
                peers("10.0.0.9")
            ),
            false,
        ),
        (
            format!("interface eth0\n{}", peers("10.0.0.9")),
            format!("interface eth0\n{}", peers("10.0.0.8")),
            false,
        ),
        (
            format!("interface eth0\n{}", peers("10.0.0.9")),
            format!("interface eth1\n{}", peers("10.0.0.9")),
            false,
        ),
        (
            format!(
                "interface eth0\nunicast_src_ip 10.0.0.1\n{}",
                peers("10.0.0.9")
            ),
            format!(
                "interface eth0\nunicast_src_ip 10.0.0.2\n{}",
                peers("10.0.0.9")
            ),
            false,
        ),
        (
            format!(
                "interface eth0\nunicast_src_ip 10.0.0.1\n{}",
                peers("10.0.0.9")
            ),
            format!("unicast_src_ip 10.0.0.1\n{}", peers("10.0.0.9")),
            true,
        ),
    ] {
        let text =
            one("A", &format!("{first}\n{}", vip(1))) + &one("B", &format!("{second}\n{}", vip(2)));
        let (settings, said) = load(&text);
        let expected: &[Class] = if fatal { &[Class::General] } else { &[] };
        assert_eq!(
            (settings.is_none(), said.as_slice()),
            (fatal, expected),
            "{text}"
        );
    }
}

#[test]
fn authentication_that_does_not_apply() {
    let legacy = "authentication {\nauth_type AH\nauth_pass x\n}";
    let hmac = "auth_hmac {\nkey 1 0123456789abcdef0123456789abcdef\nactive_key 1\n}";
    for (inside, expected, classes) in [
        (legacy.to_owned(), "Ah", vec![]),
        (format!("{legacy}\nversion 3"), "None", vec![Class::General]),
        (format!("{hmac}\n{legacy}"), "Hmac", vec![Class::General]),
        (format!("version 3\n{hmac}"), "Hmac", vec![]),
        (
            format!("{legacy}\nstate MASTER\npriority 10"),
            "Ah",
            vec![Class::Uncounted],
        ),
    ] {
        let vip = "virtual_ipaddress {\n10.0.0.1\n}";
        let (settings, said) = load(&one("A", &format!("interface eth0\n{inside}\n{vip}")));
        let settings = settings.unwrap();
        let i = &settings.vrrp.instances[0];
        let shown = format!("{:?}", i.authentication);
        assert!(shown.starts_with(expected), "{inside}: {shown}");
        assert_eq!(said, classes, "{inside}");
        assert_eq!(i.state, vrrp::settings::InitialState::Backup);
    }
    let v6 = format!("version 2\ninterface eth0\n{legacy}\nvirtual_ipaddress {{\nfe80::1\n}}");
    let (settings, said) = load(&one("A", &v6));
    assert_eq!(said, [Class::General]);
    let proof = &settings.unwrap().vrrp.instances[0].authentication;
    assert_eq!(*proof, vrrp::settings::Authentication::None);
}

/// Two instances with a script each, and what else is given.
fn with_scripts(interface: &str, more: &str) -> Vec<Class> {
    let text = format!(
        "vrrp_script s {{\nscript \"/bin/true\"\n}}\n\
         vrrp_instance A {{\ninterface {interface}\nvirtual_router_id 1\nvirtual_ipaddress {{\n10.0.0.1\n}}\n\
         track_script {{\ns\n}}\n}}\n{more}"
    );
    let fake = Fake::default().script("/bin/true").script("/bin/echo");
    fake.load(text)
        .diagnostics
        .iter()
        .flat_map(crate::Diagnostic::classes)
        .filter(|class| class.is_counted())
        .collect()
}

#[test]
fn without_an_interface_keepalived_looks_no_further() {
    assert_eq!(with_scripts("eth0", ""), [Class::Security]);
    let more = "vrrp_sync_group G {\ngroup {\nA\nB\n}\n}\n\
                vrrp_instance B {\ninterface eth0\nvirtual_router_id 2\n}\n";
    assert_eq!(
        with_scripts("eth0", more),
        [Class::General, Class::Security]
    );
    assert_eq!(
        with_scripts("nowhere", more),
        [Class::General, Class::BadInterface]
    );
}

#[test]
fn that_an_interface_is_missing_is_one_message() {
    let text = "vrrp_sync_group G {\ngroup {\nA\n}\n}\nvrrp_script s {\nscript \"/bin/true\"\n}\n\
                vrrp_instance A {\ninterface nowhere\nvirtual_router_id 1\ntrack_script {\ns\n}\n}\n";
    let loaded = Fake::default().script("/bin/true").load(text);
    let messages: Vec<_> = loaded
        .diagnostics
        .iter()
        .filter(|d| !d.follows)
        .map(|d| d.message.as_str())
        .collect();
    assert_eq!(
        messages,
        [
            "interface nowhere does not exist",
            "scripts run although enable_script_security is off"
        ]
    );
}

#[test]
fn scripts_of_what_is_removed_count() {
    let notify = "notify_master \"/bin/echo x\"";
    let vip = "virtual_ipaddress {\n10.0.0.2\n}";
    let instance = "vrrp_instance A {\nvirtual_router_id 1\nvirtual_ipaddress {\n10.0.0.1\n}\n}\n";
    for text in [
        format!("vrrp_instance B {{\n{notify}\n{vip}\n}}\n"),
        format!("vrrp_sync_group G {{\ngroup {{\nx\n}}\n{notify}\n}}\n{instance}"),
    ] {
        let loaded = Fake::default().script("/bin/echo").load(&text);
        let last = loaded.diagnostics.last().map(|d| d.class);
        assert_eq!(last, Some(Class::Security), "{text}");
    }
}

#[test]
fn members_that_do_not_exist_or_cannot_run() {
    let good = one("A", "interface eth0\nvirtual_ipaddress {\n10.0.0.1\n}");
    let bad = "vrrp_instance B {\ninterface eth0\n}\n";
    let left_out = "instance B is left out, so sync group G goes without it";
    let no_vrid = "instance B has no virtual_router_id";
    for (members, expected) in [
        (
            "x\ny",
            &[
                "none of the members of sync group G exists; it is removed",
                "sync group G has unknown member 'x'",
                "sync group G has unknown member 'y'",
            ][..],
        ),
        (
            "A\nx",
            &[
                "sync group G has one member only",
                "sync group G has unknown member 'x'",
            ],
        ),
        ("A\nB", &[left_out, no_vrid]),
        ("B", &[left_out, no_vrid]),
    ] {
        let bad = if members.contains('B') { bad } else { "" };
        let text = format!("vrrp_sync_group G {{\ngroup {{\n{members}\n}}\n}}\n{good}{bad}");
        let loaded = Fake::default().load(text);
        let messages: Vec<_> = loaded
            .diagnostics
            .iter()
            .map(|d| d.message.as_str())
            .collect();
        assert_eq!(messages, expected, "{members}");
    }
}

#[test]
fn an_ipvlan_that_is_ignored_lacks_nothing() {
    let inside = "interface eth0\nuse_vmac\nuse_ipvlan vi0\nvirtual_ipaddress {\n10.0.0.1\n}";
    let unusable = |text: &str| {
        let (settings, classes) = load(&one("A", text));
        (
            settings.unwrap().vrrp.instances[0].unusable.clone(),
            classes,
        )
    };
    assert_eq!(unusable(inside), (None, vec![Class::Uncounted]));
    let (why, _) = unusable(&inside.replace("use_vmac\n", ""));
    assert_eq!(why.as_deref(), Some("its ipvlan has no address"));
}

#[test]
fn without_instances_no_script_counts() {
    let text = "vrrp_sync_group G {\ngroup {\nx\n}\nnotify_master \"/bin/echo x\"\n}\n";
    let loaded = Fake::default().script("/bin/echo").load(text);
    assert_eq!(crate::exit_status_of_test(&loaded.diagnostics), 5);
}

#[test]
fn a_name_too_long_for_an_interface_is_not_one_that_is_missing() {
    let text = one(
        "A",
        "interface <your_interface_name>\nvirtual_ipaddress {\n10.0.0.1\n}",
    );
    let loaded = Fake::default().load(text);
    let classes: Vec<_> = loaded
        .diagnostics
        .iter()
        .flat_map(crate::Diagnostic::classes)
        .collect();
    assert_eq!(classes, [Class::General; 2]);
}

#[test]
fn a_script_that_is_removed_is_not_undefined() {
    for (inside, class) in [
        ("", Class::General),
        ("script \"/bin/true\"\nuser nobody_knows", Class::General),
    ] {
        let text = format!(
            "vrrp_script s {{\n{inside}\n}}\n{}",
            one(
                "A",
                "interface eth0\nvirtual_ipaddress {\n10.0.0.1\n}\ntrack_script {\ns\n}"
            )
        );
        let loaded = Fake::default().load(text);
        let last = loaded.diagnostics.last().unwrap();
        assert_eq!(last.class, class);
        assert!(last.follows, "{inside}");
        assert_eq!(
            last.message,
            "script 's' is removed, so A does not track it"
        );
    }
}

/// One VRID twice on an interface ends it, unless interfaces may turn into others: then one of the two waits. With peers it
/// ends it in any case.
#[test]
fn one_vrid_twice() {
    let both = |inside: &str| {
        let one = |name, address| {
            let lines = format!("interface eth0\n{inside}\nvirtual_ipaddress {{\n{address}\n}}");
            one(name, &lines)
        };
        format!("{}{}", one("A", "10.0.0.1"), one("B", "10.0.0.2"))
    };
    let may_change = "global_defs {\ndynamic_interfaces allow_if_changes\n}\n";
    let unicast = "unicast_src_ip 10.0.0.8\nunicast_peer {\n10.0.0.9\n}";
    for (globals, inside, instances, classes) in [
        ("", "", None, vec![Class::General]),
        (may_change, "", Some(2), vec![Class::Uncounted]),
        (may_change, unicast, None, vec![Class::General]),
        (
            "global_defs {\ndynamic_interfaces\n}\n",
            "",
            None,
            vec![Class::General],
        ),
    ] {
        let (settings, said) = load(&format!("{globals}{}", both(inside)));
        let count = settings.map(|settings| settings.vrrp.instances.len());
        assert_eq!((count, said), (instances, classes), "{globals} {inside}");
    }
}

#[test]
fn interfaces_of_entries_are_tracked() {
    for (entry, expected) in [
        (
            "virtual_ipaddress_excluded {\n10.0.0.2 dev eth1\n}",
            &["eth1"][..],
        ),
        (
            "virtual_routes {\n10.1.0.0/24 dev eth1\n10.2.0.0/24 dev eth1\n}",
            &["eth1"],
        ),
        (
            "virtual_routes {\n10.1.0.0/24 dev eth1 no_track\n10.1.0.0/24 dev eth0\n}",
            &[],
        ),
        (
            "virtual_rules {\niif eth1 table 100 priority 100\n}",
            &["eth1"],
        ),
        (
            "virtual_rules {\noif eth1 table 100 priority 100\n}",
            &["eth1"],
        ),
        (
            "virtual_rules {\niif eth1 table 100 priority 100 no_track\n}",
            &[],
        ),
        (
            "dont_track_primary\nvirtual_routes {\n10.1.0.0/24 dev eth0\n}",
            &[],
        ),
    ] {
        let (settings, _) = load(&one(
            "A",
            &format!("interface eth0\nvirtual_ipaddress {{\n10.0.0.1\n}}\n{entry}"),
        ));
        let settings = settings.unwrap();
        let tracked: Vec<_> = settings.vrrp.instances[0]
            .track_interface
            .iter()
            .map(|tracked| {
                assert!(tracked.weight == types::Weight::FAULT && !tracked.reverse);
                tracked.interface.as_str()
            })
            .collect();
        assert_eq!(tracked, expected, "{entry}");
    }
}

#[test]
fn a_track_group_tracks_what_static_entries_need() {
    let instances = ["A", "B", "C"].map(|name| {
        let vrid = name.as_bytes()[0];
        format!(
            "vrrp_instance {name} {{\ninterface eth0\nvirtual_router_id {vrid}\nvirtual_ipaddress {{\n10.0.0.{vrid}\n}}\n}}\n"
        )
    });
    let text = format!(
        "{}track_group G {{\ngroup {{\nA\nB\n}}\n}}\ntrack_group H {{\ngroup {{\nB\n}}\n}}\n\
         static_ipaddress {{\n10.9.0.1/24 dev eth1 track_group G\n10.9.1.1/24 dev eth0 track_group G\n}}\n\
         static_routes {{\n10.8.0.0/24 dev eth2 track_group H\n}}\n\
         static_rules {{\niif eth3 table 5 preference 7 track_group H\niif eth4 table 5 preference 8 no_track track_group H\n}}\n",
        instances.concat()
    );
    let machine = ["eth2", "eth3", "eth4"]
        .into_iter()
        .fold(Fake::default(), Fake::interface);
    let settings = machine.load(&text).settings;
    let tracked: Vec<String> = settings
        .unwrap()
        .vrrp
        .instances
        .iter()
        .map(|instance| {
            let names: Vec<_> = instance
                .track_interface
                .iter()
                .map(|track| format!("{} {}", track.interface, track.weight.get()))
                .collect();
            format!("{}: {}", instance.name, names.join(", "))
        })
        .collect();
    assert_eq!(tracked, ["A: eth1 0", "B: eth1 0, eth2 0, eth3 0", "C: "]);
}
