//! What `genhash --verbose` prints, column by column as keepalived's.

use std::fmt::Write as _;
use std::io::{self, Write};

use lvs::dialogue::http::Answer;

/// Bytes in a line.
const COLUMNS: usize = 16;

/// What has been shown of an answer.
#[derive(Debug)]
pub(super) struct Layout {
    answer: Answer,
    /// The header, until it is complete.
    header: Vec<u8>,
}

impl Default for Layout {
    fn default() -> Self {
        Self {
            answer: Answer::new(true, None),
            header: Vec::new(),
        }
    }
}

impl Layout {
    /// Shows the next piece of an answer.
    pub(super) fn piece(&mut self, out: &mut impl Write, piece: &[u8]) -> io::Result<()> {
        let was_known = self.answer.header().is_some();
        let before = self.answer.body();
        let body = self.answer.feed(piece);
        let length = self.answer.header().and_then(|header| header.length);
        // More than was announced does not count.
        let left = length.map_or(u64::MAX, |length| length.saturating_sub(before));
        let counts = usize::try_from(left).unwrap_or(usize::MAX).min(body.len());
        let shown = body.get(..counts).unwrap_or_default();
        if was_known {
            return dump(out, shown);
        }
        if self.answer.is_too_long() {
            return Ok(());
        }
        let header = piece.len().saturating_sub(body.len());
        let header = match self.answer.header() {
            Some(_) => piece.get(..header).unwrap_or_default(),
            None => piece,
        };
        self.header.extend_from_slice(header);
        if self.answer.header().is_none() {
            return Ok(());
        }
        banner(out, "    HTTP Header Buffer    ")?;
        dump(out, &self.header)?;
        banner(out, " HTTP Header Ascii Buffer ")?;
        out.write_all(&self.header)?;
        out.write_all(b"\n")?;
        self.header = Vec::new();
        if shown.is_empty() {
            return Ok(());
        }
        banner(out, "        HTML Buffer        ")?;
        dump(out, shown)
    }

    /// Shows the digest, but for its last line: that is shown without being asked for, too.
    pub(super) fn digest(&self, out: &mut impl Write) -> io::Result<()> {
        let digest = self.answer.digest().unwrap_or_default();
        out.write_all(b"\n")?;
        banner(out, "    HTML hash resulting    ")?;
        dump(out, &digest)?;
        banner(out, " HTML hash final resulting ")
    }
}

/// A title between dashes.
fn banner(out: &mut impl Write, title: &str) -> io::Result<()> {
    let dashes = "-".repeat(23);
    writeln!(out, "{dashes}[{title}]{dashes}")
}

/// Lines of bytes; the offset is decimal (keepalived).
fn dump(out: &mut impl Write, bytes: &[u8]) -> io::Result<()> {
    for (row, line) in bytes.chunks(COLUMNS).enumerate() {
        let mut hex = String::new();
        let mut text = String::new();
        for column in 0..COLUMNS {
            if column == COLUMNS / 2 {
                hex += "- ";
            }
            let Some(byte) = line.get(column) else {
                hex += "   ";
                text += " ";
                continue;
            };
            // Writing to a string cannot fail.
            if write!(hex, "{byte:02x} ").is_err() {
                break;
            }
            let shown = byte.is_ascii_graphic() || *byte == b' ';
            text.push(if shown { char::from(*byte) } else { '.' });
        }
        writeln!(out, "{:04}  {hex}  {text}", row * COLUMNS)?;
    }
    Ok(())
}

/// Lower-case hexadecimal digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_of_it() {
        let mut out = Vec::new();
        let mut layout = Layout::default();
        for piece in [
            &b"HTTP/1.0 200 OK\r\n"[..],
            b"Server: x\r\n\r\nab",
            b"hello \x01\xff worlds",
        ] {
            layout.piece(&mut out, piece).unwrap();
        }
        layout.digest(&mut out).unwrap();
        let wanted = "\
-----------------------[    HTTP Header Buffer    ]-----------------------
0000  48 54 54 50 2f 31 2e 30 - 20 32 30 30 20 4f 4b 0d   HTTP/1.0 200 OK.
0016  0a 53 65 72 76 65 72 3a - 20 78 0d 0a 0d 0a         .Server: x....  
-----------------------[ HTTP Header Ascii Buffer ]-----------------------
HTTP/1.0 200 OK\r
Server: x\r
\r

-----------------------[        HTML Buffer        ]-----------------------
0000  61 62                   -                           ab              
0000  68 65 6c 6c 6f 20 01 ff - 20 77 6f 72 6c 64 73      hello .. worlds 

-----------------------[    HTML hash resulting    ]-----------------------
0000  7b 69 0c 08 74 14 f3 51 - 07 80 fd c9 e4 dd 19 66   {i..t..Q.......f
-----------------------[ HTML hash final resulting ]-----------------------
";
        assert_eq!(String::from_utf8_lossy(&out), wanted);
    }
}
