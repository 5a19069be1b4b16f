//! Those who go by BFD sessions: the VRRP process and the checkers. Each has a channel of its own, so that no other process is in
//! the way of a verdict.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context as _, Result};
use bfd::Consumer;
use log::error;
use sys::channel::{Channel, Delivery};
use types::Instant;

use crate::messages::{Role, SESSIONS_PER_MESSAGE, SessionState, SessionStates};

/// When to try again to tell somebody who has too much to read.
const PACE: Duration = Duration::from_millis(10);

/// When to try again after something went wrong.
const AFTER_A_FAILURE: Duration = Duration::from_secs(1);

/// All of them.
#[derive(Default)]
pub(super) struct Followers {
    followers: BTreeMap<Consumer, Follower>,
}

struct Follower {
    channel: Channel,
    /// What it has to be told: of each session the last word.
    news: BTreeMap<String, (bool, Instant)>,
    /// What it is told next is all there is.
    all_follows: bool,
    /// It had too much to read; it is tried again then.
    try_at: Option<Instant>,
}

impl Followers {
    /// A child has begun. What it is in the core's words, unless it goes by no sessions.
    pub(super) fn add(&mut self, role: Role, channel: Channel) -> Option<Consumer> {
        let consumer = match role {
            Role::Vrrp => Consumer::Vrrp,
            Role::Checkers => Consumer::Checker,
            Role::Bfd => return None,
        };
        let follower = Follower {
            channel,
            news: BTreeMap::new(),
            all_follows: true,
            try_at: None,
        };
        self.followers.insert(consumer, follower);
        Some(consumer)
    }

    /// Every session will be told.
    pub(super) fn all_follows(&mut self) {
        for follower in self.followers.values_mut() {
            follower.news.clear();
            follower.all_follows = true;
        }
    }

    /// Somebody is to be told something, with the next [`flush`](Self::flush).
    pub(super) fn tell(&mut self, now: Instant, to: Consumer, name: String, up: bool) {
        if let Some(follower) = self.followers.get_mut(&to) {
            follower.news.insert(name, (up, now));
        }
    }

    /// Tells what is to be told, as far as they listen. Whoever did not is not tried again before its time, however much there is to
    /// tell by then.
    pub(super) fn flush(&mut self, now: Instant) {
        self.followers
            .retain(|_, follower| match follower.flush(now) {
                Ok(Delivery::Sent | Delivery::Full) => true,
                // It has died; the parent says when there is another.
                Ok(Delivery::Closed) => false,
                // No memory, perhaps. It is tried again.
                Err(problem) => {
                    error!("cannot tell of BFD sessions: {problem:#}");
                    follower.try_at = Some(now + AFTER_A_FAILURE);
                    true
                }
            });
    }

    pub(super) fn next_wake(&self) -> Option<Instant> {
        let waiting = self.followers.values();
        waiting.filter_map(|follower| follower.try_at).min()
    }

    pub(super) fn tick(&mut self, now: Instant) {
        if self.next_wake().is_some_and(|at| at <= now) {
            self.flush(now);
        }
    }
}

impl Follower {
    fn flush(&mut self, now: Instant) -> Result<Delivery> {
        if self.try_at.is_some_and(|at| now < at) {
            return Ok(Delivery::Full);
        }
        self.try_at = None;
        while self.all_follows || !self.news.is_empty() {
            let some = self.news.iter().take(SESSIONS_PER_MESSAGE);
            let states = some.map(|(name, (up, at))| SessionState {
                name: name.clone(),
                up: *up,
                at: *at,
            });
            let message = SessionStates {
                are_all: self.all_follows,
                states: states.collect(),
            };
            let bytes = postcard::to_allocvec(&message).context("states of BFD sessions")?;
            match self.channel.send(&bytes, None)? {
                Delivery::Sent => {}
                refused @ (Delivery::Full | Delivery::Closed) => {
                    self.try_at = Some(now + PACE);
                    return Ok(refused);
                }
            }
            self.all_follows = false;
            for state in message.states {
                self.news.remove(&state.name);
            }
        }
        Ok(Delivery::Sent)
    }
}

#[cfg(test)]
mod tests {
    use sys::channel::Receipt;

    use super::*;

    fn read(near: &Channel) -> Option<SessionStates> {
        let mut buffer = vec![0; crate::messages::LONGEST];
        match near.receive(&mut buffer).unwrap() {
            Receipt::Message { length, .. } => {
                Some(postcard::from_bytes(&buffer[..length]).unwrap())
            }
            Receipt::Nothing | Receipt::Closed => None,
        }
    }

    fn names(message: &SessionStates) -> Vec<(&str, bool)> {
        let states = message.states.iter();
        states
            .map(|state| (state.name.as_str(), state.up))
            .collect()
    }

    #[test]
    fn each_is_told_its_own() {
        let (near, far) = Channel::pair().unwrap();
        let mut followers = Followers::default();
        assert_eq!(followers.add(Role::Vrrp, far.into()), Some(Consumer::Vrrp));
        let now = Instant::ZERO;
        followers.tell(now, Consumer::Vrrp, "a".to_owned(), true);
        followers.tell(now, Consumer::Vrrp, "a".to_owned(), false);
        followers.tell(now, Consumer::Checker, "b".to_owned(), true);
        followers.flush(now);
        let message = read(&near).unwrap();
        assert!(message.are_all);
        assert_eq!(names(&message), [("a", false)]);
        followers.tell(now, Consumer::Vrrp, "c".to_owned(), true);
        followers.flush(now);
        let message = read(&near).unwrap();
        assert!(!message.are_all);
        assert_eq!(names(&message), [("c", true)]);
        assert_eq!(read(&near), None);
        // No session is left.
        followers.all_follows();
        followers.flush(now);
        let message = read(&near).unwrap();
        assert!(message.are_all && message.states.is_empty());
        drop(near);
        followers.tell(now, Consumer::Vrrp, "a".to_owned(), true);
        followers.flush(now);
        assert!(followers.followers.is_empty());
    }

    #[test]
    fn whoever_does_not_listen_is_told_the_last_word_later() {
        let (near, far) = Channel::pair().unwrap();
        let mut followers = Followers::default();
        followers.add(Role::Checkers, far.into()).unwrap();
        let now = Instant::ZERO;
        let mut count = 0;
        while followers.next_wake().is_none() {
            for session in 0..1000 {
                let name = format!("session {session}");
                followers.tell(now, Consumer::Checker, name, count % 2 == 0);
            }
            followers.flush(now);
            count += 1;
        }
        for session in 0..1000 {
            let name = format!("session {session}");
            followers.tell(now, Consumer::Checker, name, true);
        }
        let mut last = BTreeMap::new();
        // Not before its time: there may be thousands of packets meanwhile, each of which brings news.
        let at = followers.next_wake().unwrap();
        let seen = read(&near).unwrap();
        assert_eq!(seen.states.len(), SESSIONS_PER_MESSAGE);
        while read(&near).is_some() {}
        followers.flush(now);
        assert_eq!(read(&near), None);
        assert_eq!(followers.next_wake(), Some(at));
        while let Some(at) = followers.next_wake() {
            while let Some(message) = read(&near) {
                assert!(message.states.len() <= SESSIONS_PER_MESSAGE);
                for state in message.states {
                    last.insert(state.name, state.up);
                }
            }
            followers.tick(at);
        }
        while let Some(message) = read(&near) {
            for state in message.states {
                last.insert(state.name, state.up);
            }
        }
        assert_eq!(last.len(), 1000);
        assert!(last.values().all(|up| *up));
    }
}
