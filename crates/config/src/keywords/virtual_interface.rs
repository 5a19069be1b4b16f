//! Keywords of `vrrp_instance` about a device of its own: `use_vmac`, `use_ipvlan` and what belongs to them.

use std::net::IpAddr;
use std::str::FromStr;

use types::{Family, IfName, MacAddress, Prefix};
use vrrp::settings::IpvlanMode;

use super::arguments::noted;
use super::{Keyword, Role};
use crate::diagnostics::{Class, Diagnostic};
use crate::document::Statement;
use crate::draft::{At, IpvlanDraft, VmacAddress, VmacDraft};
use crate::names::Kind;
use crate::read::Reading;

const ROW: Keyword = Keyword {
    blocks: &["vrrp_instance"],
    ..super::ROW
};

pub(super) const KEYWORDS: &[Keyword] = &[
    Keyword {
        name: "use_vmac",
        arguments: noted("[[name] INTERFACE] [MAC] [netlink_notify_msg] [group GROUP]"),
        default: "off; the device is called by vmac_prefix and the VRID",
        help: "run on a macvlan with the virtual MAC address",
        role: Role::Set(use_vmac),
        ..ROW
    },
    Keyword {
        name: "use_vmac_addr",
        default: "off",
        help: "macvlans also for addresses on other interfaces, or of the other family",
        role: Role::Set(|r, _| r.instance.use_vmac_addr = true),
        ..ROW
    },
    Keyword {
        name: "vmac_xmit_base",
        default: "off",
        help: "adverts use the interface below the macvlan",
        role: Role::Set(|r, s| r.instance.vmac_xmit_base = Some(s.whole())),
        ..ROW
    },
    Keyword {
        name: "use_ipvlan",
        arguments: noted(
            "[[name] INTERFACE] [ADDRESS[/PREFIX]] [bridge|private|vepa] [group GROUP]",
        ),
        default: "off; bridge",
        help: "run on an ipvlan",
        role: Role::Set(use_ipvlan),
        ..ROW
    },
];

fn use_vmac(reading: &mut Reading<'_>, statement: &Statement) {
    let mut vmac = reading.instance.vmac.take().unwrap_or(VmacDraft {
        span: statement.whole(),
        name: None,
        address: None,
        announce_link: false,
        group: None,
    });
    let mut index = 1;
    while let Some(word) = statement.word(index) {
        if word.contains(':') {
            mac(reading, statement, index, &mut vmac.address);
        } else if word == "netlink_notify_msg" {
            vmac.announce_link = true;
        } else {
            index = common(
                reading,
                statement,
                index,
                &mut vmac.name,
                &mut vmac.group,
                "VMAC",
            );
        }
        index += 1;
    }
    reading.instance.vmac = Some(vmac);
}

fn use_ipvlan(reading: &mut Reading<'_>, statement: &Statement) {
    if reading.instance.ipvlan.is_some() {
        let name = &reading.instance.name;
        let message = format!("instance {name} has use_ipvlan already; this one is ignored");
        let diagnostic = Diagnostic::warning(Class::General, message)
            .keepalived(format!("({name}) use_ipvlan already specified"));
        reading.complain(statement, 0, diagnostic);
        return;
    }
    let mut ipvlan = IpvlanDraft {
        span: statement.whole(),
        name: None,
        address: None,
        mode: None,
        group: None,
    };
    let mut index = 1;
    while let Some(word) = statement.word(index) {
        let mode = match word {
            "bridge" => Some(IpvlanMode::Bridge),
            "private" => Some(IpvlanMode::Private),
            "vepa" => Some(IpvlanMode::Vepa),
            _ => None,
        };
        if let Some(mode) = mode {
            if ipvlan.mode.is_none() {
                ipvlan.mode = Some(mode);
            } else {
                let name = &reading.instance.name;
                let text = format!("({name}) ipvlan type already specified - ignoring '{word}'");
                ignored(reading, statement, index, "a second mode", text);
            }
        } else if word
            .split('/')
            .next()
            .is_some_and(|bare| IpAddr::from_str(bare).is_ok())
        {
            address(reading, statement, index, &mut ipvlan.address);
        } else {
            index = common(
                reading,
                statement,
                index,
                &mut ipvlan.name,
                &mut ipvlan.group,
                "IPVLAN",
            );
        }
        index += 1;
    }
    reading.instance.ipvlan = Some(ipvlan);
}

