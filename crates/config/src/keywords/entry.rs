//! Entries that are read word by word: routes and rules. What is said about them, and the values they share.
//!
//! A mistake that spoils an entry drops it; a missing argument ends keepalived at once, so it is fatal here too.

use std::net::IpAddr;
use std::ops::RangeInclusive;

use types::{Family, IfName, Prefix};
use vrrp::settings::routes::Realms;

use crate::diagnostics::{Class, Diagnostic};
use crate::document::Statement;
use crate::names::{Kind, c_number};
use crate::read::{Reading, leading_number};

/// The entry is dropped, and why was said.
#[derive(Clone, Copy, Debug)]
pub(super) struct Dropped;

/// An entry on its way.
pub(super) struct Entry<'a, 's, 'm> {
    pub(super) reading: &'a mut Reading<'m>,
    statement: &'s Statement<'s>,
    /// `route` or `rule`, for messages.
    pub(super) what: &'static str,
    /// It is an entry of `static_routes` or `static_rules`.
    pub(super) is_static: bool,
    /// `inet` and `inet6` take the word behind them with them.
    swallows: bool,
    /// Index of the next word.
    next: usize,
    /// What is said; it counts only if this way of reading does.
    said: Vec<(usize, Diagnostic)>,
}

/// Reads an entry the way it is meant; if there is an `inet` or `inet6` and it makes no sense, the way keepalived 2.4.3
/// does, which passes over the word behind those. `None`: it is dropped, and why was reported.
pub(super) fn read<T>(
    reading: &mut Reading<'_>,
    statement: &Statement,
    what: &'static str,
    is_static: bool,
    parse: fn(&mut Entry<'_, '_, '_>) -> Result<T, Dropped>,
) -> Option<T> {
    let mut meant = Entry::new(reading, statement, what, is_static, false);
    let result = parse(&mut meant);
    let mut said = meant.said;
    let mut result = result.ok();
    if let Some(index) = family_word(statement) {
        let family = statement.argument(index);
        if result.is_some() {
            if statement.word(index + 1).is_some() {
                let message = format!(
                    "keepalived 2.4.3 passes over the word behind '{family}'; here it counts"
                );
                let help = format!("leave '{family}' out, or put it at the end");
                let diagnostic = Diagnostic::warning(Class::Uncounted, message).help(help);
                said.push((index, diagnostic));
            }
        } else {
            let mut bent = Entry::new(reading, statement, what, is_static, true);
            if let Ok(value) = parse(&mut bent) {
                said = bent.said;
                result = Some(value);
                let message = format!(
                    "'{}' is passed over, as keepalived 2.4.3 does with the word behind '{family}'",
                    statement.argument(index + 1)
                );
                let diagnostic =
                    Diagnostic::warning(Class::Uncounted, message).help("leave it out");
                said.push((index + 1, diagnostic));
            }
        }
    }
    for (index, diagnostic) in said {
        reading.complain(statement, index, diagnostic);
    }
    for problem in reading.names.numbers.take_problems() {
        let diagnostic = Diagnostic::warning(Class::Uncounted, problem)
            .help("names that it defines are not known");
        reading.complain(statement, 0, diagnostic);
    }
    result
}

/// Index of the first word that names a family; the one behind `via` belongs to the address.
fn family_word(statement: &Statement) -> Option<usize> {
    let mut before = "";
    for (index, word) in statement.words().enumerate() {
        if matches!(word, "inet" | "inet6") && before != "via" {
            return Some(index);
        }
        before = word;
    }
    None
}

impl<'a, 's, 'm> Entry<'a, 's, 'm> {
    fn new(
        reading: &'a mut Reading<'m>,
        statement: &'s Statement<'s>,
        what: &'static str,
        is_static: bool,
        swallows: bool,
    ) -> Self {
        Self {
            reading,
            statement,
            what,
            is_static,
            swallows,
            next: 0,
            said: Vec::new(),
        }
    }

    /// The next word.
    pub(super) fn word(&mut self) -> Option<&'s str> {
        let word = self.statement.word(self.next)?;
        self.next += 1;
        Some(word)
    }

    /// The next word, which stays there.
    pub(super) fn peek(&self) -> Option<&'s str> {
        self.statement.word(self.next)
    }

    /// Takes the next word if it is this one.
    pub(super) fn take(&mut self, word: &str) -> bool {
        let there = self.peek() == Some(word);
        self.next += usize::from(there);
        there
    }

    /// How many words were taken; see [`Self::back_to`].
    pub(super) const fn position(&self) -> usize {
        self.next
    }

    /// Gives words back.
    pub(super) fn back_to(&mut self, position: usize) {
        self.next = position;
    }

    /// Says something about the word just taken.
    pub(super) fn say(&mut self, diagnostic: Diagnostic) {
        self.said.push((self.next.saturating_sub(1), diagnostic));
    }

    /// Says something about the entry as a whole, at its first word.
    pub(super) fn say_of_all(&mut self, diagnostic: Diagnostic) {
        self.said.push((0, diagnostic));
    }

    /// Says why the entry is dropped.
    pub(super) fn drop(&mut self, message: impl AsRef<str>) -> Dropped {
        let message = format!("{}; the {} is dropped", message.as_ref(), self.what);
        self.say(Diagnostic::error(Class::General, message));
        Dropped
    }

    /// Says why the entry is dropped, and what is allowed.
    pub(super) fn drop_with_help(
        &mut self,
        message: impl AsRef<str>,
        help: impl Into<String>,
    ) -> Dropped {
        let message = format!("{}; the {} is dropped", message.as_ref(), self.what);
        self.say(Diagnostic::error(Class::General, message).help(help));
        Dropped
    }

    /// The argument of a word; without it keepalived ends at once.
    pub(super) fn argument(&mut self, name: &str) -> Result<&'s str, Dropped> {
        if let Some(word) = self.word() {
            return Ok(word);
        }
        if !self.statement.is_damaged() {
            let message = format!("'{name}' of a {} lacks its argument", self.what);
            let text = format!(
                "*** Configuration line starting `{}` is missing a parameter after keyword `{name}` at word position {}",
                self.statement.argument(0),
                self.next + 1
            );
            let diagnostic = Diagnostic::error(Class::MissingParameter, message)
                .keepalived(text)
                .fatal();
            self.say(diagnostic);
        }
        Err(Dropped)
    }

    /// After `inet` and `inet6`.
    pub(super) fn swallow(&mut self) {
        if self.swallows {
            self.word();
        }
    }

    /// A decimal number; anything else drops the entry.
    pub(super) fn number(
        &mut self,
        name: &str,
        range: RangeInclusive<u64>,
    ) -> Result<u64, Dropped> {
        let text = self.argument(name)?;
        self.number_in(name, text, range)
    }

    /// The same of a word that was taken.
    pub(super) fn number_in(
        &mut self,
        name: &str,
        text: &str,
        range: RangeInclusive<u64>,
    ) -> Result<u64, Dropped> {
        let digits = text.trim_start();
        let digits = digits.strip_prefix('+').unwrap_or(digits);
        let is_number = digits.bytes().all(|byte| byte.is_ascii_digit());
        // keepalived: the empty text is 0.
        let number = if digits.is_empty() {
            Some(0)
        } else {
            digits.parse().ok()
        };
        match number.filter(|number| is_number && range.contains(number)) {
            Some(number) => Ok(number),
            None => {
                let (least, most) = (range.start(), range.end());
                let (said, bad) = if is_number {
                    let bad = format!("number '{text}' outside range [{least}, {most}]");
                    (format!("{name} {text} is out of range"), bad)
                } else {
                    let bad = format!("invalid number '{text}'");
                    (format!("{name} '{text}' is not a number"), bad)
                };
                let message = format!("{said}; the {} is dropped", self.what);
                let second = format!("Invalid {name} {text} specified for {}", self.what);
                let diagnostic = Diagnostic::error(Class::InvalidNumber, message)
                    .help(format!("{least} to {most}"))
                    .keepalived(bad)
                    .also(Class::General, second);
                self.say(diagnostic);
                Err(Dropped)
            }
        }
    }

    /// A decimal number of 32 bits.
    pub(super) fn word32(&mut self, name: &str) -> Result<u32, Dropped> {
        let number = self.number(name, 0..=u64::from(u32::MAX))?;
        Ok(u32::try_from(number).unwrap_or(u32::MAX))
    }

    /// A decimal number of 8 bits.
    pub(super) fn byte(&mut self, name: &str) -> Result<u8, Dropped> {
        let number = self.number(name, 0..=255)?;
        Ok(u8::try_from(number).unwrap_or(u8::MAX))
    }

    /// A number as C writes it, of 32 bits; `None`: it is none.
    pub(super) fn c_word32(text: &str) -> Option<u32> {
        c_number(text).and_then(|number| u32::try_from(number).ok())
    }

    /// A name or a number of some kind; anything else drops the entry.
    pub(super) fn named(&mut self, name: &str, kind: Kind) -> Result<u32, Dropped> {
        let text = self.argument(name)?;
        self.named_in(name, text, kind)
    }

    /// The same of a word that was taken.
    pub(super) fn named_in(&mut self, name: &str, text: &str, kind: Kind) -> Result<u32, Dropped> {
        let Reading {
            names,
            machine,
            draft,
            ..
        } = &mut *self.reading;
        if let Some(number) = names.numbers.number(kind, text, *machine, &draft.global) {
            return Ok(number);
        }
        let known = names.numbers.names(kind, *machine, &draft.global);
        let help = match crate::suggest::nearest(text, known.keys().map(String::as_str)) {
            Some(near) => format!("did you mean '{near}'?"),
            None => format!("a name that the system knows, or 0 to {}", kind.most()),
        };
        Err(self.drop_with_help(format!("unknown {name} '{text}'"), help))
    }

    /// The same for numbers of 8 bits.
    pub(super) fn named_byte(&mut self, name: &str, kind: Kind) -> Result<u8, Dropped> {
        let number = self.named(name, kind)?;
        Ok(u8::try_from(number).unwrap_or(u8::MAX))
    }

    /// `[A/]B`: names or numbers of realms.
    pub(super) fn realms(&mut self) -> Result<Realms, Dropped> {
        let text = self.argument("realms")?;
        let (from, to) = match text.split_once('/') {
            Some((from, to)) => (Some(from), to),
            None => (None, text),
        };
        let mut realm = |text: &str| {
            let number = self.named_in("realm", text, Kind::Realm)?;
            Ok(u8::try_from(number).unwrap_or(u8::MAX))
        };
        let from = from.map_or(Ok(0), &mut realm)?;
        Ok(Realms {
            from,
            to: realm(to)?,
        })
    }

    /// An interface that exists or may come; a missing one is fatal.
    pub(super) fn interface(&mut self, name: &str) -> Result<IfName, Dropped> {
        let text = self.argument(name)?;
        self.reading.known_interface(text).map_err(|diagnostic| {
            self.say(*diagnostic);
            Dropped
        })
    }

    /// An address without a prefix length.
    pub(super) fn address(&mut self, name: &str) -> Result<IpAddr, Dropped> {
        let text = self.argument(name)?;
        match text.parse() {
            Ok(address) => Ok(address),
            Err(_) => {
                let help = if text.contains('/') {
                    "an address without a prefix length"
                } else {
                    "an IPv4 or IPv6 address in numbers"
                };
                Err(self.drop_with_help(format!("{name} '{text}' is not an address"), help))
            }
        }
    }

    /// `ADDRESS[/LENGTH]`; `None`: it is none. A bad length is reported and corrected.
    pub(super) fn prefix(&mut self, text: &str) -> Option<Prefix> {
        let (prefix, complaint) = prefix(text)?;
        if let Some(diagnostic) = complaint {
            self.say(diagnostic);
        }
        Some(prefix)
    }

    /// The family that something just taken has, or that was said; false if that contradicts what was before.
    pub(super) fn belongs(
        &mut self,
        family: &mut Option<Family>,
        found: Family,
    ) -> Result<(), Dropped> {
        let known = *family.get_or_insert(found);
        if known == found {
            return Ok(());
        }
        let text = self.statement.argument(self.next.saturating_sub(1));
        let message = format!(
            "'{text}' makes the {} {found}, but it was {known}",
            self.what
        );
        Err(self.drop(message))
    }

    /// `protocol` other than ours: nobody could tell later that it is ours, so it goes with `no_track` only.
    pub(super) fn tracked_protocol(&mut self, protocol: Option<(usize, u8)>, no_track: bool) -> u8 {
        let ours = vrrp::settings::routes::KEEPALIVED_PROTOCOL;
        let Some((index, protocol)) = protocol else {
            return ours;
        };
        if protocol == ours || no_track {
            return protocol;
        }
        let message = format!(
            "a {} of protocol {protocol} cannot be watched; protocol {ours} is used",
            self.what
        );
        let subject = if self.what == "route" {
            "Route"
        } else {
            "Rule"
        };
        let diagnostic = Diagnostic::warning(Class::General, message)
            .help("add 'no_track' to keep the protocol")
            .keepalived(format!(
                "{subject} cannot be tracked if protocol is not RTPROT_KEEPALIVED({ours}), resetting protocol"
            ));
        self.said.push((index, diagnostic));
        ours
    }

    /// The track group that the word just taken names, and the index of that word; an unknown one is reported.
    pub(super) fn track_group(&mut self) -> Result<Option<(usize, String)>, Dropped> {
        let name = self.argument("track_group")?;
        let index = self.next.saturating_sub(1);
        if let Some(diagnostic) = unknown_track_group(self.reading, name) {
            self.say(diagnostic);
            return Ok(None);
        }
        Ok(Some((index, name.to_owned())))
    }

    /// The track group of an entry that is read: it needs an interface, and tracking.
    pub(super) fn grouped(
        &mut self,
        group: Option<(usize, String)>,
        has_interface: bool,
        no_track: bool,
        option: &str,
    ) -> Option<String> {
        let (index, name) = group?;
        if !has_interface {
            let message = format!(
                "a {} without '{option}' has no interface to track; 'track_group {name}' is ignored",
                self.what
            );
            let diagnostic = Diagnostic::error(Class::General, message).keepalived(format!(
                "Static {} cannot have track group if {option} is not specified",
                self.what
            ));
            self.said.push((index, diagnostic));
            return None;
        }
        if no_track {
            let message = format!("'track_group {name}' has no effect with 'no_track'");
            self.said
                .push((index, Diagnostic::warning(Class::Uncounted, message)));
            return None;
        }
        Some(name)
    }

    /// Index of the word just taken, for a remark that has to wait.
    pub(super) const fn here(&self) -> usize {
        self.next.saturating_sub(1)
    }
}

