//! The attempts that are under way: each a dialogue of `lvs` and a socket of `sys` in the epoll set of the process, with one
//! heap of deadlines and one buffer.
//!
//! # What is promised
//! - Nobody starves: each turn is bounded (so many sockets, so much time, so many openings), and whoever has more to say
//!   comes again after all others. A server that floods costs the rest one read of its own per turn.
//! - No attempt fails because we were late: before a time-out is believed, the socket is asked whether something has arrived.
//! - Attempts that are asked for while as many sockets are open as may be wait for their turn, and their time runs from when
//!   they begin.
//! - A socket is closed with the verdict, and no event of it reaches its successor in the same place.
//!
//! # How it is used
//! Whoever waits for the set [notes](Attempts::note) what it says of tokens from [`FIRST_TOKEN`] on. After each wake-up
//! [`Attempts::hear`], then [`Attempts::tick`], then [`Attempts::poll_verdict`] until there is none, and sleep until
//! [`Attempts::next_wake`].

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use log::debug;
use lvs::CheckId;
use lvs::dialogue::http::Note;
use lvs::dialogue::{Attempt, Obstacle, Transport, Trouble, TroubleKind, Verdict};
use lvs::settings::checkers::{Endpoint, Source};
use sys::check_socket::{self, Carrier, CheckSocket, Heard, Opened, Origin, Sent};
use sys::event_loop::{Change, EventLoop};
use types::Instant;

use crate::conversation::Conversation;

// The path for the test that includes this file from elsewhere.
#[path = "attempts/slots.rs"]
mod slots;

use self::slots::{Slots, Token};

/// Sockets that are served in one turn: with a TCP_CHECK of 30 µs each, 4 ms.
const SERVED_PER_TURN: usize = 128;

/// How long a turn may take: what is read may be deciphered, hashed and searched on the way.
const TURN: Duration = Duration::from_millis(4);

/// After so many sockets the clock is read. That costs, too; but a handshake of TLS begins without a word.
const SERVED_UNTIMED: usize = 16;

/// So many bytes, which may have to be deciphered, hashed and searched, count as one more socket.
const BYTES_AS_A_SOCKET: usize = 64;

/// Attempts that are begun in one turn.
const BEGUN_PER_TURN: usize = 64;

/// Bytes of a stream that are read at once.
const STREAM_BUFFER: usize = 16 * 1024;

/// The longest datagram.
const BUFFER: usize = 64 * 1024;

/// Reads from one socket that has a deadline now, before it is believed that nothing more is there.
const LAST_READS: u32 = 8;

/// Datagrams between two checks that are taken from a socket that stays open, at a time.
const STRAY: u32 = 16;

/// Descriptors that the process needs for other things than attempts.
const RESERVED: u64 = 256;

/// The fewest attempts that may be open at a time, however low the limit.
const FEWEST: usize = 16;

/// Tokens below are those of others in the same set.
pub(crate) const FIRST_TOKEN: u64 = 16;

/// Who knows what an attempt is to be.
pub(crate) trait Plans {
    /// The dialogue of an attempt that begins now, and where to; `None`: the check is gone.
    fn begin(
        &self,
        now: Instant,
        check: CheckId,
        attempt: Attempt,
    ) -> Option<(Conversation, &Endpoint)>;
}

/// An attempt that has come to its end.
#[derive(Debug)]
pub(crate) struct Ended {
    /// Of this check.
    pub(crate) check: CheckId,
    /// At this page of it ([`Attempt::url`]).
    #[allow(dead_code, reason = "not for those who only test this file")]
    pub(crate) url: usize,
    /// So.
    pub(crate) verdict: Verdict,
    /// What else is worth a line.
    pub(crate) notes: Box<[Note]>,
}

