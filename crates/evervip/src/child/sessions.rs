//! The states of BFD sessions, as a child hears of them that goes by them.
//!
//! The BFD process tells them over a channel of its own. It is another process, so a state may come before the settings that
//! name the session: what was told is kept.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context as _, Result};
use log::{debug, error, warn};
use sys::channel::{Channel, Receipt};
use sys::event_loop::EventLoop;
use types::Instant;

use crate::messages::{LONGEST, SessionStates};

/// Messages that are heard before it is somebody else's turn.
const MOST_MESSAGES: usize = 16;

/// So long what was told last stands without a BFD process: a successor begins sooner, unless something keeps it from beginning.
const PATIENCE: Duration = Duration::from_secs(3);

/// What was told of sessions, by their names.
pub(crate) struct Sessions {
    token: u64,
    channel: Option<Channel>,
    known: BTreeMap<String, bool>,
    /// Nobody would say that a session is down any more: they all count as down then.
    give_up_at: Option<Instant>,
}

impl Sessions {
    /// `up`: those that the parent knows to be up, as of then. The token is for the channel when it comes.
    pub(crate) fn new(
        now: Instant,
        token: u64,
        (up, as_of): (impl IntoIterator<Item = String>, Instant),
    ) -> Self {
        let give_up_at = Some(as_of + PATIENCE).filter(|at| now < *at);
        let up = up.into_iter().filter(|_| give_up_at.is_some());
        Self {
            token,
            channel: None,
            known: up.map(|name| (name, true)).collect(),
            give_up_at,
        }
    }

    /// When [`tick`](Self::tick) has something to do.
    pub(crate) const fn next_wake(&self) -> Option<Instant> {
        self.give_up_at
    }

    /// If there has been no BFD process for too long: which sessions are down because of that.
    pub(crate) fn tick(&mut self, now: Instant) -> Vec<(String, bool)> {
        if self.give_up_at.is_none_or(|at| now < at) {
            return Vec::new();
        }
        self.give_up_at = None;
        let up = self.known.iter_mut().filter(|(_, up)| **up);
        let lost: Vec<(String, bool)> = up
            .map(|(name, up)| {
                *up = false;
                (name.clone(), false)
            })
            .collect();
        if !lost.is_empty() {
            warn!(
                "there has been no BFD process for {} s: {} sessions count as down",
                PATIENCE.as_secs(),
                lost.len()
            );
        }
        lost
    }

    /// What is known of all of them.
    pub(crate) fn all(&self) -> Vec<(String, bool)> {
        let known = self.known.iter();
        known.map(|(name, up)| (name.clone(), *up)).collect()
    }

    /// There is a BFD process, another one than before. What the last one said stands until this one says otherwise.
    pub(crate) fn listen_to(&mut self, now: Instant, channel: Channel, events: &EventLoop) {
        self.hang_up(now, events);
        match events.add(&channel, self.token) {
            Ok(()) => self.channel = Some(channel),
            Err(problem) => error!("cannot listen to the BFD process: {problem}"),
        }
    }

    /// What it says.
    ///
    /// # Errors
    /// When it is not understood, and nothing would be heard any more.
    pub(crate) fn hear(&mut self, now: Instant, events: &EventLoop) -> Result<Vec<(String, bool)>> {
        let mut news = Vec::new();
        let mut buffer = vec![0; LONGEST];
        for _ in 0..MOST_MESSAGES {
            let Some(channel) = &self.channel else { break };
            let length = match channel.receive(&mut buffer) {
                Ok(Receipt::Message { length, .. }) => length,
                Ok(Receipt::Nothing) => break,
                Ok(Receipt::Closed) => {
                    self.hang_up(now, events);
                    break;
                }
                // Whoever comes after us is connected anew.
                Err(problem) => return Err(problem).context("states of BFD sessions"),
            };
            let bytes = buffer.get(..length).unwrap_or_default();
            let message = postcard::from_bytes(bytes).context("states of BFD sessions")?;
            self.note(now, message, &mut news);
        }
        Ok(news)
    }

    fn note(&mut self, now: Instant, message: SessionStates, news: &mut Vec<(String, bool)>) {
        self.give_up_at = None;
        if message.are_all {
            self.known.clear();
        }
        for state in message.states {
            debug!(
                "Received BFD event: instance {} is in state {} (delivered in {} usec)",
                state.name,
                if state.up { "Up" } else { "Down" },
                now.since(state.at).as_micros()
            );
            self.known.insert(state.name.clone(), state.up);
            news.push((state.name, state.up));
        }
    }

