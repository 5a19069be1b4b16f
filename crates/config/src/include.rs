//! Which mistakes in an include line count: by directive, by `include_check`, by `-e`.

use crate::diagnostics::{Class, Diagnostic};

/// What an include directive, `include_check` and `-e` check.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Checks {
    /// A file that is there but cannot be used.
    pub(crate) read: bool,
    /// A plain name that does not exist.
    pub(crate) matching: bool,
    /// A wildcard that matches nothing.
    pub(crate) wildcard: bool,
    /// A brace alternative that does not exist.
    pub(crate) brace: bool,
}

impl Checks {
    /// Everything (`includea`, `-e`).
    pub(crate) const ALL: Self = Self {
        read: true,
        matching: true,
        wildcard: true,
        brace: true,
    };
    pub(crate) const NONE: Self = Self {
        read: false,
        matching: false,
        wildcard: false,
        brace: false,
    };

    /// The checks that a directive's own name asks for; `None`: it is no directive.
    pub(crate) fn of_directive(word: &str) -> Option<Self> {
        Some(match word {
            "include" => Self::NONE,
            "includer" => Self {
                read: true,
                ..Self::NONE
            },
            "includem" => Self {
                read: true,
                matching: true,
                ..Self::NONE
            },
            "includew" => Self {
                brace: false,
                ..Self::ALL
            },
            "includeb" => Self {
                read: true,
                brace: true,
                ..Self::NONE
            },
            "includea" => Self::ALL,
            _ => return None,
        })
    }

    /// Either's checks.
    pub(crate) const fn or(self, other: Self) -> Self {
        Self {
            read: self.read || other.read,
            matching: self.matching || other.matching,
            wildcard: self.wildcard || other.wildcard,
            brace: self.brace || other.brace,
        }
    }

    /// `include_check [[+|-]read|match|wildcard_match|brace_match ...]`: the first bare word starts from nothing.
    pub(crate) fn edit(&mut self, words: &str) {
        if words.is_empty() {
            *self = Self::ALL;
        }
        for (index, word) in words.split_ascii_whitespace().enumerate() {
            let (on, name) = match word.strip_prefix('-') {
                Some(name) => (false, name),
                None => (true, word.strip_prefix('+').unwrap_or(word)),
            };
            if index == 0 && name == word {
                *self = Self::NONE;
            }
            match name {
                "read" => self.read = on,
                "match" => self.matching = on,
                "wildcard_match" => self.wildcard = on,
                "brace_match" => self.brace = on,
                _ => {}
            }
        }
    }
}

/// A file that is not included: an error that stops the daemon when a check counts it.
pub(crate) fn about_include(message: String, counts: bool) -> Diagnostic {
    if counts {
        Diagnostic::error(Class::IncludeCheck, message).fatal()
    } else {
        Diagnostic::warning(Class::Uncounted, message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edited(start: Checks, words: &str) -> Checks {
        let mut checks = start;
        checks.edit(words);
        checks
    }

    #[test]
    fn include_check_edits() {
        let read = Checks {
            read: true,
            ..Checks::NONE
        };
        assert_eq!(edited(Checks::NONE, ""), Checks::ALL);
        assert_eq!(edited(Checks::ALL, " read"), read);
        assert_eq!(edited(Checks::NONE, "+read"), read);
        assert_eq!(
            edited(Checks::ALL, "-match -wildcard_match -brace_match"),
            read
        );
        assert_eq!(
            edited(read, "nonsense"),
            Checks::NONE,
            "the first bare word starts from nothing"
        );
    }

    #[test]
    fn directives() {
        assert_eq!(Checks::of_directive("include"), Some(Checks::NONE));
        assert_eq!(Checks::of_directive("includea"), Some(Checks::ALL));
        assert_eq!(
            Checks::of_directive("includew"),
            Some(Checks {
                read: true,
                matching: true,
                wildcard: true,
                brace: false
            })
        );
        assert_eq!(Checks::of_directive("included"), None);
    }
}
