//! The packet filter of virtual routers: one nftables table for each family, over netlink.
//!
//! A table keeps the host from answering for addresses that it holds without owning them (`no_accept`; RFC 9568
//! Accept_Mode), and keeps macvlans from saying what the interface below them says already. Tables, chains, sets and rules
//! have keepalived's names and shape. What changes with mastership are the elements of sets; rules stay.
//!
//! Requests travel in batches, which the kernel carries out whole or not at all: there is no moment in which half a
//! table filters.

mod look;
mod marks;
mod numbers;
mod rule;
mod set;

use std::io;

use types::Family;

pub use self::marks::MarkTable;
use self::rule::{AddressLayout, End, Step, number};
pub use self::set::{Element, InterfaceKey};
use self::set::{Set, write_element};
use crate::batch::{Batch, MAX_SLOTS, Wait};
use crate::netlink::Refusal;
use crate::netlink::message::{Messages, Request, Writer};
use crate::netlink::{ACK, ERROR, REQUEST, Socket, is_from_kernel, read_answer};
use crate::{Error, option};

/// ICMPv6 router solicitation (RFC 4861).
const ROUTER_SOLICITATION: u8 = 133;
/// ICMPv6 neighbour advertisement.
const NEIGHBOUR_ADVERTISEMENT: u8 = 136;

const IN: &str = "in";
const OUT: &str = "out";
const IN_LINK_LOCAL: &str = "in_link_local";
const OUT_LINK_LOCAL: &str = "out_link_local";

/// Elements in one message: their list has at most 65531 bytes, an element at most 48.
const IN_MESSAGE: usize = 1000;
/// Elements in one batch, which is then no longer than 150 KiB.
const IN_BATCH: usize = 3 * IN_MESSAGE;
/// Room for the longest batch: a datagram has to fit, and the kernel counts its own headers too.
const SEND_BUFFER: usize = 1 << 20;
/// Room for the answers to a batch that fails in every message.
const RECEIVE_BUFFER: usize = 1 << 18;
/// A refusal is the header of the request and at most a line of explanation.
const ANSWER_SIZE: usize = 2048;

/// What a table is like, apart from its elements.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    /// The packets it sees.
    pub family: Family,
    /// Its name (`nftables`).
    pub name: String,
    /// When its chains have their turn (`nftables_priority`).
    pub priority: i32,
    /// Verdicts are counted (`nftables_counters`).
    pub counters: bool,
    /// Link-local addresses go with the index of their interface, not with its name (`nftables_ifindex`).
    pub by_index: bool,
    /// It has rules for addresses that take nothing.
    pub blocks: bool,
    /// Such addresses send nothing either.
    pub outgoing: bool,
    /// It has rules for macvlans.
    pub macvlans: bool,
}

/// A change of a table's elements.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Puts an element in. It may be there already.
    Add(Element),
    /// Takes an element out, which must be there.
    Remove(Element),
}

impl Change {
    const fn element(&self) -> &Element {
        match self {
            Self::Add(element) | Self::Remove(element) => element,
        }
    }

    const fn message(&self) -> (u16, u16, &'static str) {
        match self {
            Self::Add(_) => (
                numbers::NEW_ELEMENTS,
                numbers::CREATE,
                "add elements to nftables table",
            ),
            Self::Remove(_) => (
                numbers::DELETE_ELEMENTS,
                0,
                "delete elements of nftables table",
            ),
        }
    }
}

impl Table {
    /// Its sets, in the order in which they are made.
    fn sets(&self) -> Vec<Set> {
        let mut sets = Vec::new();
        if self.macvlans {
            sets.push(Set::VmacMap);
            if self.family == Family::V6 {
                sets.extend([Set::Vmacs, Set::ParentLinkLocal, Set::MldReport]);
            }
        }
        if self.blocks {
            sets.push(Set::Vips);
            if self.family == Family::V6 {
                sets.extend([Set::NeighbourDiscovery, Set::VipsLinkLocal]);
            }
        }
        sets
    }

    /// Its chains; those that are not only gone to, with their hook.
    fn chains(&self) -> Vec<(&'static str, Option<u32>)> {
        let mut chains = Vec::new();
        if self.macvlans || self.outgoing {
            chains.push((OUT, Some(numbers::HOOK_OUTPUT)));
        }
        if self.blocks {
            chains.push((IN, Some(numbers::HOOK_INPUT)));
            if self.family == Family::V6 {
                chains.push((IN_LINK_LOCAL, None));
                if self.outgoing {
                    chains.push((OUT_LINK_LOCAL, None));
                }
            }
        }
        chains
    }

