//! A page of `keepalived.conf`: blocks, lines and words that read as what they were made of.

use std::fmt::{self, Display, Write};
use std::time::Duration;

use lvs::settings::Octets;

use crate::read::show_decimal;
use crate::settings::{Command, RunAs};

/// Text on its way.
#[derive(Default)]
pub(super) struct Page {
    text: String,
    depth: usize,
}

impl Page {
    /// The whole text.
    pub(super) fn finish(self) -> String {
        self.text
    }

    /// A statement.
    pub(super) fn line(&mut self, statement: impl Display) {
        for _ in 0..self.depth {
            self.text.push_str("    ");
        }
        // Writing into a String cannot fail.
        writeln!(self.text, "{statement}").unwrap_or_default();
    }

    /// A block, with a blank line before it at the top level.
    pub(super) fn block(&mut self, header: impl Display, inside: impl FnOnce(&mut Self)) {
        if self.depth == 0 && !self.text.is_empty() {
            self.text.push('\n');
        }
        self.line(format_args!("{header} {{"));
        self.depth += 1;
        inside(self);
        self.depth -= 1;
        self.line("}");
    }

    /// A list of entries; nothing when there are none.
    pub(super) fn list<T: Display>(
        &mut self,
        header: impl Display,
        entries: impl IntoIterator<Item = T>,
    ) {
        let mut entries = entries.into_iter().peekable();
        if entries.peek().is_some() {
            self.block(header, |page| entries.for_each(|entry| page.line(entry)));
        }
    }

    /// A keyword with its value.
    pub(super) fn value(&mut self, name: &str, value: impl Display) {
        self.line(format_args!("{name} {value}"));
    }

    /// A keyword with its value, when there is one.
    pub(super) fn option(&mut self, name: &str, value: Option<impl Display>) {
        if let Some(value) = value {
            self.value(name, value);
        }
    }

    /// A keyword with a text of one word.
    pub(super) fn word(&mut self, name: &str, text: Option<&str>) {
        self.option(name, text.map(Word));
    }

    /// The same with bytes that need not be text.
    pub(super) fn octets(&mut self, name: &str, octets: Option<&Octets>) {
        let text = octets.map(|octets| crate::bytes::decode(octets.as_bytes().to_vec()));
        self.word(name, text.as_deref());
    }

    /// A keyword with some words.
    pub(super) fn words<T: AsRef<str>>(&mut self, name: &str, words: impl IntoIterator<Item = T>) {
        let words = words.into_iter();
        let text: String = words
            .map(|word| format!(" {}", Word(word.as_ref())))
            .collect();
        self.line(format_args!("{name}{text}"));
    }

    /// A keyword that stands there or not.
    pub(super) fn flag(&mut self, name: &str, on: bool) {
        if on {
            self.line(name);
        }
    }

    /// A keyword that is said to be on or off.
    pub(super) fn switch(&mut self, name: &str, on: bool) {
        self.value(name, if on { "on" } else { "off" });
    }

    /// A time in seconds, six decimals at most.
    pub(super) fn seconds(&mut self, name: &str, time: Duration) {
        self.value(name, Seconds(time));
    }

    /// Whom a script runs as, in a line of its own; nothing for the daemon's own identity.
    pub(super) fn user(&mut self, user: &RunAs) {
        if user.user.is_some() {
            self.line(format_args!("user{}", User(user)));
        }
    }

    /// A command line with its user.
    pub(super) fn command(&mut self, name: &str, command: Option<&Command>) {
        if let Some(command) = command {
            let user = User(&command.user);
            self.line(format_args!("{name} {}{user}", CommandLine(&command.argv)));
        }
    }
}

/// A word, quoted where it must be.
pub(super) struct Word<'a>(pub(super) &'a str);

impl Display for Word<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let special = |c: char| c.is_ascii_whitespace() || "#!{}$\x0b".contains(c);
        // What begins like this is not looked at as a word, where it is the first one of a line.
        let first = self.0.starts_with(['@', '~']) || self.0.starts_with("include");
        // At the end of a line it would go on in the next one.
        let continued = self.0.ends_with('\\');
        let quoted = self.0.is_empty() || first || continued || self.0.contains(special);
        if quoted {
            write!(f, "\"{}\"", self.0)?;
            let backslashes = self.0.len() - self.0.trim_end_matches('\\').len();
            if backslashes % 2 == 1 {
                // What looks for comments takes this quote for an escaped one; another such word, which nobody looks at,
                // sets it right.
                f.write_str(" \"\\\"")?;
            }
            Ok(())
        } else {
            f.write_str(self.0)
        }
    }
}

/// Seconds with the decimals they need.
pub(super) struct Seconds(pub(super) Duration);

impl Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let micros = u64::try_from(self.0.as_micros()).unwrap_or(u64::MAX);
        f.write_str(&show_decimal(micros, 6))
    }
}

/// Milliseconds with the decimals they need, three at most.
pub(super) struct Milliseconds(pub(super) Duration);

impl Display for Milliseconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let micros = u64::try_from(self.0.as_micros()).unwrap_or(u64::MAX);
        f.write_str(&show_decimal(micros, 3))
    }
}

/// A command line between double quotes, for keywords that split it twice.
pub(super) struct CommandLine<'a>(pub(super) &'a [String]);

