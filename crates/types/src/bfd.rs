//! Bidirectional Forwarding Detection: what the core and the sockets both name.

use core::fmt;

use serde::{Deserialize, Serialize};

/// The UDP port that control packets go to, which tells how far away the other end may be.
///
/// ```
/// use evervip_types::bfd::Port;
///
/// assert_eq!(Port::SingleHop.number(), 3784);
/// assert_eq!(Port::MultiHop.to_string(), "UDP port 4784");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Port {
    /// 3784: no router in between (RFC 5881 section 4).
    SingleHop,
    /// 4784: there may be routers in between (RFC 5883 section 5).
    MultiHop,
}

impl Port {
    /// Both.
    pub const ALL: [Self; 2] = [Self::SingleHop, Self::MultiHop];

    /// The number.
    pub const fn number(self) -> u16 {
        match self {
            Self::SingleHop => 3784,
            Self::MultiHop => 4784,
        }
    }
}

impl fmt::Display for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "UDP port {}", self.number())
    }
}
