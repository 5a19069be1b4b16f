//! The format of netlink messages: a header, a fixed part, then attributes that may nest (RFC 3549 2.3).
//!
//! Everything is in the machine's byte order and aligned to four bytes. Reading does not allocate;
//! attributes that a caller does not know are simply not asked for. Input of any length and content gives
//! an error at worst.

use core::fmt;

/// Bytes in the header of a message: `struct nlmsghdr`.
const HEADER: usize = 16;

/// Bytes in the header of an attribute: `struct nlattr`.
const ATTRIBUTE_HEADER: usize = 4;

/// The two upper bits of an attribute's type are flags: nested, network byte order.
const KIND_MASK: u16 = 0x3fff;

/// The flag that says that the value is itself a list of attributes.
const NESTED: u16 = 0x8000;

/// Everything starts at a multiple of this.
const ALIGNMENT: usize = 4;

/// What is wrong with a message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Malformed {
    /// Shorter than the fixed part of what it claims to be.
    #[error("{what} needs {need} bytes, there are {have}")]
    Short {
        /// Header, message or attribute.
        what: &'static str,
        /// Bytes that there are.
        have: usize,
        /// Bytes that it takes.
        need: usize,
    },
    /// A length field that points beyond the end or into the header.
    #[error("{what} claims {claimed} bytes of {have}")]
    Length {
        /// Message or attribute.
        what: &'static str,
        /// The value of the field.
        claimed: usize,
        /// Bytes that there are.
        have: usize,
    },
    /// An attribute whose value has not the size of its type.
    #[error("attribute {kind} has {have} bytes, not {need}")]
    Size {
        /// The attribute's number.
        kind: u16,
        /// Bytes that there are.
        have: usize,
        /// Bytes that the type has.
        need: usize,
    },
    /// A value outside of the range of its type.
    #[error("{what} has the impossible value {value}")]
    Value {
        /// Which one.
        what: &'static str,
        /// The value.
        value: u32,
    },
    /// A text that is not one, such as an interface name in no known encoding.
    #[error("attribute {kind} is not a valid name")]
    Text {
        /// The attribute's number.
        kind: u16,
    },
    /// Something that must be there is not.
    #[error("{what} is missing")]
    Missing {
        /// Which one.
        what: &'static str,
    },
    /// A datagram that did not fit the buffer.
    #[error("a message is longer than {size} bytes")]
    Truncated {
        /// Size of the buffer.
        size: usize,
    },
}

/// One message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Message<'a> {
    /// What it is: `RTM_NEWLINK`, ...
    pub kind: u16,
    /// `NLM_F_...`.
    pub flags: u16,
    /// The number that the request had; 0 in most notifications.
    pub sequence: u32,
    /// The netlink port of the socket that asked for it, or that caused a notification; 0: the kernel.
    pub port_id: u32,
    /// What follows the header.
    pub payload: &'a [u8],
}

/// Goes through the messages in a datagram. After an error there is nothing more.
#[derive(Clone, Debug)]
pub struct Messages<'a> {
    rest: &'a [u8],
}

impl<'a> Messages<'a> {
    /// The messages in `datagram`.
    pub const fn new(datagram: &'a [u8]) -> Self {
        Self { rest: datagram }
    }

    fn take(&mut self) -> Result<Message<'a>, Malformed> {
        let bytes = core::mem::take(&mut self.rest);
        let [
            l0,
            l1,
            l2,
            l3,
            k0,
            k1,
            f0,
            f1,
            s0,
            s1,
            s2,
            s3,
            p0,
            p1,
            p2,
            p3,
        ] = *fixed::<HEADER>(bytes, "a header")?;
        let claimed = usize::try_from(u32::from_ne_bytes([l0, l1, l2, l3])).unwrap_or(usize::MAX);
        let payload = bytes.get(HEADER..claimed).ok_or(Malformed::Length {
            what: "a message",
            claimed,
            have: bytes.len(),
        })?;
        self.rest = after(bytes, claimed);
        Ok(Message {
            kind: u16::from_ne_bytes([k0, k1]),
            flags: u16::from_ne_bytes([f0, f1]),
            sequence: u32::from_ne_bytes([s0, s1, s2, s3]),
            port_id: u32::from_ne_bytes([p0, p1, p2, p3]),
            payload,
        })
    }
}