impl Display for CommandLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // "</file" was made a shell's redirection; the shell is not part of what was written.
        if let [sh, c, line] = self.0
            && sh == "sh"
            && c == "-c"
            && line.starts_with('<')
        {
            // It is split only once, so that no escape stands for a quote.
            let quote = if line.contains('"') { '\'' } else { '"' };
            return write!(f, "{quote}{line}{quote}");
        }
        f.write_char('"')?;
        for (index, word) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_char(' ')?;
            }
            let quoted = word.is_empty() || word.contains([' ', '\'']);
            let quote = if quoted { "'" } else { "" };
            f.write_str(quote)?;
            escaped(f, word)?;
            f.write_str(quote)?;
        }
        f.write_char('"')
    }
}

/// A text between double quotes, for keywords that split once and resolve escapes.
pub(super) struct Quoted<'a>(pub(super) &'a str);

impl Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_char('"')?;
        escaped(f, self.0)?;
        f.write_char('"')
    }
}

/// A text in which nothing has a meaning of its own, whichever quotes stand around it.
fn escaped(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        let next = characters.peek();
        let special = match character {
            // Quotes by their numbers: what looks at a line before it is split knows no escapes.
            '"' | '\'' => true,
            // It may be the name of a parameter.
            '$' => next.is_some_and(|next| next.is_ascii_alphabetic() || "_{".contains(*next)),
            other => other.is_ascii_control(),
        };
        match character {
            '\\' => f.write_str("\\\\")?,
            special_one if special => write!(f, "\\{:03o}", u32::from(special_one))?,
            other => f.write_char(other)?,
        }
    }
    Ok(())
}

/// Bytes in hexadecimal; with a mask, nibbles that may be anything are `x`.
pub(super) struct Hex<'a>(pub(super) &'a [u8], pub(super) Option<&'a [u8]>);

impl Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, byte) in self.0.iter().enumerate() {
            let mask = self.1.map_or(Some(&0xff), |mask| mask.get(index));
            for shift in [4, 0] {
                if mask.is_some_and(|mask| mask >> shift & 0xf == 0) {
                    f.write_char('x')?;
                } else {
                    write!(f, "{:x}", byte >> shift & 0xf)?;
                }
            }
        }
        Ok(())
    }
}

/// ` USER [[:]GROUP]`; nothing for the daemon's own identity.
pub(super) struct User<'a>(pub(super) &'a RunAs);

impl Display for User<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let RunAs {
            uid: _,
            gid: _,
            groups,
            user,
            group,
        } = self.0;
        let Some(user) = user else {
            return Ok(());
        };
        write!(f, " {}", Word(user))?;
        match (groups.is_empty(), group) {
            (true, None) => Ok(()),
            (true, Some(group)) => write!(f, " {}", Word(group)),
            (false, None) => f.write_str(" :"),
            (false, Some(group)) => write!(f, " {}", Word(&format!(":{group}"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lexer::{Escapes, split_plain, split_shell};

    #[test]
    fn words_read_as_they_were() {
        for text in [
            "a", "", "a b", "#", "x!y", "a{b}", "@id", "$X", "~SEQ(a)", "\t",
        ] {
            let line = format!("key {}", Word(text));
            let mut words = Vec::new();
            split_plain(&line, |from, to| {
                words.push(line[from..to].trim_matches('"'))
            })
            .unwrap();
            assert_eq!(words, ["key", text], "{line}");
        }
    }

    #[test]
    fn commands_read_as_they_were() {
        for argv in [
            &["/bin/x"][..],
            &["/bin/x", "a", "b c"],
            &["x", "", "it's \"quoted\"", "a\\b", "\x07\n\t"],
            &["x", "{a}", "#b", "é"],
            &["x", "$_PWD", "a$", "${_PWD} b", "\"a b\"", "'"],
        ] {
            let argv: Vec<String> = argv.iter().map(|word| (*word).to_owned()).collect();
            let line = format!("script {}", CommandLine(&argv));
            let outer = split_shell(&line, Escapes::Keep).unwrap();
            assert_eq!(outer.len(), 2, "{line}");
            let inner = split_shell(&outer[1].text, Escapes::Resolve).unwrap();
            let inner: Vec<String> = inner.into_iter().map(|word| word.text).collect();
            assert_eq!(inner, argv, "{line}");
        }
    }

    #[test]
    fn texts_read_as_they_were() {
        for text in ["a b", "^\\d+\"'$", "${_PWD}\0\x7f", ""] {
            let line = format!("regex {}", Quoted(text));
            let words = split_shell(&line, Escapes::Resolve).unwrap();
            assert_eq!((words.len(), words[1].text.as_str()), (2, text), "{line}");
            let mut count = 0;
            split_plain(&line, |_, _| count += 1).unwrap();
            assert_eq!(count, 2, "{line}");
        }
    }

    #[test]
    fn bytes() {
        assert_eq!(Hex(&[1, 0xff], None).to_string(), "01ff");
        let pattern = Hex(&[0x10, 0x02, 0], Some(&[0xf0, 0x0f, 0]));
        assert_eq!(pattern.to_string(), "1xx2xx");
    }

    #[test]
    fn times() {
        assert_eq!(Seconds(Duration::from_millis(1500)).to_string(), "1.5");
        assert_eq!(Seconds(Duration::from_secs(10)).to_string(), "10");
    }
}
