//! `virtual_routes` and `static_routes`: one route per line, in iproute2's words.
//!
//! Words come in any order. One that is no option is the destination, so a mistyped option is reported as a destination
//! that is no address; what was probably meant is said then.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use types::{Family, Prefix};
use vrrp::settings::Static;
use vrrp::settings::routes::{
    CongestionControl, FEATURE_ECN, Insertion, MAIN_TABLE, Metric, MetricValue, NextHop, Route,
    RouteType, Table,
};

use super::arguments::noted;
use super::entry::{Dropped, Entry, read};
use super::{Keyword, Role};
use crate::diagnostics::{Class, Diagnostic};
use crate::document::Statement;
use crate::names::Kind;
use crate::read::Reading;

mod encap;
mod time;

const ROW: Keyword = Keyword {
    arguments: noted("{ [TYPE] DESTINATION [via ADDRESS] [dev INTERFACE] ... }"),
    ..super::ROW
};

pub(super) const KEYWORDS: &[Keyword] = &[
    Keyword {
        blocks: &["vrrp_instance"],
        name: "virtual_routes",
        help: "routes that the master has",
        role: Role::List(|r, entry| {
            if let Some(route) = read(r, entry, "route", false, route) {
                r.instance.virtual_routes.push(route.entry);
            }
        }),
        ..ROW
    },
    Keyword {
        blocks: &[""],
        name: "static_routes",
        help: "routes that are there as long as the daemon runs",
        role: Role::List(|r: &mut Reading<'_>, entry: &Statement| {
            if let Some(route) = read(r, entry, "route", true, route) {
                r.draft.static_routes.push(route);
            }
        }),
        ..ROW
    },
];

/// The words of a route that are neither metrics nor types, for "did you mean".
const OPTIONS: [&str; 39] = [
    "to",
    "inet",
    "inet6",
    "src",
    "via",
    "from",
    "tos",
    "dsfield",
    "table",
    "protocol",
    "scope",
    "metric",
    "priority",
    "preference",
    "dev",
    "oif",
    "onlink",
    "encap",
    "expires",
    "realms",
    "features",
    "congctl",
    "pref",
    "ttl-propagate",
    "add",
    "append",
    "prepend",
    "nexthop",
    "vrf",
    "no_track",
    "track_group",
    "default",
    "default6",
    "any",
    "all",
    "as",
    "or",
    "gw",
    "lock",
];

/// A route on its way.
struct Draft {
    route: Route,
    family: Option<Family>,
    destination: Option<Destination>,
    /// Where it stands, and the number.
    protocol: Option<(usize, u8)>,
    /// `or`: the second of two ways.
    or: Option<IpAddr>,
    group: Option<(usize, String)>,
}

/// What stands for the destination.
#[derive(Clone, Copy)]
enum Destination {
    /// `default`: of what family shows elsewhere.
    Default,
    Prefix(Prefix),
}

/// Reads a route.
fn route(entry: &mut Entry<'_, '_, '_>) -> Result<Static<Route>, Dropped> {
    let mut draft = Draft {
        route: Route::new(Prefix::shortest(IpAddr::V4(Ipv4Addr::UNSPECIFIED))),
        family: None,
        destination: None,
        protocol: None,
        or: None,
        group: None,
    };
    while let Some(word) = entry.word() {
        if word == "nexthop" {
            if draft.or.is_some() {
                return Err(entry.drop("'nexthop' and 'or' do not go together"));
            }
            next_hops(entry, &mut draft)?;
            break;
        }
        draft.option(entry, word)?;
    }
    draft.finish(entry)
}

