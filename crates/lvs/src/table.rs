//! The kernel's IPVS table as far as it is ours: what it holds, what it should hold, and the difference as commands.
//!
//! Services of others are never touched. A service of ours is ours with everything in it: what somebody else put there is
//! taken out again, what is missing is put back.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use types::ipvs::{Command, DestinationKey, DestinationOptions, ServiceKey, ServiceOptions};

/// A destination as the table has it.
pub type Destination = (DestinationKey, DestinationOptions);

/// A service with its destinations, which are in the order of their keys, each once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// How it is balanced.
    pub options: ServiceOptions,
    /// Its destinations.
    pub destinations: Box<[Destination]>,
}

impl Held {
    /// A service; of destinations with the same key the one with the greatest weight counts.
    pub fn new(options: ServiceOptions, mut destinations: Vec<Destination>) -> Self {
        destinations.sort_by(|(left, own), (right, other)| {
            left.cmp(right).then(other.weight.cmp(&own.weight))
        });
        destinations.dedup_by_key(|(key, _)| *key);
        Self {
            options,
            destinations: destinations.into_boxed_slice(),
        }
    }

    /// A destination.
    pub fn get(&self, key: &DestinationKey) -> Option<&DestinationOptions> {
        let found = self.destinations.binary_search_by_key(key, |(key, _)| *key);
        self.destinations
            .get(found.ok()?)
            .map(|(_, options)| options)
    }
}

/// What the kernel holds, as far as we know.
#[derive(Debug, Default)]
pub(crate) struct Table {
    held: BTreeMap<ServiceKey, Held>,
}

impl Table {
    /// What the kernel said that it holds in a service; `None`: there is no such service.
    pub(crate) fn learn(&mut self, key: ServiceKey, held: Option<Held>) {
        match held {
            Some(held) => self.held.insert(key, held),
            None => self.held.remove(&key),
        };
    }

    pub(crate) fn get(&self, key: &ServiceKey) -> Option<&Held> {
        self.held.get(key)
    }

    /// Forgets what is none of our business.
    pub(crate) fn retain(&mut self, mut ours: impl FnMut(&ServiceKey) -> bool) {
        self.held.retain(|key, _| ours(key));
    }

    /// Everything was removed.
    pub(crate) fn clear(&mut self) {
        self.held.clear();
    }

    /// The first service after a given one, to go round.
    pub(crate) fn after(&self, key: Option<&ServiceKey>) -> Option<ServiceKey> {
        use std::ops::Bound::{Excluded, Unbounded};
        let from = key.map_or(Unbounded, Excluded);
        self.held
            .range((from, Unbounded))
            .next()
            .or_else(|| self.held.iter().next())
            .map(|(key, _)| *key)
    }

    /// How many services there are.
    pub(crate) fn len(&self) -> usize {
        self.held.len()
    }

    /// Makes a service what it should be; the commands that this takes go to `say`. What comes in does so before what goes
    /// out, so that a service is never without a destination in between.
    pub(crate) fn converge(
        &mut self,
        key: ServiceKey,
        wanted: Option<Held>,
        mut say: impl FnMut(Command),
    ) {
        let Some(wanted) = wanted else {
            if self.held.remove(&key).is_some() {
                say(Command::RemoveService(key));
            }
            return;
        };
        let before: &[Destination] = match self.held.get(&key) {
            Some(held) => {
                if held.options != wanted.options {
                    say(Command::EditService(key, wanted.options.clone()));
                }
                &held.destinations
            }
            None => {
                say(Command::AddService(key, wanted.options.clone()));
                &[]
            }
        };
        let mut gone = Vec::new();
        let (mut old, mut new) = (
            before.iter().peekable(),
            wanted.destinations.iter().peekable(),
        );
        loop {
            let order = match (old.peek(), new.peek()) {
                (None, None) => break,
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (Some((old, _)), Some((new, _))) => old.cmp(new),
            };
            let before = (order != Ordering::Greater).then(|| old.next()).flatten();
            let after = (order != Ordering::Less).then(|| new.next()).flatten();
            match (before, after) {
                (Some((name, _)), None) => gone.push(*name),
                (None, Some((name, options))) => {
                    say(Command::AddDestination(key, *name, *options));
                }
                (Some((_, is)), Some((name, options))) if is != options => {
                    say(Command::EditDestination(key, *name, *options));
                }
                _ => {}
            }
        }
        for name in gone {
            say(Command::RemoveDestination(key, name));
        }
        self.held.insert(key, wanted);
    }
}
