//! The core: its state, its inputs, and the queue of what it wants done.

use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::string::String;
use alloc::vec::Vec;
use core::net::IpAddr;
use core::num::NonZeroU32;

use types::bfd::Port;
use types::{Instant, Random};

use crate::action::{Action, Consumer, SessionId};
use crate::event::Event;
use crate::receive::Refusals;
use crate::record::Legacy;
use crate::session::Session;
use crate::settings;
use crate::view::SessionView;

/// All sessions.
#[derive(Debug)]
pub struct Bfd {
    pub(crate) sessions: BTreeMap<SessionId, Session>,
    /// As in the settings.
    pub(crate) order: Vec<SessionId>,
    /// For packets that do not say which session they are for.
    pub(crate) neighbours: BTreeMap<(IpAddr, Port), Vec<SessionId>>,
    /// When to look at which session. An entry is an invitation, not a fact: a deadline that moves later leaves its entry behind.
    due: BTreeSet<(Instant, SessionId)>,
    pub(crate) shared: Shared,
    pub(crate) refusals: Refusals,
    pub(crate) next_id: u32,
    pub(crate) legacy: Legacy,
}

/// What all sessions use.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) actions: VecDeque<Action>,
    pub(crate) random: Random,
    /// Our discriminators, and whose they are.
    pub(crate) discriminators: BTreeMap<u32, SessionId>,
}

impl Shared {
    pub(crate) fn log(&mut self, event: Event) {
        self.actions.push_back(Action::Log(event));
    }

    /// A discriminator that no session has (RFC 5880 section 6.8.1: unique, not 0). Whoever has seen none of ours does not guess one;
    /// whoever has seen several can reckon the next.
    pub(crate) fn new_discriminator(&mut self, id: SessionId) -> NonZeroU32 {
        loop {
            let [.., a, b, c, d] = self.random.next_u64().to_be_bytes();
            let drawn = NonZeroU32::new(u32::from_be_bytes([a, b, c, d]));
            if let Some(drawn) =
                drawn.filter(|drawn| !self.discriminators.contains_key(&drawn.get()))
            {
                self.discriminators.insert(drawn.get(), id);
                return drawn;
            }
        }
    }

    /// Another one instead of this.
    pub(crate) fn other_discriminator(&mut self, old: NonZeroU32, id: SessionId) -> NonZeroU32 {
        let new = self.new_discriminator(id);
        self.discriminators.remove(&old.get());
        new
    }
}

impl Bfd {
    /// A core without sessions. `seed`: where its random numbers begin; any number that is another one at each start, and is
    /// not easily guessed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self {
            sessions: BTreeMap::new(),
            order: Vec::new(),
            neighbours: BTreeMap::new(),
            due: BTreeSet::new(),
            shared: Shared {
                actions: VecDeque::new(),
                random: Random::new(seed),
                discriminators: BTreeMap::new(),
            },
            refusals: Refusals::default(),
            next_id: 0,
            legacy: Legacy::default(),
        }
    }

    /// The next thing to do; `None`: all is done.
    pub fn poll_action(&mut self) -> Option<Action> {
        self.shared.actions.pop_front()
    }

    /// When [`handle_timeout`](Self::handle_timeout) is to be called; `None`: nothing is planned.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Instant> {
        self.due.first().map(|(at, _)| *at)
    }

    /// What is due is done.
    pub fn handle_timeout(&mut self, now: Instant) {
        while let Some((at, id)) = self.due.first().copied()
            && at <= now
        {
            self.due.remove(&(at, id));
            if let Some(session) = self.sessions.get_mut(&id) {
                session.armed = None;
            }
            self.with_session(id, |session, shared| session.timeout(now, shared));
        }
    }

    /// Instead of [`handle_timeout`](Self::handle_timeout), when what has arrived has not all been handed over yet: packets leave in
    /// time, and nobody's silence is concluded from what was not read.
    pub fn handle_send_times(&mut self, now: Instant) {
        let due = self.due.iter().take_while(|(at, _)| *at <= now);
        let due: Vec<SessionId> = due.map(|(_, id)| *id).collect();
        for id in due {
            self.with_session(id, |session, shared| session.send_what_is_due(now, shared));
        }
    }

    /// What came of [`Action::Open`]; an error in words.
    pub fn handle_socket(&mut self, now: Instant, id: SessionId, outcome: Result<(), String>) {
        self.with_session(id, |session, shared| session.socket(now, outcome, shared));
    }

    /// What came of [`Action::Send`]; an error in words.
    pub fn handle_sent(&mut self, id: SessionId, outcome: Result<(), String>) {
        // After nearly every packet there is nothing to be said.
        let is_news = |session: &Session| session.sends_fail == outcome.is_ok();
        if self.sessions.get(&id).is_some_and(is_news) {
            self.with_session(id, |session, shared| session.sent(outcome, shared));
        }
    }

    /// Somebody who goes by the sessions has begun: what it should know of each is told.
    pub fn handle_consumer(&mut self, to: Consumer) {
        for session in self.order.iter().filter_map(|id| self.sessions.get(id)) {
            session.repeat(to, &mut self.shared);
        }
    }

    /// What a session is made from; `None`: there is no such session any more.
    #[must_use]
    pub fn settings(&self, id: SessionId) -> Option<&settings::Session> {
        self.sessions.get(&id).map(|session| &session.settings)
    }

    /// All sessions, in the order of the settings.
    pub fn sessions(&self) -> impl Iterator<Item = SessionView<'_>> {
        self.order
            .iter()
            .filter_map(|id| self.sessions.get(id))
            .map(SessionView::new)
    }

    /// Something is done to a session, if it is still there. It is called again in time.
    pub(crate) fn with_session(
        &mut self,
        id: SessionId,
        something: impl FnOnce(&mut Session, &mut Shared),
    ) {
        let Some(session) = self.sessions.get_mut(&id) else {
            return;
        };
        something(session, &mut self.shared);
        session.keep_record(&mut self.shared);
        let Some(deadline) = session.deadline() else {
            return;
        };
        if session.armed.is_none_or(|armed| deadline < armed) {
            if let Some(armed) = session.armed {
                self.due.remove(&(armed, id));
            }
            self.due.insert((deadline, id));
            session.armed = Some(deadline);
        }
    }

    /// A session is gone.
    pub(crate) fn remove(&mut self, id: SessionId) {
        let Some(session) = self.sessions.remove(&id) else {
            return;
        };
        if let Some(armed) = session.armed {
            self.due.remove(&(armed, id));
        }
        self.shared
            .discriminators
            .remove(&session.discriminator.get());
        if session.recorded.is_some() {
            let name = session.settings.name;
            self.shared.actions.push_back(Action::Remember(name, None));
        }
        self.shared.actions.push_back(Action::Close(id));
    }
}
