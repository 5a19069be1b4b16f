//! The tree becomes a draft: every statement is handed to the setter of its row.
//!
//! `global_defs` is read first, wherever it stands: instances copy their defaults from it.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::str::FromStr;

use lvs::settings::Octets;
use types::IfName;

use crate::diagnostics::{Class, Diagnostic, Found, Reporter, Severity, Span};
use crate::document::{Statement, Tree};
use crate::draft::checkers::{CheckerBlock, CheckerDraft};
use crate::draft::lvs::LvsReading;
use crate::draft::{
    At, BfdDraft, Draft, FileDraft, GarpGroupDraft, GroupDraft, Inherited, InstanceDraft,
    NotifyDraft, ProcessDraft, ScriptDraft, ScriptUser, TrackGroupDraft, TrackedLists,
};
use crate::foreign::sign_of_value;
use crate::keywords::Role;
use crate::keywords::arguments::Kind;
use crate::keywords::tracked::What;
use crate::machine::Machine;
use crate::names::NumberNames;
use crate::settings::RunAs;

/// The state of reading: the draft, and the blocks being filled.
pub(crate) struct Reading<'a> {
    pub(crate) machine: &'a dyn Machine,
    pub(crate) report: &'a mut Reporter,
    pub(crate) draft: Draft,
    pub(crate) script: ScriptDraft,
    pub(crate) instance: InstanceDraft,
    pub(crate) group: GroupDraft,
    pub(crate) file: FileDraft,
    pub(crate) process: ProcessDraft,
    pub(crate) bfd: BfdDraft,
    pub(crate) track_group: TrackGroupDraft,
    pub(crate) garp_group: GarpGroupDraft,
    pub(crate) names: Names,
    /// The finished checkers of the current real server.
    pub(crate) checkers: Vec<CheckerDraft>,
    pub(crate) checker: CheckerDraft,
    pub(crate) lvs: LvsReading,
    /// The path of the block that is being read.
    pub(crate) block: &'static str,
    /// Addresses of the current instance, by interface as written; without one: advertised ones.
    pub(crate) vips: BTreeSet<(IpAddr, Option<String>)>,
}