impl Draft {
    fn option(&mut self, entry: &mut Entry<'_, '_, '_>, word: &str) -> Result<(), Dropped> {
        match word {
            "to" => {
                let text = entry.argument(word)?;
                return self.destination(entry, text);
            }
            "inet" | "inet6" => {
                let family = family_of(word);
                entry.belongs(&mut self.family, family)?;
                entry.swallow();
            }
            "src" => {
                let source = entry.address(word)?;
                entry.belongs(&mut self.family, Family::of(source))?;
                self.route.source = Some(source);
            }
            "via" | "gw" => {
                if word == "gw" {
                    deprecated(entry, "gw", "via");
                }
                self.route.via = Some(gateway(entry, word, &mut self.family)?);
            }
            "from" => self.from(entry)?,
            "tos" | "dsfield" => self.route.tos = entry.named_byte(word, Kind::TrafficClass)?,
            "table" => self.route.table = table(entry)?,
            "vrf" => self.route.table = vrf(entry)?,
            "protocol" => {
                let number = entry.named_byte(word, Kind::Protocol)?;
                self.protocol = Some((entry.here(), number));
            }
            "scope" => self.route.scope = entry.named_byte(word, Kind::Scope)?,
            "metric" | "priority" | "preference" => {
                self.route.metric = Some(entry.word32(word)?);
            }
            "dev" | "oif" => self.route.interface = Some(entry.interface(word)?),
            "onlink" => self.route.onlink = true,
            "encap" => self.route.encap = Some(encap::read(entry)?),
            "expires" => {
                self.only(entry, word, Family::V6)?;
                self.route.expires = Some(entry.word32(word)?);
            }
            "congctl" => {
                let locked = entry.take("lock");
                let name = crate::bytes::shown(entry.argument(word)?);
                self.route.congestion = Some(CongestionControl { name, locked });
            }
            "realms" => {
                self.only(entry, word, Family::V4)?;
                self.route.realms = Some(entry.realms()?);
            }
            "pref" => {
                self.only(entry, word, Family::V6)?;
                self.route.preference = Some(preference(entry)?);
            }
            "ttl-propagate" => self.ttl_propagate(entry)?,
            "add" => self.route.insertion = Insertion::Add,
            "append" => self.route.insertion = Insertion::Append,
            "prepend" => self.route.insertion = Insertion::Prepend,
            "or" => {
                deprecated(entry, "or", "nexthop");
                let second = entry.address(word)?;
                entry.belongs(&mut self.family, Family::of(second))?;
                self.or = Some(second);
            }
            "as" => {
                entry.take("to");
                entry.argument(word)?;
                let diagnostic = Diagnostic::error(
                    Class::General,
                    "'as' belongs to routes of MPLS labels; it is ignored",
                )
                .keepalived("\"as to\" for MPLS only - ignoring");
                entry.say(diagnostic);
            }
            "no_track" => self.route.no_track = true,
            "track_group" if entry.is_static => {
                if let Some(group) = entry.track_group()? {
                    self.group = Some(group);
                }
            }
            other => return self.metric_or_destination(entry, other),
        }
        Ok(())
    }

    /// A metric, a type with its destination, or a destination.
    fn metric_or_destination(
        &mut self,
        entry: &mut Entry<'_, '_, '_>,
        word: &str,
    ) -> Result<(), Dropped> {
        if let Some(metric) = Metric::by_name(word) {
            return self.metric(entry, metric);
        }
        let kind = RouteType::by_name(word).or_else(|| {
            let number = Entry::c_word32(word)?;
            u8::try_from(number).ok().map(RouteType)
        });
        let Some(kind) = kind else {
            return self.destination(entry, word);
        };
        self.route.kind = kind;
        let text = entry.argument(word)?;
        self.destination(entry, text)
    }

    fn destination(&mut self, entry: &mut Entry<'_, '_, '_>, text: &str) -> Result<(), Dropped> {
        let found = match text {
            "default" | "any" | "all" => Destination::Default,
            "default6" => {
                entry.belongs(&mut self.family, Family::V6)?;
                Destination::Default
            }
            _ => {
                let Some(prefix) = entry.prefix(text) else {
                    return Err(unknown(entry, text));
                };
                entry.belongs(&mut self.family, prefix.family())?;
                Destination::Prefix(prefix)
            }
        };
        if self.destination.replace(found).is_some() {
            let message = "the route has two destinations; this one counts";
            entry.say(Diagnostic::warning(Class::Uncounted, message));
        }
        Ok(())
    }

