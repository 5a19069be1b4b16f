//! Each keyword of a service: good values, bad ones, out of range, missing, given twice.

use lvs::settings::{Service, VirtualServer};

use crate::Class;
use crate::keywords::servers::testing::{
    GENERAL, LOGGED, MISSING, NUMBER, load, service, services,
};

#[test]
fn the_header() {
    let rows: &[(&str, &str, &[Class])] = &[
        ("192.0.2.1 80", "192.0.2.1 80", &[]),
        ("192.0.2.1 80 surplus", "192.0.2.1 80", &[]),
        ("192.0.2.1-9 80", "192.0.2.1 80", &[]),
        ("192.0.2.1/24 80", "192.0.2.1 80", &[]),
        ("fd00::1 80", "fd00::1 80", &[]),
        ("192.0.2.1", "192.0.2.1 0", &[]),
        ("192.0.2.1 000", "192.0.2.1 0", &[]),
        ("192.0.2.1 80x", "192.0.2.1 80", NUMBER),
        ("192.0.2.1 65536", "left out", NUMBER),
        ("192.0.2.1 http", "left out", NUMBER),
        ("192.0.2 80", "left out", GENERAL),
        ("www.example.com 80", "left out", GENERAL),
        ("fwmark 1", "mark 1", &[]),
        ("fwmark 4294967295", "mark 4294967295", &[]),
        ("fwmark 4294967296", "left out", NUMBER),
        ("fwmark x", "left out", NUMBER),
        ("fwmark 0", "left out", LOGGED),
        ("fwmark", "fatal", MISSING),
        ("group", "fatal", MISSING),
        ("", "fatal", MISSING),
        ("group G", "left out", LOGGED),
    ];
    for (header, expected, classes) in rows {
        let real = if header.contains(':') {
            "fd00::2 80"
        } else {
            "10.0.0.2 80"
        };
        let protocol = if header.contains("fwmark") {
            ""
        } else {
            "protocol TCP"
        };
        let (settings, said) = load(&format!(
            "virtual_server {header} {{\n {protocol}\n lvs_sched rr\n lvs_method NAT\n persistence_timeout\n real_server {real} {{\n}}\n}}"
        ));
        let shown = settings.map_or("fatal".to_owned(), |settings| {
            let servers = &settings.lvs.virtual_servers;
            servers
                .first()
                .map_or("left out".to_owned(), |server| match &server.service {
                    Service::Address { address, port, .. } => format!("{address} {port}"),
                    Service::Mark { mark, .. } => format!("mark {mark}"),
                    Service::Group { .. } => "group".to_owned(),
                })
        });
        assert_eq!(shown, *expected, "{header}");
        assert_eq!(said, *classes, "{header}");
    }
}

#[test]
fn family() {
    services(
        |s| format!("{:?}", s.service),
        &[
            (
                "ip_family inet",
                "Address { address: 192.0.2.1, port: 80, protocol: Tcp }",
                &[],
            ),
            (
                "ip_family inet6",
                "Address { address: 192.0.2.1, port: 80, protocol: Tcp }",
                GENERAL,
            ),
            (
                "ip_family ipv4",
                "Address { address: 192.0.2.1, port: 80, protocol: Tcp }",
                GENERAL,
            ),
            ("ip_family", "fatal", MISSING),
        ],
    );
    let of_mark = |lines: &str| {
        let (settings, said) = load(&format!(
            "virtual_server fwmark 7 {{\n lvs_sched rr\n {lines}\n}}"
        ));
        let service = settings.unwrap().lvs.virtual_servers.remove(0).service;
        let Service::Mark { family, .. } = service else {
            panic!("{service:?}");
        };
        (family.to_string(), said)
    };
    let nat = "lvs_method NAT\n real_server fd00::1 80 {\n}";
    let tunnels = "lvs_method TUN\n real_server fd00::1 {\n}\n real_server fd00::2 {\n}";
    let mixed = "lvs_method TUN\n real_server fd00::1 {\n}\n real_server 10.0.0.2 {\n}";
    for (lines, family, classes) in [
        (nat.to_owned(), "IPv6", &[][..]),
        (tunnels.to_owned(), "IPv6", &[]),
        (mixed.to_owned(), "IPv4", &[]),
        (format!("ip_family inet6\n{mixed}"), "IPv6", &[]),
        (
            format!("ip_family inet6\nip_family inet\n{mixed}"),
            "IPv6",
            GENERAL,
        ),
        (format!("persistence_granularity 64\n{mixed}"), "IPv6", &[]),
        (
            format!("persistence_granularity 255.255.255.0\n{mixed}"),
            "IPv4",
            &[],
        ),
        (
            format!("{nat}\nreal_server 10.0.0.1 80 {{\n}}"),
            "IPv6",
            GENERAL,
        ),
    ] {
        assert_eq!(
            of_mark(&lines),
            (family.to_owned(), classes.to_vec()),
            "{lines}"
        );
    }
}

