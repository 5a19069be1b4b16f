//! Making, joining and removing interfaces.

use std::os::fd::{AsRawFd, BorrowedFd};

use types::{IfIndex, IfName, MacAddress};

use super::link::fixed_part;
use super::message::Writer;
use super::numbers;
use super::route_socket::RouteSocket;
use crate::Error;

impl RouteSocket {
    /// Makes a bridge that forwards from the first moment, and multicast to every port.
    ///
    /// # Errors
    /// When the name is taken, bridges are not in the kernel, or we are not allowed to.
    pub fn add_bridge(&mut self, name: &IfName) -> Result<(), Error> {
        self.add("add the bridge", name, "bridge", |data| {
            data.attribute(numbers::BRIDGE_FORWARD_DELAY, &0_u32.to_ne_bytes());
            data.attribute(numbers::BRIDGE_MULTICAST_SNOOPING, &[0]);
        })
    }

    /// Makes a pair of interfaces that are the two ends of one wire; the peer in another namespace, if one
    /// is given.
    ///
    /// # Errors
    /// When a name is taken, veth is not in the kernel, or we are not allowed to.
    pub fn add_veth(
        &mut self,
        name: &IfName,
        peer_name: &IfName,
        peer_namespace: Option<BorrowedFd<'_>>,
    ) -> Result<(), Error> {
        self.add("add the veth pair", name, "veth", |data| {
            data.nested(numbers::VETH_PEER, |peer| {
                peer.fixed(&fixed_part(0, 0, 0));
                peer.text(numbers::LINK_NAME, peer_name.as_str());
                if let Some(namespace) = peer_namespace {
                    peer.attribute(
                        numbers::LINK_NAMESPACE,
                        &namespace.as_raw_fd().to_ne_bytes(),
                    );
                }
            });
        })
    }

    /// Removes an interface; of a veth pair, both ends.
    ///
    /// # Errors
    /// When there is none, it is not of a removable kind, or we are not allowed to.
    pub fn delete_link(&mut self, index: IfIndex) -> Result<(), Error> {
        let answer = self.perform(numbers::DELETE_LINK, 0, |writer| {
            writer.fixed(&fixed_part(index.get(), 0, 0))
        })?;
        answer.map_err(|reason| Error::Refused {
            what: "delete interface",
            object: index.to_string(),
            reason,
        })
    }

    /// Switches an interface on.
    ///
    /// # Errors
    /// When there is none, or we are not allowed to.
    pub fn set_up(&mut self, index: IfIndex) -> Result<(), Error> {
        self.change("switch on interface", index, numbers::UP, |_| {})
    }

    /// Switches an interface off.
    ///
    /// # Errors
    /// When there is none, or we are not allowed to.
    pub fn set_down(&mut self, index: IfIndex) -> Result<(), Error> {
        let answer = self.perform(numbers::NEW_LINK, 0, |writer| {
            writer.fixed(&fixed_part(index.get(), 0, numbers::UP))
        })?;
        answer.map_err(|reason| Error::Refused {
            what: "switch off interface",
            object: index.to_string(),
            reason,
        })
    }

    /// Makes an interface a port of a bridge; `None`: no longer.
    ///
    /// # Errors
    /// When either is missing or unsuitable, or we are not allowed to.
    pub fn set_master(&mut self, index: IfIndex, master: Option<IfIndex>) -> Result<(), Error> {
        let master = master.map_or(0, IfIndex::get).to_ne_bytes();
        self.change("set the master of interface", index, 0, |writer| {
            writer.attribute(numbers::LINK_MASTER, &master)
        })
    }

    /// Gives an interface another name.
    ///
    /// # Errors
    /// When the name is taken, there is no such interface, or we are not allowed to.
    pub fn rename(&mut self, index: IfIndex, name: &IfName) -> Result<(), Error> {
        self.change("rename interface", index, 0, |writer| {
            writer.text(numbers::LINK_NAME, name.as_str())
        })
    }

    /// Gives an interface another hardware address.
    ///
    /// # Errors
    /// When the interface does not take it, is missing, or we are not allowed to.
    pub fn set_mac(&mut self, index: IfIndex, mac: MacAddress) -> Result<(), Error> {
        self.change(
            "set the hardware address of interface",
            index,
            0,
            |writer| {
                writer.attribute(numbers::LINK_MAC, &mac.0);
            },
        )
    }

    /// Sets the largest packet, in bytes.
    ///
    /// # Errors
    /// When the interface does not take it, is missing, or we are not allowed to.
    pub fn set_mtu(&mut self, index: IfIndex, mtu: u32) -> Result<(), Error> {
        self.change("set the MTU of interface", index, 0, |writer| {
            writer.attribute(numbers::LINK_MTU, &mtu.to_ne_bytes());
        })
    }

    /// Moves an interface to another network namespace, where it gets another number.
    ///
    /// # Errors
    /// When it cannot move, its name is taken there, or we are not allowed to.
    pub fn move_to_namespace(
        &mut self,
        index: IfIndex,
        namespace: BorrowedFd<'_>,
    ) -> Result<(), Error> {
        let namespace = namespace.as_raw_fd().to_ne_bytes();
        self.change("move to another namespace interface", index, 0, |writer| {
            writer.attribute(numbers::LINK_NAMESPACE, &namespace);
        })
    }

    fn add(
        &mut self,
        what: &'static str,
        name: &IfName,
        kind: &str,
        data: impl FnOnce(&mut Writer<'_>),
    ) -> Result<(), Error> {
        let answer = self.perform(numbers::NEW_LINK, numbers::CREATE_NEW, |writer| {
            writer.fixed(&fixed_part(0, 0, 0));
            writer.text(numbers::LINK_NAME, name.as_str());
            writer.nested(numbers::LINK_INFO, |info| {
                info.text(numbers::INFO_KIND, kind);
                info.nested(numbers::INFO_DATA, data);
            });
        })?;
        answer.map_err(|reason| Error::Refused {
            what,
            object: name.to_string(),
            reason,
        })
    }

    /// Sets `flags`, and what `write` appends.
    pub(super) fn change(
        &mut self,
        what: &'static str,
        index: IfIndex,
        flags: u32,
        write: impl FnOnce(&mut Writer<'_>),
    ) -> Result<(), Error> {
        let answer = self.perform(numbers::NEW_LINK, 0, |writer| {
            writer.fixed(&fixed_part(index.get(), flags, flags));
            write(writer);
        })?;
        answer.map_err(|reason| Error::Refused {
            what,
            object: index.to_string(),
            reason,
        })
    }
}
