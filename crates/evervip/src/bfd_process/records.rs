//! What the parent keeps of sessions: should this process die, its successor goes on with it, and whoever goes by a session begins
//! with it.

use std::collections::BTreeMap;
use std::time::Duration;

use bfd::Record;
use log::error;
use sys::channel::Delivery;
use types::Instant;

use crate::child::line::Line;
use crate::messages::{SESSIONS_PER_MESSAGE, ToParent};

/// When to try again to tell a parent that has too much to read.
const PACE: Duration = Duration::from_millis(100);

/// What the parent has yet to be told: of each session the last word.
#[derive(Default)]
pub(super) struct Records {
    news: BTreeMap<String, Option<Record>>,
    try_at: Option<Instant>,
}

impl Records {
    /// There is this to know of a session now, or nothing.
    pub(super) fn keep(&mut self, name: String, record: Option<Record>) {
        self.news.insert(name, record);
    }

    /// When [`tell`](Self::tell) has something to do that it could not do before.
    pub(super) const fn next_wake(&self) -> Option<Instant> {
        self.try_at
    }

    /// Tells the parent, as far as it listens.
    pub(super) fn tell(&mut self, now: Instant, parent: &Line) {
        if self.try_at.is_some_and(|at| now < at) {
            return;
        }
        self.try_at = None;
        while !self.news.is_empty() {
            let some = self.news.iter().take(SESSIONS_PER_MESSAGE);
            let some: Vec<_> = some
                .map(|(name, record)| (name.clone(), record.clone()))
                .collect();
            let names: Vec<String> = some.iter().map(|(name, _)| name.clone()).collect();
            match parent.send(&ToParent::Sessions(some)) {
                Ok(Delivery::Sent) => {
                    for name in names {
                        self.news.remove(&name);
                    }
                }
                Ok(Delivery::Full) => {
                    self.try_at = Some(now + PACE);
                    return;
                }
                Ok(Delivery::Closed) => self.news.clear(),
                Err(problem) => {
                    error!("cannot tell the parent of BFD sessions: {problem:#}");
                    self.news.clear();
                }
            }
        }
    }
}
