//! Any datagram on a port of BFD: accepted if, and only if, it keeps every rule; and what is accepted is all there.
//!
//! A body, not a test: the fuzz target and `crates/wire/tests/fuzz_corpus.rs` include it.

use evervip_wire::bfd::{ControlPacket, LENGTH};

/// One input: as it came, and as the head of a datagram that is as long as its length field says.
pub(crate) fn run(data: &[u8]) {
    judge(data, data.len());
    if let Some(field) = data.get(3) {
        judge(data, usize::from(*field));
    }
}

fn judge(bytes: &[u8], length: usize) {
    match ControlPacket::decode(bytes, length) {
        Ok(packet) => {
            assert!(keeps_every_rule(bytes, length));
            let encoded = packet.encode();
            assert_eq!(encoded[..3], bytes[..3]);
            assert_eq!(usize::from(bytes[3]), length);
            assert_eq!(encoded[4..], bytes[4..LENGTH]);
            assert_eq!(ControlPacket::decode(&encoded, LENGTH), Ok(packet));
        }
        Err(refusal) => {
            assert!(!keeps_every_rule(bytes, length), "{refusal}");
            assert!(refusal.to_string().contains(" wanted"));
        }
    }
}

/// RFC 5880 section 6.8.6 and keepalived's own rules, said in another way than the decoder does.
fn keeps_every_rule(bytes: &[u8], length: usize) -> bool {
    if bytes.len() < LENGTH || length < LENGTH {
        return false;
    }
    let zero = |at: usize| bytes[at..at + 4] == [0; 4];
    let is_down = bytes[1] < 0x80;
    [
        usize::from(bytes[3]) == length,
        (0x20..=0x28).contains(&bytes[0]),
        bytes[2] > 0,
        bytes[1] & 1 == 0,
        !zero(4),
        !zero(8) || is_down,
        bytes[1] & 0x30 != 0x30,
    ]
    .iter()
    .all(|kept| *kept)
}
