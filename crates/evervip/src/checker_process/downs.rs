//! Which real servers are down, and how much of it the parent knows: should this process die, its successor begins with
//! that, and no dead server gets connections until its next check.
//!
//! The parent keeps names. It is told of changes, a limited number in one message.

use std::collections::BTreeSet;
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
    /// What it has yet to be told: names that are to be added, and names that are to be taken out.
    news: Vec<(String, bool)>,
    /// The core's count of turns at the last look.
    read_at: Option<u64>,
    look_at: Instant,
}

impl Downs {
    /// `told`: what the parent handed us.
    pub(super) const fn new(told: BTreeSet<String>) -> Self {
        Self {
            told,
            news: Vec::new(),
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
            self.look(core);
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
                Ok(Delivery::Sent) => drop(self.news.drain(..some.len())),
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

    /// Finds out what has changed.
    fn look(&mut self, core: &Lvs) {
        self.read_at = Some(core.turns());
        let down: BTreeSet<String> = core.down().collect();
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
        let fits = |(name, _): &&(String, bool)| {
            let first = bytes == 0;
            bytes += name.len();
            first || bytes <= MOST_BYTES
        };
        let some = self.news.iter().take(NAMES_PER_MESSAGE).take_while(fits);
        some.cloned().collect()
    }
}
