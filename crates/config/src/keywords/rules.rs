//! `virtual_rules` and `static_rules`: one policy rule per line, in iproute2's words.

use types::{Family, IfName, Prefix};
use vrrp::settings::Static;
use vrrp::settings::routes::Realms;
use vrrp::settings::rules::{FirewallMark, Lookup, Range, Rule, RuleAction};

use super::arguments::noted;
use super::entry::{Dropped, Entry, length_of_nothing, read};
use super::{Keyword, Role};
use crate::diagnostics::{Class, Diagnostic};
use crate::names::Kind;

const ROW: Keyword = Keyword {
    arguments: noted("{ [from PREFIX] [to PREFIX] table TABLE preference NUMBER ... }"),
    ..super::ROW
};

pub(super) const KEYWORDS: &[Keyword] = &[
    Keyword {
        blocks: &["vrrp_instance"],
        name: "virtual_rules",
        help: "rules that choose the routing table, as long as the instance is master",
        role: Role::List(|r, entry| {
            if let Some(rule) = read(r, entry, "rule", false, rule) {
                r.instance.virtual_rules.push(rule.entry);
            }
        }),
        ..ROW
    },
    Keyword {
        blocks: &[""],
        name: "static_rules",
        help: "rules that choose the routing table, as long as the daemon runs",
        role: Role::List(|r, entry| {
            if let Some(rule) = read(r, entry, "rule", true, rule) {
                r.draft.static_rules.push(rule);
            }
        }),
        ..ROW
    },
];

/// The preference of the first rule that has none; each further one of its family gets one less (keepalived).
const FIRST_PREFERENCE: u32 = 16384;
/// The words of a rule, for "did you mean".
const OPTIONS: [&str; 34] = [
    "inet",
    "inet6",
    "from",
    "to",
    "not",
    "table",
    "lookup",
    "preference",
    "order",
    "priority",
    "tos",
    "dsfield",
    "fwmark",
    "realms",
    "suppress_prefixlength",
    "sup_pl",
    "suppress_ifgroup",
    "sup_group",
    "dev",
    "iif",
    "oif",
    "tunnel-id",
    "uidrange",
    "l3mdev",
    "protocol",
    "ipproto",
    "sport",
    "dport",
    "type",
    "blackhole",
    "unreachable",
    "prohibit",
    "nop",
    "goto",
];
/// iproute2's words that keepalived has others for.
const TRANSLATIONS: [(&str, &str); 8] = [
    ("pref", "preference"),
    ("prio", "priority"),
    ("ip_proto", "ipproto"),
    ("tun_id", "tunnel-id"),
    ("tunnel_id", "tunnel-id"),
    ("realm", "realms"),
    ("suppress_prefixlen", "suppress_prefixlength"),
    ("reject", "unreachable"),
];

/// A rule on its way.
#[derive(Default)]
struct Draft {
    family: Option<Family>,
    invert: bool,
    from: Option<Prefix>,
    to: Option<Prefix>,
    preference: Option<u32>,
    tos: u8,
    mark: Option<FirewallMark>,
    input: Option<IfName>,
    output: Option<IfName>,
    tunnel_id: Option<u64>,
    users: Option<Range<u32>>,
    ip_protocol: Option<u8>,
    source_ports: Option<Range<u16>>,
    destination_ports: Option<Range<u16>>,
    /// Where it stands, and the number.
    protocol: Option<(usize, u8)>,
    action: Option<RuleAction>,
    realms: Option<Realms>,
    suppress_prefix_length: Option<u32>,
    suppress_group: Option<u32>,
    no_track: bool,
    group: Option<(usize, String)>,
}

/// Reads a rule.
fn rule(entry: &mut Entry<'_, '_, '_>) -> Result<Static<Rule>, Dropped> {
    let mut draft = Draft::default();
    while let Some(word) = entry.word() {
        draft.option(entry, word)?;
    }
    draft.finish(entry)
}

