//! Each keyword of `global_defs` and of the root's settings: good values, bad ones, out of range, missing, given twice.

use std::fmt::Debug;
use std::time::Duration;

use crate::Class::{
    self, Deprecated, General, InvalidNumber, MissingParameter, Security, Uncounted,
};
use crate::Settings;
use crate::machine::FileProblem;
use crate::settings::global::{
    AdvertBufferPolicy, AutoPriority, BusyFile, Ipsets, IpvsNamespace, Process,
};
use crate::testing::Fake;

/// What lines in `global_defs` lead to; keywords that wait for their subsystem are not mentioned.
fn read(text: &str) -> (Option<Settings>, Vec<Class>) {
    let machine = Fake::default()
        .problem("/etc/keepalived", FileProblem::Directory)
        .problem("/var/save", FileProblem::Directory)
        .file("/etc/file", "")
        .problem("/etc/program", FileProblem::Executable);
    let loaded = machine.load(text);
    let classes = loaded
        .diagnostics
        .iter()
        .map(|d| d.class)
        .filter(|class| *class != Class::Pending)
        .collect();
    (loaded.settings, classes)
}

fn globals(lines: &str) -> (Option<Settings>, Vec<Class>) {
    read(&format!("global_defs {{\n{lines}\n}}\n"))
}

/// Each text, what `show` says of the settings, and the classes of what is reported.
fn table<T: Debug>(
    read: fn(&str) -> (Option<Settings>, Vec<Class>),
    show: impl Fn(&Settings) -> T,
    rows: &[(&str, &str, &[Class])],
) {
    for (lines, expected, classes) in rows {
        let (settings, said) = read(lines);
        let shown = settings.as_ref().map_or("fatal".to_owned(), |settings| {
            format!("{:?}", show(settings))
        });
        assert_eq!(
            (shown.as_str(), said.as_slice()),
            (*expected, *classes),
            "{lines}"
        );
    }
}

/// The same for one keyword, whose name stands for `*`.
fn keyword<T: Debug>(
    names: &[&str],
    show: impl Fn(&Settings, &str) -> T,
    rows: &[(&str, &str, &[Class])],
) {
    for name in names {
        for (lines, expected, classes) in rows {
            let lines = lines.replace('*', name);
            table(
                globals,
                |settings| show(settings, name),
                &[(&lines, expected, classes)],
            );
        }
    }
}

fn process<'s>(settings: &'s Settings, name: &str) -> &'s Process {
    let processes = &settings.global.processes;
    match name.split('_').next().unwrap() {
        "vrrp" => &processes.vrrp,
        "bfd" => &processes.bfd,
        _ => &processes.checker,
    }
}

/// Whether something is on.
type Get = fn(&Settings) -> bool;

const NUMBER: &[Class] = &[InvalidNumber];
const OTHER: &[Class] = &[General];
const MISSING: &[Class] = &[General];
/// Where the argument is mandatory.
const ENDS: &[Class] = &[MissingParameter];
const LOGGED: &[Class] = &[Uncounted];

#[test]
fn what_says_all_by_being_there() {
    let flags: &[(&str, Get)] = &[
        ("enable_script_security", |s| {
            s.global.enable_script_security
        }),
        ("dynamic_interfaces", |s| s.global.dynamic_interfaces),
        ("disable_local_igmp", |s| s.global.disable_local_igmp),
        ("log_unknown_vrids", |s| s.global.log_unknown_vrids),
        ("no_email_faults", |s| s.global.mail.no_faults),
        ("fifo_write_vrrp_states_on_reload", |s| {
            s.global.fifos.vrrp_states_on_reload
        }),
        ("enable_traps", |s| s.global.snmp.traps),
        ("enable_snmp_vrrp", |s| s.global.snmp.vrrp),
        ("enable_snmp_keepalived", |s| s.global.snmp.vrrp),
        ("enable_snmp_checker", |s| s.global.snmp.checker),
        ("enable_snmp_rfc", |s| {
            s.global.snmp.rfc2787 && s.global.snmp.rfc6527
        }),
        ("enable_snmp_rfcv2", |s| {
            s.global.snmp.rfc2787 && !s.global.snmp.rfc6527
        }),
        ("enable_snmp_rfcv3", |s| {
            s.global.snmp.rfc6527 && !s.global.snmp.rfc2787
        }),
        ("enable_dbus", |s| s.global.dbus.enabled),
        ("nftables_ifindex", |s| s.global.firewall.nftables_ifindex),
        ("nftables_counters", |s| s.global.firewall.nftables_counters),
        ("reload_repeat", |s| s.global.reload.repeat),
        ("lvs_flush", |s| s.lvs.global.flush),
        ("vrrp_no_swap", |s| s.global.processes.vrrp.no_swap),
        ("checker_no_swap", |s| s.global.processes.checker.no_swap),
        ("bfd_no_swap", |s| s.global.processes.bfd.no_swap),
    ];
    for (name, get) in flags {
        assert!(!get(&Settings::default()), "{name}");
        for lines in [(*name).to_owned(), format!("{name}\n{name}")] {
            let (settings, classes) = globals(&lines);
            assert!(get(&settings.unwrap()), "{name}");
            assert_eq!(classes, [], "{name}");
        }
    }
    // Words behind them are passed over, so that off means on.
    for name in ["nftables_counters", "vrrp_no_swap"] {
        let (settings, classes) = globals(&format!("{name} off"));
        assert_ne!(settings.unwrap(), Settings::default(), "{name}");
        assert_eq!(classes, [], "{name}");
    }
}

/// Lines of `global_defs` beside an IPv4 instance of version 3 with a peer.
fn with_instance(lines: &str) -> (Option<Settings>, Vec<Class>) {
    read(&format!(
        "global_defs {{\n{lines}\n}}\nvrrp_instance A {{\ninterface eth0\nvirtual_router_id 1\nversion 3\n\
         unicast_peer {{\n10.0.0.9\n}}\nvirtual_ipaddress {{\n10.0.0.1\n}}\n}}\n"
    ))
}

#[test]
fn what_instances_inherit() {
    let flags: &[(&str, Get)] = &[
        ("vrrp_check_unicast_src", |s| {
            let unicast = s.vrrp.instances[0].unicast.as_ref();
            unicast.unwrap().check_source
        }),
        ("v3_checksum_as_v2", |s| {
            s.vrrp.instances[0].v3_checksum_as_v2
        }),
        ("smtp_alert", |s| s.vrrp.instances[0].smtp_alert),
        ("smtp_alert off\nsmtp_alert_vrrp", |s| {
            s.vrrp.instances[0].smtp_alert
        }),
    ];
    for (lines, get) in flags {
        let with = with_instance(lines).0.unwrap();
        let without = with_instance("").0.unwrap();
        assert!(get(&with) && !get(&without), "{lines}");
    }
}

