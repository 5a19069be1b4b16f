//! The patterns of HTTP_GET and SSL_GET: compiled when a check first needs them, and then shared by all with the same pattern
//! and options.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;

use lvs::dialogue::{BodyMatcher, Trouble, TroubleKind};
use lvs::settings::checkers::{CheckerKind, Regex, RegexOptions, RegexStack};
use sys::regex::{Options, Pattern, Search};

/// The compiled patterns of one configuration.
#[derive(Default)]
pub(crate) struct Patterns {
    stack: Option<(usize, usize)>,
    compiled: RefCell<BTreeMap<RegexOptions, BTreeMap<Vec<u8>, Pattern>>>,
}

impl Patterns {
    /// For the checks of these settings; the largest `regex_stack` counts for all.
    pub(crate) fn of(settings: &lvs::Settings) -> Self {
        let servers = settings.virtual_servers.iter();
        let checkers = servers
            .flat_map(|server| &server.real_servers)
            .flat_map(|server| &server.checkers);
        let mut largest: Option<RegexStack> = None;
        for checker in checkers {
            let CheckerKind::Http(check) = &checker.kind else {
                continue;
            };
            let regexes = check.urls.iter().filter_map(|url| url.regex.as_ref());
            for stack in regexes.filter_map(|regex| regex.stack) {
                let largest = largest.get_or_insert(stack);
                largest.start = largest.start.max(stack.start);
                largest.most = largest.most.max(stack.most);
            }
        }
        let bytes = |count| usize::try_from(count).unwrap_or(usize::MAX);
        Self {
            stack: largest.map(|stack| (bytes(stack.start), bytes(stack.most))),
            compiled: RefCell::default(),
        }
    }

    fn pattern(&self, regex: &Regex) -> Result<Pattern, Trouble> {
        let mut compiled = self.compiled.borrow_mut();
        let same_options = compiled.entry(regex.options).or_default();
        if let Some(pattern) = same_options.get(&regex.pattern) {
            return Ok(pattern.clone());
        }
        let pattern = Pattern::compile(&regex.pattern, options(regex.options), self.stack)
            .map_err(|error| trouble(&error))?;
        same_options.insert(regex.pattern.clone(), pattern.clone());
        Ok(pattern)
    }
}

/// The options as `sys` has them; it knows all of their names.
pub(crate) fn options(options: RegexOptions) -> Options {
    Options::named(options.names()).unwrap_or_default()
}

fn trouble(error: &impl fmt::Display) -> Trouble {
    Trouble {
        kind: TroubleKind::Other,
        number: 0,
        text: error.to_string().into(),
    }
}

impl lvs::dialogue::Patterns for Patterns {
    fn matcher(&self, regex: &Regex) -> Result<Box<dyn BodyMatcher>, Trouble> {
        let pattern = self.pattern(regex)?;
        let search = pattern.search(regex.min_offset, regex.max_offset);
        Ok(Box::new(Matcher(search)))
    }
}

/// A pattern that is looked for in one page.
#[derive(Debug)]
struct Matcher(Search);

impl BodyMatcher for Matcher {
    fn feed(&mut self, bytes: &[u8]) {
        self.0.feed(bytes);
    }

    fn finish(&mut self) -> Result<bool, Trouble> {
        self.0.finish().map_err(|error| trouble(&error))
    }
}

#[cfg(test)]
mod tests {
    use lvs::dialogue::Patterns as _;

    use super::*;

    fn regex(pattern: &str) -> Regex {
        Regex {
            pattern: pattern.into(),
            options: RegexOptions::default(),
            no_match: false,
            min_offset: 0,
            max_offset: None,
            stack: None,
        }
    }

    #[test]
    fn every_option_is_known() {
        for name in RegexOptions::NAMES {
            let mut set = RegexOptions::default();
            assert!(set.insert(name));
            assert_ne!(options(set), Options::default(), "{name}");
        }
    }

    #[test]
    fn equal_patterns_are_one() {
        let patterns = Patterns::default();
        let late = Regex {
            min_offset: 3,
            ..regex("b")
        };
        let mut caseless = regex("b");
        assert!(caseless.options.insert("caseless"));
        for (regex, wanted) in [
            (&regex("b"), Ok(true)),
            (&regex("b"), Ok(true)),
            (&late, Ok(false)),
            (&caseless, Ok(true)),
            (&regex("B"), Ok(false)),
        ] {
            let mut matcher = patterns.matcher(regex).unwrap();
            matcher.feed(b"ab");
            assert_eq!(matcher.finish(), wanted);
        }
        let counts: Vec<_> = patterns
            .compiled
            .borrow()
            .values()
            .map(BTreeMap::len)
            .collect();
        assert_eq!(counts, [2, 1]);
    }

    #[test]
    fn what_is_no_pattern_is_trouble() {
        let trouble = Patterns::default().matcher(&regex("a(b")).unwrap_err();
        assert_eq!(&*trouble.text, "missing closing parenthesis at offset 3");
    }
}