/// Names already taken; looking them up in the draft would be quadratic.
#[derive(Default)]
pub(crate) struct Names {
    pub(crate) instances: BTreeSet<String>,
    pub(crate) groups: BTreeSet<String>,
    /// With the weight and sense that references inherit.
    pub(crate) scripts: BTreeMap<String, (types::Weight, bool)>,
    /// Scripts that were removed, which was reported.
    pub(crate) removed_scripts: BTreeSet<String>,
    pub(crate) track_files: BTreeSet<String>,
    /// All of them, whoever they report to.
    pub(crate) bfd_instances: BTreeSet<String>,
    /// Those of them whose state the checkers are told.
    pub(crate) checked_sessions: BTreeSet<String>,
    pub(crate) track_processes: BTreeSet<String>,
    /// `track_group` blocks so far.
    pub(crate) track_groups: BTreeSet<String>,
    /// The BFD sessions that the current real server follows.
    pub(crate) bfd_checks: BTreeSet<String>,
    /// What the system calls numbers of tables, protocols and the like.
    pub(crate) numbers: NumberNames,
    /// Rules without a preference so far, IPv4 and IPv6.
    pub(crate) unnumbered_rules: [u32; 2],
    /// What references to files, processes and those sessions that report to VRRP inherit.
    pub(crate) weights: Weights,
    /// Interfaces that have a `garp_group`.
    pub(crate) garp_grouped: BTreeSet<IfName>,
    /// Where each named block began, by keyword and name.
    pub(crate) begun: BTreeMap<(&'static str, String), Span>,
    /// What the current instance or group tracks besides scripts and interfaces.
    pub(crate) tracked: BTreeSet<(What, String)>,
    /// The unicast peers of the current instance.
    pub(crate) peers: BTreeSet<IpAddr>,
    /// The interface of the IPVS synchronisation, which one instance may name.
    pub(crate) sync_daemon_interface: Option<IfName>,
    /// Names of devices that instances make.
    pub(crate) devices: BTreeMap<IfName, String>,
}

/// Weights that references inherit, by name.
#[derive(Default)]
pub(crate) struct Weights {
    pub(crate) files: BTreeMap<String, Inherited>,
    pub(crate) processes: BTreeMap<String, Inherited>,
    pub(crate) bfd: BTreeMap<String, Inherited>,
}

/// Nothing is read yet.
pub(crate) fn begin<'a>(machine: &'a dyn Machine, report: &'a mut Reporter) -> Reading<'a> {
    let nowhere = Span::NOWHERE;
    Reading {
        machine,
        report,
        draft: Draft::default(),
        script: ScriptDraft::new(String::new(), nowhere),
        instance: InstanceDraft::new(String::new(), nowhere),
        group: GroupDraft::new(String::new(), nowhere),
        file: FileDraft::new(String::new()),
        process: ProcessDraft::new(String::new()),
        bfd: BfdDraft::new(String::new(), nowhere),
        track_group: TrackGroupDraft {
            name: String::new(),
            span: nowhere,
            members: Vec::new(),
        },
        garp_group: GarpGroupDraft::default(),
        names: Names::default(),
        checkers: Vec::new(),
        checker: CheckerDraft::new(CheckerBlock::Tcp, nowhere),
        lvs: LvsReading::default(),
        block: "",
        vips: BTreeSet::new(),
    }
}

/// Reads a tree.
pub(crate) fn read(tree: &Tree, machine: &dyn Machine, report: &mut Reporter) -> Draft {
    let mut reading = begin(machine, report);
    let is_global = |statement: &Statement<'_>| {
        statement
            .keyword()
            .is_some_and(|keyword| keyword.name == "global_defs")
    };
    reading.draft.globals.has_servers = tree
        .root()
        .filter_map(|statement| statement.keyword())
        .any(|keyword| keyword.name == "virtual_server");
    for statement in tree.root().filter(is_global) {
        reading.statement(&statement);
    }
    for statement in tree.root().filter(|statement| !is_global(statement)) {
        reading.statement(&statement);
    }
    reading.draft
}

/// What becomes of digits with something behind them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Garbage {
    /// The digits count (most keywords of keepalived's daemon).
    Tolerated,
    /// The number is refused.
    Refused,
}

