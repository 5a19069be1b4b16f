//! The dump files of a router with everything, as their readers find them.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use evervip_observe::{Context, NotifyScript, NotifyWhen, WallClock, data, json, stats};
use types::{
    Centiseconds, Family, IfIndex, IfName, Instant, MacAddress, Prefix, Priority, Version, Vrid,
    Weight,
};
use vrrp::settings::routes::Route;
use vrrp::settings::rules::{Lookup, Rule, RuleAction};
use vrrp::settings::{
    AuthPass, Authentication, FileSettings, InstanceSettings, OldChecksum, ParameterMatch, Preempt,
    PreferredLifetime, ProcessSettings, ScriptSettings, SyncGroupSettings, TrackInterface,
    TrackScript, TrackWeight, Tracked, Unicast, UnicastPeer, VirtualAddress,
};
use vrrp::settings::{Static, TrackGroup};
use vrrp::{Interface, InterfaceAddress, InterfaceKind, ScriptOutcome, Settings, Vrrp};

fn eth0() -> IfName {
    IfName::new("eth0").unwrap()
}

fn address(text: &str, length: u8) -> VirtualAddress {
    VirtualAddress::new(Prefix::new(text.parse().unwrap(), length).unwrap(), eth0())
}

fn instance(name: &str, version: Version, family: Family, vrid: u8) -> InstanceSettings {
    InstanceSettings {
        family,
        version,
        priority: Priority::new(150).unwrap(),
        mcast_dst_ip: family.vrrp_group(),
        ..InstanceSettings::new(name, eth0(), Vrid::new(vrid).unwrap())
    }
}

/// A version 2 master with a password, labels and trackers, and a version 3 backup over IPv6, in one group each.
fn router() -> Vrrp {
    let mut v2 = instance("VI_1", Version::V2, Family::V4, 51);
    v2.authentication = Authentication::Pass(AuthPass::new(b"secret"));
    v2.virtual_ipaddress = vec![
        address("198.18.0.100", 32),
        VirtualAddress {
            label: Some("eth0:1".into()),
            broadcast: Some("198.18.0.255".parse().unwrap()),
            no_track: true,
            ..address("198.18.0.101", 24)
        },
    ]
    .into();
    v2.virtual_ipaddress_excluded = vec![address("fd00:18::100", 64)].into();
    v2.track_script = vec![TrackScript {
        script: "check".into(),
        weight: Weight::new(-20).unwrap(),
        reverse: false,
    }]
    .into();
    v2.track_interface = vec![TrackInterface {
        interface: eth0(),
        weight: Weight::new(10).unwrap(),
        reverse: true,
    }]
    .into();
    let mut v6 = instance("VI_6", Version::V3, Family::V6, 52);
    v6.virtual_ipaddress = vec![VirtualAddress {
        preferred_lft: PreferredLifetime::Seconds(0),
        ..address("fe80::100", 128)
    }]
    .into();
    v6.preempt = Preempt::After(Duration::from_secs(4));

    let mut router = Vrrp::new();
    let index = IfIndex::new(2).unwrap();
    let interface = Interface {
        index,
        name: eth0(),
        usable: true,
        mac: Some(MacAddress([2, 0, 0, 0, 0, 1])),
        kind: InterfaceKind::Other,
        base: None,
        master: None,
    };
    let own = |text: &str, length| InterfaceAddress {
        interface: index,
        prefix: Prefix::new(text.parse().unwrap(), length).unwrap(),
        tentative: false,
    };
    let addresses = vec![own("198.18.0.5", 24), own("fe80::5", 64)];
    router.handle_snapshot(Instant::ZERO, vec![interface], addresses);
    let settings = Settings {
        instances: vec![v2, v6],
        sync_groups: vec![SyncGroupSettings {
            name: "G".into(),
            members: vec!["VI_1".into()],
            smtp_alert: false,
        }],
        scripts: vec![ScriptSettings {
            name: "check".into(),
            identity: String::new(),
            interval: Duration::from_secs(60),
            timeout: None,
            rise: 2,
            fall: 3,
        }],
        ..Settings::default()
    };
    router.handle_settings(Instant::ZERO, settings);
    let mut now = Instant::ZERO;
    while now < Instant::from_nanos(3_500_000_000) {
        while let Some(action) = router.poll_action() {
            if let vrrp::Action::RunScript { script } = action {
                router.handle_script_exit(now, &script, ScriptOutcome::Exited(0));
            }
        }
        now = router.next_deadline().unwrap().max(now);
        // The IPv6 instance hears its master just before it would take over.
        if now >= Instant::from_nanos(3_000_000_000) {
            hear_master(&mut router, now);
        }
        router.handle_timeout(now);
    }
    router
}