/// `group G`, `name IF` or a name: sets it and answers the index of the last word that it took.
fn common(
    reading: &mut Reading<'_>,
    statement: &Statement,
    index: usize,
    name: &mut Option<IfName>,
    group: &mut Option<u32>,
    kind: &str,
) -> usize {
    let word = statement.argument(index);
    if word != "group" && word != "name" {
        device_name(reading, statement, index, name, kind);
        return index;
    }
    if statement.word(index + 1).is_none() {
        let message = format!("'{word}' lacks what it announces and is ignored");
        reading.complain(statement, index, Diagnostic::error(Class::General, message));
    } else if word == "name" {
        device_name(reading, statement, index + 1, name, kind);
    } else if let Some(number) = device_group(reading, statement, index + 1) {
        *group = Some(number);
    }
    index + 1
}

/// The group of a device, by its number or by iproute2's name for it.
fn device_group(reading: &mut Reading<'_>, statement: &Statement, index: usize) -> Option<u32> {
    let text = statement.argument(index).to_owned();
    let Reading {
        names,
        machine,
        draft,
        ..
    } = &mut *reading;
    let number = names
        .numbers
        .number(Kind::Group, &text, *machine, &draft.global);
    if number.is_none() {
        let known = names.numbers.names(Kind::Group, *machine, &draft.global);
        let help = match crate::suggest::nearest(&text, known.keys().map(String::as_str)) {
            Some(near) => format!("did you mean '{near}'?"),
            None => format!(
                "a name that /etc/iproute2/group knows, or 0 to {}",
                Kind::Group.most()
            ),
        };
        let message = format!("unknown device group '{text}' is ignored");
        let diagnostic = Diagnostic::error(Class::General, message).help(help);
        reading.complain(statement, index, diagnostic);
    }
    for problem in reading.names.numbers.take_problems() {
        let diagnostic = Diagnostic::warning(Class::Uncounted, problem)
            .help("names that it defines are not known");
        reading.complain(statement, index, diagnostic);
    }
    number
}

/// The name of the device: once, short enough, and no other instance's.
fn device_name(
    reading: &mut Reading<'_>,
    statement: &Statement,
    index: usize,
    name: &mut Option<IfName>,
    kind: &str,
) {
    let word = statement.argument(index);
    let instance = reading.instance.name.clone();
    if name.is_some() {
        let text = format!("{kind} interface name already specified");
        ignored(reading, statement, index, "a second name", text);
        return;
    }
    let wanted = match IfName::new(word) {
        Ok(wanted) => wanted,
        Err(error) => {
            let diagnostic = Diagnostic::error(Class::General, error.to_string());
            reading.complain(statement, index, diagnostic);
            return;
        }
    };
    if let Some(other) = reading.names.devices.get(&wanted) {
        let text =
            format!("({instance}) VRRP instance {other} is already using {wanted} - ignoring name");
        let message =
            format!("instance {other} makes a device called {wanted} already; the name is ignored");
        let diagnostic = Diagnostic::error(Class::General, message).keepalived(text);
        reading.complain(statement, index, diagnostic);
        return;
    }
    reading.names.devices.insert(wanted, instance);
    *name = Some(wanted);
}

fn ignored(
    reading: &mut Reading<'_>,
    statement: &Statement,
    index: usize,
    what: &str,
    keepalived: String,
) {
    let message = format!("'{}' is {what} and is ignored", statement.argument(index));
    let diagnostic = Diagnostic::warning(Class::General, message).keepalived(keepalived);
    reading.complain(statement, index, diagnostic);
}

