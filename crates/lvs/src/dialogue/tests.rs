//! What the tests of all dialogues share, and what holds for each of them.

use proptest::prelude::*;

use super::*;
use crate::settings::checkers::{
    DnsCheck, DnsType, Endpoint, Microseconds, Reply, ReplyPattern, SmtpCheck, UdpCheck,
};

/// The beginning of all tests' time.
pub(super) const START: Instant = Instant::from_nanos(1_000_000_000);

/// `connect_timeout` in all tests.
pub(super) const LIMIT: Duration = Duration::from_secs(5);

pub(super) fn endpoint() -> Endpoint {
    Endpoint {
        destination: "127.0.0.1:53".parse().unwrap(),
        connect_timeout: Microseconds(5_000_000),
        source: None,
    }
}

pub(super) fn smtp_check() -> SmtpCheck {
    SmtpCheck {
        endpoint: endpoint(),
        helo_name: "check.example".to_owned(),
    }
}

pub(super) fn dns_check(name: &str) -> DnsCheck {
    DnsCheck {
        endpoint: endpoint(),
        record: DnsType::Soa,
        name: name.to_owned(),
    }
}

pub(super) fn udp_check(payload: Option<Vec<u8>>, reply: Reply) -> UdpCheck {
    UdpCheck {
        endpoint: endpoint(),
        payload,
        reply,
    }
}

pub(super) fn trouble() -> Trouble {
    Trouble {
        kind: TroubleKind::Refused,
        number: 111,
        text: "Connection refused".into(),
    }
}

/// One of each kind.
fn kinds() -> Vec<CheckerKind> {
    let pattern = ReplyPattern {
        bytes: vec![1, 2],
        mask: vec![0xff, 0xf0],
        min_length: 1,
        max_length: 255,
    };
    vec![
        CheckerKind::Tcp(endpoint()),
        CheckerKind::Smtp(Box::new(smtp_check())),
        CheckerKind::Dns(Box::new(dns_check("example.com"))),
        CheckerKind::Udp(Box::new(udp_check(None, Reply::NotNeeded))),
        CheckerKind::Udp(Box::new(udp_check(None, Reply::Matching(pattern)))),
        CheckerKind::Ping(endpoint()),
    ]
}

fn begin(kind: &CheckerKind) -> Dialogue {
    let attempt = Attempt {
        url: 0,
        random: 0x1234,
        sequence: 7,
    };
    Dialogue::begin(START, kind, attempt, &NoPatterns).expect("a dialogue")
}

/// Anything that can happen to an attempt.
#[derive(Clone, Debug)]
enum Event {
    Connected,
    Bytes(Vec<u8>),
    End,
    Trouble,
    SendTrouble,
    Timeout,
    Transmit,
}

fn event() -> impl Strategy<Value = Event> {
    let words = prop_oneof![
        any::<Vec<u8>>(),
        Just(b"220 x\r\n".to_vec()),
        Just(b"250 x\n".to_vec()),
        Just(vec![0x12, 0x34, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
        Just(vec![0, 0, 0, 0, 0, 0, 0, 7]),
    ];
    prop_oneof![
        2 => Just(Event::Connected),
        6 => words.prop_map(Event::Bytes),
        1 => Just(Event::End),
        1 => Just(Event::Trouble),
        1 => Just(Event::SendTrouble),
        1 => Just(Event::Timeout),
        3 => Just(Event::Transmit),
    ]
}

proptest! {
    /// Whatever happens, in whatever order: the first verdict stands, and time is bounded.
    #[test]
    fn a_verdict_is_final_and_comes(events in prop::collection::vec((event(), 0_u64..3_000), 0..40)) {
        for kind in kinds() {
            let mut dialogue = begin(&kind);
            let mut now = START;
            let mut verdict = None;
            for (event, millis) in &events {
                now = now + Duration::from_millis(*millis);
                match event {
                    Event::Connected => dialogue.handle_connected(now),
                    Event::Bytes(bytes) => dialogue.handle_bytes(now, bytes),
                    Event::End => dialogue.handle_end(now),
                    Event::Trouble => dialogue.handle_trouble(now, trouble()),
                    Event::SendTrouble => dialogue.handle_send_trouble(now, trouble()),
                    Event::Timeout => dialogue.handle_timeout(now),
                    Event::Transmit => drop(dialogue.poll_transmit()),
                }
                match &verdict {
                    Some(verdict) => prop_assert_eq!(dialogue.verdict(), Some(verdict)),
                    None => verdict = dialogue.verdict().cloned(),
                }
            }
            // At most four steps of five seconds each, whatever came when.
            let most = START + LIMIT * 4 + Duration::from_millis(40 * 3_000);
            prop_assert!(dialogue.deadline() <= most);
            if verdict.is_none() {
                dialogue.handle_timeout(dialogue.deadline());
                prop_assert!(dialogue.verdict().is_some());
            }
        }
    }
}

/// A server that sends one byte a second never moves a deadline by that.
#[test]
fn trickling_does_not_help() {
    for kind in kinds() {
        let mut dialogue = begin(&kind);
        dialogue.handle_connected(START);
        drop(dialogue.poll_transmit());
        if dialogue.verdict().is_some() {
            continue;
        }
        let deadline = dialogue.deadline();
        assert!(deadline <= START + LIMIT);
        for second in 1..5 {
            let now = START + Duration::from_secs(second);
            if matches!(dialogue.transport(), Transport::Tcp) {
                dialogue.handle_bytes(now, b"2");
            }
            dialogue.handle_timeout(now);
            assert_eq!(dialogue.verdict(), None, "{dialogue:?}");
            assert_eq!(dialogue.deadline(), deadline);
        }
        dialogue.handle_timeout(deadline);
        assert!(dialogue.verdict().is_some(), "{dialogue:?}");
    }
}

#[test]
fn what_is_in_our_way_is_no_result() {
    let obstacles = [
        Obstacle::Socket(trouble()),
        Obstacle::Bind(trouble()),
        Obstacle::Connect(trouble()),
    ];
    for kind in kinds() {
        for obstacle in &obstacles {
            let mut dialogue = begin(&kind);
            dialogue.handle_obstacle(obstacle.clone());
            let expected = match (&kind, obstacle) {
                (CheckerKind::Udp(_), Obstacle::Bind(_) | Obstacle::Connect(_)) => {
                    Verdict::Failure(Failure::Connect(trouble()))
                }
                _ => Verdict::NoResult(obstacle.clone()),
            };
            assert_eq!(dialogue.verdict(), Some(&expected));
        }
    }
}

#[test]
fn a_running_attempt_is_small() {
    assert!(size_of::<Dialogue>() <= 72, "{}", size_of::<Dialogue>());
}
