//! Tables that give packets marks, by which IPVS finds them (`nftables_ipvs`; keepalived: "automatic fwmarks with
//! nftables"): a map for each protocol from destination address and port to mark, and a rule that looks it up.
//!
//! Names and shape are keepalived's. Entries that stay are not touched, so their packets are marked at every moment.

use std::collections::BTreeSet;
use std::net::IpAddr;

use types::Family;
use types::ipvs::Protocol;
use types::marks::{MarkChanges, MarkRange, Marks};

use super::rule::{self, AddressLayout, MarkRule, number};
use super::set::Order;
use super::{Firewall, IN, Transaction, numbers};
use crate::error::Error;

/// Entries in one message: their list has at most 65531 bytes, an entry at most 72.
const IN_MESSAGE: usize = 900;
/// Entries in one batch, which is then no longer than 200 KiB.
const IN_BATCH: usize = 3 * IN_MESSAGE;

/// What such tables are like, apart from their entries. There is one for each family that has entries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MarkTable {
    /// Its name (`nftables_ipvs`).
    pub name: String,
    /// When its chain has its turn (`nftables_ipvs_priority`); before that of IPVS, which is 99 on input.
    pub priority: i32,
    /// Packets that get a mark are counted (`nftables_counters`).
    pub counters: bool,
}

impl Firewall {
    /// Makes the tables anew with these entries, in place of whatever tables have their name: left behind by a dead
    /// predecessor, or of other settings. A family without entries has none.
    ///
    /// # Errors
    /// When nf_tables is not in the kernel or too old (before Linux 5.7), or we are not allowed to. What is there of the
    /// tables then is not known.
    pub fn replace_marks(&mut self, table: &MarkTable, marks: &Marks) -> Result<(), Error> {
        for family in FAMILIES {
            if marks.protocols(family).is_empty() {
                self.remove(family, &table.name)?;
            } else {
                self.turn(table, family, None, marks)?;
            }
        }
        Ok(())
    }

    /// Makes one set of entries of another. A table is made for the first entry of its family, and removed with the last.
    ///
    /// # Errors
    /// When the tables do not hold what they are said to have (somebody removed them, for instance): make them anew with
    /// [`replace_marks`](Self::replace_marks).
    pub fn change_marks(
        &mut self,
        table: &MarkTable,
        have: &Marks,
        wanted: &Marks,
    ) -> Result<(), Error> {
        for family in FAMILIES {
            let had = !have.protocols(family).is_empty();
            let has = !wanted.protocols(family).is_empty();
            match (had, has) {
                (false, false) => {}
                (true, false) => self.remove(family, &table.name)?,
                (false, true) => self.turn(table, family, None, wanted)?,
                (true, true) => self.turn(table, family, Some(have), wanted)?,
            }
        }
        Ok(())
    }

    /// Removes the tables, if they are there.
    ///
    /// # Errors
    /// When nf_tables is not in the kernel, or we are not allowed to.
    pub fn remove_marks(&mut self, name: &str) -> Result<(), Error> {
        for family in FAMILIES {
            self.remove(family, name)?;
        }
        Ok(())
    }

    /// Makes the table of a family, or changes it if there is one: in one batch if there are few changes, else what goes
    /// goes before anything comes.
    fn turn(
        &mut self,
        table: &MarkTable,
        family: Family,
        have: Option<&Marks>,
        wanted: &Marks,
    ) -> Result<(), Error> {
        let nothing = Marks::default();
        let MarkChanges { mut remove, add } = have.unwrap_or(&nothing).changes(wanted, family);
        let known = have.map(|have| have.protocols(family)).unwrap_or_default();
        let protocols = wanted.protocols(family);
        if have.is_some() && remove.is_empty() && add.is_empty() {
            return Ok(());
        }
        // What is in a map that goes goes with it.
        remove.retain(|(range, _)| protocols.contains(&range.protocol));
        let mut batch = self.begin(family, &table.name);
        if have.is_none() {
            batch.make_anew();
            batch.chain(IN, Some((numbers::HOOK_INPUT, table.priority)));
        }
        if known != protocols {
            batch.maps(&known, &protocols, table.counters);
        }
        let mut room = IN_BATCH;
        for (removing, entries) in [(true, &remove), (false, &add)] {
            for run in entries.chunk_by(|(a, _), (b, _)| a.protocol == b.protocol) {
                for piece in run.chunks(IN_MESSAGE) {
                    if room < piece.len() {
                        batch.commit()?;
                        batch = self.begin(family, &table.name);
                        room = IN_BATCH;
                    }
                    room -= piece.len();
                    batch.entries(piece, removing);
                }
            }
        }
        batch.commit()
    }
}