#[test]
fn protocol() {
    services(
        |s| match s.service {
            Service::Address { protocol, .. } => protocol.name().to_owned(),
            Service::Mark { .. } | Service::Group { .. } => "none".to_owned(),
        },
        &[
            ("protocol UDP", "udp", &[]),
            ("protocol sctp", "sctp", &[]),
            ("protocol TCP surplus", "tcp", &[]),
            ("protocol ICMP", "tcp", GENERAL),
            ("protocol", "fatal", MISSING),
        ],
    );
}

#[test]
fn scheduler_and_its_flags() {
    fn show(s: &VirtualServer) -> String {
        let flags = s.scheduler_flags.map(|flag| if flag { 'x' } else { '-' });
        format!("{} {}", s.scheduler, flags.iter().collect::<String>())
    }
    services(
        show,
        &[
            ("", "rr ---", &[]),
            ("lvs_sched ovf", "ovf ---", &[]),
            ("lb_algo twos", "twos ---", &[]),
            ("lvs_sched WRR", "rr ---", GENERAL),
            ("lvs_sched loadbalance", "rr ---", GENERAL),
            ("lvs_sched", "fatal", MISSING),
            ("lb_algo", "fatal", MISSING),
            ("flag-1", "rr x--", &[]),
            ("flag-2", "rr -x-", &[]),
            ("flag-3 on", "rr --x", &[]),
            ("lvs_sched sh\nsh-fallback", "sh x--", &[]),
            ("lvs_sched sh\nsh-port", "sh -x-", &[]),
            ("lvs_sched mh\nmh-fallback", "mh x--", &[]),
            ("lvs_sched mh\nmh-port", "mh -x-", &[]),
            ("sh-port\nlvs_sched sh", "sh ---", GENERAL),
            ("sh-fallback", "rr ---", GENERAL),
            ("mh-port", "rr ---", GENERAL),
            ("mh-fallback", "rr ---", GENERAL),
            ("lvs_sched mh\nsh-port", "mh ---", LOGGED),
            ("lvs_sched sh\nmh-fallback", "sh ---", LOGGED),
            ("lvs_sched sh\nhashed", "sh ---", &[]),
            ("lvs_sched mh\nhashed", "mh ---", &[]),
            ("hashed", "rr ---", GENERAL),
        ],
    );
}

#[test]
fn one_packet() {
    services(
        |s| s.one_packet.to_string(),
        &[
            ("", "false", &[]),
            ("ops", "false", GENERAL),
            ("protocol SCTP\nops", "false", GENERAL),
            ("protocol UDP\nops", "true", &[]),
        ],
    );
}

#[test]
fn forwarding() {
    services(
        |s| format!("{:?}", s.lvs_method),
        &[
            ("lvs_method DR", "DirectRouting", &[]),
            ("lb_kind DR", "DirectRouting", &[]),
            ("lvs_method TUN", "Tunnel(Ipip)", &[]),
            ("lvs_method TUN type ipip", "Tunnel(Ipip)", &[]),
            ("lvs_method TUN nocsum", "Tunnel(Ipip)", &[]),
            (
                "lvs_method TUN type gue port 6080",
                "Tunnel(Gue { port: 6080, checksum: None })",
                &[],
            ),
            (
                "lvs_method TUN csum port 6080 type gue",
                "Tunnel(Gue { port: 6080, checksum: Full })",
                &[],
            ),
            (
                "lvs_method TUN type gue port 6080 remcsum",
                "Tunnel(Gue { port: 6080, checksum: Remote })",
                &[],
            ),
            (
                "lvs_method TUN type gre csum",
                "Tunnel(Gre { checksum: true })",
                &[],
            ),
            (
                "lvs_method TUN type gre",
                "Tunnel(Gre { checksum: false })",
                &[],
            ),
            ("lvs_method TUN type vxlan", "Tunnel(Ipip)", GENERAL),
            ("lvs_method TUN type", "Tunnel(Ipip)", GENERAL),
            ("lvs_method TUN type gue", "Tunnel(Ipip)", GENERAL),
            ("lvs_method TUN type gue port", "Tunnel(Ipip)", GENERAL),
            ("lvs_method TUN type gue port 0", "Tunnel(Ipip)", NUMBER),
            ("lvs_method TUN type gue port 65536", "Tunnel(Ipip)", NUMBER),
            ("lvs_method TUN type gue port 80x", "Tunnel(Ipip)", NUMBER),
            ("lvs_method TUN port 6080", "Tunnel(Ipip)", GENERAL),
            ("lvs_method TUN type gre port 6080", "Tunnel(Ipip)", GENERAL),
            ("lvs_method TUN type gre remcsum", "Tunnel(Ipip)", GENERAL),
            ("lvs_method TUN csum", "Tunnel(Ipip)", GENERAL),
            ("lvs_method TUN fast", "Tunnel(Ipip)", GENERAL),
            ("lvs_method NAT fast", "Nat", GENERAL),
            ("lvs_method NAT type ipip", "Nat", LOGGED),
            ("lvs_method DR\nlvs_method FNAT", "DirectRouting", GENERAL),
            ("lvs_method dr", "Nat", GENERAL),
            ("lvs_method", "fatal", MISSING),
            ("lb_kind", "fatal", MISSING),
        ],
    );
}