#[test]
fn switches() {
    let switches: &[(&str, Get)] = &[
        ("no_checker_emails", |s| s.global.mail.no_checkers),
        ("data_use_instance", |s| s.global.files.dumps_carry_instance),
        ("rs_init_notifies", |s| s.lvs.global.rs_init_notifies),
        ("checker_log_all_failures", |s| {
            s.lvs.global.log_all_failures
        }),
        ("vrrp_netlink_cmd_rcv_bufs_force", |s| {
            s.global.buffers.vrrp_netlink_cmd.force
        }),
        ("vrrp_netlink_monitor_rcv_bufs_force", |s| {
            s.global.buffers.vrrp_netlink_monitor.force
        }),
        ("lvs_netlink_cmd_rcv_bufs_force", |s| {
            s.global.buffers.lvs_netlink_cmd.force
        }),
        ("lvs_netlink_monitor_rcv_bufs_force", |s| {
            s.global.buffers.lvs_netlink_monitor.force
        }),
        ("process_monitor_rcv_bufs_force", |s| {
            s.global.buffers.process_monitor.force
        }),
        ("smtp_alert", |s| s.global.mail.alert == Some(true)),
        ("smtp_alert_vrrp", |s| {
            s.global.mail.alert_vrrp == Some(true)
        }),
        ("smtp_alert_checker", |s| {
            s.global.mail.alert_checker == Some(true)
        }),
    ];
    for (name, get) in switches {
        keyword(
            &[name],
            |s, _| get(s),
            &[
                ("", "false", &[]),
                ("*", "true", &[]),
                ("* on", "true", &[]),
                ("* on\n* no", "false", &[]),
                ("* off", "false", &[]),
                ("* ON", "false", OTHER),
                ("* yes\n* maybe", "true", OTHER),
            ],
        );
    }
    table(
        globals,
        |s| (s.global.mail.alert, s.global.mail.alert_vrrp),
        &[
            ("", "(None, None)", &[]),
            (
                "smtp_alert no\nsmtp_alert_vrrp",
                "(Some(false), Some(true))",
                &[],
            ),
        ],
    );
    for name in [
        "set_supplementary_groups",
        "use_symlink_paths",
        "vrrp_strict",
        "vrrp_min_garp",
        "vrrp_lower_prio_no_advert",
        "vrrp_higher_prio_send_advert",
        "vrrp_owner_ignore_adverts",
        "vrrp_skip_check_adv_addr",
        "vrrp_notify_priority_changes",
    ] {
        assert_eq!(globals(name).1, [], "{name}");
        assert_eq!(
            globals(&format!("{name} true\n{name} false")).1,
            [],
            "{name}"
        );
        assert_eq!(globals(&format!("{name} 1")).1, OTHER, "{name}");
    }
}

#[test]
fn without_these_arguments_nothing_goes_on() {
    for name in [
        "process_name",
        "vrrp_process_name",
        "checker_process_name",
        "bfd_process_name",
        "smtp_server",
        "smtp_connect_timeout",
        "vrrp_version",
        "vrrp_mcast_group4",
        "vrrp_mcast_group6",
        "vrrp_garp_master_delay",
        "vrrp_garp_master_repeat",
        "vrrp_garp_master_refresh",
        "vrrp_garp_master_refresh_repeat",
        "vrrp_garp_lower_prio_delay",
        "vrrp_garp_lower_prio_repeat",
        "vrrp_garp_interval",
        "vrrp_gna_interval",
        "vrrp_down_timer_adverts",
        "vrrp_startup_delay",
        "vrrp_delay_after_boot",
        "nftables_priority",
        "nftables_ipvs_priority",
        "nftables_ipvs_start_fwmark",
        "vrrp_rlimit_rttime",
        "checker_rlimit_rttime",
        "bfd_rlimit_rttime",
        "vrrp_rlimit_rtime",
        "snmp_vs_stats_update_interval",
        "snmp_rs_stats_update_interval",
        "vmac_prefix",
        "vmac_addr_prefix",
        "umask",
        "random_seed",
        "config_save_dir",
    ] {
        assert_eq!(globals(name), (None, vec![MissingParameter]), "{name}");
    }
    assert_eq!(read("child_wait_time"), (None, vec![MissingParameter]));
}

#[test]
fn names_of_processes() {
    keyword(
        &[
            "vrrp_process_name",
            "checker_process_name",
            "bfd_process_name",
        ],
        |s, name| process(s, name).name.clone(),
        &[
            ("", "None", &[]),
            ("* one\n* two", "Some(\"two\")", &[]),
            ("* a_name_of_16_byt", "Some(\"a_name_of_16_by\")", OTHER),
            ("process_names\n* own", "Some(\"own\")", &[]),
            ("* own\nprocess_names", "Some(\"own\")", &[]),
        ],
    );
    table(
        globals,
        |s| {
            let p = &s.global.processes;
            [&p.parent_name, &p.vrrp.name, &p.checker.name, &p.bfd.name]
                .map(|name| name.clone().unwrap_or_default())
                .join(" ")
        },
        &[
            ("process_name p", "\"p   \"", &[]),
            (
                "process_names",
                "\" keepalived_vrrp keepalived_lvs keepalived_bfd\"",
                &[],
            ),
            ("lvs_process_name old", "\"  old \"", LOGGED),
        ],
    );
}

