//! A watchdog on ourselves: checks that should have run and did not; and entries of the kernel's table that are not what
//! they should be, because somebody else changed them or the kernel refused a command.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use types::Instant;
use types::ipvs::ServiceKey;

use crate::action::{Action, CheckId, Level};
use crate::check::{Check, Phase};
use crate::dialogue::http::PATIENCE;
use crate::lvs::{Lvs, RefusalKind};
use crate::meddling::differences;
use crate::names::{ServerName, ServiceName};
use crate::settings::checkers::{Checker, CheckerKind};
use crate::table::Held;

/// How often somebody looks.
const ROUND: Duration = Duration::from_secs(5);
/// In so many rounds the whole table is read back.
const ROUNDS: usize = 12;
/// A command was refused because somebody else was faster: the truth is read so soon.
const SOON: Duration = Duration::from_millis(500);
/// It refused for reasons of its own: it is asked again so late.
const REFUSED: Duration = Duration::from_secs(10);
/// An attempt that is under way for so many times as long as any may take has been lost by whoever made it.
const LOST: u32 = 10;
/// A command that is killed is gone by then.
const KILLED: Duration = Duration::from_secs(10);
/// A check that did not run for so many of its intervals is reported.
const INTERVALS: u32 = 3;
/// So many are named at a time: what keeps one check from running may keep ten thousand.
const MOST_NAMED: usize = 20;

/// When somebody looks again, and at what.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    round: Option<Instant>,
    /// The service that was read last.
    last: Option<ServiceKey>,
    /// Services to be read before that, and when.
    suspects: BTreeMap<ServiceKey, Instant>,
    /// Services that differ because the kernel refused a command, not because of somebody else.
    refused: BTreeSet<ServiceKey>,
    /// Services that the kernel refused to make, and was not asked for again since.
    pub(crate) unmade: BTreeSet<ServiceKey>,
}

impl Watch {
    pub(crate) fn next(&self) -> Option<Instant> {
        let suspects = self.suspects.values().copied();
        suspects.chain(self.round).min()
    }

    /// There is something to look at. Does nothing when it has begun.
    pub(crate) fn begin(&mut self, now: Instant) {
        self.round.get_or_insert(now + ROUND);
    }

    pub(crate) fn stop(&mut self) {
        // What was never made is still not to be removed.
        let unmade = std::mem::take(&mut self.unmade);
        *self = Self {
            unmade,
            ..Self::default()
        };
    }

    /// A service is to be read soon.
    pub(crate) fn look_soon(&mut self, now: Instant, key: ServiceKey) {
        self.suspects.insert(key, now + SOON);
    }

    /// The kernel refused a command for a service.
    pub(crate) fn suspect(&mut self, now: Instant, key: ServiceKey, kind: RefusalKind) {
        // Where the kernel refuses a service, its destinations are refused, too; the reason will still be there in a moment.
        // Further refusals do not put off the moment when it is asked again.
        let late = now + REFUSED;
        let at = match kind {
            RefusalKind::Other if self.refused.insert(key) => {
                self.suspects.insert(key, late);
                late
            }
            RefusalKind::Other | RefusalKind::Exists | RefusalKind::Missing
                if self.refused.contains(&key) =>
            {
                late
            }
            RefusalKind::Other | RefusalKind::Exists | RefusalKind::Missing => now + SOON,
        };
        self.suspects
            .entry(key)
            .and_modify(|known| *known = (*known).min(at))
            .or_insert(at);
    }
}

impl Lvs {
    /// Looks, if it is time.
    pub(crate) fn keep_watch(&mut self, now: Instant) {
        let mut keys: BTreeSet<ServiceKey> = BTreeSet::new();
        self.watch.suspects.retain(|key, at| {
            let due = *at <= now;
            if due {
                keys.insert(*key);
            }
            !due
        });
        if self.watch.round.is_some_and(|round| round <= now) {
            self.watch.round = Some(now + ROUND);
            for _ in 0..self.table.len().div_ceil(ROUNDS) {
                let next = self.table.after(self.watch.last.as_ref());
                self.watch.last = next;
                // A suspect has its own turn.
                keys.extend(next.filter(|key| !self.watch.suspects.contains_key(key)));
            }
            self.look_at_checks(now);
        }
        // What is still to be done there is done by then.
        self.converge();
        self.actions.extend(keys.into_iter().map(Action::Read));
    }

