//! The socket for notifications: what anybody changes about interfaces, addresses, and routes and rules of ours.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use socket2::SockRef;
use types::{IfIndex, IfName};

use super::address::Address;
use super::link::Link;
use super::message::{Malformed, Message, Messages};
use super::numbers;
use super::routes::Route;
use super::rules::KernelRule;
use super::socket::{self, Socket};
use crate::batch::{Batch, Wait};
use crate::filter::Unheard;
use crate::{Error, filter, option};

/// Room for some thousand notifications that have not been read yet: as many as a take-over of thousands of IPv6
/// addresses makes. It is taken only while they wait.
const RECEIVE_BUFFER: usize = 4 << 20;

/// A notification of an interface is 1 to 3 KiB; this leaves room for what later kernels add.
const NOTIFICATION_SIZE: usize = 16 << 10;

/// Notifications per system call.
const SLOTS: usize = 16;

/// System calls per [`Monitor::drain`], so that a storm of notifications cannot hold up the timers.
const BATCHES: u32 = 32;

/// Something changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// An interface is new, or something about it is.
    Link(Link),
    /// An interface is gone.
    LinkGone {
        /// The number that it had.
        index: IfIndex,
        /// The name that it had.
        name: IfName,
    },
    /// An address is new, or something about it is.
    ///
    /// Of a new IPv6 address the kernel tells a little later, even without duplicate address detection: after
    /// the request was acknowledged, and not at all if the address is gone again by then.
    Address {
        /// The address as it is now.
        address: Address,
        /// The netlink port of the socket that caused it. 0: the kernel itself; and always 0 for IPv6, of
        /// which the kernel does not tell.
        port_id: u32,
    },
    /// An address is gone.
    AddressGone {
        /// The address as it was.
        address: Address,
        /// The netlink port of the socket that caused it; 0 as for [`Event::Address`].
        port_id: u32,
    },
    /// Something about a route or a rule. Only after [`Monitor::watch_routing`].
    Routing(RoutingEvent),
}

/// Something about a route or a rule changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RoutingEvent {
    /// A route is new, or something about it is.
    Route {
        /// The route as it is now.
        route: Route,
        /// The netlink port of the socket that caused it. 0: the kernel itself.
        port_id: u32,
    },
    /// A route is gone. The kernel does not tell of IPv4 routes that go with their interface or their source address.
    RouteGone {
        /// The route as it was.
        route: Route,
        /// The netlink port of the socket that caused it. 0: the kernel itself.
        port_id: u32,
    },
    /// A rule is new.
    Rule {
        /// The rule.
        rule: Box<KernelRule>,
        /// The netlink port of the socket that caused it.
        port_id: u32,
    },
    /// A rule is gone.
    RuleGone {
        /// The rule as it was.
        rule: Box<KernelRule>,
        /// The netlink port of the socket that caused it.
        port_id: u32,
    },
}

/// How much a call of [`Monitor::drain`] could tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Drained {
    /// Everything that was waiting.
    Complete,
    /// Enough for once; more is waiting, and the descriptor stays readable.
    More,
    /// Notifications were lost. Nothing was told; read everything anew with [`super::RouteSocket::links`],
    /// [`super::RouteSocket::addresses`], [`super::RouteSocket::routes`] and [`super::RouteSocket::rules`].
    Overrun,
}

/// Hears of every change of an interface or an address. Never waits: [`AsFd`] tells when to [`Self::drain`].
pub struct Monitor {
    socket: Socket,
    batch: Batch,
    /// Something was lost since the queue was last empty.
    overrun: bool,
    passed_over: u64,
    unheard: Unheard,
}

impl Monitor {
    /// Begins to listen, in the network namespace of this thread.
    ///
    /// # Errors
    /// When the kernel has no netlink, or no descriptor is left.
    pub fn new() -> Result<Self, Error> {
        Self::with_receive_buffer(RECEIVE_BUFFER)
    }

    /// The same with a receive buffer of so many bytes (keepalived: `vrrp_netlink_monitor_rcv_bufs`).
    /// The kernel counts its own overhead too, and doubles the number to make up for it.
    ///
    /// # Errors
    /// When the kernel has no netlink, or no descriptor is left.
    pub fn with_receive_buffer(bytes: usize) -> Result<Self, Error> {
        Ok(Self {
            socket: Socket::for_notifications(numbers::MONITORED_GROUPS, bytes)?,
            batch: Batch::new(SLOTS, NOTIFICATION_SIZE),
            overrun: false,
            passed_over: 0,
            unheard: Unheard::default(),
        })
    }

    /// Asks for a receive buffer of so many bytes, beyond the system's limit with `force` only; never less than without this.
    ///
    /// # Errors
    /// When the kernel refuses every size.
    pub fn set_receive_buffer(&self, bytes: usize, force: bool) -> Result<(), Error> {
        option::enlarge_receive_buffer(&self.socket, RECEIVE_BUFFER, bytes, force)
    }

