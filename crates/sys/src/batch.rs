//! Many datagrams per system call: `recvmmsg` into buffers that are allocated once.
//!
//! The netlink sockets and the advert receivers all read through this. The control messages that come
//! and go with a datagram are read and written here as plain bytes, so that only the one call is unsafe.

use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::ptr;

/// The most datagrams that one call takes: the headers for them live on the stack (5 KiB).
pub(crate) const MAX_SLOTS: usize = 64;

/// Room for a sender's address: `sockaddr_in6` is the largest of those we meet, 28 bytes.
const NAME_LENGTH: u32 = 28;

/// Room for what the kernel says about a datagram: packet info and hop limit of IPv6 take 64 bytes.
const CONTROL_LENGTH: usize = 128;

/// Whether a call may wait for the first datagram. It never waits for a second one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wait {
    /// At most for the socket's receive timeout.
    ForOne,
    /// Not at all.
    No,
}

/// Buffers for a fixed number of datagrams.
pub(crate) struct Batch {
    slots: usize,
    size: usize,
    data: Vec<u8>,
    control: Vec<u8>,
    names: Vec<u8>,
    received: Vec<Lengths>,
}

/// What the kernel wrote into one slot, or would have if there had been room.
#[derive(Clone, Copy)]
struct Lengths {
    data: usize,
    control: usize,
    name: usize,
    truncated: bool,
}

/// One datagram with what the kernel says about it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Datagram<'a> {
    /// The sender's address as the kernel laid it out; empty when the socket has none.
    pub(crate) name: &'a [u8],
    /// The control messages, for [`control_messages`].
    pub(crate) control: &'a [u8],
    /// The content.
    pub(crate) data: &'a [u8],
    /// The content was longer than the buffer: the rest is lost.
    pub(crate) truncated: bool,
    /// How long the content was before it was truncated.
    pub(crate) length: usize,
}

/// What receiving datagrams, some at a time, has come to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[must_use]
pub struct ReceiveSummary {
    /// Packets that were handed over.
    pub delivered: u32,
    /// Packets without an interface, a source or a destination: there is nothing to be done with them.
    pub dropped: u32,
    /// More may be waiting; the descriptor stays readable if so.
    pub more: bool,
}

impl Batch {
    /// Buffers for `slots` datagrams (at most [`MAX_SLOTS`]) of `size` bytes each.
    ///
    /// The memory is the kernel's zero page until a datagram is written to it.
    pub(crate) fn new(slots: usize, size: usize) -> Self {
        let slots = slots.clamp(1, MAX_SLOTS);
        Self {
            slots,
            size,
            data: vec![0; slots * size],
            control: vec![0; slots * CONTROL_LENGTH],
            names: vec![0; slots * NAME_LENGTH as usize],
            received: Vec::with_capacity(slots),
        }
    }

