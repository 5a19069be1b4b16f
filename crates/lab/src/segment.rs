//! The switch that hosts are plugged into: a bridge in a namespace of its own.

use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context, Result};
use sys::namespace::NetworkNamespace;
use sys::netlink::RouteSocket;
use types::IfName;

use crate::link::{self, Power};
use crate::worker::Worker;

/// The one bridge of a segment's namespace.
const BRIDGE: &str = "bridge";

/// A switch. It exists for as long as this value or a host that is plugged in.
#[derive(Clone, Debug)]
pub struct Segment {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    worker: Worker,
    ports: AtomicU32,
}

impl Segment {
    pub(crate) fn start() -> Result<Self> {
        let worker = Worker::start("segment", || {
            let namespace = NetworkNamespace::create_for_this_thread()?;
            RouteSocket::new()?.add_bridge(&IfName::new(BRIDGE)?)?;
            // A switch has no address and takes no part in IPv6.
            silence_ipv6(BRIDGE);
            silence_ipv6("default");
            link::switch(BRIDGE, Power::On)?;
            Ok(namespace)
        })
        .context("cannot make a segment")?;
        Ok(Self {
            shared: Arc::new(Shared {
                worker,
                ports: AtomicU32::new(0),
            }),
        })
    }

    /// Lays a cable from a new port to the namespace behind `host`, where it ends in an interface called
    /// `interface`.
    pub(crate) fn plug(&self, host: OwnedFd, interface: &str) -> Result<Cable> {
        let port = format!("port{}", self.shared.ports.fetch_add(1, Ordering::Relaxed));
        let (port_name, interface) = (IfName::new(&port)?, IfName::new(interface)?);
        self.shared.worker.run(move || -> Result<()> {
            let mut netlink = RouteSocket::new()?;
            netlink.add_veth(&port_name, &interface, Some(host.as_fd()))?;
            let bridge = link::index(&mut netlink, BRIDGE)?;
            let index = link::index(&mut netlink, port_name.as_str())?;
            netlink.set_master(index, Some(bridge))?;
            netlink.set_up(index)?;
            Ok(())
        })??;
        Ok(Cable {
            segment: self.clone(),
            port,
        })
    }
}

/// Best effort: where this fails, there is no IPv6 to be silenced.
fn silence_ipv6(interface: &str) {
    drop(std::fs::write(
        format!("/proc/sys/net/ipv6/conf/{interface}/disable_ipv6"),
        "1",
    ));
}

/// What connects an interface of a host with a port of a segment.
#[derive(Debug)]
pub(crate) struct Cable {
    segment: Segment,
    port: String,
}

impl Cable {
    /// Pulls the cable out, or plugs it in again: the host sees its carrier go and come.
    pub(crate) fn set(&self, power: Power) -> Result<()> {
        let port = self.port.clone();
        self.segment
            .shared
            .worker
            .run(move || link::switch(&port, power))?
    }
}
