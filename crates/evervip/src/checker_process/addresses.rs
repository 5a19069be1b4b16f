//! Which addresses this machine has, for virtual servers that are checked only where their address is (`ha_suspend`).

use std::collections::BTreeSet;
use std::net::IpAddr;

use anyhow::{Context as _, Result};
use config::settings::global::{Buffers, ReceiveBuffer};
use log::{debug, error, warn};
use sys::event_loop::EventLoop;
use sys::netlink::{Address, Drained, Event, Monitor, RouteSocket};
use types::IfIndex;

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
    /// The kernel tells of an address again when something about it changes.
    known: BTreeSet<(IfIndex, IpAddr)>,
    /// For the answers to our requests.
    answers: ReceiveBuffer,
}

impl Addresses {
    /// The token is for the descriptor that will be added to the epoll set.
    pub(super) fn new(token: u64) -> Self {
        Self {
            token,
            monitor: None,
            known: BTreeSet::new(),
            answers: ReceiveBuffer::default(),
        }
    }

    /// Settings are about to count that want to know (or not). What the core is to be told ahead of them.
    pub(super) fn prepare(
        &mut self,
        wanted: bool,
        buffers: &Buffers,
        events: &EventLoop,
    ) -> Option<News> {
        if !wanted {
            self.known.clear();
            if let Some(monitor) = self.monitor.take()
                && let Err(problem) = events.remove(&monitor)
            {
                warn!("ha_suspend: {problem}");
            }
            return None;
        }
        self.answers = buffers.lvs_netlink_cmd;
        let begun = self.begin(&buffers.lvs_netlink_monitor, events);
        begun.unwrap_or_else(|problem| {
            error!(
                "ha_suspend: {problem:#}: it is not known which addresses are here, and checks may not be made"
            );
            None
        })
    }

    fn begin(&mut self, buffer: &ReceiveBuffer, events: &EventLoop) -> Result<Option<News>> {
        let size = bytes(buffer);
        if let Some(monitor) = &self.monitor {
            monitor.set_receive_buffer(size, buffer.force)?;
            return Ok(None);
        }
        let monitor = Monitor::new()?;
        monitor.set_receive_buffer(size, buffer.force)?;
        events.add(&monitor, self.token)?;
        // From now on, so that nothing falls between.
        self.monitor = Some(monitor);
        Ok(Some(self.read()?))
    }

    /// All of them.
    fn read(&mut self) -> Result<News> {
        let mut socket = RouteSocket::new()?;
        socket.set_receive_buffer(bytes(&self.answers), self.answers.force)?;
        let addresses = socket.addresses().context("reading addresses")?;
        self.known = addresses.iter().map(key).collect();
        Ok(News::All(
            self.known.iter().map(|(_, address)| *address).collect(),
        ))
    }

    /// There is something to hear.
    pub(super) fn hear(&mut self) -> Result<Vec<News>> {
        let Some(monitor) = &mut self.monitor else {
            return Ok(Vec::new());
        };
        let mut heard = Vec::new();
        if monitor.drain(&mut heard).context("hearing of addresses")? == Drained::Overrun {
            debug!("more addresses changed than could be heard of: reading all of them");
            return Ok(vec![self.read()?]);
        }
        let mut news = Vec::new();
        for event in heard {
            match event {
                Event::Address { address, .. } => {
                    let (interface, address) = key(&address);
                    if self.known.insert((interface, address)) {
                        debug!("Netlink reflector reports IP {address} added");
                        news.push(News::One(address, true));
                    }
                }
                Event::AddressGone { address, .. } => {
                    let (interface, address) = key(&address);
                    if self.known.remove(&(interface, address)) {
                        debug!("Netlink reflector reports IP {address} removed");
                        news.push(News::One(address, false));
                    }
                }
                // The kernel takes the addresses of an interface that goes one by one, before that.
                Event::Link(_) | Event::LinkGone { .. } | Event::Routing(_) => {}
            }
        }
        Ok(news)
    }
}

fn bytes(buffer: &ReceiveBuffer) -> usize {
    usize::try_from(buffer.size).unwrap_or(usize::MAX)
}

fn key(address: &Address) -> (IfIndex, IpAddr) {
    (address.interface, address.prefix.address())
}
