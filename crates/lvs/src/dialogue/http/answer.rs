//! Reads an answer as keepalived does: a header of at most 4095 bytes that ends in an empty line, then a body until the
//! server closes. The body is not kept: it is counted, hashed and matched as it comes, so how it is cut does not matter.
//!
//! Chunked coding is not undone, and a header's name counts as it is spelled (keepalived: the same).

use md5::{Digest as _, Md5};

use super::super::pattern::BodyMatcher;

/// A header with its empty line may have as many bytes (keepalived: its buffer of 4096, but one byte).
pub const MOST_HEADER: usize = 4095;
/// Longer status lines are cut where they are shown.
const MOST_LINE: usize = 80;

/// What is known from the header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// The status code; `None`: the status line has no three digits and a blank behind its first blank. keepalived takes that
    /// for status 0, which nobody can want.
    pub status: Option<u16>,
    /// The status line; long ones are cut, and what cannot be printed is escaped.
    pub line: Box<str>,
    /// The number behind the first `Content-Length:`. A number that is none, or above 64 bits, does not count.
    pub length: Option<u64>,
}

/// An answer that is being read.
#[derive(Debug)]
pub struct Answer {
    /// The header, as long as it is not complete; then it is empty.
    buffer: Vec<u8>,
    header: Option<Header>,
    too_long: bool,
    /// Bytes of the body.
    body: u64,
    digest: Option<Md5>,
    matcher: Option<Box<dyn BodyMatcher>>,
}

impl Answer {
    /// Begins to read. `hash`: the body is hashed.
    pub fn new(hash: bool, matcher: Option<Box<dyn BodyMatcher>>) -> Self {
        Self {
            buffer: Vec::new(),
            header: None,
            too_long: false,
            body: 0,
            digest: hash.then(Md5::new),
            matcher,
        }
    }

    /// Takes the next bytes; hands back those of the body.
    pub fn feed<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        if self.too_long {
            return &[];
        }
        let body = if self.header.is_some() {
            bytes
        } else {
            self.feed_header(bytes)
        };
        self.feed_body(body);
        body
    }

    fn feed_header<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        let before = self.buffer.len();
        let room = MOST_HEADER.saturating_sub(before).min(bytes.len());
        let (fitting, _) = bytes.split_at(room);
        self.buffer.extend_from_slice(fitting);
        // The empty line may have begun before.
        let from = before.saturating_sub(3);
        let searched = self.buffer.get(from..).unwrap_or_default();
        let Some(found) = find(searched, b"\r\n\r\n") else {
            self.too_long = self.buffer.len() >= MOST_HEADER;
            return &[];
        };
        let end = from + found + 4;
        self.buffer.truncate(end);
        self.header = Some(read_header(&self.buffer));
        self.buffer = Vec::new();
        bytes.get(end.saturating_sub(before)..).unwrap_or_default()
    }

    fn feed_body(&mut self, body: &[u8]) {
        if let Some(digest) = &mut self.digest {
            // As much as was announced counts.
            let length = self.header.as_ref().and_then(|header| header.length);
            let left = length.map_or(u64::MAX, |length| length.saturating_sub(self.body));
            let counts = usize::try_from(left).unwrap_or(usize::MAX).min(body.len());
            digest.update(body.get(..counts).unwrap_or_default());
        }
        if let Some(matcher) = &mut self.matcher {
            matcher.feed(body);
        }
        // A widening.
        self.body = self.body.saturating_add(body.len() as u64);
    }

    /// The header, once it is complete.
    pub const fn header(&self) -> Option<&Header> {
        self.header.as_ref()
    }

    /// How much of a header there is that is not complete, in bytes.
    pub fn unfinished(&self) -> usize {
        self.buffer.len()
    }

    /// The header is longer than what can be judged. Nothing is taken any more.
    pub const fn is_too_long(&self) -> bool {
        self.too_long
    }

    /// How many bytes of body have come.
    pub const fn body(&self) -> u64 {
        self.body
    }

    /// The MD5 of the body so far; `None`: it is not hashed.
    pub fn digest(&self) -> Option<[u8; 16]> {
        Some(self.digest.clone()?.finalize().into())
    }

    /// The pattern that is looked for.
    pub(super) fn matcher(&mut self) -> Option<&mut dyn BodyMatcher> {
        match &mut self.matcher {
            Some(matcher) => Some(&mut **matcher),
            None => None,
        }
    }
}