impl<'a> Iterator for Messages<'a> {
    type Item = Result<Message<'a>, Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            None
        } else {
            Some(self.take())
        }
    }
}

/// One attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attribute<'a> {
    /// Its number, without the flag bits.
    pub kind: u16,
    /// Its value.
    pub value: &'a [u8],
}

impl<'a> Attribute<'a> {
    /// The value as a number of one byte.
    ///
    /// # Errors
    /// When it has another size.
    pub fn u8(self) -> Result<u8, Malformed> {
        self.bytes::<1>().map(|[value]| value)
    }

    /// The value as a number of four bytes in the machine's order.
    ///
    /// # Errors
    /// When it has another size.
    pub fn u32(self) -> Result<u32, Malformed> {
        self.bytes().map(u32::from_ne_bytes)
    }

    /// The value as exactly `N` bytes.
    ///
    /// # Errors
    /// When it has another size.
    pub fn bytes<const N: usize>(self) -> Result<[u8; N], Malformed> {
        self.value.try_into().map_err(|_size| Malformed::Size {
            kind: self.kind,
            have: self.value.len(),
            need: N,
        })
    }

    /// The value as text, up to its first NUL.
    ///
    /// # Errors
    /// When it is not UTF-8.
    pub fn text(self) -> Result<&'a str, Malformed> {
        let text = self.value.split(|byte| *byte == 0).next().unwrap_or(&[]);
        core::str::from_utf8(text).map_err(|_not_utf8| Malformed::Text { kind: self.kind })
    }

    /// The value as a list of attributes.
    pub const fn nested(self) -> Attributes<'a> {
        Attributes::new(self.value)
    }
}

/// Goes through a list of attributes. After an error there is nothing more.
#[derive(Clone, Debug)]
pub struct Attributes<'a> {
    rest: &'a [u8],
}

impl<'a> Attributes<'a> {
    /// The attributes in `bytes`.
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    fn take(&mut self) -> Result<Attribute<'a>, Malformed> {
        let bytes = core::mem::take(&mut self.rest);
        let [l0, l1, k0, k1] = *fixed::<ATTRIBUTE_HEADER>(bytes, "an attribute")?;
        let claimed = usize::from(u16::from_ne_bytes([l0, l1]));
        let value = bytes
            .get(ATTRIBUTE_HEADER..claimed)
            .ok_or(Malformed::Length {
                what: "an attribute",
                claimed,
                have: bytes.len(),
            })?;
        self.rest = after(bytes, claimed);
        Ok(Attribute {
            kind: u16::from_ne_bytes([k0, k1]) & KIND_MASK,
            value,
        })
    }
}

impl<'a> Iterator for Attributes<'a> {
    type Item = Result<Attribute<'a>, Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            None
        } else {
            Some(self.take())
        }
    }
}

/// The first `N` bytes of `bytes`, which hold `what`.
pub(super) fn fixed<'a, const N: usize>(
    bytes: &'a [u8],
    what: &'static str,
) -> Result<&'a [u8; N], Malformed> {
    bytes.first_chunk().ok_or(Malformed::Short {
        what,
        have: bytes.len(),
        need: N,
    })
}

/// What follows the first `length` bytes and their padding; the last padding may be missing.
pub(super) fn after(bytes: &[u8], length: usize) -> &[u8] {
    bytes
        .get(length.next_multiple_of(ALIGNMENT)..)
        .unwrap_or(&[])
}

/// The header of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request {
    /// What is wanted: `RTM_NEWADDR`, ...
    pub kind: u16,
    /// `NLM_F_...`.
    pub flags: u16,
    /// The number that the answer will have.
    pub sequence: u32,
}

