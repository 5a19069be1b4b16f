//! One line of text: comments, escapes, words, quotes, braces (keepalived.conf(5), "word" and "comment").
//!
//! No line here knows of another one; `reader` puts them together.

/// A word and where it stands in the text it was cut from, in bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Part {
    pub(crate) text: String,
    pub(crate) start: usize,
    pub(crate) end: usize,
}

/// A line without its comment and the blanks at both ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stripped {
    pub(crate) text: String,
    /// Bytes removed in front of it.
    pub(crate) start: usize,
    /// An escape was removed within it, so that columns behind it are off.
    pub(crate) shifted: bool,
    /// A double quote is never closed.
    pub(crate) open_quote: bool,
}

/// Removes the comment and the escapes that protect from being one.
///
/// `#` and `!` begin a comment anywhere, in the middle of a word too, unless between double quotes.
/// DEVIATION(keepalived): there `\#` only works in `global_defs`; here it works everywhere.
pub(crate) fn strip(line: &str) -> Stripped {
    let mut text = String::with_capacity(line.len());
    let mut quoted = false;
    let mut shifted = false;
    let mut characters = line.chars();
    while let Some(character) = characters.next() {
        match character {
            '"' => quoted = !quoted,
            '\\' => {
                let Some(next) = characters.next() else {
                    text.push(character);
                    break;
                };
                if !quoted && matches!(next, '#' | '!') {
                    shifted = true;
                } else {
                    text.push(character);
                }
                text.push(next);
                continue;
            }
            '#' | '!' if !quoted => break,
            _ => {}
        }
        text.push(character);
    }
    let start = text.len() - text.trim_start_matches(is_blank).len();
    let mut text = text.trim_matches(is_blank).to_owned();
    if let Some(head) = text.strip_suffix('\\') {
        // A closing backslash sticks to the last word; only a parameter definition gives it a meaning.
        text.truncate(head.trim_end_matches(is_blank).len());
        text.push('\\');
    }
    Stripped {
        text,
        start,
        shifted,
        open_quote: quoted,
    }
}

/// The first brace at or behind `from` that is neither between double quotes nor part of a `${NAME}`.
///
/// DEVIATION(keepalived): there a `${NAME}` that is not defined falls apart at its braces and takes the block with it.
pub(crate) fn find_brace(text: &str, from: usize) -> Option<usize> {
    let mut quoted = false;
    let mut at = from;
    while let Some(byte) = text.as_bytes().get(at) {
        match byte {
            b'"' => quoted = !quoted,
            b'\\' if quoted => at += 1,
            b'$' if !quoted => at += parameter_length(text, at).unwrap_or(1) - 1,
            b'{' | b'}' if !quoted => return Some(at),
            _ => {}
        }
        at += 1;
    }
    None
}

/// The length of the `${NAME ...}` that begins at `at`.
pub(crate) fn parameter_length(text: &str, at: usize) -> Option<usize> {
    let inner = text.get(at..)?.strip_prefix("${")?;
    let length =
        inner.find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '_' | ' ' | '\t')))?;
    let name = inner.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    (name && inner.get(length..)?.starts_with('}')).then_some(length + 3)
}

/// Words split as most keywords have them; `Err`: a double quote is never closed, the words before it are handed back.
///
/// A quote in the middle of a word ends the word; single quotes and backslashes are ordinary characters.
pub(crate) fn split_plain(text: &str) -> Result<Vec<Part>, Vec<Part>> {
    let mut words = Vec::new();
    let mut at = 0;
    while let Some(rest) = text.get(at..) {
        let Some(first) = rest.chars().next() else {
            break;
        };
        if is_space(first) {
            at += first.len_utf8();
        } else if first == '"' {
            let Some(inner) = rest.get(1..) else { break };
            let Some(length) = inner.find('"') else {
                return Err(words);
            };
            let end = at + length + 2;
            words.push(Part {
                text: inner.get(..length).unwrap_or_default().to_owned(),
                start: at,
                end,
            });
            at = end;
        } else {
            let length = rest.find(|c| is_space(c) || c == '"').unwrap_or(rest.len());
            let end = at + length;
            words.push(Part {
                text: rest.get(..length).unwrap_or_default().to_owned(),
                start: at,
                end,
            });
            at = end;
        }
    }
    Ok(words)
}

