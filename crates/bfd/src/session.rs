//! One session: what a packet does to it, and when it sends one. RFC 5880 section 6.8.

use alloc::string::String;
use core::num::NonZeroU32;
use core::time::Duration;

use types::Instant;
use wire::bfd::{ControlPacket, Diagnostic, State};

use crate::action::{Action, Consumer, SessionId};
use crate::bfd::Shared;
use crate::event::{Event, SessionEvent};
use crate::intervals;
use crate::poll::{InForce, Poll};
use crate::record::Record;
use crate::settings;

/// When to try again to make a socket. keepalived waits a minute, or for the next packet of the neighbour; but an own address that
/// comes with its interface should not cost a minute.
const SOCKET_AGAIN: Duration = Duration::from_secs(1);

/// Before a packet of the neighbour says otherwise: as soon as we like (RFC 5880 section 6.8.1, bfd.RemoteMinRxInterval).
const REMOTE_MIN_RX: Duration = Duration::from_micros(1);

/// A session.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) id: SessionId,
    pub(crate) settings: settings::Session,
    /// bfd.SessionState; `AdminDown` means that there is no socket to send from.
    pub(crate) local: State,
    /// bfd.LocalDiag.
    pub(crate) diagnostic: Diagnostic,
    /// bfd.LocalDiscr.
    pub(crate) discriminator: NonZeroU32,
    pub(crate) remote: Remote,
    pub(crate) poll: Poll,
    pub(crate) in_force: InForce,
    /// What the processes that go by it were told last.
    pub(crate) told: bool,
    pub(crate) socket: Socket,
    /// No packet could be sent.
    pub(crate) sends_fail: bool,
    pub(crate) timers: Timers,
    /// The interval that `timers.transmit` was reckoned from.
    scheduled_interval: Duration,
    /// It is up because a predecessor was, until then at most: nothing was heard since.
    pub(crate) borrowed_until: Option<Instant>,
    /// What a successor would go on with, as the host was told last.
    pub(crate) recorded: Option<Record>,
    /// The earliest moment that [`Bfd`](crate::Bfd) calls it.
    pub(crate) armed: Option<Instant>,
}

/// What is known of the neighbour.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Remote {
    /// bfd.RemoteSessionState.
    pub(crate) state: State,
    /// bfd.RemoteDiscr; 0: not known.
    pub(crate) discriminator: u32,
    pub(crate) diagnostic: Diagnostic,
    /// It wants no packets at regular times (bfd.RemoteDemandMode).
    pub(crate) demand: bool,
    pub(crate) multiplier: u8,
    pub(crate) min_tx: Duration,
    /// bfd.RemoteMinRxInterval.
    pub(crate) min_rx: Duration,
    pub(crate) last_heard: Option<Instant>,
}

/// The socket that it sends from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Socket {
    /// It is being made.
    Wanted,
    /// There is one.
    Ready,
    /// There is none, and it is tried again then.
    Missing(Instant),
}

/// When something is to be done.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Timers {
    /// A packet is due.
    pub(crate) transmit: Option<Instant>,
    /// The detection time is over.
    pub(crate) expire: Option<Instant>,
    /// What is known of a neighbour that is not heard any more is forgotten.
    pub(crate) forget: Option<Instant>,
}

/// What a packet answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Occasion {
    /// Nothing: its time has come, or there is news.
    Own,
    /// One with the poll bit.
    Poll,
}

/// Where a packet leads (RFC 5880 section 6.8.6), and the diagnostic that goes with it. `None`: nowhere.
pub(crate) const fn next_state(local: State, heard: State) -> Option<(State, Diagnostic)> {
    match (local, heard) {
        (State::Init | State::Up, State::AdminDown) | (State::Up, State::Down) => {
            Some((State::Down, Diagnostic::NeighborSignaledSessionDown))
        }
        (State::Down, State::Down) => Some((State::Init, Diagnostic::None)),
        (State::Down, State::Init) | (State::Init, State::Init | State::Up) => {
            Some((State::Up, Diagnostic::None))
        }
        (State::AdminDown, _)
        | (State::Down, State::AdminDown | State::Up)
        | (State::Init, State::Down)
        | (State::Up, State::Init | State::Up) => None,
    }
}

