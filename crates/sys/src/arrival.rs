//! What the kernel tells of a datagram beside its content: who sent it, whom to, where it came in.
//!
//! All of it has to be asked for, socket by socket (IP_PKTINFO, IP_RECVTTL, IPV6_RECVPKTINFO, IPV6_RECVHOPLIMIT).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};

use types::IfIndex;

use crate::batch::{ControlMessage, control_messages};

/// What the control messages of a datagram say. What was not asked for, or is not whole, is not there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Arrival {
    /// Whom it was sent to, as its IP header says.
    pub(crate) destination: Option<IpAddr>,
    /// Where it came in.
    pub(crate) interface: Option<IfIndex>,
    /// The time to live or hop limit that it had left.
    pub(crate) hop_limit: Option<u8>,
}

impl Arrival {
    /// Reads the control messages of a datagram. A socket for both families tells an IPv4 destination twice; it is the same.
    pub(crate) fn read(control: &[u8]) -> Self {
        let mut arrival = Self::default();
        for message in control_messages(control) {
            arrival.take(message);
        }
        arrival
    }

    fn take(&mut self, message: ControlMessage<'_>) {
        let ControlMessage { level, kind, value } = message;
        match (level, kind) {
            // struct in_pktinfo: interface, the address of ours that it came to, destination.
            (libc::IPPROTO_IP, libc::IP_PKTINFO) => {
                if let Some(&[i0, i1, i2, i3, _, _, _, _, d0, d1, d2, d3]) = value.first_chunk() {
                    self.destination = Some(Ipv4Addr::new(d0, d1, d2, d3).into());
                    self.interface = index([i0, i1, i2, i3]);
                }
            }
            // struct in6_pktinfo: destination, interface.
            (libc::IPPROTO_IPV6, libc::IPV6_PKTINFO) => {
                let parts = value.split_first_chunk::<16>();
                if let Some((address, number)) =
                    parts.and_then(|(address, rest)| Some((address, rest.first_chunk()?)))
                {
                    self.destination = Some(Ipv6Addr::from(*address).to_canonical());
                    self.interface = index(*number);
                }
            }
            (libc::IPPROTO_IP, libc::IP_TTL) | (libc::IPPROTO_IPV6, libc::IPV6_HOPLIMIT) => {
                self.hop_limit = value
                    .first_chunk()
                    .and_then(|number| u8::try_from(i32::from_ne_bytes(*number)).ok());
            }
            _ => {}
        }
    }
}

/// Who sent a datagram: a `struct sockaddr_in` or `sockaddr_in6` as the kernel laid it out. An IPv4 address that stands in
/// an IPv6 one comes out as what it is.
pub(crate) fn sender(name: &[u8]) -> Option<SocketAddr> {
    let (family, rest) = name.split_first_chunk::<2>()?;
    let (port, rest) = rest.split_first_chunk::<2>()?;
    let port = u16::from_be_bytes(*port);
    match i32::from(u16::from_ne_bytes(*family)) {
        libc::AF_INET => {
            let address = Ipv4Addr::from(*rest.first_chunk::<4>()?);
            Some(SocketAddrV4::new(address, port).into())
        }
        libc::AF_INET6 => {
            let (flow, rest) = rest.split_first_chunk::<4>()?;
            let (address, rest) = rest.split_first_chunk::<16>()?;
            let scope = u32::from_ne_bytes(*rest.first_chunk::<4>()?);
            match Ipv6Addr::from(*address).to_canonical() {
                IpAddr::V4(address) => Some(SocketAddrV4::new(address, port).into()),
                IpAddr::V6(address) => {
                    let flow = u32::from_be_bytes(*flow);
                    Some(SocketAddrV6::new(address, port, flow, scope).into())
                }
            }
        }
        _ => None,
    }
}