/// What a backslash does in [`split_shell`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Escapes {
    /// Stays, with the character behind it (the first of the two splits).
    Keep,
    /// Is resolved as in C.
    Resolve,
}

/// A quote without its partner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct OpenQuote;

/// Words split as a shell would: both quotes, adjacent pieces join, backslash escapes in either quotes too.
pub(crate) fn split_shell(text: &str, escapes: Escapes) -> Result<Vec<Part>, OpenQuote> {
    let mut words = Vec::new();
    let mut word: Option<Part> = None;
    let mut quote = None;
    let mut characters = text.char_indices().peekable();
    while let Some((at, character)) = characters.next() {
        if quote == Some(character) {
            quote = None;
        } else if quote.is_none() && is_space(character) {
            if let Some(mut done) = word.take() {
                done.end = at;
                words.push(done);
            }
            continue;
        } else {
            let word = word.get_or_insert_with(|| Part {
                text: String::new(),
                start: at,
                end: at,
            });
            if quote.is_none() && matches!(character, '\'' | '"') {
                quote = Some(character);
            } else if character == '\\' {
                match escapes {
                    Escapes::Keep => {
                        word.text.push(character);
                        word.text.extend(characters.next().map(|(_, next)| next));
                    }
                    Escapes::Resolve => word.text.push(resolve_escape(&mut characters)),
                }
            } else {
                word.text.push(character);
            }
        }
    }
    if quote.is_some() {
        return Err(OpenQuote);
    }
    if let Some(mut done) = word.take() {
        done.end = text.len();
        words.push(done);
    }
    Ok(words)
}

/// The character that a backslash and what follows it mean.
fn resolve_escape(characters: &mut std::iter::Peekable<std::str::CharIndices<'_>>) -> char {
    let Some((_, first)) = characters.next() else {
        return '\\';
    };
    match first {
        'a' => '\u{07}',
        'b' => '\u{08}',
        'E' => '\u{1b}',
        'f' => '\u{0c}',
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        'v' => '\u{0b}',
        '0'..='7' => {
            let start = first.to_digit(8).unwrap_or_default();
            byte(digits(characters, 8, 2, start))
        }
        'x' if characters
            .peek()
            .is_some_and(|(_, next)| next.is_ascii_hexdigit()) =>
        {
            byte(digits(characters, 16, 2, 0))
        }
        'c' => match characters.next() {
            Some((_, control)) if control.is_ascii() => byte(u32::from(control) & 0x1f),
            Some((_, other)) => other,
            None => 'c',
        },
        other => other,
    }
}

/// Up to `most` further digits.
fn digits(
    characters: &mut std::iter::Peekable<std::str::CharIndices<'_>>,
    radix: u32,
    most: usize,
    start: u32,
) -> u32 {
    let mut value = start;
    for _ in 0..most {
        let Some(digit) = characters.peek().and_then(|(_, next)| next.to_digit(radix)) else {
            break;
        };
        value = value * radix + digit;
        characters.next();
    }
    value
}

/// A character for a byte value; above 0x7f a raw byte, for the text is bytes and not Unicode.
fn byte(value: u32) -> char {
    match u8::try_from(value & 0xff) {
        Ok(byte) if byte.is_ascii() => char::from(byte),
        Ok(byte) => crate::bytes::raw(byte),
        Err(_) => char::REPLACEMENT_CHARACTER,
    }
}

/// What separates words.
fn is_space(character: char) -> bool {
    matches!(character, ' ' | '\t' | '\x0c' | '\r' | '\x0b' | '\n')
}

/// What is removed at the ends of a line.
pub(crate) fn is_blank(character: char) -> bool {
    matches!(character, ' ' | '\t')
}

#[cfg(test)]
mod tests;