    /// What the kernel holds in a service; `None`: there is no such service.
    pub fn handle_service(&mut self, now: Instant, key: ServiceKey, held: Option<Held>) {
        self.now = now;
        if !self.users.contains_key(&key) {
            // Ours until it is gone; then it may be somebody else's.
            if self.leaving.remove(&key) && held.is_some() {
                self.table.learn(key, held);
                self.dirty.insert(key);
                self.finish();
            }
            return;
        }
        self.leaving.remove(&key);
        self.watch.unmade.remove(&key);
        if !self.watch.refused.remove(&key) {
            for line in differences(&key, self.table.get(&key), held.as_ref()) {
                self.say(Level::Warning, line);
            }
        }
        self.table.learn(key, held);
        self.dirty.insert(key);
        self.finish();
    }

    fn look_at_checks(&mut self, now: Instant) {
        let late: Vec<(CheckId, Duration, Duration)> = self
            .checks
            .iter()
            .filter_map(|(id, check)| {
                let checker = self.checker(id)?;
                let intervals = checker.delay_loop.as_duration() * INTERVALS;
                let (since, allowed) = match check.phase {
                    Phase::Waiting => (check.due, intervals),
                    // An attempt may take a while by itself.
                    Phase::Trying | Phase::Running(_) => {
                        (check.began, intervals + longest(checker))
                    }
                    Phase::Suspended | Phase::Told => return None,
                };
                let silent = now.since(since);
                (silent > allowed).then_some((id, silent, allowed))
            })
            .collect();
        let mut fresh: usize = 0;
        for (id, silent, allowed) in late {
            let Some(check) = self.checks.get_mut(id) else {
                continue;
            };
            let said = std::mem::replace(&mut check.lateness_said, true);
            let check = *check;
            if !said {
                fresh += 1;
                if fresh <= MOST_NAMED {
                    self.say_late(&check, silent);
                }
            }
            if check.phase == Phase::Trying && silent > allowed * LOST {
                self.abandon(id);
                if let Some(check) = self.checks.get_mut(id) {
                    check.phase = Phase::Waiting;
                    check.due = now;
                    self.timeline.arm(now, id);
                }
            }
        }
        if let Some(more) = fresh.checked_sub(MOST_NAMED).filter(|more| *more > 0) {
            let text = format!("{more} more checks have not come to an end for as long");
            self.say(Level::Warning, text);
        }
    }

    fn say_late(&mut self, check: &Check, silent: Duration) {
        let Some((service, server)) = self.server_of(check) else {
            return;
        };
        let settings = &self.settings;
        let text = format!(
            "a check of {} of VS {} has not come to an end for {} s, more than {INTERVALS} of its intervals: what is known \
             of the server is as old",
            ServerName::of(server, service),
            ServiceName { service, settings },
            silent.as_secs()
        );
        self.say(Level::Warning, text);
    }
}

/// How long an attempt may take.
fn longest(checker: &Checker) -> Duration {
    let times = match &checker.kind {
        CheckerKind::Misc(misc) => return misc.timeout.as_duration() + KILLED,
        CheckerKind::File(_) | CheckerKind::Bfd(_) => return Duration::ZERO,
        CheckerKind::Tcp(_) | CheckerKind::Udp(_) | CheckerKind::Dns(_) | CheckerKind::Ping(_) => 1,
        // The connection, and three replies.
        CheckerKind::Smtp(_) => 4,
        // The connection, the handshake of TLS, and the answer.
        CheckerKind::Http(_) => 2 + PATIENCE,
    };
    let endpoint = checker.endpoint();
    endpoint.map_or(Duration::ZERO, |endpoint| {
        endpoint.connect_timeout.as_duration() * times
    })
}