impl Draft {
    fn option(&mut self, entry: &mut Entry<'_, '_, '_>, word: &str) -> Result<(), Dropped> {
        match word {
            "inet" | "inet6" => {
                let family = if word == "inet6" {
                    Family::V6
                } else {
                    Family::V4
                };
                entry.belongs(&mut self.family, family)?;
                entry.swallow();
            }
            "from" => self.from = self.prefix(entry, word)?,
            "to" => self.to = self.prefix(entry, word)?,
            "not" => self.invert = true,
            "table" | "lookup" => {
                let table = entry.named(word, Kind::Table)?;
                if table == 0 {
                    return Err(entry.drop("there is no table 0"));
                }
                self.act(entry, RuleAction::Lookup(Lookup::new(table)))?;
            }
            "preference" | "order" | "priority" => {
                self.preference = Some(preference(entry, word)?);
            }
            "tos" | "dsfield" => self.tos = entry.named_byte(word, Kind::TrafficClass)?,
            "fwmark" => self.mark = Some(mark(entry)?),
            "realms" => {
                if *self.family.get_or_insert(Family::V4) == Family::V6 {
                    return Err(entry.drop("'realms' is for IPv4 rules only"));
                }
                self.realms = Some(entry.realms()?);
            }
            "suppress_prefixlength" | "sup_pl" => {
                let length = entry.number(word, 0..=0x7fff_ffff)?;
                self.suppress_prefix_length = u32::try_from(length).ok();
            }
            "suppress_ifgroup" | "sup_group" => {
                self.suppress_group = Some(entry.named("group of interfaces", Kind::Group)?);
            }
            "dev" | "iif" => self.input = Some(entry.interface(word)?),
            "oif" => self.output = Some(entry.interface(word)?),
            "tunnel-id" => self.tunnel_id = Some(entry.number(word, 0..=u64::MAX)?),
            "uidrange" => self.users = Some(users(entry)?),
            "l3mdev" => self.act(entry, RuleAction::L3mdev)?,
            "protocol" => {
                let number = entry.byte(word)?;
                self.protocol = Some((entry.here(), number));
            }
            "ipproto" => self.ip_protocol = Some(ip_protocol(entry)?),
            "sport" => self.source_ports = Some(ports(entry, word)?),
            "dport" => self.destination_ports = Some(ports(entry, word)?),
            "type" => {
                let name = entry.argument(word)?;
                match plain_action(name) {
                    Some(action) => self.act(entry, action)?,
                    None => return Err(unknown(entry, name)),
                }
            }
            "goto" => {
                let target = entry.word32(word)?;
                self.act(entry, RuleAction::Goto(target))?;
            }
            "no_track" => self.no_track = true,
            "track_group" if entry.is_static => {
                if let Some(group) = entry.track_group()? {
                    self.group = Some(group);
                }
            }
            other => match plain_action(other) {
                Some(action) => self.act(entry, action)?,
                None => return Err(unknown(entry, other)),
            },
        }
        Ok(())
    }

    /// `from` and `to`; `None`: any address.
    fn prefix(
        &mut self,
        entry: &mut Entry<'_, '_, '_>,
        word: &str,
    ) -> Result<Option<Prefix>, Dropped> {
        let text = entry.argument(word)?;
        match text {
            "default" | "any" | "all" => return Ok(None),
            "default6" => {
                entry.belongs(&mut self.family, Family::V6)?;
                return Ok(None);
            }
            _ => {}
        }
        let Some(prefix) = entry.prefix(text) else {
            let message = format!("{word} '{text}' is not an address; the rule is dropped");
            let mut diagnostic = Diagnostic::error(Class::General, message)
                .help("ADDRESS[/PREFIX], default, any or all")
                .keepalived(format!("Invalid rule {word} address {text}"));
            if let Some(bad) = length_of_nothing(text) {
                diagnostic = diagnostic.also(Class::InvalidNumber, bad);
            }
            entry.say(diagnostic);
            return Err(Dropped);
        };
        entry.belongs(&mut self.family, prefix.family())?;
        Ok(Some(prefix))
    }

    /// The one action.
    fn act(&mut self, entry: &mut Entry<'_, '_, '_>, action: RuleAction) -> Result<(), Dropped> {
        if self.action.replace(action).is_some() {
            let help = "one of table, l3mdev, goto, blackhole, unreachable, prohibit and nop";
            return Err(entry.drop_with_help("the rule has two actions", help));
        }
        Ok(())
    }

