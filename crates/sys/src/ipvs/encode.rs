//! How a change of the table is told to the kernel. The order of attributes is keepalived's.

use std::net::IpAddr;

use types::Family;
use types::ipvs::{
    Command, DestinationKey, DestinationOptions, Forwarding, GueChecksum, Netmask, ServiceKey,
    ServiceOptions, Tunnel,
};

use super::Release;
use super::numbers;
use super::refusal::{Operation, Refusal};
use crate::netlink::message::Writer;

/// Whose operation a command is.
pub(super) const fn operation(command: &Command) -> Operation {
    match command {
        Command::AddService(..) => Operation::AddService,
        Command::EditService(..) => Operation::EditService,
        Command::RemoveService(_) => Operation::RemoveService,
        Command::AddDestination(..) => Operation::AddDestination,
        Command::EditDestination(..) => Operation::EditDestination,
        Command::RemoveDestination(..) => Operation::RemoveDestination,
        Command::Flush => Operation::Flush,
    }
}

/// What a command concerns, as keepalived's log has it.
pub(super) fn object(command: &Command) -> Option<String> {
    match command {
        Command::AddService(service, _)
        | Command::EditService(service, _)
        | Command::RemoveService(service) => Some(service.to_string()),
        Command::AddDestination(service, destination, _)
        | Command::EditDestination(service, destination, _)
        | Command::RemoveDestination(service, destination) => {
            Some(format!("{service} -> {destination}"))
        }
        Command::Flush => None,
    }
}

/// The number of a command in the generic header.
pub(super) const fn number(command: &Command) -> u8 {
    match command {
        Command::AddService(..) => numbers::NEW_SERVICE,
        Command::EditService(..) => numbers::SET_SERVICE,
        Command::RemoveService(_) => numbers::DELETE_SERVICE,
        Command::AddDestination(..) => numbers::NEW_DESTINATION,
        Command::EditDestination(..) => numbers::SET_DESTINATION,
        Command::RemoveDestination(..) => numbers::DELETE_DESTINATION,
        Command::Flush => numbers::FLUSH,
    }
}

/// What this kernel would pass over, and so do something else than it was told.
pub(super) fn unknown_to(kernel: Release, command: &Command) -> Option<Refusal> {
    let (what, since) = match command {
        Command::AddService(_, options) | Command::EditService(_, options) => {
            if !options.scheduler_flags.contains(&true) {
                return None;
            }
            ("flags of schedulers", (3, 11))
        }
        Command::AddDestination(service, destination, options)
        | Command::EditDestination(service, destination, options) => match options.forwarding {
            Forwarding::Tunnel(Tunnel::Gre { .. }) => ("GRE tunnels", (5, 3)),
            Forwarding::Tunnel(Tunnel::Gue {
                checksum: GueChecksum::Full | GueChecksum::Remote,
                ..
            }) => ("checksums of GUE tunnels", (5, 3)),
            Forwarding::Tunnel(Tunnel::Gue {
                checksum: GueChecksum::None,
                ..
            }) => ("GUE tunnels", (5, 2)),
            Forwarding::Nat | Forwarding::DirectRouting | Forwarding::Tunnel(Tunnel::Ipip) => {
                if service.family() == Family::of(destination.address) {
                    return None;
                }
                ("destinations of another family", (3, 18))
            }
        },
        Command::RemoveService(_) | Command::RemoveDestination(..) | Command::Flush => return None,
    };
    kernel.lacks(since).then(|| {
        Refusal::too_old(
            operation(command),
            what,
            [since, (kernel.major, kernel.minor)],
            object(command),
        )
    })
}

/// Writes what follows the generic header of a command.
pub(super) fn write(message: &mut Writer<'_>, command: &Command) {
    match command {
        Command::AddService(service, options) | Command::EditService(service, options) => {
            write_service(message, service, Some(options));
        }
        Command::RemoveService(service) => write_service(message, service, None),
        Command::AddDestination(service, destination, options)
        | Command::EditDestination(service, destination, options) => {
            write_service(message, service, None);
            write_destination(message, destination, Some(options));
        }
        Command::RemoveDestination(service, destination) => {
            write_service(message, service, None);
            write_destination(message, destination, None);
        }
        Command::Flush => {}
    }
}

/// Writes a service: its key alone is enough to find it.
pub(super) fn write_service(
    message: &mut Writer<'_>,
    key: &ServiceKey,
    options: Option<&ServiceOptions>,
) {
    message.nested(numbers::SERVICE, |service| {
        let family = family_number(key.family());
        service.attribute(numbers::SERVICE_FAMILY, &family.to_ne_bytes());
        match key {
            ServiceKey::Mark { mark, .. } => {
                service.attribute(numbers::SERVICE_MARK, &mark.to_ne_bytes());
            }
            ServiceKey::Address {
                address,
                port,
                protocol,
            } => {
                let protocol = u16::from(protocol.number());
                service.attribute(numbers::SERVICE_PROTOCOL, &protocol.to_ne_bytes());
                service.attribute(numbers::SERVICE_ADDRESS, &address_bytes(*address));
                service.attribute(numbers::SERVICE_PORT, &port.to_be_bytes());
            }
        }
        if let Some(options) = options {
            write_service_options(service, key.family(), options);
        }
    });
}

