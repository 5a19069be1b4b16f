//! An address on an interface: as the kernel describes it, and as it is told to add or remove one.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use types::{Family, IfIndex, IfName, Prefix};

use super::message::{self, Attribute, Attributes, Malformed, Request, Writer};
use super::numbers;
use super::refusal::{Reason, Refusal};
use super::route_socket::{Ask, Changed};

/// An address that the kernel has on an interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// The interface that it is on.
    pub interface: IfIndex,
    /// The host's own address. Its length is that of the other end's network if there is a `peer`.
    pub prefix: Prefix,
    /// The other end, if the address is a point-to-point one.
    pub peer: Option<IpAddr>,
    /// How far it reaches: 0 universe, 200 site, 253 link, 254 host.
    pub scope: u8,
    /// Duplicate address detection has not finished: it cannot be used yet.
    pub tentative: bool,
    /// Duplicate address detection found another host that has it.
    pub dadfailed: bool,
    /// Not to be chosen as a source of new connections.
    pub deprecated: bool,
    /// IPv4: not the first of its network on this interface, and gone when that one goes.
    pub secondary: bool,
    /// Who put it there (`IFA_PROTO`); 18 is keepalived. Kernels before 5.18 do not tell.
    pub protocol: Option<u8>,
}

impl Address {
    /// Reads the payload of `RTM_NEWADDR` or `RTM_DELADDR`; `None` for a family that is not IP.
    pub(super) fn decode(payload: &[u8]) -> Result<Option<Self>, Malformed> {
        let [family, length, few_flags, scope, i0, i1, i2, i3] =
            *message::fixed::<FIXED>(payload, "an address message")?;
        let family = match family {
            numbers::FAMILY_V4 => Family::V4,
            numbers::FAMILY_V6 => Family::V6,
            _ => return Ok(None),
        };
        let number = u32::from_ne_bytes([i0, i1, i2, i3]);
        let interface = IfIndex::new(number).ok_or(Malformed::Value {
            what: "an interface index",
            value: number,
        })?;
        let mut flags = u32::from(few_flags);
        let mut local = None;
        let mut other = None;
        let mut protocol = None;
        for attribute in Attributes::new(message::after(payload, FIXED)) {
            let attribute = attribute?;
            match attribute.kind {
                numbers::ADDRESS_LOCAL => local = Some(address(family, attribute)?),
                numbers::ADDRESS_PEER => other = Some(address(family, attribute)?),
                numbers::ADDRESS_FLAGS => flags = attribute.u32()?,
                numbers::ADDRESS_PROTOCOL => protocol = Some(attribute.u8()?),
                _ => {}
            }
        }
        let own = local.or(other).ok_or(Malformed::Missing {
            what: "the address",
        })?;
        let prefix = Prefix::new(own, length).map_err(|_above| Malformed::Value {
            what: "a prefix length",
            value: u32::from(length),
        })?;
        let has = |flag| flags & flag != 0;
        Ok(Some(Self {
            interface,
            prefix,
            peer: other.filter(|other| *other != own),
            scope,
            tentative: has(numbers::TENTATIVE),
            dadfailed: has(numbers::DAD_FAILED),
            deprecated: has(numbers::DEPRECATED),
            secondary: family == Family::V4 && has(numbers::SECONDARY),
            protocol,
        }))
    }
}

/// Bytes in `struct ifaddrmsg`.
const FIXED: usize = 8;

fn address(family: Family, attribute: Attribute<'_>) -> Result<IpAddr, Malformed> {
    match family {
        Family::V4 => attribute
            .bytes::<4>()
            .map(|bytes| Ipv4Addr::from(bytes).into()),
        Family::V6 => attribute
            .bytes::<16>()
            .map(|bytes| Ipv6Addr::from(bytes).into()),
    }
}

