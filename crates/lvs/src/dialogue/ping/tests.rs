use super::*;
use crate::dialogue::tests::{LIMIT, START, endpoint, trouble};

fn to(address: &str) -> Endpoint {
    Endpoint {
        destination: address.parse().unwrap(),
        ..endpoint()
    }
}

#[test]
fn requests_are_exact() {
    for (address, kind) in [("192.0.2.1:0", 8), ("[2001:db8::1]:0", 128)] {
        let mut ping = Ping::begin(START, &to(address), 0x0102);
        let request = ping.poll_transmit().unwrap();
        assert_eq!(request.len(), 136);
        assert_eq!(request[..8], [kind, 0, 0, 0, 0, 0, 1, 2]);
        assert!(request[8..].starts_with(b"keepalived check - keepalived check - "));
        assert_eq!(ping.poll_transmit(), None);
        assert_eq!(ping.deadline(), START + LIMIT);
    }
}

#[test]
fn replies_are_judged() {
    let table: [(&str, &[u8], Option<EchoFailure>); 7] = [
        ("192.0.2.1:0", &[0, 0, 9, 9, 9, 9, 0, 7, 1], None),
        ("[2001:db8::1]:0", &[129, 0, 9, 9, 9, 9, 0, 7], None),
        (
            "192.0.2.1:0",
            &[129, 0, 0, 0, 0, 0, 0, 7],
            Some(EchoFailure::Type(129)),
        ),
        (
            "192.0.2.1:0",
            &[3, 1, 0, 0, 0, 0, 0, 7],
            Some(EchoFailure::Type(3)),
        ),
        (
            "192.0.2.1:0",
            &[0, 0, 0, 0, 0, 0, 0, 6],
            Some(EchoFailure::Sequence { got: 6, wanted: 7 }),
        ),
        (
            "192.0.2.1:0",
            &[0, 0, 0, 0, 0, 0, 7],
            Some(EchoFailure::Short(7)),
        ),
        ("192.0.2.1:0", &[], Some(EchoFailure::Short(0))),
    ];
    for (address, bytes, expected) in table {
        let mut ping = Ping::begin(START, &to(address), 7);
        assert!(ping.poll_transmit().is_some());
        ping.handle_datagram(bytes);
        let expected = expected.map_or(Verdict::Success, |echo| {
            Verdict::Failure(Failure::Ping(echo))
        });
        assert_eq!(ping.verdict(), Some(&expected), "{bytes:?}");
    }
    let other = EchoFailure::Sequence { got: 6, wanted: 7 };
    assert_eq!(
        other.to_string(),
        "an echo reply of number 6 came, wanted 7"
    );
}

#[test]
fn silence_and_trouble_are_failures() {
    let begin = || Ping::begin(START, &endpoint(), 1);
    let mut ping = begin();
    assert!(ping.poll_transmit().is_some());
    ping.handle_timeout(START + LIMIT);
    let expected = Verdict::Failure(Failure::ReadTimeout(LIMIT));
    assert_eq!(ping.verdict(), Some(&expected));
    let mut ping = begin();
    ping.handle_timeout(START + LIMIT);
    let expected = Verdict::Failure(Failure::WriteTimeout(LIMIT));
    assert_eq!(ping.verdict(), Some(&expected));
    let mut ping = begin();
    ping.handle_trouble(trouble());
    let expected = Verdict::Failure(Failure::Connect(trouble()));
    assert_eq!(ping.verdict(), Some(&expected));
    let mut ping = begin();
    ping.handle_send_trouble(trouble());
    let expected = Verdict::Failure(Failure::Send(trouble()));
    assert_eq!(ping.verdict(), Some(&expected));
}