/// The address of a macvlan: five octets and the VRID, or six.
fn mac(
    reading: &mut Reading<'_>,
    statement: &Statement,
    index: usize,
    address: &mut Option<At<VmacAddress>>,
) {
    let word = statement.argument(index);
    let Some(parsed) = parse_mac(word) else {
        let message = format!("'{word}' is not a MAC address; it is ignored");
        let diagnostic = Diagnostic::error(Class::General, message)
            .help("six octets, or five, which the VRID is added to: 02:00:00:00:01")
            .keepalived(format!("VMAC invalid MAC address {word}"));
        reading.complain(statement, index, diagnostic);
        return;
    };
    let [first, second, third, fourth, fifth] = match parsed {
        VmacAddress::Whole(MacAddress([a, b, c, d, e, _])) => [a, b, c, d, e],
        VmacAddress::WithVrid(octets) => octets,
    };
    let reserved = [first, second, third, fourth] == [0, 0, 0x5e, 0] && (1..=2).contains(&fifth);
    let problem = if address.is_some() {
        Some((
            "is a second MAC address",
            "VMAC interface address already specified".to_owned(),
        ))
    } else if first & 1 != 0 {
        Some((
            "is a multicast address",
            format!("VMAC MAC address is multicast {word} - ignoring"),
        ))
    } else if reserved {
        Some((
            "is one that VRRP itself uses",
            format!("VMAC MAC address not allowed to be RFC5798 address ({word}) - ignoring"),
        ))
    } else {
        None
    };
    if let Some((problem, text)) = problem {
        let message = format!("'{word}' {problem}; it is ignored");
        let diagnostic = Diagnostic::error(Class::General, message).keepalived(text);
        reading.complain(statement, index, diagnostic);
        return;
    }
    *address = Some(At {
        value: parsed,
        span: statement.span(index),
    });
}

/// Octets in hexadecimal; a colon may end five of them.
fn parse_mac(text: &str) -> Option<VmacAddress> {
    let mut octets = [0; 6];
    let mut count = 0;
    let mut parts = text.split(':').peekable();
    while let Some(part) = parts.next() {
        if part.is_empty() && count == 5 && parts.peek().is_none() {
            break;
        }
        let plain = part.len() <= 2 && part.bytes().all(|byte| byte.is_ascii_hexdigit());
        *octets.get_mut(count)? = plain.then(|| u8::from_str_radix(part, 16).ok()).flatten()?;
        count += 1;
    }
    let [a, b, c, d, e, _] = octets;
    match count {
        6 => Some(VmacAddress::Whole(MacAddress(octets))),
        5 => Some(VmacAddress::WithVrid([a, b, c, d, e])),
        _ => None,
    }
}

/// The address of an ipvlan, which is the source of adverts too.
fn address(
    reading: &mut Reading<'_>,
    statement: &Statement,
    index: usize,
    address: &mut Option<Prefix>,
) {
    let word = statement.argument(index);
    if address.is_some() {
        let name = &reading.instance.name;
        let text = format!("({name}) ipvlan address already specified - ignoring '{word}'");
        ignored(reading, statement, index, "a second address", text);
        return;
    }
    let (bare, length) = match word.split_once('/') {
        Some((bare, length)) => (bare, Some(length)),
        None => (word, None),
    };
    let Ok(ip) = IpAddr::from_str(bare) else {
        return;
    };
    let prefix = match length.map(str::parse) {
        None => Some(Prefix::host(ip)),
        Some(Ok(length)) => Prefix::new(ip, length).ok(),
        Some(Err(_)) => None,
    };
    let Some(prefix) = prefix else {
        let message = format!("'{word}' has no valid prefix length; the address is ignored");
        reading.complain(statement, index, Diagnostic::error(Class::General, message));
        return;
    };
    if super::vrrp_instance::adopt_family(
        reading,
        statement,
        index,
        Family::of(ip),
        super::vrrp_instance::ONE_FAMILY,
    ) {
        *address = Some(prefix);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mac_addresses() {
        let whole = |octets| Some(VmacAddress::Whole(MacAddress(octets)));
        for (text, expected) in [
            ("02:03:04:05:06:ff", whole([2, 3, 4, 5, 6, 255])),
            ("2:3:4:5:6:7", whole([2, 3, 4, 5, 6, 7])),
            (
                "02:03:04:05:06",
                Some(VmacAddress::WithVrid([2, 3, 4, 5, 6])),
            ),
            (
                "02:03:04:05:06:",
                Some(VmacAddress::WithVrid([2, 3, 4, 5, 6])),
            ),
            ("02:03:04:05:", None),
            ("02:03:04:05:06:07:", None),
            ("02:03:04:05:06:07:08", None),
            ("02:03:04:05:06:zz", None),
            ("02:03:04:05:06:+1", None),
            ("02::04:05:06:07", None),
            (":", None),
        ] {
            assert_eq!(parse_mac(text), expected, "{text}");
        }
    }
}