/// Why a track group cannot be used; `None`: it is known.
pub(super) fn unknown_track_group(reading: &Reading<'_>, name: &str) -> Option<Diagnostic> {
    let groups = &reading.names.track_groups;
    if groups.contains(name) {
        return None;
    }
    let help = match crate::suggest::nearest(name, groups.iter().map(String::as_str)) {
        Some(near) => format!("did you mean '{near}'?"),
        None => format!("a 'track_group {name}' must stand before its use"),
    };
    let message = format!("track_group '{name}' is not defined; it is ignored");
    let diagnostic = Diagnostic::error(Class::General, message)
        .help(help)
        .keepalived(format!("track_group {name} not found"));
    Some(diagnostic)
}

/// `ADDRESS[/LENGTH]`; `None`: there is no address. A bad length is complained about and corrected.
pub(super) fn prefix(text: &str) -> Option<(Prefix, Option<Diagnostic>)> {
    let (host, length) = text
        .split_once('/')
        .map_or((text, None), |(host, length)| (host, Some(length)));
    let address: IpAddr = host.parse().ok()?;
    let Some(length) = length else {
        return Some((Prefix::host(address), None));
    };
    // keepalived: the empty text is 0.
    let (number, clean) = leading_number(length);
    let found = number
        .and_then(|number| u8::try_from(number).ok())
        .and_then(|number| Prefix::new(address, number).ok());
    if clean && let Some(found) = found {
        let remark = length.is_empty().then(|| {
            let message = format!("'{text}' has no prefix length behind its '/'; 0 is used");
            Diagnostic::warning(Class::Uncounted, message)
        });
        return Some((found, remark));
    }
    let used = found.unwrap_or(Prefix::host(address));
    let diagnostic = Diagnostic::error(
        Class::InvalidNumber,
        format!("prefix length '{length}' of {host} is not valid"),
    )
    .help(match mask_length(length) {
        Some(length) => format!(
            "this mask is /{length}: write {host}/{length}; /{} is used",
            used.length()
        ),
        None => format!(
            "0 to {}; {} is used",
            Family::of(address).host_prefix_length(),
            used.length()
        ),
    })
    .keepalived(bad_length(length, clean))
    .also(
        Class::General,
        format!(
            "Invalid address prefix len {length} for address {text} - using {}",
            used.length()
        ),
    );
    Some((used, Some(diagnostic)))
}

/// What keepalived says of a prefix length that is none, or out of range.
fn bad_length(length: &str, is_number: bool) -> String {
    if is_number {
        format!("number '{length}' outside range [0, 32]")
    } else {
        format!("invalid number '{length}'")
    }
}

/// What is wrong with the prefix length of a text that is no address, in keepalived's words.
pub(super) fn length_of_nothing(text: &str) -> Option<String> {
    let (_, length) = text.split_once('/')?;
    let (number, clean) = leading_number(length);
    let fits = clean && number.is_some_and(|number| (0..=32).contains(&number));
    (!fits).then(|| bad_length(length, clean && number.is_some()))
}

/// The prefix length that a network mask such as `255.255.255.0` stands for.
pub(super) fn mask_length(text: &str) -> Option<u32> {
    let mask = text.parse::<std::net::Ipv4Addr>().ok()?.to_bits();
    (mask != 0 && mask.leading_ones() == mask.count_ones()).then(|| mask.leading_ones())
}
