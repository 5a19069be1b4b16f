//! Secrets do not reach a terminal or a log.

use std::ops::Range;

use crate::bytes;

/// What stands for a secret, whatever its length.
const MASK: &str = "********";

/// A line with everything behind a word that announces a secret replaced, and the columns that still mean the same.
///
/// It rather hides too much than too little: a misspelt `auth_passs` announces one too, and so does `$PASSWORD=`.
pub(crate) fn mask(line: &str, columns: Range<usize>) -> (String, Range<usize>) {
    let Some(secret) = secret(line) else {
        return (line.to_owned(), clamp(line, columns));
    };
    let head = line.get(..secret.start).unwrap_or_default();
    let tail = line.get(secret.end..).unwrap_or_default();
    let masked = format!("{head}{MASK}{tail}");
    let shift = |at: usize| {
        if at <= secret.start {
            at
        } else if at < secret.end {
            secret.start + MASK.len()
        } else {
            at - (secret.end - secret.start) + MASK.len()
        }
    };
    let columns = shift(columns.start)..shift(columns.end);
    let columns = clamp(&masked, columns);
    (masked, columns)
}

/// Where the secret stands: from the announcing word to the end of the line, closing braces left out.
fn secret(line: &str) -> Option<Range<usize>> {
    let mut from = 0;
    for word in line.split_inclusive(|c: char| c.is_whitespace() || c == '=') {
        let end = from + word.len();
        let name = word
            .trim_end_matches(|c: char| c.is_whitespace() || c == '=')
            .trim_start_matches(['{', '"']);
        from = end;
        if announces(name) {
            let rest = line.get(end..)?;
            let start = end + (rest.len() - rest.trim_start().len());
            let stop = line
                .trim_end_matches(|c: char| c.is_whitespace() || c == '}')
                .len();
            return (start < stop).then_some(start..stop);
        }
    }
    None
}

/// Whether a word says that a secret follows.
fn announces(word: &str) -> bool {
    let word = word.to_ascii_lowercase();
    word == "key"
        || word.ends_with("_key")
        || word.starts_with('$') && word.ends_with("key")
        || ["pass", "pasw", "secret"]
            .iter()
            .any(|part| word.contains(part) && word != "pass")
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
