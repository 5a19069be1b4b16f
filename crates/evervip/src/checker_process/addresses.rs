//! Which addresses this machine has, for virtual servers that are checked only where their address is (`ha_suspend`).

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

use anyhow::{Context as _, Result};
use config::settings::global::{Buffers, ReceiveBuffer};
use log::{debug, error, info, warn};
use sys::event_loop::EventLoop;
use sys::netlink::{Address, Drained, Event, Monitor, RouteSocket};
use types::{IfIndex, Instant, Prefix};

/// Until the kernel is asked again, when it did not answer.
const RETRY: Duration = Duration::from_secs(1);

/// What has happened.
pub(super) enum News {
    /// These are all addresses, each as often as there are interfaces that have it.
    All(Vec<IpAddr>),
    /// An interface got an address, or lost it.
    One(IpAddr, bool),
}

/// The addresses of this machine, while somebody wants to know.
pub(super) struct Addresses {
    token: u64,
    monitor: Option<Monitor>,
    /// The kernel tells of an address again when something about it changes. An interface may have one with several prefix
    /// lengths.
    known: BTreeSet<(IfIndex, Prefix)>,
    buffer: ReceiveBuffer,
    /// For the answers to our requests.
    answers: ReceiveBuffer,
    /// It is not known which addresses are here; the kernel is asked again then.
    retry_at: Option<Instant>,
}

impl Addresses {
    /// The token is for the descriptor that will be added to the epoll set.
    pub(super) fn new(token: u64) -> Self {
        Self {
            token,
            monitor: None,
            known: BTreeSet::new(),
            buffer: ReceiveBuffer::default(),
            answers: ReceiveBuffer::default(),
            retry_at: None,
        }
    }

    /// Settings are about to count that want to know (or not). What the core is to be told ahead of them.
    pub(super) fn prepare(
        &mut self,
        now: Instant,
        wanted: bool,
        buffers: &Buffers,
        events: &EventLoop,
    ) -> Option<News> {
        self.retry_at = None;
        if !wanted {
            self.forget(events);
            return None;
        }
        self.answers = buffers.lvs_netlink_cmd;
        self.buffer = buffers.lvs_netlink_monitor;
        if let Some(monitor) = &self.monitor {
            if let Err(problem) = monitor.set_receive_buffer(bytes(&self.buffer), self.buffer.force)
            {
                warn!("ha_suspend: {problem}");
            }
            return None;
        }
        self.try_to_begin(now, events)
    }

    /// When [`tick`](Self::tick) has something to do.
    pub(super) const fn next_wake(&self) -> Option<Instant> {
        self.retry_at
    }

    /// Asks the kernel again, if it did not answer and it is time.
    pub(super) fn tick(&mut self, now: Instant, events: &EventLoop) -> Option<News> {
        self.retry_at.filter(|at| *at <= now)?;
        let news = self.try_to_begin(now, events);
        if news.is_some() {
            info!("ha_suspend: it is known now which addresses are here");
        }
        news
    }

    /// Nobody wants to know, or nothing is known for sure.
    fn forget(&mut self, events: &EventLoop) {
        self.known.clear();
        if let Some(monitor) = self.monitor.take()
            && let Err(problem) = events.remove(&monitor)
        {
            warn!("ha_suspend: {problem}");
        }
    }

    fn try_to_begin(&mut self, now: Instant, events: &EventLoop) -> Option<News> {
        let again = self.retry_at.is_some();
        match self.begin(events) {
            Ok(news) => {
                self.retry_at = None;
                Some(news)
            }
            Err(problem) => {
                // Said once.
                if !again {
                    error!(
                        "ha_suspend: {problem:#}: it is not known which addresses are here, and checks may not be made; \
                         asking again every {} s",
                        RETRY.as_secs()
                    );
                }
                self.forget(events);
                self.retry_at = Some(now + RETRY);
                None
            }
        }
    }

    fn begin(&mut self, events: &EventLoop) -> Result<News> {
        let (size, force) = (bytes(&self.buffer), self.buffer.force);
        let monitor = Monitor::new()?;
        monitor.set_receive_buffer(size, force)?;
        events.add(&monitor, self.token)?;
        // From now on, so that nothing falls between.
        self.monitor = Some(monitor);
        self.read()
    }

    /// All of them.
    fn read(&mut self) -> Result<News> {
        let mut socket = RouteSocket::new()?;
        socket.set_receive_buffer(bytes(&self.answers), self.answers.force)?;
        let addresses = socket.addresses().context("reading addresses")?;
        self.known = addresses.iter().map(key).collect();
        Ok(News::All(
            self.known
                .iter()
                .map(|(_, prefix)| prefix.address())
                .collect(),
        ))
    }

    /// There is something to hear.
    pub(super) fn hear(&mut self, now: Instant, events: &EventLoop) -> Vec<News> {
        let Some(monitor) = &mut self.monitor else {
            return Vec::new();
        };
        let mut heard = Vec::new();
        match monitor.drain(&mut heard) {
            Ok(Drained::Overrun) => {
                debug!("more addresses changed than could be heard of: reading all of them");
                self.forget(events);
                return self.try_to_begin(now, events).into_iter().collect();
            }
            Ok(Drained::Complete | Drained::More) => {}
            Err(problem) => {
                warn!("ha_suspend: hearing of addresses: {problem}: reading all of them");
                self.forget(events);
                return self.try_to_begin(now, events).into_iter().collect();
            }
        }
        let mut news = Vec::new();
        for event in heard {
            match event {
                Event::Address { address, .. } => {
                    let key = key(&address);
                    if self.known.insert(key) {
                        let address = key.1.address();
                        debug!("Netlink reflector reports IP {address} added");
                        news.push(News::One(address, true));
                    }
                }
                Event::AddressGone { address, .. } => {
                    let key = key(&address);
                    if self.known.remove(&key) {
                        let address = key.1.address();
                        debug!("Netlink reflector reports IP {address} removed");
                        news.push(News::One(address, false));
                    }
                }
                // The kernel takes the addresses of an interface that goes one by one, before that.
                Event::Link(_) | Event::LinkGone { .. } | Event::Routing(_) => {}
            }
        }
        news
    }
}

fn bytes(buffer: &ReceiveBuffer) -> usize {
    usize::try_from(buffer.size).unwrap_or(usize::MAX)
}

fn key(address: &Address) -> (IfIndex, Prefix) {
    (address.interface, address.prefix)
}
