use super::*;
use crate::netlink::message::{Message, Messages};

fn prefix(address: &str, length: u8) -> Prefix {
    Prefix::new(address.parse().unwrap(), length).unwrap()
}

fn interface() -> IfIndex {
    IfIndex::new(5).unwrap()
}

fn encode(change: &AddressChange) -> Vec<u8> {
    let mut buffer = Vec::new();
    change.encode(&mut buffer, 9).unwrap();
    buffer
}

fn message(bytes: &[u8]) -> Message<'_> {
    Messages::new(bytes).next().unwrap().unwrap()
}

fn attribute(bytes: &[u8], kind: u16) -> Option<Vec<u8>> {
    let payload = message(bytes).payload;
    let mut attributes = Attributes::new(&payload[FIXED..]).map(Result::unwrap);
    attributes
        .find(|attribute| attribute.kind == kind)
        .map(|attribute| attribute.value.to_vec())
}

fn add(address: KernelAddress) -> AddressChange {
    AddressChange::Add {
        interface: interface(),
        address,
    }
}

#[test]
fn a_request_reads_back_as_the_address() {
    let mut wanted = KernelAddress::new(prefix("192.0.2.7", 24));
    wanted.scope = 253;
    wanted.protocol = Some(18);
    let bytes = encode(&add(wanted));
    let message = message(&bytes);
    assert_eq!(
        (message.kind, message.flags, message.sequence),
        (20, 0x5, 9),
        "REQUEST | ACK and nothing else"
    );
    assert_eq!(
        Address::decode(message.payload).unwrap().unwrap(),
        Address {
            interface: interface(),
            prefix: prefix("192.0.2.7", 24),
            peer: None,
            scope: 253,
            tentative: false,
            dadfailed: false,
            deprecated: false,
            secondary: false,
            protocol: Some(18),
        }
    );
}

#[test]
fn a_peer_brings_its_own_prefix_length() {
    for (own, peer) in [
        ("192.0.2.7", prefix("198.51.100.1", 30)),
        ("fd00::1", prefix("fd00::2", 126)),
    ] {
        let mut wanted = KernelAddress::new(Prefix::host(own.parse().unwrap()));
        wanted.peer = Some(peer);
        let read = Address::decode(message(&encode(&add(wanted))).payload)
            .unwrap()
            .unwrap();
        assert_eq!(read.prefix, prefix(own, peer.length()));
        assert_eq!(read.peer, Some(peer.address()));
    }
}

#[test]
fn options_of_ipv4() {
    let mut wanted = KernelAddress::new(prefix("192.0.2.7", 24));
    wanted.label = Some("eth0:vip".to_owned());
    wanted.broadcast = Some("192.0.2.255".parse().unwrap());
    wanted.nodad = true;
    wanted.home = true;
    let bytes = encode(&add(wanted.clone()));
    assert_eq!(
        attribute(&bytes, numbers::ADDRESS_LABEL).unwrap(),
        b"eth0:vip\0"
    );
    assert_eq!(
        attribute(&bytes, numbers::ADDRESS_BROADCAST).unwrap(),
        [192, 0, 2, 255]
    );
    assert_eq!(
        attribute(&bytes, numbers::ADDRESS_FLAGS),
        None,
        "flags of IPv6 only"
    );
    wanted.label = Some("sixteen-letters!".to_owned());
    let error = add(wanted).encode(&mut Vec::new(), 1).unwrap_err();
    assert_eq!(error.refusal.reason(), Reason::Invalid);
    assert_eq!(
        error.to_string(),
        "cannot add 192.0.2.7/24 on interface 5: Numerical result out of range (os error 34): \
         a label has at most 15 characters"
    );
}

#[test]
fn options_of_ipv6() {
    let mut wanted = KernelAddress::new(prefix("fd00::7", 128));
    wanted.label = Some("no".to_owned());
    (wanted.nodad, wanted.mngtmpaddr, wanted.noprefixroute) = (true, true, true);
    wanted.preferred_lft = Some(0);
    let bytes = encode(&add(wanted.clone()));
    assert_eq!(
        message(&bytes).payload[2],
        0x02,
        "the first eight flags are in the header too"
    );
    assert_eq!(
        attribute(&bytes, numbers::ADDRESS_FLAGS).unwrap(),
        0x302_u32.to_ne_bytes()
    );
    assert_eq!(attribute(&bytes, numbers::ADDRESS_LABEL), None);
    let lifetimes = attribute(&bytes, numbers::ADDRESS_LIFETIMES).unwrap();
    assert_eq!(
        lifetimes,
        [0, 0, 0, 0, 255, 255, 255, 255, 0, 0, 0, 0, 0, 0, 0, 0]
    );
    let bytes = encode(&AddressChange::Remove {
        interface: interface(),
        address: wanted,
    });
    assert_eq!(message(&bytes).kind, 21);
    assert_eq!(
        attribute(&bytes, numbers::ADDRESS_LIFETIMES),
        None,
        "a removal names the address and no more"
    );
}

#[test]
fn nothing_to_do_is_success() {
    let change = add(KernelAddress::new(prefix("192.0.2.7", 24)));
    let removal = AddressChange::Remove {
        interface: interface(),
        address: KernelAddress::new(prefix("192.0.2.7", 24)),
    };
    assert!(change.judge(Err(Refusal::new(libc::EEXIST, None))).is_ok());
    assert!(
        removal
            .judge(Err(Refusal::new(libc::EADDRNOTAVAIL, None)))
            .is_ok()
    );
    assert!(
        change
            .judge(Err(Refusal::new(libc::EADDRNOTAVAIL, None)))
            .is_err()
    );
    assert!(
        removal
            .judge(Err(Refusal::new(libc::EEXIST, None)))
            .is_err()
    );
    let error = change
        .judge(Err(Refusal::new(libc::EPERM, None)))
        .unwrap_err();
    assert!(error.is_permission());
    assert!(
        !removal
            .judge(Err(Refusal::new(libc::ENODEV, None)))
            .unwrap_err()
            .is_permission()
    );
}

#[test]
fn truncation_and_strange_values_never_panic() {
    let mut wanted = KernelAddress::new(prefix("fd00::7", 64));
    wanted.peer = Some(prefix("fd00::8", 64));
    wanted.protocol = Some(18);
    let bytes = encode(&add(wanted));
    let payload = message(&bytes).payload;
    for length in 0..payload.len() {
        if let Ok(address) = Address::decode(&payload[..length]) {
            assert_eq!(address.unwrap().prefix, prefix("fd00::7", 64));
        }
    }
    let with = |position: usize, value: u8| {
        let mut payload = payload.to_vec();
        payload[position] = value;
        Address::decode(&payload)
    };
    assert_eq!(with(0, 45), Ok(None), "not an IP family");
    assert_eq!(
        with(0, 2),
        Err(Malformed::Size {
            kind: 2,
            have: 16,
            need: 4
        })
    );
    assert_eq!(
        with(1, 129),
        Err(Malformed::Value {
            what: "a prefix length",
            value: 129
        })
    );
    assert_eq!(
        with(4, 0),
        Err(Malformed::Value {
            what: "an interface index",
            value: 0
        })
    );
    assert!(
        Address::decode(&payload[..FIXED]).is_err(),
        "no address at all"
    );
}
