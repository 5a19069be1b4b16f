//! Corrections, groups and commands: what needs more than one keyword.

use std::fmt::Write;

use lvs::settings::checkers::CheckerKind;
use lvs::settings::{Protocol, Service};
use types::Family;

use crate::Class;
use crate::keywords::servers::testing::{GENERAL, LOGGED, load, service};
use crate::testing::Fake;

#[test]
fn what_a_bare_service_gets() {
    let (settings, said) = load("virtual_server 192.0.2.1 {\n real_server 10.0.0.1 {\n}\n}");
    // Protocol, scheduler, method, persistence.
    assert_eq!(said, [Class::General; 4]);
    let server = settings.unwrap().lvs.virtual_servers.remove(0);
    assert_eq!(
        server.service,
        Service::Address {
            address: "192.0.2.1".parse().unwrap(),
            port: 0,
            protocol: Protocol::Udp,
        }
    );
    assert_eq!(server.scheduler, "wlc");
    assert_eq!(server.persistence.unwrap().timeout, 360);
    assert_eq!((server.quorum, server.hysteresis), (1, 0));
}

#[test]
fn a_service_without_servers_is_left_out() {
    let text = "virtual_server 192.0.2.1 80 {\n quorum_up /bin/up\n}";
    let (settings, said) = load(text);
    let settings = settings.unwrap();
    assert_eq!(said, GENERAL);
    assert!(settings.lvs.virtual_servers.is_empty());
    assert!(settings.lvs_commands.is_empty());
}

#[test]
fn weights_of_nothing_never_suffice() {
    let text = "virtual_server 192.0.2.1 80 {\n protocol TCP\n lvs_sched rr\n lvs_method NAT\n hysteresis 3\n real_server 10.0.0.1 80 {\n weight 0\n}\n}";
    let (settings, said) = load(text);
    let server = settings.unwrap().lvs.virtual_servers.remove(0);
    assert_eq!((server.quorum, server.hysteresis), (0, 0));
    assert_eq!(said, [Class::General; 2]);
}

#[test]
fn mail_as_the_nearest_one_says() {
    let alerts = |globals: &str, of_service: &str, of_real: &str| {
        let (settings, said) = load(&format!(
            "global_defs {{\n {globals}\n}}\nvirtual_server 192.0.2.1 80 {{\n protocol TCP\n lvs_sched rr\n lvs_method NAT\n {of_service}\n real_server 10.0.0.1 80 {{\n {of_real}\n}}\n}}"
        ));
        assert_eq!(said, []);
        let server = settings.unwrap().lvs.virtual_servers.remove(0);
        (server.smtp_alert, server.real_servers[0].smtp_alert)
    };
    assert_eq!(alerts("", "", ""), (false, true));
    assert_eq!(alerts("smtp_alert", "", ""), (true, true));
    assert_eq!(alerts("smtp_alert off", "", ""), (false, false));
    assert_eq!(
        alerts("smtp_alert off\n smtp_alert_checker", "", ""),
        (true, true)
    );
    assert_eq!(
        alerts("smtp_alert", "smtp_alert off", "smtp_alert no"),
        (false, false)
    );
    assert_eq!(alerts("smtp_alert_vrrp", "smtp_alert", ""), (true, true));
}

#[test]
fn marks() {
    let text = "virtual_server fwmark 5 {\n protocol TCP\n ha_suspend\n ops\n lvs_sched rr\n lvs_method DR\n real_server 10.0.0.1 80 {\n TCP_CHECK {\n}\n}\n real_server 10.0.0.1 81 {\n}\n real_server 10.0.0.2 82 {\n lvs_method NAT\n}\n sorry_server 10.0.0.3 80\n}";
    let (settings, said) = load(text);
    let server = settings.unwrap().lvs.virtual_servers.remove(0);
    assert_eq!(
        server.service,
        Service::Mark {
            mark: 5,
            family: Family::V4
        }
    );
    assert!(server.one_packet && !server.ha_suspend);
    let ports: Vec<_> = server.real_servers.iter().map(|real| real.port).collect();
    assert_eq!(ports, [0, 82]);
    assert_eq!(server.sorry_server.unwrap().port, 0);
    // The check still knows where to go.
    let check = server.real_servers[0].checkers[0].endpoint().unwrap();
    assert_eq!(check.destination.port(), 80);
    let counted = said
        .iter()
        .filter(|class| **class == Class::General)
        .count();
    // Protocol, ha_suspend, two ports and that of the sorry server; the server that is then twice there is not counted.
    assert_eq!((counted, said.len()), (5, 6));
}

/// What is left of a service with a group of these entries.
fn grouped(entries: &str, lines: &str) -> (Option<Service>, Vec<Class>) {
    let (settings, said) = load(&format!(
        "virtual_server group G {{\n lvs_sched rr\n {lines}\n}}\nvirtual_server_group G {{\n {entries}\n}}"
    ));
    let server = settings.unwrap().lvs.virtual_servers.pop();
    (server.map(|server| server.service), said)
}

