//! The shared keywords in every block that has them, and what the tests of each kind build on.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use lvs::settings::checkers::{Checker, CommandId, Source};

use super::*;
use crate::diagnostics::Reporter;
use crate::draft::CommandDraft;
use crate::include::Checks;
use crate::reader::Reader;
use crate::resolve::checkers::{Inherited, resolve};
use crate::testing::Fake;
use crate::{document, read};

pub(super) const GENERAL: &[Class] = &[Class::General];
pub(super) const NUMBER: &[Class] = &[Class::InvalidNumber];
pub(super) const MISSING: &[Class] = &[Class::MissingParameter];
pub(super) const LOGGED: &[Class] = &[Class::Uncounted];

/// What the lines of a real server lead to.
pub(crate) struct Outcome {
    pub(crate) checkers: Vec<Checker>,
    /// What the checkers' commands are numbers of.
    pub(crate) commands: Vec<CommandDraft>,
    /// All that is reported; classes in the order of the file.
    pub(crate) classes: Vec<Class>,
    pub(crate) messages: Vec<String>,
    pub(crate) fatal: bool,
}

/// Servers that say nothing; the real one is 192.0.2.1 port 80.
pub(crate) const SILENT: Inherited<'_> = Inherited {
    retry: None,
    delay_before_retry: None,
    warmup: None,
    delay_loop: None,
    connect_timeout: None,
    alpha: false,
    server: SocketAddr::new(IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1)), 80),
    real_virtualhost: None,
    virtual_virtualhost: None,
    virtual_delay_loop: None,
};

/// Reads lines as they stand in a real server. There are a track_file `load` and bfd_instances `B` and `C`.
pub(crate) fn outcome(lines: &str, around: &Inherited<'_>, globals: &str) -> Outcome {
    let machine = Fake::default().file(
        "/etc/keepalived/x.conf",
        format!("{globals}\nvirtual_server 192.0.2.9 80 {{\nreal_server 192.0.2.1 80 {{\n{lines}\n}}\n}}"),
    );
    let mut report = Reporter::default();
    let mut reader = Reader::new(&machine, "node1", Checks::default());
    assert!(reader.open_main("x.conf", &mut report));
    let tree = document::build(reader, &mut report);
    let mut reading = read::begin(&machine, &mut report);
    reading.names.track_files.insert("load".into());
    let weight = crate::draft::Inherited {
        weight: vrrp::settings::TrackWeight::ONE,
        reverse: true,
    };
    reading.names.weights.files.insert("load".into(), weight);
    reading
        .names
        .checked_sessions
        .extend(["B".into(), "C".into()]);
    for statement in tree.root() {
        if statement.argument(0) != "virtual_server" {
            reading.statement(&statement);
            continue;
        }
        reading.block = "virtual_server/real_server";
        for statement in statement.block().flat_map(|real| real.block()) {
            reading.statement(&statement);
        }
        reading.block = "";
    }
    let drafts = std::mem::take(&mut reading.checkers);
    let mut commands = Vec::new();
    let mut number = |command, _: &mut Reporter| {
        commands.push(command);
        Some(CommandId(u32::try_from(commands.len()).unwrap() - 1))
    };
    let checkers = resolve(drafts, around, &mut number, &mut report);
    let fatal = !report.is_usable();
    let diagnostics: Vec<_> = report
        .finish(&tree.into_sources())
        .into_iter()
        .filter(|diagnostic| diagnostic.class != Class::Pending)
        .collect();
    Outcome {
        checkers,
        commands,
        classes: diagnostics.iter().map(|d| d.class).collect(),
        messages: diagnostics.into_iter().map(|d| d.message).collect(),
        fatal,
    }
}

/// Each line, what `show` says of the checker that `block` with that line becomes, and the classes of what is reported.
pub(super) fn table(block: &str, show: fn(&Checker) -> String, rows: &[(&str, &str, &[Class])]) {
    for (line, expected, classes) in rows {
        let lines = block.replace("...", line);
        let outcome = outcome(&lines, &SILENT, "");
        let shown: Vec<_> = outcome.checkers.iter().map(show).collect();
        let shown = if outcome.fatal {
            "fatal".into()
        } else {
            shown.join(" | ")
        };
        assert_eq!(shown, *expected, "{lines}: {:?}", outcome.messages);
        assert_eq!(outcome.classes, *classes, "{lines}: {:?}", outcome.messages);
    }
}

/// Blocks with a socket, complete but for the line in question.
const CONNECTING: [&str; 7] = [
    "TCP_CHECK {\n...\n}",
    "PING_CHECK {\n...\n}",
    "UDP_CHECK {\n...\n}",
    "SMTP_CHECK {\n...\n}",
    "DNS_CHECK {\n...\n}",
    "HTTP_GET {\n...\nurl {\npath /\n}\n}",
    "SSL_GET {\n...\nurl {\npath /\n}\n}",
];
const MISC: &str = "MISC_CHECK {\nmisc_path /bin/true\n...\n}";
const BFD: &str = "BFD_CHECK {\nname B\n...\n}";

