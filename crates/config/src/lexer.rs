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
    /// Where it begins and ends in the line.
    pub(crate) start: usize,
    pub(crate) end: usize,
    /// The text, where it is not simply that part of the line: escapes were resolved.
    pub(crate) rewritten: Option<String>,
    /// A double quote is never closed.
    pub(crate) open_quote: bool,
}

impl Stripped {
    /// What is left of the line that it was made of.
    pub(crate) fn text<'a>(&'a self, line: &'a str) -> &'a str {
        match &self.rewritten {
            Some(text) => text,
            None => line.get(self.start..self.end).unwrap_or_default(),
        }
    }
}

/// Removes the comment and the escapes that protect from being one.
///
/// `#` and `!` begin a comment anywhere, in the middle of a word too, unless between double quotes.
/// DEVIATION(keepalived): there `\#` only works in `global_defs`; here it works everywhere.
pub(crate) fn strip(line: &str) -> Stripped {
    let bytes = line.as_bytes();
    let special = |byte: &u8| matches!(byte, b'"' | b'\\' | b'#' | b'!');
    let mut at = bytes.iter().position(special).unwrap_or(bytes.len());
    let mut quoted = false;
    let mut rewritten = String::new();
    let mut copied = 0;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => quoted = !quoted,
            b'\\' => {
                if !quoted && matches!(bytes.get(at + 1), Some(b'#' | b'!')) {
                    rewritten.push_str(line.get(copied..at).unwrap_or_default());
                    copied = at + 1;
                }
                at += 1;
            }
            b'#' | b'!' if !quoted => break,
            _ => {}
        }
        at += 1;
    }
    let rest = line.get(copied..at.min(bytes.len())).unwrap_or_default();
    let (mut start, mut end) = (0, 0);
    let text = if copied == 0 {
        start = rest.len() - rest.trim_start_matches(is_blank).len();
        end = start + rest.trim_matches(is_blank).len();
        line.get(start..end).unwrap_or_default()
    } else {
        rewritten.push_str(rest);
        rewritten.trim_matches(is_blank)
    };
    // A closing backslash sticks to the last word; only a parameter definition gives it a meaning.
    let glued = text
        .strip_suffix('\\')
        .filter(|head| head.ends_with(is_blank))
        .map(|head| format!("{}\\", head.trim_end_matches(is_blank)));
    let rewritten = glued.or_else(|| (copied > 0).then(|| text.to_owned()));
    if rewritten.is_some() {
        let trimmed = line.trim_matches(is_blank);
        start = line.len() - line.trim_start_matches(is_blank).len();
        end = start + trimmed.len();
    }
    Stripped {
        start,
        end,
        rewritten,
        open_quote: quoted,
    }
}

/// Where a statement ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ending {
    /// Its first byte behind, which is a brace or the end of the text.
    pub(crate) at: usize,
    /// There is a `${NAME}` in it that is not between double quotes: nobody has replaced it.
    pub(crate) reference: bool,
}

/// The first brace at or behind `from` that is neither between double quotes nor part of a `${NAME}`.
///
/// DEVIATION(keepalived): there a `${NAME}` that is not defined falls apart at its braces and takes the block with it.
pub(crate) fn find_brace(text: &str, from: usize) -> Ending {
    let bytes = text.as_bytes();
    let mut quoted = false;
    let mut reference = false;
    let mut at = from;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => quoted = !quoted,
            b'\\' if quoted => at += 1,
            b'$' if !quoted => {
                if let Some(length) = parameter_length(text, at) {
                    reference = true;
                    at += length - 1;
                }
            }
            b'{' | b'}' if !quoted => return Ending { at, reference },
            _ => {}
        }
        at += 1;
    }
    Ending {
        at: bytes.len(),
        reference,
    }
}

/// The length of the `${NAME}` or `${NAME WORDS}` that begins at `at`.
pub(crate) fn parameter_length(text: &str, at: usize) -> Option<usize> {
    let inner = text.get(at..)?.strip_prefix("${")?;
    if !inner.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') {
        return None;
    }
    let name = inner.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))?;
    let rest = inner.get(name..)?;
    if rest.starts_with('}') {
        return Some(name + 3);
    }
    if !rest.starts_with(is_blank) {
        return None;
    }
    let words = rest.find(['{', '}', '"', '$'])?;
    rest.get(words..)?
        .starts_with('}')
        .then_some(name + words + 3)
}

/// Words split as most keywords have them: where each begins and ends, quotes included. `Err`: a double quote is never
/// closed, all words before it were handed out.
///
/// A quote in the middle of a word ends the word; single quotes and backslashes are ordinary characters. A word that
/// begins with a double quote is a quoted one.
pub(crate) fn split_plain(text: &str, mut word: impl FnMut(usize, usize)) -> Result<(), OpenQuote> {
    let bytes = text.as_bytes();
    let mut at = 0;
    while let Some(first) = bytes.get(at) {
        if is_space_byte(*first) {
            at += 1;
            continue;
        }
        let from = at;
        at += 1;
        if *first == b'"' {
            let rest = bytes.get(at..).unwrap_or_default();
            at += rest
                .iter()
                .position(|byte| *byte == b'"')
                .ok_or(OpenQuote)?
                + 1;
        } else {
            let rest = bytes.get(at..).unwrap_or_default();
            at += rest
                .iter()
                .position(|byte| is_space_byte(*byte) || *byte == b'"')
                .unwrap_or(rest.len());
        }
        word(from, at);
    }
    Ok(())
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

/// What separates words, as a byte.
const fn is_space_byte(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\x0c' | b'\r' | b'\x0b' | b'\n')
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
