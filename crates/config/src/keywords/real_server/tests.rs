//! Each keyword of a real server, and what it takes over from its service.

use crate::Class;
use crate::keywords::servers::testing::{
    GENERAL, LOGGED, MISSING, NUMBER, load, reals, service, services,
};

#[test]
fn the_header() {
    let rows: &[(&str, &str, &[Class])] = &[
        ("10.0.0.9 81", "10.0.0.9 81", &[]),
        ("10.0.0.9", "10.0.0.9 80", &[]),
        ("10.0.0.9 0", "10.0.0.9 80", &[]),
        ("10.0.0.9 81 82", "10.0.0.9 81", &[]),
        ("10.0.0.9-12 81", "10.0.0.9 81", &[]),
        ("10.0.0.9 81x", "10.0.0.9 81", NUMBER),
        ("10.0.0.9 0x50", "left out", NUMBER),
        ("10.0.0.9 65536", "left out", NUMBER),
        ("host 80", "left out", GENERAL),
        ("fd00::9 80", "left out", GENERAL),
        (
            "10.0.0.9 80 {\n}\nreal_server 10.0.0.9",
            "10.0.0.9 80",
            GENERAL,
        ),
        ("", "fatal", MISSING),
    ];
    for (header, expected, classes) in rows {
        let (settings, said) = load(&service(&format!("real_server {header} {{\n weight 7\n}}")));
        let shown = settings.map_or("fatal".to_owned(), |settings| {
            let servers = &settings.lvs.virtual_servers[0].real_servers;
            assert!(servers.len() <= 3, "{header}");
            let first = servers
                .iter()
                .find(|real| !real.address.to_string().ends_with(['1', '2']));
            first.map_or("left out".to_owned(), |real| {
                format!("{} {}", real.address, real.port)
            })
        });
        assert_eq!(shown, *expected, "{header}");
        assert_eq!(said, *classes, "{header}");
    }
}

#[test]
fn numbers() {
    reals(
        |r, _| format!("{} {} {}", r.weight, r.uthreshold, r.lthreshold),
        &[
            ("", "1 0 0", &[]),
            ("weight 0", "0 0 0", &[]),
            ("weight 2147483647", "2147483647 0 0", &[]),
            ("weight 2147483648", "1 0 0", NUMBER),
            ("weight -1", "1 0 0", NUMBER),
            ("weight x", "1 0 0", NUMBER),
            ("weight 5x", "5 0 0", NUMBER),
            ("weight", "fatal", MISSING),
            ("uthreshold 4294967295", "1 4294967295 0", &[]),
            ("uthreshold 4294967296", "1 0 0", NUMBER),
            ("uthreshold", "fatal", MISSING),
            ("lthreshold 1", "1 0 1", &[]),
            ("lthreshold -1", "1 0 0", NUMBER),
            ("lthreshold", "fatal", MISSING),
        ],
    );
}

#[test]
fn switches() {
    reals(
        |r, _| format!("{} {} {}", r.inhibit_on_failure, r.alpha, r.smtp_alert),
        &[
            ("", "false false true", &[]),
            ("inhibit_on_failure", "true false true", &[]),
            ("inhibit_on_failure off", "false false true", &[]),
            ("inhibit_on_failure maybe", "false false true", GENERAL),
            ("alpha", "false true true", &[]),
            ("alpha yes", "false true true", &[]),
            ("alpha maybe", "false false true", GENERAL),
            ("smtp_alert", "false false true", &[]),
            ("smtp_alert no", "false false false", &[]),
            ("smtp_alert 1", "false false true", GENERAL),
        ],
    );
}

#[test]
fn forwarding() {
    reals(
        |r, _| format!("{:?} {}", r.lvs_method, r.port),
        &[
            ("", "Nat 80", &[]),
            ("lvs_method DR", "DirectRouting 80", &[]),
            (
                "lvs_method TUN type gre",
                "Tunnel(Gre { checksum: false }) 80",
                &[],
            ),
            ("lvs_method TUN type", "Tunnel(Ipip) 80", GENERAL),
            ("lvs_method XX", "Nat 80", GENERAL),
            ("lvs_method", "fatal", MISSING),
        ],
    );
}