impl Reading<'_> {
    /// The blocks nest no deeper than the table does, so recursion is bounded.
    pub(crate) fn statement(&mut self, statement: &Statement) {
        let Some(keyword) = statement.keyword() else {
            return;
        };
        match keyword.role {
            Role::Set(set) => self.carefully(statement, set),
            Role::Block { open, close } => {
                if self.carefully(statement, open) {
                    let outside = std::mem::replace(&mut self.block, statement.inside());
                    for inner in statement.block() {
                        self.statement(&inner);
                    }
                    self.block = outside;
                    self.end(statement, close);
                }
            }
            Role::List(entry) => {
                for inner in statement.block() {
                    self.carefully(&inner, entry);
                }
            }
            Role::NamedList { open, entry, close } => {
                if open(self, statement) {
                    for inner in statement.block() {
                        self.carefully(&inner, entry);
                    }
                    self.end(statement, close);
                }
            }
            Role::Ignored => {}
        }
    }

    /// Judges a block as a whole.
    fn end(&mut self, statement: &Statement, close: fn(&mut Self, &Statement)) {
        self.report.at_block_end(statement.end());
        close(self, statement);
        self.report.finds(Found::There);
    }

    /// Hands over a statement. What is said of one whose parameters have no value, or whose quotes do not fit, follows from
    /// what was said already.
    fn carefully<T>(
        &mut self,
        statement: &Statement,
        set: impl FnOnce(&mut Self, &Statement) -> T,
    ) -> T {
        let mistaken = statement.is_broken() || statement.is_damaged();
        self.report.part_of(mistaken.then(|| statement.whole()));
        let done = set(self, statement);
        self.report.part_of(None);
        done
    }

    /// Reports something wrong with the n-th word. What the keyword's row says of its argument is added.
    pub(crate) fn complain(
        &mut self,
        statement: &Statement,
        index: usize,
        mut diagnostic: Diagnostic,
    ) {
        if let Some(keyword) = statement.keyword() {
            let about_argument = index == 1
                && matches!(diagnostic.class, Class::InvalidNumber | Class::General)
                && diagnostic.notes.is_empty();
            if about_argument && let Some(allowed) = keyword.arguments.allowed() {
                diagnostic = diagnostic.with_note(match keyword.default {
                    "" | "required" => format!("allowed: {allowed}"),
                    default => format!("allowed: {allowed} (default: {default})"),
                });
            }
            if about_argument
                && diagnostic.help.is_none()
                && keyword.default == statement.argument(1)
            {
                diagnostic = diagnostic.help("remove the line: without it that holds anyway");
            }
            diagnostic = diagnostic.about(keyword.name);
        }
        let doubts =
            diagnostic.severity == Severity::Error || diagnostic.class == Class::InvalidNumber;
        if doubts && let Some(sign) = sign_of_value(statement.argument(index)) {
            diagnostic = diagnostic.or_rather(sign);
        }
        self.report.at(statement.span(index), diagnostic);
    }

    /// Remembers that a secret stands behind the keyword of a statement.
    pub(crate) fn secret(&mut self, statement: &Statement) {
        let Some(keyword) = statement.keyword() else {
            return;
        };
        self.draft.secrets.push(At {
            value: keyword.name,
            span: statement.span(0),
        });
    }

    /// The n-th word; its absence is reported, the keyword then has no effect.
    pub(crate) fn required<'s>(
        &mut self,
        statement: &'s Statement,
        index: usize,
    ) -> Option<&'s str> {
        if let Some(word) = statement.word(index) {
            return Some(word);
        }
        if statement.is_damaged() {
            return None;
        }
        let name = statement.argument(0);
        // Where the argument is mandatory the table has said so already.
        let diagnostic = Diagnostic::warning(
            Class::General,
            format!("'{name}' lacks its argument and is ignored"),
        )
        .maybe_help(
            statement
                .keyword()
                .map(|keyword| format!("{name} {}", keyword.arguments)),
        );
        self.report.at(statement.whole(), diagnostic);
        None
    }

    /// A whole number within a range; anything else is reported and `None`.
    pub(crate) fn number(
        &mut self,
        statement: &Statement,
        index: usize,
        range: RangeInclusive<i64>,
        garbage: Garbage,
    ) -> Option<i64> {
        self.number_called(statement.argument(0), statement, index, range, garbage)
    }

    /// The same for a number that the keyword does not name.
    pub(crate) fn number_called(
        &mut self,
        name: &str,
        statement: &Statement,
        index: usize,
        range: RangeInclusive<i64>,
        garbage: Garbage,
    ) -> Option<i64> {
        self.required(statement, index)?;
        match judge_number(name, statement, index, &range, garbage) {
            Ok(number) => Some(number),
            Err(refusal) => {
                let Refused { used, diagnostic } = *refusal;
                // Of a number in a list keepalived speaks once.
                let diagnostic = match statement.keyword() {
                    Some(_) => refused(diagnostic, statement, statement.argument(index)),
                    None => diagnostic,
                };
                self.complain(statement, index, diagnostic);
                used
            }
        }
    }

    /// The number behind a keyword, within the range that its row gives; anything else is reported and `None`.
    pub(crate) fn fits<T: TryFrom<i64>>(&mut self, statement: &Statement) -> Option<T> {
        let Kind::Integer {
            least,
            most,
            garbage,
        } = self.kind(statement)
        else {
            return None;
        };
        let number = self.number(statement, 1, least..=most, garbage)?;
        T::try_from(number).ok()
    }

    /// What the row of a statement says of its arguments.
    fn kind(&self, statement: &Statement) -> Kind {
        let kind = statement.keyword().map(|keyword| keyword.arguments.kind);
        debug_assert!(
            matches!(kind, Some(Kind::Integer { .. } | Kind::Decimal { .. })),
            "{} has no range in the table",
            statement.argument(0)
        );
        kind.unwrap_or(Kind::Noted(""))
    }

    /// The decimal number behind a keyword, in units of its last place, within the range that its row gives.
    ///
    /// DEVIATION(keepalived): `10s` there means ten of the smallest unit; here it is refused.
    pub(crate) fn decimal(&mut self, statement: &Statement) -> Option<u64> {
        let Kind::Decimal {
            least,
            most,
            places,
            ..
        } = self.kind(statement)
        else {
            return None;
        };
        self.decimal_at(statement, 1, least..=most, places)
    }

    /// The n-th word as a decimal number with so many places, in units of the last one, within a range; anything else is
    /// reported and `None`.
    pub(crate) fn decimal_at(
        &mut self,
        statement: &Statement,
        index: usize,
        range: RangeInclusive<u64>,
        places: u32,
    ) -> Option<u64> {
        let text = self.required(statement, index)?;
        let name = statement.argument(0);
        let shown = |units: u64| show_decimal(units, places);
        let Some((units, exact)) = parse_decimal(text, places) else {
            let diagnostic = Diagnostic::error(
                Class::InvalidNumber,
                format!("{name}: '{text}' is not a number"),
            )
            .keepalived(if is_negative(text) {
                format!("negative number '{text}'")
            } else {
                format!("invalid number '{text}'")
            });
            // keepalived takes the digits in front for so many of the smallest unit.
            let is_used = !is_negative(text) && range.contains(&leading_units(text));
            let diagnostic = match statement.keyword() {
                Some(_) if !is_used => refused(diagnostic, statement, text),
                _ => diagnostic,
            };
            self.complain(statement, index, diagnostic);
            return None;
        };
        if !exact {
            let message = format!(
                "{name}: {text} has more than {places} decimals, {} is used",
                shown(units)
            );
            self.complain(
                statement,
                index,
                Diagnostic::warning(Class::InvalidNumber, message),
            );
        }
        if range.contains(&units) {
            return Some(units);
        }
        let diagnostic = Diagnostic::error(
            Class::InvalidNumber,
            format!("{name}: {text} is out of range"),
        )
        .keepalived(format!(
            "number '{text}' outside range [{}, {}]",
            shown(*range.start()),
            shown(*range.end())
        ));
        let diagnostic = match statement.keyword() {
            Some(_) => refused(diagnostic, statement, text),
            None => diagnostic,
        };
        self.complain(statement, index, diagnostic);
        None
    }

    /// A switch; bare means on.
    pub(crate) fn boolean(&mut self, statement: &Statement) -> Option<bool> {
        match statement.argument(1) {
            "on" | "true" | "yes" => Some(true),
            "off" | "false" | "no" => Some(false),
            "" if statement.len() == 1 => Some(true),
            other => {
                let message = format!("{}: '{other}' is neither on nor off", statement.argument(0));
                self.complain(statement, 1, Diagnostic::error(Class::General, message));
                None
            }
        }
    }

    /// An address; what follows `-` or `/` is cut off.
    pub(crate) fn address(&mut self, statement: &Statement) -> Option<IpAddr> {
        let text = self.required(statement, 1)?;
        let bare = text.split(['-', '/']).next().unwrap_or_default();
        if let Ok(address) = IpAddr::from_str(bare) {
            return Some(address);
        }
        let name = statement.argument(0);
        let message = format!("{name}: '{text}' is not an IP address");
        let joined = text.rsplit_once(':').filter(|(host, port)| {
            host.parse::<std::net::Ipv4Addr>().is_ok() && port.parse::<u16>().is_ok()
        });
        let help = joined
            .map(|(host, port)| format!("write address and port apart: {name} {host} {port}"));
        let diagnostic = Diagnostic::error(Class::General, message).maybe_help(help);
        self.complain(statement, 1, diagnostic);
        None
    }

    /// An interface that exists, or may come later. Everything else is reported; a missing one is fatal.
    pub(crate) fn interface(&mut self, statement: &Statement, index: usize) -> Option<IfName> {
        let text = self.required(statement, index)?;
        match self.known_interface(text) {
            Ok(name) => Some(name),
            Err(diagnostic) => {
                self.complain(statement, index, *diagnostic);
                None
            }
        }
    }

    /// An interface that exists, or may come later; else what to say about it.
    pub(crate) fn known_interface(&mut self, text: &str) -> Result<IfName, Box<Diagnostic>> {
        let (message, help) = match IfName::new(text) {
            Ok(name)
                if self.draft.global.dynamic_interfaces
                    || self.machine.interface(text).is_some() =>
            {
                return Ok(name);
            }
            Err(error) if self.draft.global.dynamic_interfaces => {
                return Err(Box::new(Diagnostic::error(
                    Class::General,
                    error.to_string(),
                )));
            }
            Ok(_) if text.starts_with('$') => {
                let help = format!(
                    "no parameter of that name is defined above: write {text}=VALUE there, or correct the name"
                );
                (format!("interface {text} does not exist"), help)
            }
            Ok(_) => {
                let help = "correct the name (`ip link` lists them), create it first, or set dynamic_interfaces in global_defs";
                (format!("interface {text} does not exist"), help.to_owned())
            }
            // keepalived goes on as if nothing had been said.
            Err(error) if text.len() > IfName::MAX_LENGTH => {
                let diagnostic = Diagnostic::error(Class::General, format!("'{text}': {error}"))
                    .help("`ip link` lists the names")
                    .keepalived(format!("Interface name '{text}' too long - ignoring"));
                return Err(Box::new(diagnostic));
            }
            Err(error) => (
                format!("'{text}': {error}"),
                "`ip link` lists the names".to_owned(),
            ),
        };
        let diagnostic = Diagnostic::error(Class::General, message)
            .help(help)
            .keepalived(format!("WARNING - interface {text} doesn't exist"))
            .fatal();
        let again = std::mem::replace(&mut self.draft.lacks_interface, true);
        Err(Box::new(if again {
            diagnostic
        } else {
            diagnostic.also_afterwards(
                Class::BadInterface,
                "Non-existent interface specified in configuration",
            )
        }))
    }

    /// A text as it is; bytes that are not UTF-8 are replaced and reported.
    pub(crate) fn text(&mut self, statement: &Statement, index: usize) -> Option<String> {
        let text = self.required(statement, index)?;
        if crate::bytes::has_raw(text) {
            let message = format!(
                "{} has bytes that are not UTF-8; they are replaced",
                statement.argument(0)
            );
            self.complain(
                statement,
                index,
                Diagnostic::warning(Class::Uncounted, message),
            );
        }
        Some(crate::bytes::shown(text))
    }

    /// A word whose bytes are used as they are, whatever they are.
    pub(crate) fn octets(&mut self, statement: &Statement, index: usize) -> Option<Octets> {
        let text = self.required(statement, index)?;
        Some(Octets::new(crate::bytes::encode(text)))
    }

    /// The user that the words from `index` name: `USER [[:][GROUP]]`; `None`: nobody, the unknown name is handed back.
    pub(crate) fn user<'s>(&self, user: &'s str, group: Option<&'s str>) -> Result<RunAs, &'s str> {
        let (uid, own_gid) = self.machine.user(user).ok_or(user)?;
        let (supplementary, group) = match group.map(|group| (group.strip_prefix(':'), group)) {
            None => (false, ""),
            Some((Some(name), _)) => (true, name),
            Some((None, name)) => (false, name),
        };
        let gid = if group.is_empty() {
            own_gid
        } else {
            self.machine.group(group).ok_or(group)?
        };
        let groups = if supplementary || self.draft.set_supplementary_groups {
            self.machine.groups_of(user)
        } else {
            Vec::new()
        };
        Ok(RunAs {
            uid,
            gid,
            groups,
            user: Some(user.to_owned()),
            group: (!group.is_empty()).then(|| group.to_owned()),
        })
    }

    /// Whom a script without a user of its own runs as.
    pub(crate) fn default_user(&self) -> Option<RunAs> {
        match &self.draft.script_user {
            ScriptUser::Named(user) => Some(user.clone()),
            ScriptUser::Unknown => None,
            ScriptUser::Builtin => match self.user("keepalived_script", None) {
                Ok(user) => Some(user),
                Err(_) if self.draft.global.enable_script_security => None,
                Err(_) => {
                    let (uid, gid) = self.machine.own_ids();
                    Some(RunAs {
                        uid,
                        gid,
                        groups: Vec::new(),
                        user: None,
                        group: None,
                    })
                }
            },
        }
    }

    /// The lists of files, processes and sessions of the block that is being read, and the block's name.
    pub(crate) fn tracked(&mut self) -> (&mut TrackedLists, &str) {
        match self.block {
            "vrrp_sync_group" => (&mut self.group.tracked, &self.group.name),
            _ => (&mut self.instance.tracked, &self.instance.name),
        }
    }

    /// The scripts of the block that is being read.
    pub(crate) fn notify(&mut self) -> &mut NotifyDraft {
        match self.block {
            "vrrp_sync_group" => &mut self.group.notify,
            _ => &mut self.instance.notify,
        }
    }
}

