//! One socket per family that all advertisements leave from.

use std::io::{self, IoSlice};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddrV4, SocketAddrV6};

use socket2::{MsgHdr, SockAddr, Socket};
use types::{Family, IfIndex};
use wire::ipv4;

use super::{CHECKSUM_OFFSET, PROTOCOL, open};
use crate::batch::{ControlMessage, ControlWriter};
use crate::{Error, SendError, filter, option};

/// Adverts of a thousand instances may fall due together; a slow link must not lose any of them.
const SEND_BUFFER: usize = 4 << 20;

/// Internetwork control (keepalived).
const TRAFFIC_CLASS: u32 = 0xc0;

/// The hop limit that receivers insist on (RFC 9568 5.1.1.3, 5.1.2.3).
const HOP_LIMIT: u8 = 255;

/// Sends VRRP messages of one family, on any interface.
pub struct AdvertSender {
    socket: Socket,
    family: Family,
    identification: u16,
}

impl AdvertSender {
    /// Opens the socket, in the network namespace of this thread.
    ///
    /// # Errors
    /// Without the right to open raw sockets (CAP_NET_RAW), or when an option is not to be had.
    pub fn new(family: Family) -> Result<Self, Error> {
        const OPTION: &str = "prepare the socket that sends adverts";
        let socket = open(family, PROTOCOL)?;
        // A raw socket hears its protocol from the start, and nobody would ever read it from this one.
        socket
            .attach_filter(&filter::drop_all())
            .map_err(Error::system(OPTION))?;
        socket
            .set_recv_buffer_size(0)
            .map_err(Error::system(OPTION))?;
        option::set_send_buffer(&socket, SEND_BUFFER)?;
        match family {
            Family::V4 => {
                socket
                    .set_header_included_v4(true)
                    .map_err(Error::system(OPTION))?;
                socket
                    .set_multicast_loop_v4(false)
                    .map_err(Error::system(OPTION))?;
                socket
                    .set_multicast_ttl_v4(HOP_LIMIT.into())
                    .map_err(Error::system(OPTION))?;
            }
            Family::V6 => {
                socket
                    .set_multicast_loop_v6(false)
                    .map_err(Error::system(OPTION))?;
                socket
                    .set_multicast_hops_v6(HOP_LIMIT.into())
                    .map_err(Error::system(OPTION))?;
                socket
                    .set_tclass_v6(TRAFFIC_CLASS)
                    .map_err(Error::system(OPTION))?;
                option::set_int(
                    &socket,
                    libc::IPPROTO_IPV6,
                    libc::IPV6_CHECKSUM,
                    CHECKSUM_OFFSET,
                    OPTION,
                )?;
            }
        }
        Ok(Self {
            socket,
            family,
            identification: 0,
        })
    }

    /// Sends one VRRP message, from its first byte to its last, in a packet of its own.
    ///
    /// Without an interface it leaves where the route to its destination leads. `ttl` is the time to live or hop limit;
    /// `None` is 255 over IPv4, and over IPv6 what the kernel takes by default. Over IPv4 the message's checksum goes out as it is; over IPv6
    /// the kernel computes it, because only it knows the addresses of the pseudo-header for certain.
    ///
    /// # Errors
    /// The reason why the packet was not sent. Nothing is kept for later.
    pub fn send(
        &mut self,
        interface: impl Into<Option<IfIndex>>,
        source: IpAddr,
        destination: IpAddr,
        ttl: impl Into<Option<u8>>,
        message: &[u8],
    ) -> Result<(), SendError> {
        let (interface, ttl) = (interface.into(), ttl.into());
        let route = Route { interface, ttl };
        let sent = match (self.family, source, destination) {
            (Family::V4, IpAddr::V4(from), IpAddr::V4(to)) => {
                let packet = self.next_packet(PROTOCOL);
                self.send_v4(route, packet, from, to, message)
            }
            (Family::V6, IpAddr::V6(from), IpAddr::V6(to)) => {
                self.send_v6(route, from, to, message)
            }
            (Family::V4 | Family::V6, from, to) => return Err(SendError::Family { from, to }),
        };
        sent.map_err(|error| SendError::sort(error, interface, Some(source), message.len()))
    }

