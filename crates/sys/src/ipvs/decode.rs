//! What the kernel tells of its table. What we do not know is passed over; no bytes make this panic.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use types::Family;
use types::ipvs::{
    DestinationKey, DestinationOptions, Forwarding, GueChecksum, Netmask, PersistenceOptions,
    Protocol, ServiceKey, ServiceOptions, Tunnel,
};

use super::{Info, Timeouts, numbers};
use crate::netlink::message::{Attribute, Attributes, Malformed};

/// A service as the kernel has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KernelService {
    /// Which one.
    pub key: ServiceKey,
    /// How it is balanced.
    pub options: ServiceOptions,
    /// What it has done.
    pub statistics: Statistics,
}

/// A destination as the kernel has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KernelDestination {
    /// Which one.
    pub key: DestinationKey,
    /// How packets get there. A method that we never set counts as direct routing.
    pub options: DestinationOptions,
    /// Connections that are established.
    pub active_connections: u32,
    /// Connections that are not, or not any more.
    pub inactive_connections: u32,
    /// Clients that are to stay with it.
    pub persistent_connections: u32,
    /// What it has done.
    pub statistics: Statistics,
}

/// What a service or a destination has done since it was made; rates are the kernel's estimate of the last seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Statistics {
    /// Connections.
    pub connections: u64,
    /// Packets from clients.
    pub packets_in: u64,
    /// Packets to clients.
    pub packets_out: u64,
    /// Bytes from clients.
    pub bytes_in: u64,
    /// Bytes to clients.
    pub bytes_out: u64,
    /// Connections per second.
    pub connection_rate: u64,
    /// Packets from clients per second.
    pub packet_rate_in: u64,
    /// Packets to clients per second.
    pub packet_rate_out: u64,
    /// Bytes from clients per second.
    pub byte_rate_in: u64,
    /// Bytes to clients per second.
    pub byte_rate_out: u64,
}

impl Statistics {
    fn read(&mut self, attribute: Attribute<'_>) -> Result<(), Malformed> {
        for field in attribute.nested() {
            let field = field?;
            let to = match field.kind {
                numbers::COUNT_CONNECTIONS => &mut self.connections,
                numbers::COUNT_PACKETS_IN => &mut self.packets_in,
                numbers::COUNT_PACKETS_OUT => &mut self.packets_out,
                numbers::COUNT_BYTES_IN => &mut self.bytes_in,
                numbers::COUNT_BYTES_OUT => &mut self.bytes_out,
                numbers::RATE_CONNECTIONS => &mut self.connection_rate,
                numbers::RATE_PACKETS_IN => &mut self.packet_rate_in,
                numbers::RATE_PACKETS_OUT => &mut self.packet_rate_out,
                numbers::RATE_BYTES_IN => &mut self.byte_rate_in,
                numbers::RATE_BYTES_OUT => &mut self.byte_rate_out,
                _ => continue,
            };
            // The short form has some of them in four bytes.
            *to = if field.value.len() == size_of::<u32>() {
                u64::from(field.u32()?)
            } else {
                u64::from_ne_bytes(field.bytes()?)
            };
        }
        Ok(())
    }
}

/// Where the parts of an answer are, behind its generic header: the first attribute of this number.
fn part(answer: &[u8], kind: u16) -> Result<Option<Attribute<'_>>, Malformed> {
    for attribute in Attributes::new(answer) {
        let attribute = attribute?;
        if attribute.kind == kind {
            return Ok(Some(attribute));
        }
    }
    Ok(None)
}