    /// Fills the buffers with what is waiting; the former content is gone. Tells how many datagrams came;
    /// fewer than there are slots means that nothing else was waiting.
    ///
    /// # Errors
    /// As `recvmmsg`; `WouldBlock` when nothing came.
    pub(crate) fn receive(&mut self, socket: &impl AsFd, wait: Wait) -> io::Result<usize> {
        self.received.clear();
        // SAFETY: both are plain C structures of integers and pointers, for which zero (null) is a value.
        let (mut headers, mut vectors) = unsafe {
            (
                std::mem::zeroed::<[libc::mmsghdr; MAX_SLOTS]>(),
                std::mem::zeroed::<[libc::iovec; MAX_SLOTS]>(),
            )
        };
        let data = self.data.chunks_exact_mut(self.size);
        let control = self.control.chunks_exact_mut(CONTROL_LENGTH);
        let names = self.names.chunks_exact_mut(NAME_LENGTH as usize);
        let buffers = data.zip(control).zip(names).take(self.slots);
        let mut prepared = 0;
        for ((header, vector), ((data, control), name)) in
            headers.iter_mut().zip(&mut vectors).zip(buffers)
        {
            vector.iov_base = data.as_mut_ptr().cast();
            vector.iov_len = data.len();
            let header = &mut header.msg_hdr;
            header.msg_iov = vector;
            header.msg_iovlen = 1;
            header.msg_control = control.as_mut_ptr().cast();
            header.msg_controllen = control.len();
            header.msg_name = name.as_mut_ptr().cast();
            header.msg_namelen = NAME_LENGTH;
            prepared += 1;
        }
        let flags = match wait {
            Wait::ForOne => libc::MSG_WAITFORONE,
            Wait::No => libc::MSG_DONTWAIT,
        };
        // Of what is truncated the kernel is to tell the whole length.
        let flags = flags | libc::MSG_TRUNC;
        let count = loop {
            // SAFETY: the first `prepared` headers point to buffers of this struct and to `vectors`, all of
            // which live through the call and are borrowed by nobody else; their lengths are those of the
            // buffers, and the kernel writes no further. Each was counted as it was made.
            let count = unsafe {
                libc::recvmmsg(
                    socket.as_fd().as_raw_fd(),
                    headers.as_mut_ptr(),
                    prepared,
                    flags,
                    ptr::null_mut(),
                )
            };
            match usize::try_from(count) {
                Ok(count) => break count,
                Err(_negative) => {
                    let error = io::Error::last_os_error();
                    if error.kind() != io::ErrorKind::Interrupted {
                        return Err(error);
                    }
                }
            }
        };
        self.received.extend(
            headers
                .iter()
                .take(count.min(self.slots))
                .map(|header| Lengths {
                    data: usize::try_from(header.msg_len).unwrap_or(0),
                    control: header.msg_hdr.msg_controllen,
                    name: usize::try_from(header.msg_hdr.msg_namelen).unwrap_or(0),
                    truncated: header.msg_hdr.msg_flags & libc::MSG_TRUNC != 0,
                }),
        );
        Ok(self.received.len())
    }

    /// Hands over what is waiting, oldest first, but fills the buffers so many times at most, so that everything else gets its
    /// turn. `handle` tells whether it could do anything with a datagram.
    ///
    /// # Errors
    /// As `recvmmsg`; that nothing is waiting is no error. What was received before has been handed over.
    pub(crate) fn receive_some(
        &mut self,
        socket: &impl AsFd,
        times: u32,
        mut handle: impl FnMut(&Datagram<'_>) -> bool,
    ) -> io::Result<ReceiveSummary> {
        let mut summary = ReceiveSummary::default();
        for _batch in 0..times {
            let received = match self.receive(socket, Wait::No) {
                Ok(received) => received,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(summary),
                Err(error) => return Err(error),
            };
            for datagram in self.datagrams() {
                if handle(&datagram) {
                    summary.delivered += 1;
                } else {
                    summary.dropped += 1;
                }
            }
            if received < self.slots {
                return Ok(summary);
            }
        }
        summary.more = true;
        Ok(summary)
    }

    /// What the last call received, in order.
    pub(crate) fn datagrams(&self) -> impl Iterator<Item = Datagram<'_>> {
        let data = self.data.chunks_exact(self.size);
        let control = self.control.chunks_exact(CONTROL_LENGTH);
        let names = self.names.chunks_exact(NAME_LENGTH as usize);
        self.received.iter().zip(data).zip(control).zip(names).map(
            |(((lengths, data), control), name)| Datagram {
                name: first(name, lengths.name),
                control: first(control, lengths.control),
                data: first(data, lengths.data),
                truncated: lengths.truncated,
                length: lengths.data,
            },
        )
    }
}

/// The first `length` bytes, or all of them: the kernel reports the length that an address or a content would have had.
fn first(bytes: &[u8], length: usize) -> &[u8] {
    bytes.get(..length).unwrap_or(bytes)
}

/// Bytes of a `struct cmsghdr` before its data: a length of machine size, a level, a type.
const CONTROL_HEADER: usize = size_of::<usize>() + 8;

/// One control message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ControlMessage<'a> {
    /// `IPPROTO_IP`, `IPPROTO_IPV6`, ...
    pub(crate) level: i32,
    /// What it is, within the level.
    pub(crate) kind: i32,
    /// Its value.
    pub(crate) value: &'a [u8],
}