#[test]
fn a_group_decides_protocol_and_family() {
    let nat = "lvs_method NAT\n real_server 10.0.0.1 80 {\n}";
    let nat6 = "lvs_method NAT\n real_server fd00::1 80 {\n}";
    let tun6 = "lvs_method TUN\n real_server fd00::1 {\n}";
    let tcp = |lines: &str| format!("protocol TCP\n{lines}");
    for (entries, lines, expected, classes) in [
        (
            "10.0.0.1 80",
            tcp(nat),
            Some((Some(Protocol::Tcp), Some(Family::V4))),
            &[][..],
        ),
        (
            "10.0.0.1 80",
            nat.to_owned(),
            Some((Some(Protocol::Udp), Some(Family::V4))),
            GENERAL,
        ),
        (
            "fwmark 3",
            nat.to_owned(),
            Some((None, Some(Family::V4))),
            &[],
        ),
        (
            "fwmark 3",
            tcp(nat),
            Some((None, Some(Family::V4))),
            GENERAL,
        ),
        (
            "fwmark 3",
            nat6.to_owned(),
            Some((None, Some(Family::V6))),
            &[],
        ),
        (
            "fwmark 3",
            tun6.to_owned(),
            Some((None, Some(Family::V6))),
            &[],
        ),
        (
            "fwmark 3 inet",
            tun6.to_owned(),
            Some((None, Some(Family::V4))),
            &[],
        ),
        ("10.0.0.1 80", tcp(nat6), None, LOGGED),
        (
            "10.0.0.1 80",
            tcp(tun6),
            Some((Some(Protocol::Tcp), Some(Family::V4))),
            &[],
        ),
        (
            "10.0.0.1 80\nfd00::1 80",
            tcp(tun6),
            Some((Some(Protocol::Tcp), None)),
            &[],
        ),
        ("10.0.0.1 80\nfd00::1 80", tcp(nat), None, LOGGED),
        (
            "10.0.0.1 80\nfd00::1 80",
            format!("ip_family inet\n{}", tcp(tun6)),
            None,
            LOGGED,
        ),
    ] {
        let (service, said) = grouped(entries, &lines);
        let shown = service.map(|service| match service {
            Service::Group {
                protocol, family, ..
            } => (protocol, family),
            Service::Address { .. } | Service::Mark { .. } => panic!("{service:?}"),
        });
        assert_eq!(shown, expected, "{entries} {lines}");
        assert_eq!(said, classes, "{entries} {lines}");
    }
}

#[test]
fn ports_of_groups() {
    let rows: &[(&str, &str, &[Class])] = &[
        (
            "10.0.0.1 80\n10.0.0.2 80",
            "lvs_method DR\n real_server 10.0.0.1 80 {\n}",
            &[],
        ),
        (
            "10.0.0.1 80\n10.0.0.2 81",
            "lvs_method DR\n real_server 10.0.0.1 80 {\n}",
            GENERAL,
        ),
        (
            "10.0.0.1 80\n10.0.0.2 81",
            "lvs_method DR\n real_server 10.0.0.1 {\n}",
            &[],
        ),
        (
            "10.0.0.1 80\n10.0.0.2 81",
            "lvs_method NAT\n real_server 10.0.0.1 80 {\n}",
            &[],
        ),
        (
            "10.0.0.1 80",
            "lvs_method DR\n real_server 10.0.0.1 80 {\n}\n sorry_server 10.0.0.2 81",
            GENERAL,
        ),
        (
            "10.0.0.1 80\nfwmark 3",
            "lvs_method DR\n real_server 10.0.0.1 80 {\n}",
            GENERAL,
        ),
        (
            "10.0.0.1",
            "lvs_method NAT\n real_server 10.0.0.1 80 {\n}",
            GENERAL,
        ),
        (
            "10.0.0.1",
            "persistence_timeout\n lvs_method NAT\n real_server 10.0.0.1 80 {\n}",
            &[],
        ),
        (
            "10.0.0.1 80",
            "ops\n lvs_method NAT\n real_server 10.0.0.1 80 {\n}",
            GENERAL,
        ),
        (
            "10.0.0.1 80",
            "ha_suspend\n lvs_method NAT\n real_server 10.0.0.1 80 {\n}",
            &[],
        ),
        (
            "10.0.0.1 80\nfwmark 3",
            "ha_suspend\n lvs_method NAT\n real_server 10.0.0.1 80 {\n}",
            GENERAL,
        ),
    ];
    for (entries, lines, classes) in rows {
        let (service, said) = grouped(entries, &format!("protocol TCP\n {lines}"));
        assert!(service.is_some(), "{entries} {lines}");
        assert_eq!(said, *classes, "{entries} {lines}");
    }
}

