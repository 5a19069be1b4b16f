//! Lists: all interfaces, all addresses, the routes and rules of one maker, or one interface by its name.

use types::IfName;

use super::address::Address;
use super::link::{self, Link};
use super::message::{Malformed, Message, Messages, Writer};
use super::refusal::{self, Reason};
use super::route_socket::RouteSocket;
use super::routes::Route;
use super::rules::KernelRule;
use super::{numbers, socket};
use crate::Error;
use crate::batch::Wait;

/// How often a list is asked for again because it changed while the kernel was telling it.
const ATTEMPTS: u32 = 10;

impl RouteSocket {
    /// All interfaces of the network namespace. If they keep changing while the kernel tells of them, some may be missing
    /// or told twice: a [`Monitor`](super::Monitor) that was opened before hears of these changes.
    ///
    /// An interface that cannot be understood, such as one whose name is not UTF-8, is logged and left out.
    ///
    /// # Errors
    /// When the conversation with the kernel fails.
    pub fn links(&mut self) -> Result<Vec<Link>, Error> {
        self.list(
            "list the interfaces",
            numbers::GET_LINK,
            numbers::NEW_LINK,
            write_link_query,
            Link::decode,
        )
    }

    /// All addresses of the network namespace, of both families; with the same reservation as for [`Self::links`].
    ///
    /// # Errors
    /// When the conversation with the kernel fails.
    pub fn addresses(&mut self) -> Result<Vec<Address>, Error> {
        let write =
            |writer: &mut Writer<'_>| writer.fixed(&[numbers::FAMILY_ANY, 0, 0, 0, 0, 0, 0, 0]);
        self.list(
            "list the addresses",
            numbers::GET_ADDRESS,
            numbers::NEW_ADDRESS,
            write,
            Address::decode,
        )
    }