/// Reads a service from an answer of the kernel, from behind the generic header; `None`: it tells of something else, or of a
/// service of a family or protocol that we never balance.
///
/// # Errors
/// When the answer is malformed.
pub fn service(answer: &[u8]) -> Result<Option<KernelService>, Malformed> {
    let Some(service) = part(answer, numbers::SERVICE)? else {
        return Ok(None);
    };
    let (mut family, mut protocol, mut address, mut port, mut mark) = (0, 0, [0; 16], 0, None);
    let (mut scheduler, mut engine) = ("", None);
    let (mut flags, mut timeout, mut mask) = (0, 0, [0; 4]);
    let mut statistics = Statistics::default();
    let mut long_statistics = false;
    for field in service.nested() {
        let field = field?;
        match field.kind {
            numbers::SERVICE_FAMILY => family = u16::from_ne_bytes(field.bytes()?),
            numbers::SERVICE_PROTOCOL => protocol = u16::from_ne_bytes(field.bytes()?),
            numbers::SERVICE_ADDRESS => address = field.bytes()?,
            numbers::SERVICE_PORT => port = u16::from_be_bytes(field.bytes()?),
            numbers::SERVICE_MARK => mark = Some(field.u32()?),
            numbers::SERVICE_SCHEDULER => scheduler = field.text()?,
            numbers::SERVICE_ENGINE => engine = Some(field.text()?),
            numbers::SERVICE_FLAGS => {
                let [f0, f1, f2, f3, ..] = field.bytes::<8>()?;
                flags = u32::from_ne_bytes([f0, f1, f2, f3]);
            }
            numbers::SERVICE_TIMEOUT => timeout = field.u32()?,
            numbers::SERVICE_NETMASK => mask = field.bytes()?,
            numbers::SERVICE_STATISTICS if !long_statistics => statistics.read(field)?,
            numbers::SERVICE_STATISTICS_64 => {
                long_statistics = true;
                statistics.read(field)?;
            }
            _ => {}
        }
    }
    let Some(family) = family_of(family) else {
        return Ok(None);
    };
    let key = match mark.filter(|mark| *mark != 0) {
        Some(mark) => ServiceKey::Mark { mark, family },
        None => {
            let Some(protocol) = protocol_of(protocol) else {
                return Ok(None);
            };
            ServiceKey::Address {
                address: address_of(family, address),
                port,
                protocol,
            }
        }
    };
    let netmask = match family {
        Family::V4 => Netmask::V4(Ipv4Addr::from(mask)),
        // A length that is none can only be somebody else's: whatever it is told as, it is not what we want.
        Family::V6 => Netmask::V6(u8::try_from(u32::from_ne_bytes(mask)).unwrap_or(u8::MAX)),
    };
    let persistence = (flags & numbers::FLAG_PERSISTENT != 0).then(|| PersistenceOptions {
        timeout,
        netmask,
        engine: engine.map(ToOwned::to_owned),
    });
    Ok(Some(KernelService {
        key,
        options: ServiceOptions {
            scheduler: scheduler.to_owned(),
            one_packet: flags & numbers::FLAG_ONE_PACKET != 0,
            scheduler_flags: numbers::FLAGS_OF_SCHEDULER.map(|flag| flags & flag != 0),
            persistence,
        },
        statistics,
    }))
}

/// Reads a destination from an answer of the kernel, from behind the generic header; `None`: it tells of something else, or
/// of a destination of an unknown family. A kernel before 3.18 does not tell the family: it is that of the service.
///
/// # Errors
/// When the answer is malformed.
pub fn destination(
    answer: &[u8],
    family_of_service: Family,
) -> Result<Option<KernelDestination>, Malformed> {
    let Some(destination) = part(answer, numbers::DESTINATION)? else {
        return Ok(None);
    };
    let (mut family, mut address, mut port) = (None, [0; 16], 0);
    let (mut forwarding, mut weight, mut upper_threshold, mut lower_threshold) = (0, 0, 0, 0);
    let (mut kind, mut tunnel_port, mut tunnel_flags) = (numbers::TUNNEL_IPIP, 0, 0);
    let (mut active, mut inactive, mut persistent) = (0, 0, 0);
    let mut statistics = Statistics::default();
    let mut long_statistics = false;
    for field in destination.nested() {
        let field = field?;
        match field.kind {
            numbers::DESTINATION_ADDRESS => address = field.bytes()?,
            numbers::DESTINATION_PORT => port = u16::from_be_bytes(field.bytes()?),
            numbers::DESTINATION_FORWARDING => forwarding = field.u32()?,
            numbers::DESTINATION_WEIGHT => weight = field.u32()?,
            numbers::DESTINATION_UPPER => upper_threshold = field.u32()?,
            numbers::DESTINATION_LOWER => lower_threshold = field.u32()?,
            numbers::DESTINATION_ACTIVE => active = field.u32()?,
            numbers::DESTINATION_INACTIVE => inactive = field.u32()?,
            numbers::DESTINATION_PERSISTENT => persistent = field.u32()?,
            numbers::DESTINATION_STATISTICS if !long_statistics => statistics.read(field)?,
            numbers::DESTINATION_STATISTICS_64 => {
                long_statistics = true;
                statistics.read(field)?;
            }
            numbers::DESTINATION_FAMILY => family = Some(u16::from_ne_bytes(field.bytes()?)),
            numbers::DESTINATION_TUNNEL => kind = field.u8()?,
            numbers::DESTINATION_TUNNEL_PORT => tunnel_port = u16::from_be_bytes(field.bytes()?),
            numbers::DESTINATION_TUNNEL_FLAGS => tunnel_flags = u16::from_ne_bytes(field.bytes()?),
            _ => {}
        }
    }
    let Some(family) = family.map_or(Some(family_of_service), family_of) else {
        return Ok(None);
    };
    let forwarding = match forwarding & numbers::FORWARD_MASK {
        numbers::FORWARD_NAT => Forwarding::Nat,
        numbers::FORWARD_TUNNEL => Forwarding::Tunnel(tunnel(kind, tunnel_port, tunnel_flags)),
        // Locally, which old kernels made of an address of their own, or in a way of later ones.
        _ => Forwarding::DirectRouting,
    };
    Ok(Some(KernelDestination {
        key: DestinationKey {
            address: address_of(family, address),
            port,
        },
        options: DestinationOptions {
            forwarding,
            weight,
            upper_threshold,
            lower_threshold,
        },
        active_connections: active,
        inactive_connections: inactive,
        persistent_connections: persistent,
        statistics,
    }))
}

