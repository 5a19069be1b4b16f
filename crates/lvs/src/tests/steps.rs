//! Step by step what a running keepalived showed for three servers that fail and recover.

use super::*;
use crate::settings::checkers::SmtpCheck;

fn table_of(service: VirtualServer, steps: &[(&[u8], &str)]) -> Bench {
    let mut bench = Bench::begin(one(service));
    for (number, (failing, wanted)) in steps.iter().enumerate() {
        if number > 0 {
            bench.round(failing);
        }
        assert_eq!(bench.table(), *wanted, "step {number}: {failing:?} fail");
    }
    bench
}

const ALL: &[u8] = &[1, 2, 3];

#[test]
fn plain() {
    let mut bench = table_of(
        virtual_server(&[1, 2, 3]),
        &[
            (&[], ".1:1 .2:2 .3:3"),
            (&[], ".1:1 .2:2 .3:3"),
            (&[1], ".2:2 .3:3"),
            (&[1, 2], ".3:3"),
            (ALL, ""),
            (&[2, 3], ".1:1"),
            (&[3], ".1:1 .2:2"),
            (&[], ".1:1 .2:2 .3:3"),
        ],
    );
    let news = bench.news();
    assert_eq!(
        news,
        "quorum_up, down .1, down .2, down .3, quorum_down, up .1, quorum_up, up .2, up .3"
    );
    bench.lvs.handle_stop(false);
    bench.drain();
    assert_eq!((bench.table().as_str(), bench.news().as_str()), ("-", ""));
    assert_eq!(bench.lvs.next_deadline(), None);
}

#[test]
fn inhibit_on_failure() {
    let mut service = virtual_server(&[1, 2, 3]);
    for server in &mut service.real_servers {
        server.inhibit_on_failure = true;
    }
    table_of(
        service,
        &[
            (&[], ".1:1 .2:2 .3:3"),
            (&[1], ".1:0 .2:2 .3:3"),
            (&[1, 2], ".1:0 .2:0 .3:3"),
            (ALL, ".1:0 .2:0 .3:0"),
            (&[2, 3], ".1:1 .2:0 .3:0"),
            (&[], ".1:1 .2:2 .3:3"),
        ],
    );
}

#[test]
fn sorry_server_serves_when_nobody_else_does() {
    let mut service = virtual_server(&[1, 2, 3]);
    service.sorry_server = Some(sorry_server(9));
    table_of(
        service,
        &[
            (&[], ".1:1 .2:2 .3:3"),
            (&[1], ".2:2 .3:3"),
            (ALL, ".9:1"),
            (&[2, 3], ".1:1"),
            (&[], ".1:1 .2:2 .3:3"),
        ],
    );
}

#[test]
fn quorum_hysteresis_and_an_inhibited_sorry_server() {
    let mut service = virtual_server(&[1, 2, 3]);
    (service.quorum, service.hysteresis, service.omega) = (4, 1, true);
    service.sorry_server = Some(SorryServer {
        inhibit: true,
        ..sorry_server(9)
    });
    let mut bench = table_of(
        service,
        &[
            (&[], ".1:1 .2:2 .3:3 .9:0"),
            (&[], ".1:1 .2:2 .3:3 .9:0"),
            (&[1], ".2:2 .3:3 .9:0"),
            (&[1, 2], ".3:3 .9:0"),
            (ALL, ".9:1"),
            (&[2, 3], ".9:1"),
            (&[3], ".9:1"),
            (&[], ".1:1 .2:2 .3:3 .9:0"),
        ],
    );
    bench.news();
    bench.lvs.handle_stop(false);
    bench.drain();
    assert_eq!(bench.table(), "-");
    assert_eq!(bench.news(), "down .1, down .2, down .3, quorum_down");
}

#[test]
fn alpha_with_a_sorry_server() {
    let mut service = virtual_server(&[1, 2, 3]);
    service.sorry_server = Some(sorry_server(9));
    for server in &mut service.real_servers {
        server.checkers[0].alpha = true;
    }
    let mut bench = Bench::begin(one(service.clone()));
    assert_eq!(
        (bench.table().as_str(), bench.news().as_str()),
        (".9:1", "quorum_down")
    );
    bench.round(&[]);
    assert_eq!(bench.table(), ".1:1 .2:2 .3:3");
    bench.news();
    bench.round(&[1]);
    assert_eq!(bench.table(), ".2:2 .3:3");
    // One that is dead from the start is told once.
    let mut bench = Bench::begin(one(service));
    bench.news();
    bench.round(&[1, 2, 3]);
    let mut news: Vec<String> = bench.told.clone();
    news.sort();
    assert_eq!(news, ["down .1", "down .2", "down .3"]);
    assert_eq!(bench.table(), ".9:1");
}

