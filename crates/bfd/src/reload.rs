//! What a start and a reload do.
//!
//! Sessions are matched by name. One whose neighbour, own address and port stay the same goes on, whatever else changed; under
//! another neighbour the name begins anew.

use alloc::collections::BTreeMap;
use alloc::string::String;

use types::Instant;

use crate::action::{Consumer, SessionId};
use crate::bfd::Bfd;
use crate::event::SessionEvent;
use crate::session::Session;
use crate::settings::{self, Settings};

impl Bfd {
    /// First settings, or others. Then the state of every session is told, for whoever goes by it may have reloaded, too.
    pub fn handle_settings(&mut self, now: Instant, settings: Settings) {
        let mut old: BTreeMap<String, SessionId> = self
            .sessions
            .values()
            .map(|session| (session.settings.name.clone(), session.id))
            .collect();
        self.order.clear();
        self.neighbours.clear();
        for new in settings.sessions {
            let known = old.remove(&new.name);
            let id = match known.and_then(|id| self.sessions.get(&id)) {
                Some(session) if has_same_ends(&session.settings, &new) => {
                    let id = session.id;
                    self.keep(now, id, new);
                    id
                }
                Some(session) => {
                    session.report(SessionEvent::Replaced, &mut self.shared);
                    let id = session.id;
                    self.remove(id);
                    self.begin(now, new)
                }
                None => self.begin(now, new),
            };
            self.order.push(id);
            if let Some(session) = self.sessions.get(&id) {
                let key = (session.settings.neighbor, session.settings.port());
                self.neighbours.entry(key).or_default().push(id);
            }
        }
        for id in old.into_values() {
            self.remove(id);
        }
        self.disclaim();
        for to in [Consumer::Vrrp, Consumer::Checker] {
            self.handle_consumer(to);
        }
    }

    fn keep(&mut self, now: Instant, id: SessionId, new: settings::Session) {
        self.with_session(id, |session, shared| {
            if session.settings != new {
                session.change(now, new, shared);
            }
        });
    }

    fn begin(&mut self, now: Instant, new: settings::Session) -> SessionId {
        let id = SessionId(self.next_id);
        self.next_id = self.next_id.wrapping_add(1);
        let discriminator = self.shared.new_discriminator(id);
        let mut session = Session::new(id, new, discriminator);
        session.open(&mut self.shared);
        self.inherit(now, &mut session);
        self.sessions.insert(id, session);
        // Its timers, and what is to be recorded of it.
        self.with_session(id, |_, _| {});
        id
    }
}

/// The neighbour cannot tell a difference but by what we say.
fn has_same_ends(old: &settings::Session, new: &settings::Session) -> bool {
    (old.neighbor, old.source, old.multihop) == (new.neighbor, new.source, new.multihop)
}