#[test]
fn how_processes_run() {
    keyword(
        &["vrrp_priority", "checker_priority", "bfd_priority"],
        |s, name| process(s, name).nice,
        &[
            ("", "0", &[]),
            ("* -20", "-20", &[]),
            ("* 19", "19", &[]),
            ("* 5\n* 20", "0", NUMBER),
            ("* -21", "0", NUMBER),
            ("* 5x", "5", NUMBER),
            ("* 5\n*", "0", MISSING),
        ],
    );
    keyword(
        &["vrrp_rt_priority", "checker_rt_priority", "bfd_rt_priority"],
        |s, name| process(s, name).realtime,
        &[
            ("", "None", &[]),
            ("* 1", "Some(1)", &[]),
            ("* 5\n* 99", "Some(99)", &[]),
            ("* 0", "Some(1)", OTHER),
            ("* 100", "Some(99)", OTHER),
            ("* 99999999999", "None", NUMBER),
            ("* 5\n* high", "Some(5)", NUMBER),
            ("*", "None", MISSING),
        ],
    );
    keyword(
        &[
            "vrrp_cpu_affinity",
            "checker_cpu_affinity",
            "bfd_cpu_affinity",
        ],
        |s, name| process(s, name).cpus.clone(),
        &[
            ("", "[]", &[]),
            ("* 3 0 3", "[0, 3]", &[]),
            ("* 0\n* 1", "[1]", &[]),
            ("* 0 4", "[]", NUMBER),
            ("* 0 -1", "[]", NUMBER),
            ("* all", "[]", NUMBER),
            ("*", "[]", MISSING),
        ],
    );
    let micros =
        |s: &Settings, name: &str| process(s, name).rttime_limit.map(|limit| limit.as_micros());
    keyword(
        &[
            "vrrp_rlimit_rttime",
            "checker_rlimit_rttime",
            "bfd_rlimit_rttime",
        ],
        micros,
        &[
            ("", "Some(10000)", &[]),
            ("* 1", "Some(2)", &[]),
            ("* 4294967295", "Some(4294967295)", &[]),
            ("* 4294967296", "None", NUMBER),
            ("* 0", "None", NUMBER),
            ("* x", "None", NUMBER),
            ("* 5\n* 6", "Some(6)", &[]),
        ],
    );
    keyword(
        &[
            "vrrp_rlimit_rtime",
            "checker_rlimit_rtime",
            "bfd_rlimit_rtime",
        ],
        micros,
        &[("* 5", "Some(5)", LOGGED)],
    );
}

#[test]
fn automatic_priority() {
    use AutoPriority::{Off, OffAndQuiet, UpTo};
    for (line, expected, classes) in [
        ("", Off, &[] as &[Class]),
        ("max_auto_priority", UpTo(99), &[]),
        ("max_auto_priority 5", UpTo(5), &[]),
        ("max_auto_priority 5\nmax_auto_priority 0", Off, &[]),
        ("max_auto_priority -1", OffAndQuiet, &[]),
        ("max_auto_priority -2", Off, NUMBER),
        ("max_auto_priority 100", Off, NUMBER),
    ] {
        let (settings, said) = globals(line);
        let given = settings.unwrap().global.processes.max_auto_priority;
        assert_eq!((given, said.as_slice()), (expected, classes), "{line}");
    }
    table(
        globals,
        |s| s.global.processes.min_auto_priority_delay,
        &[
            ("", "1s", &[]),
            ("min_auto_priority_delay 1", "1µs", &[]),
            ("min_auto_priority_delay 10000000", "10s", &[]),
            ("min_auto_priority_delay 10000001", "1s", NUMBER),
            ("min_auto_priority_delay 0", "1s", NUMBER),
            ("min_auto_priority_delay", "1s", MISSING),
        ],
    );
}

#[test]
fn mail_server() {
    table(
        globals,
        |s| {
            s.global
                .mail
                .server
                .as_ref()
                .map(|server| format!("{} {}", server.host, server.address))
        },
        &[
            ("", "None", &[]),
            (
                "smtp_server 192.0.2.1",
                "Some(\"192.0.2.1 192.0.2.1:25\")",
                &[],
            ),
            (
                "smtp_server 192.0.2.1 587",
                "Some(\"192.0.2.1 192.0.2.1:587\")",
                &[],
            ),
            (
                "smtp_server fd00::1 26",
                "Some(\"fd00::1 [fd00::1]:26\")",
                &[],
            ),
            (
                "smtp_server mail.example.com",
                "Some(\"mail.example.com 192.0.2.25:25\")",
                &[],
            ),
            (
                "smtp_server 192.0.2.1\nsmtp_server 192.0.2.2",
                "Some(\"192.0.2.2 192.0.2.2:25\")",
                &[],
            ),
            ("smtp_server nobody.example.com", "None", OTHER),
            ("smtp_server 192.0.2.1:25", "None", OTHER),
            ("smtp_server \"\"", "None", OTHER),
            ("smtp_server 192.0.2.1 0", "None", NUMBER),
            ("smtp_server 192.0.2.1 65536", "None", NUMBER),
            ("smtp_server 192.0.2.1 smtp", "None", NUMBER),
            ("smtp_server 192.0.2.1\nsmtp_server nobody", "None", OTHER),
        ],
    );
    let many = "smtp_server mail.example.com\n".repeat(9);
    assert_eq!(globals(&many).1, OTHER, "the ninth name is not looked up");
    let text = "global_defs {\nsmtp_server nobody\n}\n";
    let said = Fake::default().load(text).diagnostics;
    let error = said.iter().find(|d| d.class == General).unwrap();
    assert_eq!(
        error.terse(),
        "(x.conf: Line 2) Invalid smtp server nobody 25"
    );
}

#[test]
fn mail() {
    table(
        globals,
        |s| s.global.mail.connect_timeout,
        &[
            ("", "30s", &[]),
            ("smtp_connect_timeout 4294", "4294s", &[]),
            ("smtp_connect_timeout 0", "1s", OTHER),
            ("smtp_connect_timeout 4295", "30s", NUMBER),
            ("smtp_connect_timeout x", "30s", NUMBER),
            ("smtp_connect_timeout 3\nsmtp_connect_timeout 4", "4s", &[]),
        ],
    );
    table(
        globals,
        |s| s.global.mail.helo_name.clone(),
        &[
            ("smtp_helo_name", "None", &[]),
            ("smtp_helo_name a\nsmtp_helo_name b", "Some(\"b\")", &[]),
        ],
    );
    table(
        globals,
        |s| s.global.mail.from.clone(),
        &[
            ("notification_email_from", "None", MISSING),
            ("notification_email_from a@b", "Some(\"a@b\")", &[]),
            (
                "notification_email_from \"A. B. <a@b>\"",
                "Some(\"\\\"A. B.\\\" <a@b>\")",
                &[],
            ),
            ("notification_email_from a@b c@d", "Some(\"a@b\")", OTHER),
            (
                "notification_email_from a\nnotification_email_from b",
                "Some(\"b\")",
                &[],
            ),
        ],
    );
    table(
        globals,
        |s| s.global.mail.to.join("|"),
        &[
            (
                "notification_email {\na@b c@d\n\"E F <e@f>\"\n}",
                "\"a@b|c@d|E F <e@f>\"",
                &[],
            ),
            (
                "notification_email {\na@b\n}\nnotification_email { c@d }",
                "\"a@b|c@d\"",
                &[],
            ),
            ("notification_email {\n}", "\"\"", OTHER),
            ("notification_email x {\na@b\n}", "\"a@b\"", OTHER),
        ],
    );
}

