//! The virtual LANs: what becomes of a packet between two nodes.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use vrrp::Carrier;

use crate::random::Random;

/// Which LAN; interface `ethN` of every node is on LAN N.
pub(crate) type Lan = u8;

/// The longest extra delay that the fault phase puts on a packet. Longer than the shortest advertisement interval.
pub(crate) const MOST_DELAY: Duration = Duration::from_millis(20);

/// A packet of protocol 112 on its way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Frame {
    /// On which LAN.
    pub lan: Lan,
    /// From which node.
    pub from: usize,
    /// Source address.
    pub source: IpAddr,
    /// Destination address.
    pub destination: IpAddr,
    /// As which IP protocol.
    pub carrier: Carrier,
    /// TTL or hop limit.
    pub hop_limit: u8,
    /// What follows the IP header.
    pub message: Arc<[u8]>,
}

/// How bad the network is at the moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Weather {
    /// Percent of packets that are lost, for each receiver by itself.
    pub loss: u64,
    /// Percent of packets that arrive twice.
    pub duplication: u64,
    /// Extra delay is drawn from zero to this, so packets overtake one another.
    pub jitter: Duration,
}

/// All LANs.
#[derive(Clone, Debug)]
pub(crate) struct Network {
    /// Time on the wire when nothing is wrong; the same for every packet, so that order is kept.
    pub latency: Duration,
    /// Loss, duplication and delay.
    pub weather: Weather,
    /// Who does not hear whom: LAN, sender, receiver.
    cut: BTreeSet<(Lan, usize, usize)>,
}

impl Network {
    /// A healthy network.
    #[must_use]
    pub(crate) fn new(latency: Duration) -> Self {
        Self {
            latency,
            weather: Weather::default(),
            cut: BTreeSet::new(),
        }
    }

    /// Everybody hears everybody again, at once and once.
    pub(crate) fn heal(&mut self) {
        self.weather = Weather::default();
        self.cut.clear();
    }

    /// Everybody on a LAN hears everybody again.
    pub(crate) fn reconnect(&mut self, lan: Lan) {
        self.cut.retain(|(where_cut, _, _)| *where_cut != lan);
    }

    /// `to` no longer hears `from`.
    pub(crate) fn cut(&mut self, lan: Lan, from: usize, to: usize) {
        self.cut.insert((lan, from, to));
    }

    /// After how much time each copy of a packet arrives at one receiver.
    pub(crate) fn deliveries(
        &self,
        lan: Lan,
        from: usize,
        to: usize,
        random: &mut Random,
    ) -> impl Iterator<Item = Duration> + use<> {
        let Weather {
            loss,
            duplication,
            jitter,
        } = self.weather;
        let latency = self.latency;
        let mut copy = |percent: u64| {
            random
                .percent(percent)
                .then(|| latency + random.span(Duration::ZERO, jitter))
        };
        let copies = if self.cut.contains(&(lan, from, to)) {
            [None, None]
        } else if self.weather == Weather::default() {
            [Some(latency), None]
        } else {
            [copy(100 - loss), copy(duplication)]
        };
        copies.into_iter().flatten()
    }
}
