//! Rules that choose the routing table (`virtual_rules`, `static_rules`), as the kernel is told in `RTM_NEWRULE`
//! (`linux/fib_rules.h`). `Display` writes the entry of `keepalived.conf` that reads back as the same value.

use core::fmt;

use serde::{Deserialize, Serialize};
use types::{Family, IfName, Prefix};

use super::routes::{Device, KEEPALIVED_PROTOCOL, Realms, flag, word};

/// One rule.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Rule {
    /// `family` of the header; rules of the two families know nothing of each other.
    pub family: Family,
    /// `not`: it holds for packets that do not match (`FIB_RULE_INVERT`).
    pub invert: bool,
    /// `from`: `FRA_SRC` and `src_len`; `None`: any source.
    pub from: Option<Prefix>,
    /// `to`: `FRA_DST` and `dst_len`; `None`: any destination.
    pub to: Option<Prefix>,
    /// `preference`: smaller ones are asked first: `FRA_PRIORITY`.
    pub preference: u32,
    /// `tos` of the header; 0: any.
    pub tos: u8,
    /// `fwmark`: `FRA_FWMARK` and `FRA_FWMASK`.
    pub mark: Option<FirewallMark>,
    /// `iif`: where packets came in: `FRA_IIFNAME`.
    pub input: Option<IfName>,
    /// `oif`: what the sending socket is bound to: `FRA_OIFNAME`.
    pub output: Option<IfName>,
    /// `tunnel-id`: `FRA_TUN_ID`, sent in network order.
    pub tunnel_id: Option<u64>,
    /// `uidrange`: `FRA_UID_RANGE`.
    pub users: Option<Range<u32>>,
    /// `ipproto`: `FRA_IP_PROTO`.
    pub ip_protocol: Option<u8>,
    /// `sport`: `FRA_SPORT_RANGE`. The kernel takes 1 to 65534.
    pub source_ports: Option<Range<u16>>,
    /// `dport`: `FRA_DPORT_RANGE`, likewise.
    pub destination_ports: Option<Range<u16>>,
    /// `protocol`: `FRA_PROTOCOL`; [`KEEPALIVED_PROTOCOL`] unless the rule is not tracked.
    pub protocol: u8,
    /// What happens to packets that it holds for.
    pub action: RuleAction,
    /// Its loss, or that of its interfaces, does not concern the instance.
    pub no_track: bool,
}

impl Rule {
    /// A rule for all packets.
    pub const fn new(family: Family, preference: u32, action: RuleAction) -> Self {
        Self {
            family,
            invert: false,
            from: None,
            to: None,
            preference,
            tos: 0,
            mark: None,
            input: None,
            output: None,
            tunnel_id: None,
            users: None,
            ip_protocol: None,
            source_ports: None,
            destination_ports: None,
            protocol: KEEPALIVED_PROTOCOL,
            action,
            no_track: false,
        }
    }

    /// The interfaces whose failure is a failure of the instance (`iif`, `oif`); none with `no_track`.
    pub fn interfaces(&self) -> impl Iterator<Item = &IfName> {
        self.input
            .iter()
            .chain(&self.output)
            .filter(|_| !self.no_track)
    }
}

/// What a rule does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum RuleAction {
    /// Look into a table (`FR_ACT_TO_TBL`); if it has no route, the next rule is asked.
    Lookup(Lookup),
    /// `l3mdev`: look into the table of the VRF that the packet belongs to (`FRA_L3MDEV`).
    L3mdev,
    /// `goto`: go on with the rule of this preference, which is greater than its own (`FR_ACT_GOTO`, `FRA_GOTO`).
    Goto(u32),
    /// `blackhole`: drop in silence (`FR_ACT_BLACKHOLE`).
    Blackhole,
    /// `unreachable`: answer that there is no way (`FR_ACT_UNREACHABLE`).
    Unreachable,
    /// `prohibit`: answer that it is forbidden (`FR_ACT_PROHIBIT`).
    Prohibit,
    /// `nop`: nothing; the next rule is asked (`FR_ACT_NOP`).
    Nop,
}

/// Which table, and which of its answers do not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Lookup {
    /// `table`: `FRA_TABLE`; not 0.
    pub table: u32,
    /// `realms`: `FRA_FLOW`. IPv4 only.
    pub realms: Option<Realms>,
    /// `suppress_prefixlength`: routes with a prefix this long or shorter do not count: `FRA_SUPPRESS_PREFIXLEN`.
    pub suppress_prefix_length: Option<u32>,
    /// `suppress_ifgroup`: routes over interfaces of this group do not count: `FRA_SUPPRESS_IFGROUP`.
    pub suppress_group: Option<u32>,
}

impl Lookup {
    /// All that a table has.
    pub const fn new(table: u32) -> Self {
        Self {
            table,
            realms: None,
            suppress_prefix_length: None,
            suppress_group: None,
        }
    }
}

/// A mark that a firewall put on packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct FirewallMark {
    /// The bits that it must have.
    pub mark: u32,
    /// The bits that are looked at; `None`: all.
    pub mask: Option<u32>,
}

/// First and last of a range, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Range<T> {
    /// Not above `last`.
    pub first: T,
    /// Not below `first`.
    pub last: T,
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The preference first, so that every other word has a blank before it.
        write!(f, "preference {}", self.preference)?;
        flag(f, "not", self.invert)?;
        word(f, "from", self.from)?;
        word(f, "to", self.to)?;
        word(f, "tos", Some(self.tos).filter(|tos| *tos != 0))?;
        word(f, "fwmark", self.mark)?;
        word(f, "iif", self.input.as_ref().map(Device))?;
        word(f, "oif", self.output.as_ref().map(Device))?;
        word(f, "tunnel-id", self.tunnel_id)?;
        word(f, "uidrange", self.users)?;
        word(f, "ipproto", self.ip_protocol)?;
        word(f, "sport", self.source_ports)?;
        word(f, "dport", self.destination_ports)?;
        let protocol = Some(self.protocol).filter(|number| *number != KEEPALIVED_PROTOCOL);
        word(f, "protocol", protocol)?;
        match self.action {
            RuleAction::Lookup(lookup) => {
                write!(f, " table {}", lookup.table)?;
                word(f, "realms", lookup.realms)?;
                word(f, "suppress_prefixlength", lookup.suppress_prefix_length)?;
                word(f, "suppress_ifgroup", lookup.suppress_group)?;
            }
            RuleAction::L3mdev => f.write_str(" l3mdev")?,
            RuleAction::Goto(target) => write!(f, " goto {target}")?,
            RuleAction::Blackhole => f.write_str(" blackhole")?,
            RuleAction::Unreachable => f.write_str(" unreachable")?,
            RuleAction::Prohibit => f.write_str(" prohibit")?,
            RuleAction::Nop => f.write_str(" nop")?,
        }
        flag(f, "no_track", self.no_track)?;
        // Last, for keepalived 2.4.3 passes over the word behind it.
        let unnamed = self.family == Family::V6 && self.from.is_none() && self.to.is_none();
        flag(f, "inet6", unnamed)
    }
}

impl fmt::Display for FirewallMark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.mask {
            Some(mask) => write!(f, "{:#x}/{mask:#x}", self.mark),
            None => write!(f, "{:#x}", self.mark),
        }
    }
}

impl<T: fmt::Display> fmt::Display for Range<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.first, self.last)
    }
}