#[test]
fn scripts_around_the_daemon() {
    let show = |s: &Settings| {
        let scripts = &s.global.scripts;
        [&scripts.startup, &scripts.shutdown].map(|script| {
            script.as_ref().map_or(String::new(), |script| {
                format!(
                    "{} {}:{} {:?}",
                    script.command.argv.join("|"),
                    script.command.user.uid,
                    script.command.user.gid,
                    script.timeout
                )
            })
        })
    };
    table(
        globals,
        show,
        &[
            (
                "startup_script \"/bin/x a\" daemon root\nstartup_script_timeout 3",
                "[\"/bin/x|a 1:0 3s\", \"\"]",
                &[Security],
            ),
            (
                "shutdown_script /bin/x",
                "[\"\", \"/bin/x 0:0 10s\"]",
                &[Security],
            ),
            (
                "enable_script_security\nscript_user root\nstartup_script /bin/x\nstartup_script /bin/y",
                "[\"/bin/x 0:0 10s\", \"\"]",
                OTHER,
            ),
            ("startup_script", "[\"\", \"\"]", MISSING),
            ("shutdown_script", "[\"\", \"\"]", MISSING),
            ("startup_script \"\"", "[\"\", \"\"]", OTHER),
            ("startup_script /bin/x nobody9", "[\"\", \"\"]", OTHER),
            ("startup_script /bin/x root nobody9", "[\"\", \"\"]", OTHER),
            (
                "enable_script_security\nstartup_script /bin/x",
                "[\"\", \"\"]",
                OTHER,
            ),
            ("startup_script /nowhere", "[\"\", \"\"]", LOGGED),
        ],
    );
    keyword(
        &["startup_script", "shutdown_script"],
        |s, _| show(s).join("").rsplit(' ').next().map(str::to_owned),
        &[
            ("* /bin/x\n*_timeout 1", "Some(\"1s\")", &[Security]),
            ("* /bin/x\n*_timeout 1000", "Some(\"1000s\")", &[Security]),
            (
                "* /bin/x\n*_timeout 1001",
                "Some(\"10s\")",
                &[InvalidNumber, Security],
            ),
            (
                "* /bin/x\n*_timeout 0",
                "Some(\"10s\")",
                &[InvalidNumber, Security],
            ),
            ("* /bin/x\n*_timeout", "Some(\"10s\")", &[General, Security]),
            (
                "* /bin/x\n*_timeout 4\n*_timeout 5",
                "Some(\"5s\")",
                &[Security],
            ),
        ],
    );
    table(
        globals,
        |s| s.global.enable_script_security,
        &[
            ("script_user stranger", "false", OTHER),
            ("script_user root stranger", "false", OTHER),
            ("script_user", "false", MISSING),
        ],
    );
}

#[test]
fn fifos() {
    let around = |lines: &str| {
        read(&format!(
            "global_defs {{\n{lines}\n}}\nvrrp_instance A {{\ninterface eth0\nvirtual_router_id 1\n\
             virtual_ipaddress {{\n10.0.0.1\n}}\n}}\nvirtual_server 10.0.0.2 80 {{\n\
             lb_algo rr\nlb_kind NAT\nprotocol TCP\nreal_server 10.0.0.3 80 {{\nweight 1\n}}\n}}\n"
        ))
    };
    for (name, get) in [
        ("notify_fifo", (|s| s.global.fifos.all) as fn(Settings) -> _),
        ("vrrp_notify_fifo", |s| s.global.fifos.vrrp),
        ("lvs_notify_fifo", |s| s.global.fifos.lvs),
    ] {
        for (lines, expected, classes) in [
            ("", "", &[] as &[Class]),
            ("*", "", MISSING),
            ("* \"\"", "", LOGGED),
            ("* /f", "/f", &[]),
            ("* /f daemon", "/f 1:1", &[]),
            ("* /f daemon root", "/f 1:0", &[]),
            ("* /f stranger", "", LOGGED),
            ("* /f daemon stranger", "", LOGGED),
            ("* /f\n* /g", "/f", OTHER),
            ("* /f\n*_script \"/bin/x a\"", "/f /bin/x|a|/f", &[Security]),
            ("*_script /bin/x\n* /f", "/f /bin/x|/f", &[Security]),
            ("* /f\n*_script /bin/x stranger", "/f", LOGGED),
            ("* /f\n*_script /nowhere", "/f", LOGGED),
            ("* /f\n*_script", "/f", MISSING),
            (
                "* /f\n*_script /bin/x\n*_script /bin/y",
                "/f /bin/x|/f",
                &[General, Security],
            ),
            ("*_script /bin/x", "", &[Uncounted, Security]),
        ] {
            let lines = lines.replace('*', name);
            let (settings, said) = around(&lines);
            let shown = get(settings.unwrap()).map_or(String::new(), |fifo| {
                let owner = fifo
                    .owner
                    .map(|owner| format!(" {}:{}", owner.uid, owner.gid));
                let reader = fifo
                    .reader
                    .map(|reader| format!(" {}", reader.argv.join("|")));
                fifo.path + &owner.unwrap_or_default() + &reader.unwrap_or_default()
            });
            assert_eq!(
                (shown.as_str(), said.as_slice()),
                (expected, classes),
                "{lines}"
            );
        }
    }
    let idle = globals(
        "notify_fifo /f\nnotify_fifo_script /bin/x\nvrrp_notify_fifo /g\nvrrp_notify_fifo_script /bin/x",
    );
    assert_eq!(idle.1, [], "nothing would run the scripts");
}

#[test]
fn snmp_and_dbus() {
    table(
        globals,
        |s| s.global.snmp.socket.clone(),
        &[
            ("", "None", &[]),
            (
                "snmp_socket tcp:localhost:705",
                "Some(\"tcp:localhost:705\")",
                &[],
            ),
            ("snmp_socket a\nsnmp_socket b", "Some(\"a\")", OTHER),
            ("snmp_socket a b", "None", OTHER),
            ("snmp_socket", "None", MISSING),
        ],
    );
    table(
        globals,
        |s| {
            (
                s.global.snmp.virtual_server_interval,
                s.global.snmp.real_server_interval,
            )
        },
        &[
            ("", "(5s, 5s)", &[]),
            ("snmp_vs_stats_update_interval 0.001", "(1ms, 1ms)", &[]),
            (
                "snmp_rs_stats_update_interval 30\nsnmp_vs_stats_update_interval 2",
                "(2s, 30s)",
                &[],
            ),
            ("snmp_vs_stats_update_interval 30.1", "(5s, 5s)", NUMBER),
            ("snmp_rs_stats_update_interval 0", "(5s, 5s)", NUMBER),
        ],
    );
    table(
        globals,
        |s| {
            (
                s.global.dbus.service_name.clone(),
                s.global.dbus.no_interface_name.clone(),
            )
        },
        &[
            ("", "(\"org.keepalived.Vrrp1\", None)", &[]),
            (
                "dbus_service_name a.b\ndbus_service_name c.d",
                "(\"c.d\", None)",
                &[],
            ),
            (
                "dbus_no_interface_name x",
                "(\"org.keepalived.Vrrp1\", Some(\"x\"))",
                &[],
            ),
            (
                "dbus_service_name",
                "(\"org.keepalived.Vrrp1\", None)",
                MISSING,
            ),
            (
                "dbus_no_interface_name",
                "(\"org.keepalived.Vrrp1\", None)",
                MISSING,
            ),
        ],
    );
}