/// A number that is none, or out of its range.
pub(crate) struct Refused {
    /// What a daemon of keepalived uses all the same.
    pub(crate) used: Option<i64>,
    /// What there is to say about it.
    pub(crate) diagnostic: Diagnostic,
}

/// The n-th word as a whole number within a range; `name` is what it is called.
pub(crate) fn judge_number(
    name: &str,
    statement: &Statement,
    index: usize,
    range: &RangeInclusive<i64>,
    garbage: Garbage,
) -> Result<i64, Box<Refused>> {
    let text = statement.argument(index);
    let (number, clean) = leading_number(text);
    let (least, most) = (range.start(), range.end());
    let fits = number.filter(|number| range.contains(number));
    if clean && let Some(number) = fits {
        return Ok(number);
    }
    let used = fits.filter(|_| garbage == Garbage::Tolerated);
    let diagnostic = if clean && let Some(number) = number {
        let text = if *least >= 0 && number < 0 {
            format!("negative number '{text}'")
        } else {
            format!("number '{text}' outside range [{least}, {most}]")
        };
        let message = format!("{name}: {} is out of range", statement.argument(index));
        Diagnostic::error(Class::InvalidNumber, message).keepalived(text)
    } else {
        let message = format!("{name}: '{text}' is not a number");
        let severity = match used {
            Some(_) => Severity::Warning,
            None => Severity::Error,
        };
        Diagnostic::new(severity, Class::InvalidNumber, message)
            .maybe_help(used.map(|number| format!("{number} is used")))
            .keepalived(format!("invalid number '{text}'"))
    };
    // The row of a keyword says what is allowed, and its default, by itself.
    let diagnostic = match statement.keyword().and_then(|row| row.arguments.allowed()) {
        Some(_) if index == 1 => diagnostic,
        _ => diagnostic.with_note(format!("allowed: {least} to {most}")),
    };
    Err(Box::new(Refused { used, diagnostic }))
}

