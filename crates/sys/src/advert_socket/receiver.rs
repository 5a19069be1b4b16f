//! One socket per family that hears the advertisements of all interfaces.

use std::collections::BTreeSet;
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::os::fd::{AsFd, BorrowedFd};

use socket2::Socket;
use types::{Family, IfIndex, Vrid};

use super::{CHECKSUM_OFFSET, PROTOCOL, open};
use crate::arrival::{Arrival, sender};
use crate::batch::{Batch, Datagram, MAX_SLOTS, ReceiveSummary, Wait};
use crate::{Error, filter, option};

/// Some ten thousand adverts: a storm on the link, or a second in which we do not run, loses none.
const RECEIVE_BUFFER: usize = 4 << 20;

/// The largest advert (255 IPv6 addresses) has 4 KiB, a usual one 32 bytes. Longer ones come truncated.
const DATAGRAM_SIZE: usize = 4096 + 128;

/// Calls of `recvmmsg` per [`AdvertReceiver::receive`]: 512 adverts, so that the timers get their turn.
const BATCHES: u32 = 8;

/// Bytes in an IPv4 header without options.
const IPV4_HEADER: usize = 20;

/// Receives VRRP messages of one family and protocol, from every interface where a group was joined or we have an
/// address. Never waits: [`AsFd`] tells when to [`Self::receive`].
pub struct AdvertReceiver {
    socket: Socket,
    family: Family,
    /// Bytes between IP's header and VRRP's.
    offset: usize,
    batch: Batch,
}

/// A packet that came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Received<'a> {
    /// The family of the packet.
    pub family: Family,
    /// Where it came in.
    pub interface: IfIndex,
    /// The sender.
    pub source: IpAddr,
    /// The group, or the address of ours that it was sent to.
    pub destination: IpAddr,
    /// The time to live or hop limit that it had left; 255 means that no router has forwarded it.
    pub hop_limit: u8,
    /// It was longer than 4224 bytes: the rest is missing.
    pub truncated: bool,
    /// IPv4: the packet from its IP header on, which tells its protocol. IPv6: the VRRP message.
    pub datagram: &'a [u8],
}

impl AdvertReceiver {
    /// Opens the socket, in the network namespace of this thread. It hears nothing until
    /// [`Self::listen_for`] names what to hear.
    ///
    /// # Errors
    /// Without the right to open raw sockets (CAP_NET_RAW), or when an option is not to be had.
    pub fn new(family: Family) -> Result<Self, Error> {
        Self::of_protocol(family, PROTOCOL, 0)
    }

    /// The same for what follows an authentication header, which is over IPv4 only.
    ///
    /// # Errors
    /// As above.
    pub fn behind_ah() -> Result<Self, Error> {
        Self::of_protocol(Family::V4, wire::ah::PROTOCOL, wire::ah::LENGTH)
    }

    fn of_protocol(family: Family, protocol: u8, offset: usize) -> Result<Self, Error> {
        const OPTION: &str = "prepare the socket that receives adverts";
        let socket = open(family, protocol)?;
        socket
            .attach_filter(&filter::drop_all())
            .map_err(Error::system(OPTION))?;
        option::set_receive_buffer(&socket, RECEIVE_BUFFER)?;
        match family {
            Family::V4 => option::set_int(&socket, libc::IPPROTO_IP, libc::IP_PKTINFO, 1, OPTION)?,
            Family::V6 => {
                socket
                    .set_recv_hoplimit_v6(true)
                    .map_err(Error::system(OPTION))?;
                option::set_int(
                    &socket,
                    libc::IPPROTO_IPV6,
                    libc::IPV6_RECVPKTINFO,
                    1,
                    OPTION,
                )?;
                // The kernel drops what has a wrong checksum.
                option::set_int(
                    &socket,
                    libc::IPPROTO_IPV6,
                    libc::IPV6_CHECKSUM,
                    CHECKSUM_OFFSET,
                    OPTION,
                )?;
            }
        }
        let mut receiver = Self {
            socket,
            family,
            offset,
            batch: Batch::new(MAX_SLOTS, DATAGRAM_SIZE),
        };
        receiver
            .discard_early_arrivals()
            .map_err(Error::system(OPTION))?;
        Ok(receiver)
    }

    /// Asks for a receive buffer of so many bytes, beyond the system's limit with `force` only; never less than without this.
    ///
    /// # Errors
    /// When the kernel refuses every size.
    pub fn set_receive_buffer(&self, bytes: usize, force: bool) -> Result<(), Error> {
        option::enlarge_receive_buffer(&self.socket, RECEIVE_BUFFER, bytes, force)
    }

    /// Hears the adverts of these virtual routers from now on, and no others. What was let through by a
    /// former set may still come.
    ///
    /// # Errors
    /// When the kernel does not take the filter.
    pub fn listen_for(&mut self, vrids: &BTreeSet<Vrid>) -> Result<(), Error> {
        self.socket
            .attach_filter(&filter::only_vrids(self.family, self.offset, vrids))
            .map_err(Error::system(
                "attach the filter for virtual router identifiers",
            ))
    }

