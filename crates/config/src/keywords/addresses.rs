//! Address lines: `ADDR[/PREFIX] [dev IF] [brd A] [scope S] [label L] [peer A] ...`.

use std::net::{IpAddr, Ipv4Addr};

use types::{Family, Prefix};
use vrrp::settings::PreferredLifetime;

use super::vrrp_instance::adopt_family;
use crate::diagnostics::{Class, Diagnostic};
use crate::document::Statement;
use crate::draft::AddressDraft;
use crate::read::{Reading, leading_number};

/// `label`: the kernel's limit.
const LONGEST_LABEL: usize = 15;
/// The options, for "did you mean".
const OPTIONS: [&str; 14] = [
    "dev",
    "scope",
    "brd",
    "broadcast",
    "label",
    "peer",
    "home",
    "-nodad",
    "mngtmpaddr",
    "noprefixroute",
    "autojoin",
    "preferred_lft",
    "no_track",
    "use_vmac",
];

/// An entry of `virtual_ipaddress`.
pub(super) fn advertised(reading: &mut Reading<'_>, entry: &Statement) {
    let Some(address) = line(reading, entry) else {
        return;
    };
    let ip = address.prefix.address();
    if !adopt_family(reading, entry, 0, Family::of(ip)) {
        return;
    }
    if !reading.vips.insert((ip, None)) {
        duplicate(reading, entry);
        return;
    }
    reading.vips.insert((ip, Some(device(&address))));
    reading.instance.vips.push(address);
}

/// An entry of `virtual_ipaddress_excluded`; either family.
pub(super) fn excluded(reading: &mut Reading<'_>, entry: &Statement) {
    let Some(address) = line(reading, entry) else {
        return;
    };
    if !reading
        .vips
        .insert((address.prefix.address(), Some(device(&address))))
    {
        duplicate(reading, entry);
        return;
    }
    reading.instance.excluded.push(address);
}

/// Whether an argument follows an option.
fn takes_value(option: &str) -> bool {
    matches!(
        option,
        "dev" | "scope" | "brd" | "broadcast" | "label" | "peer" | "preferred_lft"
    )
}

/// The interface as far as it is written; empty: the instance's own.
fn device(address: &AddressDraft) -> String {
    address
        .interface
        .as_ref()
        .map_or_else(String::new, ToString::to_string)
}

fn duplicate(reading: &mut Reading<'_>, entry: &Statement) {
    let text = entry.argument(0);
    let name = &reading.instance.name;
    let diagnostic = Diagnostic::warning(
        Class::General,
        format!("address {text} is already in instance {name}"),
    )
    .help("the second one is ignored")
    .keepalived(format!("({name}): VIP duplicates a VIP {text} - ignoring"));
    reading.complain(entry, 0, diagnostic);
}