/// All attempts.
#[derive(Debug)]
pub(crate) struct Attempts {
    slots: Slots<Slot>,
    /// The sockets of checks that have one.
    open: BTreeMap<CheckId, Token>,
    /// What is to begin when there is room, each with its ticket.
    waiting: VecDeque<(CheckId, Attempt, u64)>,
    /// The valid tickets of checks: one may have been abandoned, or started anew, while it waited.
    tickets: BTreeMap<CheckId, u64>,
    last_ticket: u64,
    /// Of those that run.
    deadlines: BTreeSet<(Instant, Token)>,
    /// Who has something to say, each once, in turn.
    ready: VecDeque<Token>,
    verdicts: VecDeque<Ended>,
    /// Sockets between two attempts.
    kept: BTreeSet<Token>,
    /// How many sockets may be open.
    most: usize,
    buffer: Box<[u8]>,
}

/// An open socket.
#[derive(Debug)]
struct Slot {
    check: CheckId,
    socket: CheckSocket,
    /// Of a socket that may outlive its attempt: whom it is for.
    kept_for: Option<Box<Endpoint>>,
    /// It is in `ready`.
    is_queued: bool,
    /// A connection that was on its way is there, or will never be.
    is_decided: bool,
    /// The kernel has said that something is wrong.
    is_broken: bool,
    /// There may be something to read.
    readable: bool,
    /// The other end has closed its side: what can be read has an end.
    is_ending: bool,
    /// `None`: kept open for the next attempt.
    run: Option<Run>,
}

/// An attempt.
#[derive(Debug)]
struct Run {
    dialogue: Conversation,
    /// [`Attempt::url`].
    url: usize,
    is_connected: bool,
    /// What the kernel has not taken yet.
    unsent: Vec<u8>,
    /// Where it stands among the deadlines; never later than the dialogue's.
    wake: Instant,
}

impl Attempts {
    /// None yet.
    pub(crate) fn new() -> Self {
        Self {
            slots: Slots::default(),
            open: BTreeMap::new(),
            waiting: VecDeque::new(),
            tickets: BTreeMap::new(),
            last_ticket: 0,
            deadlines: BTreeSet::new(),
            ready: VecDeque::new(),
            verdicts: VecDeque::new(),
            kept: BTreeSet::new(),
            most: FEWEST,
            buffer: vec![0; BUFFER].into(),
        }
    }

    /// There are so many checks with sockets: as many sockets may be open, as far as the system lets us. Returns how many may.
    ///
    /// # Errors
    /// When the limit on open files cannot be raised at all. Attempts then share what there is.
    pub(crate) fn make_room_for(&mut self, checks: usize) -> Result<usize, sys::Error> {
        let wanted = u64::try_from(checks).unwrap_or(u64::MAX);
        let raised = sys::process::raise_open_files(wanted.saturating_add(RESERVED));
        let limit = sys::process::most_open_files().saturating_sub(RESERVED);
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        self.most = limit.max(FEWEST);
        raised.map(|()| self.most)
    }

    /// An attempt of a check is to begin as soon as there is room. One that is under way is given up.
    pub(crate) fn start(&mut self, check: CheckId, attempt: Attempt) {
        let is_kept = |token: &Token| self.kept.contains(token);
        if !self.open.get(&check).is_some_and(is_kept) {
            self.abandon(check);
        }
        self.last_ticket += 1;
        self.tickets.insert(check, self.last_ticket);
        self.waiting.push_back((check, attempt, self.last_ticket));
    }

    /// The result of a check does not matter any more: what is open for it is closed.
    pub(crate) fn abandon(&mut self, check: CheckId) {
        self.tickets.remove(&check);
        self.verdicts.retain(|ended| ended.check != check);
        self.close(check);
    }

    /// How many sockets are open.
    #[allow(dead_code, reason = "for those who test and measure this file")]
    pub(crate) const fn open(&self) -> usize {
        self.slots.len()
    }

    /// When [`tick`](Self::tick) is to be called, if nothing is heard before; a point in the past: there is more to do.
    pub(crate) fn next_wake(&self) -> Option<Instant> {
        let can_begin = !self.waiting.is_empty() && self.has_room();
        if can_begin || !self.ready.is_empty() || !self.verdicts.is_empty() {
            return Some(Instant::ZERO);
        }
        self.deadlines.first().map(|(at, _)| *at)
    }

