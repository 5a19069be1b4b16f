//! Address lines: `ADDR[/PREFIX] [dev IF] [brd A] [scope S] [label L] [peer A] ...`.

use std::net::{IpAddr, Ipv4Addr};

use types::{Family, IfName, Prefix};
use vrrp::settings::{PreferredLifetime, Static};

use super::entry;
use super::vrrp_instance::adopt_family;
use crate::diagnostics::{Class, Diagnostic};
use crate::document::Statement;
use crate::draft::AddressDraft;
use crate::names::Kind;
use crate::read::Reading;

/// `label`: the kernel's limit.
const LONGEST_LABEL: usize = 15;
/// The options, for "did you mean"; the last one belongs to virtual addresses, `track_group` to static ones.
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
    let Some(Static { entry: address, .. }) = line(reading, entry, false) else {
        return;
    };
    let ip = address.prefix.address();
    let help = "addresses of the other family go into virtual_ipaddress_excluded";
    if !adopt_family(reading, entry, 0, Family::of(ip), help) {
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
    let Some(Static { entry: address, .. }) = line(reading, entry, false) else {
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

/// An entry of `static_ipaddress`; it needs an interface.
pub(super) fn fixed(reading: &mut Reading<'_>, entry: &Statement) {
    let Some(mut address) = line(reading, entry, true) else {
        return;
    };
    if address.entry.interface.is_none() {
        address.entry.interface = default_interface(reading, entry);
    }
    if address.entry.interface.is_some() {
        reading.draft.static_ipaddress.push(address);
    }
}

/// The interface of static addresses that name none; `None`, with a report: it does not exist.
fn default_interface(reading: &mut Reading<'_>, entry: &Statement) -> Option<IfName> {
    let text = reading.draft.global.default_interface.clone();
    if let Ok(name) = reading.known_interface(&text) {
        return Some(name);
    }
    let address = entry.argument(0);
    let message = format!(
        "static address {address} names no interface, and the default one, {text}, does not exist"
    );
    let diagnostic = Diagnostic::error(Class::Fatal, message)
        .help("say 'dev INTERFACE', or set default_interface in global_defs")
        .keepalived(format!(
            "Static address {address} requires either an interface or default interface must exist"
        ))
        .also_afterwards(
            Class::BadInterface,
            "Non-existent interface specified in configuration",
        )
        .fatal();
    reading.complain(entry, 0, diagnostic);
    None
}

/// Whether an argument follows an option.
fn takes_value(option: &str) -> bool {
    matches!(
        option,
        "dev" | "scope" | "brd" | "broadcast" | "label" | "peer" | "preferred_lft" | "track_group"
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
fn line(
    reading: &mut Reading<'_>,
    entry: &Statement,
    is_static: bool,
) -> Option<Static<AddressDraft>> {
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
        use_vmac: false,
        span: entry.whole(),
    };
    let mut broadcast = None;
    let mut track_group = None;
    // One word that nobody knows brings others with it.
    let mut lost = entry.argument(0).ends_with(',');
    let mut index = 1;
    while let Some(option) = entry.word(index) {
        let value = index + 1;
        let mut takes_value = takes_value(option) && (is_static || option != "track_group");
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
            "track_group" if is_static => track_group = group(reading, entry, value),
            "use_vmac" if !is_static => address.use_vmac = true,
            other => {
                let last = if is_static { "track_group" } else { "use_vmac" };
                let known = OPTIONS.into_iter().filter(|known| *known != "use_vmac");
                let near = crate::suggest::nearest(other, known.chain([last]));
                // Its argument is not a second mistake.
                takes_value = near.is_some_and(self::takes_value) || other == "track_group";
                let help = match other {
                    "track_group" => Some("only static addresses have a track_group".to_owned()),
                    "use_vmac" => Some("only virtual addresses have a MAC of their own".to_owned()),
                    "netmask" | "mask" => Some(match entry::mask_length(entry.argument(value)) {
                        Some(length) => format!(
                            "write the length of the mask behind the address: {}/{length}",
                            entry.argument(0)
                        ),
                        None => "write the length of the mask behind the address: ADDRESS/LENGTH"
                            .to_owned(),
                    }),
                    _ if entry::prefix(other.trim_end_matches(',')).is_some() => {
                        Some("one address per line".to_owned())
                    }
                    _ => near.map(|near| format!("did you mean '{near}'?")),
                };
                let follows = std::mem::replace(&mut lost, true) && near.is_none();
                let diagnostic = Diagnostic::error(
                    Class::General,
                    format!("unknown option '{other}' of an address is ignored"),
                )
                .maybe_help(help)
                .keepalived(format!(
                    "Unknown configuration entry '{other}' for ip address - ignoring"
                ))
                .following(follows);
                reading.complain(entry, index, diagnostic);
            }
        }
        index += if takes_value { 2 } else { 1 };
    }
    if let Some(value) = broadcast {
        address.broadcast = broadcast_of(reading, entry, value, &address)?;
    }
    if track_group.is_some() && address.no_track {
        let message = "'track_group' has no effect with 'no_track'";
        reading.complain(entry, 0, Diagnostic::warning(Class::Uncounted, message));
        track_group = None;
    }
    Some(Static {
        entry: address,
        track_group,
    })
}

/// A track group that is defined; another one is reported.
fn group(reading: &mut Reading<'_>, entry: &Statement, index: usize) -> Option<String> {
    let name = entry.argument(index);
    match entry::unknown_track_group(reading, name) {
        None => Some(name.to_owned()),
        Some(diagnostic) => {
            reading.complain(entry, index, diagnostic);
            None
        }
    }
}

/// `ADDR[/PREFIX]`.
fn prefix(reading: &mut Reading<'_>, entry: &Statement) -> Option<Prefix> {
    let text = entry.argument(0);
    let Some((prefix, complaint)) = entry::prefix(text) else {
        let mut diagnostic =
            Diagnostic::error(Class::General, format!("'{text}' is not an IP address"))
                .help("it is ignored; an entry begins with ADDRESS/LENGTH, such as 192.0.2.10/24")
                .keepalived(format!("VRRP parsed invalid IP {text}. skipping IP..."));
        // keepalived takes it for IPv4 and judges the length first.
        if let Some(bad) = entry::length_of_nothing(text) {
            diagnostic = diagnostic.also(Class::InvalidNumber, bad);
        }
        reading.complain(entry, 0, diagnostic);
        return None;
    };
    if let Some(diagnostic) = complaint {
        reading.complain(entry, 0, diagnostic);
    }
    Some(prefix)
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
    let Reading {
        names,
        machine,
        draft,
        ..
    } = &mut *reading;
    let number = names
        .numbers
        .number(Kind::Scope, text, *machine, &draft.global)
        .and_then(|number| u8::try_from(number).ok());
    if let Some(number) = number {
        address.scope = number;
        return;
    }
    let known = names.numbers.names(Kind::Scope, *machine, &draft.global);
    let help = match crate::suggest::nearest(text, known.keys().map(String::as_str)) {
        Some(near) => format!("did you mean '{near}'?"),
        None => "global, site, link, host, nowhere or a number from 0 to 255".to_owned(),
    };
    let problems = names.numbers.take_problems();
    let message = format!("unknown scope '{text}' is ignored");
    let diagnostic = Diagnostic::error(Class::General, message)
        .help(help)
        .keepalived(format!(
            "Invalid scope '{text}' specified for {} - ignoring",
            entry.argument(0)
        ));
    reading.complain(entry, index, diagnostic);
    for problem in problems {
        reading.complain(entry, index, Diagnostic::warning(Class::Uncounted, problem));
    }
}

fn label(
    reading: &mut Reading<'_>,
    entry: &Statement,
    index: usize,
    prefix: Prefix,
) -> Option<Option<String>> {
    let text = reading.text(entry, index)?;
    if text.len() > LONGEST_LABEL {
        let message = format!(
            "label '{text}' has more than {LONGEST_LABEL} characters; the address is dropped"
        );
        let diagnostic = Diagnostic::error(Class::General, message).keepalived(format!(
            "Address label {text} is longer than maximum length {LONGEST_LABEL} - removing address"
        ));
        reading.complain(entry, index, diagnostic);
        return None;
    }
    if prefix.family() == Family::V6 {
        let message = "an IPv6 address has no label; it is ignored";
        let diagnostic = Diagnostic::error(Class::General, message).keepalived(format!(
            "Cannot specify label for IPv6 addresses ({}) - ignoring label",
            entry.argument(0)
        ));
        reading.complain(entry, index, diagnostic);
        return Some(None);
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
            .help("0 to 4294967295 seconds, or forever")
            .keepalived(format!("invalid number '{text}'"))
            .also(Class::General, format!("preferred_lft {text} is invalid"));
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
        let message = "an address with a peer has no broadcast address; it is ignored";
        let diagnostic = Diagnostic::error(Class::General, message)
            .keepalived("Cannot specify broadcast and peer addresses - ignoring broadcast address");
        reading.complain(entry, index, diagnostic);
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
