use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::dialogue::tests::{LIMIT, START, smtp_check, trouble};

fn connected() -> Smtp {
    let mut smtp = Smtp::begin(START, &smtp_check());
    smtp.handle_connected(START);
    smtp
}

/// The verdict on what a server sends, and what it is sent.
fn talk<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> (Option<Verdict>, Vec<u8>) {
    let mut smtp = connected();
    let mut sent = Vec::new();
    for part in parts {
        smtp.handle_bytes(START, part);
        sent.extend(smtp.poll_transmit().unwrap_or_default());
    }
    (smtp.verdict().cloned(), sent)
}

#[test]
fn a_mail_server_that_is_well() {
    for [greeting, helo, quit] in [
        [
            "220 mx.example ESMTP\r\n",
            "250 mx.example\r\n",
            "221 bye\r\n",
        ],
        ["220 x\n", "250 x\n", "500 what?\n"],
        ["220\r\n", "250\n", "\n"],
        ["220 \n", "250 \r\n", "221-more\r\n"],
    ] {
        let mut smtp = connected();
        assert_eq!(smtp.poll_transmit(), None, "the server begins");
        smtp.handle_bytes(START, greeting.as_bytes());
        assert_eq!(
            smtp.poll_transmit().as_deref(),
            Some(&b"HELO check.example\r\n"[..])
        );
        assert_eq!(smtp.poll_transmit(), None);
        smtp.handle_bytes(START, helo.as_bytes());
        assert_eq!(smtp.poll_transmit().as_deref(), Some(&b"QUIT\r\n"[..]));
        assert_eq!(smtp.verdict(), None);
        smtp.handle_bytes(START, quit.as_bytes());
        assert_eq!(smtp.verdict(), Some(&Verdict::Success));
    }
}

#[test]
fn other_answers_fail_with_what_came() {
    let long = "220 ".to_owned() + &"x".repeat(508);
    let head = "220 ".to_owned() + &"x".repeat(76);
    let greeting = |text: &str| Failure::Smtp(SmtpFailure::Greeting(text.into()));
    let helo = |text: &str| Failure::Smtp(SmtpFailure::Helo(text.into()));
    let long_line = |text: &str| Failure::Smtp(SmtpFailure::TooLong(text.into()));
    let long_helo = format!("220 x\r\n{long}");
    for (answer, expected) in [
        ("554 no\r\n", greeting("554 no")),
        (
            "220-mx.example\r\n220 ESMTP\r\n",
            greeting("220-mx.example"),
        ),
        ("2200 x\r\n", greeting("2200 x")),
        (" 220 x\r\n", greeting(" 220 x")),
        ("\r\n", greeting("")),
        (&long, long_line(&head)),
        (&long_helo, long_line(&head)),
        ("220 x\r\n502 no\r\n", helo("502 no")),
        ("220 x\r\n250-x\r\n250 y\r\n", helo("250-x")),
        ("220 x\r\n220 x\r\n", helo("220 x")),
    ] {
        let (verdict, _) = talk([answer.as_bytes()]);
        assert_eq!(verdict, Some(Verdict::Failure(expected)), "{answer}");
    }
    assert_eq!(
        greeting("554 no").to_string(),
        "it greets with \"554 no\", wanted 220"
    );
    assert_eq!(
        helo("550 x").to_string(),
        "it answers HELO with \"550 x\", wanted 250"
    );
    assert_eq!(
        greeting("220-x").to_string(),
        "it greets with \"220-x\", wanted 220 in a single line"
    );
    assert_eq!(
        helo("250-x").to_string(),
        "it answers HELO with \"250-x\", wanted 250 in a single line"
    );
    assert_eq!(
        long_line("220 x").to_string(),
        "a line of more than 512 bytes, it begins with \"220 x\""
    );
}

#[test]
fn the_longest_line_that_may_be() {
    let line = "220 ".to_owned() + &"x".repeat(506) + "\r\n";
    assert_eq!(line.len(), LONGEST_LINE);
    assert_eq!(talk([line.as_bytes()]).0, None);
    // After QUIT nobody listens any more.
    let last = "y".repeat(1_000_000) + "\n";
    let (verdict, _) = talk([b"220 x\n250 x\n".as_slice(), last.as_bytes()]);
    assert_eq!(verdict, Some(Verdict::Success));
}