#[test]
fn names_and_times() {
    reals(
        |r, s| {
            let names = r
                .rare
                .as_ref()
                .map(|rare| (&rare.virtualhost, &rare.snmp_name));
            let timing = r.timing(s);
            format!("{names:?} {} {:?}", timing.delay_loop.0, timing.retry)
        },
        &[
            ("", "None 60000000 None", &[]),
            (
                "virtualhost a",
                "Some((Some(\"a\"), None)) 60000000 None",
                &[],
            ),
            (
                "virtualhost a\nvirtualhost b",
                "Some((Some(\"b\"), None)) 60000000 None",
                GENERAL,
            ),
            ("virtualhost", "None 60000000 None", GENERAL),
            (
                "snmp_name a",
                "Some((None, Some(\"a\"))) 60000000 None",
                &[],
            ),
            ("snmp_name a b", "None 60000000 None", GENERAL),
            ("delay_loop 1", "Some((None, None)) 1000000 None", &[]),
            ("delay_loop 60", "None 60000000 None", &[]),
            ("delay_loop 0", "None 60000000 None", NUMBER),
            ("retry 2", "Some((None, None)) 60000000 Some(2)", &[]),
            ("retry 0", "None 60000000 None", NUMBER),
            ("retry", "fatal", MISSING),
            ("warmup -1", "None 60000000 None", NUMBER),
            ("delay_before_retry x", "None 60000000 None", NUMBER),
            ("connect_timeout 0", "None 60000000 None", NUMBER),
        ],
    );
}

#[test]
fn what_the_service_says_holds_unless_the_server_says_otherwise() {
    // The keyword may stand below the server, but for the forwarding method.
    let lines = "real_server 10.0.0.8 80 {\n TCP_CHECK {\n}\n}\n real_server 10.0.0.9 80 {\n alpha off\n inhibit_on_failure off\n weight 3\n retry 9\n delay_loop 8\n delay_before_retry 7\n warmup 6\n connect_timeout 5.5\n TCP_CHECK {\n}\n}\n lvs_method DR\n alpha\n inhibit_on_failure\n weight 4\n retry 2\n delay_loop 10\n delay_before_retry 3\n warmup 1\n connect_timeout 4";
    let (settings, said) = load(&service(lines));
    assert_eq!(said, []);
    let settings = settings.unwrap();
    let show = |index: usize| {
        let real = &settings.lvs.virtual_servers[0].real_servers[index];
        let check = &real.checkers[0];
        format!(
            "{:?} {} {} {} | {} {} {} {} {} {}",
            real.lvs_method,
            real.alpha,
            real.inhibit_on_failure,
            real.weight,
            check.retry,
            check.delay_loop.0,
            check.delay_before_retry.0,
            check.warmup.0,
            check.endpoint().unwrap().connect_timeout.0,
            check.alpha
        )
    };
    assert_eq!(
        show(0),
        "Nat true true 4 | 2 10000000 3000000 1000000 4000000 true"
    );
    assert_eq!(
        show(1),
        "Nat false false 3 | 9 8000000 7000000 6000000 5500000 false"
    );
}

#[test]
fn ports_without_address_translation() {
    services(
        |s| {
            let reals = s.real_servers.iter();
            let shown: Vec<_> = reals
                .map(|real| format!("{}:{}", real.address, real.port))
                .collect();
            shown.join(" ")
        },
        &[
            (
                "lvs_method DR\nreal_server 10.0.0.9 81 {\n}",
                "10.0.0.9:80 10.0.0.1:80 10.0.0.2:80",
                GENERAL,
            ),
            (
                "lvs_method TUN\nreal_server 10.0.0.1 81 {\n}",
                "10.0.0.1:80 10.0.0.2:80",
                &[Class::General, Class::Uncounted],
            ),
            (
                "real_server 10.0.0.1 81 {\n}",
                "10.0.0.1:81 10.0.0.1:80 10.0.0.2:80",
                &[],
            ),
        ],
    );
}

#[test]
fn scripts() {
    let command = |lines: &str| {
        let (settings, said) = load(&service(&format!(
            "real_server 10.0.0.9 80 {{\n {lines}\n}}"
        )));
        let settings = settings.unwrap();
        let real = &settings.lvs.virtual_servers[0].real_servers[0];
        let shown = [real.notify_up, real.notify_down].map(|id| id.map(|id| id.0));
        let commands = settings.lvs_commands.iter();
        let commands: Vec<_> = commands.map(|command| command.argv.join(" ")).collect();
        (shown, commands.join(","), said)
    };
    assert_eq!(
        command("notify_down \"/bin/x down\"\nnotify_up \"/bin/x up\""),
        ([Some(0), Some(1)], "/bin/x up,/bin/x down".into(), vec![])
    );
    assert_eq!(
        command("notify_up /bin/x\nnotify_up /bin/y"),
        ([Some(0), None], "/bin/x".into(), GENERAL.to_vec())
    );
    assert_eq!(
        command("notify_up /missing\nnotify_down /bin/y"),
        ([None, Some(0)], "/bin/y".into(), LOGGED.to_vec())
    );
    for keyword in ["notify_up", "notify_down"] {
        let text = service(&format!("real_server 10.0.0.9 80 {{\n {keyword}\n}}"));
        assert_eq!(load(&text).1, MISSING);
    }
}
