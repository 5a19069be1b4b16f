//! How messages, FIFO lines and dumps name services and servers (keepalived).

use std::fmt;

use crate::settings::{RealServer, Service, Settings, VirtualServer};

/// A virtual server: `[ADDR]:PROTO:PORT`, `FWM N`, or `[GROUP]:SEQ`.
pub struct ServiceName<'a> {
    /// The virtual server.
    pub service: &'a VirtualServer,
    /// Where its group is.
    pub settings: &'a Settings,
}

impl fmt::Display for ServiceName<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.service.service {
            Service::Address {
                address,
                port,
                protocol,
            } => write!(f, "[{address}]:{}:{port}", protocol.name()),
            Service::Mark { mark, .. } => write!(f, "FWM {mark}"),
            Service::Group { group, ordinal, .. } => {
                let name = self.settings.group(*group).map(|group| group.name.as_str());
                write!(f, "[{}]:{ordinal}", name.unwrap_or_default())
            }
        }
    }
}

/// A real server: `[ADDR]:PROTO:PORT`, with `none` for the protocol where its service has none. A sorry server is named so, too.
pub struct ServerName<'a> {
    /// The service that it is in.
    pub service: &'a VirtualServer,
    /// Its address.
    pub address: std::net::IpAddr,
    /// Its port, as configured.
    pub port: u16,
}

impl<'a> ServerName<'a> {
    /// The name of a real server.
    pub const fn of(server: &RealServer, service: &'a VirtualServer) -> Self {
        Self {
            service,
            address: server.address,
            port: server.port,
        }
    }
}

impl fmt::Display for ServerName<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let protocol = match &self.service.service {
            Service::Address { protocol, .. } => Some(*protocol),
            Service::Mark { .. } => None,
            Service::Group { protocol, .. } => *protocol,
        };
        let protocol = protocol.map_or("none", types::ipvs::Protocol::name);
        write!(f, "[{}]:{protocol}:{}", self.address, self.port)
    }
}