/// Appends one message to a buffer, which may hold others already.
///
/// ```
/// use evervip_sys::netlink::message::{Messages, Request, Writer};
///
/// let mut buffer = Vec::new();
/// let mut writer = Writer::new(&mut buffer, Request { kind: 20, flags: 5, sequence: 7 });
/// writer.fixed(&[2, 24, 0, 0]);
/// writer.attribute(3, b"eth0\0");
/// writer.finish().unwrap();
/// let message = Messages::new(&buffer).next().unwrap().unwrap();
/// assert_eq!((message.kind, message.sequence), (20, 7));
/// ```
#[must_use = "a message is complete only after finish()"]
pub struct Writer<'b> {
    buffer: &'b mut Vec<u8>,
    start: usize,
    too_long: bool,
}

impl<'b> Writer<'b> {
    /// Begins a message.
    pub fn new(buffer: &'b mut Vec<u8>, request: Request) -> Self {
        let start = buffer.len();
        buffer.extend([0; 4]);
        buffer.extend(request.kind.to_ne_bytes());
        buffer.extend(request.flags.to_ne_bytes());
        buffer.extend(request.sequence.to_ne_bytes());
        // Port 0: the kernel fills in ours.
        buffer.extend([0; 4]);
        Self {
            buffer,
            start,
            too_long: false,
        }
    }

    /// Appends the part that has a fixed layout, and pads it.
    pub fn fixed(&mut self, bytes: &[u8]) {
        self.buffer.extend(bytes);
        self.pad();
    }

    /// Appends an attribute.
    pub fn attribute(&mut self, kind: u16, value: &[u8]) {
        self.parts(kind, [value, &[]]);
    }

    /// Appends a text with its closing NUL.
    pub fn text(&mut self, kind: u16, text: &str) {
        self.parts(kind, [text.as_bytes(), &[0]]);
    }

    /// Appends an attribute that holds the attributes, and whatever else, that `inner` writes.
    pub fn nested(&mut self, kind: u16, inner: impl FnOnce(&mut Self)) {
        let start = self.buffer.len();
        self.attribute(kind | NESTED, &[]);
        inner(self);
        self.patch_attribute(start, self.buffer.len() - start);
    }

    /// Appends a structure that begins with its own length in two bytes, and the attributes, and whatever else, that `inner`
    /// writes: the elements of `RTA_MULTIPATH` look like this. `header` has room for the length.
    pub fn record(&mut self, header: &[u8], inner: impl FnOnce(&mut Self)) {
        let start = self.buffer.len();
        self.fixed(header);
        inner(self);
        self.patch_attribute(start, self.buffer.len() - start);
    }

    /// Completes the message; tells its length in bytes.
    ///
    /// # Errors
    /// When an attribute has more than 65531 bytes. The buffer is then as it was before the message.
    pub fn finish(self) -> Result<usize, TooLong> {
        let length = self.buffer.len() - self.start;
        let field = u32::try_from(length).ok().filter(|_| !self.too_long);
        let Some(field) = field else {
            self.buffer.truncate(self.start);
            return Err(TooLong);
        };
        overwrite(self.buffer, self.start, &field.to_ne_bytes());
        Ok(length)
    }

    fn parts(&mut self, kind: u16, [first, second]: [&[u8]; 2]) {
        match u16::try_from(ATTRIBUTE_HEADER + first.len() + second.len()) {
            Ok(length) => {
                self.buffer.extend(length.to_ne_bytes());
                self.buffer.extend(kind.to_ne_bytes());
                self.buffer.extend(first);
                self.buffer.extend(second);
                self.pad();
            }
            Err(_too_long) => self.too_long = true,
        }
    }

    fn patch_attribute(&mut self, start: usize, length: usize) {
        match u16::try_from(length) {
            Ok(length) => overwrite(self.buffer, start, &length.to_ne_bytes()),
            Err(_too_long) => self.too_long = true,
        }
    }

    fn pad(&mut self) {
        let end = self.start + (self.buffer.len() - self.start).next_multiple_of(ALIGNMENT);
        self.buffer.resize(end, 0);
    }
}

fn overwrite(buffer: &mut [u8], start: usize, bytes: &[u8]) {
    for (to, from) in buffer.iter_mut().skip(start).zip(bytes) {
        *to = *from;
    }
}

/// An attribute does not fit its length field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooLong;

impl fmt::Display for TooLong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an attribute of a netlink request is longer than 65531 bytes")
    }
}

impl core::error::Error for TooLong {}

#[cfg(test)]
mod tests;
