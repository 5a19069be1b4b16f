//! Any bytes from a mail server: the check ends, what it sends follows from them, and how they are cut makes no difference.
//!
//! A body, not a test: the fuzz target and `crates/lvs/tests/fuzz_corpus.rs` include it.
//!
//! The first byte says where the bytes are cut.

use std::time::Duration;

use lvs::dialogue::{Attempt, Dialogue, Failure, NoPatterns, SmtpFailure, Verdict};
use lvs::settings::checkers::{CheckerKind, Endpoint, Microseconds, SmtpCheck};
use types::Instant;

/// One input.
pub(crate) fn run(data: &[u8]) {
    let [cut, answer @ ..] = data else {
        return;
    };
    let whole = judge(answer, usize::MAX);
    assert_eq!(judge(answer, 1 + usize::from(*cut)), whole);
    let (verdict, sent) = whole;
    let says = |words: &[u8]| sent == words;
    match &verdict {
        Verdict::Success => {
            assert!(says(b"HELO me\r\nQUIT\r\n"));
            assert!(answer.starts_with(b"220"));
        }
        Verdict::Failure(Failure::Smtp(SmtpFailure::Greeting(_))) => assert!(says(b"")),
        Verdict::Failure(Failure::Smtp(SmtpFailure::Helo(_))) => assert!(says(b"HELO me\r\n")),
        Verdict::Failure(Failure::Smtp(SmtpFailure::TooLong(_))) => {
            assert!(says(b"") || says(b"HELO me\r\n"));
        }
        Verdict::Failure(Failure::Smtp(SmtpFailure::Closed)) => {}
        Verdict::Failure(_) | Verdict::NoResult(_) => panic!("what else can happen: {verdict:?}"),
    }
}

/// The verdict on what a server says before it closes, in parts of `size` bytes, and what it is sent.
fn judge(answer: &[u8], size: usize) -> (Verdict, Vec<u8>) {
    let now = Instant::from_nanos(1_000_000_000);
    let kind = CheckerKind::Smtp(Box::new(SmtpCheck {
        endpoint: Endpoint {
            destination: "192.0.2.1:25".parse().expect("an address"),
            connect_timeout: Microseconds(5_000_000),
            source: None,
        },
        helo_name: "me".to_owned(),
    }));
    let attempt = Attempt::default();
    let begun = Dialogue::begin(now, &kind, attempt, &NoPatterns);
    let mut dialogue = begun.expect("a dialogue");
    dialogue.handle_connected(now);
    let mut sent = Vec::new();
    for part in answer.chunks(size) {
        dialogue.handle_bytes(now, part);
        assert!(dialogue.deadline() <= now + Duration::from_secs(5));
        while let Some(bytes) = dialogue.poll_transmit() {
            sent.extend(bytes);
        }
    }
    dialogue.handle_end(now);
    let verdict = dialogue.verdict().expect("it has ended").clone();
    if let Verdict::Failure(failure) = &verdict {
        assert!(failure.to_string().len() < 1000, "a line for people");
    }
    (verdict, sent)
}
