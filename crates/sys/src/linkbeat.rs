//! Asking an interface whether its link works, for drivers that do not tell the kernel (keepalived: `linkbeat`).

use std::io;
use std::os::fd::{AsRawFd as _, OwnedFd};

use rustix::net::{self, AddressFamily, SocketFlags, SocketType};
use types::IfName;

use crate::error::Error;

/// A way to ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// The basic status register of the transceiver (IEEE 802.3 22.2.4.2).
    Mii,
    /// The driver (`ETHTOOL_GLINK`).
    Ethtool,
    /// The interface's flags, as everybody sees them.
    Flags,
}

/// Asks. It opens one socket and keeps it.
#[derive(Debug)]
pub struct LinkQuery {
    fd: OwnedFd,
}

/// `struct ifreq`: a name, and room for whatever is asked for.
#[repr(C, align(8))]
struct Request {
    name: [u8; 16],
    data: [u8; 24],
}

/// `struct ethtool_value`.
#[repr(C)]
struct EthtoolValue {
    command: u32,
    data: u32,
}

impl LinkQuery {
    /// Opens the socket, in the network namespace of this thread.
    ///
    /// # Errors
    /// When no descriptor is left.
    pub fn new() -> Result<Self, Error> {
        let fd = net::socket_with(
            AddressFamily::INET,
            SocketType::DGRAM,
            SocketFlags::CLOEXEC,
            None,
        )
        .map_err(Error::system("open a socket to ask for links"))?;
        Ok(Self { fd })
    }

    /// Whether the link of an interface works.
    ///
    /// # Errors
    /// When the interface does not exist, or its driver does not know this way.
    pub fn ask(&self, interface: &IfName, way: Way) -> Result<bool, Error> {
        match way {
            Way::Mii => self.transceiver(interface),
            Way::Ethtool => self.driver(interface),
            Way::Flags => self.flags(interface),
        }
    }

    fn transceiver(&self, interface: &IfName) -> Result<bool, Error> {
        const STATUS_REGISTER: u16 = 1;
        const LINK: u16 = 4;
        let mut request = Request::about(interface);
        self.call(interface, libc::SIOCGMIIPHY, &mut request)?;
        let mut word = 0;
        // The bit stays clear from a loss until it is read: only the second reading is about now.
        for _ in 0..2 {
            request.set(2, STATUS_REGISTER);
            self.call(interface, libc::SIOCGMIIREG, &mut request)?;
            word = request.get(6);
        }
        // A transceiver that does not answer has all bits set.
        Ok(word != u16::MAX && word & LINK != 0)
    }

    fn driver(&self, interface: &IfName) -> Result<bool, Error> {
        const GET_LINK: u32 = 10;
        let mut value = EthtoolValue {
            command: GET_LINK,
            data: 0,
        };
        let mut request = Request::about(interface);
        let address = (&raw mut value).expose_provenance().to_ne_bytes();
        if let Some(place) = request.data.first_chunk_mut() {
            *place = address;
        }
        // The kernel writes to `value`, which outlives the call, and no further than its command says.
        self.call(interface, libc::SIOCETHTOOL, &mut request)?;
        // SAFETY: it is initialised, and nobody else has it any more. Read as volatile, for it was changed through its
        // address only.
        let data = unsafe { (&raw const value.data).read_volatile() };
        Ok(data != 0)
    }

    fn flags(&self, interface: &IfName) -> Result<bool, Error> {
        const RUNNING: u16 = 0x40;
        let mut request = Request::about(interface);
        self.call(interface, libc::SIOCGIFFLAGS, &mut request)?;
        Ok(request.get(0) & RUNNING != 0)
    }

    fn call(
        &self,
        interface: &IfName,
        number: libc::c_ulong,
        request: &mut Request,
    ) -> Result<(), Error> {
        // The number's type differs between C libraries.
        let number = number as _;
        // SAFETY: the structure is as large and as aligned as the kernel's, and lives through the call; so does what it
        // points to, if it does.
        let done = unsafe { libc::ioctl(self.fd.as_raw_fd(), number, &raw mut *request) };
        if done < 0 {
            let reason = io::Error::last_os_error();
            return Err(Error::object("ask for the link of", interface)(reason));
        }
        Ok(())
    }
}

impl Request {
    fn about(interface: &IfName) -> Self {
        let mut request = Self {
            name: [0; 16],
            data: [0; 24],
        };
        // A name has 15 bytes at most.
        for (place, byte) in request.name.iter_mut().zip(interface.as_str().bytes()) {
            *place = byte;
        }
        request
    }

    /// The word at an offset of what comes behind the name.
    fn get(&self, at: usize) -> u16 {
        let bytes = self.data.get(at..).and_then(<[u8]>::first_chunk);
        bytes.map_or(0, |bytes| u16::from_ne_bytes(*bytes))
    }

    fn set(&mut self, at: usize, word: u16) {
        if let Some(bytes) = self.data.get_mut(at..).and_then(<[u8]>::first_chunk_mut) {
            *bytes = word.to_ne_bytes();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The loopback interface is there in every namespace; what it answers is not the point here, but that it does.
    #[test]
    fn questions_are_understood() {
        let query = LinkQuery::new().unwrap();
        let lo = IfName::new("lo").unwrap();
        assert!(
            query.ask(&lo, Way::Ethtool).unwrap(),
            "it always has a link"
        );
        query.ask(&lo, Way::Flags).unwrap();
        let problem = query.ask(&lo, Way::Mii).unwrap_err().to_string();
        assert!(
            problem.starts_with("cannot ask for the link of lo: "),
            "{problem}"
        );
        let none = IfName::new("nosuch0").unwrap();
        for way in [Way::Mii, Way::Ethtool, Way::Flags] {
            assert!(query.ask(&none, way).is_err());
        }
    }
}