    /// Its rules, each in the chain it is in, in their order.
    fn rules(&self) -> Vec<(&'static str, Vec<Step>)> {
        let mut rules = Vec::new();
        if self.macvlans {
            self.rules_of_macvlans(&mut rules);
        }
        if self.blocks {
            self.rules_of_blocks(&mut rules);
        }
        rules
    }

    fn rules_of_macvlans(&self, rules: &mut Vec<(&'static str, Vec<Step>)>) {
        // Memberships and link-local addresses are the parent's to tell: the switch would learn its addresses elsewhere.
        let through_parent = [
            Step::LeavesByMacvlan,
            Step::DuplicateBy(Set::VmacMap),
            Step::Drop,
        ];
        match self.family {
            Family::V4 => {
                let mut igmp = vec![Step::IsIgmp];
                igmp.extend(through_parent);
                rules.push((OUT, igmp));
            }
            Family::V6 => {
                rules.push((
                    OUT,
                    vec![
                        Step::IsIcmpv6,
                        Step::TypeIs(NEIGHBOUR_ADVERTISEMENT),
                        Step::LeavesByMacvlan,
                        Step::AddressAndNameIn(End::Source, Set::ParentLinkLocal),
                        Step::Drop,
                    ],
                ));
                let mut reports = vec![Step::IsIcmpv6, Step::TypeIn(Set::MldReport)];
                reports.extend(through_parent);
                rules.push((OUT, reports));
                rules.push((
                    OUT,
                    vec![
                        Step::IsIcmpv6,
                        Step::TypeIs(ROUTER_SOLICITATION),
                        Step::LeavesByMacvlan,
                        Step::OutIn(Set::Vmacs),
                        Step::Drop,
                    ],
                ));
            }
        }
    }

    fn rules_of_blocks(&self, rules: &mut Vec<(&'static str, Vec<Step>)>) {
        let directions = [
            (OUT, OUT_LINK_LOCAL, End::Source),
            (IN, IN_LINK_LOCAL, End::Destination),
        ];
        for (chain, link_local, end) in directions {
            if end == End::Source && !self.outgoing {
                continue;
            }
            if self.family == Family::V6 {
                // Others must be able to find out who has the address: we still forward for it.
                let discovery = vec![
                    Step::IsPlainIcmpv6,
                    Step::TypeIn(Set::NeighbourDiscovery),
                    Step::Accept,
                ];
                rules.push((chain, discovery));
                rules.push((chain, vec![Step::IsLinkLocal(end), Step::GoTo(link_local)]));
                let pair = if self.by_index {
                    Step::AddressAndIndexIn(end, Set::VipsLinkLocal)
                } else {
                    Step::AddressAndNameIn(end, Set::VipsLinkLocal)
                };
                rules.push((link_local, vec![pair, Step::Drop]));
            }
            rules.push((chain, vec![Step::AddressIn(end, Set::Vips), Step::Drop]));
        }
    }
}

/// Makes, changes and removes tables. Waits for each answer, which the kernel gives at once.
pub struct Firewall {
    socket: Socket,
    batch: Vec<u8>,
    answers: Batch,
    sequence: u32,
}

impl Firewall {
    /// Opens a socket in the network namespace of this thread.
    ///
    /// # Errors
    /// When the kernel has no netlink for packet filters, or no descriptor is left.
    pub fn new() -> Result<Self, Error> {
        let socket = Socket::for_packet_filter(RECEIVE_BUFFER)?;
        option::set_send_buffer(&socket, SEND_BUFFER)?;
        Ok(Self {
            socket,
            batch: Vec::new(),
            answers: Batch::new(MAX_SLOTS, ANSWER_SIZE),
            sequence: 0,
        })
    }

    /// Makes a table with these elements, in place of whatever table has its name: one that we made before, or that a
    /// dead predecessor left behind. More than 3000 elements are added piece by piece.
    ///
    /// # Errors
    /// When nf_tables is not in the kernel, or we are not allowed to. The old table then stays as it was, or the new one
    /// lacks elements.
    pub fn replace<'e>(
        &mut self,
        table: &Table,
        elements: impl IntoIterator<Item = &'e Element>,
    ) -> Result<(), Error> {
        let adds: Vec<Change> = elements.into_iter().cloned().map(Change::Add).collect();
        let (first, rest) = adds.split_at(adds.len().min(IN_BATCH));
        let mut batch = self.begin(table.family, &table.name);
        batch.make_anew();
        for (name, hook) in table.chains() {
            batch.chain(name, hook.map(|hook| (hook, table.priority)));
        }
        for set in table.sets() {
            batch.set(set, table.by_index);
        }
        let layout = AddressLayout::of(table.family);
        for (chain, steps) in table.rules() {
            batch.rule(chain, layout, &steps, table.counters);
        }
        batch.changes(first);
        batch.commit()?;
        self.change(table.family, &table.name, rest)
    }

    /// Changes elements of a table, in this order; at most 3000 at a time all together or not at all.
    ///
    /// # Errors
    /// When the table, a set, or an element to be removed is not there.
    pub fn change(&mut self, family: Family, table: &str, changes: &[Change]) -> Result<(), Error> {
        for piece in changes.chunks(IN_BATCH) {
            let mut batch = self.begin(family, table);
            batch.changes(piece);
            batch.commit()?;
        }
        Ok(())
    }

    /// Removes a table with all that is in it, if it is there.
    ///
    /// # Errors
    /// When nf_tables is not in the kernel, or we are not allowed to.
    pub fn remove(&mut self, family: Family, table: &str) -> Result<(), Error> {
        let mut batch = self.begin(family, table);
        batch.table(numbers::NEW_TABLE, numbers::CREATE, "use nftables table");
        batch.table(numbers::DELETE_TABLE, 0, "delete nftables table");
        batch.commit()
    }

    fn begin<'f>(&'f mut self, family: Family, table: &'f str) -> Transaction<'f> {
        self.batch.clear();
        let mut transaction = Transaction {
            firewall: self,
            family,
            table,
            steps: Vec::new(),
            too_long: false,
        };
        transaction.border(numbers::BATCH_BEGIN);
        transaction
    }

    /// The refusal of one of the messages numbered from `first`, with its place among them; `None`: the last one was
    /// acknowledged, and so all of them.
    fn hear(&mut self, first: u32, last: u32) -> Result<Option<(usize, Refusal)>, Error> {
        const WHAT: &str = "receive an answer of nftables";
        loop {
            self.answers
                .receive(&self.socket, Wait::ForOne)
                .map_err(Error::system(WHAT))?;
            for datagram in self.answers.datagrams().filter(is_from_kernel) {
                for message in Messages::new(datagram.data) {
                    let message = message.map_err(|reason| Error::Reply { what: WHAT, reason })?;
                    let place = message.sequence.wrapping_sub(first);
                    // Anything else answers a batch whose first refusal was enough.
                    if message.kind != ERROR || place > last.wrapping_sub(first) {
                        continue;
                    }
                    match read_answer(&message)
                        .map_err(|reason| Error::Reply { what: WHAT, reason })?
                    {
                        Ok(()) if message.sequence == last => return Ok(None),
                        Ok(()) => {}
                        Err(refusal) => {
                            let place = usize::try_from(place).unwrap_or(usize::MAX);
                            return Ok(Some((place, refusal)));
                        }
                    }
                }
            }
        }
    }
}

/// A batch that is being written.
struct Transaction<'f> {
    firewall: &'f mut Firewall,
    family: Family,
    table: &'f str,
    /// What each message does, to be read after "cannot".
    steps: Vec<&'static str>,
    too_long: bool,
}