impl Session {
    pub(crate) fn new(
        id: SessionId,
        settings: settings::Session,
        discriminator: NonZeroU32,
    ) -> Self {
        let in_force = InForce {
            min_tx: settings.min_tx,
            min_rx: settings.min_rx,
        };
        Self {
            id,
            settings,
            local: State::Down,
            diagnostic: Diagnostic::None,
            discriminator,
            remote: Remote {
                state: State::Down,
                discriminator: 0,
                diagnostic: Diagnostic::None,
                demand: false,
                multiplier: 0,
                min_tx: Duration::ZERO,
                min_rx: REMOTE_MIN_RX,
                last_heard: None,
            },
            poll: Poll::Idle,
            in_force,
            told: false,
            socket: Socket::Wanted,
            sends_fail: false,
            timers: Timers::default(),
            scheduled_interval: Duration::MAX,
            borrowed_until: None,
            recorded: None,
            armed: None,
        }
    }

    /// The earliest moment at which something is to be done.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        let Timers {
            transmit,
            expire,
            forget,
        } = self.timers;
        let socket = match self.socket {
            Socket::Missing(again) => Some(again),
            Socket::Wanted | Socket::Ready => None,
        };
        [transmit, expire, forget, socket]
            .into_iter()
            .flatten()
            .min()
    }

    pub(crate) fn has_no_socket(&self) -> bool {
        self.local == State::AdminDown
    }

    /// Time between packets that we send.
    pub(crate) fn transmit_interval(&self) -> Duration {
        let desired = match self.local {
            State::Up => self.in_force.min_tx,
            State::AdminDown | State::Down | State::Init => self.settings.idle_tx,
        };
        intervals::transmit(desired, self.remote.min_rx)
    }

    /// So long without a packet makes it down; zero: nothing was heard yet.
    pub(crate) fn detection_time(&self) -> Duration {
        let Remote {
            multiplier, min_tx, ..
        } = self.remote;
        intervals::detection_time(multiplier, self.in_force.min_rx, min_tx)
    }

    /// Makes its socket.
    pub(crate) fn open(&mut self, shared: &mut Shared) {
        self.socket = Socket::Wanted;
        shared.actions.push_back(Action::Open(self.id));
    }

    /// What came of that.
    pub(crate) fn socket(
        &mut self,
        now: Instant,
        outcome: Result<(), String>,
        shared: &mut Shared,
    ) {
        match outcome {
            Ok(()) => {
                self.socket = Socket::Ready;
                self.sends_fail = false;
                if self.local == State::AdminDown {
                    self.local = State::Down;
                    self.report(SessionEvent::Socket, shared);
                }
                if self.timers.transmit.is_none() && self.sends_at_times() {
                    self.send(now, Occasion::Own, shared);
                }
            }
            Err(why) => {
                self.socket = Socket::Missing(now + SOCKET_AGAIN);
                if self.local != State::AdminDown {
                    self.report(SessionEvent::NoSocket(why), shared);
                    self.enter(State::AdminDown, Diagnostic::AdministrativelyDown, shared);
                    self.tell(false, shared);
                    self.timers = Timers::default();
                    // The neighbour may be another one when there is a socket again.
                    self.forget();
                }
            }
        }
    }

    /// What came of a packet that was to be sent.
    pub(crate) fn sent(&mut self, outcome: Result<(), String>, shared: &mut Shared) {
        match outcome {
            Ok(()) if self.sends_fail => {
                self.sends_fail = false;
                self.report(SessionEvent::SendsAgain, shared);
            }
            Err(why) if !self.sends_fail => {
                self.sends_fail = true;
                self.report(SessionEvent::CannotSend(why), shared);
            }
            Ok(()) | Err(_) => {}
        }
    }

    /// A packet of the neighbour, which has passed all checks.
    pub(crate) fn packet(&mut self, now: Instant, packet: &ControlPacket, shared: &mut Shared) {
        let before = self.detection_time();
        self.remote = Remote {
            state: packet.state,
            discriminator: packet.my_discriminator.get(),
            diagnostic: packet.diagnostic,
            demand: packet.demand,
            multiplier: packet.multiplier.get(),
            min_tx: packet.desired_min_tx,
            min_rx: packet.required_min_rx,
            last_heard: Some(now),
        };
        self.borrowed_until = None;
        if packet.is_final && self.poll.answered() {
            self.in_force
                .confirmed(self.settings.min_tx, self.settings.min_rx);
        }
        let next = next_state(self.local, packet.state);
        if let Some((state, diagnostic)) = next {
            let was_up = self.local == State::Up;
            self.enter(state, diagnostic, shared);
            match state {
                State::Up => self.tell(true, shared),
                // The neighbour's administrator wants it so: nothing has failed (keepalived, and RFC 5882 section 4.2).
                State::Down if was_up && packet.state != State::AdminDown => {
                    self.tell(false, shared);
                }
                State::AdminDown | State::Down | State::Init => {}
            }
        }
        self.wait_for_the_next(now, before, shared);
        if packet.poll {
            self.send(now, Occasion::Poll, shared);
        }
        if next.is_some() && !packet.poll && self.may_send() {
            // Section 6.8.7: news need not wait for their time.
            self.send(now, Occasion::Own, shared);
        } else {
            self.reschedule(now, shared);
        }
    }

    /// The detection time begins again.
    fn wait_for_the_next(&mut self, now: Instant, before: Duration, shared: &mut Shared) {
        self.wait_since(now);
        let detection_time = self.detection_time();
        if detection_time != before {
            let event = SessionEvent::DetectionTime {
                now: detection_time,
                before,
            };
            self.report(event, shared);
        }
    }

    /// It was last heard then.
    fn wait_since(&mut self, heard: Instant) {
        let end = heard + self.detection_time();
        let end = self.borrowed_until.map_or(end, |until| end.min(until));
        let end = Some(end);
        (self.timers.expire, self.timers.forget) = match self.local {
            State::Init | State::Up => (end, None),
            State::AdminDown | State::Down => (None, end),
        };
    }

    /// What is due is done.
    pub(crate) fn timeout(&mut self, now: Instant, shared: &mut Shared) {
        let is_due = |at: Option<Instant>| at.filter(|at| *at <= now);
        if let Some(at) = is_due(self.timers.expire) {
            self.expire(now, at, shared);
        }
        if is_due(self.timers.forget).is_some() {
            self.forget();
            self.reschedule(now, shared);
        }
        self.send_what_is_due(now, shared);
        if let Socket::Missing(again) = self.socket
            && again <= now
        {
            self.open(shared);
        }
    }

    /// What is due to be sent is sent. Nothing is concluded of silence.
    pub(crate) fn send_what_is_due(&mut self, now: Instant, shared: &mut Shared) {
        if self.timers.transmit.is_some_and(|at| at <= now) {
            self.send(now, Occasion::Own, shared);
        }
    }

    /// Nothing was heard for as long as the detection time (section 6.8.4).
    fn expire(&mut self, now: Instant, at: Instant, shared: &mut Shared) {
        let event = SessionEvent::Expired {
            detection_time: self.detection_time(),
            overdue: now.since(at),
        };
        self.report(event, shared);
        self.enter(State::Down, Diagnostic::ControlDetectionTimeExpired, shared);
        self.tell(false, shared);
        self.forget();
        if self.may_send() {
            self.send(now, Occasion::Own, shared);
        }
        self.reschedule(now, shared);
    }

    /// The neighbour may be another one when it is heard again (section 6.8.1, bfd.RemoteDiscr).
    fn forget(&mut self) {
        self.timers.expire = None;
        self.timers.forget = None;
        let remote = &mut self.remote;
        remote.state = State::Down;
        remote.discriminator = 0;
        remote.demand = false;
        if remote.min_rx.is_zero() {
            // Nobody would ever begin.
            remote.min_rx = REMOTE_MIN_RX;
        }
    }

    /// Another state.
    fn enter(&mut self, state: State, diagnostic: Diagnostic, shared: &mut Shared) {
        let was_up = self.local == State::Up;
        self.local = state;
        self.diagnostic = diagnostic;
        // While it is not up nobody can be misled.
        self.in_force
            .confirmed(self.settings.min_tx, self.settings.min_rx);
        if was_up {
            self.poll = Poll::Idle;
            self.discriminator = shared.other_discriminator(self.discriminator, self.id);
        }
        match state {
            State::Up => {
                self.report(SessionEvent::Up, shared);
                let settings = &self.settings;
                if settings.idle_tx != settings.min_tx {
                    // Until now the neighbour was told the idle interval.
                    self.in_force.min_tx = settings.min_tx.min(settings.idle_tx);
                    self.ask(shared);
                }
            }
            State::Init => self.report(SessionEvent::Init, shared),
            State::Down => {
                let event = SessionEvent::Down {
                    local: diagnostic,
                    remote: self.remote.diagnostic,
                };
                self.report(event, shared);
            }
            State::AdminDown => {}
        }
    }

    /// The neighbour is to confirm our intervals.
    fn ask(&mut self, shared: &mut Shared) {
        if self.poll.ask() {
            self.report(SessionEvent::PollBegins, shared);
        }
    }

    /// Other settings for the same two ends.
    pub(crate) fn change(&mut self, now: Instant, new: settings::Session, shared: &mut Shared) {
        let old = core::mem::replace(&mut self.settings, new);
        let new = &self.settings;
        let other_intervals = (old.min_tx, old.min_rx) != (new.min_tx, new.min_rx);
        let other_socket = old.ttl != new.ttl;
        if self.local != State::Up {
            self.in_force.confirmed(new.min_tx, new.min_rx);
        } else if other_intervals {
            self.in_force.told(new.min_tx, new.min_rx);
            self.ask(shared);
        }
        if other_socket {
            self.open(shared);
        }
        let is_waited_for = self.timers.expire.or(self.timers.forget).is_some();
        if let Some(heard) = self.remote.last_heard.filter(|_| is_waited_for) {
            self.wait_since(heard);
        }
        self.reschedule(now, shared);
    }

    /// Whether a packet may be sent at all (section 6.8.7).
    fn may_send(&self) -> bool {
        self.socket == Socket::Ready
            && self.local != State::AdminDown
            && !(self.settings.passive && self.remote.discriminator == 0)
    }

    /// Whether packets are to be sent at regular times.
    fn sends_at_times(&self) -> bool {
        let both_up = self.local == State::Up && self.remote.state == State::Up;
        let demanded = self.remote.demand && both_up && !self.poll.is_on();
        self.may_send() && !demanded && !self.remote.min_rx.is_zero()
    }

    /// A shorter interval counts at once, a longer one after the next packet.
    fn reschedule(&mut self, now: Instant, shared: &mut Shared) {
        if !self.sends_at_times() {
            self.timers.transmit = None;
            return;
        }
        let interval = self.transmit_interval();
        if self.timers.transmit.is_some() && interval >= self.scheduled_interval {
            return;
        }
        let at = intervals::next_packet(now, interval, &mut shared.random);
        if self.timers.transmit.is_none_or(|planned| at < planned) {
            self.timers.transmit = Some(at);
            self.scheduled_interval = interval;
        }
    }

    fn send(&mut self, now: Instant, occasion: Occasion, shared: &mut Shared) {
        if !self.may_send() {
            // Or it would be due for ever.
            self.timers.transmit = None;
            return;
        }
        let settings = &self.settings;
        let is_final = occasion == Occasion::Poll;
        let packet = ControlPacket {
            diagnostic: self.diagnostic,
            state: self.local,
            poll: self.poll.is_on() && !is_final,
            is_final,
            control_plane_independent: false,
            authenticated: false,
            demand: false,
            multiplier: settings.multiplier,
            my_discriminator: self.discriminator,
            your_discriminator: self.remote.discriminator,
            desired_min_tx: match self.local {
                State::Up => settings.min_tx,
                State::AdminDown | State::Down | State::Init => settings.idle_tx,
            },
            required_min_rx: settings.min_rx,
            required_min_echo_rx: Duration::ZERO,
        };
        shared
            .actions
            .push_back(Action::Send(self.id, packet.encode()));
        if is_final {
            return;
        }
        self.timers.transmit = None;
        self.reschedule(now, shared);
    }

    /// What is to be known of it now, if it is news.
    fn tell(&mut self, up: bool, shared: &mut Shared) {
        if self.told == up {
            return;
        }
        self.told = up;
        for to in [Consumer::Vrrp, Consumer::Checker] {
            self.repeat(to, shared);
        }
    }

    /// What was told last, once more.
    pub(crate) fn repeat(&self, to: Consumer, shared: &mut Shared) {
        let wants = match to {
            Consumer::Vrrp => self.settings.to_vrrp,
            Consumer::Checker => self.settings.to_checker,
        };
        if wants {
            shared.actions.push_back(Action::Tell {
                to,
                name: self.settings.name.clone(),
                up: self.told,
            });
        }
    }

    pub(crate) fn report(&self, what: SessionEvent, shared: &mut Shared) {
        shared.log(Event::Session {
            name: self.settings.name.clone(),
            what,
        });
    }
}
