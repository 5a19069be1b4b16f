//! A rule that chooses the routing table: as the kernel describes it, and as it is told to make or remove one.

use types::{Family, IfName, Prefix};

use super::message::{self, Attribute, Attributes, Malformed, Request, Writer};
use super::numbers;
use super::refusal::{Reason, Refusal};
use super::route_socket::{Ask, Changed};
use super::routes::{address, write_address};

/// A rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KernelRule {
    /// Rules of the two families know nothing of each other.
    pub family: Family,
    /// It holds for what does not match: `FIB_RULE_INVERT`.
    pub invert: bool,
    /// `FRA_SRC`; `None`: any source.
    pub from: Option<Prefix>,
    /// `FRA_DST`; `None`: any destination.
    pub to: Option<Prefix>,
    /// `FRA_PRIORITY`: smaller ones are asked first.
    pub preference: u32,
    /// `tos` of the header.
    pub tos: u8,
    /// `FRA_FWMARK` and `FRA_FWMASK`.
    pub mark: Option<(u32, u32)>,
    /// `FRA_IIFNAME`.
    pub input: Option<IfName>,
    /// `FRA_OIFNAME`.
    pub output: Option<IfName>,
    /// `FRA_TUN_ID`; 0 is none.
    pub tunnel_id: Option<u64>,
    /// `FRA_UID_RANGE`: first and last.
    pub users: Option<(u32, u32)>,
    /// `FRA_IP_PROTO`; 0 is none.
    pub ip_protocol: Option<u8>,
    /// `FRA_SPORT_RANGE`: first and last.
    pub source_ports: Option<(u16, u16)>,
    /// `FRA_DPORT_RANGE`: first and last.
    pub destination_ports: Option<(u16, u16)>,
    /// `FRA_PROTOCOL`: who made it; 18 is keepalived.
    pub protocol: u8,
    /// `action` of the header: 1 look into the table, 2 go to another rule, 3 nothing, 6 blackhole, 7 unreachable, 8 prohibit.
    pub action: u8,
    /// `FRA_TABLE`; 0: none.
    pub table: u32,
    /// `FRA_L3MDEV`: the table of the packet's VRF.
    pub l3mdev: bool,
    /// `FRA_GOTO`.
    pub goto: Option<u32>,
    /// `FRA_FLOW`: the source's realm in the upper half, the destination's in the lower; 0 is none.
    pub realms: Option<u32>,
    /// `FRA_SUPPRESS_PREFIXLEN`.
    pub suppress_prefix_length: Option<u32>,
    /// `FRA_SUPPRESS_IFGROUP`.
    pub suppress_group: Option<u32>,
}

/// Bytes in `struct fib_rule_hdr`.
const FIXED: usize = 12;

/// What the kernel says when nothing is suppressed.
const NOTHING: u32 = u32::MAX;

