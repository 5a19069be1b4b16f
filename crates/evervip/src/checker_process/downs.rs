//! Which real servers are down, and how much of it the parent knows: should this process die, its successor begins with
//! that, and no dead server gets connections until its next check.
//!
//! The parent keeps names. It is told of changes, a limited number in one message.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use log::error;
use lvs::Lvs;
use sys::channel::Delivery;
use types::Instant;

use crate::child::line::Line;
use crate::messages::{NAMES_PER_MESSAGE, ToParent};

/// When many servers turn at once, it is not looked at all of them for each.
const PACE: Duration = Duration::from_millis(100);
/// Bytes of names in one message, whose length is limited.
const MOST_BYTES: usize = 32 * 1024;

/// What the parent has been told.
pub(super) struct Downs {
    told: BTreeSet<String>,
    /// What it has yet to be told: names that are to be added (`true`), and names that are to be taken out. The last word on
    /// each: a server that has turned twice while the parent did not listen must not be in one message both ways.
    news: BTreeMap<String, bool>,
    /// The core's count of turns at the last look.
    read_at: Option<u64>,
    look_at: Instant,
}

impl Downs {
    /// `told`: what the parent handed us.
    pub(super) const fn new(told: BTreeSet<String>) -> Self {
        Self {
            told,
            news: BTreeMap::new(),
            read_at: None,
            look_at: Instant::ZERO,
        }
    }

    /// When there is something to tell that had to wait.
    pub(super) fn next_wake(&self, core: &Lvs) -> Option<Instant> {
        (self.is_behind(core) || !self.news.is_empty()).then_some(self.look_at)
    }

    fn is_behind(&self, core: &Lvs) -> bool {
        self.read_at != Some(core.turns())
    }

    /// Tells the parent what it does not know yet.
    pub(super) fn tell(&mut self, now: Instant, core: &Lvs, parent: &Line) {
        if now < self.look_at {
            return;
        }
        if self.is_behind(core) {
            self.read_at = Some(core.turns());
            self.look(core.down().collect());
            self.look_at = now + PACE;
        }
        while !self.news.is_empty() {
            let some = self.portion();
            let names = |wanted: bool| {
                let names = some.iter().filter(move |(_, down)| *down == wanted);
                names.map(|(name, _)| name.clone()).collect()
            };
            let message = ToParent::Names {
                gained: names(true),
                lost: names(false),
            };
            match parent.send(&message) {
                Ok(Delivery::Sent) => {
                    for (name, _) in &some {
                        self.news.remove(name);
                    }
                }
                // Told a little later.
                Ok(Delivery::Full) => break,
                Ok(Delivery::Closed) => self.news.clear(),
                Err(problem) => {
                    error!("cannot tell the parent which servers are down: {problem:#}");
                    self.news.clear();
                }
            }
        }
        if !self.news.is_empty() {
            self.look_at = now + PACE;
        }
    }

    /// Finds out what has changed now that these are down.
    fn look(&mut self, down: BTreeSet<String>) {
        let gained = down.difference(&self.told).map(|name| (name.clone(), true));
        let lost = self
            .told
            .difference(&down)
            .map(|name| (name.clone(), false));
        self.news.extend(gained.chain(lost));
        self.told = down;
    }

    /// As much as fits into a message.
    fn portion(&self) -> Vec<(String, bool)> {
        let mut bytes = 0;
        let fits = |(name, _): &(&String, &bool)| {
            let first = bytes == 0;
            bytes += name.len();
            first || bytes <= MOST_BYTES
        };
        let some = self.news.iter().take(NAMES_PER_MESSAGE).take_while(fits);
        some.map(|(name, down)| (name.clone(), *down)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn of_a_server_that_turns_twice_the_last_word_is_told() {
        let mut downs = Downs::new(names(&["a"]));
        // The parent does not listen meanwhile.
        downs.look(names(&["b"]));
        downs.look(names(&["a", "c"]));
        let told = downs.portion();
        let told: Vec<(&str, bool)> = told
            .iter()
            .map(|(name, down)| (name.as_str(), *down))
            .collect();
        assert_eq!(told, [("a", true), ("b", false), ("c", true)]);
    }

    #[test]
    fn a_message_takes_so_many_names_and_bytes() {
        let many: BTreeSet<String> = (0..500).map(|number| format!("{number:04}")).collect();
        let mut downs = Downs::new(BTreeSet::new());
        downs.look(many);
        assert_eq!(downs.portion().len(), NAMES_PER_MESSAGE);
        let long: BTreeSet<String> = (0..3)
            .map(|number| format!("{number}{}", "x".repeat(MOST_BYTES / 2)))
            .collect();
        let mut downs = Downs::new(BTreeSet::new());
        downs.look(long);
        assert_eq!(downs.portion().len(), 1);
    }
}