    /// What has to wait for the whole line.
    fn finish(self, entry: &mut Entry<'_, '_, '_>) -> Result<Static<Rule>, Dropped> {
        let Some(mut action) = self.action else {
            let message = "the rule has no action; it is dropped";
            let diagnostic = Diagnostic::error(Class::General, message)
                .help("say 'table TABLE', or blackhole, unreachable, prohibit, nop, goto or l3mdev")
                .keepalived("No action specified for rule - ignoring");
            entry.say(diagnostic);
            return Err(Dropped);
        };
        if let RuleAction::Lookup(lookup) = &mut action {
            lookup.realms = self.realms;
            lookup.suppress_prefix_length = self.suppress_prefix_length;
            lookup.suppress_group = self.suppress_group;
        } else if self.realms.is_some()
            || self.suppress_prefix_length.is_some()
            || self.suppress_group.is_some()
        {
            return Err(entry.drop("realms and suppressors go with a table only"));
        }
        if let RuleAction::Goto(target) = action {
            match self.preference {
                Some(preference) if preference < target => {}
                Some(preference) => {
                    let message = format!(
                        "goto {target} would go back: the rule has preference {preference}"
                    );
                    let help = "the target's preference is greater than the rule's own";
                    return Err(entry.drop_with_help(message, help));
                }
                None => {
                    let help = "give it one that is smaller than the target's";
                    return Err(entry.drop_with_help("a rule with goto needs a preference", help));
                }
            }
        }
        let family = self.family.unwrap_or(Family::V4);
        let protocol = entry.tracked_protocol(self.protocol, self.no_track);
        let has_input = self.input.is_some();
        let track_group = entry.grouped(self.group, has_input, self.no_track, "iif");
        let preference = match self.preference {
            Some(preference) => preference,
            None => next_preference(entry, family),
        };
        let rule = Rule {
            invert: self.invert,
            from: self.from,
            to: self.to,
            tos: self.tos,
            mark: self.mark,
            input: self.input,
            output: self.output,
            tunnel_id: self.tunnel_id,
            users: self.users,
            ip_protocol: self.ip_protocol,
            source_ports: self.source_ports,
            destination_ports: self.destination_ports,
            protocol,
            no_track: self.no_track,
            ..Rule::new(family, preference, action)
        };
        Ok(Static {
            entry: rule,
            track_group,
        })
    }
}

/// Numbers a rule that has no preference, and says so: the order of rules should not depend on that of the lines.
fn next_preference(entry: &mut Entry<'_, '_, '_>, family: Family) -> u32 {
    let [v4, v6] = &mut entry.reading.names.unnumbered_rules;
    let count = match family {
        Family::V4 => v4,
        Family::V6 => v6,
    };
    let preference = FIRST_PREFERENCE.saturating_sub(*count);
    *count += 1;
    let message = format!("a rule without preference gets {preference}");
    let diagnostic = Diagnostic::warning(Class::General, message)
        .help("say 'preference NUMBER': smaller ones are asked first, the main table at 32766")
        .keepalived(format!(
            "Rule has no preference specified - setting to {preference}. This is probably not what you want."
        ));
    entry.say_of_all(diagnostic);
    preference
}

/// An action of one word.
fn plain_action(name: &str) -> Option<RuleAction> {
    Some(match name {
        "blackhole" => RuleAction::Blackhole,
        "unreachable" => RuleAction::Unreachable,
        "prohibit" => RuleAction::Prohibit,
        "nop" => RuleAction::Nop,
        _ => return None,
    })
}

/// A preference, as C writes numbers; the empty text is 0, as in keepalived.
fn preference(entry: &mut Entry<'_, '_, '_>, word: &str) -> Result<u32, Dropped> {
    let text = entry.argument(word)?;
    if text.is_empty() {
        return Ok(0);
    }
    Entry::c_word32(text).ok_or_else(|| {
        let message = format!("{word} '{text}' is not valid; the rule is dropped");
        let diagnostic = Diagnostic::error(Class::InvalidNumber, message)
            .help("0 to 4294967295")
            .keepalived(format!("invalid number '{text}'"))
            .also(
                Class::General,
                format!("Invalid rule preference {word} specified"),
            );
        entry.say(diagnostic);
        Dropped
    })
}

/// `MARK[/MASK]`.
fn mark(entry: &mut Entry<'_, '_, '_>) -> Result<FirewallMark, Dropped> {
    let text = entry.argument("fwmark")?;
    let (mark, mask) = match text.split_once('/') {
        Some((mark, mask)) => (mark, Some(mask)),
        None => (text, None),
    };
    let mask = mask.map(|mask| Entry::c_word32(mask).ok_or(()));
    match (Entry::c_word32(mark), mask.transpose()) {
        (Some(mark), Ok(mask)) => Ok(FirewallMark { mark, mask }),
        (_, Err(()) | Ok(_)) => Err(entry.drop_with_help(
            format!("fwmark '{text}' is not valid"),
            "MARK[/MASK], each 0 to 4294967295 or hexadecimal with 0x",
        )),
    }
}