impl Transaction<'_> {
    /// The start or the end.
    fn border(&mut self, kind: u16) {
        let [high, low] = numbers::SUBSYSTEM.to_be_bytes();
        // Of no family, version 0, and whom the batch is for.
        self.message(kind, 0, "use nftables for table", [0, 0, high, low], |_| {});
    }

    fn message(
        &mut self,
        kind: u16,
        flags: u16,
        step: &'static str,
        fixed: [u8; 4],
        write: impl FnOnce(&mut Writer<'_>),
    ) {
        self.firewall.sequence = self.firewall.sequence.wrapping_add(1);
        let request = Request {
            kind,
            flags: flags | REQUEST,
            sequence: self.firewall.sequence,
        };
        let mut writer = Writer::new(&mut self.firewall.batch, request);
        writer.fixed(&fixed);
        write(&mut writer);
        self.too_long |= writer.finish().is_err();
        self.steps.push(step);
    }

    /// A message about the table, whose name comes first.
    fn about_table(
        &mut self,
        kind: u16,
        flags: u16,
        step: &'static str,
        write: impl FnOnce(&mut Writer<'_>),
    ) {
        let family = match self.family {
            Family::V4 => numbers::FAMILY_V4,
            Family::V6 => numbers::FAMILY_V6,
        };
        let table = self.table;
        let flags = flags | ACK;
        self.message(kind, flags, step, [family, 0, 0, 0], |message| {
            // The same number in tables, chains, sets and rules.
            message.text(numbers::TABLE_NAME, table);
            write(message);
        });
    }

    fn table(&mut self, kind: u16, flags: u16, step: &'static str) {
        self.about_table(kind, flags, step, |_| {});
    }

    /// An empty table in place of whatever has its name.
    fn make_anew(&mut self) {
        // Made first, so that there is one to delete.
        self.table(numbers::NEW_TABLE, numbers::CREATE, "use nftables table");
        self.table(numbers::DELETE_TABLE, 0, "delete nftables table");
        self.table(numbers::NEW_TABLE, numbers::CREATE, "make nftables table");
    }

    fn chain(&mut self, name: &str, hook: Option<(u32, i32)>) {
        self.about_table(
            numbers::NEW_CHAIN,
            numbers::CREATE,
            "add a chain to nftables table",
            |message| {
                message.text(numbers::CHAIN_NAME, name);
                if let Some((hook, priority)) = hook {
                    message.nested(numbers::CHAIN_HOOK, |data| {
                        number(data, numbers::HOOK_NUMBER, hook);
                        data.attribute(numbers::HOOK_PRIORITY, &priority.to_be_bytes());
                    });
                    number(message, numbers::CHAIN_POLICY, numbers::ACCEPT);
                    message.text(numbers::CHAIN_TYPE, "filter");
                }
            },
        );
    }

    fn set(&mut self, set: Set, by_index: bool) {
        let family = self.family;
        self.about_table(
            numbers::NEW_SET,
            numbers::CREATE,
            "add a set to nftables table",
            |message| set.write(message, family, by_index),
        );
        if !set.constants().is_empty() {
            self.elements(
                numbers::NEW_ELEMENTS,
                numbers::CREATE,
                "add elements to nftables table",
                set.name(),
                |list| {
                    for kind in set.constants() {
                        write_element(list, &[*kind], |_| {});
                    }
                },
            );
        }
    }

    fn rule(&mut self, chain: &str, layout: AddressLayout, steps: &[Step], counters: bool) {
        self.rule_of(chain, |list| rule::write(list, layout, steps, counters));
    }

    fn rule_of(&mut self, chain: &str, write: impl FnOnce(&mut Writer<'_>)) {
        self.about_table(
            numbers::NEW_RULE,
            numbers::CREATE | numbers::APPEND,
            "add a rule to nftables table",
            |message| {
                message.text(numbers::RULE_CHAIN, chain);
                message.nested(numbers::RULE_EXPRESSIONS, write);
            },
        );
    }

    fn elements(
        &mut self,
        kind: u16,
        flags: u16,
        step: &'static str,
        set: &str,
        write: impl FnOnce(&mut Writer<'_>),
    ) {
        self.about_table(kind, flags, step, |message| {
            message.text(numbers::ELEMENTS_SET, set);
            message.nested(numbers::ELEMENTS_LIST, write);
        });
    }

    /// Runs of changes of one kind in one set share a message.
    fn changes(&mut self, changes: &[Change]) {
        let alike = |a: &Change, b: &Change| {
            a.element().set() == b.element().set() && a.message() == b.message()
        };
        for run in changes.chunk_by(alike) {
            for piece in run.chunks(IN_MESSAGE) {
                let Some(first) = piece.first() else {
                    continue;
                };
                let (kind, flags, step) = first.message();
                let with_value = kind == numbers::NEW_ELEMENTS;
                self.elements(kind, flags, step, first.element().set().name(), |list| {
                    for change in piece {
                        change.element().write(list, with_value);
                    }
                });
            }
        }
    }

    /// Hands the batch over and waits for the verdict.
    fn commit(mut self) -> Result<(), Error> {
        let count = u32::try_from(self.steps.len()).unwrap_or(u32::MAX);
        self.border(numbers::BATCH_END);
        if self.too_long {
            let problem = io::Error::other("an attribute is longer than 65531 bytes");
            return Err(Error::object("change nftables table", &self.table)(problem));
        }
        // What is acknowledged last is the message before the end: kernels before 6.10 do not answer the end itself.
        let last = self.firewall.sequence.wrapping_sub(1);
        let first = last.wrapping_sub(count.saturating_sub(1));
        self.firewall.socket.send(&self.firewall.batch)?;
        match self.firewall.hear(first, last)? {
            None => Ok(()),
            Some((place, reason)) => {
                let what = self.steps.get(place).copied();
                Err(Error::Refused {
                    what: what.unwrap_or("change nftables table"),
                    object: format!("{} {}", word(self.family), self.table),
                    reason,
                })
            }
        }
    }
}

/// nft's word for a family.
const fn word(family: Family) -> &'static str {
    match family {
        Family::V4 => "ip",
        Family::V6 => "ip6",
    }
}

#[cfg(test)]
mod tests;
