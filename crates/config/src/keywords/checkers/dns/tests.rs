use lvs::settings::checkers::{Checker, CheckerKind};

use super::super::tests::{GENERAL, LOGGED, MISSING, table};

fn show(checker: &Checker) -> String {
    let CheckerKind::Dns(check) = &checker.kind else {
        panic!("{checker:?}");
    };
    format!("{} '{}'", check.record.name(), check.name)
}

#[test]
fn type_and_name() {
    let long = format!("name {}.example", "a".repeat(64));
    let most = format!("name {}.example", "a".repeat(63));
    let most_shown = format!("SOA '{}.example'", "a".repeat(63));
    let endless = format!("name {}example", "abcdefg.".repeat(32));
    table(
        "DNS_CHECK {\n...\n}",
        show,
        &[
            ("", "SOA ''", &[]),
            ("type A", "A ''", &[]),
            ("type aaaa", "AAAA ''", &[]),
            ("type rrSIG", "RRSIG ''", &[]),
            ("type PTR", "SOA ''", GENERAL),
            ("type MX\ntype PTR", "MX ''", GENERAL),
            ("type", "fatal", MISSING),
            ("name www.example.com", "SOA 'www.example.com'", &[]),
            ("name www.example.com.", "SOA 'www.example.com'", &[]),
            ("name a.example", "SOA 'a.example'", &[]),
            ("name .", "SOA ''", &[]),
            ("name \"\"", "SOA ''", GENERAL),
            ("name ..", "SOA ''", GENERAL),
            ("name a..b", "SOA ''", GENERAL),
            ("name .a", "SOA ''", GENERAL),
            ("name a.b..", "SOA ''", GENERAL),
            ("name aa\nname bb", "SOA 'aa'", GENERAL),
            ("name a..b\nname bb", "SOA 'bb'", GENERAL),
            ("name", "fatal", MISSING),
            (&long, "SOA ''", LOGGED),
            (&most, &most_shown, &[]),
            (&endless, "SOA ''", LOGGED),
        ],
    );
}