    fn from(&mut self, entry: &mut Entry<'_, '_, '_>) -> Result<(), Dropped> {
        let text = entry.argument("from")?;
        match entry.prefix(text) {
            Some(prefix) if prefix.family() == Family::V6 => {
                entry.belongs(&mut self.family, Family::V6)?;
                self.route.from = Some(prefix);
                Ok(())
            }
            _ => Err(entry.drop_with_help(
                format!("from '{text}' is not an IPv6 address"),
                "only IPv6 routes look at the source; for IPv4 use a rule with 'from' and a table",
            )),
        }
    }

    /// A word that makes sense for one family only.
    fn only(
        &mut self,
        entry: &mut Entry<'_, '_, '_>,
        word: &str,
        family: Family,
    ) -> Result<(), Dropped> {
        if *self.family.get_or_insert(family) == family {
            return Ok(());
        }
        Err(entry.drop(format!("'{word}' is for {family} routes only")))
    }

    fn metric(&mut self, entry: &mut Entry<'_, '_, '_>, metric: Metric) -> Result<(), Dropped> {
        let name = metric.name();
        let lockable = !matches!(
            metric,
            Metric::Window
                | Metric::HopLimit
                | Metric::InitCwnd
                | Metric::InitRwnd
                | Metric::Features
                | Metric::QuickAck
                | Metric::FastOpenNoCookie
        );
        let locked = lockable && entry.take("lock");
        let value = match metric {
            Metric::Rtt => time::read(entry, name, 8)?,
            Metric::RttVar => time::read(entry, name, 4)?,
            Metric::RtoMin => time::read(entry, name, 1)?,
            Metric::HopLimit => u32::from(entry.byte(name)?),
            Metric::QuickAck | Metric::FastOpenNoCookie => {
                u32::from(entry.number(name, 0..=1)? == 1)
            }
            Metric::Features => {
                let feature = entry.argument(name)?;
                if feature != "ecn" {
                    let message = format!("unknown feature '{feature}' is ignored");
                    let diagnostic = Diagnostic::error(Class::General, message)
                        .help("ecn is the only one")
                        .keepalived(format!("feature {feature} not supported"));
                    entry.say(diagnostic);
                    return Ok(());
                }
                FEATURE_ECN
            }
            Metric::Mtu
            | Metric::Window
            | Metric::SsThresh
            | Metric::Cwnd
            | Metric::AdvMss
            | Metric::Reordering
            | Metric::InitCwnd
            | Metric::InitRwnd => entry.word32(name)?,
        };
        self.route
            .metrics
            .insert(metric, MetricValue { value, locked });
        Ok(())
    }

    fn ttl_propagate(&mut self, entry: &mut Entry<'_, '_, '_>) -> Result<(), Dropped> {
        match entry.argument("ttl-propagate")? {
            "enabled" => self.route.ttl_propagate = Some(true),
            "disabled" => self.route.ttl_propagate = Some(false),
            other => {
                let message = format!("ttl-propagate '{other}' is ignored");
                let diagnostic = Diagnostic::error(Class::General, message)
                    .help("enabled or disabled")
                    .keepalived(format!("ttl-propagate value {other} not recognised"));
                entry.say(diagnostic);
            }
        }
        Ok(())
    }

    /// What has to wait for the whole line.
    fn finish(mut self, entry: &mut Entry<'_, '_, '_>) -> Result<Static<Route>, Dropped> {
        let Some(destination) = self.destination else {
            let help = "an address, or 'default'";
            return Err(entry.drop_with_help("the route has no destination", help));
        };
        self.route.destination = match (destination, self.family) {
            (Destination::Prefix(prefix), _) => prefix,
            (Destination::Default, Some(Family::V6)) => {
                Prefix::shortest(IpAddr::V6(Ipv6Addr::UNSPECIFIED))
            }
            (Destination::Default, Some(Family::V4) | None) => {
                Prefix::shortest(IpAddr::V4(Ipv4Addr::UNSPECIFIED))
            }
        };
        if let Some(second) = self.or {
            let hop = |via| NextHop {
                via: Some(via),
                ..NextHop::default()
            };
            let ways = self.route.via.take().into_iter().chain([second]);
            self.route.next_hops = ways.map(hop).collect();
        }
        self.route.protocol = entry.tracked_protocol(self.protocol, self.route.no_track);
        let has_interface = self.route.interface.is_some();
        let track_group = entry.grouped(self.group, has_interface, self.route.no_track, "dev");
        Ok(Static {
            entry: self.route,
            track_group,
        })
    }
}