#[test]
fn persistence() {
    services(
        |s| {
            s.persistence.as_ref().map_or("none".to_owned(), |p| {
                let granularity = p.granularity.map(|g| format!("{g:?}"));
                format!(
                    "{} {} {}",
                    p.timeout,
                    granularity.unwrap_or_default(),
                    p.engine.clone().unwrap_or_default()
                )
            })
        },
        &[
            ("", "none", &[]),
            ("persistence_timeout", "360  ", &[]),
            ("persistence_timeout 1", "1  ", &[]),
            ("persistence_timeout 2678400", "2678400  ", &[]),
            ("persistence_timeout 0", "none", NUMBER),
            ("persistence_timeout 2678401", "none", NUMBER),
            ("persistence_timeout 50s", "none", NUMBER),
            (
                "persistence_timeout 50\npersistence_timeout x",
                "50  ",
                NUMBER,
            ),
            (
                "persistence_granularity 255.255.255.0",
                "360 Mask(255.255.255.0) ",
                &[],
            ),
            (
                "persistence_granularity 255.0.0.255\npersistence_timeout 5",
                "5 Mask(255.0.0.255) ",
                &[],
            ),
            (
                "persistence_timeout 5\npersistence_granularity 24",
                "5 Mask(255.255.255.0) ",
                LOGGED,
            ),
            (
                "persistence_granularity 32",
                "360 Mask(255.255.255.255) ",
                LOGGED,
            ),
            ("persistence_granularity 33", "none", GENERAL),
            ("persistence_granularity 0", "none", GENERAL),
            ("persistence_granularity 255.255.0", "none", GENERAL),
            ("persistence_granularity", "fatal", MISSING),
            ("persistence_engine sip", "none", LOGGED),
            (
                "persistence_engine sip\npersistence_timeout 9",
                "9  sip",
                &[],
            ),
            (
                "persistence_engine abcdefghijklmnopq\npersistence_timeout 9",
                "9  abcdefghijklmnop",
                GENERAL,
            ),
            ("persistence_engine", "fatal", MISSING),
        ],
    );
    let v6 = |line: &str| {
        let (settings, said) = load(&format!(
            "virtual_server fd00::1 80 {{\n protocol TCP\n lvs_sched rr\n lvs_method NAT\n {line}\n real_server fd00::2 80 {{\n}}\n}}"
        ));
        let persistence = settings.unwrap().lvs.virtual_servers.remove(0).persistence;
        (
            format!("{:?}", persistence.and_then(|p| p.granularity)),
            said,
        )
    };
    assert_eq!(
        v6("persistence_granularity 64"),
        ("Some(Prefix(64))".into(), vec![])
    );
    assert_eq!(
        v6("persistence_granularity 128"),
        ("Some(Prefix(128))".into(), vec![])
    );
    for bad in ["0", "129", "64x", "255.255.255.0"] {
        let said = v6(&format!("persistence_granularity {bad}"));
        assert_eq!(said, ("None".into(), NUMBER.to_vec()), "{bad}");
    }
}