impl KernelRule {
    /// A rule for all packets.
    pub const fn new(family: Family, preference: u32, action: u8, protocol: u8) -> Self {
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
            protocol,
            action,
            table: 0,
            l3mdev: false,
            goto: None,
            realms: None,
            suppress_prefix_length: None,
            suppress_group: None,
        }
    }

    /// Reads the payload of `RTM_NEWRULE` or `RTM_DELRULE`; `None` for a family that is not IP.
    pub(super) fn decode(payload: &[u8]) -> Result<Option<Self>, Malformed> {
        let [
            family,
            to_length,
            from_length,
            tos,
            table,
            _,
            _,
            action,
            f0,
            f1,
            f2,
            f3,
        ] = *message::fixed::<FIXED>(payload, "a rule message")?;
        let family = match family {
            numbers::FAMILY_V4 => Family::V4,
            numbers::FAMILY_V6 => Family::V6,
            _ => return Ok(None),
        };
        let mut rule = Self::new(family, 0, action, 0);
        rule.tos = tos;
        rule.table = u32::from(table);
        rule.invert = u32::from_ne_bytes([f0, f1, f2, f3]) & numbers::RULE_INVERT != 0;
        let (mut mark, mut mask) = (0, 0);
        for attribute in Attributes::new(message::after(payload, FIXED)) {
            let attribute = attribute?;
            match attribute.kind {
                numbers::RULE_TO => rule.to = Some(prefix(family, attribute, to_length)?),
                numbers::RULE_FROM => rule.from = Some(prefix(family, attribute, from_length)?),
                numbers::RULE_PREFERENCE => rule.preference = attribute.u32()?,
                numbers::RULE_MARK => mark = attribute.u32()?,
                numbers::RULE_MASK => mask = attribute.u32()?,
                numbers::RULE_INPUT => rule.input = Some(name(attribute)?),
                numbers::RULE_OUTPUT => rule.output = Some(name(attribute)?),
                numbers::RULE_TUNNEL_ID => {
                    let id = u64::from_be_bytes(attribute.bytes()?);
                    rule.tunnel_id = (id != 0).then_some(id);
                }
                numbers::RULE_USERS => {
                    let [a0, a1, a2, a3, b0, b1, b2, b3] = attribute.bytes()?;
                    let first = u32::from_ne_bytes([a0, a1, a2, a3]);
                    rule.users = Some((first, u32::from_ne_bytes([b0, b1, b2, b3])));
                }
                numbers::RULE_IP_PROTOCOL => {
                    rule.ip_protocol = Some(attribute.u8()?).filter(|number| *number != 0);
                }
                numbers::RULE_SOURCE_PORTS => rule.source_ports = Some(ports(attribute)?),
                numbers::RULE_DESTINATION_PORTS => {
                    rule.destination_ports = Some(ports(attribute)?);
                }
                numbers::RULE_PROTOCOL => rule.protocol = attribute.u8()?,
                numbers::RULE_TABLE => rule.table = attribute.u32()?,
                numbers::RULE_L3MDEV => rule.l3mdev = attribute.u8()? != 0,
                numbers::RULE_GOTO => rule.goto = Some(attribute.u32()?),
                numbers::RULE_REALMS => {
                    rule.realms = Some(attribute.u32()?).filter(|realms| *realms != 0);
                }
                numbers::RULE_SUPPRESS_LENGTH => {
                    rule.suppress_prefix_length = suppressed(attribute)?;
                }
                numbers::RULE_SUPPRESS_GROUP => rule.suppress_group = suppressed(attribute)?,
                _ => {}
            }
        }
        rule.mark = (mark != 0 || mask != 0).then_some((mark, mask));
        Ok(Some(rule))
    }

    fn write(&self, writer: &mut Writer<'_>) {
        let family = match self.family {
            Family::V4 => numbers::FAMILY_V4,
            Family::V6 => numbers::FAMILY_V6,
        };
        let flags = if self.invert { numbers::RULE_INVERT } else { 0 };
        let [f0, f1, f2, f3] = flags.to_ne_bytes();
        let length = |prefix: Option<Prefix>| prefix.map_or(0, Prefix::length);
        let (to, from) = (length(self.to), length(self.from));
        // FRA_TABLE has room for all numbers.
        writer.fixed(&[
            family,
            to,
            from,
            self.tos,
            0,
            0,
            0,
            self.action,
            f0,
            f1,
            f2,
            f3,
        ]);
        for (kind, prefix) in [(numbers::RULE_TO, self.to), (numbers::RULE_FROM, self.from)] {
            if let Some(prefix) = prefix {
                write_address(writer, kind, prefix.address());
            }
        }
        writer.attribute(numbers::RULE_PREFERENCE, &self.preference.to_ne_bytes());
        if let Some((mark, mask)) = self.mark {
            writer.attribute(numbers::RULE_MARK, &mark.to_ne_bytes());
            writer.attribute(numbers::RULE_MASK, &mask.to_ne_bytes());
        }
        for (kind, name) in [
            (numbers::RULE_INPUT, &self.input),
            (numbers::RULE_OUTPUT, &self.output),
        ] {
            if let Some(name) = name {
                writer.text(kind, name.as_str());
            }
        }
        if let Some(id) = self.tunnel_id {
            writer.attribute(numbers::RULE_TUNNEL_ID, &id.to_be_bytes());
        }
        if let Some((first, last)) = self.users {
            let ([a0, a1, a2, a3], [b0, b1, b2, b3]) = (first.to_ne_bytes(), last.to_ne_bytes());
            writer.attribute(numbers::RULE_USERS, &[a0, a1, a2, a3, b0, b1, b2, b3]);
        }
        if let Some(protocol) = self.ip_protocol {
            writer.attribute(numbers::RULE_IP_PROTOCOL, &[protocol]);
        }
        for (kind, range) in [
            (numbers::RULE_SOURCE_PORTS, self.source_ports),
            (numbers::RULE_DESTINATION_PORTS, self.destination_ports),
        ] {
            if let Some((first, last)) = range {
                let ([a0, a1], [b0, b1]) = (first.to_ne_bytes(), last.to_ne_bytes());
                writer.attribute(kind, &[a0, a1, b0, b1]);
            }
        }
        writer.attribute(numbers::RULE_PROTOCOL, &[self.protocol]);
        if self.table != 0 {
            writer.attribute(numbers::RULE_TABLE, &self.table.to_ne_bytes());
        }
        if self.l3mdev {
            writer.attribute(numbers::RULE_L3MDEV, &[1]);
        }
        for (kind, value) in [
            (numbers::RULE_GOTO, self.goto),
            (numbers::RULE_REALMS, self.realms),
            (numbers::RULE_SUPPRESS_LENGTH, self.suppress_prefix_length),
            (numbers::RULE_SUPPRESS_GROUP, self.suppress_group),
        ] {
            if let Some(value) = value {
                writer.attribute(kind, &value.to_ne_bytes());
            }
        }
    }
}

