//! Secrets do not reach a terminal or a log.
//!
//! What a line looks like tells some of them, wherever it stands: `auth_pass 1234`. The blocks and parameters that a
//! line turns out to be part of tell the others; [`Secrets`] remembers those, and hides them when all is read.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use crate::bytes;
use crate::diagnostics::Span;
use crate::suggest::nearest;

/// What stands for a secret, whatever its length.
const MASK: &str = "********";

/// Keywords with a secret behind them.
const KEYWORDS: [&str; 3] = ["auth_pass", "password", "key"];

/// Blocks in which a word that is not understood may be a secret.
const BLOCKS: [&str; 3] = ["authentication", "auth_hmac", "SSL"];

/// Words that are no secrets, wherever they stand.
const HARMLESS: [&str; 13] = [
    "PASS",
    "AH",
    "pass",
    "ah",
    "MD5",
    "NONE",
    "none",
    "enforce",
    "permissive",
    "receive-only",
    "time",
    "monotonic",
    "hex",
];

/// Shorter words are not looked for: they would be found everywhere.
const SHORTEST: usize = 3;

/// Shorter ones are only found as words of their own.
const SHORTEST_PART: usize = 5;

/// Of a longer word the beginning is looked for, and everything behind it is hidden.
const LONGEST: usize = 96;

/// Whether what is not understood in a block may be a secret.
pub(crate) fn keeps_secrets(path: &str) -> bool {
    BLOCKS.contains(&path.rsplit('/').next().unwrap_or_default())
}

/// Whether a word that is no keyword was probably meant as one with a secret.
pub(crate) fn resembles_secret(word: &str) -> bool {
    let name = word
        .split(['=', ':', ';', ','])
        .next()
        .unwrap_or_default()
        .trim_end_matches(|c: char| c.is_ascii_digit());
    announces(name) || name.len() > 2 && nearest(name, KEYWORDS.into_iter()).is_some()
}

/// Whether a text has nothing in it that could be a secret: small numbers, and what is allowed there.
pub(crate) fn is_harmless(text: &str) -> bool {
    text.split_whitespace()
        .all(|word| HARMLESS.contains(&word) || is_small_number(word))
}

fn is_small_number(word: &str) -> bool {
    word.len() <= 3 && word.bytes().all(|byte| byte.is_ascii_digit())
}

/// Secrets that only show from what is around them.
#[derive(Debug, Default)]
pub(crate) struct Secrets {
    words: BTreeSet<String>,
    /// How long they are, in bytes, by their first byte: most places in a text are passed over at once.
    lengths: BTreeMap<u8, BTreeSet<usize>>,
    /// Columns of lines, by file and line.
    places: BTreeMap<(u16, u32), (u16, u16)>,
}

impl Secrets {
    /// What stands at a place is secret.
    pub(crate) fn add_place(&mut self, span: Span) {
        let place = (span.start, span.end);
        self.places
            .entry((span.file, span.line))
            .and_modify(|(start, end)| {
                *start = place.0.min(*start);
                *end = place.1.max(*end);
            })
            .or_insert(place);
    }

    /// A text is secret, and so is each word of it, wherever they stand.
    pub(crate) fn add(&mut self, text: &str) {
        let text = bytes::shown(text);
        // In its file a `#` has a backslash.
        let marks = ['=', ':', ';', ',', '#', '!', '\\'];
        let words = text.split(|c: char| c.is_whitespace() || c == '"' || c == '\'');
        let marked = words
            .clone()
            .filter_map(|word| word.split_once(marks).map(|(_, rest)| rest));
        let parts = words.clone().flat_map(|word| word.split(marks));
        for word in words.chain(marked).chain(parts) {
            let known =
                HARMLESS.contains(&word) || KEYWORDS.contains(&word) || BLOCKS.contains(&word);
            if word.len() >= SHORTEST && !is_small_number(word) && !known {
                let end = bytes::boundary(word, LONGEST.min(word.len()));
                let word = word.get(..end).unwrap_or_default();
                if let Some(first) = word.bytes().next() {
                    self.lengths.entry(first).or_default().insert(word.len());
                }
                self.words.insert(word.to_owned());
            }
        }
    }

