//! Whether tables still hold what we put there: `nft flush ruleset` takes everybody's tables, and nobody is told.
//!
//! What is compared is what an accident or another program's broom changes: the elements of sets and maps, and which of them
//! the rules look up.

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use types::Family;
use types::ipvs::Protocol;
use types::marks::Marks;

use super::marks::{FAMILIES, key, map_name};
use super::{Element, Firewall, IN, MarkTable, Table, numbers, word};
use crate::batch::{Batch, Wait};
use crate::error::Error;
use crate::netlink::message::{Attributes, Malformed, Message, Messages, Request, Writer};
use crate::netlink::{DONE, DUMP, DUMP_INTERRUPTED, ERROR, REQUEST};
use crate::netlink::{end_of_list, is_from_kernel, read_answer};

/// Bytes before the attributes of an answer.
const FIXED: usize = 4;
/// The kernel fills datagrams up to 32 KiB, or to what fitted before.
const LIST_SIZE: usize = 64 * 1024;
/// Datagrams in one call.
const SLOTS: usize = 4;
/// Calls for one list. At its slowest the kernel tells thirty entries in a datagram: more than there are marks.
const MOST_RECEIPTS: usize = 1 << 20;
/// How often a list is asked for again because somebody changed something meanwhile.
const ATTEMPTS: usize = 3;

/// What a list showed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shown {
    /// What we want to see.
    Right,
    /// Something else.
    Wrong,
    /// It changed while it was told.
    Unsteady,
}

/// An entry: its first and last key.
type Ends = (Vec<u8>, Vec<u8>);