#[test]
fn timeouts_of_ipvs() {
    let rows: &[(&str, &str, &[Class])] = &[
        ("tcp 5 tcpfin 6 udp 2678400", "5 6 2678400", &[]),
        ("tcp 0", "- - -", &[]),
        ("tcp 5\nlvs_timeouts udp 7", "5 - 7", &[]),
        ("tcp 5\nlvs_timeouts tcp 0", "- - -", &[]),
        ("tcp 1 tcp 2", "2 - -", &[]),
        ("tcp 2678401", "- - -", NUMBER),
        ("tcp -1", "- - -", NUMBER),
        ("tcp 5x udp 7", "- - 7", NUMBER),
        ("tcp x udp 5x", "- - -", &[InvalidNumber, InvalidNumber]),
        ("", "- - -", OTHER),
        ("tcp", "- - -", OTHER),
        ("tcp 1 udp", "1 - -", OTHER),
        ("tcp 1 bad udp 2", "1 - 2", OTHER),
        ("1 2", "- - -", &[General, General]),
    ];
    for (words, expected, classes) in rows {
        let (settings, said) = globals(&format!("lvs_timeouts {words}"));
        let t = settings.unwrap().lvs.global.timeouts;
        let shown = [t.tcp, t.tcpfin, t.udp]
            .map(|time| time.map_or("-".to_owned(), |time| time.as_secs().to_string()))
            .join(" ");
        assert_eq!(
            (shown.as_str(), said.as_slice()),
            (*expected, *classes),
            "{words}"
        );
    }
}

#[test]
fn flushing_ipvs() {
    keyword(
        &["lvs_flush_on_stop", "lvs_flush_onstop"],
        |s, _| s.lvs.global.flush_on_stop,
        &[
            ("", "No", &[]),
            ("*", "Everything", &[]),
            ("* VS", "VirtualServers", &[]),
            ("* VS\n*", "Everything", &[]),
            ("* vs", "No", OTHER),
        ],
    );
}

#[test]
fn sync_daemon() {
    let rows: &[(&str, &str, &[Class])] = &[
        ("eth0", "eth0 - 0", &[]),
        ("eth9", "eth9 - 0", &[]),
        ("eth0 A", "eth0 A 7", &[]),
        ("eth0 inst A", "eth0 A 7", &[]),
        ("eth0 A id 5", "eth0 A 5", &[]),
        ("eth0 A 5", "eth0 A 5", OTHER),
        ("eth0 A 256", "eth0 A 7", NUMBER),
        ("eth0 A x", "eth0 A 7", NUMBER),
        ("eth0 A 5 6", "eth0 A 5", &[General, General]),
        ("eth0 inst A 5", "eth0 A 7", OTHER),
        ("eth0 A inst B", "eth0 A 7", OTHER),
        ("eth0 inst Z", "none", LOGGED),
        ("eth0 inst", "fatal", ENDS),
        ("eth0 id 0", "eth0 - 0", &[]),
        ("eth0 id 5 id 6", "eth0 - 6", &[]),
        ("eth0 id 256", "eth0 - 0", NUMBER),
        ("eth0 id 5x", "eth0 - 0", NUMBER),
        ("eth0 id", "eth0 - 0", OTHER),
        (
            "eth0 group 224.1.1.1 port 5 maxlen 65507 ttl 255",
            "eth0 - 0 maxlen 65507 port 5 ttl 255 group 224.1.1.1",
            &[],
        ),
        (
            "eth0 maxlen 0 port 0 ttl 0",
            "eth0 - 0",
            &[InvalidNumber; 3],
        ),
        (
            "eth0 maxlen 65508 port 65536 ttl 256",
            "eth0 - 0",
            &[InvalidNumber; 3],
        ),
        ("eth0 port", "eth0 - 0", OTHER),
        ("eth0 group ff05::1", "eth0 - 0 group ff05::1", &[]),
        ("eth0 group 10.0.0.1", "eth0 - 0", OTHER),
        ("eth0 group x", "eth0 - 0", OTHER),
        ("eth0 ttl 5 A", "eth0 - 0 ttl 5", OTHER),
        ("a_name_of_16_by_", "none", OTHER),
        ("", "none", MISSING),
        ("eth0\nlvs_sync_daemon lo", "eth0 - 0", OTHER),
    ];
    for (words, expected, classes) in rows {
        let (settings, said) = read(&format!(
            "global_defs {{\nlvs_sync_daemon {words}\n}}\nvrrp_instance A {{\ninterface eth0\nvirtual_router_id 7\n\
             virtual_ipaddress {{\n10.0.0.1\n}}\n}}\n"
        ));
        let shown = settings.map_or("fatal".to_owned(), |settings| {
            let Some(d) = settings.lvs.global.sync_daemon else {
                return "none".to_owned();
            };
            let option = |name: &str, value: Option<String>| {
                value.map_or(String::new(), |value| format!(" {name} {value}"))
            };
            format!(
                "{} {} {}",
                d.interface,
                d.instance.as_deref().unwrap_or("-"),
                d.id
            ) + &option("maxlen", d.maxlen.map(|n| n.to_string()))
                + &option("port", d.port.map(|n| n.to_string()))
                + &option("ttl", d.ttl.map(|n| n.to_string()))
                + &option("group", d.group.map(|n| n.to_string()))
        });
        assert_eq!(
            (shown.as_str(), said.as_slice()),
            (*expected, *classes),
            "{words}"
        );
    }
}