#[test]
fn where_to() {
    let show = |checker: &Checker| checker.endpoint().unwrap().destination.to_string();
    for block in CONNECTING {
        table(
            block,
            show,
            &[
                ("", "192.0.2.1:80", &[]),
                ("connect_ip 192.0.2.7", "192.0.2.7:80", &[]),
                ("connect_ip 192.0.2.7/24", "192.0.2.7:80", &[]),
                ("connect_ip fd00::7", "[fd00::7]:80", &[]),
                ("connect_ip 192.0.2.x", "192.0.2.1:80", GENERAL),
                (
                    "connect_ip 192.0.2.7\nconnect_ip x",
                    "192.0.2.1:80",
                    GENERAL,
                ),
                ("connect_ip", "fatal", MISSING),
                ("connect_port 1", "192.0.2.1:1", &[]),
                ("connect_port 65535", "192.0.2.1:65535", &[]),
                ("connect_port 0", "192.0.2.1:80", NUMBER),
                ("connect_port 65536", "192.0.2.1:80", NUMBER),
                ("connect_port 81x", "192.0.2.1:81", NUMBER),
                ("connect_port http", "192.0.2.1:80", NUMBER),
                ("connect_port 81\nconnect_port 0", "192.0.2.1:81", NUMBER),
                ("connect_port", "fatal", MISSING),
            ],
        );
    }
}

#[test]
fn where_from() {
    let show = |checker: &Checker| {
        let none = Source::default();
        let source = checker
            .endpoint()
            .unwrap()
            .source
            .as_deref()
            .unwrap_or(&none);
        let mut words = Vec::new();
        words.extend(source.address.map(|address| address.to_string()));
        words.extend(source.port.map(|port| format!("port {port}")));
        words.extend(source.interface.as_ref().map(ToString::to_string));
        words.extend((source.fwmark > 0).then(|| format!("mark {}", source.fwmark)));
        words.join(" ")
    };
    for block in CONNECTING {
        table(
            block,
            show,
            &[
                ("bindto 192.0.2.8", "192.0.2.8", &[]),
                ("bindto 192.0.2", "", GENERAL),
                ("bindto 192.0.2.8\nbindto x", "", GENERAL),
                ("bindto fd00::8", "", GENERAL),
                ("bindto", "fatal", MISSING),
                ("bind_port 1024", "port 1024", &[]),
                ("bind_port 70000", "", NUMBER),
                ("bind_port", "fatal", MISSING),
                ("bind_if eth7", "eth7", &[]),
                ("bind_if abcdefghijklmnop", "", GENERAL),
                ("bind_if", "fatal", MISSING),
                ("fwmark 4294967295", "mark 4294967295", &[]),
                ("fwmark 0", "", &[]),
                ("fwmark 4294967296", "", NUMBER),
                ("fwmark -1", "", NUMBER),
                ("fwmark 5x", "mark 5", NUMBER),
                ("fwmark", "fatal", MISSING),
            ],
        );
    }
}

#[test]
fn both_ends_are_of_one_family() {
    let show = |checker: &Checker| {
        let endpoint = checker.endpoint().unwrap();
        let from = endpoint.source.as_ref().and_then(|source| source.address);
        format!(
            "{} {}",
            from.map_or("any".into(), |a| a.to_string()),
            endpoint.destination.ip()
        )
    };
    table(
        CONNECTING[0],
        show,
        &[
            ("connect_ip fd00::1\nbindto fd00::2", "fd00::2 fd00::1", &[]),
            (
                "connect_ip fd00::1\nbindto 192.0.2.2",
                "any fd00::1",
                GENERAL,
            ),
            (
                "bindto 192.0.2.2\nconnect_ip 192.0.2.3",
                "192.0.2.2 192.0.2.3",
                &[],
            ),
            // The later one gives way.
            (
                "bindto 192.0.2.2\nconnect_ip fd00::1",
                "192.0.2.2 192.0.2.1",
                GENERAL,
            ),
            // keepalived judges bindto by the real server as long as there is no connect_ip.
            ("bindto fd00::2\nconnect_ip fd00::1", "any fd00::1", GENERAL),
            ("connect_ip fe80::1", "", GENERAL),
            ("connect_ip fe80::1\nbind_if eth0", "any fe80::1", &[]),
        ],
    );
}

