//! Any datagram from a name server: its header alone decides, and nothing is asked twice.
//!
//! A body, not a test: the fuzz target and `crates/lvs/tests/fuzz_corpus.rs` include it.

use lvs::dialogue::{Attempt, Dialogue, Failure, NoPatterns, ResponseCode, Verdict};
use lvs::settings::checkers::{CheckerKind, DnsCheck, DnsType, Endpoint, Microseconds};
use types::Instant;

/// One input.
pub(crate) fn run(data: &[u8]) {
    let verdict = judge(data);
    let header = data.get(..12);
    let expected = match header {
        Some([0xbe, 0xef, flags, more, ..]) if flags & 0x80 != 0 => match more & 0x0f {
            0 => Some(Verdict::Success),
            code => Some(Verdict::Failure(Failure::Dns(ResponseCode(code)))),
        },
        _ => None,
    };
    assert_eq!(verdict, expected);
    assert_eq!(judge(header.unwrap_or(data)), verdict);
}

/// The verdict on one datagram; `None`: the check goes on.
fn judge(datagram: &[u8]) -> Option<Verdict> {
    let now = Instant::from_nanos(1_000_000_000);
    let kind = CheckerKind::Dns(Box::new(DnsCheck {
        endpoint: Endpoint {
            destination: "192.0.2.1:53".parse().expect("an address"),
            connect_timeout: Microseconds(5_000_000),
            source: None,
        },
        record: DnsType::Soa,
        name: "example.com".to_owned(),
    }));
    let attempt = Attempt {
        random: 0xbeef,
        ..Attempt::default()
    };
    let begun = Dialogue::begin(now, &kind, attempt, &NoPatterns);
    let mut dialogue = begun.expect("a dialogue");
    dialogue.handle_connected(now);
    assert!(dialogue.poll_transmit().is_some());
    dialogue.handle_bytes(now, datagram);
    assert_eq!(dialogue.poll_transmit(), None);
    let deadline = dialogue.deadline();
    assert!(deadline > now, "no datagram moves it");
    dialogue.verdict().cloned()
}