#[test]
fn tables_of_nftables() {
    let long = "n".repeat(254);
    table(
        globals,
        |s| {
            let f = &s.global.firewall;
            (
                f.nftables
                    .as_deref()
                    .map(|name| name.trim_start_matches('n'))
                    .map(str::to_owned),
                f.nftables_priority,
            )
        },
        &[
            ("", "(None, -1)", &[]),
            ("nftables", "(Some(\"keepalived\"), -1)", &[]),
            ("nftables x", "(Some(\"x\"), -1)", &[]),
            (&format!("nftables {long}"), "(Some(\"\"), -1)", &[]),
            (&format!("nftables {long}n"), "(None, -1)", OTHER),
            ("nftables \"\"", "(None, -1)", OTHER),
            ("nftables a\nnftables b", "(Some(\"a\"), -1)", OTHER),
            ("nftables a\nnftables_priority 5", "(Some(\"a\"), 5)", &[]),
            ("nftables_priority 5\nnftables a", "(Some(\"a\"), -1)", &[]),
            ("nftables_priority -2147483648", "(None, -2147483648)", &[]),
            ("nftables_priority 2147483648", "(None, -1)", NUMBER),
            ("nftables_priority 5x", "(None, -1)", NUMBER),
        ],
    );
    table(
        globals,
        |s| {
            let n = &s.lvs.global.nftables;
            (n.table.clone(), n.priority, n.start_fwmark)
        },
        &[
            ("", "(None, -1, 1000)", &[]),
            (
                "nftables_ipvs",
                "(Some(\"keepalived_ipvs\"), -1, 1000)",
                &[],
            ),
            (
                "nftables_ipvs a\nnftables_ipvs b",
                "(Some(\"a\"), -1, 1000)",
                OTHER,
            ),
            (
                "nftables_ipvs a\nnftables_ipvs_start_fwmark 4294967295\nnftables_ipvs_priority 3",
                "(Some(\"a\"), 3, 4294967295)",
                &[],
            ),
            (
                "nftables_ipvs_start_fwmark 5\nnftables_ipvs a",
                "(Some(\"a\"), -1, 1000)",
                &[],
            ),
            ("nftables_ipvs_start_fwmark 0", "(None, -1, 1000)", NUMBER),
            ("nftables_ipvs_start_fwmark 5x", "(None, -1, 1000)", NUMBER),
            ("nftables_ipvs_priority x", "(None, -1, 1000)", NUMBER),
        ],
    );
}

#[test]
fn chains_and_sets() {
    table(
        globals,
        |s| {
            s.global.firewall.iptables.as_ref().map(|chains| {
                format!(
                    "{} {}",
                    chains.input,
                    chains.output.as_deref().unwrap_or("-")
                )
            })
        },
        &[
            ("", "None", &[]),
            ("vrrp_iptables", "Some(\"INPUT OUTPUT\")", LOGGED),
            ("vrrp_iptables in", "Some(\"in -\")", LOGGED),
            ("vrrp_iptables in out", "Some(\"in out\")", LOGGED),
            ("vrrp_iptables in in", "None", OTHER),
            ("vrrp_iptables \"\"", "None", OTHER),
            ("vrrp_iptables a_name_of_28_bytes_is_too_lo", "None", OTHER),
            (
                "vrrp_iptables in a_name_of_28_bytes_is_too_lo",
                "None",
                OTHER,
            ),
            (
                "vrrp_iptables in\nvrrp_iptables out",
                "Some(\"in -\")",
                &[Uncounted, General],
            ),
        ],
    );
    table(
        globals,
        |s| match &s.global.firewall.ipsets {
            Ipsets::Off => "off".to_owned(),
            Ipsets::Named(n) => [
                &n.address4,
                &n.address6,
                &n.interface6,
                &n.igmp,
                &n.mld,
                &n.nd,
            ]
            .map(String::as_str)
            .join(" "),
        },
        &[
            (
                "",
                "\"keepalived keepalived6 keepalived_if6 keepalived_igmp keepalived_mld keepalived_nd\"",
                &[],
            ),
            ("vrrp_ipsets", "\"off\"", LOGGED),
            ("vrrp_ipsets s", "\"s s6 s_if6 s_igmp s_mld s_nd\"", LOGGED),
            ("vrrp_ipsets a b c d e f g", "\"a b c d e f\"", LOGGED),
            (
                "vrrp_ipsets\nvrrp_ipsets a b",
                "\"a b a_if6 a_igmp a_mld a_nd\"",
                &[Uncounted, Uncounted],
            ),
            (
                "vrrp_ipsets\nvrrp_ipsets a a",
                "\"off\"",
                &[Uncounted, General],
            ),
            (
                "vrrp_ipsets\nvrrp_ipsets a a_nd",
                "\"off\"",
                &[Uncounted, General],
            ),
            (
                "vrrp_ipsets\nvrrp_ipsets a \"\"",
                "\"off\"",
                &[Uncounted, General],
            ),
            (
                "vrrp_ipsets\nvrrp_ipsets a_name_of_31_bytes_is_too_long_",
                "\"off\"",
                &[Uncounted, General],
            ),
        ],
    );
}

#[test]
fn receive_buffers() {
    keyword(
        &[
            "vrrp_netlink_cmd_rcv_bufs",
            "vrrp_netlink_monitor_rcv_bufs",
            "lvs_netlink_cmd_rcv_bufs",
            "lvs_netlink_monitor_rcv_bufs",
            "process_monitor_rcv_bufs",
        ],
        |s, name| {
            let b = &s.global.buffers;
            match name {
                "vrrp_netlink_cmd_rcv_bufs" => b.vrrp_netlink_cmd.size,
                "vrrp_netlink_monitor_rcv_bufs" => b.vrrp_netlink_monitor.size,
                "lvs_netlink_cmd_rcv_bufs" => b.lvs_netlink_cmd.size,
                "lvs_netlink_monitor_rcv_bufs" => b.lvs_netlink_monitor.size,
                _ => b.process_monitor.size,
            }
        },
        &[
            ("", "0", &[]),
            ("* 4294967295", "4294967295", &[]),
            ("* 1\n* 0", "0", &[]),
            ("* 4294967296", "0", NUMBER),
            ("* -1", "0", NUMBER),
            ("* 5x", "0", NUMBER),
            ("*", "0", MISSING),
        ],
    );
}