    /// A text without any secret.
    pub(crate) fn hide(&self, text: &mut String) {
        let found = self.find(text);
        if !found.is_empty() {
            *text = replace(text, found, 0..0).0;
        }
    }

    /// A line without any secret, and the columns that still mean the same. `raw`: as it is in its file.
    pub(crate) fn hide_line(
        &self,
        place: Span,
        raw: &str,
        columns: Range<usize>,
    ) -> (String, Range<usize>) {
        let line = bytes::shown(raw);
        let mut found = self.find(&line);
        found.extend(secret(&line));
        if let Some((start, end)) = self.places.get(&(place.file, place.line)) {
            // Bytes that cannot be shown move what is behind them.
            let all = if line.len() == raw.len() {
                usize::from(*start)..usize::from(*end)
            } else {
                0..line.len()
            };
            found.push(clamp(&line, all));
        }
        replace(&line, found, columns)
    }

    /// Where words stand that are secret.
    fn find(&self, text: &str) -> Vec<Range<usize>> {
        let mut found = Vec::new();
        let mut at = 0;
        if self.words.is_empty() {
            return found;
        }
        let is_word = |c: char| c.is_alphanumeric() || c == '_';
        while at < text.len() {
            let rest = text.get(at..).unwrap_or_default();
            let before = text.get(..at).and_then(|head| head.chars().next_back());
            let lengths = rest
                .bytes()
                .next()
                .and_then(|first| self.lengths.get(&first));
            let mut lengths = lengths
                .into_iter()
                .flat_map(|lengths| lengths.iter().rev())
                .copied();
            let longest = lengths.find(|length| {
                rest.get(..*length).is_some_and(|word| {
                    let after = rest.get(*length..).and_then(|tail| tail.chars().next());
                    self.words.contains(word)
                        && (*length >= SHORTEST_PART
                            || !before.is_some_and(is_word) && !after.is_some_and(is_word))
                })
            });
            let step = match longest {
                // A quarter of it is left out for multi-byte characters at the cut.
                Some(length) if length > LONGEST - 4 => rest.len(),
                Some(length) => length,
                None => rest.chars().next().map_or(1, char::len_utf8),
            };
            if longest.is_some() {
                found.push(at..at + step);
            }
            at += step;
        }
        found
    }
}

/// A line with everything behind a word that announces a secret replaced, and the columns that still mean the same.
///
/// It rather hides too much than too little: a misspelt `auth_passs` announces one too, and so does `$PASSWORD=`.
pub(crate) fn mask(line: &str, columns: Range<usize>) -> (String, Range<usize>) {
    replace(line, secret(line).into_iter().collect(), columns)
}

/// A text with parts replaced, and the columns that still mean the same.
fn replace(
    line: &str,
    mut parts: Vec<Range<usize>>,
    columns: Range<usize>,
) -> (String, Range<usize>) {
    parts.sort_unstable_by_key(|part| part.start);
    let mut joined: Vec<Range<usize>> = Vec::new();
    for part in parts {
        match joined.last_mut() {
            Some(last) if part.start <= last.end => last.end = last.end.max(part.end),
            _ if part.is_empty() => {}
            _ => joined.push(part),
        }
    }
    let mut masked = String::new();
    let mut from = 0;
    let (mut start, mut end) = (columns.start, columns.end);
    for part in joined {
        masked.push_str(line.get(from..part.start).unwrap_or_default());
        let new = masked.len();
        for (old, column) in [(columns.start, &mut start), (columns.end, &mut end)] {
            if old > part.start && old < part.end {
                *column = new + MASK.len();
            } else if old >= part.end {
                *column = old - part.end + new + MASK.len();
            }
        }
        masked.push_str(MASK);
        from = part.end;
    }
    masked.push_str(line.get(from..).unwrap_or_default());
    let columns = clamp(&masked, start..end);
    (masked, columns)
}

