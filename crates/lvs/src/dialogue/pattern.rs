//! Patterns for the body of a page. What a pattern means is known outside of this crate: the host hands a [`Patterns`] in
//! with each attempt.

use std::fmt;

use super::{Trouble, TroubleKind};
use crate::settings::checkers::Regex;

/// Where matchers come from. Equal patterns share what is costly about them.
pub trait Patterns {
    /// Begins to look for a pattern.
    ///
    /// # Errors
    /// When it cannot be looked for. A pattern that is wrong has been refused with the configuration.
    fn matcher(&self, regex: &Regex) -> Result<Box<dyn BodyMatcher>, Trouble>;
}

/// A pattern that is looked for in one body. Its memory is bounded, and what it finds does not depend on how the body is cut.
pub trait BodyMatcher: fmt::Debug {
    /// The next bytes of the body.
    fn feed(&mut self, bytes: &[u8]);

    /// The body has ended: whether it matches, from `regex_min_offset` on and not beginning behind `regex_max_offset`.
    ///
    /// # Errors
    /// When that is not known, for the pattern takes too long or too much memory.
    fn finish(&mut self) -> Result<bool, Trouble>;
}

/// For checks without patterns.
#[derive(Clone, Copy, Debug)]
pub struct NoPatterns;

impl Patterns for NoPatterns {
    fn matcher(&self, _regex: &Regex) -> Result<Box<dyn BodyMatcher>, Trouble> {
        Err(Trouble {
            kind: TroubleKind::Other,
            number: 0,
            text: "patterns are not to be had here".into(),
        })
    }
}