    /// The next verdict.
    pub(crate) fn poll_verdict(&mut self) -> Option<Ended> {
        self.verdicts.pop_front()
    }

    /// What the set says of a token from [`FIRST_TOKEN`] on.
    pub(crate) fn note(&mut self, change: Change) {
        let token = Token::from(change.token.wrapping_sub(FIRST_TOKEN));
        // Otherwise nobody: it was closed meanwhile.
        if let Some(slot) = self.slots.get_mut(token) {
            slot.note(change);
            if !std::mem::replace(&mut slot.is_queued, true) {
                self.ready.push_back(token);
            }
        }
    }

    /// Hears what has arrived, up to one turn's worth. Returns how much that was: sockets that had their turn, and further ones
    /// for what they had to say.
    pub(crate) fn hear(&mut self, now: Instant) -> usize {
        let (mut done, mut untimed) = (0, 0);
        for _served in 0..SERVED_PER_TURN {
            let Some(token) = self.ready.pop_front() else {
                break;
            };
            let strokes = 1 + self.serve(now, token) / BYTES_AS_A_SOCKET;
            done += strokes;
            untimed += strokes;
            if untimed >= SERVED_UNTIMED {
                if sys::clock::now().since(now) >= TURN {
                    break;
                }
                untimed = 0;
            }
        }
        done
    }

    /// Ends what has taken too long, and begins what waits, up to one turn's worth. To be called after
    /// [`hear`](Self::hear). What begins goes into `events`. Returns how many ended or began.
    pub(crate) fn tick(&mut self, now: Instant, plans: &impl Plans, events: &EventLoop) -> usize {
        let mut count = 0;
        for _served in 0..SERVED_PER_TURN {
            match self.deadlines.first() {
                Some(&(at, token)) if at <= now => self.expire(now, token),
                _ => break,
            }
            count += 1;
        }
        for _begun in 0..BEGUN_PER_TURN {
            if self.waiting.is_empty() || !self.make_room() {
                break;
            }
            if let Some((check, attempt, ticket)) = self.waiting.pop_front()
                && self.tickets.get(&check) == Some(&ticket)
            {
                self.tickets.remove(&check);
                self.begin(now, check, attempt, plans, events);
                count += 1;
            }
        }
        if self.waiting.is_empty() {
            // Without `warmup` all checks begin at once.
            self.waiting.shrink_to(BEGUN_PER_TURN);
        }
        count
    }

    fn has_room(&self) -> bool {
        self.slots.len() < self.most || !self.kept.is_empty()
    }

    /// Makes room for one more socket, if need be by closing one that is only kept.
    fn make_room(&mut self) -> bool {
        if self.slots.len() < self.most {
            return true;
        }
        let kept = self.kept.first().and_then(|token| self.slots.get(*token));
        match kept.map(|slot| slot.check) {
            Some(check) => self.close(check),
            None => return false,
        }
        true
    }