impl Firewall {
    /// Whether the tables are there and hold these entries and no others. If somebody keeps changing the packet filter while
    /// it is looked at, nothing was found out: then they do.
    ///
    /// # Errors
    /// When the conversation with the kernel fails. Begin a new one.
    pub fn holds_marks(&mut self, table: &MarkTable, marks: &Marks) -> Result<bool, Error> {
        let mut lists = Batch::new(SLOTS, LIST_SIZE);
        for family in FAMILIES {
            let protocols = marks.protocols(family);
            if protocols.is_empty() {
                continue;
            }
            if !Self::steadily(|| self.has_rules(&mut lists, (family, table), &protocols))? {
                return Ok(false);
            }
            for protocol in protocols {
                let map = (family, table, protocol);
                if !Self::steadily(|| self.has_entries(&mut lists, map, marks))? {
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }

    /// Whether a table of virtual routers is there and holds these elements and no others. If somebody keeps changing the
    /// packet filter while it is looked at, nothing was found out: then it does.
    ///
    /// # Errors
    /// When the conversation with the kernel fails. Begin a new one.
    pub fn holds(&mut self, table: &Table, elements: &BTreeSet<Element>) -> Result<bool, Error> {
        let mut lists = Batch::new(SLOTS, LIST_SIZE);
        let place = (table.family, table.name.as_str());
        let rules = table.rules();
        for (chain, _) in table.chains() {
            let of_chain = rules.iter().filter(|(of, _)| *of == chain);
            let wanted: Vec<&str> = of_chain
                .map(|(_, steps)| {
                    let set = steps.iter().find_map(|step| step.set());
                    set.map_or("", |set| set.name())
                })
                .collect();
            let look = || {
                let (steady, asked) = self.maps_of_rules(&mut lists, place, chain)?;
                Ok(shown(steady, asked == wanted))
            };
            if !Self::steadily(look)? {
                return Ok(false);
            }
        }
        for set in table.sets() {
            let constants = set.constants().iter().map(|kind| (vec![*kind], None));
            let of_set = elements.iter().filter(|element| element.set() == set);
            let of_set = of_set.map(|element| (element.key(), element.value()));
            let wanted: BTreeMap<Ends, Option<u32>> = constants
                .chain(of_set)
                .map(|(key, value)| ((key.clone(), key), value))
                .collect();
            let look = || self.has_elements(&mut lists, place, set.name(), wanted.clone());
            if !Self::steadily(look)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn steadily(mut look: impl FnMut() -> Result<Shown, Error>) -> Result<bool, Error> {
        for _attempt in 0..ATTEMPTS {
            match look()? {
                Shown::Right => return Ok(true),
                Shown::Wrong => return Ok(false),
                Shown::Unsteady => {}
            }
        }
        Ok(true)
    }

    /// Whether there is a rule for each map and no other.
    fn has_rules(
        &mut self,
        lists: &mut Batch,
        (family, table): (Family, &MarkTable),
        protocols: &BTreeSet<Protocol>,
    ) -> Result<Shown, Error> {
        let (steady, mut asked) = self.maps_of_rules(lists, (family, &table.name), IN)?;
        asked.sort_unstable();
        let mut wanted: Vec<&str> = protocols.iter().copied().map(map_name).collect();
        wanted.sort_unstable();
        Ok(shown(steady, asked == wanted))
    }

    /// Whether a map holds what it should.
    fn has_entries(
        &mut self,
        lists: &mut Batch,
        (family, table, protocol): (Family, &MarkTable, Protocol),
        marks: &Marks,
    ) -> Result<Shown, Error> {
        let of_map = marks
            .iter()
            .filter(|(range, _)| range.family() == family && range.protocol == protocol);
        let wanted = of_map
            .map(|(range, mark)| {
                let first = key(range.first, range.first_port);
                ((first, key(range.last, range.last_port)), Some(mark))
            })
            .collect();
        self.has_elements(lists, (family, &table.name), map_name(protocol), wanted)
    }

    /// The set or map that each rule of a chain looks its packets up in, in their order, empty for one that does no such
    /// thing; and whether the list shows one moment.
    fn maps_of_rules(
        &mut self,
        lists: &mut Batch,
        table: (Family, &str),
        chain: &str,
    ) -> Result<(bool, Vec<String>), Error> {
        let mut asked: Vec<String> = Vec::new();
        let steady = self.list(
            lists,
            ("list the rules of nftables table", numbers::GET_RULE),
            table,
            |request| request.text(numbers::RULE_CHAIN, chain),
            numbers::NEW_RULE,
            |attributes| {
                asked.push(map_of(attributes)?.unwrap_or_default());
                Ok(())
            },
        )?;
        Ok((steady, asked))
    }

    /// Whether a set or a map holds these elements and no others.
    fn has_elements(
        &mut self,
        lists: &mut Batch,
        table: (Family, &str),
        set: &str,
        mut missing: BTreeMap<Ends, Option<u32>>,
    ) -> Result<Shown, Error> {
        let mut strange = false;
        let steady = self.list(
            lists,
            ("list the elements of nftables table", numbers::GET_ELEMENTS),
            table,
            |request| request.text(numbers::ELEMENTS_SET, set),
            numbers::NEW_ELEMENTS,
            |attributes| {
                for attribute in attributes {
                    let attribute = attribute?;
                    if attribute.kind != numbers::ELEMENTS_LIST {
                        continue;
                    }
                    for entry in attribute.nested() {
                        let (ends, value) = entry_of(entry?.nested())?;
                        strange |= missing.remove(&ends) != Some(value);
                    }
                }
                Ok(())
            },
        )?;
        Ok(shown(steady, missing.is_empty() && !strange))
    }

    /// Asks for a list, hands over the attributes of each answer, and tells whether it shows one moment. A list of what is not
    /// there is empty.
    fn list(
        &mut self,
        lists: &mut Batch,
        (what, query): (&'static str, u16),
        (family, table): (Family, &str),
        write: impl FnOnce(&mut Writer<'_>),
        answer: u16,
        mut take: impl FnMut(Attributes<'_>) -> Result<(), Malformed>,
    ) -> Result<bool, Error> {
        self.batch.clear();
        self.sequence = self.sequence.wrapping_add(1);
        let sequence = self.sequence;
        let mut request = Writer::new(
            &mut self.batch,
            Request {
                kind: query,
                flags: REQUEST | DUMP,
                sequence,
            },
        );
        let number = match family {
            Family::V4 => numbers::FAMILY_V4,
            Family::V6 => numbers::FAMILY_V6,
        };
        request.fixed(&[number, 0, 0, 0]);
        request.text(numbers::TABLE_NAME, table);
        write(&mut request);
        request
            .finish()
            .map_err(|problem| Error::object(what, &table)(io::Error::other(problem)))?;
        self.socket.send(&self.batch)?;
        let reply = |reason| Error::Reply { what, reason };
        let mut steady = true;
        for _receipt in 0..MOST_RECEIPTS {
            lists
                .receive(&self.socket, Wait::ForOne)
                .map_err(Error::system(what))?;
            for datagram in lists.datagrams().filter(is_from_kernel) {
                if datagram.truncated {
                    let size = datagram.data.len();
                    return Err(reply(Malformed::Truncated { size }));
                }
                for message in Messages::new(datagram.data) {
                    let message: Message<'_> = message.map_err(reply)?;
                    if message.sequence != sequence {
                        continue;
                    }
                    steady &= message.flags & DUMP_INTERRUPTED == 0;
                    let end = match message.kind {
                        DONE => end_of_list(&message),
                        ERROR => read_answer(&message).map_err(reply)?,
                        kind => {
                            if kind == answer {
                                take(attributes(&message)).map_err(reply)?;
                            }
                            continue;
                        }
                    };
                    return match end {
                        Ok(()) => Ok(steady),
                        Err(reason) if reason.number() == libc::ENOENT => Ok(steady),
                        Err(reason) => Err(Error::Refused {
                            what,
                            object: format!("{} {table}", word(family)),
                            reason,
                        }),
                    };
                }
            }
        }
        Err(Error::object(what, &table)(io::Error::other(
            "it does not end",
        )))
    }
}

const fn shown(steady: bool, right: bool) -> Shown {
    match (steady, right) {
        (false, _) => Shown::Unsteady,
        (true, true) => Shown::Right,
        (true, false) => Shown::Wrong,
    }
}

fn attributes<'m>(message: &Message<'m>) -> Attributes<'m> {
    Attributes::new(message.payload.get(FIXED..).unwrap_or_default())
}

/// The first set or map that a rule looks its packets up in; `None`: it does no such thing.
fn map_of(rule: Attributes<'_>) -> Result<Option<String>, Malformed> {
    for attribute in rule {
        let attribute = attribute?;
        if attribute.kind != numbers::RULE_EXPRESSIONS {
            continue;
        }
        for expression in attribute.nested() {
            let (mut name, mut data) = ("", Attributes::new(&[]));
            for part in expression?.nested() {
                let part = part?;
                match part.kind {
                    numbers::EXPRESSION_NAME => name = part.text()?,
                    numbers::EXPRESSION_DATA => data = part.nested(),
                    _ => {}
                }
            }
            if name != "lookup" {
                continue;
            }
            for part in data {
                let part = part?;
                if part.kind == numbers::LOOKUP_SET {
                    return Ok(Some(part.text()?.to_owned()));
                }
            }
        }
    }
    Ok(None)
}

/// The keys of an entry, and its value if it has one: a mark, or the number of an interface.
fn entry_of(entry: Attributes<'_>) -> Result<(Ends, Option<u32>), Malformed> {
    let (mut first, mut last, mut mark) = (Vec::new(), None, None);
    for attribute in entry {
        let attribute = attribute?;
        let values = attribute.nested();
        match attribute.kind {
            numbers::ELEMENT_KEY => first = value(values)?.unwrap_or_default().to_vec(),
            numbers::ELEMENT_KEY_END => last = value(values)?.map(<[u8]>::to_vec),
            numbers::ELEMENT_DATA => {
                let bytes = value(values)?.unwrap_or_default();
                mark = bytes.try_into().ok().map(u32::from_ne_bytes);
            }
            _ => {}
        }
    }
    // One that is no range may be told without its end.
    let last = last.unwrap_or_else(|| first.clone());
    Ok(((first, last), mark))
}

fn value<'m>(data: Attributes<'m>) -> Result<Option<&'m [u8]>, Malformed> {
    for attribute in data {
        let attribute = attribute?;
        if attribute.kind == numbers::DATA_VALUE {
            return Ok(Some(attribute.value));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The attributes of an answer.
    fn answer(write: impl FnOnce(&mut Writer<'_>)) -> Vec<u8> {
        let mut buffer = Vec::new();
        let request = Request {
            kind: 0,
            flags: 0,
            sequence: 0,
        };
        let mut writer = Writer::new(&mut buffer, request);
        writer.fixed(&[0; FIXED]);
        write(&mut writer);
        writer.finish().unwrap();
        let message = Messages::new(&buffer).next().unwrap().unwrap();
        message.payload[FIXED..].to_vec()
    }

    fn data(writer: &mut Writer<'_>, kind: u16, value: &[u8]) {
        writer.nested(kind, |data| data.attribute(numbers::DATA_VALUE, value));
    }

    #[test]
    fn entries_and_rules_are_understood_and_what_is_cut_off_is_harmless() {
        let (first, last) = (
            vec![10, 0, 0, 1, 0, 80, 0, 0],
            vec![10, 0, 0, 9, 0, 80, 0, 0],
        );
        let entry = answer(|entry| {
            data(entry, numbers::ELEMENT_KEY, &first);
            // Flags, which are of no interest.
            entry.attribute(3, &[0, 0, 0, 0]);
            data(entry, numbers::ELEMENT_DATA, &1000_u32.to_ne_bytes());
            data(entry, numbers::ELEMENT_KEY_END, &last);
        });
        let understood = entry_of(Attributes::new(&entry)).unwrap();
        assert_eq!(understood, ((first.clone(), last), Some(1000)));
        let single = answer(|entry| {
            data(entry, numbers::ELEMENT_KEY, &first);
            data(entry, numbers::ELEMENT_DATA, &[1, 2]);
        });
        let understood = entry_of(Attributes::new(&single)).unwrap();
        assert_eq!(understood, ((first.clone(), first), None));
        let rule = answer(|rule| {
            rule.nested(numbers::RULE_EXPRESSIONS, |list| {
                for (name, set) in [("cmp", "no_map"), ("lookup", "tcp_map")] {
                    list.nested(numbers::LIST_ELEMENT, |expression| {
                        expression.text(numbers::EXPRESSION_NAME, name);
                        expression.nested(numbers::EXPRESSION_DATA, |data| {
                            data.text(numbers::LOOKUP_SET, set);
                        });
                    });
                }
            });
        });
        let asked = map_of(Attributes::new(&rule)).unwrap();
        assert_eq!(asked.as_deref(), Some("tcp_map"));
        assert_eq!(map_of(Attributes::new(&entry)), Ok(None));
        for bytes in [entry, single, rule] {
            for length in 0..bytes.len() {
                for strange in [&bytes[..length], &bytes[length..]] {
                    // Either is fine; neither may panic.
                    entry_of(Attributes::new(strange)).ok();
                    map_of(Attributes::new(strange)).ok();
                }
            }
        }
    }
}