    /// The routes in all tables that carry a protocol number, of both families; with the same reservation as for
    /// [`Self::links`].
    ///
    /// # Errors
    /// When the conversation with the kernel fails.
    pub fn routes(&mut self, protocol: u8) -> Result<Vec<Route>, Error> {
        let mut routes = Vec::new();
        for family in [numbers::FAMILY_V4, numbers::FAMILY_V6] {
            let write = |writer: &mut Writer<'_>| {
                writer.fixed(&[family, 0, 0, 0, 0, protocol, 0, 0, 0, 0, 0, 0]);
            };
            // A kernel that does not choose tells of each route of the host: only ours are read further.
            let decode = |payload: &[u8]| match Route::protocol(payload) {
                Some(other) if other != protocol => Ok(None),
                _ => Route::decode(payload),
            };
            routes.extend(self.list(
                "list the routes",
                numbers::GET_ROUTE,
                numbers::NEW_ROUTE,
                write,
                decode,
            )?);
        }
        Ok(routes)
    }

    /// The rules that carry a protocol number, of both families; with the same reservation as for [`Self::links`].
    ///
    /// # Errors
    /// When the conversation with the kernel fails.
    pub fn rules(&mut self, protocol: u8) -> Result<Vec<KernelRule>, Error> {
        let mut rules = Vec::new();
        for family in [numbers::FAMILY_V4, numbers::FAMILY_V6] {
            let write = |writer: &mut Writer<'_>| {
                writer.fixed(&[family, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
            };
            rules.extend(self.list(
                "list the rules",
                numbers::GET_RULE,
                numbers::NEW_RULE,
                write,
                KernelRule::decode,
            )?);
        }
        rules.retain(|rule| rule.protocol == protocol);
        Ok(rules)
    }

    /// The interface of this name, if there is one.
    ///
    /// # Errors
    /// When the conversation with the kernel fails, or the answer makes no sense.
    pub fn link(&mut self, name: &IfName) -> Result<Option<Link>, Error> {
        const WHAT: &str = "look up the interface";
        let sequence = self.begin(numbers::GET_LINK, 0, |writer| {
            write_link_query(writer);
            writer.text(numbers::LINK_NAME, name.as_str());
        })?;
        self.socket.send(&self.request)?;
        loop {
            self.lists
                .receive(&self.socket, Wait::ForOne)
                .map_err(Error::object(WHAT, name))?;
            for datagram in self.lists.datagrams().filter(socket::is_from_kernel) {
                for message in Messages::new(datagram.data) {
                    let message = message.map_err(|reason| Error::Reply { what: WHAT, reason })?;
                    if message.sequence != sequence {
                        continue;
                    }
                    if message.kind == numbers::NEW_LINK {
                        return Link::decode(message.payload)
                            .map_err(|reason| Error::Reply { what: WHAT, reason });
                    }
                    if message.kind == numbers::ERROR {
                        return match refusal::answer(&message) {
                            Ok(Ok(())) => Ok(None),
                            Ok(Err(refusal)) if refusal.reason() == Reason::NoInterface => Ok(None),
                            Ok(Err(reason)) => Err(Error::Refused {
                                what: WHAT,
                                object: name.to_string(),
                                reason,
                            }),
                            Err(reason) => Err(Error::Reply { what: WHAT, reason }),
                        };
                    }
                }
            }
        }
    }

    fn list<T>(
        &mut self,
        what: &'static str,
        query: u16,
        answer: u16,
        write: impl Fn(&mut Writer<'_>),
        decode: impl Fn(&[u8]) -> Result<Option<T>, Malformed>,
    ) -> Result<Vec<T>, Error> {
        let mut items = Vec::new();
        for _attempt in 0..ATTEMPTS {
            items.clear();
            let take = |message: &Message<'_>| {
                if message.kind != answer {
                    return;
                }
                match decode(message.payload) {
                    Ok(item) => items.extend(item),
                    Err(error) => log::warn!("cannot {what}: passing over an entry: {error}"),
                }
            };
            if self.list_once(what, query, &write, take)? == Consistent::Yes {
                return Ok(items);
            }
        }
        // Somebody is busy changing things and may be for long. A list with a hole or a repetition is better than none:
        // who listens with a `Monitor` since before hears of each change anyway.
        Ok(items)
    }

    fn list_once(
        &mut self,
        what: &'static str,
        query: u16,
        write: impl Fn(&mut Writer<'_>),
        mut take: impl FnMut(&Message<'_>),
    ) -> Result<Consistent, Error> {
        let sequence = self.begin(query, numbers::DUMP, write)?;
        self.socket.send(&self.request)?;
        let mut consistent = Consistent::Yes;
        loop {
            self.lists
                .receive(&self.socket, Wait::ForOne)
                .map_err(Error::system(what))?;
            for datagram in self.lists.datagrams().filter(socket::is_from_kernel) {
                if datagram.truncated {
                    let reason = Malformed::Truncated {
                        size: datagram.data.len(),
                    };
                    return Err(Error::Reply { what, reason });
                }
                for message in Messages::new(datagram.data) {
                    let message = message.map_err(|reason| Error::Reply { what, reason })?;
                    if message.sequence != sequence {
                        continue;
                    }
                    if message.flags & numbers::DUMP_INTERRUPTED != 0 {
                        consistent = Consistent::No;
                    }
                    let refused = match message.kind {
                        numbers::DONE => refusal::end_of_list(&message),
                        numbers::ERROR => refusal::answer(&message)
                            .map_err(|reason| Error::Reply { what, reason })?,
                        _ => {
                            take(&message);
                            continue;
                        }
                    };
                    return match refused {
                        Ok(()) => Ok(consistent),
                        Err(reason) => Err(Error::Refused {
                            what,
                            object: "of this namespace".to_owned(),
                            reason,
                        }),
                    };
                }
            }
        }
    }
}

/// Whether a list shows one moment, or changed while it was told.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Consistent {
    Yes,
    No,
}

fn write_link_query(writer: &mut Writer<'_>) {
    writer.fixed(&link::fixed_part(0, 0, 0));
    writer.attribute(
        numbers::LINK_DETAIL,
        &numbers::WITHOUT_STATISTICS.to_ne_bytes(),
    );
}
