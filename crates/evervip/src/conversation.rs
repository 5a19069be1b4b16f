//! A dialogue of `lvs` with TLS in between, where it wants that. To its host it is a dialogue: the same calls in the same
//! order.

use lvs::dialogue::http::{Answer, Note};
use lvs::dialogue::{
    Attempt, Dialogue, Obstacle, Patterns, Transport, Trouble, TroubleKind, Verdict,
};
use lvs::settings::checkers::CheckerKind;
use types::Instant;

use crate::tls::{self, Context, Session};

/// What is taken out of TLS at once, in bytes.
const BUFFER: usize = 4096;

/// An attempt under way.
#[derive(Debug)]
pub(crate) struct Conversation {
    dialogue: Dialogue,
    tls: Option<Box<Between>>,
    /// What the dialogue was told, piece by piece, for those who want to look at it.
    seen: Option<Vec<Vec<u8>>>,
}

/// What is between the network and the dialogue.
#[derive(Debug)]
struct Between {
    /// `None`: the connection is not there yet, or TLS cannot begin.
    session: Option<Session>,
    context: Option<Context>,
    /// The end is still to be announced.
    compliant: bool,
}

impl Conversation {
    /// Begins an attempt; the connection is being opened. `None`: checks of this kind have no connection.
    ///
    /// `tls`: for SSL_GET; `None`: it is not to be had, so there will be no result.
    pub(crate) fn begin(
        now: Instant,
        kind: &CheckerKind,
        attempt: Attempt,
        patterns: &dyn Patterns,
        tls: Option<&Context>,
    ) -> Option<Self> {
        let dialogue = Dialogue::begin(now, kind, attempt, patterns)?;
        let tls = dialogue.tls().map(|wish| {
            Box::new(Between {
                session: None,
                context: tls.cloned(),
                compliant: wish.compliant,
            })
        });
        Some(Self {
            dialogue,
            tls,
            seen: None,
        })
    }

    /// From now on what comes can be looked at.
    pub(crate) fn watch(&mut self) {
        self.seen.get_or_insert_default();
    }

    /// What has come since the last time, if it is [watched](Self::watch); without TLS.
    pub(crate) fn take_seen(&mut self) -> Vec<Vec<u8>> {
        self.seen.as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// See [`Dialogue::transport`].
    pub(crate) const fn transport(&self) -> Transport {
        self.dialogue.transport()
    }

    /// The connection is there.
    pub(crate) fn handle_connected(&mut self, now: Instant) {
        let Some(between) = &mut self.tls else {
            return self.dialogue.handle_connected(now);
        };
        let wish = self.dialogue.tls();
        let name = wish.and_then(|wish| wish.name.as_ref());
        let peer = wish.and_then(|wish| wish.peer.as_ref());
        let session = match between.context.take() {
            Some(context) => context.begin(name, peer),
            None => Err(Trouble {
                kind: TroubleKind::Tls,
                number: 0,
                text: "what the SSL block names cannot be used".into(),
            }),
        };
        match session {
            Ok(session) => {
                between.session = Some(session);
                self.dialogue.handle_tls_begins(now);
            }
            Err(trouble) => self.dialogue.handle_obstacle(Obstacle::Tls(trouble)),
        }
    }

    /// See [`Dialogue::handle_obstacle`].
    pub(crate) fn handle_obstacle(&mut self, obstacle: Obstacle) {
        self.dialogue.handle_obstacle(obstacle);
    }

    /// Bytes from the network.
    pub(crate) fn handle_bytes(&mut self, now: Instant, bytes: &[u8]) {
        if self.tls.is_none() {
            return self.tell(now, bytes);
        }
        if let Some(session) = self.session() {
            session.feed(bytes);
        }
        self.advance(now);
    }

    /// The server has closed the connection.
    pub(crate) fn handle_end(&mut self, now: Instant) {
        if self.tls.is_none() {
            return self.dialogue.handle_end(now);
        }
        if let Some(session) = self.session() {
            session.end();
        }
        self.advance(now);
    }

    fn session(&mut self) -> Option<&mut Session> {
        self.tls.as_mut()?.session.as_mut()
    }

    fn tell(&mut self, now: Instant, bytes: &[u8]) {
        if let Some(seen) = &mut self.seen {
            seen.push(bytes.to_vec());
        }
        self.dialogue.handle_bytes(now, bytes);
    }

    /// Carries to the dialogue what TLS has understood.
    fn advance(&mut self, now: Instant) {
        let mut buffer = [0; BUFFER];
        while self.dialogue.verdict().is_none()
            && let Some(event) = self.session().and_then(|session| session.poll(&mut buffer))
        {
            match event {
                tls::Event::Connected => self.dialogue.handle_connected(now),
                tls::Event::Bytes(count) => {
                    self.tell(now, buffer.get(..count).unwrap_or_default());
                }
                tls::Event::End => self.dialogue.handle_end(now),
                tls::Event::Trouble(trouble) => self.dialogue.handle_trouble(now, trouble),
                tls::Event::Refused(bad) => self.dialogue.handle_bad_certificate(bad),
            }
        }
    }

    /// See [`Dialogue::handle_trouble`].
    pub(crate) fn handle_trouble(&mut self, now: Instant, trouble: Trouble) {
        self.dialogue.handle_trouble(now, trouble);
    }

    /// See [`Dialogue::handle_send_trouble`].
    pub(crate) fn handle_send_trouble(&mut self, now: Instant, trouble: Trouble) {
        self.dialogue.handle_send_trouble(now, trouble);
    }

    /// See [`Dialogue::handle_timeout`].
    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        self.dialogue.handle_timeout(now);
    }

    /// What is to be sent to the network next. After the verdict, too: TLS may say goodbye.
    pub(crate) fn poll_transmit(&mut self, now: Instant) -> Option<Vec<u8>> {
        let Some(between) = &mut self.tls else {
            return self.dialogue.poll_transmit();
        };
        let session = between.session.as_mut()?;
        while let Some(bytes) = self.dialogue.poll_transmit() {
            if let Err(trouble) = session.send(&bytes) {
                self.dialogue.handle_send_trouble(now, trouble);
            }
        }
        if self.dialogue.verdict().is_some() && std::mem::take(&mut between.compliant) {
            session.say_goodbye();
        }
        session.take_output()
    }

    /// See [`Dialogue::deadline`].
    pub(crate) const fn deadline(&self) -> Instant {
        self.dialogue.deadline()
    }

    /// See [`Dialogue::verdict`].
    pub(crate) const fn verdict(&self) -> Option<&Verdict> {
        self.dialogue.verdict()
    }

    /// See [`Dialogue::answer`].
    pub(crate) const fn answer(&self) -> Option<&Answer> {
        self.dialogue.answer()
    }

    /// See [`Dialogue::notes`].
    pub(crate) fn notes(&self) -> &[Note] {
        self.dialogue.notes()
    }
}

#[cfg(test)]
mod tests;