#[test]
fn the_first_failure_counts_and_later_ones_are_retried() {
    let mut bench = Bench::begin(one(virtual_server(&[1])));
    let until = bench.now + Duration::from_secs(11);
    bench.pass(until, &[1]);
    assert_eq!(bench.table(), "");
    let until = bench.now + Duration::from_secs(40);
    bench.pass(until, &[]);
    assert_eq!(bench.table(), ".1:1");
    // Once more is not enough: a further attempt follows.
    while bench.open.is_empty() {
        bench.now = bench.lvs.next_deadline().unwrap();
        bench.lvs.handle_timeout(bench.now);
        bench.drain();
    }
    let asked = bench.now;
    bench.answer(&[1]);
    assert_eq!(bench.table(), ".1:1");
    while bench.open.is_empty() {
        bench.now = bench.lvs.next_deadline().unwrap();
        bench.lvs.handle_timeout(bench.now);
        bench.drain();
    }
    assert_eq!(bench.now.since(asked), Duration::from_secs(1));
    bench.answer(&[1]);
    assert_eq!(bench.table(), "");
    assert!(
        bench.log.iter().any(|line| line
            .starts_with("TCP_CHECK on service [10.1.0.1]:tcp:80 failed after 1 retries.")),
        "{:?}",
        bench.log
    );
}

/// An SMTP_CHECK makes its whole series at the start, too, where any other check has a single chance (keepalived).
#[test]
fn a_mail_server_has_all_its_chances_at_the_start() {
    let mut service = virtual_server(&[1, 1]);
    let checker = &mut service.real_servers[0].checkers[0];
    let CheckerKind::Tcp(endpoint) = checker.kind.clone() else {
        panic!("a TCP_CHECK");
    };
    checker.kind = CheckerKind::Smtp(Box::new(SmtpCheck {
        endpoint,
        helo_name: SmtpCheck::HELO_NAME.into(),
    }));
    checker.retry = 2;
    for server in &mut service.real_servers {
        server.checkers[0].warmup = Microseconds(0);
        server.checkers[0].delay_before_retry = Microseconds::from_secs(2);
    }
    let mut bench = Bench::begin(one(service));
    for (second, table) in [(2, ".1:1"), (4, ".1:1"), (6, "")] {
        bench.pass(Instant::ZERO + Duration::from_secs(second), &[1, 2]);
        assert_eq!(bench.table(), table, "after {second} s");
    }
}

/// A command that fails after it had set the weight to 0: the server does not come back on its way out.
#[test]
fn a_weight_is_taken_back_when_the_server_is_out() {
    let mut service = virtual_server(&[20]);
    service.real_servers[0].checkers = vec![Checker {
        kind: CheckerKind::Misc(crate::settings::checkers::MiscCheck {
            command: CommandId(0),
            timeout: Microseconds::from_secs(5),
            dynamic: true,
        }),
        retry: 0,
        ..tcp_check(1)
    }];
    let mut bench = Bench::begin(one(service));
    assert_eq!(
        (bench.table().as_str(), bench.news().as_str()),
        (".1:20", "quorum_up")
    );
    for (status, table, news) in [
        (52, ".1:50", ""),
        (2, ".1:0", "quorum_down"),
        (1, "", "down .1"),
        (1, "", ""),
        (255, ".1:253", "up .1, quorum_up"),
        (0, ".1:20", ""),
    ] {
        while bench.running.is_empty() {
            bench.now = bench.lvs.next_deadline().unwrap();
            bench.lvs.handle_timeout(bench.now);
            bench.drain();
        }
        let id = bench.running.remove(0);
        let end = crate::CommandEnd::Exited(status);
        bench.lvs.handle_command_end(bench.now, id, end);
        bench.drain();
        assert_eq!(
            (bench.table().as_str(), bench.news().as_str()),
            (table, news),
            "{status}"
        );
    }
}

/// Whoever comes in does so before the others go, over a reload that replaces all servers, too.
#[test]
fn there_is_no_moment_without_a_destination() {
    let mut service = virtual_server(&[1, 1]);
    service.quorum = 2;
    service.sorry_server = Some(sorry_server(9));
    let mut bench = Bench::begin(one(service.clone()));
    for failing in [&[2][..], &[], &[1, 2], &[]] {
        bench.round(failing);
        let wanted = if failing.is_empty() {
            ".1:1 .2:1"
        } else {
            ".9:1"
        };
        assert_eq!(
            (bench.table().as_str(), bench.kernel.emptied),
            (wanted, false)
        );
    }
    service.real_servers = vec![real_server(5, 1), real_server(6, 1)];
    bench.settings(one(service));
    assert_eq!(
        (bench.table().as_str(), bench.kernel.emptied),
        (".5:1 .6:1", false)
    );
}