/// Goes through the control messages of a datagram; stops at the first that is not whole.
pub(crate) fn control_messages(mut rest: &[u8]) -> impl Iterator<Item = ControlMessage<'_>> {
    std::iter::from_fn(move || {
        let (length, header) = rest.split_first_chunk::<{ size_of::<usize>() }>()?;
        let (level, header) = header.split_first_chunk::<4>()?;
        let (kind, _) = header.split_first_chunk::<4>()?;
        let length = usize::from_ne_bytes(*length);
        let value = rest.get(CONTROL_HEADER..length)?;
        let message = ControlMessage {
            level: i32::from_ne_bytes(*level),
            kind: i32::from_ne_bytes(*kind),
            value,
        };
        rest = rest
            .get(length.next_multiple_of(size_of::<usize>())..)
            .unwrap_or(&[]);
        Some(message)
    })
}

/// Control messages to go with a datagram, built without allocation.
pub(crate) struct ControlWriter {
    bytes: [u8; CONTROL_LENGTH],
    length: usize,
}

impl ControlWriter {
    /// None yet.
    pub(crate) const fn new() -> Self {
        Self {
            bytes: [0; CONTROL_LENGTH],
            length: 0,
        }
    }

    /// Adds a control message. The few that we send fit; one that did not would be left out, and the
    /// kernel would then refuse the datagram or send it by its own choice of interface: so it is asserted.
    pub(crate) fn push(&mut self, message: ControlMessage<'_>) {
        let ControlMessage { level, kind, value } = message;
        let room = self.bytes.get_mut(self.length..).unwrap_or(&mut []);
        debug_assert!(
            CONTROL_HEADER + value.len() <= room.len(),
            "control message of {} bytes",
            value.len()
        );
        let length = (CONTROL_HEADER + value.len()).to_ne_bytes();
        let (level, kind) = (level.to_ne_bytes(), kind.to_ne_bytes());
        let parts = length.iter().chain(&level).chain(&kind).chain(value);
        for (to, from) in room.iter_mut().zip(parts) {
            *to = *from;
        }
        self.length += (CONTROL_HEADER + value.len()).next_multiple_of(size_of::<usize>());
    }

    /// The bytes for the kernel.
    pub(crate) fn bytes(&self) -> &[u8] {
        first(&self.bytes, self.length)
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixDatagram;

    use super::*;

    #[test]
    fn one_call_takes_what_is_waiting_and_marks_what_was_cut() {
        let (ours, theirs) = UnixDatagram::pair().unwrap();
        let mut batch = Batch::new(4, 8);
        assert_eq!(
            batch.receive(&ours, Wait::No).unwrap_err().kind(),
            io::ErrorKind::WouldBlock
        );
        for text in ["one", "three and more", "", "four", "five"] {
            theirs.send(text.as_bytes()).unwrap();
        }
        assert_eq!(batch.receive(&ours, Wait::ForOne).unwrap(), 4);
        let got: Vec<_> = batch
            .datagrams()
            .map(|d| (d.data.to_vec(), d.truncated, d.length))
            .collect();
        let expected: Vec<(Vec<u8>, bool, usize)> = vec![
            (b"one".into(), false, 3),
            (b"three an".into(), true, 14),
            (b"".into(), false, 0),
            (b"four".into(), false, 4),
        ];
        assert_eq!(got, expected);
        assert_eq!(batch.receive(&ours, Wait::ForOne).unwrap(), 1);
        assert_eq!(batch.datagrams().count(), 1, "the former content is gone");
    }

    #[test]
    fn control_messages_round_trip_and_truncation_is_harmless() {
        let messages = [
            ControlMessage {
                level: 0,
                kind: 8,
                value: &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12],
            },
            ControlMessage {
                level: 41,
                kind: 52,
                value: &[64, 0, 0, 0],
            },
        ];
        let mut writer = ControlWriter::new();
        for message in messages {
            writer.push(message);
        }
        assert_eq!(
            control_messages(writer.bytes()).collect::<Vec<_>>(),
            messages
        );
        for length in 0..writer.bytes().len() {
            assert!(control_messages(&writer.bytes()[..length]).count() <= 2);
        }
        let mut lies = writer.bytes().to_vec();
        lies[0] = 3;
        assert_eq!(
            control_messages(&lies).count(),
            0,
            "a length below that of the header ends the walk"
        );
    }
}
