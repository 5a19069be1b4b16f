//! `virtual_server_group NAME { ... }`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use lvs::settings::{Group, GroupEntry, GroupId};
use types::Family;

use super::arguments::{optional, required};
use super::servers::{lacks, port};
use super::{Keyword, Role};
use crate::diagnostics::{Class, Diagnostic};
use crate::document::Statement;
use crate::draft::lvs::ServerGroupDraft;
use crate::read::{Garbage, Reading};

/// A range beyond this is probably a slip: each address becomes a service of its own.
const MANY: u128 = 65_536;

pub(super) const KEYWORDS: &[Keyword] = &[Keyword {
    blocks: &[""],
    name: "virtual_server_group",
    arguments: required("NAME"),
    help: "addresses, ranges of them and firewall marks that a virtual server is made for",
    role: Role::NamedList { open, entry, close },
    ..super::ROW
}];

/// What its lines are, for explanations.
pub(super) const ENTRIES: &[Keyword] = &[
    Keyword {
        name: "<address>",
        arguments: optional("[PORT]"),
        help: "ADDRESS, FIRST-LAST or NETWORK/LENGTH: a service for each of the addresses; LAST may be the last octet, or \
               the last 16 bits of IPv6; PORT is 1 to 65535",
        default: "any port",
        ..ENTRY
    },
    Keyword {
        name: "fwmark",
        arguments: required("1..4294967295 [inet|inet6]"),
        help: "a service for all packets with this firewall mark",
        default: "the family of the real servers",
        ..ENTRY
    },
];

const ENTRY: Keyword = Keyword {
    blocks: &["virtual_server_group"],
    ..super::ROW
};

fn open(reading: &mut Reading<'_>, statement: &Statement) -> bool {
    // The want of a name was reported already.
    let Some(name) = statement.word(1).and_then(|_| reading.text(statement, 1)) else {
        return false;
    };
    reading.lvs.group = Some(ServerGroupDraft {
        group: Group {
            name,
            entries: Vec::new(),
        },
        span: statement.whole(),
    });
    true
}

fn close(reading: &mut Reading<'_>, statement: &Statement) {
    let Some(ServerGroupDraft { group, span }) = reading.lvs.group.take() else {
        return;
    };
    let name = &group.name;
    if group.entries.is_empty() {
        let diagnostic = Diagnostic::error(
            Class::General,
            format!("virtual server group {name} has no entries and is left out"),
        )
        .help("an address, a range, a prefix or a firewall mark in each line")
        .keepalived(format!(
            "virtual server group {name} has no entries - removing"
        ));
        reading.report.at(span, diagnostic);
        return;
    }
    let any = |family| {
        let wanted = |entry: &GroupEntry| entry.family() == family;
        group.entries.iter().any(wanted)
    };
    if any(Some(Family::V4)) && any(Some(Family::V6)) && any(None) {
        let diagnostic = Diagnostic::error(
            Class::General,
            format!("virtual server group {name} is left out: it has IPv4, IPv6 and a mark of neither"),
        )
        .help("write 'fwmark N inet' or 'fwmark N inet6'")
        .keepalived(format!(
            "virtual server group {name} cannot have IPv4, IPv6 and fwmark without family - removing"
        ));
        reading.report.at(span, diagnostic);
        return;
    }
    let all = &mut reading.draft.lvs;
    if all.group_ids.contains_key(name) {
        let message =
            format!("virtual server group {name} is defined twice; the first one is used");
        reading.complain(statement, 1, Diagnostic::warning(Class::Uncounted, message));
        return;
    }
    let id = GroupId(u32::try_from(all.groups.len()).unwrap_or(u32::MAX));
    all.group_ids.insert(name.clone(), id);
    all.groups.push(group);
}

