//! How many commands that change the kernel's IPVS table pass between programs and kernel: read off a netlink monitor
//! (`nlmon`), so that the programs need not tell and cannot err.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use lab::{Capture, Frame, Host};

/// The monitor interface.
const MONITOR: &str = "nlmon0";

/// Until an answer of the kernel has passed.
const SOON: Duration = Duration::from_secs(10);

/// The family that resolves the names of others; include/uapi/linux/genetlink.h.
const CONTROL: u16 = 16;
/// Attributes of its answer, and its command.
const NEW_FAMILY: u8 = 1;
const FAMILY_ID: u16 = 1;
const FAMILY_NAME: u16 = 2;
/// Message flag of what is asked, not answered; include/uapi/linux/netlink.h.
const REQUEST: u16 = 1;

/// Commands of the family IPVS that change the table: new, set and delete of services and destinations, zero, flush;
/// include/uapi/linux/ip_vs.h.
const CHANGES: [u8; 8] = [1, 2, 3, 5, 6, 7, 16, 17];

/// A capture of a host's netlink messages.
pub(super) struct Changes<'h> {
    host: &'h Host,
    capture: Capture,
    family: u16,
}

impl<'h> Changes<'h> {
    /// Counts from now on.
    pub(super) fn start(host: &'h Host) -> Result<Self> {
        host.call(&format!("ip link add {MONITOR} type nlmon"))?;
        host.link_up(MONITOR)?;
        let capture = host.capture(MONITOR)?;
        // It resolves the family, and we listen.
        host.call("ipvsadm -Ln -t 192.0.2.1:9").unwrap_or_default();
        let answer = capture.wait_for("the kernel's number of IPVS", SOON, |frame| {
            family(frame).is_some()
        })?;
        let family = family(&answer).context("it was seen")?;
        Ok(Self {
            host,
            capture,
            family,
        })
    }

    /// How many there were.
    pub(super) fn count(self) -> Result<f64> {
        ensure!(
            self.capture.lost() == 0,
            "the capture has lost {} messages",
            self.capture.lost()
        );
        let mut count = 0_u32;
        for frame in self.capture.frames() {
            for message in messages(&frame.bytes) {
                if message.kind == self.family
                    && message.flags & REQUEST != 0
                    && message
                        .body
                        .first()
                        .is_some_and(|command| CHANGES.contains(command))
                {
                    count += 1;
                }
            }
        }
        self.host.delete_link(MONITOR)?;
        Ok(f64::from(count))
    }
}

/// The number of the family IPVS, if this is the kernel's answer that tells it.
fn family(frame: &Frame) -> Option<u16> {
    messages(&frame.bytes)
        .into_iter()
        .filter(|message| message.kind == CONTROL && message.body.first() == Some(&NEW_FAMILY))
        .find_map(|message| {
            let attributes = attributes(message.body.get(4..)?);
            let value = |wanted: u16| {
                let found = attributes.iter().find(|(kind, _)| *kind == wanted);
                found.map(|(_, value)| *value)
            };
            if value(FAMILY_NAME)? != b"IPVS\0" {
                return None;
            }
            Some(u16::from_ne_bytes(value(FAMILY_ID)?.try_into().ok()?))
        })
}

/// One netlink message.
struct Message<'b> {
    kind: u16,
    flags: u16,
    /// What follows its header.
    body: &'b [u8],
}

/// The messages of a frame. What does not look like one ends them.
fn messages(mut bytes: &[u8]) -> Vec<Message<'_>> {
    let mut found = Vec::new();
    while let Some(header) = bytes.first_chunk::<16>() {
        let [a, b, c, d, e, f, g, h, ..] = *header;
        let length = usize::try_from(u32::from_ne_bytes([a, b, c, d])).unwrap_or(usize::MAX);
        let Some(body) = bytes.get(16..length.min(bytes.len())) else {
            break;
        };
        found.push(Message {
            kind: u16::from_ne_bytes([e, f]),
            flags: u16::from_ne_bytes([g, h]),
            body,
        });
        let next = length.checked_next_multiple_of(4).unwrap_or(usize::MAX);
        bytes = bytes.get(next..).unwrap_or_default();
    }
    found
}

/// Its attributes: type and value.
fn attributes(mut bytes: &[u8]) -> Vec<(u16, &[u8])> {
    let mut found = Vec::new();
    while let Some(&[a, b, c, d]) = bytes.first_chunk::<4>() {
        let length = usize::from(u16::from_ne_bytes([a, b]));
        let Some(value) = bytes.get(4..length) else {
            break;
        };
        found.push((u16::from_ne_bytes([c, d]), value));
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A message with this type, flags and body.
    fn message(kind: u16, flags: u16, body: &[u8]) -> Vec<u8> {
        let length = u32::try_from(16 + body.len()).unwrap();
        let mut bytes = length.to_ne_bytes().to_vec();
        bytes.extend(kind.to_ne_bytes());
        bytes.extend(flags.to_ne_bytes());
        bytes.extend([0; 8]);
        bytes.extend(body);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes
    }

    #[test]
    fn several_messages_of_one_frame_are_told_apart() {
        let mut bytes = message(30, 5, &[5, 1, 0, 0, 9]);
        bytes.extend(message(30, 5, &[7, 1, 0, 0]));
        let found = messages(&bytes);
        let commands: Vec<_> = found.iter().map(|found| found.body.first()).collect();
        assert_eq!(commands, [Some(&5), Some(&7)]);
        assert!(
            found
                .iter()
                .all(|found| found.kind == 30 && found.flags == 5)
        );
    }

    #[test]
    fn garbage_ends_and_does_not_panic() {
        assert!(messages(&[0; 15]).is_empty());
        assert!(messages(&[0; 64]).is_empty());
        assert_eq!(messages(&[0xff; 64]).len(), 1);
        assert!(attributes(&[2, 0, 1, 0, 7]).is_empty());
        assert_eq!(attributes(&[5, 0, 1, 0, 7]), [(1, [7].as_slice())]);
    }
}