fn prefix(family: Family, attribute: Attribute<'_>, length: u8) -> Result<Prefix, Malformed> {
    Prefix::new(address(family, attribute)?, length).map_err(|_above| Malformed::Value {
        what: "a prefix length",
        value: u32::from(length),
    })
}

fn name(attribute: Attribute<'_>) -> Result<IfName, Malformed> {
    let kind = attribute.kind;
    IfName::new(attribute.text()?).map_err(|_bad| Malformed::Text { kind })
}

fn ports(attribute: Attribute<'_>) -> Result<(u16, u16), Malformed> {
    let [a0, a1, b0, b1] = attribute.bytes()?;
    Ok((u16::from_ne_bytes([a0, a1]), u16::from_ne_bytes([b0, b1])))
}

fn suppressed(attribute: Attribute<'_>) -> Result<Option<u32>, Malformed> {
    Ok(Some(attribute.u32()?).filter(|value| *value != NOTHING))
}

/// A change of the rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RuleChange {
    /// Make it. That it is there already is no error.
    Add {
        /// What.
        rule: KernelRule,
    },
    /// Remove it. That it is not there is no error.
    Remove {
        /// What.
        rule: KernelRule,
    },
}

impl RuleChange {
    const fn parts(&self) -> (&'static str, &KernelRule) {
        match self {
            Self::Add { rule } => ("add", rule),
            Self::Remove { rule } => ("remove", rule),
        }
    }

    fn error(&self, refusal: Refusal) -> RuleError {
        let (doing, rule) = self.parts();
        RuleError {
            doing,
            preference: rule.preference,
            refusal,
        }
    }
}

impl Ask for RuleChange {
    type Error = RuleError;

    fn encode(&self, buffer: &mut Vec<u8>, sequence: u32) -> Result<(), RuleError> {
        // keepalived: CREATE | EXCL; without EXCL the kernel would make a second one just like the first.
        let (kind, flags) = match self {
            Self::Add { .. } => (numbers::NEW_RULE, numbers::CREATE_NEW),
            Self::Remove { .. } => (numbers::DELETE_RULE, 0),
        };
        let mut writer = Writer::new(
            buffer,
            Request {
                kind,
                flags: flags | numbers::REQUEST | numbers::ACK,
                sequence,
            },
        );
        let (_, rule) = self.parts();
        rule.write(&mut writer);
        writer
            .finish()
            .map(|_length| ())
            .map_err(|_too_long| self.error(Refusal::new(libc::EMSGSIZE, None)))
    }

    fn judge(&self, answer: Result<(), Refusal>) -> Result<Changed, RuleError> {
        match (self, answer) {
            (_, Ok(())) => Ok(Changed::Now),
            (Self::Add { .. }, Err(refusal)) if refusal.reason() == Reason::Exists => {
                Ok(Changed::Already)
            }
            (Self::Remove { .. }, Err(refusal)) if refusal.reason() == Reason::Missing => {
                Ok(Changed::Already)
            }
            (_, Err(refusal)) => Err(self.error(refusal)),
        }
    }
}

/// Why a rule was not made or removed.
#[derive(Debug, thiserror::Error)]
#[error("cannot {doing} the rule of preference {preference}: {refusal}")]
pub struct RuleError {
    /// `add` or `remove`.
    pub doing: &'static str,
    /// Its preference.
    pub preference: u32,
    /// The kernel's reason.
    pub refusal: Refusal,
}

#[cfg(test)]
mod tests;