#[test]
fn buffers_for_adverts() {
    use AdvertBufferPolicy::{Advert, Bytes, Mtu, System};
    for (words, expected, classes) in [
        ("MTU", Mtu, &[] as &[Class]),
        ("advert", Advert, &[]),
        ("MTU mtu", Mtu, &[]),
        ("100", Bytes(100), &[]),
        ("0", System, &[]),
        ("ADVERT MTU", Mtu, OTHER),
        ("MTU ADVERT", Mtu, OTHER),
        ("MTU 100 ADVERT", Bytes(100), OTHER),
        ("100\nvrrp_rx_bufs_policy MTU", Mtu, &[]),
        ("100x", System, NUMBER),
        ("4294967296", System, NUMBER),
        ("MTU bogus", System, NUMBER),
        ("", System, MISSING),
    ] {
        let (settings, said) = globals(&format!("vrrp_rx_bufs_policy {words}"));
        let policy = settings.unwrap().global.buffers.adverts.policy;
        assert_eq!((policy, said.as_slice()), (expected, classes), "{words}");
    }
    table(
        globals,
        |s| s.global.buffers.adverts.multiplier,
        &[
            ("", "3", &[]),
            ("vrrp_rx_bufs_multiplier 1", "1", &[]),
            (
                "vrrp_rx_bufs_multiplier 5\nvrrp_rx_bufs_multiplier 6",
                "6",
                &[],
            ),
            ("vrrp_rx_bufs_multiplier 0", "3", NUMBER),
            ("vrrp_rx_bufs_multiplier 5x", "3", NUMBER),
            ("vrrp_rx_bufs_multiplier 5 6", "3", OTHER),
            ("vrrp_rx_bufs_multiplier", "3", MISSING),
        ],
    );
}

#[test]
fn files() {
    keyword(
        &[
            "state_dump_file",
            "stats_dump_file",
            "json_dump_file",
            "iproute_usr_dir",
            "iproute_etc_dir",
            "reload_time_file",
        ],
        |s, name| {
            let f = &s.global.files;
            match name {
                "state_dump_file" => &f.state_dump,
                "stats_dump_file" => &f.stats_dump,
                "json_dump_file" => &f.json_dump,
                "iproute_usr_dir" => &f.iproute_usr_dir,
                "iproute_etc_dir" => &f.iproute_etc_dir,
                _ => &s.global.reload.time_file,
            }
            .clone()
        },
        &[
            ("", "None", &[]),
            ("* /a\n* /b/", "Some(\"/b/\")", &[]),
            ("* /a /b", "None", OTHER),
            ("* \"\"", "None", OTHER),
            ("*", "None", MISSING),
        ],
    );
    table(
        globals,
        |s| s.global.files.config_save_dir.clone(),
        &[
            ("config_save_dir /var/save", "Some(\"/var/save\")", &[]),
            (
                "config_save_dir /var/save/new",
                "Some(\"/var/save/new\")",
                &[],
            ),
            ("config_save_dir new", "Some(\"new\")", &[]),
            ("config_save_dir /etc/file", "None", OTHER),
            ("config_save_dir /etc/program", "None", OTHER),
            ("config_save_dir /nowhere/new", "None", OTHER),
            ("config_save_dir \"\"", "None", OTHER),
            (
                "config_save_dir /var/save\nconfig_save_dir /etc/keepalived",
                "Some(\"/etc/keepalived\")",
                &[],
            ),
        ],
    );
    table(
        globals,
        |s| s.global.files.tmp_config_directory.clone(),
        &[
            ("tmp_config_directory /a", "Some(\"/a\")", &[]),
            (
                "tmp_config_directory /a\ntmp_config_directory /b",
                "Some(\"/a\")",
                OTHER,
            ),
            ("tmp_config_directory", "None", MISSING),
        ],
    );
    table(
        globals,
        |s| s.global.umask,
        &[
            ("", "127", &[]),
            ("umask 0", "0", &[]),
            ("umask 077", "63", &[]),
            ("umask 63", "63", &[]),
            ("umask 0x1ff", "511", &[]),
            ("umask IRWXG|IRWXO", "63", &[]),
            ("umask IWGRP | IROTH", "20", &[]),
            ("umask 01000", "127", OTHER),
            ("umask 09", "127", OTHER),
            ("umask 077x", "127", OTHER),
            ("umask IRXXX", "127", OTHER),
            ("umask IRUSR|", "127", OTHER),
            ("umask -1", "127", OTHER),
            ("umask \"\"", "127", OTHER),
        ],
    );
    table(
        globals,
        |s| s.global.json_version,
        &[
            ("", "1", &[]),
            ("json_version 2", "2", &[]),
            ("json_version 3", "1", NUMBER),
            ("json_version 0", "1", NUMBER),
            ("json_version", "1", MISSING),
        ],
    );
    table(
        globals,
        |_| (),
        &[
            ("include_check", "()", &[]),
            ("include_check read +match -read", "()", &[]),
            ("include_check everything", "()", OTHER),
            ("include_check +everything", "()", OTHER),
            ("include_check read match", "()", OTHER),
            ("include_check +read match", "()", OTHER),
            ("random_seed 5", "()", &[]),
            ("random_seed x", "()", NUMBER),
            ("random_seed 4294967296", "()", NUMBER),
        ],
    );
}

#[test]
fn reload() {
    table(
        globals,
        |s| s.global.reload.check_config.clone(),
        &[
            ("", "None", &[]),
            ("reload_check_config", "Some(\"/dev/null\")", &[]),
            (
                "reload_check_config /a\nreload_check_config /b",
                "Some(\"/b\")",
                &[],
            ),
        ],
    );
    for (line, expected) in [
        ("", None),
        ("reload_file", Some(BusyFile::BesidePidFiles)),
        ("reload_file /a", Some(BusyFile::At("/a".into()))),
        (
            "reload_file /a\nreload_file",
            Some(BusyFile::BesidePidFiles),
        ),
    ] {
        let (settings, said) = globals(line);
        assert_eq!(
            (settings.unwrap().global.reload.busy_file, said),
            (expected, vec![]),
            "{line}"
        );
    }
}

#[test]
fn the_node() {
    table(
        globals,
        |s| {
            (
                s.global.router_id.clone(),
                s.global.default_interface.clone(),
            )
        },
        &[
            ("", "(None, \"eth0\")", &[]),
            ("router_id a b\nrouter_id c", "(Some(\"c\"), \"eth0\")", &[]),
            (
                "default_interface eth1\ndefault_interface eth9",
                "(None, \"eth9\")",
                &[],
            ),
            (
                "router_id\ndefault_interface",
                "(None, \"eth0\")",
                &[General; 2],
            ),
        ],
    );
    table(
        globals,
        |s| (s.global.dynamic_interfaces, s.global.allow_if_changes),
        &[
            ("dynamic_interfaces allow_if_changes", "(true, true)", &[]),
            ("dynamic_interfaces always", "(true, false)", OTHER),
        ],
    );
    table(
        globals,
        |s| {
            (
                s.global.vmac_names.instances.clone(),
                s.global.vmac_names.addresses.clone(),
            )
        },
        &[
            ("", "(\"vrrp\", \"vrrp\")", &[]),
            ("vmac_prefix a", "(\"a\", \"a\")", &[]),
            ("vmac_addr_prefix b\nvmac_prefix a", "(\"a\", \"b\")", &[]),
            ("vmac_prefix a\nvmac_prefix b", "(\"a\", \"a\")", OTHER),
            (
                "vmac_addr_prefix a\nvmac_addr_prefix b",
                "(\"vrrp\", \"a\")",
                OTHER,
            ),
            // No interface can have such a name.
            (
                "vmac_prefix fd00:1234:5678:9abc::1\nvmac_addr_prefix a/b",
                "(\"vrrp\", \"vrrp\")",
                &[Uncounted; 2],
            ),
        ],
    );
}