fn find(text: &[u8], what: &[u8]) -> Option<usize> {
    text.windows(what.len()).position(|window| window == what)
}

fn read_header(text: &[u8]) -> Header {
    let end = find(text, b"\r\n").unwrap_or(text.len());
    let line = text.get(..end).unwrap_or_default();
    let shown = line.get(..MOST_LINE).unwrap_or(line);
    Header {
        status: status(line),
        line: shown.escape_ascii().to_string().into(),
        length: length(text),
    }
}

fn status(line: &[u8]) -> Option<u16> {
    let blank = line.iter().position(|byte| *byte == b' ')?;
    let [first, second, third, b' ', ..] = line.get(blank + 1..)? else {
        return None;
    };
    let digits = [first, second, third];
    digits.iter().try_fold(0, |number, byte| {
        let digit = byte.is_ascii_digit().then(|| u16::from(*byte - b'0'))?;
        Some(number * 10 + digit)
    })
}

fn length(header: &[u8]) -> Option<u64> {
    let name = b"Content-Length:";
    let behind = header.get(find(header, name)? + name.len()..)?;
    let value = behind.trim_ascii_start();
    let digits = value.iter().take_while(|byte| byte.is_ascii_digit());
    let digits = value.get(..digits.count())?;
    std::str::from_utf8(digits).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn status_lines() {
        for (line, wanted) in [
            ("HTTP/1.0 200 OK", Some(200)),
            ("HTTP/1.1 404 ", Some(404)),
            // keepalived: the blank is needed.
            ("HTTP/1.1 200", None),
            ("HTTP/1.1 2000 OK", None),
            ("HTTP/1.1  200 OK", None),
            ("HTTP/1.1 20x OK", None),
            ("HTTP/1.1", None),
            ("", None),
            ("ICY 200 OK", Some(200)),
            ("\u{663}\u{663} 999 ", Some(999)),
        ] {
            assert_eq!(status(line.as_bytes()), wanted, "{line}");
        }
    }

    #[test]
    fn lengths() {
        for (header, wanted) in [
            ("Content-Length: 12\r\n", Some(12)),
            ("Content-Length:12x\r\n", Some(12)),
            ("Content-Length: 12\r\nContent-Length: 13\r\n", Some(12)),
            ("content-length: 12\r\n", None),
            ("Content-Length : 12\r\n", None),
            ("Content-Length: -1\r\n", None),
            ("Content-Length: \r\n", None),
            ("Content-Length: 18446744073709551615\r\n", Some(u64::MAX)),
            ("Content-Length: 18446744073709551616\r\n", None),
            ("", None),
        ] {
            assert_eq!(length(header.as_bytes()), wanted, "{header}");
        }
    }

    #[test]
    fn a_header_may_have_4095_bytes() {
        for (fill, fits) in [(MOST_HEADER - 4, true), (MOST_HEADER - 3, false)] {
            for piece in [1, 4000, 10_000] {
                let mut answer = Answer::new(false, None);
                let text = [&vec![b'a'; fill][..], b"\r\n\r\nbody"].concat();
                for piece in text.chunks(piece) {
                    answer.feed(piece);
                }
                assert_eq!(answer.header().is_some(), fits, "{fill} {piece}");
                assert_eq!(answer.is_too_long(), !fits);
                assert_eq!(answer.body(), if fits { 4 } else { 0 });
                assert!(answer.buffer.capacity() <= 2 * MOST_HEADER);
            }
        }
    }

    #[test]
    fn what_is_shown_of_a_status_line() {
        let header = read_header(&[&[0x1b; 200][..], b"\r\n\r\n"].concat());
        assert_eq!(&*header.line, "\\x1b".repeat(MOST_LINE));
        assert_eq!(
            &*read_header(b"HTTP/1.0 200 OK\r\n\r\n").line,
            "HTTP/1.0 200 OK"
        );
    }
}