    /// Hands over what is waiting, oldest first; at most 512 packets, then the caller should look at its
    /// timers and call again.
    ///
    /// # Errors
    /// When the socket fails.
    pub fn receive(
        &mut self,
        mut handle: impl FnMut(Received<'_>),
    ) -> Result<ReceiveSummary, Error> {
        let family = self.family;
        self.batch
            .receive_some(&self.socket, BATCHES, |datagram| {
                let received = describe(family, datagram);
                received.map(&mut handle).is_some()
            })
            .map_err(Error::system("receive adverts"))
    }

    /// A raw socket hears its protocol before its filter is there; that is gone afterwards.
    fn discard_early_arrivals(&mut self) -> io::Result<()> {
        for _batch in 0..BATCHES {
            match self.batch.receive(&self.socket, Wait::No) {
                Ok(_unfiltered) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

impl AsFd for AdvertReceiver {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

fn describe<'a>(family: Family, datagram: &Datagram<'a>) -> Option<Received<'a>> {
    match family {
        Family::V4 => describe_v4(datagram),
        Family::V6 => describe_v6(datagram),
    }
}

/// IPv4 tells everything but the interface in the header, which the kernel has checked.
fn describe_v4<'a>(datagram: &Datagram<'a>) -> Option<Received<'a>> {
    let [
        _,
        _,
        _,
        _,
        _,
        _,
        _,
        _,
        ttl,
        _,
        _,
        _,
        s0,
        s1,
        s2,
        s3,
        d0,
        d1,
        d2,
        d3,
    ] = *datagram.data.first_chunk::<IPV4_HEADER>()?;
    let interface = Arrival::read(datagram.control).interface?;
    Some(Received {
        family: Family::V4,
        interface,
        source: Ipv4Addr::new(s0, s1, s2, s3).into(),
        destination: Ipv4Addr::new(d0, d1, d2, d3).into(),
        hop_limit: ttl,
        truncated: datagram.truncated,
        datagram: datagram.data,
    })
}

/// IPv6 tells the source in the sender's address and the rest in control messages.
fn describe_v6<'a>(datagram: &Datagram<'a>) -> Option<Received<'a>> {
    let arrival = Arrival::read(datagram.control);
    Some(Received {
        family: Family::V6,
        interface: arrival.interface?,
        source: sender(datagram.name)?.ip(),
        destination: arrival.destination?,
        hop_limit: arrival.hop_limit?,
        truncated: datagram.truncated,
        datagram: datagram.data,
    })
}

#[cfg(test)]
mod tests {
    use std::net::Ipv6Addr;

    use super::*;
    use crate::batch::{ControlMessage, ControlWriter};

    fn interface() -> IfIndex {
        IfIndex::new(7).unwrap()
    }

    #[test]
    fn ipv4_from_header_and_packet_info() {
        let mut control = ControlWriter::new();
        let info = [7_u32.to_ne_bytes(), [9; 4], [8; 4]].concat();
        control.push(ControlMessage {
            level: libc::IPPROTO_IP,
            kind: libc::IP_PKTINFO,
            value: &info,
        });
        let mut data = vec![
            0x45, 0xc0, 0, 28, 0, 1, 0, 0, 255, 112, 0, 0, 10, 0, 0, 1, 224, 0, 0, 18,
        ];
        data.extend([0x31, 51, 100, 1, 0, 100, 0, 0]);
        let datagram = Datagram {
            name: &[],
            control: control.bytes(),
            data: &data,
            truncated: true,
            length: data.len() + 1,
        };
        let expected = Received {
            family: Family::V4,
            interface: interface(),
            source: "10.0.0.1".parse().unwrap(),
            destination: "224.0.0.18".parse().unwrap(),
            hop_limit: 255,
            truncated: true,
            datagram: &data,
        };
        assert_eq!(describe(Family::V4, &datagram), Some(expected));
        for length in 0..data.len() {
            let short = Datagram {
                data: &data[..length],
                ..datagram
            };
            assert_eq!(describe(Family::V4, &short).is_some(), length >= 20);
        }
        for length in 0..control.bytes().len() {
            let short = Datagram {
                control: &control.bytes()[..length],
                ..datagram
            };
            assert!(
                describe(Family::V4, &short)
                    .is_none_or(|received| received.interface == interface())
            );
        }
    }

    #[test]
    fn ipv6_from_name_and_control_messages() {
        let source: Ipv6Addr = "fe80::1".parse().unwrap();
        let destination: Ipv6Addr = "ff02::12".parse().unwrap();
        let mut name = vec![10, 0, 0, 112, 0, 0, 0, 0];
        name.extend(source.octets());
        name.extend(7_u32.to_ne_bytes());
        let info = [destination.octets().as_slice(), &7_u32.to_ne_bytes()].concat();
        let mut control = ControlWriter::new();
        let level = libc::IPPROTO_IPV6;
        control.push(ControlMessage {
            level,
            kind: libc::IPV6_PKTINFO,
            value: &info,
        });
        control.push(ControlMessage {
            level,
            kind: libc::IPV6_HOPLIMIT,
            value: &64_i32.to_ne_bytes(),
        });
        let datagram = Datagram {
            name: &name,
            control: control.bytes(),
            data: &[1, 2],
            truncated: false,
            length: 2,
        };
        let expected = Received {
            family: Family::V6,
            interface: interface(),
            source: source.into(),
            destination: destination.into(),
            hop_limit: 64,
            truncated: false,
            datagram: &[1, 2],
        };
        assert_eq!(describe(Family::V6, &datagram), Some(expected));
        for length in 0..name.len() {
            let short = Datagram {
                name: &name[..length],
                ..datagram
            };
            assert_eq!(describe(Family::V6, &short).is_some(), length >= 28);
        }
        for length in 0..control.bytes().len() {
            let short = Datagram {
                control: &control.bytes()[..length],
                ..datagram
            };
            assert!(describe(Family::V6, &short).is_none_or(|received| received == expected));
        }
    }
}
