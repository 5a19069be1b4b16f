//! The kernel's two daemons that share connections with another director (`lvs_sync_daemon`).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use types::IfName;

use super::numbers;
use crate::netlink::message::{Attributes, Malformed, Writer};

/// Which of the two daemons.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SyncRole {
    /// It tells others of our connections.
    Master,
    /// It takes over what others tell.
    Backup,
}

impl SyncRole {
    const fn number(self) -> u32 {
        match self {
            Self::Master => numbers::STATE_MASTER,
            Self::Backup => numbers::STATE_BACKUP,
        }
    }
}

/// A daemon. What is `None` is the kernel's to choose; it tells what it chose.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SyncDaemon {
    /// Which one.
    pub role: SyncRole,
    /// Where it sends or listens.
    pub interface: IfName,
    /// Tells daemons on one link apart.
    pub id: u8,
    /// The longest datagram, in bytes (by default as the interface's MTU allows; needs Linux 4.3, like all that follow).
    pub longest: Option<u16>,
    /// The multicast group (224.0.0.81).
    pub group: Option<IpAddr>,
    /// The UDP port (8848).
    pub port: Option<u16>,
    /// Of the datagrams (1).
    pub ttl: Option<u8>,
}

impl SyncDaemon {
    /// Whether it takes a kernel that knows more than interface and id.
    pub(super) const fn has_options(&self) -> bool {
        self.longest.is_some() || self.group.is_some() || self.port.is_some() || self.ttl.is_some()
    }

    /// Writes what starts it.
    pub(super) fn write(&self, message: &mut Writer<'_>) {
        message.nested(numbers::DAEMON, |daemon| {
            daemon.attribute(numbers::DAEMON_STATE, &self.role.number().to_ne_bytes());
            daemon.text(numbers::DAEMON_INTERFACE, self.interface.as_str());
            daemon.attribute(numbers::DAEMON_ID, &u32::from(self.id).to_ne_bytes());
            if let Some(longest) = self.longest {
                daemon.attribute(numbers::DAEMON_LONGEST, &longest.to_ne_bytes());
            }
            match self.group {
                Some(IpAddr::V4(group)) => {
                    daemon.attribute(numbers::DAEMON_GROUP_V4, &group.octets());
                }
                Some(IpAddr::V6(group)) => {
                    daemon.attribute(numbers::DAEMON_GROUP_V6, &group.octets());
                }
                None => {}
            }
            if let Some(port) = self.port {
                daemon.attribute(numbers::DAEMON_PORT, &port.to_ne_bytes());
            }
            if let Some(ttl) = self.ttl {
                daemon.attribute(numbers::DAEMON_TTL, &[ttl]);
            }
        });
    }

    /// Reads one from an answer of the kernel, from behind the generic header; `None`: it tells of something else.
    ///
    /// # Errors
    /// When the answer is malformed.
    pub fn decode(answer: &[u8]) -> Result<Option<Self>, Malformed> {
        let (mut role, mut interface, mut id) = (None, None, None);
        let (mut longest, mut group, mut port, mut ttl) = (None, None, None, None);
        for attribute in Attributes::new(answer) {
            let attribute = attribute?;
            if attribute.kind != numbers::DAEMON {
                continue;
            }
            for field in attribute.nested() {
                let field = field?;
                match field.kind {
                    numbers::DAEMON_STATE => role = Some(field.u32()?),
                    numbers::DAEMON_INTERFACE => {
                        let name = IfName::new(field.text()?);
                        interface =
                            Some(name.map_err(|_unusual| Malformed::Text { kind: field.kind })?);
                    }
                    numbers::DAEMON_ID => id = Some(field.u32()?),
                    numbers::DAEMON_LONGEST => longest = Some(u16::from_ne_bytes(field.bytes()?)),
                    numbers::DAEMON_GROUP_V4 => {
                        group = Some(IpAddr::V4(Ipv4Addr::from(field.bytes::<4>()?)));
                    }
                    numbers::DAEMON_GROUP_V6 => {
                        group = Some(IpAddr::V6(Ipv6Addr::from(field.bytes::<16>()?)));
                    }
                    numbers::DAEMON_PORT => port = Some(u16::from_ne_bytes(field.bytes()?)),
                    numbers::DAEMON_TTL => ttl = Some(field.u8()?),
                    _ => {}
                }
            }
        }
        let role = match role {
            Some(numbers::STATE_MASTER) => SyncRole::Master,
            Some(numbers::STATE_BACKUP) => SyncRole::Backup,
            Some(_) | None => return Ok(None),
        };
        let id = id.ok_or(Malformed::Missing {
            what: "the id of a sync daemon",
        })?;
        Ok(Some(Self {
            role,
            interface: interface.ok_or(Malformed::Missing {
                what: "the interface of a sync daemon",
            })?,
            id: u8::try_from(id).map_err(|_large| Malformed::Value {
                what: "the id of a sync daemon",
                value: id,
            })?,
            longest,
            group,
            port,
            ttl,
        }))
    }
}

/// Writes what stops a daemon.
pub(super) fn write_stop(message: &mut Writer<'_>, role: SyncRole, id: u8) {
    message.nested(numbers::DAEMON, |daemon| {
        daemon.attribute(numbers::DAEMON_STATE, &role.number().to_ne_bytes());
        daemon.attribute(numbers::DAEMON_ID, &u32::from(id).to_ne_bytes());
    });
}
