//! keepalived's recorded answers: an exit status, and messages in their order.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

/// What keepalived says of one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Expected {
    pub(super) ending: Ending,
    pub(super) messages: Vec<Said>,
}

/// How its test ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    Status(i32),
    /// It crashed or never ended, in every version.
    Stuck,
}

impl Ending {
    /// Where keepalived breaks, a refusal is the right answer.
    pub(super) const fn is_met_by(self, status: i32) -> bool {
        match self {
            Self::Status(theirs) => theirs == status,
            Self::Stuck => status != 0,
        }
    }
}

impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status(status) => write!(f, "{status}"),
            Self::Stuck => f.write_str("stuck"),
        }
    }
}

/// One message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Said {
    pub(super) file: String,
    /// `None`: said after reading, of no line.
    pub(super) line: Option<usize>,
    pub(super) text: String,
    pub(super) kind: &'static Kind,
}

/// What kind of message a wording is.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Kind {
    wording: Wording,
    /// The classes that it may have. keepalived does not print them, and its exit status tells only groups of them apart,
    /// so a wording that could be "general" or "warning" is either.
    pub(super) classes: &'static [&'static str],
    /// It is about words or braces that do not fit where they stand.
    pub(super) is_structural: bool,
}

#[derive(Debug, PartialEq, Eq)]
enum Wording {
    Begins(&'static str),
    Contains(&'static str),
    Any,
}

const fn begins(text: &'static str, classes: &'static [&'static str]) -> Kind {
    Kind {
        wording: Wording::Begins(text),
        classes,
        is_structural: false,
    }
}

const fn contains(text: &'static str, classes: &'static [&'static str]) -> Kind {
    Kind {
        wording: Wording::Contains(text),
        ..begins("", classes)
    }
}

impl Kind {
    const fn structural(mut self) -> Self {
        self.is_structural = true;
        self
    }
}

/// The first that fits. Written from the recordings.
static KINDS: [Kind; 15] = [
    begins("Unknown keyword '}'", &["unexpected-close"]).structural(),
    begins("Unknown keyword '", &["unknown-keyword"]).structural(),
    begins("Unexpected '{'", &["unexpected-open"]).structural(),
    begins("Missing '{'", &["missing-open"]).structural(),
    begins("Extra '}'", &["unexpected-close"]).structural(),
    begins("There are ", &["missing-close", "unexpected-close"]),
    contains("is missing a parameter", &["missing-parameter"]),
    begins("invalid number ", &["invalid-number"]),
    begins("number '", &["invalid-number"]),
    contains("deprecated", &["deprecated"]),
    begins("SECURITY VIOLATION", &["security"]),
    begins(
        "Non-existent interface specified",
        &["bad-interface", "fatal"],
    ),
    // The status of a file with nothing else wrong tells that these are fatal.
    begins("unknown interface ", &["fatal"]),
    begins("Static address ", &["fatal"]),
    begins(
        "Config files missing",
        &["file-not-found", "uncounted", "include-check"],
    ),
];

/// The kind of a message that no other wording fits.
static OTHER: Kind = Kind {
    wording: Wording::Any,
    ..begins("", &["general", "warning"])
};

impl Kind {
    fn of(text: &str) -> &'static Self {
        let fits = |kind: &&Self| match kind.wording {
            Wording::Begins(start) => text.starts_with(start),
            Wording::Contains(part) => text.contains(part),
            Wording::Any => false,
        };
        KINDS.iter().find(fits).unwrap_or(&OTHER)
    }

    /// The name it is listed under.
    pub(super) fn name(&self) -> &'static str {
        self.classes.first().copied().unwrap_or_default()
    }
}

/// The version that we follow.
const VERSION: &str = "expected-2.4.3";
/// What stands in where that one crashes or hangs.
const OLDER_VERSION: &str = "expected";

/// Where the recording for `NUMBER-NAME.conf` is.
fn recording(corpus: &Path, version: &str, file: &str) -> PathBuf {
    let number = file.split('-').next().unwrap_or_default();
    corpus.join(version).join(format!("{number}.txt"))
}

impl Expected {
    /// Whether there is a recording for a file.
    pub(super) fn is_recorded(corpus: &Path, file: &str) -> bool {
        recording(corpus, VERSION, file).is_file()
    }

    /// What the version that we follow says; where that one crashes or hangs, the older one.
    ///
    /// # Errors
    /// When there is no recording, or it has no status.
    pub(super) fn read(corpus: &Path, file: &str) -> Result<Self> {
        let read = |version: &str| -> Result<Self> {
            let path = recording(corpus, version, file);
            let bytes =
                fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
            Self::parse(&String::from_utf8_lossy(&bytes), file)
                .with_context(|| path.display().to_string())
        };
        let expected = read(VERSION)?;
        match expected.ending {
            Ending::Status(_) => Ok(expected),
            Ending::Stuck => read(OLDER_VERSION),
        }
    }

    /// # Errors
    /// When the first line is no status.
    pub(super) fn parse(text: &str, main: &str) -> Result<Self> {
        let mut lines = text.lines();
        let Some(ending) = lines.next().and_then(|line| line.strip_prefix("exit: ")) else {
            bail!("the first line has no status");
        };
        let ending = ending.parse().map_or(Ending::Stuck, Ending::Status);
        let messages = lines
            .filter(|line| !line.starts_with("# ") && !line.is_empty())
            .map(|line| Said::parse(line, main))
            // Indented lines go on with the message before them.
            .filter(|said| !said.text.starts_with(' '))
            .collect();
        Ok(Self { ending, messages })
    }
}

impl Said {
    fn parse(line: &str, main: &str) -> Self {
        let (file, number, text) = match place(line) {
            Some((file, number, text)) => (file.unwrap_or(main), Some(number), text),
            None => (main, None, line),
        };
        Self {
            file: file.to_owned(),
            line: number,
            text: text.to_owned(),
            kind: Kind::of(text),
        }
    }
}

/// Takes `(Line N) text` and `(FILE: Line N) text` apart.
fn place(line: &str) -> Option<(Option<&str>, usize, &str)> {
    let (place, text) = line.strip_prefix('(')?.split_once(") ")?;
    let (file, number) = match place.strip_prefix("Line ") {
        Some(number) => (None, number),
        None => {
            let (file, number) = place.rsplit_once(": Line ")?;
            (Some(file), number)
        }
    };
    Some((file, number.parse().ok()?, text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recordings_are_taken_apart() {
        let text = "exit: 5\n# a remark\n(Line 3) Unknown keyword 'x'\n(b.conf: Line 7) number '0' outside range [1, 2]\n\
                    (VI_1) No VIP specified; at least one is sensible\n(Line 9) y is deprecated\n(Line 9)    use z\n";
        let expected = Expected::parse(text, "a.conf").unwrap();
        assert_eq!(expected.ending, Ending::Status(5));
        let got: Vec<_> = expected
            .messages
            .iter()
            .map(|said| (said.file.as_str(), said.line, said.kind.name()))
            .collect();
        assert_eq!(
            got,
            [
                ("a.conf", Some(3), "unknown-keyword"),
                ("b.conf", Some(7), "invalid-number"),
                ("a.conf", None, "general"),
                ("a.conf", Some(9), "deprecated"),
            ]
        );
    }

    #[test]
    fn who_crashes_is_met_by_a_refusal() {
        let ending = |text| Expected::parse(text, "a").unwrap().ending;
        assert!(ending("exit: signal 11\n").is_met_by(5));
        assert!(!ending("exit: timeout\n").is_met_by(0));
        assert!(ending("exit: 0\n").is_met_by(0));
        assert!(Expected::parse("nothing\n", "a").is_err());
    }
}