pub(super) const FAMILIES: [Family; 2] = [Family::V4, Family::V6];

impl Transaction<'_> {
    /// Makes and removes maps, and the rules that look them up: all rules of the chain are ours, and are made again.
    fn maps(&mut self, known: &BTreeSet<Protocol>, wanted: &BTreeSet<Protocol>, counters: bool) {
        if !known.is_empty() {
            self.about_table(
                numbers::DELETE_RULE,
                0,
                "delete the rules of nftables table",
                |message| message.text(numbers::RULE_CHAIN, IN),
            );
        }
        for protocol in known.difference(wanted) {
            self.about_table(
                numbers::DELETE_SET,
                0,
                "delete a map of nftables table",
                |message| message.text(numbers::SET_NAME, map_name(*protocol)),
            );
        }
        let layout = AddressLayout::of(self.family);
        for protocol in wanted.difference(known) {
            self.new_map(*protocol);
        }
        for protocol in wanted {
            let rule = MarkRule {
                protocol: protocol.number(),
                map: map_name(*protocol),
                map_id: u32::from(protocol.number()),
                counters,
            };
            self.rule_of(IN, |list| rule::write_marking(list, layout, &rule));
        }
    }

    fn new_map(&mut self, protocol: Protocol) {
        let (address_type, address_length) = match self.family {
            Family::V4 => (numbers::TYPE_IPV4, 4),
            Family::V6 => (numbers::TYPE_IPV6, 16),
        };
        self.about_table(
            numbers::NEW_SET,
            numbers::CREATE,
            "add a map to nftables table",
            |message| {
                message.text(numbers::SET_NAME, map_name(protocol));
                let mut word = |kind, value| number(message, kind, value);
                word(
                    numbers::SET_FLAGS,
                    numbers::SET_IS_MAP | numbers::SET_HAS_INTERVALS | numbers::SET_IS_CONCATENATED,
                );
                word(
                    numbers::SET_KEY_TYPE,
                    numbers::pair(address_type, numbers::TYPE_PORT),
                );
                // Each field is filled up to four bytes.
                word(numbers::SET_KEY_LENGTH, address_length + 4);
                word(numbers::SET_DATA_TYPE, numbers::TYPE_MARK);
                word(numbers::SET_DATA_LENGTH, 4);
                word(numbers::SET_ID, u32::from(protocol.number()));
                message.nested(numbers::SET_DESCRIPTION, |description| {
                    description.nested(numbers::DESCRIPTION_FIELDS, |fields| {
                        for length in [address_length, 2] {
                            fields.nested(numbers::LIST_ELEMENT, |field| {
                                number(field, numbers::FIELD_LENGTH, length);
                            });
                        }
                    });
                });
                let mut user_data = Order::Unsaid.told(numbers::KEY_ORDER);
                user_data.extend(Order::Host.told(numbers::DATA_ORDER));
                message.attribute(numbers::SET_USER_DATA, &user_data);
            },
        );
    }

    /// Puts entries of one protocol in, or takes them out.
    fn entries(&mut self, entries: &[(MarkRange, u32)], removing: bool) {
        let Some((first, _)) = entries.first() else {
            return;
        };
        let (kind, flags, step) = if removing {
            (
                numbers::DELETE_ELEMENTS,
                0,
                "delete elements of nftables table",
            )
        } else {
            (
                numbers::NEW_ELEMENTS,
                numbers::CREATE,
                "add elements to nftables table",
            )
        };
        self.elements(kind, flags, step, map_name(first.protocol), |list| {
            for (range, mark) in entries {
                list.nested(numbers::LIST_ELEMENT, |entry| {
                    for (end, address, port) in [
                        (numbers::ELEMENT_KEY, range.first, range.first_port),
                        (numbers::ELEMENT_KEY_END, range.last, range.last_port),
                    ] {
                        entry.nested(end, |data| {
                            data.attribute(numbers::DATA_VALUE, &key(address, port));
                        });
                    }
                    if !removing {
                        entry.nested(numbers::ELEMENT_DATA, |data| {
                            data.attribute(numbers::DATA_VALUE, &mark.to_ne_bytes());
                        });
                    }
                });
            }
        });
    }
}

pub(super) const fn map_name(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Tcp => "tcp_map",
        Protocol::Udp => "udp_map",
        Protocol::Sctp => "sctp_map",
    }
}

/// One end of an entry: an address, a port, and two bytes that fill it up.
pub(super) fn key(address: IpAddr, port: u16) -> Vec<u8> {
    let mut key = match address {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    };
    key.extend(port.to_be_bytes());
    key.extend([0, 0]);
    key
}