fn hear_master(router: &mut Vrrp, now: Instant) {
    let between = ("fe80::9".parse().unwrap(), Family::V6.vrrp_group());
    let message = wire::vrrp::Message {
        version: Version::V3,
        vrid: Vrid::new(52).unwrap(),
        claim: types::Claim::At(Priority::new(200).unwrap()),
        advert_int: Centiseconds::from_seconds(1),
        addresses: &["fe80::100".parse().unwrap()],
        auth_pass: None,
        family: Family::V6,
        between,
    };
    let payload = message.encode();
    router.handle_packet(
        now,
        &vrrp::Packet {
            interface: IfIndex::new(2).unwrap(),
            source: between.0,
            destination: between.1,
            hop_limit: 255,
            carrier: vrrp::Carrier::Vrrp,
            promised: payload.len(),
            payload: &payload,
        },
    );
}

fn with_context<T>(json_version: u8, look: impl FnOnce(&Context<'_>) -> T) -> T {
    let commands = BTreeMap::from([("check".to_owned(), "'/bin/check' 'a b'".to_owned())]);
    let script = NotifyScript {
        when: NotifyWhen::Any,
        command: "'/bin/notify' 'x'".into(),
        uid: 0,
        gid: 0,
    };
    let notify = BTreeMap::from([("VI_1".to_owned(), vec![script])]);
    look(&Context {
        clock: WallClock {
            now: Instant::ZERO,
            unix_nanos: 1_700_000_000_000_000_000,
        },
        router_id: "alpha",
        json_version,
        commands: &commands,
        notify: &notify,
        notify_deleted: &BTreeSet::new(),
        calendar: |seconds| format!("Tue Nov 14 22:13:{:02} 2023", 20 + seconds - 1_700_000_000),
    })
}

#[test]
fn data_file() {
    let text = with_context(1, |context| data(&router(), context));
    assert!(!text.contains("secret"), "no secret reaches a dump");
    // zstack reads the state out of the six lines after the heading.
    let heading = text
        .lines()
        .position(|line| line == "------< VRRP Topology >------")
        .unwrap();
    let near: Vec<&str> = text.lines().skip(heading).take(7).collect();
    assert!(near.contains(&"   State = MASTER"), "{near:?}");
    insta::assert_snapshot!(text);
}

/// The lines about unicast, of an instance with peers and of one that lacks them.
#[test]
fn unicast_in_the_data_file() {
    let peer = |address: &str, min_ttl, max_ttl| UnicastPeer {
        address: address.parse().unwrap(),
        min_ttl,
        max_ttl,
    };
    let unicast = |peers, ttl, old_checksum| {
        Some(Box::new(Unicast {
            peers,
            check_source: true,
            ttl,
            old_checksum,
        }))
    };
    let mut with_peers = instance("VI_1", Version::V3, Family::V4, 51);
    with_peers.unicast = unicast(
        vec![peer("198.18.0.6", 0, 255), peer("198.18.0.7", 60, 64)],
        Some(64),
        OldChecksum::Never,
    );
    with_peers.mcast_src_ip = Some("198.18.0.5".parse().unwrap());
    with_peers.interface = None;
    let mut without = instance("VI_2", Version::V2, Family::V4, 52);
    without.unicast = unicast(vec![], None, OldChecksum::Detect);
    let mut router = Vrrp::new();
    let settings = Settings {
        instances: vec![with_peers, without],
        ..Settings::default()
    };
    router.handle_settings(Instant::ZERO, settings);
    let text = with_context(1, |context| data(&router, context));
    let about: Vec<&str> = text
        .lines()
        .filter(|line| {
            let words = [
                "nicast", "min_ttl", "ulticast", "onfig", "checksum", "Flags:",
            ];
            words.iter().any(|word| line.contains(word))
        })
        .collect();
    assert_eq!(
        about,
        [
            "   Flags:",
            "     Using unicast",
            "   Number of config faults = 0",
            "   Interface = not configured",
            "   Using src_ip = 198.18.0.5 (from configuration)",
            "   VRRPv3 uses VRRPv2 checksum = disabled",
            "   Unicast TTL = 64",
            "   Check unicast src : yes",
            "   Unicast Peer :",
            "     198.18.0.6 min_ttl 0 max_ttl 255",
            "     198.18.0.7 min_ttl 60 max_ttl 64",
            "   Unicast checksum compatibility = never",
            "   Flags:",
            "     Using unicast",
            "     If unicast go to fault state if no peers",
            "   Number of config faults = 1",
            "     config error",
            "   Check unicast src : yes",
            "   Unicast Peer :",
            "   Unicast checksum compatibility = no",
        ]
    );
}

#[test]
fn stats_file() {
    let text = stats(&router());
    // The exporters parse every value as an integer.
    for line in text
        .lines()
        .filter(|line| !line.ends_with(':') && !line.starts_with("VRRP Instance"))
    {
        let value = line.split(": ").nth(1).unwrap();
        assert!(value.parse::<u64>().is_ok(), "{line}");
    }
    insta::assert_snapshot!(text);
}

#[test]
fn json_file() {
    let text = with_context(1, |context| json(&router(), context)).unwrap();
    assert_eq!(text.lines().count(), 1);
    let value: serde_json::Value = serde_json::from_str(&text).unwrap();
    insta::assert_snapshot!(serde_json::to_string_pretty(&value).unwrap());
    assert!(!text.contains("secret"));
    let second = with_context(2, |context| json(&router(), context)).unwrap();
    assert_eq!(second, format!("{{\"vrrp\":{text}}}"));
}

/// Lines as keepalived 2.2.7 writes them of the same objects.
#[test]
fn tracked_files_processes_and_sessions() {
    let tracked = |name: &str, weight, reverse| {
        vec![Tracked {
            name: name.into(),
            weight: TrackWeight::new(weight).unwrap(),
            reverse,
        }]
        .into()
    };
    let mut settings = instance("VI", Version::V2, Family::V4, 51);
    settings.track_file = tracked("F", 2, true);
    settings.track_process = tracked("P", 3, true);
    settings.track_bfd = tracked("B", -5, true);
    let mut router = Vrrp::new();
    router.tell_ahead([("F".to_owned(), -7)], [("P".to_owned(), 3)], []);
    router.handle_settings(
        Instant::ZERO,
        Settings {
            instances: vec![settings],
            track_files: vec![FileSettings {
                name: "F".into(),
                path: "/run/f".into(),
                init: None,
                weight: TrackWeight::new(10).unwrap(),
                reverse: true,
            }],
            track_processes: vec![ProcessSettings {
                name: "P".into(),
                command: "/bin/foo".into(),
                parameters: vec!["bar".into()],
                full_command: true,
                matching: ParameterMatch::Exact,
                quorum: 2,
                quorum_max: Some(4),
                fork_delay: Duration::from_millis(2500),
                terminate_delay: Duration::from_secs(1),
                weight: TrackWeight::new(7).unwrap(),
                reverse: true,
            }],
            bfd_sessions: vec!["B".into()],
            ..Settings::default()
        },
    );
    router.handle_process_count(Instant::ZERO, "P", 1);
    let text = with_context(1, |context| data(&router, context));
    for lines in [
        "   Tracked files :\n     F, weight 2 reverse\n   Tracked processes :\n     P, weight 3 reverse\n   \
         Tracked BFDs :\n     B: weight -5 reverse\n",
        "------< VRRP Track files >------\n Track file = F\n   File = /run/f\n   Status = -7\n   Weight = 10 reverse\n   \
         Tracking instances :\n     VI, weight 2 reverse\n",
        "------< VRRP Track processes >------\n VRRP Track process = P\n   Process = /bin/foo\n   Parameters = bar\n   \
         Param match\n   Min processes = 2\n   Max processes = 4\n   Current processes = 1\n   Have quorum = true\n   \
         Weight = 7 reverse\n   Terminate delay = 1.000000s\n   Fork delay = 2.500000s\n   Fork delay timer not running\n   \
         Terminate delay timer running\n   Full command = true\n   Tracking instances :\n     VI, weight 3 reverse\n",
        "------< VRRP Track BFDs >------\n VRRP Track BFD = B\n   Bfd is down\n   Tracking instances :\n     \
         VI, weight -5 reverse\n",
    ] {
        assert!(text.contains(lines), "{lines}\nin\n{text}");
    }
    let second = with_context(2, |context| json(&router, context)).unwrap();
    let processes = r#""track_process":[{"process":"\/bin\/foo","parameters":"bar","param_match":"exact","min_processes":2,"max_processes":4,"current_processes":1,"have_quorum":true,"weight":-7,"terminate_delay":1.0,"fork_delay":2.5,"fork_delay_timer_running":false,"terminate_delay_timer_running":true,"full_command":true}]}"#;
    assert!(second.ends_with(processes), "{second}");
    assert!(
        second.contains(r#""track_process":["P"],"auth_type""#),
        "{second}"
    );
}

/// The sections of what depends on no instance, and an instance's own routes and rules, in both dumps.
#[test]
fn static_entries_and_virtual_routes() {
    let net = |text: &str, length| Prefix::new(text.parse().unwrap(), length).unwrap();
    let route = |text: &str| Route {
        interface: Some(eth0()),
        ..Route::new(net(text, 24))
    };
    let rule = |preference| {
        let lookup = RuleAction::Lookup(Lookup::new(100));
        Rule::new(Family::V4, preference, lookup)
    };
    fn of_group<T>(entry: T) -> Static<T> {
        let track_group = Some("tg1".to_owned());
        Static { entry, track_group }
    }
    fn free<T>(entry: T) -> Static<T> {
        let track_group = None;
        Static { entry, track_group }
    }
    let mut settings = instance("VI", Version::V2, Family::V4, 51);
    settings.accept = false;
    settings.promote_secondaries = true;
    settings.virtual_routes = vec![route("10.60.0.0")].into();
    settings.virtual_rules = vec![rule(7)].into();
    let elsewhere = VirtualAddress {
        interface: IfName::new("eth9").unwrap(),
        ..address("198.18.9.1", 32)
    };
    let six = VirtualAddress {
        home: true,
        preferred_lft: PreferredLifetime::Seconds(77),
        ..address("fd00::9", 64)
    };
    let mut router = Vrrp::new();
    let index = IfIndex::new(2).unwrap();
    let interface = Interface {
        index,
        name: eth0(),
        usable: true,
        mac: None,
        kind: InterfaceKind::Other,
        base: None,
        master: None,
    };
    router.handle_snapshot(Instant::ZERO, vec![interface], vec![]);
    let settings = Settings {
        instances: vec![settings],
        static_ipaddress: vec![
            of_group(address("192.168.1.1", 24)),
            of_group(six),
            free(elsewhere),
        ],
        static_routes: vec![of_group(route("192.168.2.0")), free(route("192.168.3.0"))],
        static_rules: vec![of_group(rule(5)), free(rule(6))],
        track_groups: vec![TrackGroup {
            name: "tg1".into(),
            members: vec!["VI".into()],
        }],
        ..Settings::default()
    };
    router.handle_settings(Instant::ZERO, settings);
    let text = with_context(1, |context| data(&router, context));
    for lines in [
        "------< Static Addresses >------\n     192.168.1.1/24 dev eth0 scope global track_group tg1 set\n     \
         fd00::9/64 dev eth0 scope global home track_group tg1 preferred_lft 77 set\n     \
         198.18.9.1 dev eth9 scope global\n\
         ------< Static Routes >------\n     prepend 192.168.2.0/24 dev eth0 proto 18 track_group tg1\n     \
         prepend 192.168.3.0/24 dev eth0 proto 18\n\
         ------< Static Rules >------\n     from all priority 5 tos 0x0 protocol 18 lookup 100 track_group tg1\n     \
         from all priority 6 tos 0x0 protocol 18 lookup 100\n\
         ------< Static Track groups >------\n Static Track Group = tg1\n   VRRP member instances :\n     VI\n\
         ------< VRRP Topology >------\n VRRP Instance = VI\n",
        "   Accept = disabled\n",
        "   Promote_secondaries = enabled\n",
        "   Virtual Routes :\n     prepend 10.60.0.0/24 dev eth0 proto 18\n   \
         Virtual Rules :\n     from all priority 7 tos 0x0 protocol 18 lookup 100\n",
    ] {
        assert!(text.contains(lines), "{lines}\nin\n{text}");
    }
    let text = with_context(1, |context| json(&router, context)).unwrap();
    for pair in [
        r#""promote_secondaries":true,"#,
        r#""accept":0,"#,
        r#""vroutes":["prepend 10.60.0.0\/24 dev eth0 proto 18"],"vrules":["from all priority 7 tos 0x0 protocol 18 lookup 100"]"#,
    ] {
        assert!(text.contains(pair), "{pair}\nin\n{text}");
    }
}