    fn begin(
        &mut self,
        now: Instant,
        check: CheckId,
        attempt: Attempt,
        plans: &impl Plans,
        events: &EventLoop,
    ) {
        let url = attempt.url;
        let Some((mut dialogue, endpoint)) = plans.begin(now, check, attempt) else {
            return self.close(check);
        };
        // It may know already that nothing will come of it.
        if dialogue.verdict().is_some() {
            self.close(check);
            return self.conclude(check, url, &dialogue);
        }
        let carrier = carrier(&dialogue);
        if let Some(token) = self.resumable(check, carrier, endpoint) {
            return self.run(now, token, (dialogue, url), true);
        }
        let (socket, is_connected) = match open(carrier, endpoint) {
            Ok(Opened::Connected(socket)) => (socket, true),
            Ok(Opened::InProgress(socket)) => (socket, false),
            Ok(Opened::Refused(problem)) => {
                dialogue.handle_trouble(now, trouble(&problem));
                return self.conclude(check, url, &dialogue);
            }
            Err(problem) => {
                dialogue.handle_obstacle(obstacle(&problem));
                return self.conclude(check, url, &dialogue);
            }
        };
        let token = self.slots.next();
        let number = u64::from(token).wrapping_add(FIRST_TOKEN);
        if let Err(problem) = events.add_for_changes(&socket, number) {
            let problem = check_socket::Trouble::from(problem);
            dialogue.handle_obstacle(Obstacle::Socket(trouble(&problem)));
            return self.conclude(check, url, &dialogue);
        }
        // Only these may outlive their attempt.
        let kept_for = (carrier == Carrier::Echo).then(|| Box::new(endpoint.clone()));
        self.slots.insert(Slot::new(check, socket, kept_for));
        self.open.insert(check, token);
        self.run(now, token, (dialogue, url), is_connected);
    }

    /// The socket of an earlier attempt, if it goes where this one does and is still good. What came since then is of no use
    /// any more.
    fn resumable(
        &mut self,
        check: CheckId,
        carrier: Carrier,
        endpoint: &Endpoint,
    ) -> Option<Token> {
        let token = self.open.get(&check).copied()?;
        let slot = self.slots.get_mut(token)?;
        let is_same = carrier == Carrier::Echo
            && slot.kept_for.as_ref().is_some_and(|kept| {
                kept.destination == endpoint.destination && kept.source == endpoint.source
            });
        if !is_same || !slot.drop_strays(&mut self.buffer) || slot.readable {
            self.close(check);
            return None;
        }
        self.kept.remove(&token);
        Some(token)
    }

    /// An attempt begins on an open socket.
    fn run(
        &mut self,
        now: Instant,
        token: Token,
        (dialogue, url): (Conversation, usize),
        is_connected: bool,
    ) {
        let Some(slot) = self.slots.get_mut(token) else {
            return;
        };
        let wake = dialogue.deadline();
        let mut run = Run {
            dialogue,
            url,
            is_connected,
            unsent: Vec::new(),
            wake,
        };
        self.deadlines.insert((wake, token));
        if is_connected {
            run.dialogue.handle_connected(now);
            run.transmit(now, &slot.socket);
        }
        slot.run = Some(run);
        self.settle(token);
    }

    /// Lets one socket say something, and returns how many bytes that were.
    fn serve(&mut self, now: Instant, token: Token) -> usize {
        let Some(slot) = self.slots.get_mut(token) else {
            return 0;
        };
        slot.is_queued = false;
        if slot.run.is_none() {
            if !slot.drop_strays(&mut self.buffer) {
                let check = slot.check;
                self.close(check);
            }
            return 0;
        }
        let bytes = slot.serve(now, &mut self.buffer);
        self.settle(token);
        bytes
    }

    /// The deadline of an attempt has passed, or what was its deadline once.
    fn expire(&mut self, now: Instant, token: Token) {
        let Some(slot) = self.slots.get_mut(token) else {
            return;
        };
        if slot.is_overdue(now) {
            slot.listen_once_more(now, &mut self.buffer);
        }
        if slot.is_overdue(now)
            && let Some(run) = &mut slot.run
        {
            run.dialogue.handle_timeout(now);
            run.transmit(now, &slot.socket);
        }
        if let Some(run) = &mut slot.run {
            self.deadlines.remove(&(run.wake, token));
            run.wake = run.dialogue.deadline();
            self.deadlines.insert((run.wake, token));
        }
        self.settle(token);
    }