/// Adds what keepalived says besides of a number that it refuses: after that it is a bad number, that it is no value of
/// the keyword.
fn refused(diagnostic: Diagnostic, statement: &Statement, text: &str) -> Diagnostic {
    let second = format!("{} '{text}' is invalid", statement.argument(0));
    diagnostic.also(Class::General, second)
}

/// The number at the start of a text, and whether that is all of it. The empty text is 0, as in keepalived.
pub(crate) fn leading_number(text: &str) -> (Option<i64>, bool) {
    let text = text.trim_start();
    if text.is_empty() {
        return (Some(0), true);
    }
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    let length = digits
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(digits.len());
    let end = text.len() - digits.len() + length;
    let number = text.get(..end).unwrap_or_default();
    // A number too large for 64 bits is out of every range.
    let value = (length > 0).then(|| {
        number.parse().unwrap_or(if number.starts_with('-') {
            i64::MIN
        } else {
            i64::MAX
        })
    });
    (value, length == digits.len())
}

/// A decimal in units of `10^-places`, half rounded up, and whether it was exact.
fn parse_decimal(text: &str, places: u32) -> Option<(u64, bool)> {
    let text = text.trim_start();
    let text = text.strip_prefix('+').unwrap_or(text);
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if text == "." || !digits(whole) || !digits(fraction) {
        return None;
    }
    let places = usize::try_from(places).ok()?;
    let unit = 10_u64.checked_pow(u32::try_from(places).ok()?)?;
    let kept = fraction.get(..places.min(fraction.len()))?;
    let dropped = fraction.get(kept.len()..)?;
    let scale = 10_u64.checked_pow(u32::try_from(places - kept.len()).ok()?)?;
    let parse = |part: &str| {
        if part.is_empty() {
            Some(0)
        } else {
            Some(part.parse().unwrap_or(u64::MAX))
        }
    };
    let units = parse(whole)?
        .saturating_mul(unit)
        .saturating_add(parse(kept)?.saturating_mul(scale));
    let up = u64::from(dropped.starts_with(|c: char| ('5'..='9').contains(&c)));
    Some((
        units.saturating_add(up),
        dropped.bytes().all(|byte| byte == b'0'),
    ))
}