    /// Nobody speaks any more. Somebody who is connected and says nothing does not change that.
    fn hang_up(&mut self, now: Instant, events: &EventLoop) {
        self.give_up_at.get_or_insert(now + PATIENCE);
        if let Some(channel) = self.channel.take()
            && let Err(problem) = events.remove(&channel)
        {
            error!("cannot stop listening to the BFD process: {problem}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::messages::SessionState;

    fn say(far: &Channel, are_all: bool, states: &[(&str, bool)]) {
        let states = states.iter().map(|(name, up)| SessionState {
            name: (*name).to_owned(),
            up: *up,
            at: Instant::ZERO,
        });
        let message = SessionStates {
            are_all,
            states: states.collect(),
        };
        let bytes = postcard::to_allocvec(&message).unwrap();
        assert_eq!(
            far.send(&bytes, None).unwrap(),
            sys::channel::Delivery::Sent
        );
    }

    #[test]
    fn what_was_told_is_kept_until_all_is_told_anew() {
        let events = EventLoop::new().unwrap();
        let mut sessions = Sessions::new(Instant::ZERO, 7, (["a".to_owned()], Instant::ZERO));
        assert_eq!(sessions.all(), [("a".to_owned(), true)]);
        let (far, near) = Channel::pair().unwrap();
        sessions.listen_to(Instant::ZERO, near.into(), &events);
        say(&far, false, &[("b", true), ("a", false)]);
        let heard = sessions.hear(Instant::ZERO, &events).unwrap();
        assert_eq!(heard, [("b".to_owned(), true), ("a".to_owned(), false)]);
        assert_eq!(
            sessions.all(),
            [("a".to_owned(), false), ("b".to_owned(), true)]
        );
        say(&far, true, &[("b", true)]);
        assert_eq!(
            sessions.hear(Instant::ZERO, &events).unwrap(),
            [("b".to_owned(), true)]
        );
        assert_eq!(sessions.all(), [("b".to_owned(), true)]);
        assert_eq!(sessions.next_wake(), None);
        // It dies, and another one comes.
        drop(far);
        assert_eq!(sessions.hear(Instant::ZERO, &events).unwrap(), []);
        assert_eq!(sessions.all(), [("b".to_owned(), true)]);
        let (far, near) = Channel::pair().unwrap();
        sessions.listen_to(Instant::ZERO, near.into(), &events);
        say(&far, true, &[("b", false)]);
        assert_eq!(
            sessions.hear(Instant::ZERO, &events).unwrap(),
            [("b".to_owned(), false)]
        );
    }

    #[test]
    fn without_anybody_to_say_otherwise_nothing_stays_up() {
        let events = EventLoop::new().unwrap();
        let up = || ["a".to_owned()];
        let mut sessions = Sessions::new(Instant::ZERO, 7, (up(), Instant::ZERO));
        let end = Instant::ZERO + PATIENCE;
        let before = end.before(Duration::from_nanos(1));
        // None comes at all.
        assert_eq!(sessions.next_wake(), Some(end));
        assert_eq!(sessions.tick(before), []);
        assert_eq!(sessions.tick(end), [("a".to_owned(), false)]);
        assert_eq!(sessions.all(), [("a".to_owned(), false)]);
        assert_eq!((sessions.next_wake(), sessions.tick(end)), (None, vec![]));
        // One dies, and no other comes.
        let (far, near) = Channel::pair().unwrap();
        sessions.listen_to(Instant::ZERO, near.into(), &events);
        say(&far, true, &[("a", true), ("b", false)]);
        drop(far);
        let news = sessions.hear(end, &events).unwrap();
        assert_eq!(news, [("a".to_owned(), true), ("b".to_owned(), false)]);
        let later = end + PATIENCE;
        // Another one comes, says nothing, and goes.
        let (_, near) = Channel::pair().unwrap();
        sessions.listen_to(end, near.into(), &events);
        assert_eq!(sessions.hear(end, &events).unwrap(), []);
        assert_eq!(sessions.next_wake(), Some(later));
        assert_eq!(sessions.tick(later), [("a".to_owned(), false)]);
        // Whoever begins so late knows of none.
        let late = Sessions::new(end, 7, (up(), Instant::ZERO));
        assert_eq!((late.all(), late.next_wake()), (vec![], None));
    }

    #[test]
    fn nonsense_is_told() {
        let events = EventLoop::new().unwrap();
        let mut sessions = Sessions::new(Instant::ZERO, 7, ([], Instant::ZERO));
        let (far, near) = Channel::pair().unwrap();
        sessions.listen_to(Instant::ZERO, near.into(), &events);
        assert_eq!(
            far.send(&[0xff; 40], None).unwrap(),
            sys::channel::Delivery::Sent
        );
        let problem = sessions.hear(Instant::ZERO, &events).unwrap_err();
        assert_eq!(problem.to_string(), "states of BFD sessions");
    }
}
