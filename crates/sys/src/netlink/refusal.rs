//! What the kernel answers to a request, and why it refuses.

use std::fmt;
use std::io;

use super::message::{self, Attributes, Malformed, Message};
use super::numbers;

/// Why the kernel refused a request.
#[derive(Debug)]
pub struct Refusal {
    reason: Reason,
    detail: Option<String>,
    errno: io::Error,
}

/// The kinds of refusal that a caller may want to tell apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// A capability is missing (EPERM, EACCES).
    Permission,
    /// There is no such interface (ENODEV, ENXIO).
    NoInterface,
    /// It is there already (EEXIST).
    Exists,
    /// It is not there (EADDRNOTAVAIL, ENOENT, ESRCH).
    Missing,
    /// It makes no sense to the kernel (EINVAL, ERANGE, EADDRNOTAVAIL has its own).
    Invalid,
    /// Something else uses it (EBUSY, EADDRINUSE).
    InUse,
    /// The kernel does not have it, or it is switched off (EOPNOTSUPP, EAFNOSUPPORT).
    Unsupported,
    /// Out of memory or of some quota (ENOMEM, ENOBUFS, ENOSPC).
    Exhausted,
    /// Anything else.
    Other,
}

impl Refusal {
    /// From an errno, as a positive number, and the kernel's own explanation if it gave one.
    pub(super) fn new(errno: i32, detail: Option<String>) -> Self {
        let reason = match errno {
            libc::EPERM | libc::EACCES => Reason::Permission,
            libc::ENODEV | libc::ENXIO => Reason::NoInterface,
            libc::EEXIST => Reason::Exists,
            libc::EADDRNOTAVAIL | libc::ENOENT | libc::ESRCH => Reason::Missing,
            libc::EINVAL | libc::ERANGE => Reason::Invalid,
            libc::EBUSY | libc::EADDRINUSE => Reason::InUse,
            libc::EOPNOTSUPP | libc::EAFNOSUPPORT => Reason::Unsupported,
            libc::ENOMEM | libc::ENOBUFS | libc::ENOSPC => Reason::Exhausted,
            _ => Reason::Other,
        };
        Self {
            reason,
            detail,
            errno: io::Error::from_raw_os_error(errno),
        }
    }

    /// The kind of refusal.
    pub const fn reason(&self) -> Reason {
        self.reason
    }

    /// The kernel's explanation in its own words, where it gave one.
    pub fn detail(&self) -> Option<&str> {
        self.detail.as_deref()
    }

    /// The error number, positive.
    pub(crate) fn number(&self) -> i32 {
        self.errno.raw_os_error().unwrap_or(0)
    }

    /// The error number, for those who know what it means.
    pub(crate) const fn io(&self) -> &io::Error {
        &self.errno
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.errno)?;
        match &self.detail {
            Some(detail) => write!(f, ": {detail}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Refusal {}

/// Reads an `NLMSG_ERROR` message: done, or refused.
pub(crate) fn answer(message: &Message<'_>) -> Result<Result<(), Refusal>, Malformed> {
    let code = message::fixed::<4>(message.payload, "an error message")?;
    let code = i32::from_ne_bytes(*code);
    if code == 0 {
        return Ok(Ok(()));
    }
    Ok(Err(Refusal::new(code.saturating_neg(), detail(message))))
}

/// Reads the code at the end of a list: the kernel stopped early if it is not 0.
pub(crate) fn end_of_list(message: &Message<'_>) -> Result<(), Refusal> {
    match message
        .payload
        .first_chunk()
        .map(|code| i32::from_ne_bytes(*code))
    {
        None | Some(0) => Ok(()),
        Some(code) => Err(Refusal::new(code.saturating_neg(), None)),
    }
}

/// The explanation follows the request, of which the header alone is repeated if the message is capped.
fn detail(message: &Message<'_>) -> Option<String> {
    const CODE: usize = 4;
    const HEADER: usize = 16;
    if message.flags & numbers::ACK_ATTRIBUTES == 0 {
        return None;
    }
    let request = message.payload.get(CODE..)?;
    let repeated = if message.flags & numbers::CAPPED != 0 {
        HEADER
    } else {
        usize::try_from(u32::from_ne_bytes(*request.first_chunk()?)).ok()?
    };
    Attributes::new(message::after(request, repeated))
        .map_while(Result::ok)
        .find(|attribute| attribute.kind == numbers::EXPLANATION)
        .and_then(|attribute| attribute.text().ok())
        .map(ToOwned::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As the kernel of Linux 6 answers a request to add an address that exists.
    fn error(
        flags: u16,
        code: i32,
        request_length: u32,
        body: usize,
        text: &str,
    ) -> (u16, Vec<u8>) {
        let mut payload = code.to_ne_bytes().to_vec();
        payload.extend(request_length.to_ne_bytes());
        payload.resize(payload.len() + 12 + body, 0xee);
        let length = u16::try_from(4 + text.len() + 1).unwrap();
        payload.extend(length.to_ne_bytes());
        payload.extend(1_u16.to_ne_bytes());
        payload.extend(text.as_bytes());
        payload.push(0);
        (flags, payload)
    }

    fn read((flags, payload): &(u16, Vec<u8>)) -> Result<Result<(), Refusal>, Malformed> {
        answer(&Message {
            kind: numbers::ERROR,
            flags: *flags,
            sequence: 1,
            port_id: 1,
            payload,
        })
    }

    #[test]
    fn code_and_explanation() {
        let text = "ipv4: Address already assigned";
        for message in [
            error(0x300, -libc::EEXIST, 40, 0, text),
            error(0x200, -libc::EEXIST, 40, 24, text),
        ] {
            let refusal = read(&message).unwrap().unwrap_err();
            assert_eq!(refusal.reason(), Reason::Exists);
            assert_eq!(refusal.detail(), Some(text));
            assert_eq!(
                refusal.to_string(),
                "File exists (os error 17): ipv4: Address already assigned"
            );
        }
        let refusal = read(&error(0, -libc::ENODEV, 40, 24, text))
            .unwrap()
            .unwrap_err();
        assert_eq!(
            (refusal.reason(), refusal.detail()),
            (Reason::NoInterface, None)
        );
        assert!(read(&error(0x100, 0, 40, 0, "")).unwrap().is_ok());
    }

    #[test]
    fn truncation_and_strange_codes_are_harmless() {
        let (flags, payload) = error(0x200, i32::MIN, u32::MAX, 24, "text");
        for length in 0..=payload.len() {
            let answer = read(&(flags, payload[..length].to_vec()));
            assert_eq!(answer.is_err(), length < 4);
        }
    }
}
