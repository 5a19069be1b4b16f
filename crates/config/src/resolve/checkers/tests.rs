//! Who says what a checker does when it does not say so itself.

use lvs::settings::checkers::CheckerKind;

use super::*;
use crate::draft::At;
use crate::keywords::checkers::tests::{SILENT, outcome};

const SECOND: Microseconds = Microseconds::from_secs(1);

const BLOCKS: [(&str, &str); 10] = [
    ("MISC_CHECK", "misc_path /bin/true"),
    ("SMTP_CHECK", ""),
    ("TCP_CHECK", ""),
    ("PING_CHECK", ""),
    ("UDP_CHECK", ""),
    ("HTTP_GET", "url {\npath /\n}"),
    ("SSL_GET", "url {\npath /\n}"),
    ("DNS_CHECK", ""),
    ("FILE_CHECK", "track_file load"),
    ("BFD_CHECK", "name B"),
];

/// retry, delay_before_retry, warmup, delay_loop and connect_timeout in seconds, alpha.
fn figures(block: (&str, &str), line: &str, around: &Inherited<'_>) -> String {
    let (name, needed) = block;
    let outcome = outcome(&format!("{name} {{\n{needed}\n{line}\n}}"), around, "");
    assert!(outcome.classes.is_empty(), "{:?}", outcome.messages);
    let checker = &outcome.checkers[0];
    let seconds = |time: Microseconds| time.0 / 1_000_000;
    let timeout = checker
        .endpoint()
        .map(|endpoint| seconds(endpoint.connect_timeout));
    format!(
        "{} {} {} {} {} {}",
        checker.retry,
        seconds(checker.delay_before_retry),
        seconds(checker.warmup),
        seconds(checker.delay_loop),
        timeout.map_or("-".into(), |timeout| timeout.to_string()),
        checker.alpha
    )
}

#[test]
fn nobody_says_anything() {
    let expected = [
        "0 1 60 60 - false",
        "1 1 60 60 5 false",
        "1 1 60 60 5 false",
        "1 1 60 60 5 false",
        "1 1 60 60 5 false",
        "1 3 60 60 5 false",
        "1 3 60 60 5 false",
        "3 60 60 60 5 false",
        "1 1 60 60 - false",
        "1 1 60 60 - false",
    ];
    for (block, expected) in BLOCKS.into_iter().zip(expected) {
        assert_eq!(figures(block, "", &SILENT), expected, "{block:?}");
    }
}

#[test]
fn the_servers_say_something() {
    let around = Inherited {
        retry: Some(7),
        delay_before_retry: Some(Microseconds::from_secs(8)),
        warmup: Some(Microseconds::from_secs(9)),
        delay_loop: Some(Microseconds::from_secs(10)),
        connect_timeout: Some(Microseconds::from_secs(11)),
        alpha: true,
        ..SILENT
    };
    for block in BLOCKS {
        let connects = !["MISC_CHECK", "FILE_CHECK", "BFD_CHECK"].contains(&block.0);
        let expected = format!("7 8 9 10 {} true", if connects { "11" } else { "-" });
        assert_eq!(figures(block, "", &around), expected, "{block:?}");
        if connects {
            let line = "retry 1\ndelay_before_retry 2\nwarmup 3\ndelay_loop 4\nconnect_timeout 5\nalpha off";
            assert_eq!(
                figures(block, line, &around),
                "1 2 3 4 5 false",
                "{block:?}"
            );
        }
    }
    let loops = Inherited {
        delay_loop: Some(SECOND),
        ..SILENT
    };
    assert_eq!(figures(BLOCKS[7], "", &loops), "3 1 1 1 5 false");
    assert_eq!(
        figures(BLOCKS[7], "delay_loop 2", &loops),
        "3 2 2 2 5 false"
    );
}

#[test]
fn a_command_may_run_as_long_as_the_virtual_server_waits() {
    let around = Inherited {
        delay_loop: Some(SECOND),
        virtual_delay_loop: Some(Microseconds::from_secs(4)),
        ..SILENT
    };
    let timeout = |line: &str| {
        let lines = format!("MISC_CHECK {{\nmisc_path /bin/true\ndelay_loop 2\n{line}\n}}");
        let outcome = outcome(&lines, &around, "");
        let CheckerKind::Misc(check) = outcome.checkers[0].kind else {
            panic!("{:?}", outcome.checkers);
        };
        check.timeout
    };
    assert_eq!(timeout(""), Microseconds::from_secs(4));
    assert_eq!(timeout("misc_timeout 3"), Microseconds::from_secs(3));
}

#[test]
fn host_names() {
    let (real, of_service) = (Octets::from("real"), Octets::from("virtual"));
    let around = Inherited {
        real_virtualhost: Some(&real),
        virtual_virtualhost: Some(&of_service),
        ..SILENT
    };
    let names = |lines: &str, around: &Inherited<'_>| {
        let lines = format!("SSL_GET {{\nenable_sni\n{lines}\n}}");
        let outcome = outcome(&lines, around, "");
        let CheckerKind::Http(check) = &outcome.checkers[0].kind else {
            panic!("{:?}", outcome.checkers);
        };
        let url = &check.urls[0];
        (
            check.host(url).map(Octets::to_string),
            check.sni(url).map(Octets::to_string),
        )
    };
    let both = |host: &str, sni: &str| (Some(host.to_owned()), Some(sni.to_owned()));
    let page = "url {\npath /\n}";
    assert_eq!(names(page, &SILENT), (None, None));
    assert_eq!(names(page, &around), both("real", "virtual"));
    let own = format!("virtualhost own\n{page}");
    assert_eq!(names(&own, &around), both("own", "own"));
    let of_page = "virtualhost own\nurl {\npath /\nvirtualhost page\n}";
    assert_eq!(names(of_page, &around), both("page", "page"));
}

#[test]
fn a_command_that_cannot_run_takes_its_checker_along() {
    let draft = {
        let mut draft = CheckerDraft::new(
            CheckerBlock::Misc,
            Span {
                file: 0,
                line: 1,
                start: 0,
                end: 1,
            },
        );
        draft.misc.argv = Some(At {
            value: vec!["/bin/true".into()],
            span: draft.span,
        });
        draft.misc.user = Some(crate::settings::RunAs {
            uid: 0,
            gid: 0,
            groups: vec![],
            user: None,
            group: None,
        });
        draft
    };
    let mut report = Reporter::default();
    let none = resolve(vec![draft], &SILENT, &mut |_, _| None, &mut report);
    assert!(none.is_empty());
}

#[test]
fn an_address_of_the_other_family_is_explained() {
    let said = |lines: &str| outcome(&format!("TCP_CHECK {{\n{lines}\n}}"), &SILENT, "").messages;
    assert_eq!(
        said("bindto fd00::9"),
        ["bindto fd00::9 is ignored: 192.0.2.1 (the real server) is of the other address family"]
    );
    assert_eq!(
        said("connect_ip fd00::1\nbindto 192.0.2.9"),
        ["bindto 192.0.2.9 is ignored: fd00::1 (connect_ip) is of the other address family"]
    );
    assert_eq!(
        said("bindto 192.0.2.9\nconnect_ip fd00::1"),
        ["connect_ip fd00::1 is ignored: 192.0.2.9 (bindto) is of the other address family"]
    );
}