    /// From now on tells of routes and rules, too, but only of those that carry this protocol number. The kernel drops what
    /// it has to say of other routes before it reaches our queue, so that a full table of BGP costs nothing. To be called
    /// once; later calls do nothing.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn watch_routing(&mut self, protocol: u8) -> Result<(), Error> {
        if self.unheard.routes_but_of.is_some() {
            return Ok(());
        }
        self.unheard.routes_but_of = Some(protocol);
        self.filter()?;
        for group in numbers::ROUTING_GROUPS {
            option::set_int(
                &self.socket,
                libc::SOL_NETLINK,
                libc::NETLINK_ADD_MEMBERSHIP,
                group,
                "listen for changes of routes and rules",
            )?;
        }
        Ok(())
    }

    /// Does not hear any more of IPv4 addresses that are added through the socket with this port: the kernel makes no
    /// notification for us then. Removals are told all the same, as the kernel may remove more than it was asked to; and
    /// of IPv6 addresses it does not say whose they are.
    ///
    /// # Errors
    /// When the kernel does not take the filter.
    pub fn ignore_additions_of(&mut self, port_id: u32) -> Result<(), Error> {
        self.unheard.additions_of = Some(port_id);
        self.filter()
    }

    fn filter(&self) -> Result<(), Error> {
        SockRef::from(&self.socket)
            .attach_filter(&filter::notifications(self.unheard))
            .map_err(Error::system("filter notifications"))
    }

    /// Appends what changed to `events`.
    ///
    /// # Errors
    /// When the socket fails.
    pub fn drain(&mut self, events: &mut Vec<Event>) -> Result<Drained, Error> {
        let told_before = events.len();
        let mut outcome = Drained::More;
        for _batch in 0..BATCHES {
            match self.batch.receive(&self.socket, Wait::No) {
                Ok(received) => {
                    self.understand(events);
                    if received < SLOTS {
                        outcome = Drained::Complete;
                        break;
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    outcome = Drained::Complete;
                    break;
                }
                Err(error) if error.raw_os_error() == Some(libc::ENOBUFS) => self.overrun = true,
                Err(error) => return Err(Error::system("receive notifications")(error)),
            }
        }
        if self.overrun {
            // What is still queued is older than what was lost. Told after the caller's fresh lists, it
            // would undo them: so it goes away first, and the overrun is told when the queue is empty.
            events.truncate(told_before);
            if outcome == Drained::Complete {
                self.overrun = false;
                outcome = Drained::Overrun;
            }
        }
        Ok(outcome)
    }

    fn understand(&mut self, events: &mut Vec<Event>) {
        let routing = self.unheard.routes_but_of;
        for datagram in self.batch.datagrams() {
            if !socket::is_from_kernel(&datagram) {
                self.passed_over += 1;
                continue;
            }
            // What was cut off is as lost as what did not fit.
            self.overrun |= datagram.truncated;
            for message in Messages::new(datagram.data) {
                match message.and_then(|message| event(&message, routing)) {
                    Ok(Some(Heard::Event(event))) => events.push(event),
                    Ok(Some(Heard::Overrun)) => self.overrun = true,
                    Ok(None) => {}
                    Err(error) => {
                        self.passed_over += 1;
                        log::warn!("passing over a notification: {error}");
                    }
                }
            }
        }
    }

    /// How many messages were not believed, because the kernel did not send them, or not understood.
    pub const fn passed_over(&self) -> u64 {
        self.passed_over
    }
}

impl AsFd for Monitor {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

enum Heard {
    Event(Event),
    Overrun,
}

/// `None` for what does not concern us.
fn event(message: &Message<'_>, routing: Option<u8>) -> Result<Option<Heard>, Malformed> {
    let port_id = message.port_id;
    let ours = |route: &Route| Some(route.protocol) == routing;
    let our_rule = |rule: &KernelRule| Some(rule.protocol) == routing;
    let event = match message.kind {
        numbers::NEW_LINK => Link::decode(message.payload)?.map(Event::Link),
        numbers::DELETE_LINK => Link::decode(message.payload)?.map(|link| Event::LinkGone {
            index: link.index,
            name: link.name,
        }),
        numbers::NEW_ADDRESS => {
            Address::decode(message.payload)?.map(|address| Event::Address { address, port_id })
        }
        numbers::DELETE_ADDRESS => {
            Address::decode(message.payload)?.map(|address| Event::AddressGone { address, port_id })
        }
        numbers::NEW_ROUTE => Route::decode(message.payload)?
            .filter(ours)
            .map(|route| Event::Routing(RoutingEvent::Route { route, port_id })),
        numbers::DELETE_ROUTE => Route::decode(message.payload)?
            .filter(ours)
            .map(|route| Event::Routing(RoutingEvent::RouteGone { route, port_id })),
        numbers::NEW_RULE => KernelRule::decode(message.payload)?
            .filter(our_rule)
            .map(Box::new)
            .map(|rule| Event::Routing(RoutingEvent::Rule { rule, port_id })),
        numbers::DELETE_RULE => KernelRule::decode(message.payload)?
            .filter(our_rule)
            .map(Box::new)
            .map(|rule| Event::Routing(RoutingEvent::RuleGone { rule, port_id })),
        numbers::OVERRUN => return Ok(Some(Heard::Overrun)),
        _ => None,
    };
    Ok(event.map(Heard::Event))
}
