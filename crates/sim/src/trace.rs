//! What happened in a world, in words, for whoever has to find out why a seed fails.

use core::fmt;

use types::Instant;

/// A log of everything that happened, or nothing: a run is only written down when somebody will read it.
///
/// Because the same seed gives the same run, a failing seed is run a second time, with the log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trace(Option<Vec<String>>);

impl Trace {
    /// A log that keeps nothing.
    #[must_use]
    pub const fn off() -> Self {
        Self(None)
    }

    /// A log that keeps every line.
    #[must_use]
    pub const fn on() -> Self {
        Self(Some(Vec::new()))
    }

    /// Whether anybody will read it.
    #[must_use]
    pub const fn is_on(&self) -> bool {
        self.0.is_some()
    }

    /// Adds a line; the text is only made when it is kept.
    pub fn note(&mut self, now: Instant, what: fmt::Arguments<'_>) {
        if let Some(lines) = &mut self.0 {
            let micros = now.as_nanos() / 1_000;
            lines.push(format!(
                "{:>6}.{:06} {what}",
                micros / 1_000_000,
                micros % 1_000_000
            ));
        }
    }

    /// All lines, the oldest first.
    #[must_use]
    pub fn lines(&self) -> &[String] {
        self.0.as_deref().unwrap_or_default()
    }

    /// The last `count` lines.
    #[must_use]
    pub fn last(&self, count: usize) -> &[String] {
        let lines = self.lines();
        lines
            .get(lines.len().saturating_sub(count)..)
            .unwrap_or_default()
    }
}
