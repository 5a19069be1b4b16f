use lvs::settings::checkers::{Checker, CheckerKind};

use super::super::tests::{GENERAL, SILENT, outcome, table};
use crate::Class;

fn show(checker: &Checker) -> String {
    let CheckerKind::Smtp(check) = &checker.kind else {
        panic!("{checker:?}");
    };
    format!(
        "{} {} {}",
        check.helo_name, check.endpoint.destination, checker.retry
    )
}

#[test]
fn helo_name() {
    table(
        "SMTP_CHECK {\n...\n}",
        show,
        &[
            ("", "smtpchecker.keepalived.org 192.0.2.1:80 1", &[]),
            ("helo_name me", "me 192.0.2.1:80 1", &[]),
            ("helo_name me\nhelo_name you", "you 192.0.2.1:80 1", GENERAL),
            (
                "helo_name",
                "smtpchecker.keepalived.org 192.0.2.1:80 1",
                GENERAL,
            ),
        ],
    );
}

#[test]
fn a_host_is_a_check_of_its_own() {
    const ONE: &[Class] = &[Class::Uncounted];
    const TWO: &[Class] = &[Class::Uncounted, Class::Uncounted];
    table(
        "SMTP_CHECK {\nhelo_name me\n...\n}",
        show,
        &[
            ("host {\n}", "me 192.0.2.1:80 1", ONE),
            (
                "host {\nconnect_ip 192.0.2.5\nretry 2\n}\nretry 9",
                "me 192.0.2.5:80 2",
                ONE,
            ),
            (
                "host {\nconnect_ip 192.0.2.5\n}\nretry 9",
                "me 192.0.2.5:80 9",
                ONE,
            ),
            (
                "host {\nconnect_ip 192.0.2.5\n}\nhost {\nconnect_port 26\n}",
                "me 192.0.2.5:80 1 | me 192.0.2.1:26 1",
                TWO,
            ),
            // It names a destination itself, so it stays.
            (
                "connect_port 25\nhost {\nconnect_ip 192.0.2.5\n}",
                "me 192.0.2.1:25 1 | me 192.0.2.5:25 1",
                ONE,
            ),
            (
                "host {\nhelo_name x\n}",
                "me 192.0.2.1:80 1",
                &[Class::Uncounted, Class::UnknownKeyword],
            ),
            (
                "host {\nconnect_ip x\n}",
                "me 192.0.2.1:80 1",
                &[Class::Uncounted, Class::General],
            ),
        ],
    );
}

#[test]
fn a_host_takes_over_what_it_does_not_say() {
    let outcome = outcome(
        "SMTP_CHECK {\nbind_if eth0\nfwmark 7\nalpha\nhost {\nfwmark 8\nlog_all_failures\n}\n}",
        &SILENT,
        "",
    );
    let checker = &outcome.checkers[0];
    let source = checker.endpoint().unwrap().source.as_ref().unwrap();
    assert_eq!(source.interface.as_ref().unwrap().as_str(), "eth0");
    assert_eq!(source.fwmark, 8);
    assert!(checker.alpha && checker.log_all_failures);
}