    /// After everything that may have moved an attempt on.
    fn settle(&mut self, token: Token) {
        let Some(slot) = self.slots.get_mut(token) else {
            return;
        };
        let Some(run) = &mut slot.run else {
            return;
        };
        if run.dialogue.verdict().is_none() {
            if run.dialogue.deadline() < run.wake {
                self.deadlines.remove(&(run.wake, token));
                run.wake = run.dialogue.deadline();
                self.deadlines.insert((run.wake, token));
            }
            if slot.readable && !std::mem::replace(&mut slot.is_queued, true) {
                self.ready.push_back(token);
            }
            return;
        }
        self.deadlines.remove(&(run.wake, token));
        let check = slot.check;
        let Some(Run { dialogue, url, .. }) = slot.run.take() else {
            return;
        };
        // keepalived: the socket of a PING_CHECK stays open until a check fails.
        let outlives = slot.kept_for.is_some();
        if outlives && dialogue.verdict() == Some(&Verdict::Success) {
            self.kept.insert(token);
        } else {
            self.close(check);
        }
        self.conclude(check, url, &dialogue);
    }

    fn conclude(&mut self, check: CheckId, url: usize, dialogue: &Conversation) {
        if let Some(verdict) = dialogue.verdict() {
            self.verdicts.push_back(Ended {
                check,
                url,
                verdict: verdict.clone(),
                notes: dialogue.notes().into(),
            });
        }
    }

    /// Closes the socket of a check, if it has one, and gives up what runs on it.
    fn close(&mut self, check: CheckId) {
        let Some(token) = self.open.remove(&check) else {
            return;
        };
        self.kept.remove(&token);
        if let Some(slot) = self.slots.remove(token)
            && let Some(run) = slot.run
        {
            self.deadlines.remove(&(run.wake, token));
        }
    }
}

impl Slot {
    const fn new(check: CheckId, socket: CheckSocket, kept_for: Option<Box<Endpoint>>) -> Self {
        Self {
            check,
            socket,
            kept_for,
            is_queued: false,
            is_decided: false,
            is_broken: false,
            readable: false,
            is_ending: false,
            run: None,
        }
    }

    /// What the kernel says of it.
    const fn note(&mut self, change: Change) {
        self.is_decided |= change.writable || change.broken;
        self.is_broken |= change.broken;
        self.readable |= change.readable || change.broken || change.ending;
        self.is_ending |= change.ending;
    }

    /// Reads once, and writes what there is room for.
    fn serve(&mut self, now: Instant, buffer: &mut [u8]) -> usize {
        let Some(run) = &mut self.run else {
            return 0;
        };
        if !run.is_connected {
            if !self.is_decided {
                return 0;
            }
            // Without a word of trouble a connection that can be written to is there.
            if self.is_broken
                && let Err(problem) = self.socket.outcome()
            {
                run.dialogue.handle_trouble(now, trouble(&problem));
                return 0;
            }
            run.is_connected = true;
            run.dialogue.handle_connected(now);
        }
        let mut bytes = 0;
        // A dialogue that has its verdict wants nothing more, and neither does one that nothing has come for.
        if self.readable && run.dialogue.verdict().is_none() {
            bytes = self.read(now, buffer);
        }
        if let Some(run) = &mut self.run {
            run.transmit(now, &self.socket);
        }
        bytes
    }

    fn read(&mut self, now: Instant, buffer: &mut [u8]) -> usize {
        let Some(run) = &mut self.run else {
            return 0;
        };
        let is_stream = self.socket.is_stream();
        let room = if is_stream { STREAM_BUFFER } else { BUFFER };
        let buffer = buffer.get_mut(..room).unwrap_or_default();
        match self.socket.receive(buffer) {
            Heard::Bytes(count) => {
                // Fewer than there is room for was all there is, for now: the kernel tells when there is more.
                if is_stream && count < room && !self.is_ending {
                    self.readable = false;
                }
                let bytes = buffer.get(..count).unwrap_or_default();
                run.dialogue.handle_bytes(now, bytes);
                return count;
            }
            Heard::End => run.dialogue.handle_end(now),
            Heard::Nothing => {}
            Heard::Trouble(problem) => run.dialogue.handle_trouble(now, trouble(&problem)),
        }
        self.readable = false;
        0
    }

