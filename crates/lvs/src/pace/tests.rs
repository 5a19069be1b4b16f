//! Sequences of results, and what comes of each.

use std::net::SocketAddr;

use super::*;
use crate::settings::checkers::{
    Endpoint, HttpCheck, HttpVersion, Microseconds, SmtpCheck, StatusRange, Url,
};

fn endpoint() -> Endpoint {
    Endpoint {
        destination: SocketAddr::from(([192, 0, 2, 1], 80)),
        connect_timeout: Microseconds::from_secs(5),
        source: None,
    }
}

fn checker(kind: CheckerKind, retry: u32) -> Checker {
    Checker {
        kind,
        retry,
        delay_before_retry: Microseconds::from_secs(3),
        warmup: Microseconds::from_secs(0),
        delay_loop: Microseconds::from_secs(2),
        alpha: false,
        log_all_failures: false,
    }
}

fn pages(count: usize, fast_recovery: bool) -> CheckerKind {
    let url = Url {
        path: "/".into(),
        virtualhost: None,
        digest: None,
        status_codes: vec![StatusRange::SUCCESS],
        regex: None,
        tls_compliant: false,
    };
    CheckerKind::Http(Box::new(HttpCheck {
        endpoint: endpoint(),
        tls: None,
        version: HttpVersion::V1_0,
        virtualhost: None,
        fast_recovery,
        urls: vec![url; count],
    }))
}

/// A word for each result (`+`, `-`): the page it was, the turn, the seconds until the next one.
fn story(checker: &Checker, progress: &mut Progress, results: &str) -> String {
    let words = results.chars().map(|result| {
        let page = progress.url;
        let Step { wait, turn } = judge(progress, checker, result == '+');
        let turn = match turn {
            Turn::Nothing => "",
            Turn::PageIsGood => "good",
            Turn::Retry(_) => "retry",
            Turn::Up => "UP",
            Turn::Down { retried: false } => "DOWN",
            Turn::Down { retried: true } => "DOWN-after-retries",
        };
        format!("{result}{page}{turn}/{}", wait.as_secs())
    });
    words.collect::<Vec<_>>().join(" ")
}

#[test]
fn one_success_is_enough_and_one_failure_is_not() {
    let checker = checker(CheckerKind::Tcp(endpoint()), 2);
    let mut progress = Progress::new(true, 0);
    assert_eq!(
        story(&checker, &mut progress, "++---+--+---"),
        "+0UP/2 +0/2 -0retry/3 -0retry/3 -0DOWN-after-retries/2 +0UP/2 -0retry/3 -0retry/3 +0/2 -0retry/3 -0retry/3 \
         -0DOWN-after-retries/2"
    );
    assert_eq!(story(&checker, &mut progress, "--"), "-0/2 -0/2");
    // At the start of the daemon.
    let mut progress = Progress::new(true, 2);
    assert_eq!(story(&checker, &mut progress, "-+"), "-0DOWN/2 +0UP/2");
    // One that is down from the start is told of once; one that a reload brings is not.
    let mut progress = Progress::new(false, 2);
    assert_eq!(
        story(&checker, &mut progress, "--+"),
        "-0DOWN/2 -0/2 +0UP/2"
    );
    let mut progress = Progress::new(false, 0);
    assert_eq!(story(&checker, &mut progress, "--+"), "-0/2 -0/2 +0UP/2");
}

#[test]
fn a_mail_server_gets_a_whole_series_each_time() {
    let check = SmtpCheck {
        endpoint: endpoint(),
        helo_name: "x".into(),
    };
    let checker = checker(CheckerKind::Smtp(Box::new(check)), 1);
    let mut progress = Progress::new(true, 0);
    assert_eq!(
        story(&checker, &mut progress, "----+-+"),
        "-0retry/3 -0DOWN-after-retries/2 -0retry/3 -0/2 +0UP/2 -0retry/3 +0/2"
    );
}

#[test]
fn all_pages_in_a_row_are_a_success() {
    let three = checker(pages(3, false), 1);
    let mut progress = Progress::new(true, 1);
    assert_eq!(
        story(&three, &mut progress, "++++"),
        "+0/2 +1/2 +2UP/2 +0/2"
    );
    // The second page breaks: it is asked for until it is good, then all of them are.
    assert_eq!(
        story(
            &three,
            &mut progress,
            "--- -++-++".replace(' ', "").as_str()
        ),
        "-1retry/3 -1DOWN-after-retries/3 -1/3 -1/3 +1good/2 +0good/2 -1/3 +1good/2 +2UP/2"
    );
    // Before all were good once, one failure is enough.
    let mut progress = Progress::new(true, 1);
    assert_eq!(
        story(&three, &mut progress, "+-+"),
        "+0/2 -1DOWN/3 +1good/2"
    );
    let hasty = checker(pages(2, true), 1);
    let mut progress = Progress::new(true, 1);
    assert_eq!(
        story(&hasty, &mut progress, "+++-- +++".replace(' ', "").as_str()),
        "+0/0 +1UP/2 +0/2 -1retry/3 -1DOWN-after-retries/3 +1good/0 +0good/0 +1UP/2"
    );
}
