use super::*;
use crate::dialogue::tests::{LIMIT, START, trouble, udp_check};

fn sent(reply: Reply) -> Udp {
    let mut udp = Udp::begin(START, &udp_check(None, reply));
    assert!(udp.poll_transmit().is_some());
    assert_eq!(udp.poll_transmit(), None);
    udp
}

fn pattern_of(min_length: u16, max_length: u16) -> Reply {
    Reply::Matching(ReplyPattern {
        bytes: vec![0x12, 0x30],
        mask: vec![0xff, 0xf0],
        min_length,
        max_length,
    })
}

#[test]
fn what_is_sent() {
    let payload = |payload| {
        let check = udp_check(payload, Reply::NotNeeded);
        Udp::begin(START, &check).poll_transmit().unwrap()
    };
    assert_eq!(payload(None), b"keepalived check - keepalived ch");
    assert_eq!(payload(Some(vec![1, 2, 3])), [1, 2, 3]);
}

#[test]
fn silence_is_fine_unless_a_reply_is_required() {
    for (reply, expected) in [
        (Reply::NotNeeded, Verdict::Success),
        (Reply::Any, Verdict::Failure(Failure::ReadTimeout(LIMIT))),
        (
            pattern_of(0, 255),
            Verdict::Failure(Failure::ReadTimeout(LIMIT)),
        ),
    ] {
        let mut udp = sent(reply);
        udp.handle_timeout(START);
        assert_eq!(udp.verdict(), None);
        udp.handle_timeout(START + LIMIT);
        assert_eq!(udp.verdict(), Some(&expected));
    }
    let mut udp = Udp::begin(START, &udp_check(None, Reply::NotNeeded));
    udp.handle_timeout(START + LIMIT);
    let expected = Verdict::Failure(Failure::WriteTimeout(LIMIT));
    assert_eq!(udp.verdict(), Some(&expected));
}

#[test]
fn replies_are_judged() {
    let content = |got: &[u8]| Some(Mismatch::Content { got: got.into() });
    let length = |got, least, most| Some(Mismatch::Length { got, least, most });
    let long = [0x12; 300];
    let table: [(Reply, &[u8], Option<Mismatch>); 10] = [
        (Reply::NotNeeded, b"", None),
        (Reply::Any, b"anything", None),
        (Reply::Any, &long, None),
        (pattern_of(0, 255), b"\x12\x3f and more", None),
        (pattern_of(0, 255), b"\x12", None),
        (pattern_of(0, 255), b"", None),
        (pattern_of(0, 255), b"\x13\x3f", content(b"\x13\x3f")),
        (pattern_of(3, 255), b"\x12\x30", length(2, 3, 255)),
        (pattern_of(0, 255), &long, length(300, 0, 255)),
        (pattern_of(5, 2), b"\x12\x30\x00", length(3, 5, 2)),
    ];
    for (reply, bytes, expected) in table {
        let mut udp = sent(reply.clone());
        udp.handle_datagram(bytes);
        let expected = expected.map_or(Verdict::Success, |mismatch| {
            Verdict::Failure(Failure::Udp(mismatch))
        });
        assert_eq!(udp.verdict(), Some(&expected), "{reply:?} {bytes:?}");
    }
    let got = [0x12, 0x34].into();
    assert_eq!(
        Mismatch::Content { got }.to_string(),
        "the reply does not fit require_reply, it begins with 12 34"
    );
    let long = Mismatch::Length {
        got: 300,
        least: 0,
        most: 255,
    };
    assert_eq!(long.to_string(), "the reply has 300 bytes, wanted 0 to 255");
}

#[test]
fn a_refusal_is_a_failure() {
    let mut udp = sent(Reply::NotNeeded);
    udp.handle_trouble(trouble());
    let expected = Verdict::Failure(Failure::Connect(trouble()));
    assert_eq!(udp.verdict(), Some(&expected));
    let mut udp = sent(Reply::NotNeeded);
    udp.handle_send_trouble(trouble());
    let expected = Verdict::Failure(Failure::Send(trouble()));
    assert_eq!(udp.verdict(), Some(&expected));
}