fn write_service_options(service: &mut Writer<'_>, family: Family, options: &ServiceOptions) {
    let ServiceOptions {
        scheduler,
        one_packet,
        scheduler_flags,
        persistence,
    } = options;
    service.text(numbers::SERVICE_SCHEDULER, scheduler);
    if let Some(engine) = persistence.as_ref().and_then(|kept| kept.engine.as_ref()) {
        service.text(numbers::SERVICE_ENGINE, engine);
    }
    let mut flags = 0;
    if persistence.is_some() {
        flags |= numbers::FLAG_PERSISTENT;
    }
    if *one_packet {
        flags |= numbers::FLAG_ONE_PACKET;
    }
    for (set, flag) in scheduler_flags.iter().zip(numbers::FLAGS_OF_SCHEDULER) {
        if *set {
            flags |= flag;
        }
    }
    let [f0, f1, f2, f3] = flags.to_ne_bytes();
    // All flags are meant, also those that are not set.
    let flags = [f0, f1, f2, f3, 0xff, 0xff, 0xff, 0xff];
    service.attribute(numbers::SERVICE_FLAGS, &flags);
    let timeout = persistence.as_ref().map_or(0, |kept| kept.timeout);
    service.attribute(numbers::SERVICE_TIMEOUT, &timeout.to_ne_bytes());
    let mask = persistence
        .as_ref()
        .map_or(Netmask::single(family), |kept| kept.netmask);
    let mask = match mask {
        Netmask::V4(mask) => mask.octets(),
        Netmask::V6(length) => u32::from(length).to_ne_bytes(),
    };
    service.attribute(numbers::SERVICE_NETMASK, &mask);
}

fn write_destination(
    message: &mut Writer<'_>,
    key: &DestinationKey,
    options: Option<&DestinationOptions>,
) {
    message.nested(numbers::DESTINATION, |destination| {
        let family = family_number(Family::of(key.address));
        destination.attribute(numbers::DESTINATION_FAMILY, &family.to_ne_bytes());
        destination.attribute(numbers::DESTINATION_ADDRESS, &address_bytes(key.address));
        destination.attribute(numbers::DESTINATION_PORT, &key.port.to_be_bytes());
        if let Some(options) = options {
            write_destination_options(destination, options);
        }
    });
}

fn write_destination_options(destination: &mut Writer<'_>, options: &DestinationOptions) {
    let forwarding = match options.forwarding {
        Forwarding::Nat => numbers::FORWARD_NAT,
        Forwarding::DirectRouting => numbers::FORWARD_ROUTE,
        Forwarding::Tunnel(_) => numbers::FORWARD_TUNNEL,
    };
    let mut number = |kind, value: u32| destination.attribute(kind, &value.to_ne_bytes());
    number(numbers::DESTINATION_FORWARDING, forwarding);
    number(numbers::DESTINATION_WEIGHT, options.weight);
    if let Forwarding::Tunnel(tunnel) = options.forwarding {
        write_tunnel(destination, tunnel);
    }
    let mut number = |kind, value: u32| destination.attribute(kind, &value.to_ne_bytes());
    number(numbers::DESTINATION_UPPER, options.upper_threshold);
    number(numbers::DESTINATION_LOWER, options.lower_threshold);
}

fn write_tunnel(destination: &mut Writer<'_>, tunnel: Tunnel) {
    let (kind, port, flags) = match tunnel {
        Tunnel::Ipip => (numbers::TUNNEL_IPIP, None, None),
        Tunnel::Gue { port, checksum } => {
            let flags = match checksum {
                GueChecksum::None => 0,
                GueChecksum::Full => numbers::TUNNEL_CHECKSUM,
                GueChecksum::Remote => numbers::TUNNEL_REMOTE_CHECKSUM,
            };
            (numbers::TUNNEL_GUE, Some(port), Some(flags))
        }
        Tunnel::Gre { checksum } => {
            let flags = if checksum {
                numbers::TUNNEL_CHECKSUM
            } else {
                0
            };
            (numbers::TUNNEL_GRE, None, Some(flags))
        }
    };
    destination.attribute(numbers::DESTINATION_TUNNEL, &[kind]);
    if let Some(port) = port {
        destination.attribute(numbers::DESTINATION_TUNNEL_PORT, &port.to_be_bytes());
    }
    if let Some(flags) = flags {
        destination.attribute(numbers::DESTINATION_TUNNEL_FLAGS, &flags.to_ne_bytes());
    }
}

const fn family_number(family: Family) -> u16 {
    match family {
        Family::V4 => numbers::FAMILY_V4,
        Family::V6 => numbers::FAMILY_V6,
    }
}

/// `union nf_inet_addr`: an IPv4 address is in the first four bytes.
fn address_bytes(address: IpAddr) -> [u8; 16] {
    match address {
        IpAddr::V6(address) => address.octets(),
        IpAddr::V4(address) => {
            let [a, b, c, d] = address.octets();
            [a, b, c, d, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]
        }
    }
}
