//! What a successor of this process needs, so that nobody notices that there is another one: the neighbour's detection time is
//! longer than it takes to begin again.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::string::String;
use core::net::IpAddr;
use core::num::NonZeroU32;
use core::time::Duration;

use serde::{Deserialize, Serialize};
use types::Instant;
use types::bfd::Port;
use wire::bfd::{Diagnostic, State};

use crate::action::Action;
use crate::bfd::{Bfd, Shared};
use crate::event::SessionEvent;
use crate::intervals;
use crate::poll::InForce;
use crate::session::{Remote, Session};
use crate::settings;

/// A session that those who go by it take for up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// The neighbour, the own address if there is one, and the port: another session of that name is another session.
    ends: (IpAddr, Option<IpAddr>, Port),
    /// `None`: it is down, for its neighbour's administrator wants it so.
    up: Option<Up>,
}

/// What the two ends have agreed upon.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Up {
    discriminator: NonZeroU32,
    remote_discriminator: u32,
    remote_multiplier: u8,
    remote_min_tx: Duration,
    remote_min_rx: Duration,
    /// See [`InForce`].
    min_tx: Duration,
    min_rx: Duration,
    /// See [`Session::borrowed_until`]: a predecessor of the predecessor was heard of last.
    until: Option<Instant>,
}

/// What a predecessor left.
#[derive(Debug, Default)]
pub(crate) struct Legacy {
    records: BTreeMap<String, Record>,
    alive: Option<Instant>,
}

impl Bfd {
    /// A predecessor died: what it had recorded ([`Action::Remember`]), and when it was alive the last time. To be told before
    /// the first settings. Sessions whose detection time is not over go on as if nothing had happened.
    pub fn handle_predecessor(
        &mut self,
        records: impl IntoIterator<Item = (String, Record)>,
        alive: Option<Instant>,
    ) {
        self.legacy = Legacy {
            records: records.into_iter().collect(),
            alive,
        };
    }

    /// A session begins: as a predecessor left it, or anew.
    pub(crate) fn inherit(&mut self, now: Instant, session: &mut Session) {
        if let Some(record) = self.legacy.records.remove(&session.settings.name) {
            session.resume(now, record, self.legacy.alive, &mut self.shared);
        }
    }

    /// What there are no sessions for any more need not be recorded any more.
    pub(crate) fn disclaim(&mut self) {
        for (name, _) in core::mem::take(&mut self.legacy).records {
            self.shared.actions.push_back(Action::Remember(name, None));
        }
    }
}

fn ends(settings: &settings::Session) -> (IpAddr, Option<IpAddr>, Port) {
    (settings.neighbor, settings.source, settings.port())
}

impl Session {
    fn record(&self) -> Option<Record> {
        if !self.told {
            return None;
        }
        let remote = &self.remote;
        let up = (self.local == State::Up).then_some(Up {
            discriminator: self.discriminator,
            remote_discriminator: remote.discriminator,
            remote_multiplier: remote.multiplier,
            remote_min_tx: remote.min_tx,
            remote_min_rx: remote.min_rx,
            min_tx: self.in_force.min_tx,
            min_rx: self.in_force.min_rx,
            until: self.borrowed_until,
        });
        Some(Record {
            ends: ends(&self.settings),
            up,
        })
    }

    /// Lets the host know, if there is another thing to be recorded than before.
    pub(crate) fn keep_record(&mut self, shared: &mut Shared) {
        let record = self.record();
        if record != self.recorded {
            self.recorded.clone_from(&record);
            let name = self.settings.name.clone();
            let record = record.map(Box::new);
            shared.actions.push_back(Action::Remember(name, record));
        }
    }

    /// It has just begun. Goes on where a predecessor was, which was `alive` then.
    fn resume(
        &mut self,
        now: Instant,
        record: Record,
        alive: Option<Instant>,
        shared: &mut Shared,
    ) {
        self.recorded = Some(record.clone());
        if record.ends != ends(&self.settings) {
            return;
        }
        let Some(up) = record.up else {
            self.told = true;
            return;
        };
        let remote = Remote {
            state: State::Up,
            discriminator: up.remote_discriminator,
            diagnostic: Diagnostic::None,
            demand: false,
            multiplier: up.remote_multiplier,
            min_tx: up.remote_min_tx,
            min_rx: up.remote_min_rx,
            // All that had come until then was heard.
            last_heard: alive,
        };
        let in_force = InForce {
            min_tx: up.min_tx,
            min_rx: up.min_rx,
        };
        let detection_time =
            intervals::detection_time(up.remote_multiplier, up.min_rx, up.remote_min_tx);
        // The last packet may be as old as the time between two.
        let end = alive.map(|alive| {
            let end = alive + detection_time;
            up.until.map_or(end, |until| end.min(until))
        });
        let is_free = !shared.discriminators.contains_key(&up.discriminator.get());
        let Some(end) = end.filter(|end| now < *end && is_free) else {
            self.report(SessionEvent::TooLate, shared);
            return;
        };
        (self.remote, self.in_force) = (remote, in_force);
        self.local = State::Up;
        self.told = true;
        shared.discriminators.remove(&self.discriminator.get());
        shared
            .discriminators
            .insert(up.discriminator.get(), self.id);
        self.discriminator = up.discriminator;
        self.timers.expire = Some(end);
        self.borrowed_until = Some(end);
        // The settings may be others, and the last poll may not have been answered.
        self.in_force
            .told(self.settings.min_tx, self.settings.min_rx);
        self.poll.ask();
        self.report(SessionEvent::Resumed, shared);
    }
}