/// `None` for 0, which is no interface.
fn index(bytes: [u8; 4]) -> Option<IfIndex> {
    IfIndex::new(u32::from_ne_bytes(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::ControlWriter;

    fn written(messages: &[(i32, i32, &[u8])]) -> ControlWriter {
        let mut control = ControlWriter::new();
        for &(level, kind, value) in messages {
            control.push(ControlMessage { level, kind, value });
        }
        control
    }

    #[test]
    fn both_families_tell_destination_interface_and_hop_limit() {
        let seven = 7_u32.to_ne_bytes();
        let v4 = [seven, [192, 0, 2, 9], [192, 0, 2, 1]].concat();
        let mapped: Ipv6Addr = "::ffff:192.0.2.1".parse().unwrap();
        let mapped = [mapped.octets().as_slice(), &seven].concat();
        let v6: Ipv6Addr = "fd00::1".parse().unwrap();
        let v6 = [v6.octets().as_slice(), &seven].concat();
        let ttl = 255_i32.to_ne_bytes();
        let ipv4 = [
            (libc::IPPROTO_IPV6, libc::IPV6_PKTINFO, mapped.as_slice()),
            (libc::IPPROTO_IP, libc::IP_PKTINFO, &v4),
            (libc::IPPROTO_IP, libc::IP_TTL, &ttl),
        ];
        let ipv6 = [
            (libc::IPPROTO_IPV6, libc::IPV6_PKTINFO, v6.as_slice()),
            (libc::IPPROTO_IPV6, libc::IPV6_HOPLIMIT, &ttl),
        ];
        let expect = |address: &str| Arrival {
            destination: Some(address.parse().unwrap()),
            interface: IfIndex::new(7),
            hop_limit: Some(255),
        };
        let cases: [(&[_], _); 4] = [
            (&ipv4, expect("192.0.2.1")),
            (&ipv4[1..], expect("192.0.2.1")),
            (&ipv6, expect("fd00::1")),
            (&[], Arrival::default()),
        ];
        for (messages, expected) in cases {
            let control = written(messages);
            assert_eq!(Arrival::read(control.bytes()), expected);
            for length in 0..control.bytes().len() {
                let some = Arrival::read(&control.bytes()[..length]);
                assert!(some.destination.is_none() || some.destination == expected.destination);
                assert!(some.interface.is_none() || some.interface == expected.interface);
                assert!(some.hop_limit.is_none() || some.hop_limit == expected.hop_limit);
            }
        }
    }

    #[test]
    fn values_that_make_no_sense_are_not_there() {
        let control = written(&[
            (libc::IPPROTO_IP, libc::IP_TTL, &256_i32.to_ne_bytes()),
            (libc::IPPROTO_IP, libc::IP_PKTINFO, &[0; 11]),
            (libc::IPPROTO_IPV6, libc::IPV6_PKTINFO, &[0; 19]),
        ]);
        assert_eq!(Arrival::read(control.bytes()), Arrival::default());
        let none = written(&[(libc::IPPROTO_IP, libc::IP_PKTINFO, &[0; 12])]);
        assert_eq!(Arrival::read(none.bytes()).interface, None);
    }

    #[test]
    fn senders_of_both_families() {
        let mut v4 = 2_u16.to_ne_bytes().to_vec();
        v4.extend([0xc0, 1, 192, 0, 2, 1]);
        let v6 = |address: &str| {
            let address: Ipv6Addr = address.parse().unwrap();
            let mut name = 10_u16.to_ne_bytes().to_vec();
            name.extend([0xc0, 1, 0, 0, 0, 0]);
            name.extend(address.octets());
            name.extend(3_u32.to_ne_bytes());
            name
        };
        let cases = [
            (v4, "192.0.2.1:49153"),
            (v6("::ffff:192.0.2.1"), "192.0.2.1:49153"),
            (v6("fd00::1"), "[fd00::1%3]:49153"),
        ];
        for (name, expected) in cases {
            assert_eq!(sender(&name), Some(expected.parse().unwrap()));
            for length in 0..name.len() {
                assert_eq!(sender(&name[..length]), None);
            }
        }
        let mut unix = vec![0; 28];
        unix[..2].copy_from_slice(&1_u16.to_ne_bytes());
        assert_eq!(sender(&unix), None);
    }
}
