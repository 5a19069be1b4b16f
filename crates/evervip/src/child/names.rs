//! Names that the parent keeps for whoever comes after this process or needs them, and how much of them it knows.
//!
//! It is told of changes, a limited number in one message.

use std::collections::{BTreeMap, BTreeSet};

use log::error;
use sys::channel::Delivery;

use super::line::Line;
use crate::messages::{NAMES_PER_MESSAGE, ToParent};

/// Bytes of names in one message, whose length is limited.
const MOST_BYTES: usize = 32 * 1024;

/// What the parent has been told.
pub(crate) struct Names {
    /// What they are, for messages: "which servers are down".
    what: &'static str,
    told: BTreeSet<String>,
    /// What it has yet to be told: names that are to be added (`true`), and names that are to be taken out. The last word on
    /// each: one that has changed twice while the parent did not listen must not be in one message both ways.
    news: BTreeMap<String, bool>,
}

impl Names {
    /// `told`: what the parent handed us.
    pub(crate) const fn new(what: &'static str, told: BTreeSet<String>) -> Self {
        Self {
            what,
            told,
            news: BTreeMap::new(),
        }
    }

    /// Whether the parent has yet to be told something.
    pub(crate) fn are_pending(&self) -> bool {
        !self.news.is_empty()
    }

    /// These it should know now, and no others.
    pub(crate) fn change(&mut self, names: BTreeSet<String>) {
        let gained = names
            .difference(&self.told)
            .map(|name| (name.clone(), true));
        let lost = self
            .told
            .difference(&names)
            .map(|name| (name.clone(), false));
        self.news.extend(gained.chain(lost));
        self.told = names;
    }

    /// This one it should know, or should not.
    pub(crate) fn change_one(&mut self, name: &str, known: bool) {
        let changes = if known {
            self.told.insert(name.to_owned())
        } else {
            self.told.remove(name)
        };
        if changes {
            self.news.insert(name.to_owned(), known);
        }
    }

    /// Tells the parent what it does not know yet, as far as it listens.
    pub(crate) fn tell(&mut self, parent: &Line) {
        while !self.news.is_empty() {
            let some = self.portion();
            let names = |wanted: bool| {
                let names = some.iter().filter(move |(_, known)| *known == wanted);
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
                    error!("cannot tell the parent {}: {problem:#}", self.what);
                    self.news.clear();
                }
            }
        }
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
        some.map(|(name, known)| (name.clone(), *known)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn of_one_that_changes_twice_the_last_word_is_told() {
        let mut told = Names::new("", names(&["a"]));
        // The parent does not listen meanwhile.
        told.change(names(&["b"]));
        told.change(names(&["a", "c"]));
        let portion = told.portion();
        let told: Vec<(&str, bool)> = portion
            .iter()
            .map(|(name, known)| (name.as_str(), *known))
            .collect();
        assert_eq!(told, [("a", true), ("b", false), ("c", true)]);
    }

    #[test]
    fn a_message_takes_so_many_names_and_bytes() {
        let many: BTreeSet<String> = (0..500).map(|number| format!("{number:04}")).collect();
        let mut told = Names::new("", BTreeSet::new());
        told.change(many);
        assert_eq!(told.portion().len(), NAMES_PER_MESSAGE);
        let long: BTreeSet<String> = (0..3)
            .map(|number| format!("{number}{}", "x".repeat(MOST_BYTES / 2)))
            .collect();
        let mut told = Names::new("", BTreeSet::new());
        told.change(long);
        assert_eq!(told.portion().len(), 1);
    }
}
