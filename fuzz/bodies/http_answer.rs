//! Any bytes as the answer to an HTTP_GET: the check ends, and how the bytes are cut makes no difference.
//!
//! A body, not a test: the fuzz target and `crates/lvs/tests/fuzz_corpus.rs` include it.
//!
//! The first two bytes say what is wanted of the page and where the answer is cut.

use std::net::SocketAddr;

use lvs::dialogue::http::Note;
use lvs::dialogue::{Attempt, BodyMatcher, Dialogue, Patterns, Trouble, Verdict};
use lvs::settings::checkers::{
    CheckerKind, Endpoint, HttpCheck, HttpVersion, Microseconds, Regex, RegexOptions, StatusRange,
    Url,
};
use types::Instant;

/// Counts; every other page matches.
#[derive(Debug)]
struct Odd(usize);

impl BodyMatcher for Odd {
    fn feed(&mut self, bytes: &[u8]) {
        self.0 += bytes.len();
    }

    fn finish(&mut self) -> Result<bool, Trouble> {
        Ok(self.0 % 2 == 1)
    }
}

struct Odds;

impl Patterns for Odds {
    fn matcher(&self, _regex: &Regex) -> Result<Box<dyn BodyMatcher>, Trouble> {
        Ok(Box::new(Odd(0)))
    }
}

/// One input.
pub(crate) fn run(data: &[u8]) {
    let [wanted, cut, answer @ ..] = data else {
        return;
    };
    let check = check(*wanted);
    let whole = judge(&check, answer, usize::MAX);
    assert_eq!(judge(&check, answer, 1 + usize::from(*cut)), whole);
    let (verdict, notes) = whole;
    assert!(notes.len() <= 1);
    if let Verdict::Failure(failure) = verdict {
        assert!(!failure.to_string().is_empty());
    }
}

fn check(wanted: u8) -> CheckerKind {
    let regex = Regex {
        pattern: b"odd".to_vec(),
        options: RegexOptions::default(),
        no_match: wanted & 4 != 0,
        min_offset: 0,
        max_offset: None,
        stack: None,
    };
    let url = Url {
        path: "/".into(),
        virtualhost: None,
        // That of nothing.
        digest: (wanted & 1 != 0).then_some([
            0xd4, 0x1d, 0x8c, 0xd9, 0x8f, 0x00, 0xb2, 0x04, 0xe9, 0x80, 0x09, 0x98, 0xec, 0xf8,
            0x42, 0x7e,
        ]),
        status_codes: vec![StatusRange::SUCCESS],
        regex: (wanted & 2 != 0).then(|| Box::new(regex)),
        tls_compliant: false,
    };
    CheckerKind::Http(Box::new(HttpCheck {
        endpoint: Endpoint {
            destination: SocketAddr::from(([192, 0, 2, 1], 80)),
            connect_timeout: Microseconds::from_secs(5),
            source: None,
        },
        tls: None,
        version: HttpVersion::V1_1,
        virtualhost: None,
        fast_recovery: false,
        urls: vec![url],
    }))
}

fn judge(check: &CheckerKind, answer: &[u8], piece: usize) -> (Verdict, Vec<Note>) {
    let mut dialogue = Dialogue::begin(Instant::ZERO, check, Attempt::default(), &Odds)
        .expect("HTTP_GET is a dialogue");
    dialogue.handle_connected(Instant::ZERO);
    assert!(dialogue.poll_transmit().is_some(), "a request");
    for piece in answer.chunks(piece) {
        dialogue.handle_bytes(Instant::ZERO, piece);
    }
    dialogue.handle_end(Instant::ZERO);
    let verdict = dialogue.verdict().expect("the server has closed").clone();
    (verdict, dialogue.notes().to_vec())
}