fn is_negative(text: &str) -> bool {
    text.trim_start().starts_with('-')
}

/// The digits at the start of a text, a dot among them left out; 0 without any.
fn leading_units(text: &str) -> u64 {
    let text = text.trim_start();
    let text = text.strip_prefix('+').unwrap_or(text);
    let decimal = |c: &char| c.is_ascii_digit() || *c == '.';
    let digits: String = text.chars().take_while(decimal).collect();
    match digits.replace('.', "").as_str() {
        "" => 0,
        digits => digits.parse().unwrap_or(u64::MAX),
    }
}

/// A decimal as people write it.
pub(crate) fn show_decimal(units: u64, places: u32) -> String {
    let unit = 10_u64.pow(places);
    let width = usize::try_from(places).unwrap_or(0);
    let text = format!("{}.{:0width$}", units / unit, units % unit);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_numbers() {
        for (text, expected) in [
            ("12", (Some(12), true)),
            ("", (Some(0), true)),
            (" +7", (Some(7), true)),
            ("-3", (Some(-3), true)),
            ("10s", (Some(10), false)),
            ("x", (None, false)),
            ("-", (None, true)),
            ("99999999999999999999", (Some(i64::MAX), true)),
        ] {
            assert_eq!(leading_number(text), expected, "{text:?}");
        }
    }

    #[test]
    fn decimals() {
        for (text, expected) in [
            ("1", Some((1_000_000, true))),
            ("0.5", Some((500_000, true))),
            (".25", Some((250_000, true))),
            ("3.", Some((3_000_000, true))),
            // keepalived: the empty text is 0.
            ("", Some((0, true))),
            ("0.0000005", Some((1, false))),
            ("0.0000004", Some((0, false))),
            ("1.0000000", Some((1_000_000, true))),
            ("99999999999999999999", Some((u64::MAX, true))),
            ("10s", None),
            ("-1", None),
            (".", None),
            ("1.2.3", None),
        ] {
            assert_eq!(parse_decimal(text, 6), expected, "{text:?}");
        }
        assert_eq!(leading_units("1.50s"), 150);
        assert_eq!(leading_units("s"), 0);
        assert_eq!(show_decimal(4_294_967_295, 6), "4294.967295");
        assert_eq!(show_decimal(40_000_000, 6), "40");
    }
}
