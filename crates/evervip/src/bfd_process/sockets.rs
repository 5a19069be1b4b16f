//! The sockets of BFD: one per port that hears all neighbours, one per session that its packets leave from.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::os::fd::{AsFd as _, AsRawFd as _};
use std::time::Duration;

use bfd::SessionId;
use bfd::settings::Session;
use log::{error, info, warn};
use sys::bfd_socket::{BfdReceiver, BfdSender, Origin, Received, Sent, SourcePorts};
use sys::event_loop::EventLoop;
use types::bfd::Port;
use types::{Family, Instant};

/// Descriptors that sockets of sessions leave to everything else: the channels, what comes through them, dumps, the log.
const RESERVED: u64 = 64;

/// When to try again to open a port that somebody else has.
const AGAIN: Duration = Duration::from_secs(1);

/// The sockets that hear.
pub(super) struct Receivers {
    tokens: BTreeMap<Port, u64>,
    open: BTreeMap<Port, BfdReceiver>,
    /// Ports that some session needs.
    wanted: Vec<Port>,
    retry_at: Option<Instant>,
    /// It was said that these are missing.
    complained: BTreeSet<Port>,
}

impl Receivers {
    /// The tokens are for the sockets that will be added to the epoll set.
    pub(super) const fn new(tokens: BTreeMap<Port, u64>) -> Self {
        Self {
            tokens,
            open: BTreeMap::new(),
            wanted: Vec::new(),
            retry_at: None,
            complained: BTreeSet::new(),
        }
    }

    /// Opens the ports that sessions need, and closes the others.
    pub(super) fn settings_change(
        &mut self,
        now: Instant,
        settings: &bfd::Settings,
        events: &EventLoop,
    ) {
        let is_wanted = |port: &Port| {
            settings
                .sessions
                .iter()
                .any(|session| session.port() == *port)
        };
        self.wanted = Port::ALL.into_iter().filter(is_wanted).collect();
        let (kept, closed) = std::mem::take(&mut self.open)
            .into_iter()
            .partition(|(port, _)| self.wanted.contains(port));
        self.open = kept;
        let closed: BTreeMap<Port, BfdReceiver> = closed;
        for receiver in closed.values() {
            if let Err(problem) = events.remove(receiver) {
                error!("{problem}");
            }
        }
        self.complained.clear();
        self.open_missing(now, events);
    }

    fn open_missing(&mut self, now: Instant, events: &EventLoop) {
        self.retry_at = None;
        for port in &self.wanted {
            if self.open.contains_key(port) {
                continue;
            }
            let token = self.tokens.get(port).copied().unwrap_or_default();
            let opened = BfdReceiver::new(*port).and_then(|receiver| {
                events.add(&receiver, token)?;
                Ok(receiver)
            });
            match opened {
                Ok(receiver) => {
                    self.open.insert(*port, receiver);
                    if self.complained.remove(port) {
                        info!("BFD packets to {port} are heard now");
                    }
                }
                Err(problem) => {
                    if self.complained.insert(*port) {
                        error!(
                            "no BFD packet to {port} is heard; another BFD daemon may run here; trying again every second: \
                             {problem}"
                        );
                    }
                    self.retry_at = Some(now + AGAIN);
                }
            }
        }
    }

    pub(super) const fn next_wake(&self) -> Option<Instant> {
        self.retry_at
    }

    /// Tries again what could not be opened.
    pub(super) fn tick(&mut self, now: Instant, events: &EventLoop) {
        if self.retry_at.is_some_and(|at| at <= now) {
            self.open_missing(now, events);
        }
    }

    /// Their descriptors, for dumps.
    pub(super) fn descriptors(&self) -> BTreeMap<Port, i32> {
        let open = self.open.iter();
        open.map(|(port, receiver)| (*port, receiver.as_fd().as_raw_fd()))
            .collect()
    }

    /// What is waiting at a port, a portion of it. True if there may be more.
    pub(super) fn receive(&mut self, port: Port, into: &mut Vec<Received>) -> bool {
        let Some(receiver) = self.open.get_mut(&port) else {
            return false;
        };
        match receiver.receive(into) {
            Ok(summary) => summary.more,
            Err(problem) => {
                error!("{problem}");
                false
            }
        }
    }
}

/// The sockets that send.
pub(super) struct Senders {
    open: BTreeMap<SessionId, BfdSender>,
    ports: SourcePorts,
    /// So many sockets may be open.
    most: usize,
    /// Ports are drawn from here on.
    random: types::Random,
}

impl Senders {
    pub(super) fn new(seed: u64) -> Self {
        let ports = SourcePorts::of_this_host().unwrap_or_else(|problem| {
            warn!("{problem}: BFD packets leave from any of the ports that RFC 5881 allows");
            SourcePorts::RFC_5881
        });
        Self {
            open: BTreeMap::new(),
            ports,
            most: 0,
            random: types::Random::new(seed),
        }
    }

    /// There will be so many sessions: as many sockets may be open, as far as the system lets us.
    pub(super) fn make_room_for(&mut self, sessions: usize) {
        // Those that are to be closed are closed after the others have been opened.
        let both = sessions.saturating_add(self.open.len());
        let wanted = u64::try_from(both).unwrap_or(u64::MAX);
        if let Err(problem) = sys::process::raise_open_files(wanted.saturating_add(RESERVED)) {
            warn!("{problem}");
        }
        let most = sys::process::most_open_files().saturating_sub(RESERVED);
        self.most = usize::try_from(most).unwrap_or(usize::MAX);
        if self.most < sessions {
            error!(
                "only {} of {sessions} BFD sessions can have a socket: raise the limit on open files (LimitNOFILE of the service)",
                self.most
            );
        }
    }

    /// Opens the socket of a session, instead of the one that it may have.
    pub(super) fn open(&mut self, id: SessionId, session: &Session) -> Result<(), String> {
        let origin = Origin {
            family: Family::of(session.neighbor),
            source: session.source,
            hop_limit: session.ttl,
        };
        if self.open.len() >= self.most && !self.open.contains_key(&id) {
            return Err("too many files are open".to_owned());
        }
        let seed = self.random.next_u64();
        let sender =
            BfdSender::new(&origin, self.ports, seed).map_err(|problem| problem.to_string())?;
        self.open.insert(id, sender);
        Ok(())
    }

    pub(super) fn close(&mut self, id: SessionId) {
        self.open.remove(&id);
    }

    /// Their descriptors, for dumps.
    pub(super) fn descriptors(&self) -> BTreeMap<SessionId, i32> {
        let open = self.open.iter();
        open.map(|(id, sender)| (*id, sender.as_fd().as_raw_fd()))
            .collect()
    }

    /// Sends a packet of a session.
    pub(super) fn send(
        &self,
        id: SessionId,
        session: &Session,
        packet: &[u8],
    ) -> Result<Sent, String> {
        let sender = self.open.get(&id).ok_or("it has no socket")?;
        let to = SocketAddr::new(session.neighbor, session.port().number());
        sender
            .send(packet, to)
            .map_err(|failure| failure.to_string())
    }
}