    fn is_overdue(&self, now: Instant) -> bool {
        self.run
            .as_ref()
            .is_some_and(|run| run.dialogue.verdict().is_none() && run.dialogue.deadline() <= now)
    }

    /// What has arrived in time counts, even if we come to it late.
    fn listen_once_more(&mut self, now: Instant, buffer: &mut [u8]) {
        for _read in 0..LAST_READS {
            let is_connected = self.run.as_ref().is_some_and(|run| run.is_connected);
            if is_connected {
                self.readable |= self.socket.is_readable();
            } else if self.socket.is_decided() {
                self.is_decided = true;
                self.is_broken = true;
            }
            let has_news = if is_connected {
                self.readable
            } else {
                self.is_decided
            };
            if !has_news {
                return;
            }
            self.serve(now, buffer);
            if !self.is_overdue(now) {
                return;
            }
        }
    }

    /// Between two attempts nothing is expected. Returns whether the socket is still good; it has been emptied unless it is
    /// still `readable`.
    fn drop_strays(&mut self, buffer: &mut [u8]) -> bool {
        for _datagram in 0..STRAY {
            match self.socket.receive(buffer) {
                Heard::Bytes(_) => debug!("unexpected ping check receive packet"),
                Heard::Nothing => {
                    self.readable = false;
                    return true;
                }
                Heard::End | Heard::Trouble(_) => return false,
            }
        }
        self.readable = true;
        true
    }
}

impl Run {
    /// Sends what the dialogue has to say, as far as it goes.
    fn transmit(&mut self, now: Instant, socket: &CheckSocket) {
        loop {
            if self.unsent.is_empty() {
                match self.dialogue.poll_transmit(now) {
                    Some(bytes) => self.unsent = bytes,
                    None => return,
                }
            }
            match socket.send(&self.unsent) {
                Sent::Bytes(count) => drop(self.unsent.drain(..count.min(self.unsent.len()))),
                // The kernel tells when there is room.
                Sent::Full => return,
                Sent::Trouble(problem) => {
                    self.unsent = Vec::new();
                    return self.dialogue.handle_send_trouble(now, trouble(&problem));
                }
            }
        }
    }
}

fn carrier(dialogue: &Conversation) -> Carrier {
    match dialogue.transport() {
        Transport::Tcp => Carrier::Stream,
        Transport::Udp => Carrier::Datagrams,
        Transport::Icmp => Carrier::Echo,
    }
}

/// Opens what a dialogue wants.
fn open(carrier: Carrier, endpoint: &Endpoint) -> Result<Opened, check_socket::Obstacle> {
    let source = endpoint.source.as_deref();
    let origin = source.map_or_else(Origin::default, |source| origin(source, carrier));
    CheckSocket::open(carrier, endpoint.destination, &origin)
}

const fn origin(source: &Source, carrier: Carrier) -> Origin<'_> {
    Origin {
        address: source.address,
        port: source.port,
        interface: source.interface.as_ref(),
        mark: match carrier {
            Carrier::Stream | Carrier::Datagrams => source.fwmark,
            // keepalived: not for PING_CHECK.
            Carrier::Echo => 0,
        },
    }
}

fn trouble(problem: &check_socket::Trouble) -> Trouble {
    Trouble {
        kind: match problem.kind {
            check_socket::TroubleKind::Refused => TroubleKind::Refused,
            check_socket::TroubleKind::Unreachable => TroubleKind::Unreachable,
            check_socket::TroubleKind::Other => TroubleKind::Other,
        },
        number: problem.number(),
        text: problem.text().into(),
    }
}

fn obstacle(problem: &check_socket::Obstacle) -> Obstacle {
    match problem {
        check_socket::Obstacle::Socket(problem) => Obstacle::Socket(trouble(problem)),
        check_socket::Obstacle::Bind(problem) => Obstacle::Bind(trouble(problem)),
        check_socket::Obstacle::Connect(problem) => Obstacle::Connect(trouble(problem)),
    }
}
