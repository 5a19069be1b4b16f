//! The counters of an instance.

use alloc::boxed::Box;

use types::Instant;

/// What an instance has seen since it was made or the counters were cleared.
///
/// Names are those of keepalived's dumps, where they appear.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Statistics {
    /// Adverts that passed every check that makes an advert count.
    pub advert_rcvd: u64,
    /// Adverts sent.
    pub advert_sent: u64,
    /// Transitions to MASTER.
    pub become_master: u64,
    /// Transitions from MASTER.
    pub release_master: u64,
    /// Packets whose length did not fit their own header.
    pub packet_len_err: u64,
    /// Version 2 adverts with another interval than ours.
    pub advert_interval_err: u64,
    /// Packets that a router may have forwarded: TTL or hop limit below 255.
    pub ip_ttl_err: u64,
    /// Packets of another type than advertisement.
    pub invalid_type_rcvd: u64,
    /// Adverts whose addresses, or whose destination, are not ours.
    pub addr_list_err: u64,
    /// Packets with an authentication type that does not exist.
    pub invalid_authtype: u64,
    /// Packets with another authentication type than ours.
    pub authtype_mismatch: u64,
    /// Packets with another password than ours.
    pub auth_failure: u64,
    /// Adverts without a signature where one is demanded.
    pub auth_ext_missing: u64,
    /// Adverts with a trailer of a kind that does not exist.
    pub auth_ext_malformed: u64,
    /// Adverts signed with a key that we do not have.
    pub auth_ext_unknown_key: u64,
    /// Adverts whose signature is wrong.
    pub auth_ext_invalid_hmac: u64,
    /// Adverts whose time is too far from ours.
    pub auth_ext_stale: u64,
    /// Adverts that were sent before.
    pub auth_ext_replay: u64,
    /// Adverts of a master that leaves.
    pub pri_zero_rcvd: u64,
    /// Adverts with which we left.
    pub pri_zero_sent: u64,
    /// Packets of another version than ours; in no dump of keepalived's, only in its SNMP tables.
    pub version_err: u64,
    /// Unicast adverts of somebody who is no peer; in no dump of keepalived's.
    pub unicast_src_err: u64,
    /// How often another master was heard that did not give way, nor we to it; in no dump of keepalived's.
    pub dual_master: u64,
    /// Packets with a wrong checksum; in no dump of keepalived's, only in its SNMP tables.
    pub checksum_err: u64,
}

/// The counters as an instance has them: those that count in ordinary life, and the others once there is something to
/// count. Most instances never see a packet with a mistake.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) advert_rcvd: u64,
    pub(crate) advert_sent: u64,
    pub(crate) become_master: u64,
    pub(crate) release_master: u64,
    pub(crate) pri_zero_rcvd: u64,
    pub(crate) pri_zero_sent: u64,
    mistakes: Option<Box<Statistics>>,
}

impl Counters {
    /// Counts from zero again.
    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }

    /// The counters of everything that does not happen every day.
    pub(crate) fn mistakes(&mut self) -> &mut Statistics {
        self.mistakes.get_or_insert_default()
    }

    /// All of them.
    pub(crate) fn all(&self) -> Statistics {
        let mistakes = self.mistakes.as_deref().copied().unwrap_or_default();
        Statistics {
            advert_rcvd: self.advert_rcvd,
            advert_sent: self.advert_sent,
            become_master: self.become_master,
            release_master: self.release_master,
            pri_zero_rcvd: self.pri_zero_rcvd,
            pri_zero_sent: self.pri_zero_sent,
            ..mistakes
        }
    }
}

/// When something last happened, for dumps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct LastTimes {
    pub(crate) transition: Option<Instant>,
    pub(crate) advert_sent: Option<Instant>,
}