#[test]
fn a_checker_without_a_port_is_mentioned() {
    let server = SocketAddr::new(IpAddr::V6(Ipv6Addr::LOCALHOST), 0);
    let around = Inherited { server, ..SILENT };
    let said = |lines: &str| outcome(lines, &around, "").classes;
    assert_eq!(said("TCP_CHECK {\n}"), LOGGED);
    assert_eq!(said("TCP_CHECK {\nconnect_port 80\n}"), []);
    assert_eq!(said("PING_CHECK {\n}"), []);
}

#[test]
fn times() {
    fn show(checker: &Checker) -> String {
        format!(
            "{} {} {} {}",
            checker.retry, checker.delay_before_retry.0, checker.warmup.0, checker.delay_loop.0
        )
    }
    let rows: &[(&str, &str, &[Class])] = &[
        (
            "retry 0\ndelay_before_retry 0\nwarmup 0\ndelay_loop 0.000001",
            "0 0 0 1",
            &[],
        ),
        (
            "retry 4294967295\ndelay_before_retry 2\ndelay_loop 7",
            "4294967295 2000000 7000000 7000000",
            &[],
        ),
        (
            "retry 4x\ndelay_before_retry 2\nwarmup 3\ndelay_loop 7",
            "4 2000000 3000000 7000000",
            NUMBER,
        ),
        (
            "retry 4\nretry 5\ndelay_before_retry 1\ndelay_loop 1.5",
            "5 1000000 1500000 1500000",
            &[],
        ),
        (
            "retry 4\nretry -1\ndelay_before_retry 1",
            "4 1000000 60000000 60000000",
            NUMBER,
        ),
        (
            "retry 4\nretry 4294967296\ndelay_before_retry 1",
            "4 1000000 60000000 60000000",
            NUMBER,
        ),
        (
            "retry 4\ndelay_before_retry 1\ndelay_before_retry -1",
            "4 1000000 60000000 60000000",
            NUMBER,
        ),
        (
            "retry 4\ndelay_before_retry 1\ndelay_before_retry 10s",
            "4 1000000 60000000 60000000",
            NUMBER,
        ),
        (
            "retry 4\ndelay_before_retry 1\nwarmup x",
            "4 1000000 60000000 60000000",
            NUMBER,
        ),
        (
            "retry 4\ndelay_before_retry 1\ndelay_loop 0",
            "4 1000000 60000000 60000000",
            NUMBER,
        ),
        (
            "retry 4\ndelay_before_retry 1\ndelay_loop 18446744073709.551615",
            "4 1000000 60000000 60000000",
            NUMBER,
        ),
        (
            "retry 4\ndelay_before_retry 1\nwarmup 1.1234567",
            "4 1000000 1123457 60000000",
            NUMBER,
        ),
        ("retry", "fatal", MISSING),
        ("delay_before_retry", "fatal", MISSING),
        ("warmup", "fatal", MISSING),
        ("delay_loop", "fatal", MISSING),
    ];
    for block in CONNECTING.into_iter().chain([MISC]) {
        table(block, show, rows);
    }
    let timeout = |checker: &Checker| checker.endpoint().unwrap().connect_timeout.0.to_string();
    for block in CONNECTING {
        table(
            block,
            timeout,
            &[
                ("", "5000000", &[]),
                ("connect_timeout 0.25", "250000", &[]),
                ("connect_timeout 4294.967295", "4294967295", &[]),
                ("connect_timeout 4294.967296", "5000000", NUMBER),
                ("connect_timeout 0", "5000000", NUMBER),
                ("connect_timeout", "fatal", MISSING),
            ],
        );
    }
}

#[test]
fn switches() {
    let alpha = |checker: &Checker| checker.alpha.to_string();
    let all = |checker: &Checker| checker.log_all_failures.to_string();
    for block in CONNECTING.into_iter().chain([MISC]) {
        table(
            block,
            all,
            &[
                ("", "false", &[]),
                ("log_all_failures", "true", &[]),
                ("log_all_failures yes\nlog_all_failures off", "false", &[]),
                ("log_all_failures maybe", "false", GENERAL),
            ],
        );
    }
    for block in CONNECTING.into_iter().chain([MISC, BFD]) {
        table(
            block,
            alpha,
            &[
                ("", "false", &[]),
                ("alpha", "true", &[]),
                ("alpha\nalpha off", "false", &[]),
                ("alpha maybe", "false", GENERAL),
            ],
        );
    }
}

#[test]
fn checkers_keep_their_order() {
    let outcome = outcome(
        "PING_CHECK {\n}\nTCP_CHECK {\n}\nTCP_CHECK {\nconnect_port 81\n}",
        &SILENT,
        "",
    );
    let ports: Vec<_> = outcome
        .checkers
        .iter()
        .map(|checker| checker.endpoint().unwrap().destination.port())
        .collect();
    assert_eq!(ports, [80, 80, 81]);
}
