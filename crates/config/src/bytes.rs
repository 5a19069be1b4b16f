//! Text that need not be UTF-8.
//!
//! keepalived treats its file as opaque bytes. We work on `String`, so a byte that is not UTF-8 becomes one character
//! of a private block and can be turned back: a password in Latin-1 reaches the wire as its eight bytes.

/// The character for byte 0; byte `b` is `b` further.
const FIRST: u32 = 0xF700;
/// Three bytes in UTF-8, like every character of the private block: columns stay right.
const REPLACEMENT: char = '\u{FFFD}';

/// Text for bytes, losing nothing. What is plain UTF-8, as nearly all files are, is not copied.
pub(crate) fn decode(bytes: Vec<u8>) -> String {
    match String::from_utf8(bytes) {
        // Characters of the private block begin with this byte.
        Ok(text) if !text.as_bytes().contains(&0xEF) || !text.contains(is_private) => text,
        Ok(text) => translate(text.as_bytes()),
        Err(error) => translate(error.as_bytes()),
    }
}

fn translate(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for character in chunk.valid().chars() {
            if is_private(character) {
                let mut buffer = [0; 4];
                text.extend(character.encode_utf8(&mut buffer).bytes().map(raw));
            } else {
                text.push(character);
            }
        }
        text.extend(chunk.invalid().iter().copied().map(raw));
    }
    text
}

/// The bytes that [`decode`] was given.
pub(crate) fn encode(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    for character in text.chars() {
        if let Some(byte) = raw_byte(character) {
            bytes.push(byte);
        } else {
            let mut buffer = [0; 4];
            bytes.extend_from_slice(character.encode_utf8(&mut buffer).as_bytes());
        }
    }
    bytes
}

/// The text as it may be shown to a person: as long as the text, but without raw bytes and control characters, so that
/// a file cannot steer the terminal it is shown on.
pub(crate) fn shown(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        if is_private(character) || turns_text(character) {
            out.push(REPLACEMENT);
        } else if character.is_control() && character != '\t' {
            out.extend(std::iter::repeat_n('?', character.len_utf8()));
        } else {
            out.push(character);
        }
    }
    out
}

/// Marks that show the text behind them in another order, and those that cannot be seen at all (three bytes each, like what
/// replaces them).
const fn turns_text(character: char) -> bool {
    matches!(character, '\u{200B}'..='\u{200D}' | '\u{2060}' | '\u{FEFF}' | '\u{200E}' | '\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
}

/// How many bytes [`decode`] was given for it.
pub(crate) fn length(text: &str) -> usize {
    let raw = text.chars().filter(|c| raw_byte(*c).is_some()).count();
    // Three bytes of text stand for one.
    text.len() - 2 * raw
}

/// Whether some byte of it was not UTF-8.
pub(crate) fn has_raw(text: &str) -> bool {
    text.chars().any(is_private)
}

/// The last character boundary not behind `at`.
pub(crate) fn boundary(text: &str, at: usize) -> usize {
    let mut at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

/// The character that stands for a byte which is not text.
pub(crate) fn raw(byte: u8) -> char {
    char::from_u32(FIRST + u32::from(byte)).unwrap_or(REPLACEMENT)
}

fn is_private(character: char) -> bool {
    raw_byte(character).is_some()
}

fn raw_byte(character: char) -> Option<u8> {
    u32::from(character)
        .checked_sub(FIRST)
        .and_then(|byte| u8::try_from(byte).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_come_back() {
        for bytes in [
            &b"plain"[..],
            b"caf\xe9 \xff\x00",
            "ä€\u{F7E9}\u{F700}".as_bytes(),
        ] {
            assert_eq!(encode(&decode(bytes.to_vec())), bytes);
        }
    }

    #[test]
    fn shown_text_is_harmless_and_keeps_its_columns() {
        let text = decode("a\x1b[31m\u{202e}\u{F7E9}\tb".as_bytes().to_vec());
        assert_eq!(shown(&text), "a?[31m\u{FFFD}\u{FFFD}\u{FFFD}\u{FFFD}\tb");
        assert_eq!(shown(&text).len(), text.len());
        let text = decode(b"a\x1b[31m\xe9\tb".to_vec());
        assert_eq!(shown(&text), "a?[31m\u{FFFD}\tb");
        assert_eq!(shown(&text).len(), text.len());
        assert!(has_raw(&text) && !has_raw("ä"));
    }
}