/// An address to be put on an interface, or to be taken away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KernelAddress {
    /// The address and its prefix length; with a `peer`, the length of the peer counts instead.
    pub prefix: Prefix,
    /// The kernel's scope number: 0 universe, 253 link, 254 host. IPv6 has its own idea of it.
    pub scope: u8,
    /// The label of an IPv4 address, at most 15 bytes; by default the interface's name.
    pub label: Option<String>,
    /// The broadcast address of an IPv4 address.
    pub broadcast: Option<Ipv4Addr>,
    /// The other end of a point-to-point address.
    pub peer: Option<Prefix>,
    /// IPv6: skip duplicate address detection, so that the address can be used at once.
    pub nodad: bool,
    /// IPv6: a mobile node's home address.
    pub home: bool,
    /// IPv6: temporary addresses are to be made from this one.
    pub mngtmpaddr: bool,
    /// Make no route for the network of the address.
    pub noprefixroute: bool,
    /// Join the multicast group that the address is.
    pub autojoin: bool,
    /// For how many seconds it may be chosen as a source of new connections; 0: never; `None`: forever.
    /// It stays valid for ever in any case.
    pub preferred_lft: Option<u32>,
    /// Who puts it there (`IFA_PROTO`). Kernels that do not know the attribute pass over it.
    pub protocol: Option<u8>,
}

impl KernelAddress {
    /// An address without any options, of universal scope.
    pub const fn new(prefix: Prefix) -> Self {
        Self {
            prefix,
            scope: 0,
            label: None,
            broadcast: None,
            peer: None,
            nodad: false,
            home: false,
            mngtmpaddr: false,
            noprefixroute: false,
            autojoin: false,
            preferred_lft: None,
            protocol: None,
        }
    }

    fn flags(&self) -> u32 {
        let v6 = self.prefix.family() == Family::V6;
        [
            (self.nodad && v6, numbers::NO_DAD),
            (self.home && v6, numbers::HOME),
            (self.mngtmpaddr && v6, numbers::MANAGE_TEMPORARY),
            (self.noprefixroute, numbers::NO_PREFIX_ROUTE),
            (self.autojoin, numbers::AUTO_JOIN),
        ]
        .into_iter()
        .filter_map(|(wanted, flag)| wanted.then_some(flag))
        .sum()
    }
}

/// A change of the addresses of an interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AddressChange {
    /// Put it there. That it is there already is no error.
    Add {
        /// On which interface.
        interface: IfIndex,
        /// What.
        address: KernelAddress,
    },
    /// Take it away. That it is not there is no error.
    Remove {
        /// From which interface.
        interface: IfIndex,
        /// What; only the address, its prefix length and its peer count.
        address: KernelAddress,
    },
}

impl AddressChange {
    const fn parts(&self) -> (&'static str, IfIndex, &KernelAddress) {
        match self {
            Self::Add { interface, address } => ("add", *interface, address),
            Self::Remove { interface, address } => ("remove", *interface, address),
        }
    }

    fn error(&self, refusal: Refusal) -> AddressError {
        let (doing, interface, address) = self.parts();
        AddressError {
            doing,
            interface,
            prefix: address.prefix,
            refusal,
        }
    }
}

impl Ask for AddressChange {
    type Error = AddressError;