/// `FIRST-LAST`.
fn users(entry: &mut Entry<'_, '_, '_>) -> Result<Range<u32>, Dropped> {
    let text = entry.argument("uidrange")?;
    let help = "FIRST-LAST, user ids in numbers";
    let range = text
        .split_once('-')
        .and_then(|(first, last)| Some((digits(first)?, digits(last)?)));
    match range {
        Some((first, last)) if first <= last => Ok(Range { first, last }),
        // The kernel refuses such a rule; keepalived says nothing until then.
        Some(_) => {
            let message = format!("uidrange '{text}' ends before it begins; the rule is dropped");
            entry.say(Diagnostic::error(Class::Uncounted, message).help(help));
            Err(Dropped)
        }
        None => Err(entry.drop_with_help(format!("uidrange '{text}' is not valid"), help)),
    }
}

/// `FIRST-LAST`; `PORT` alone is reported, and means one port.
///
/// DEVIATION(keepalived): there a rule with a single port is dropped, however clear it is.
fn ports(entry: &mut Entry<'_, '_, '_>, word: &str) -> Result<Range<u16>, Dropped> {
    let text = entry.argument(word)?;
    let port = |text: &str| digits(text).and_then(|port| u16::try_from(port).ok());
    let help = "FIRST-LAST, ports from 1 to 65535";
    let bad = format!("{word} '{text}' is no range of ports");
    let Some((first, last)) = text.split_once('-') else {
        let Some(port) = port(text).filter(|port| *port != 0) else {
            return Err(entry.drop_with_help(bad, help));
        };
        let message = format!("{word} {text} is no range; {port}-{port} is used");
        let diagnostic = Diagnostic::warning(Class::General, message)
            .help(format!(
                "write '{word} {port}-{port}': keepalived drops the rule"
            ))
            .keepalived(format!("invalid {word} range {text}"));
        entry.say(diagnostic);
        return Ok(Range {
            first: port,
            last: port,
        });
    };
    match (port(first), port(last)) {
        (Some(first), Some(last)) if first != 0 && first <= last => Ok(Range { first, last }),
        _ if [first, last]
            .iter()
            .any(|end| end.is_empty() || digits(end).is_none()) =>
        {
            Err(entry.drop_with_help(bad, help))
        }
        // The kernel refuses such a rule; keepalived says nothing until then.
        _ => {
            let message = format!("{bad}; the rule is dropped");
            entry.say(Diagnostic::error(Class::Uncounted, message).help(help));
            Err(Dropped)
        }
    }
}

/// Nothing but digits, within 32 bits.
fn digits(text: &str) -> Option<u32> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit());
    plain.then(|| text.parse().ok()).flatten()
}

/// A protocol above IP; names in any case.
fn ip_protocol(entry: &mut Entry<'_, '_, '_>) -> Result<u8, Dropped> {
    let text = entry.argument("ipproto")?;
    let lower = text.to_ascii_lowercase();
    let number = entry.named_in("IP protocol", &lower, Kind::IpProtocol)?;
    Ok(u8::try_from(number).unwrap_or(u8::MAX))
}

/// A word that is no option.
fn unknown(entry: &mut Entry<'_, '_, '_>, word: &str) -> Dropped {
    let translated = TRANSLATIONS
        .iter()
        .find(|(foreign, _)| *foreign == word)
        .map(|(_, own)| *own);
    let near = translated.or_else(|| crate::suggest::nearest(word, OPTIONS.into_iter()));
    let help = match near {
        _ if word == "track_group" => Some("only static rules have a track_group".to_owned()),
        Some(near) => Some(format!("did you mean '{near}'?")),
        None if super::entry::prefix(word).is_some() => {
            Some("an address stands behind 'from' or 'to'".to_owned())
        }
        None => None,
    };
    let message = format!("'{word}' is no option of a rule; the rule is dropped");
    let diagnostic = Diagnostic::error(Class::General, message)
        .maybe_help(help)
        .keepalived(format!("Unknown rule option {word}"));
    entry.say(diagnostic);
    Dropped
}

#[cfg(test)]
mod tests;