/// Reads a line; `None`: it is dropped, and why was reported.
fn line(reading: &mut Reading<'_>, entry: &Statement) -> Option<AddressDraft> {
    let prefix = prefix(reading, entry)?;
    let mut address = AddressDraft {
        prefix,
        interface: None,
        scope: 0,
        label: None,
        broadcast: None,
        peer: None,
        dad: false,
        home: false,
        mngtmpaddr: false,
        noprefixroute: false,
        autojoin: false,
        preferred_lft: None,
        no_track: false,
        span: entry.whole(),
    };
    let mut broadcast = None;
    let mut index = 1;
    while let Some(option) = entry.word(index) {
        let value = index + 1;
        let mut takes_value = takes_value(option);
        if takes_value && entry.word(value).is_none() {
            let message = format!("'{}' lacks its argument; the address is dropped", option);
            reading.complain(entry, index, Diagnostic::error(Class::General, message));
            return None;
        }
        match option {
            "dev" if address.interface.is_some() => {
                let message = "'dev' is given twice; the address is dropped";
                reading.complain(entry, index, Diagnostic::error(Class::General, message));
                return None;
            }
            "dev" => address.interface = Some(reading.interface(entry, value)?),
            "scope" => scope(reading, entry, value, &mut address),
            "brd" | "broadcast" => broadcast = Some(value),
            "label" => address.label = label(reading, entry, value, prefix)?,
            "peer" => peer(reading, entry, value, &mut address),
            "preferred_lft" => address.preferred_lft = lifetime(reading, entry, value),
            "home" => address.home = true,
            "-nodad" => address.dad = true,
            "mngtmpaddr" => address.mngtmpaddr = true,
            "noprefixroute" => address.noprefixroute = true,
            "autojoin" => address.autojoin = true,
            "no_track" => address.no_track = true,
            "use_vmac" => {
                let message =
                    "'use_vmac' is a keyword of keepalived that evervip does not act on yet";
                reading.complain(entry, index, Diagnostic::warning(Class::Pending, message));
            }
            other => {
                let help = crate::suggest::nearest(other, OPTIONS.into_iter());
                // Its argument is not a second mistake.
                takes_value = help.is_some_and(self::takes_value);
                let diagnostic = Diagnostic::error(
                    Class::General,
                    format!("unknown option '{other}' of an address is ignored"),
                )
                .maybe_help(help.map(|near| format!("did you mean '{near}'?")));
                reading.complain(entry, index, diagnostic);
            }
        }
        index += if takes_value { 2 } else { 1 };
    }
    if let Some(value) = broadcast {
        address.broadcast = broadcast_of(reading, entry, value, &address)?;
    }
    Some(address)
}

/// `ADDR[/PREFIX]`.
fn prefix(reading: &mut Reading<'_>, entry: &Statement) -> Option<Prefix> {
    let text = entry.argument(0);
    let (host, length) = text
        .split_once('/')
        .map_or((text, None), |(host, length)| (host, Some(length)));
    let Ok(address) = host.parse::<IpAddr>() else {
        let diagnostic =
            Diagnostic::error(Class::General, format!("'{text}' is not an IP address"))
                .keepalived(format!("VRRP parsed invalid IP {text}. skipping IP..."));
        reading.complain(entry, 0, diagnostic);
        return None;
    };
    let Some(length) = length else {
        return Some(Prefix::host(address));
    };
    let (number, clean) = leading_number(length);
    let prefix = number
        .filter(|_| !length.is_empty())
        .and_then(|number| u8::try_from(number).ok())
        .and_then(|number| Prefix::new(address, number).ok());
    if clean && let Some(prefix) = prefix {
        return Some(prefix);
    }
    let used = prefix.unwrap_or(Prefix::host(address));
    let diagnostic = Diagnostic::error(
        Class::InvalidNumber,
        format!("prefix length '{length}' of {host} is not valid"),
    )
    .help(format!(
        "0 to {}; {} is used",
        Family::of(address).host_prefix_length(),
        used.length()
    ))
    .keepalived(format!(
        "Invalid address prefix len {length} for address {text} - using {}",
        used.length()
    ));
    reading.complain(entry, 0, diagnostic);
    Some(used)
}

fn scope(reading: &mut Reading<'_>, entry: &Statement, index: usize, address: &mut AddressDraft) {
    let text = entry.argument(index);
    if address.prefix.family() == Family::V6 {
        let message = format!("an IPv6 address has no scope of its own; 'scope {text}' is ignored");
        let diagnostic = Diagnostic::error(Class::General, message).keepalived(format!(
            "Cannot specify scope for IPv6 addresses ({}) - ignoring scope",
            address.prefix
        ));
        reading.complain(entry, index, diagnostic);
        return;
    }
    // The kernel's own names (rtnetlink(7)).
    let number = match text {
        "global" => Some(0),
        "site" => Some(200),
        "link" => Some(253),
        "host" => Some(254),
        "nowhere" => Some(255),
        other => other.parse::<u8>().ok(),
    };
    match number {
        Some(number) => address.scope = number,
        None => {
            let diagnostic =
                Diagnostic::error(Class::General, format!("unknown scope '{text}' is ignored"))
                    .help("global, site, link, host, nowhere or a number from 0 to 255");
            reading.complain(entry, index, diagnostic);
        }
    }
}