    fn encode(&self, buffer: &mut Vec<u8>, sequence: u32) -> Result<(), AddressError> {
        let (_, interface, address) = self.parts();
        if address
            .label
            .as_ref()
            .is_some_and(|label| label.len() > IfName::MAX_LENGTH)
        {
            let detail = "a label has at most 15 characters".to_owned();
            return Err(self.error(Refusal::new(libc::ERANGE, Some(detail))));
        }
        let kind = match self {
            Self::Add { .. } => numbers::NEW_ADDRESS,
            Self::Remove { .. } => numbers::DELETE_ADDRESS,
        };
        let family = match address.prefix.family() {
            Family::V4 => numbers::FAMILY_V4,
            Family::V6 => numbers::FAMILY_V6,
        };
        let length = address.peer.unwrap_or(address.prefix).length();
        let flags = address.flags();
        let [few_flags, ..] = flags.to_le_bytes();
        let [i0, i1, i2, i3] = interface.get().to_ne_bytes();
        // keepalived: neither CREATE nor EXCL nor REPLACE; an address that exists is left as it is.
        let mut writer = Writer::new(
            buffer,
            Request {
                kind,
                flags: numbers::REQUEST | numbers::ACK,
                sequence,
            },
        );
        writer.fixed(&[family, length, few_flags, address.scope, i0, i1, i2, i3]);
        write_address(
            &mut writer,
            numbers::ADDRESS_LOCAL,
            address.prefix.address(),
        );
        let other = address.peer.unwrap_or(address.prefix).address();
        write_address(&mut writer, numbers::ADDRESS_PEER, other);
        if let Self::Add { .. } = self {
            write_options(&mut writer, address, flags);
        }
        // Every attribute here is short.
        writer
            .finish()
            .map(|_length| ())
            .map_err(|_too_long| self.error(Refusal::new(libc::EMSGSIZE, None)))
    }

    fn judge(&self, answer: Result<(), Refusal>) -> Result<Changed, AddressError> {
        match (self, answer) {
            (_, Ok(())) => Ok(Changed::Now),
            (Self::Add { .. }, Err(refusal)) if refusal.reason() == Reason::Exists => {
                Ok(Changed::Already)
            }
            (Self::Remove { .. }, Err(refusal)) if refusal.reason() == Reason::Missing => {
                Ok(Changed::Already)
            }
            (Self::Add { .. } | Self::Remove { .. }, Err(refusal)) => Err(self.error(refusal)),
        }
    }
}

fn write_address(writer: &mut Writer<'_>, kind: u16, address: IpAddr) {
    match address {
        IpAddr::V4(address) => writer.attribute(kind, &address.octets()),
        IpAddr::V6(address) => writer.attribute(kind, &address.octets()),
    }
}

fn write_options(writer: &mut Writer<'_>, address: &KernelAddress, flags: u32) {
    if flags != 0 {
        writer.attribute(numbers::ADDRESS_FLAGS, &flags.to_ne_bytes());
    }
    if address.prefix.family() == Family::V4 {
        if let Some(broadcast) = address.broadcast {
            writer.attribute(numbers::ADDRESS_BROADCAST, &broadcast.octets());
        }
        if let Some(label) = &address.label {
            writer.text(numbers::ADDRESS_LABEL, label);
        }
    }
    if let Some(preferred) = address.preferred_lft {
        // struct ifa_cacheinfo: preferred, valid, and two times of which only the kernel knows.
        let [p0, p1, p2, p3] = preferred.to_ne_bytes();
        let [v0, v1, v2, v3] = numbers::FOREVER.to_ne_bytes();
        writer.attribute(
            numbers::ADDRESS_LIFETIMES,
            &[p0, p1, p2, p3, v0, v1, v2, v3, 0, 0, 0, 0, 0, 0, 0, 0],
        );
    }
    if let Some(protocol) = address.protocol {
        writer.attribute(numbers::ADDRESS_PROTOCOL, &[protocol]);
    }
}

/// Why an address was not added or removed.
#[derive(Debug, thiserror::Error)]
#[error("cannot {doing} {prefix} on interface {interface}: {refusal}")]
pub struct AddressError {
    /// `add` or `remove`.
    pub doing: &'static str,
    /// On which interface.
    pub interface: IfIndex,
    /// Which address.
    pub prefix: Prefix,
    /// The kernel's reason.
    pub refusal: Refusal,
}

impl AddressError {
    /// Whether more privilege would have helped.
    pub fn is_permission(&self) -> bool {
        self.refusal.io().kind() == io::ErrorKind::PermissionDenied
    }
}

#[cfg(test)]
mod tests;