/// A line of the list; a bad one is reported and dropped.
fn entry(reading: &mut Reading<'_>, statement: &Statement) {
    let entry = if statement.argument(0) == "fwmark" {
        mark(reading, statement)
    } else {
        addresses(reading, statement)
    };
    if let (Some(entry), Some(draft)) = (entry, &mut reading.lvs.group) {
        draft.group.entries.push(entry);
    }
}

/// `fwmark N [inet|inet6]`.
fn mark(reading: &mut Reading<'_>, statement: &Statement) -> Option<GroupEntry> {
    let mark = mark_at(reading, statement, 1)?;
    let family = match statement.word(2) {
        None => None,
        Some("inet") => Some(Family::V4),
        Some("inet6") => Some(Family::V6),
        Some(other) => {
            let message = format!("fwmark: there is no address family '{other}'; it is left out");
            let diagnostic = Diagnostic::error(Class::General, message).help("inet or inet6");
            reading.complain(statement, 2, diagnostic);
            return None;
        }
    };
    Some(GroupEntry::Mark { mark, family })
}

/// The firewall mark that is the n-th word. Its absence ends keepalived at once.
///
/// DEVIATION(keepalived): there mark 0 is handed to the kernel, which takes it for a service of the address
/// 255.255.255.255; here it is left out.
pub(super) fn mark_at(
    reading: &mut Reading<'_>,
    statement: &Statement,
    index: usize,
) -> Option<u32> {
    if statement.word(index).is_none() {
        lacks(reading, statement, "the number of its mark", "fwmark N");
        return None;
    }
    let most = i64::from(u32::MAX);
    let mark = reading
        .number_called("fwmark", statement, index, 0..=most, Garbage::Tolerated)
        .or_else(|| number_refused(reading, statement))?;
    if mark == 0 {
        let diagnostic = Diagnostic::error(
            Class::Uncounted,
            "fwmark 0 is no mark: every unmarked packet has it; it is left out",
        )
        .help("1 to 4294967295");
        reading.complain(statement, index, diagnostic);
        return None;
    }
    u32::try_from(mark).ok()
}

/// After a bad number of an entry, which was reported, keepalived says of the whole entry that it is bad.
fn number_refused<T>(reading: &mut Reading<'_>, statement: &Statement) -> Option<T> {
    if statement.keyword().is_some() {
        return None;
    }
    let diagnostic = Diagnostic::error(
        Class::General,
        format!("'{}' is left out", statement.argument(0)),
    );
    reading.report.part_of(Some(statement.whole()));
    reading.report.at(statement.whole(), diagnostic);
    reading.report.part_of(None);
    None
}

/// `ADDRESS [PORT]`, `ADDRESS-LAST [PORT]` or `NETWORK/LENGTH [PORT]`.
fn addresses(reading: &mut Reading<'_>, statement: &Statement) -> Option<GroupEntry> {
    // As in keepalived, a bad port is not passed over for a bad address.
    let port = port(reading, statement, 1);
    let text = statement.argument(0);
    let range = match range(text) {
        Ok(range) => Some(range),
        Err((why, help)) => {
            let diagnostic =
                Diagnostic::error(Class::General, format!("'{text}' is left out: {why}"))
                    .help(help)
                    .keepalived(format!(
                        "Invalid virtual server group IP address {text} - skipping"
                    ));
            reading.complain(statement, 0, diagnostic);
            None
        }
    };
    let (first, last) = range?;
    let port = port.or_else(|| number_refused(reading, statement))?;
    let count = number(last).saturating_sub(number(first)).saturating_add(1);
    if count > MANY {
        let message = format!("'{text}' stands for {count} addresses: one service for each");
        let diagnostic = Diagnostic::warning(Class::Uncounted, message)
            .help("mark the packets with nftables and use a fwmark instead");
        reading.complain(statement, 0, diagnostic);
    }
    Some(GroupEntry::Addresses { first, last, port })
}