#[test]
fn switches() {
    fn show(s: &VirtualServer) -> String {
        format!(
            "alpha {} omega {} inhibit {} suspend {}",
            s.alpha, s.omega, s.inhibit_on_failure, s.ha_suspend
        )
    }
    let none = "alpha false omega false inhibit false suspend false";
    services(
        show,
        &[
            ("", none, &[]),
            (
                "alpha",
                "alpha true omega false inhibit false suspend false",
                &[],
            ),
            (
                "omega",
                "alpha false omega true inhibit false suspend false",
                &[],
            ),
            (
                "inhibit_on_failure",
                "alpha false omega false inhibit true suspend false",
                &[],
            ),
            (
                "ha_suspend",
                "alpha false omega false inhibit false suspend true",
                &[],
            ),
            ("alpha off", none, LOGGED),
            ("omega no", none, LOGGED),
            ("inhibit_on_failure false", none, LOGGED),
            ("ha_suspend no", none, LOGGED),
            (
                "inhibit_on_failure on",
                "alpha false omega false inhibit true suspend false",
                &[],
            ),
            (
                "omega maybe",
                "alpha false omega true inhibit false suspend false",
                LOGGED,
            ),
        ],
    );
    services(
        |s| s.smtp_alert.to_string(),
        &[
            ("", "false", &[]),
            ("smtp_alert", "true", &[]),
            ("smtp_alert on\nsmtp_alert off", "false", &[]),
            ("smtp_alert maybe", "false", GENERAL),
        ],
    );
}

#[test]
fn names() {
    services(
        |s| format!("{:?} {:?}", s.virtualhost, s.snmp_name),
        &[
            ("virtualhost a", "Some(\"a\") None", &[]),
            ("virtualhost a\nvirtualhost b", "Some(\"b\") None", GENERAL),
            ("virtualhost", "None None", GENERAL),
            ("snmp_name a", "None Some(\"a\")", &[]),
            ("snmp_name \"a b\"", "None Some(\"a b\")", &[]),
            ("snmp_name a b", "None None", GENERAL),
            ("snmp_name", "None None", GENERAL),
            ("snmp_name a\nsnmp_name b", "None Some(\"b\")", GENERAL),
        ],
    );
}

#[test]
fn quorum() {
    services(
        |s| format!("{} {}", s.quorum, s.hysteresis),
        &[
            ("", "1 0", &[]),
            ("quorum 2", "2 0", &[]),
            ("quorum 3", "2 0", GENERAL),
            ("quorum 2\nhysteresis 1", "2 1", &[]),
            ("quorum 2\nhysteresis 2", "2 1", GENERAL),
            ("hysteresis 4294967295", "1 0", GENERAL),
            ("weight 10\nquorum 20", "20 0", &[]),
            ("quorum 0", "1 0", NUMBER),
            ("quorum 2\nquorum 0", "1 0", NUMBER),
            ("quorum 4294967296", "1 0", NUMBER),
            ("quorum 2x", "2 0", NUMBER),
            ("hysteresis -1", "1 0", NUMBER),
            ("quorum", "fatal", MISSING),
            ("hysteresis", "fatal", MISSING),
        ],
    );
}

#[test]
fn default_weight() {
    services(
        |s| s.real_servers[0].weight.to_string(),
        &[
            ("weight 5", "5", &[]),
            ("weight 2147483647", "2147483647", &[]),
            ("weight 0", "1", NUMBER),
            ("weight 2147483648", "1", NUMBER),
            ("weight 5x", "5", NUMBER),
            ("weight", "fatal", MISSING),
        ],
    );
}

#[test]
fn times() {
    fn show(s: &VirtualServer) -> String {
        let t = &s.timing;
        format!(
            "{} {} {:?} {:?} {:?}",
            t.delay_loop.0,
            t.connect_timeout.0,
            t.retry,
            t.delay_before_retry.map(|time| time.0),
            t.warmup.map(|time| time.0)
        )
    }
    let none = "60000000 5000000 None None None";
    services(
        show,
        &[
            ("", none, &[]),
            ("delay_loop 2.5", "2500000 5000000 None None None", &[]),
            ("delay_loop 0.000001", "1 5000000 None None None", &[]),
            ("delay_loop 0", none, NUMBER),
            ("delay_loop 10s", none, NUMBER),
            ("delay_loop", "fatal", MISSING),
            (
                "connect_timeout 4294.967295",
                "60000000 4294967295 None None None",
                &[],
            ),
            ("connect_timeout 4295", none, NUMBER),
            ("connect_timeout 0", none, NUMBER),
            ("connect_timeout", "fatal", MISSING),
            ("retry 1", "60000000 5000000 Some(1) None None", &[]),
            (
                "retry 4294967295",
                "60000000 5000000 Some(4294967295) None None",
                &[],
            ),
            ("retry 0", none, NUMBER),
            ("retry 3x", none, NUMBER),
            ("retry", "fatal", MISSING),
            (
                "delay_before_retry 0",
                "60000000 5000000 None Some(0) None",
                &[],
            ),
            ("delay_before_retry -1", none, NUMBER),
            ("delay_before_retry", "fatal", MISSING),
            ("warmup 0", "60000000 5000000 None None Some(0)", &[]),
            ("warmup x", none, NUMBER),
            ("warmup", "fatal", MISSING),
        ],
    );
}