/// `nexthop ... nexthop ...` to the end of the line. A bad hop ends the list; the route stays with those before it.
fn next_hops(entry: &mut Entry<'_, '_, '_>, draft: &mut Draft) -> Result<(), Dropped> {
    let mut hop = NextHop::default();
    let mut is_empty = true;
    while let Some(word) = entry.word() {
        let spoilt = match word {
            "nexthop" => {
                add(entry, draft, &mut hop, is_empty);
                is_empty = true;
                continue;
            }
            "via" => match hop_gateway(entry, &mut draft.family)? {
                Some(via) => {
                    hop.via = Some(via);
                    false
                }
                None => true,
            },
            "dev" => {
                hop.interface = Some(entry.interface(word)?);
                false
            }
            "weight" => match weight(entry)? {
                Some(weight) => {
                    hop.weight = weight;
                    false
                }
                None => true,
            },
            "onlink" => {
                hop.onlink = true;
                false
            }
            "encap" => {
                // A way without its tunnel would lead elsewhere, so all of the route goes.
                hop.encap = Some(encap::read(entry)?);
                false
            }
            "realms" => {
                draft.only(entry, word, Family::V4)?;
                hop.realms = Some(entry.realms()?);
                false
            }
            other => {
                let message =
                    format!("'{other}' behind 'nexthop' is ignored, and all that follows");
                let help = match crate::suggest::nearest(other, HOP_OPTIONS.into_iter()) {
                    Some(near) => format!("did you mean '{near}'?"),
                    None => "options of the route stand before the first 'nexthop'".to_owned(),
                };
                let diagnostic = Diagnostic::error(Class::General, message)
                    .help(help)
                    .keepalived(format!(
                        "Route has trailing nonsense after nexthops - {other}"
                    ));
                entry.say(diagnostic);
                if !is_empty {
                    draft.route.next_hops.push(hop);
                }
                return Ok(());
            }
        };
        if spoilt {
            return Ok(());
        }
        is_empty = false;
    }
    add(entry, draft, &mut hop, is_empty);
    Ok(())
}

/// The words of a next hop.
const HOP_OPTIONS: [&str; 7] = [
    "nexthop", "via", "dev", "weight", "onlink", "encap", "realms",
];

fn add(entry: &mut Entry<'_, '_, '_>, draft: &mut Draft, hop: &mut NextHop, is_empty: bool) {
    if is_empty {
        let message = "'nexthop' with nothing behind it is ignored";
        entry.say(Diagnostic::warning(Class::Uncounted, message));
        return;
    }
    draft.route.next_hops.push(std::mem::take(hop));
}

/// The address of a hop; `None`: the hop is lost, and all behind it.
fn hop_gateway(
    entry: &mut Entry<'_, '_, '_>,
    family: &mut Option<Family>,
) -> Result<Option<IpAddr>, Dropped> {
    let wanted = named_family(entry);
    let text = entry.argument("via")?;
    let address = text.parse::<IpAddr>().ok();
    let fits = |address: &IpAddr| {
        let own = Family::of(*address);
        wanted.is_none_or(|wanted| wanted == own) && family.is_none_or(|family| family == own)
    };
    if let Some(address) = address.filter(fits) {
        *family = Some(Family::of(address));
        return Ok(Some(address));
    }
    let message = if address.is_some() {
        format!("'{text}' is not of the route's family; this hop and those behind it are ignored")
    } else {
        format!("via '{text}' is not an address; this hop and those behind it are ignored")
    };
    entry.say(Diagnostic::error(Class::General, message));
    Ok(None)
}