/// Where the secret stands: from the announcing word to the end of the line, closing braces left out.
pub(crate) fn secret(line: &str) -> Option<Range<usize>> {
    let mut from = 0;
    let separates = |c: char| c.is_whitespace() || matches!(c, '=' | ':' | ';' | ',');
    // What a generator inserts stands in front of what announces it.
    let list = line
        .trim_start()
        .starts_with('~')
        .then(|| line.find('('))
        .flatten();
    for word in line.split_inclusive(separates) {
        let end = from + word.len();
        let bare = word.trim_end_matches(separates);
        let name = bare.trim_start_matches(['{', '"', '\'']);
        let behind = from + (bare.len() - name.len()) + glued(name).unwrap_or(name.len());
        let is_glued = behind < from + bare.len();
        from = end;
        let rest = line.get(end..).unwrap_or_default();
        // `authentication PASS 1234` has no brace.
        let bare_block = name == "authentication"
            && !rest.trim_start().is_empty()
            && !rest.trim_start().starts_with(['{', '}']);
        if announces(name) || bare_block {
            let start = match list {
                Some(list) => list + 1,
                None if is_glued => behind,
                None => end + (rest.len() - rest.trim_start().len()),
            };
            let stop = line
                .trim_end_matches(|c: char| c.is_whitespace() || c == '}' || bare_block && c == '{')
                .len();
            return (start < stop).then_some(start..stop);
        }
    }
    None
}

/// Where in a word the secret begins that is written without a blank behind its keyword.
fn glued(word: &str) -> Option<usize> {
    let keyword = ["auth_pass", "password"]
        .into_iter()
        .find(|keyword| word.starts_with(keyword))?;
    let rest = word.get(keyword.len()..)?;
    let misspelt = rest.len() < 2 || ["wd", "wrd", "word", "words", "phrase", "ss"].contains(&rest);
    (!misspelt).then_some(keyword.len())
}

/// Whether a word says that a secret follows.
fn announces(word: &str) -> bool {
    // The value of auth_type.
    if word == "PASS" {
        return false;
    }
    let word = word.to_ascii_lowercase();
    word.trim_end_matches(|c: char| c.is_ascii_digit()) == "key"
        || word == "active_key"
        || word.ends_with("_key")
        || word.starts_with('$') && word.ends_with("key")
        || ["pwd", "psk"].contains(&word.as_str())
        || ["pass", "pasw", "secret", "auth_pa"]
            .iter()
            .any(|part| word.contains(part))
}

/// Columns that lie within the line, on character boundaries.
fn clamp(line: &str, columns: Range<usize>) -> Range<usize> {
    let end = bytes::boundary(line, columns.end);
    let start = bytes::boundary(line, columns.start.min(end));
    start..end
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_masked() {
        for (line, expected) in [
            ("    auth_pass 1111", "    auth_pass ********"),
            ("auth_passs \"a b\" c }", "auth_passs ******** }"),
            (
                "authentication { auth_type PASS auth_pass 12 }",
                "authentication { auth_type PASS auth_pass ******** }",
            ),
            ("{ auth_pass 12 }", "{ auth_pass ******** }"),
            ("key 1 hex:0011", "key ********"),
            ("$MY_PASSWORD=hunter2", "$MY_PASSWORD=********"),
            ("$HMAC_KEY=hunter2", "$HMAC_KEY=********"),
            ("auth_pass=a b", "auth_pass=********"),
            ("auth_passhunter2 b", "auth_pass********"),
            ("authentication PASS a {", "authentication ******** {"),
            ("~LST(P,a,b) auth_pass $P", "~LST(********"),
            ("key:1:a", "key:********"),
            ("pwd a", "pwd ********"),
            ("auth_type PASS", "auth_type PASS"),
            ("auth_pass", "auth_pass"),
            ("state MASTER", "state MASTER"),
        ] {
            assert_eq!(mask(line, 0..0).0, expected);
        }
    }

    #[test]
    fn columns_stay_within_the_line() {
        assert_eq!(mask("auth_pass 123456789012345 }", 10..25).1, 10..18);
        assert_eq!(mask("auth_pass 1 }", 12..13).1, 19..20);
        assert_eq!(mask("ab", 1..99).1, 1..2);
    }
}
