//! What dumps show of a session.

use core::time::Duration;

use types::Instant;
use wire::bfd::{Diagnostic, State};

use crate::action::SessionId;
use crate::intervals;
use crate::session::{Session, Socket};
use crate::settings;

/// A session as it is now. The names are those of RFC 5880 section 6.8.1.
#[derive(Clone, Copy, Debug)]
pub struct SessionView<'a>(&'a Session);

impl<'a> SessionView<'a> {
    pub(crate) const fn new(session: &'a Session) -> Self {
        Self(session)
    }

    /// Its number.
    #[must_use]
    pub const fn id(&self) -> SessionId {
        self.0.id
    }

    /// What it is made from.
    #[must_use]
    pub const fn settings(&self) -> &'a settings::Session {
        &self.0.settings
    }

    /// bfd.SessionState.
    #[must_use]
    pub const fn local_state(&self) -> State {
        self.0.local
    }

    /// bfd.RemoteSessionState.
    #[must_use]
    pub const fn remote_state(&self) -> State {
        self.0.remote.state
    }

    /// bfd.LocalDiag.
    #[must_use]
    pub const fn local_diagnostic(&self) -> Diagnostic {
        self.0.diagnostic
    }

    /// The last that the neighbour told.
    #[must_use]
    pub const fn remote_diagnostic(&self) -> Diagnostic {
        self.0.remote.diagnostic
    }

    /// bfd.LocalDiscr.
    #[must_use]
    pub const fn local_discriminator(&self) -> u32 {
        self.0.discriminator.get()
    }

    /// bfd.RemoteDiscr; 0: not known.
    #[must_use]
    pub const fn remote_discriminator(&self) -> u32 {
        self.0.remote.discriminator
    }

    /// The neighbour's Desired Min TX Interval; zero: not known.
    #[must_use]
    pub const fn remote_min_tx(&self) -> Duration {
        self.0.remote.min_tx
    }

    /// bfd.RemoteMinRxInterval; zero: not known.
    #[must_use]
    pub const fn remote_min_rx(&self) -> Duration {
        match self.0.remote.last_heard {
            Some(_) => self.0.remote.min_rx,
            None => Duration::ZERO,
        }
    }

    /// bfd.RemoteDemandMode.
    #[must_use]
    pub const fn remote_demand(&self) -> bool {
        self.0.remote.demand
    }

    /// The neighbour's Detect Mult; 0: not known.
    #[must_use]
    pub const fn remote_multiplier(&self) -> u8 {
        self.0.remote.multiplier
    }

    /// A Poll Sequence goes on.
    #[must_use]
    pub const fn polls(&self) -> bool {
        self.0.poll.is_on()
    }

    /// Time between the packets that we send, before jitter.
    #[must_use]
    pub fn transmit_interval(&self) -> Duration {
        self.0.transmit_interval()
    }

    /// Time between the packets that the neighbour sends, as far as we know it; zero: nothing was heard.
    #[must_use]
    pub fn remote_transmit_interval(&self) -> Duration {
        match self.0.remote.last_heard {
            Some(_) => intervals::transmit(self.0.remote.min_tx, self.0.settings.min_rx),
            None => Duration::ZERO,
        }
    }

    /// So long without a packet makes it down; zero: nothing was heard.
    #[must_use]
    pub fn detection_time(&self) -> Duration {
        self.0.detection_time()
    }

    /// The same as the neighbour reckons it; zero: nothing was heard.
    #[must_use]
    pub fn remote_detection_time(&self) -> Duration {
        match self.0.remote.last_heard {
            Some(_) => self.0.transmit_interval() * u32::from(self.0.settings.multiplier.get()),
            None => Duration::ZERO,
        }
    }

    /// When the last packet of the neighbour came.
    #[must_use]
    pub const fn last_heard(&self) -> Option<Instant> {
        self.0.remote.last_heard
    }

    /// When the next packet leaves.
    #[must_use]
    pub const fn transmits_at(&self) -> Option<Instant> {
        self.0.timers.transmit
    }

    /// When it is down unless a packet comes.
    #[must_use]
    pub const fn expires_at(&self) -> Option<Instant> {
        self.0.timers.expire
    }

    /// When what is known of the neighbour is forgotten.
    #[must_use]
    pub const fn forgets_at(&self) -> Option<Instant> {
        self.0.timers.forget
    }

    /// When it is tried again to make its socket.
    #[must_use]
    pub const fn opens_at(&self) -> Option<Instant> {
        match self.0.socket {
            Socket::Missing(again) => Some(again),
            Socket::Wanted | Socket::Ready => None,
        }
    }

    /// The last packet could not be sent.
    #[must_use]
    pub const fn sends_fail(&self) -> bool {
        self.0.sends_fail
    }
}
