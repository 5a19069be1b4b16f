//! A page of `keepalived.conf`: blocks, lines and words that read as what they were made of.

use std::fmt::{self, Display, Write};
use std::time::Duration;

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
        let special = |c: char| c.is_ascii_whitespace() || "#!{}\x0b".contains(c);
        let quoted =
            self.0.is_empty() || self.0.contains(special) || self.0.starts_with(['@', '$', '~']);
        if quoted {
            write!(f, "\"{}\"", self.0)
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
            return write!(f, "\"{line}\"");
        }
        f.write_char('"')?;
        for (index, word) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_char(' ')?;
            }
            if word.is_empty() {
                f.write_str("''")?;
            }
            for character in word.chars() {
                match character {
                    ' ' | '"' | '\'' | '\\' => write!(f, "\\{character}")?,
                    control if control.is_ascii_control() => {
                        write!(f, "\\{:03o}", u32::from(control))?;
                    }
                    other => f.write_char(other)?,
                }
            }
        }
        f.write_char('"')
    }
}

/// ` USER [[:]GROUP]`; nothing for the daemon's own identity.
pub(super) struct User<'a>(pub(super) &'a RunAs);

impl Display for User<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(user) = &self.0.user else {
            return Ok(());
        };
        write!(f, " {}", Word(user))?;
        let group = self.0.group.as_deref().unwrap_or_default();
        match (self.0.groups.is_empty(), group.is_empty()) {
            (true, true) => Ok(()),
            (true, false) => write!(f, " {}", Word(group)),
            (false, _) => write!(f, " :{group}"),
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
    fn times() {
        assert_eq!(Seconds(Duration::from_millis(1500)).to_string(), "1.5");
        assert_eq!(Seconds(Duration::from_secs(10)).to_string(), "10");
    }
}