#[test]
fn memory_is_bounded() {
    let mut smtp = connected();
    for _ in 0..1_000 {
        smtp.handle_bytes(START, &[b'2'; 1_000]);
    }
    assert!(smtp.line.capacity() <= 2 * LONGEST_LINE);
    assert!(matches!(
        smtp.verdict(),
        Some(Verdict::Failure(Failure::Smtp(SmtpFailure::TooLong(_))))
    ));
}

#[test]
fn a_connection_that_ends_is_a_failure_at_each_step() {
    for answer in [
        "",
        "220",
        "220 x\r\n",
        "220 x\r\n250",
        "220 x\r\n250 x\r\n221 bye",
    ] {
        let mut smtp = connected();
        smtp.handle_bytes(START, answer.as_bytes());
        assert_eq!(smtp.verdict(), None, "{answer}");
        smtp.handle_end();
        let closed = Failure::Smtp(SmtpFailure::Closed);
        assert_eq!(smtp.verdict(), Some(&Verdict::Failure(closed)), "{answer}");
    }
}

#[test]
fn each_step_has_its_time() {
    let mut smtp = Smtp::begin(START, &smtp_check());
    let limit = |smtp: &Smtp, since: Instant| smtp.deadline() == since + LIMIT;
    assert!(limit(&smtp, START));
    let second = |n| START + Duration::from_secs(n);
    smtp.handle_connected(second(4));
    assert!(limit(&smtp, second(4)));
    smtp.handle_timeout(second(6));
    assert_eq!(smtp.verdict(), None, "too early");
    smtp.handle_bytes(second(7), b"220 ");
    assert!(limit(&smtp, second(4)), "half a line moves nothing");
    smtp.handle_bytes(second(8), b"x\r\n");
    assert!(limit(&smtp, second(8)));
    assert!(smtp.poll_transmit().is_some());
    smtp.handle_timeout(second(13));
    let expected = Verdict::Failure(Failure::ReadTimeout(LIMIT));
    assert_eq!(smtp.verdict(), Some(&expected));
}

#[test]
fn time_outs_and_troubles_name_the_step() {
    let fails = |smtp: Smtp| match smtp.verdict().cloned() {
        Some(Verdict::Failure(failure)) => failure,
        other => panic!("{other:?}"),
    };
    let mut smtp = Smtp::begin(START, &smtp_check());
    smtp.handle_timeout(START + LIMIT);
    assert_eq!(fails(smtp), Failure::ConnectTimeout(LIMIT));
    let mut smtp = Smtp::begin(START, &smtp_check());
    smtp.handle_trouble(trouble());
    assert_eq!(fails(smtp), Failure::Connect(trouble()));
    let mut smtp = connected();
    smtp.handle_bytes(START, b"220 x\n");
    smtp.handle_timeout(START + LIMIT);
    assert_eq!(
        fails(smtp),
        Failure::WriteTimeout(LIMIT),
        "HELO is not taken"
    );
    let mut smtp = connected();
    smtp.handle_trouble(trouble());
    assert_eq!(fails(smtp), Failure::Broken(trouble()));
    let mut smtp = connected();
    smtp.handle_send_trouble(trouble());
    assert_eq!(fails(smtp), Failure::Send(trouble()));
}

proptest! {
    /// However its bytes arrive, a server is judged alike, and sent the same.
    #[test]
    fn splits_do_not_matter(
        lines in prop::collection::vec(prop_oneof![
            Just("220 x\r\n".to_owned()),
            Just("250 x\n".to_owned()),
            Just("220-\r\n".to_owned()),
            "[ -~\r\n]{0,40}",
            Just("z".repeat(700)),
        ], 0..6),
        cuts in prop::collection::vec(1_usize..60, 0..80),
    ) {
        let bytes = lines.concat().into_bytes();
        let mut parts = Vec::new();
        let mut rest = bytes.as_slice();
        for cut in cuts {
            let (part, others) = rest.split_at(cut.min(rest.len()));
            parts.push(part);
            rest = others;
        }
        parts.push(rest);
        prop_assert_eq!(talk(parts), talk([bytes.as_slice()]));
    }
}