#[test]
fn sorry_server() {
    services(
        |s| {
            s.sorry_server.map_or("none".to_owned(), |sorry| {
                format!(
                    "{} {} {:?} {}",
                    sorry.address, sorry.port, sorry.lvs_method, sorry.inhibit
                )
            })
        },
        &[
            ("", "none", &[]),
            ("sorry_server 10.0.0.9 90", "10.0.0.9 90 Nat false", &[]),
            ("sorry_server 10.0.0.9", "10.0.0.9 80 Nat false", &[]),
            ("sorry_server 10.0.0.9 0", "10.0.0.9 80 Nat false", &[]),
            ("sorry_server 10.0.0.9 http", "none", NUMBER),
            (
                "sorry_server 10.0.0.8 1\nsorry_server nowhere 80",
                "10.0.0.8 1 Nat false",
                GENERAL,
            ),
            (
                "sorry_server 10.0.0.8 1\nsorry_server 10.0.0.9 2",
                "10.0.0.9 2 Nat false",
                &[],
            ),
            ("sorry_server fd00::9 80", "none", GENERAL),
            ("sorry_server", "fatal", MISSING),
            (
                "sorry_server fd00::9 80\nsorry_server_lvs_method TUN",
                "fd00::9 80 Tunnel(Ipip) false",
                &[],
            ),
            (
                "sorry_server 10.0.0.9 90\nsorry_server_lvs_method DR",
                "10.0.0.9 80 DirectRouting false",
                GENERAL,
            ),
            (
                "sorry_server 10.0.0.9 80\nsorry_server_lvs_method XX",
                "10.0.0.9 80 Nat false",
                GENERAL,
            ),
            ("sorry_server_lvs_method DR", "none", GENERAL),
            (
                "sorry_server 10.0.0.9 80\nsorry_server_lvs_method",
                "fatal",
                MISSING,
            ),
            ("sorry_server_inhibit", "none", GENERAL),
            (
                "sorry_server 10.0.0.9 80\nsorry_server_inhibit",
                "10.0.0.9 80 Nat true",
                &[],
            ),
            (
                "sorry_server 10.0.0.1 80\nsorry_server_inhibit",
                "10.0.0.1 80 Nat false",
                GENERAL,
            ),
            (
                "inhibit_on_failure\nsorry_server 10.0.0.1 80",
                "10.0.0.1 80 Nat true",
                GENERAL,
            ),
            (
                "inhibit_on_failure\nsorry_server 10.0.0.1",
                "10.0.0.1 80 Nat true",
                LOGGED,
            ),
        ],
    );
}

#[test]
fn scripts() {
    let command = |line: &str| {
        let (settings, said) = load(&service(line));
        let settings = settings.unwrap();
        let server = &settings.lvs.virtual_servers[0];
        let shown = [server.quorum_up, server.quorum_down].map(|id| {
            id.map(|id| {
                let index = usize::try_from(id.0).unwrap();
                settings.lvs_commands[index].argv.join(" ")
            })
        });
        (shown, settings.lvs_commands.len(), said)
    };
    let up = |text: &str| [Some(text.to_owned()), None];
    assert_eq!(command("quorum_up /bin/up"), (up("/bin/up"), 1, vec![]));
    assert_eq!(
        command("quorum_up \"/bin/up 1\" root"),
        (up("/bin/up 1"), 1, vec![])
    );
    assert_eq!(
        command("quorum_up /bin/up\nquorum_up /bin/other"),
        (up("/bin/up"), 1, GENERAL.to_vec())
    );
    assert_eq!(
        command("quorum_up /bin/both\nquorum_down /bin/both"),
        (
            ["/bin/both", "/bin/both"].map(|text| Some(text.to_owned())),
            1,
            vec![]
        )
    );
    assert_eq!(
        command("quorum_down /missing"),
        ([None, None], 0, LOGGED.to_vec())
    );
    assert_eq!(
        command("quorum_up /bin/up nosuch"),
        ([None, None], 0, LOGGED.to_vec())
    );
    for keyword in ["quorum_up", "quorum_down"] {
        assert_eq!(load(&service(keyword)).1, MISSING);
    }
}