#[test]
fn services_of_one_group_are_counted_without_those_left_out() {
    let of = |name: &str, real: &str| {
        format!(
            "virtual_server group {name} {{\n protocol TCP\n lvs_sched rr\n lvs_method NAT\n real_server {real} 80 {{\n}}\n}}\n"
        )
    };
    let text = [
        of("G", "10.0.0.1"),
        of("G", "fd00::1"),
        of("H", "10.0.0.1"),
        of("nowhere", "10.0.0.1"),
        of("G", "10.0.0.1"),
        "virtual_server_group H {\n 10.1.0.1 80\n}\nvirtual_server_group G {\n 10.2.0.1 80\n}\n"
            .into(),
    ];
    let (settings, said) = load(&text.concat());
    let settings = settings.unwrap();
    let shown: Vec<_> = settings
        .lvs
        .virtual_servers
        .iter()
        .map(|server| match server.service {
            Service::Group { group, ordinal, .. } => {
                (settings.lvs.group(group).unwrap().name.as_str(), ordinal)
            }
            Service::Address { .. } | Service::Mark { .. } => panic!("{:?}", server.service),
        })
        .collect();
    assert_eq!(shown, [("G", 0), ("H", 0), ("G", 1)]);
    assert_eq!(said, [Class::Uncounted; 2]);
}

#[test]
fn a_group_of_more_addresses_than_the_kernel_has_services_for_goes_by_marks() {
    let server = "protocol TCP\n lvs_method NAT\n real_server fd00::1 80 {\n}";
    assert!(grouped("fd00::/112 80", server).0.is_some());
    let (service, said) = grouped("fd00::/64 80", server);
    assert_eq!(service, None);
    assert!(said.contains(&Class::Uncounted));
    let (settings, _) = load(&format!(
        "global_defs {{\n nftables_ipvs\n}}\nvirtual_server group G {{\n lvs_sched rr\n {server}\n}}\nvirtual_server_group \
         G {{\n fd00::/64 80\n}}"
    ));
    assert_eq!(settings.unwrap().lvs.virtual_servers.len(), 1);
}

#[test]
fn an_unknown_group_is_all_that_is_said() {
    let (_, said) = load("virtual_server group G {\n real_server 10.0.0.1 80 {\n}\n}");
    assert_eq!(said, LOGGED);
}

#[test]
fn an_engine_waits_for_the_group() {
    let persistence = |entry: &str| {
        let (settings, said) = load(&format!(
            "virtual_server group G {{\n protocol UDP\n lvs_sched rr\n lvs_method NAT\n persistence_engine sip\n real_server 10.0.0.1 80 {{\n}}\n}}\nvirtual_server_group G {{\n {entry}\n}}"
        ));
        (
            settings.unwrap().lvs.virtual_servers.remove(0).persistence,
            said,
        )
    };
    let (found, said) = persistence("10.1.0.1");
    assert_eq!(found.unwrap().engine.as_deref(), Some("sip"));
    assert_eq!(said, GENERAL);
    assert_eq!(persistence("10.1.0.1 80"), (None, LOGGED.to_vec()));
}

#[test]
fn a_check_whose_command_cannot_run_is_left_out() {
    let lines = "real_server 10.0.0.9 80 {\n MISC_CHECK {\n misc_path /missing\n}\n MISC_CHECK {\n misc_path \"/bin/check 1\"\n}\n notify_up \"/bin/check 1\"\n}";
    let (settings, said) = load(&service(lines));
    let settings = settings.unwrap();
    let real = &settings.lvs.virtual_servers[0].real_servers[0];
    let [check] = real.checkers.as_slice() else {
        panic!("{:?}", real.checkers);
    };
    let CheckerKind::Misc(misc) = &check.kind else {
        panic!("{check:?}");
    };
    assert_eq!(Some(misc.command), real.notify_up);
    assert_eq!(settings.lvs_commands.len(), 1);
    assert_eq!(said, LOGGED);
}

#[test]
fn scripts_without_script_security_are_a_security_problem() {
    let classes = |lines: &str| {
        let loaded = Fake::default().load(service(lines));
        let classes = loaded.diagnostics.iter().map(|d| d.class);
        let mut classes: Vec<_> = classes.filter(|class| *class != Class::Pending).collect();
        classes.sort();
        classes
    };
    assert_eq!(classes("quorum_up /bin/up"), [Class::Security]);
    assert_eq!(classes("quorum_up /missing"), LOGGED);
    assert_eq!(classes(""), []);
}

/// Twenty thousand servers of one service, half of them twice: quadratic work would take minutes.
#[test]
fn many_servers() {
    let mut lines = String::new();
    for index in 0..20_000_u32 {
        let [_, _, high, low] = (index / 2).to_be_bytes();
        writeln!(
            lines,
            "real_server 10.1.{high}.{low} 80 {{\n TCP_CHECK {{\n}}\n}}"
        )
        .unwrap();
    }
    let (settings, _) = load(&service(&lines));
    let servers = &settings.unwrap().lvs.virtual_servers[0].real_servers;
    assert_eq!(servers.len(), 10_002);
    assert!(servers.iter().all(|real| real.checkers.len() < 2));
}
