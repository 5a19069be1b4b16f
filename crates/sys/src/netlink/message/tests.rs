use super::*;

fn example() -> Vec<u8> {
    let mut buffer = Vec::new();
    for sequence in 1..=2 {
        let mut writer = Writer::new(
            &mut buffer,
            Request {
                kind: 16,
                flags: 0x605,
                sequence,
            },
        );
        writer.fixed(&[1, 2, 3, 4, 5, 6]);
        writer.attribute(1, &[9]);
        writer.text(3, "eth0");
        writer.nested(18, |inner| {
            inner.attribute(1, b"veth");
            inner.nested(2, |data| data.attribute(23, &7_u32.to_ne_bytes()));
        });
        writer.attribute(4, &1500_u32.to_ne_bytes());
        assert_eq!(writer.finish().unwrap() % 4, 0);
    }
    buffer
}

#[test]
fn what_is_written_reads_back() {
    let bytes = example();
    let messages: Vec<_> = Messages::new(&bytes).map(Result::unwrap).collect();
    assert_eq!(
        messages
            .iter()
            .map(|m| (m.kind, m.flags, m.sequence, m.port_id))
            .collect::<Vec<_>>(),
        [(16, 0x605, 1, 0), (16, 0x605, 2, 0)]
    );
    for message in messages {
        assert_eq!(
            &message.payload[..8],
            [1, 2, 3, 4, 5, 6, 0, 0],
            "the fixed part is padded"
        );
        let attributes: Vec<_> = Attributes::new(&message.payload[8..])
            .map(Result::unwrap)
            .collect();
        assert_eq!(
            attributes.iter().map(|a| a.kind).collect::<Vec<_>>(),
            [1, 3, 18, 4],
            "flag bits are masked"
        );
        assert_eq!(attributes[0].u8(), Ok(9));
        assert_eq!(
            attributes[0].u32(),
            Err(Malformed::Size {
                kind: 1,
                have: 1,
                need: 4
            })
        );
        assert_eq!(attributes[1].value, b"eth0\0");
        assert_eq!(attributes[1].text(), Ok("eth0"));
        assert_eq!(attributes[3].u32(), Ok(1500));
        let info: Vec<_> = attributes[2].nested().map(Result::unwrap).collect();
        assert_eq!(
            info[0].text(),
            Ok("veth"),
            "a text without NUL is a text too"
        );
        assert_eq!(info[1].nested().next().unwrap().unwrap().u32(), Ok(7));
    }
}

/// Reads everything there is, down to the last nested attribute.
fn read_all(bytes: &[u8]) -> (usize, usize) {
    fn attributes(list: Attributes<'_>, depth: u32) -> (usize, usize) {
        let (mut good, mut bad) = (0, 0);
        for attribute in list {
            match attribute {
                Ok(attribute) => {
                    good += 1;
                    let of_text_and_number = (attribute.text().is_ok(), attribute.u32().is_ok());
                    assert!(of_text_and_number != (false, true) || attribute.value.len() == 4);
                    if depth > 0 {
                        let inner = attributes(attribute.nested(), depth - 1);
                        good += inner.0;
                    }
                }
                Err(_malformed) => bad += 1,
            }
        }
        (good, bad)
    }
    let (mut good, mut bad) = (0, 0);
    for message in Messages::new(bytes) {
        match message {
            Ok(message) => {
                let inner = attributes(Attributes::new(message.payload.get(8..).unwrap_or(&[])), 3);
                good += inner.0;
                bad += inner.1;
            }
            Err(_malformed) => bad += 1,
        }
    }
    (good, bad)
}

#[test]
fn truncation_at_every_length_is_an_error_or_a_shorter_list() {
    let bytes = example();
    let whole = read_all(&bytes);
    assert_eq!(whole.1, 0);
    let first = bytes.len() / 2;
    for length in 0..bytes.len() {
        let (good, bad) = read_all(&bytes[..length]);
        assert!(good < whole.0, "{length}");
        assert_eq!(bad, usize::from(length != 0 && length != first), "{length}");
    }
}

#[test]
fn no_single_wrong_byte_panics_or_loops() {
    let bytes = example();
    for position in 0..bytes.len() {
        for value in [0, 1, 3, 4, 15, 16, 17, 0x7f, 0x80, 0xff] {
            let mut bytes = bytes.clone();
            bytes[position] = value;
            let (good, bad) = read_all(&bytes);
            assert!(good + bad <= bytes.len(), "at most one item per byte");
        }
    }
}

#[test]
fn lengths_below_their_own_header_are_refused() {
    let mut bytes = example();
    bytes[..4].copy_from_slice(&8_u32.to_ne_bytes());
    let mut messages = Messages::new(&bytes);
    let have = bytes.len();
    assert_eq!(
        messages.next(),
        Some(Err(Malformed::Length {
            what: "a message",
            claimed: 8,
            have
        }))
    );
    assert_eq!(messages.next(), None, "nothing after an error");
    let attribute = [0, 0, 1, 0];
    assert_eq!(
        Attributes::new(&attribute).next(),
        Some(Err(Malformed::Length {
            what: "an attribute",
            claimed: 0,
            have: 4
        }))
    );
}

#[test]
fn an_attribute_that_does_not_fit_leaves_the_buffer_alone() {
    let mut buffer = vec![1, 2, 3, 4];
    let mut writer = Writer::new(
        &mut buffer,
        Request {
            kind: 1,
            flags: 2,
            sequence: 3,
        },
    );
    writer.attribute(1, &[0; 65_532]);
    writer.attribute(2, &[0; 4]);
    assert_eq!(writer.finish(), Err(TooLong));
    assert_eq!(buffer, [1, 2, 3, 4]);

    let mut writer = Writer::new(
        &mut buffer,
        Request {
            kind: 1,
            flags: 2,
            sequence: 3,
        },
    );
    writer.nested(1, |inner| {
        inner.attribute(1, &[0; 40_000]);
        inner.attribute(1, &[0; 40_000]);
    });
    assert_eq!(writer.finish(), Err(TooLong));
    assert_eq!(buffer, [1, 2, 3, 4]);
}
