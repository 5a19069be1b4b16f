use super::*;
use crate::netlink::message::{Message, Messages};

fn prefix(address: &str, length: u8) -> Option<Prefix> {
    Some(Prefix::new(address.parse().unwrap(), length).unwrap())
}

fn encode(change: &RuleChange) -> Vec<u8> {
    let mut buffer = Vec::new();
    change.encode(&mut buffer, 9).unwrap();
    buffer
}

fn message(bytes: &[u8]) -> Message<'_> {
    Messages::new(bytes).next().unwrap().unwrap()
}

/// With everything that a rule can have.
fn everything() -> KernelRule {
    let mut rule = KernelRule::new(Family::V4, 300, 1, 18);
    rule.invert = true;
    rule.from = prefix("192.0.2.0", 24);
    rule.to = prefix("198.18.0.0", 15);
    rule.tos = 0x10;
    rule.mark = Some((7, 0xff));
    rule.input = Some(IfName::new("eth0").unwrap());
    rule.output = Some(IfName::new("eth1").unwrap());
    rule.tunnel_id = Some(0x0102);
    rule.users = Some((1000, 2000));
    rule.ip_protocol = Some(6);
    rule.source_ports = Some((1024, 65534));
    rule.destination_ports = Some((80, 80));
    rule.table = 1000;
    rule.realms = Some(0x0003_0004);
    rule.suppress_prefix_length = Some(0);
    rule.suppress_group = Some(5);
    rule
}

#[test]
fn golden_bytes_of_a_whole_rule() {
    let rule = everything();
    let bytes = encode(&RuleChange::Add { rule });
    let golden: Vec<u8> = vec![
        180, 0, 0, 0, 32, 0, 0x05, 0x06, 9, 0, 0, 0, 0, 0, 0,
        0, // CREATE | EXCL | REQUEST | ACK
        2, 15, 24, 0x10, 0, 0, 0, 1, 2, 0, 0, 0, // fib_rule_hdr: inverted
        8, 0, 1, 0, 198, 18, 0, 0, // to
        8, 0, 2, 0, 192, 0, 2, 0, // from
        8, 0, 6, 0, 0x2c, 1, 0, 0, // preference 300
        8, 0, 10, 0, 7, 0, 0, 0, // mark
        8, 0, 16, 0, 0xff, 0, 0, 0, // mask
        9, 0, 3, 0, b'e', b't', b'h', b'0', 0, 0, 0, 0, // iif
        9, 0, 17, 0, b'e', b't', b'h', b'1', 0, 0, 0, 0, // oif
        12, 0, 12, 0, 0, 0, 0, 0, 0, 0, 1, 2, // tunnel, in network order
        12, 0, 20, 0, 0xe8, 3, 0, 0, 0xd0, 7, 0, 0, // users
        5, 0, 22, 0, 6, 0, 0, 0, // TCP
        8, 0, 23, 0, 0, 4, 0xfe, 0xff, // source ports
        8, 0, 24, 0, 80, 0, 80, 0, // destination ports
        5, 0, 21, 0, 18, 0, 0, 0, // protocol
        8, 0, 15, 0, 0xe8, 3, 0, 0, // table 1000
        8, 0, 11, 0, 4, 0, 3, 0, // realms
        8, 0, 14, 0, 0, 0, 0, 0, // default routes do not count
        8, 0, 13, 0, 5, 0, 0, 0, // nor interfaces of group 5
    ];
    if cfg!(target_endian = "little") {
        assert_eq!(bytes, golden);
    }
}

#[test]
fn a_request_reads_back_as_the_rule() {
    let mut v6 = KernelRule::new(Family::V6, 0, 2, 18);
    v6.from = prefix("2001:db8::", 32);
    v6.goto = Some(400);
    let mut vrf = KernelRule::new(Family::V4, 1000, 1, 99);
    vrf.l3mdev = true;
    for rule in [everything(), v6, vrf, KernelRule::new(Family::V6, 7, 6, 18)] {
        let bytes = encode(&RuleChange::Add { rule: rule.clone() });
        let read = KernelRule::decode(message(&bytes).payload);
        assert_eq!(read.unwrap().unwrap(), rule);
        let rule = rule.clone();
        let bytes = encode(&RuleChange::Remove { rule: rule.clone() });
        let message = message(&bytes);
        assert_eq!((message.kind, message.flags), (33, 0x5));
        assert_eq!(KernelRule::decode(message.payload).unwrap().unwrap(), rule);
    }
}

#[test]
fn what_the_kernel_adds_of_its_own_means_nothing() {
    let plain = KernelRule::new(Family::V4, 300, 1, 18);
    let mut told = plain.clone();
    told.suppress_prefix_length = Some(u32::MAX);
    told.suppress_group = Some(u32::MAX);
    (told.tunnel_id, told.ip_protocol, told.realms) = (Some(0), Some(0), Some(0));
    let bytes = encode(&RuleChange::Add { rule: told });
    assert_eq!(
        KernelRule::decode(message(&bytes).payload)
            .unwrap()
            .unwrap(),
        plain
    );
}

#[test]
fn what_is_as_it_should_be_is_no_error() {
    let refused = |errno| Err(Refusal::new(errno, None));
    let add = RuleChange::Add { rule: everything() };
    let remove = RuleChange::Remove { rule: everything() };
    assert_eq!(add.judge(refused(libc::EEXIST)).unwrap(), Changed::Already);
    assert_eq!(
        remove.judge(refused(libc::ENOENT)).unwrap(),
        Changed::Already
    );
    assert_eq!(
        remove.judge(refused(libc::EPERM)).unwrap_err().to_string(),
        "cannot remove the rule of preference 300: Operation not permitted (os error 1)"
    );
}

#[test]
fn truncation_never_panics() {
    let bytes = encode(&RuleChange::Add { rule: everything() });
    let payload = message(&bytes).payload;
    for length in 0..payload.len() {
        if let Ok(read) = KernelRule::decode(&payload[..length]) {
            assert!(read.unwrap().invert);
        }
    }
    assert_eq!(KernelRule::decode(&[0; 12]), Ok(None));
}