fn label(
    reading: &mut Reading<'_>,
    entry: &Statement,
    index: usize,
    prefix: Prefix,
) -> Option<Option<String>> {
    let text = reading.text(entry, index)?;
    if prefix.family() == Family::V6 {
        let message = "an IPv6 address has no label; it is ignored";
        reading.complain(entry, index, Diagnostic::error(Class::General, message));
        return Some(None);
    }
    if text.len() > LONGEST_LABEL {
        let message = format!(
            "label '{text}' has more than {LONGEST_LABEL} characters; the address is dropped"
        );
        reading.complain(entry, index, Diagnostic::error(Class::General, message));
        return None;
    }
    Some(Some(text))
}

fn peer(reading: &mut Reading<'_>, entry: &Statement, index: usize, address: &mut AddressDraft) {
    let text = entry.argument(index);
    let peer = text
        .parse::<IpAddr>()
        .ok()
        .filter(|peer| Family::of(*peer) == address.prefix.family());
    let Some(peer) = peer else {
        let diagnostic = Diagnostic::error(Class::General, format!("peer '{text}' is ignored"))
            .help(format!(
                "an {} address without a prefix length",
                address.prefix.family()
            ))
            .keepalived(format!("Invalid peer address {text}"));
        reading.complain(entry, index, diagnostic);
        return;
    };
    if entry.argument(0).contains('/') {
        let diagnostic = Diagnostic::error(
            Class::General,
            "an address with a peer has no prefix length; it is ignored",
        )
        .keepalived("Cannot specify address prefix when specifying peer address - ignoring");
        reading.complain(entry, 0, diagnostic);
    }
    address.prefix = Prefix::host(address.prefix.address());
    address.peer = Some(Prefix::host(peer));
}

fn lifetime(
    reading: &mut Reading<'_>,
    entry: &Statement,
    index: usize,
) -> Option<PreferredLifetime> {
    let text = entry.argument(index);
    if text == "forever" {
        return Some(PreferredLifetime::Forever);
    }
    match text.parse::<u32>() {
        Ok(u32::MAX) => Some(PreferredLifetime::Forever),
        Ok(seconds) => Some(PreferredLifetime::Seconds(seconds)),
        Err(_) => {
            let diagnostic = Diagnostic::error(
                Class::InvalidNumber,
                format!("preferred_lft '{text}' is not valid"),
            )
            .help("0 to 4294967295 seconds, or forever");
            reading.complain(entry, index, diagnostic);
            None
        }
    }
}

/// `None`: the address is dropped; `Some(None)`: it has no broadcast address.
fn broadcast_of(
    reading: &mut Reading<'_>,
    entry: &Statement,
    index: usize,
    address: &AddressDraft,
) -> Option<Option<Ipv4Addr>> {
    let text = entry.argument(index);
    let IpAddr::V4(own) = address.prefix.address() else {
        let message = "an IPv6 address has no broadcast address; the address is dropped";
        reading.complain(entry, index, Diagnostic::error(Class::General, message));
        return None;
    };
    if address.peer.is_some() {
        return Some(None);
    }
    if !matches!(text, "+" | "-") {
        return match text.parse() {
            Ok(broadcast) => Some(Some(broadcast)),
            Err(_) => {
                let message = format!(
                    "broadcast address '{text}' is not an IPv4 address; the address is dropped"
                );
                reading.complain(entry, index, Diagnostic::error(Class::General, message));
                None
            }
        };
    }
    if address.prefix.length() > 30 {
        let message = format!(
            "a /{} has no broadcast address to compute",
            address.prefix.length()
        );
        let diagnostic =
            Diagnostic::error(Class::General, message).help("a prefix length up to 30");
        reading.complain(entry, index, diagnostic);
        return Some(None);
    }
    let host = u32::MAX >> u32::from(address.prefix.length());
    let bits = own.to_bits();
    Some(Some(Ipv4Addr::from_bits(if text == "+" {
        bits | host
    } else {
        bits & !host
    })))
}