/// A type that we do not know counts as the plain one.
const fn tunnel(kind: u8, port: u16, flags: u16) -> Tunnel {
    match kind {
        numbers::TUNNEL_GUE => Tunnel::Gue {
            port,
            checksum: if flags & numbers::TUNNEL_REMOTE_CHECKSUM != 0 {
                GueChecksum::Remote
            } else if flags & numbers::TUNNEL_CHECKSUM != 0 {
                GueChecksum::Full
            } else {
                GueChecksum::None
            },
        },
        numbers::TUNNEL_GRE => Tunnel::Gre {
            checksum: flags & numbers::TUNNEL_CHECKSUM != 0,
        },
        _ => Tunnel::Ipip,
    }
}

/// Reads the timeouts from an answer of the kernel, from behind the generic header.
///
/// # Errors
/// When the answer is malformed, or lacks one.
pub fn timeouts(answer: &[u8]) -> Result<Timeouts, Malformed> {
    let timeout = |kind| {
        part(answer, kind)?
            .ok_or(Malformed::Missing { what: "a timeout" })?
            .u32()
    };
    Ok(Timeouts {
        tcp: timeout(numbers::TIMEOUT_TCP)?,
        tcp_fin: timeout(numbers::TIMEOUT_TCP_FIN)?,
        udp: timeout(numbers::TIMEOUT_UDP)?,
    })
}

/// Reads what IPVS is from an answer of the kernel, from behind the generic header.
///
/// # Errors
/// When the answer is malformed, or lacks the version.
pub fn info(answer: &[u8]) -> Result<Info, Malformed> {
    let version = part(answer, numbers::INFO_VERSION)?
        .ok_or(Malformed::Missing {
            what: "the version of IPVS",
        })?
        .u32()?;
    let [_, major, minor, patch] = version.to_be_bytes();
    let connection_table_size = match part(answer, numbers::INFO_TABLE_SIZE)? {
        Some(size) => size.u32()?,
        None => 0,
    };
    Ok(Info {
        version: [major, minor, patch],
        connection_table_size,
    })
}

/// Reads the number of IPVS from what the controller tells of a family, from behind the generic header; `None`: it is another
/// family.
///
/// # Errors
/// When the answer is malformed, or lacks name or number.
pub fn family_id(answer: &[u8]) -> Result<Option<u16>, Malformed> {
    let name = part(answer, numbers::CONTROL_FAMILY_NAME)?.ok_or(Malformed::Missing {
        what: "the name of a family",
    })?;
    if name.text()? != numbers::FAMILY {
        return Ok(None);
    }
    let id = part(answer, numbers::CONTROL_FAMILY_ID)?.ok_or(Malformed::Missing {
        what: "the number of a family",
    })?;
    id.bytes().map(u16::from_ne_bytes).map(Some)
}

const fn family_of(number: u16) -> Option<Family> {
    match number {
        numbers::FAMILY_V4 => Some(Family::V4),
        numbers::FAMILY_V6 => Some(Family::V6),
        _ => None,
    }
}

fn protocol_of(number: u16) -> Option<Protocol> {
    [Protocol::Tcp, Protocol::Udp, Protocol::Sctp]
        .into_iter()
        .find(|protocol| u16::from(protocol.number()) == number)
}

fn address_of(family: Family, bytes: [u8; 16]) -> IpAddr {
    match family {
        Family::V6 => IpAddr::V6(Ipv6Addr::from(bytes)),
        Family::V4 => {
            let [a, b, c, d, ..] = bytes;
            IpAddr::V4(Ipv4Addr::new(a, b, c, d))
        }
    }
}