#[test]
fn vrrp_as_a_whole() {
    let delays = |s: &Settings, name: &str| match name {
        "vrrp_startup_delay" => s.vrrp.global.startup_delay,
        _ => s.vrrp.global.delay_after_boot,
    };
    keyword(
        &["vrrp_startup_delay", "vrrp_delay_after_boot"],
        delays,
        &[
            ("", "0ns", &[]),
            ("* 0.001", "1ms", &[]),
            ("* 1\n* 4294.967295", "4294.967295s", &[]),
            ("* 4294.967296", "0ns", NUMBER),
            ("* 0", "0ns", NUMBER),
            ("* 1.0000005", "1.000001s", NUMBER),
            ("* 5s", "0ns", NUMBER),
            ("* -1", "0ns", NUMBER),
        ],
    );
    table(
        with_instance,
        |s| {
            let extra = s.vrrp.instances[0].garp_extra_if.as_ref();
            extra.map(|extra| (extra.every.as_secs(), extra.all))
        },
        &[
            ("", "None", &[]),
            ("vrrp_garp_extra_if 1", "Some((1, false))", &[]),
            ("vrrp_garp_extra_if all 86400", "Some((86400, true))", &[]),
            (
                "vrrp_garp_extra_if all 5\nvrrp_garp_extra_if 6",
                "Some((6, false))",
                &[],
            ),
            ("vrrp_garp_extra_if 0", "None", NUMBER),
            ("vrrp_garp_extra_if all 86401", "None", NUMBER),
            ("vrrp_garp_extra_if ALL 5", "None", NUMBER),
            ("vrrp_garp_extra_if all", "None", MISSING),
            ("vrrp_garp_extra_if", "None", MISSING),
            ("vrrp_vmac_garp_intvl 5", "Some((5, false))", &[Deprecated]),
            ("vrrp_vmac_garp_intvl", "None", &[Deprecated, General]),
        ],
    );
    table(
        globals,
        |s| (s.vrrp.garp_interval, s.vrrp.gna_interval),
        &[
            (
                "vrrp_garp_interval 0.01\nvrrp_gna_interval .5",
                "(10ms, 500ms)",
                &[],
            ),
            ("vrrp_garp_interval 0", "(0ns, 0ns)", NUMBER),
            ("vrrp_garp_interval 1", "(1s, 0ns)", LOGGED),
        ],
    );
    for (line, classes) in [
        ("vrrp_version 3", &[] as &[Class]),
        ("vrrp_version 1", NUMBER),
        ("vrrp_garp_master_repeat 0", OTHER),
        ("vrrp_garp_master_delay 4295", NUMBER),
        ("vrrp_garp_master_refresh x", NUMBER),
        ("vrrp_garp_lower_prio_repeat 2147483648", NUMBER),
        ("vrrp_down_timer_adverts 101", NUMBER),
        ("vrrp_mcast_group4 224.0.0.99", &[]),
        ("vrrp_mcast_group4 10.0.0.1", OTHER),
        ("vrrp_mcast_group6 ff02::99", &[]),
        ("vrrp_mcast_group6 ff05::1", OTHER),
        ("vrrp_mcast_group6 224.0.0.18", OTHER),
    ] {
        let (settings, said) = globals(line);
        assert!(settings.is_some(), "{line}");
        assert_eq!(said, classes, "{line}");
    }
}

#[test]
fn beside_the_block() {
    table(
        read,
        |s| {
            let g = &s.global;
            (
                g.instance.clone(),
                g.namespaces.network.clone(),
                g.use_pid_dir,
            )
        },
        &[
            ("", "(None, None, false)", &[]),
            ("use_pid_dir", "(None, None, true)", &[]),
            (
                "instance a\ninstance b",
                "(Some(\"a\"), None, false)",
                OTHER,
            ),
            ("instance", "(None, None, false)", MISSING),
            ("net_namespace a", "(None, Some(\"a\"), true)", &[]),
            (
                "net_namespace a\nnet_namespace b",
                "(None, Some(\"a\"), true)",
                OTHER,
            ),
            ("net_namespace", "(None, None, false)", MISSING),
        ],
    );
    for (text, expected, classes) in [
        ("", IpvsNamespace::SameAsDaemon, &[] as &[Class]),
        ("net_namespace_ipvs", IpvsNamespace::Initial, &[]),
        (
            "net_namespace_ipvs a",
            IpvsNamespace::Named("a".into()),
            &[],
        ),
        (
            "net_namespace_ipvs a\nnet_namespace_ipvs b",
            IpvsNamespace::Named("a".into()),
            OTHER,
        ),
        (
            "net_namespace_ipvs\nnet_namespace_ipvs b",
            IpvsNamespace::Initial,
            OTHER,
        ),
    ] {
        let (settings, said) = read(text);
        assert_eq!(
            (settings.unwrap().global.namespaces.ipvs, said.as_slice()),
            (expected, classes),
            "{text}"
        );
    }
    table(
        read,
        |s| {
            (
                s.global.namespaces.with_ipsets,
                s.vrrp.global.linkbeat_use_polling,
            )
        },
        &[
            ("namespace_with_ipsets", "(true, false)", &[]),
            ("linkbeat_use_polling", "(false, true)", &[]),
        ],
    );
    table(
        read,
        |s| s.global.child_wait_time,
        &[
            ("", "5s", &[]),
            ("child_wait_time 0", "0ns", &[]),
            (
                "child_wait_time 9\nchild_wait_time 4294967295",
                "4294967295s",
                &[],
            ),
            ("child_wait_time 4294967296", "5s", NUMBER),
            ("child_wait_time 5x", "5s", NUMBER),
        ],
    );
}

#[test]
fn what_is_not_said_has_keepaliveds_defaults() {
    let (settings, classes) = globals("");
    let settings = settings.unwrap();
    assert_eq!(classes, []);
    assert_eq!(settings, Settings::default());
    assert_eq!(settings.global.child_wait_time, Duration::from_secs(5));
}