/// Why an entry is not good, and what is.
type Refusal = (String, &'static str);

/// The first and the last address that an entry stands for.
fn range(text: &str) -> Result<(IpAddr, IpAddr), Refusal> {
    let address = |text: &str| {
        text.parse::<IpAddr>().map_err(|_| {
            let why = format!("'{text}' is not an IP address");
            (
                why,
                "an address, a range FIRST-LAST or a network NETWORK/LENGTH",
            )
        })
    };
    // keepalived looks for the network first.
    if let Some((start, length)) = text.split_once('/') {
        let first = address(start.split('-').next().unwrap_or_default())?;
        let last = last_of_network(first, length)?;
        return Ok((first, last));
    }
    let Some((start, end)) = text.split_once('-') else {
        let only = address(text)?;
        return Ok((only, only));
    };
    let first = address(start)?;
    if end.contains(['.', ':']) {
        let last = address(end)?;
        if Family::of(first) != Family::of(last) {
            return Err(("its ends are of different families".into(), "FIRST-LAST"));
        }
        if last < first {
            return Err((
                "its end is before its start".into(),
                "write the lower address first",
            ));
        }
        return Ok((first, last));
    }
    let last = last_of_range(first, end)?;
    if last <= first {
        return Err((
            "its end is not behind its start".into(),
            "behind the '-' stands the last octet (IPv4) or the last 16 bits in hexadecimal (IPv6)",
        ));
    }
    Ok((first, last))
}

/// The end of a range of which only the last octet (decimal) or the last 16 bits (hexadecimal) are written.
fn last_of_range(first: IpAddr, end: &str) -> Result<IpAddr, Refusal> {
    let refusal = |help| (format!("'{end}' cannot be the end of a range"), help);
    match first {
        IpAddr::V4(first) => {
            let help = "the last octet of the last address, 0 to 255";
            let end = decimal_number(end, 255).ok_or_else(|| refusal(help))?;
            Ok(Ipv4Addr::from_bits(first.to_bits() & !0xff | end).into())
        }
        IpAddr::V6(first) => {
            let help = "the last 16 bits of the last address, 0 to ffff";
            let digits = !end.is_empty() && end.bytes().all(|byte| byte.is_ascii_hexdigit());
            let end = digits
                .then(|| u128::from_str_radix(end, 16).ok())
                .flatten()
                .filter(|end| *end <= 0xffff)
                .ok_or_else(|| refusal(help))?;
            Ok(Ipv6Addr::from_bits(first.to_bits() & !0xffff | end).into())
        }
    }
}

/// The last address of a network, of which `first` must be the first.
fn last_of_network(first: IpAddr, length: &str) -> Result<IpAddr, Refusal> {
    let bits = u32::from(Family::of(first).host_prefix_length());
    let Some(length) = decimal_number(length, bits).filter(|length| *length > 0) else {
        let help = if bits == 32 { "1 to 32" } else { "1 to 128" };
        return Err((format!("'{length}' is not a prefix length"), help));
    };
    let host = u128::MAX
        .checked_shr(128 - bits + length)
        .unwrap_or_default();
    if number(first) & host != 0 {
        return Err((
            "the address is not the first of its network".into(),
            "bits behind the prefix must be 0",
        ));
    }
    Ok(match first {
        IpAddr::V4(first) => {
            // The host bits of IPv4 fit into 32.
            let host = u32::try_from(host).unwrap_or(u32::MAX);
            Ipv4Addr::from_bits(first.to_bits() | host).into()
        }
        IpAddr::V6(first) => Ipv6Addr::from_bits(first.to_bits() | host).into(),
    })
}

/// A number of digits alone, up to `most`.
fn decimal_number(text: &str, most: u32) -> Option<u32> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let number = digits.then(|| text.parse().ok()).flatten()?;
    (number <= most).then_some(number)
}

fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => u128::from(address.to_bits()),
        IpAddr::V6(address) => address.to_bits(),
    }
}

#[cfg(test)]
mod tests;