/// `weight`; `None`: the hop is lost, and all behind it.
fn weight(entry: &mut Entry<'_, '_, '_>) -> Result<Option<u16>, Dropped> {
    let text = entry.argument("weight")?;
    let weight = text.parse::<u16>().ok();
    if let Some(weight) = weight.filter(|weight| (1..=256).contains(weight)) {
        return Ok(Some(weight));
    }
    let message = format!(
        "weight '{text}' of a next hop is not valid; this hop and those behind it are ignored"
    );
    let said = format!("Invalid weight {text} specified for route");
    let diagnostic = if weight == Some(0) {
        Diagnostic::error(Class::General, message).keepalived(said)
    } else {
        Diagnostic::error(Class::InvalidNumber, message)
            .keepalived(format!("number '{text}' outside range [0, 256]"))
            .also(Class::General, said)
    };
    let diagnostic = diagnostic.help("1 to 256");
    entry.say(diagnostic);
    Ok(None)
}

/// `[inet|inet6] ADDRESS` of the route's family.
fn gateway(
    entry: &mut Entry<'_, '_, '_>,
    word: &str,
    family: &mut Option<Family>,
) -> Result<IpAddr, Dropped> {
    let wanted = named_family(entry);
    let address = entry.address(word)?;
    let own = Family::of(address);
    if wanted.is_some_and(|wanted| wanted != own) {
        return Err(entry.drop(format!("'{address}' is {own}, against the word before it")));
    }
    entry.belongs(family, own)?;
    Ok(address)
}

/// `inet` or `inet6`, if it stands there.
fn named_family(entry: &mut Entry<'_, '_, '_>) -> Option<Family> {
    let word = entry
        .peek()
        .filter(|word| matches!(*word, "inet" | "inet6"))?;
    entry.word();
    Some(family_of(word))
}

fn family_of(word: &str) -> Family {
    if word == "inet6" {
        Family::V6
    } else {
        Family::V4
    }
}

/// A table. The kernel takes a route of table 0 for one of the main table.
fn table(entry: &mut Entry<'_, '_, '_>) -> Result<Table, Dropped> {
    let number = entry.named("table", Kind::Table)?;
    Ok(Table::Number(if number == 0 { MAIN_TABLE } else { number }))
}

/// The table of a VRF, which must exist.
fn vrf(entry: &mut Entry<'_, '_, '_>) -> Result<Table, Dropped> {
    let name = entry.argument("vrf")?;
    match types::IfName::new(name) {
        Ok(device) if entry.reading.machine.interface(name).is_some() => Ok(Table::Vrf(device)),
        _ => Err(entry.drop(format!("VRF '{name}' does not exist"))),
    }
}

/// `pref`: RFC 4191 section 2.1 numbers them.
fn preference(entry: &mut Entry<'_, '_, '_>) -> Result<u8, Dropped> {
    let text = entry.argument("pref")?;
    match text {
        "medium" => Ok(0),
        "high" => Ok(1),
        "low" => Ok(3),
        _ => {
            let number = entry.number_in("pref", text, 0..=255)?;
            Ok(u8::try_from(number).unwrap_or(u8::MAX))
        }
    }
}

fn deprecated(entry: &mut Entry<'_, '_, '_>, old: &str, new: &str) {
    let message = format!("'{old}' is an old word of routes");
    let diagnostic = Diagnostic::warning(Class::Deprecated, message)
        .help(format!("write '{new}'"))
        .keepalived(format!(
            "\"{old}\" for routes is deprecated. Please use \"{new}\""
        ));
    entry.say(diagnostic);
}

/// A word that is neither an option nor an address.
fn unknown(entry: &mut Entry<'_, '_, '_>, text: &str) -> Dropped {
    let types = RouteType::NAMES.iter().map(|(name, _)| *name);
    let metrics = Metric::ALL.into_iter().map(Metric::name);
    let known = OPTIONS.into_iter().chain(types).chain(metrics);
    let help = match crate::suggest::nearest(text, known) {
        _ if text == "track_group" => "only static routes have a track_group".to_owned(),
        Some(near) if near != text => format!("did you mean '{near}'?"),
        _ => "a word that is no option is the destination: ADDRESS[/PREFIX] or default".to_owned(),
    };
    let message = format!("'{text}' is neither an option nor an address; the route is dropped");
    let diagnostic = Diagnostic::error(Class::General, message)
        .help(help)
        .keepalived(format!("unknown route keyword {text}"));
    entry.say(diagnostic);
    Dropped
}

#[cfg(test)]
mod tests;