    /// The same for a message of version 2 behind its authentication header: the header covers the packet's
    /// identification, which must not be 0, or the kernel replaces it.
    ///
    /// # Errors
    /// As above; also for addresses that are not IPv4.
    pub fn send_behind_ah(
        &mut self,
        interface: Option<IfIndex>,
        (source, destination): (IpAddr, IpAddr),
        ttl: Option<u8>,
        identification: u16,
        payload: &[u8],
    ) -> Result<(), SendError> {
        let (Family::V4, IpAddr::V4(from), IpAddr::V4(to)) = (self.family, source, destination)
        else {
            let (from, to) = (source, destination);
            return Err(SendError::Family { from, to });
        };
        let packet = PacketKind {
            protocol: wire::ah::PROTOCOL,
            identification,
        };
        self.send_v4(Route { interface, ttl }, packet, from, to, payload)
            .map_err(|error| SendError::sort(error, interface, Some(source), payload.len()))
    }

    fn next_packet(&mut self, protocol: u8) -> PacketKind {
        // 0 would ask the kernel for a number of its own.
        self.identification = self.identification.checked_add(1).unwrap_or(1);
        PacketKind {
            protocol,
            identification: self.identification,
        }
    }

    fn send_v4(
        &self,
        route: Route,
        packet: PacketKind,
        from: Ipv4Addr,
        to: Ipv4Addr,
        message: &[u8],
    ) -> io::Result<()> {
        let too_long = |_| io::Error::from_raw_os_error(libc::EMSGSIZE);
        let payload_length = u16::try_from(message.len()).map_err(too_long)?;
        let header = ipv4::Header {
            source: from,
            destination: to,
            ttl: route.ttl.unwrap_or(HOP_LIMIT),
            protocol: packet.protocol,
            identification: packet.identification,
            payload_length,
        }
        .encode();
        // struct in_pktinfo: interface, source, and an address that only matters on receipt.
        let [i0, i1, i2, i3] = route.number().to_ne_bytes();
        let [s0, s1, s2, s3] = from.octets();
        let mut control = ControlWriter::new();
        control.push(ControlMessage {
            level: libc::IPPROTO_IP,
            kind: libc::IP_PKTINFO,
            value: &[i0, i1, i2, i3, s0, s1, s2, s3, 0, 0, 0, 0],
        });
        let address = SockAddr::from(SocketAddrV4::new(to, 0));
        self.transmit(
            &address,
            &[IoSlice::new(&header), IoSlice::new(message)],
            &control,
            to.is_multicast(),
        )
    }

    fn send_v6(
        &self,
        route: Route,
        from: Ipv6Addr,
        to: Ipv6Addr,
        message: &[u8],
    ) -> io::Result<()> {
        // struct in6_pktinfo: source, interface.
        let mut info = [0; 20];
        let parts = from
            .octets()
            .into_iter()
            .chain(route.number().to_ne_bytes());
        for (to, from) in info.iter_mut().zip(parts) {
            *to = from;
        }
        let mut control = ControlWriter::new();
        control.push(ControlMessage {
            level: libc::IPPROTO_IPV6,
            kind: libc::IPV6_PKTINFO,
            value: &info,
        });
        if let Some(ttl) = route.ttl {
            control.push(ControlMessage {
                level: libc::IPPROTO_IPV6,
                kind: libc::IPV6_HOPLIMIT,
                value: &i32::from(ttl).to_ne_bytes(),
            });
        }
        // The scope counts for link-local destinations only; the kernel passes over it for others.
        let address = SockAddr::from(SocketAddrV6::new(to, 0, 0, route.number()));
        self.transmit(
            &address,
            &[IoSlice::new(message)],
            &control,
            to.is_multicast(),
        )
    }

    fn transmit(
        &self,
        to: &SockAddr,
        parts: &[IoSlice<'_>],
        control: &ControlWriter,
        multicast: bool,
    ) -> io::Result<()> {
        let message = MsgHdr::new()
            .with_addr(to)
            .with_buffers(parts)
            .with_control(control.bytes());
        let flags = if multicast { libc::MSG_DONTROUTE } else { 0 };
        // A packet is sent whole or not at all: the length says nothing.
        self.socket.sendmsg(&message, flags).map(|_whole| ())
    }
}

#[derive(Clone, Copy)]
struct Route {
    interface: Option<IfIndex>,
    ttl: Option<u8>,
}

impl Route {
    /// The kernel's number for the interface; 0 lets it choose.
    fn number(self) -> u32 {
        self.interface.map_or(0, IfIndex::get)
    }
}

/// What one IPv4 packet has of its own.
#[derive(Clone, Copy)]
struct PacketKind {
    protocol: u8,
    identification: u16,
}
