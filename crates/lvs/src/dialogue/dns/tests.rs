use proptest::prelude::*;

use super::*;
use crate::dialogue::tests::{LIMIT, START, dns_check, trouble};
use crate::settings::checkers::DnsType;

const ID: u16 = 0xbeef;

fn waiting() -> Dns {
    let mut dns = Dns::begin(START, &dns_check("example.com"), ID);
    dns.handle_connected();
    assert!(dns.poll_transmit().is_some());
    dns
}

/// A reply without anything in it.
fn reply(id: u16, flags: u16) -> Vec<u8> {
    [id, flags, 1, 0, 0, 0]
        .into_iter()
        .flat_map(u16::to_be_bytes)
        .collect()
}

#[test]
fn questions_are_exact() {
    let header = b"\xbe\xef\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00".as_slice();
    for (name, record, question) in [
        ("", DnsType::Soa, b"\x00\x00\x06\x00\x01".as_slice()),
        ("a.b", DnsType::A, b"\x01a\x01b\x00\x00\x01\x00\x01"),
        (
            "www.example.com",
            DnsType::Dnskey,
            b"\x03www\x07example\x03com\x00\x00\x30\x00\x01",
        ),
    ] {
        let check = DnsCheck {
            record,
            ..dns_check(name)
        };
        assert_eq!(query(&check, ID), [header, question].concat(), "{name}");
    }
    let longest = "x".repeat(63);
    let query = query(&dns_check(&longest), ID);
    assert_eq!(query.len(), 12 + 64 + 1 + 4);
    assert_eq!(query[12], 63);
}

#[test]
fn the_header_decides() {
    for (flags, expected) in [
        (0x8180, Verdict::Success),
        (0x8000, Verdict::Success),
        (0x8583, Verdict::Failure(Failure::Dns(ResponseCode(3)))),
        (0x8002, Verdict::Failure(Failure::Dns(ResponseCode(2)))),
        (0x800f, Verdict::Failure(Failure::Dns(ResponseCode(15)))),
    ] {
        let mut dns = waiting();
        dns.handle_datagram(&reply(ID, flags));
        assert_eq!(dns.verdict(), Some(&expected), "{flags:x}");
    }
    assert_eq!(
        ResponseCode(3).to_string(),
        "it answers NXDOMAIN (3), wanted NOERROR (0)"
    );
}

#[test]
fn what_is_no_answer_is_passed_over() {
    let mut dns = waiting();
    for other in [
        reply(ID + 1, 0x8000),
        reply(ID, 0x0100),
        reply(ID, 0x8000)[..11].to_vec(),
        Vec::new(),
    ] {
        dns.handle_datagram(&other);
        assert_eq!(dns.verdict(), None, "{other:?}");
    }
    dns.handle_timeout(START);
    assert_eq!(dns.verdict(), None);
    dns.handle_datagram(&reply(ID, 0x8000));
    assert_eq!(dns.verdict(), Some(&Verdict::Success));
}

#[test]
fn failures_name_the_step() {
    let fails = |dns: Dns| match dns.verdict().cloned() {
        Some(Verdict::Failure(failure)) => failure,
        other => panic!("{other:?}"),
    };
    let fresh = || Dns::begin(START, &dns_check(""), ID);
    let mut dns = fresh();
    dns.handle_trouble(trouble());
    assert_eq!(fails(dns), Failure::Connect(trouble()));
    let mut dns = waiting();
    dns.handle_trouble(trouble());
    assert_eq!(fails(dns), Failure::Broken(trouble()));
    let mut dns = waiting();
    dns.handle_send_trouble(trouble());
    assert_eq!(fails(dns), Failure::Send(trouble()));
    let mut dns = waiting();
    dns.handle_timeout(START + LIMIT);
    assert_eq!(fails(dns), Failure::ReadTimeout(LIMIT));
    let mut dns = fresh();
    dns.handle_timeout(START + LIMIT);
    assert_eq!(fails(dns), Failure::ConnectTimeout(LIMIT));
    let mut dns = fresh();
    dns.handle_connected();
    dns.handle_timeout(START + LIMIT);
    assert_eq!(fails(dns), Failure::WriteTimeout(LIMIT));
}

proptest! {
    /// Names that point to themselves, counts that lie: nothing behind the header is read.
    #[test]
    fn only_the_header_counts(flags in any::<u16>(), rest in any::<Vec<u8>>()) {
        let mut dns = waiting();
        let mut bytes = reply(ID, flags);
        dns.handle_datagram(&[&bytes[..], &[0xc0, 0x0c], &rest].concat());
        let mut other = waiting();
        bytes[4..].fill(0xff);
        other.handle_datagram(&bytes);
        prop_assert_eq!(dns.verdict(), other.verdict());
        prop_assert_eq!(dns.verdict().is_some(), flags & 0x8000 != 0);
    }
}
