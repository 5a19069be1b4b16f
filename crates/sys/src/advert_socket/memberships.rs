//! Keeping the host in multicast groups.
//!
//! The kernel limits the memberships of one IPv4 socket (`igmp_max_memberships`, 20), and of an IPv6 socket
//! by memory. So they are spread over as many sockets as it takes, which do nothing else: an unbound UDP
//! socket receives nothing.

use std::collections::BTreeMap;
use std::io;
use std::net::IpAddr;

use socket2::{Domain, InterfaceIndexOrAddress, Socket, Type};
use types::{Family, IfIndex};

use crate::Error;

/// The groups that the host is in on our behalf. Dropping this leaves them all.
#[derive(Debug, Default)]
pub struct Memberships {
    /// Which holder has which membership.
    joined: BTreeMap<(IfIndex, IpAddr), u64>,
    holders: BTreeMap<u64, Holder>,
    next: u64,
}

#[derive(Debug)]
struct Holder {
    socket: Socket,
    family: Family,
    count: usize,
    full: bool,
}

impl Memberships {
    /// None yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Joins a group on an interface, in the network namespace of this thread; nothing happens if that is
    /// done already.
    ///
    /// # Errors
    /// When the interface is gone or has no multicast, or the address is no group.
    pub fn join(&mut self, interface: IfIndex, group: IpAddr) -> Result<(), Error> {
        if self.joined.contains_key(&(interface, group)) {
            return Ok(());
        }
        let failed = |error| {
            let object = format!("{group} on interface {interface}");
            Error::Object {
                what: "join the multicast group",
                object,
                reason: error,
            }
        };
        let family = Family::of(group);
        while let Some((id, holder)) = self
            .holders
            .iter_mut()
            .find(|(_, holder)| holder.family == family && !holder.full)
        {
            match holder.join(interface, group) {
                Ok(()) => {
                    self.joined.insert((interface, group), *id);
                    return Ok(());
                }
                Err(error) if is_full(&error) && holder.count > 0 => holder.full = true,
                Err(error) => return Err(failed(error)),
            }
        }
        let mut holder = Holder::new(family)?;
        holder.join(interface, group).map_err(failed)?;
        let id = self.next;
        self.next += 1;
        self.holders.insert(id, holder);
        self.joined.insert((interface, group), id);
        Ok(())
    }

    /// Leaves a group on an interface; nothing happens if it was not joined, or if the interface is gone.
    ///
    /// # Errors
    /// When the kernel refuses for another reason. The membership counts as left all the same.
    pub fn leave(&mut self, interface: IfIndex, group: IpAddr) -> Result<(), Error> {
        let Some(id) = self.joined.remove(&(interface, group)) else {
            return Ok(());
        };
        let Some(holder) = self.holders.get_mut(&id) else {
            return Ok(());
        };
        let left = holder.leave(interface, group);
        if holder.count == 0 {
            self.holders.remove(&id);
        }
        match left {
            Err(error) if !is_gone(&error) => {
                let object = format!("{group} on interface {interface}");
                Err(Error::Object {
                    what: "leave the multicast group",
                    object,
                    reason: error,
                })
            }
            Ok(()) | Err(_) => Ok(()),
        }
    }
}

impl Holder {
    fn new(family: Family) -> Result<Self, Error> {
        let domain = match family {
            Family::V4 => Domain::IPV4,
            Family::V6 => Domain::IPV6,
        };
        let socket = Socket::new(domain, Type::DGRAM, None)
            .map_err(Error::system("open a socket to join multicast groups"))?;
        Ok(Self {
            socket,
            family,
            count: 0,
            full: false,
        })
    }

    fn join(&mut self, interface: IfIndex, group: IpAddr) -> io::Result<()> {
        match group {
            IpAddr::V4(group) => self
                .socket
                .join_multicast_v4_n(&group, &InterfaceIndexOrAddress::Index(interface.get())),
            IpAddr::V6(group) => self.socket.join_multicast_v6(&group, interface.get()),
        }?;
        self.count += 1;
        Ok(())
    }

    fn leave(&mut self, interface: IfIndex, group: IpAddr) -> io::Result<()> {
        self.count = self.count.saturating_sub(1);
        self.full = false;
        match group {
            IpAddr::V4(group) => self
                .socket
                .leave_multicast_v4_n(&group, &InterfaceIndexOrAddress::Index(interface.get())),
            IpAddr::V6(group) => self.socket.leave_multicast_v6(&group, interface.get()),
        }
    }
}

/// The limit of a socket: of memberships, or of the memory for them.
fn is_full(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::ENOBUFS | libc::ENOMEM))
}

/// The membership went away with the interface.
fn is_gone(error: &io::Error) -> bool {
    matches!(
        error.raw_os_error(),
        Some(libc::ENODEV | libc::ENXIO | libc::EADDRNOTAVAIL)
    )
}
