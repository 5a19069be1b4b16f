//! nftables, iptables and ipsets.

use crate::diagnostics::{Class, Diagnostic};
use crate::document::Statement;
use crate::read::Reading;
use crate::settings::global::{IpsetNames, Ipsets, IptablesChains};

use super::super::arguments::{optional, strict_integer};
use super::{FLAG, Keyword, ROW, Role};

/// A table's name, in bytes.
const LONGEST_TABLE: usize = 254;
/// A chain's name, in bytes.
const LONGEST_CHAIN: usize = 27;
/// A set's name, in bytes, before anything is appended.
const LONGEST_SET: usize = 30;

pub(in super::super) const KEYWORDS: &[Keyword] = &[
    Keyword {
        name: "nftables",
        arguments: optional("[TABLE]"),
        default: "keepalived, when something is to be filtered",
        help: "filter by nftables, in this table",
        role: Role::Set(|r, s| {
            let given = r.draft.global.firewall.nftables.is_some();
            if let Some(name) = table(r, s, given, "keepalived") {
                r.draft.global.firewall.nftables = Some(name);
                r.draft.global.firewall.nftables_priority = -1;
            }
        }),
        ..ROW
    },
    Keyword {
        name: "nftables_priority",
        arguments: strict_integer(-2_147_483_648, 2_147_483_647),
        default: "-1",
        help: "the priority of the base chains; it stands after nftables, which resets it",
        role: Role::Set(|r, s| {
            if let Some(priority) = r.fits(s) {
                r.draft.global.firewall.nftables_priority = priority;
            }
        }),
        ..ROW
    },
    Keyword {
        name: "nftables_ifindex",
        help: "sets of link-local addresses name interfaces by number",
        role: Role::Set(|r, _| r.draft.global.firewall.nftables_ifindex = true),
        ..FLAG
    },
    Keyword {
        name: "nftables_counters",
        help: "the rules count what they meet",
        role: Role::Set(|r, _| r.draft.global.firewall.nftables_counters = true),
        ..FLAG
    },
    Keyword {
        name: "vrrp_iptables",
        arguments: optional("[IN [OUT]]"),
        default: "off; bare: INPUT OUTPUT",
        help: "filter by nftables, with the effect of rules in these chains; one name: only what arrives",
        role: Role::Set(iptables),
        ..ROW
    },
    Keyword {
        name: "vrrp_ipsets",
        arguments: optional("[ADDR4 [ADDR6 [IF6 [IGMP [MLD [ND]]]]]]"),
        default: "keepalived and names made from it; bare: no sets",
        help: "no effect: nftables filters in place of iptables",
        role: Role::Set(ipsets),
        ..ROW
    },
];

/// The name of a table; the first one is kept.
pub(super) fn table(
    reading: &mut Reading<'_>,
    statement: &Statement,
    given: bool,
    default: &str,
) -> Option<String> {
    if given {
        let name = statement.argument(0);
        let message = format!("{name} is given twice; the first one is kept");
        let diagnostic = Diagnostic::error(Class::General, message)
            .keepalived(format!("{name} already specified - ignoring"));
        reading.complain(statement, 0, diagnostic);
        return None;
    }
    if statement.word(1).is_none() {
        return (!statement.is_damaged()).then(|| default.to_owned());
    }
    name(reading, statement, 1, LONGEST_TABLE)
}

/// A name of limited length; anything else is reported.
fn name(
    reading: &mut Reading<'_>,
    statement: &Statement,
    index: usize,
    longest: usize,
) -> Option<String> {
    let name = reading.text(statement, index)?;
    let keyword = statement.argument(0);
    let problem = match name.len() {
        0 => format!("{keyword}: the name is empty; it is ignored"),
        length if length > longest => {
            format!("{keyword}: '{name}' has {length} bytes; it is ignored")
        }
        _ => return Some(name),
    };
    let diagnostic =
        Diagnostic::error(Class::General, problem).help(format!("1 to {longest} bytes"));
    reading.complain(statement, index, diagnostic);
    None
}

fn iptables(reading: &mut Reading<'_>, statement: &Statement) {
    if reading.draft.global.firewall.iptables.is_some() {
        super::twice(reading, statement);
        return;
    }
    let chains = match statement.len() {
        1 if statement.is_damaged() => None,
        1 => Some(IptablesChains {
            input: "INPUT".to_owned(),
            output: Some("OUTPUT".to_owned()),
        }),
        2 => name(reading, statement, 1, LONGEST_CHAIN).map(|input| IptablesChains {
            input,
            output: None,
        }),
        _ => {
            let input = name(reading, statement, 1, LONGEST_CHAIN);
            let output = name(reading, statement, 2, LONGEST_CHAIN);
            let (Some(input), Some(output)) = (input, output) else {
                return;
            };
            if input == output {
                let message = format!("vrrp_iptables: both chains are {input}; it is ignored");
                reading.complain(statement, 2, Diagnostic::error(Class::General, message));
                return;
            }
            Some(IptablesChains {
                input,
                output: Some(output),
            })
        }
    };
    if chains.is_some() {
        reading.draft.global.firewall.iptables = chains;
        instead(reading, statement);
    }
}

/// The effect is that of nftables, whose tables are made whatever the keyword.
fn instead(reading: &mut Reading<'_>, statement: &Statement) {
    let keyword = statement.argument(0);
    let message = format!("{keyword}: nftables filters instead, with the same effect");
    let diagnostic = Diagnostic::note(message)
        .help("`nft list ruleset` shows the tables; they bear the name that `nftables` gives, or keepalived");
    reading.complain(statement, 0, diagnostic);
}

/// Names that are not given follow from the first one.
fn ipsets(reading: &mut Reading<'_>, statement: &Statement) {
    if statement.word(1).is_none() {
        if !statement.is_damaged() {
            reading.draft.global.firewall.ipsets = Ipsets::Off;
            instead(reading, statement);
        }
        return;
    }
    let Some(first) = name(reading, statement, 1, LONGEST_SET) else {
        return;
    };
    let mut names = IpsetNames::derived_from(&first);
    let slots = [
        &mut names.address6,
        &mut names.interface6,
        &mut names.igmp,
        &mut names.mld,
        &mut names.nd,
    ];
    for (index, slot) in (2..statement.len()).zip(slots) {
        match name(reading, statement, index, LONGEST_SET) {
            Some(name) => *slot = name,
            None => return,
        }
    }
    let all = [
        &names.address4,
        &names.address6,
        &names.interface6,
        &names.igmp,
        &names.mld,
        &names.nd,
    ];
    let different: std::collections::BTreeSet<_> = all.iter().collect();
    if different.len() < all.len() {
        let diagnostic = Diagnostic::error(
            Class::General,
            "vrrp_ipsets: two sets have the same name; the names are ignored",
        )
        .help(format!(
            "with the names not given they are {}",
            all.map(String::as_str).join(" ")
        ));
        reading.complain(statement, 1, diagnostic);
        return;
    }
    reading.draft.global.firewall.ipsets = Ipsets::Named(Box::new(names));
    instead(reading, statement);
}
