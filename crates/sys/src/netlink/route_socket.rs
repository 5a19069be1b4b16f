//! The socket for requests: one at a time, or many in one go.

use std::io;

use super::address::{AddressChange, AddressError};
use super::message::{Messages, Request, Writer};
use super::numbers;
use super::refusal::{self, Refusal};
use super::routes::{RouteChange, RouteError};
use super::rules::{RuleChange, RuleError};
use super::socket::{self, Socket};
use crate::batch::{Batch, MAX_SLOTS, Wait};
use crate::{Error, option};

/// Requests in flight. Each acknowledgement takes about 1 KiB of the receive buffer, whose default size
/// (208 KiB) holds them all even when we may not enlarge it; and so many addresses are at most 20 KiB.
const CHUNK: usize = 128;

/// A chunk ends early when it has so many bytes: the kernel takes no more in one call than a send buffer (208 KiB by default)
/// holds, and a route with a hundred ways has 3 KiB.
const CHUNK_BYTES: usize = 64 << 10;

/// Room for the acknowledgements of a chunk, and for the longest part of a list.
const RECEIVE_BUFFER: usize = 1 << 20;

/// An acknowledgement is the header of the request and at most a line of explanation.
const ANSWER_SIZE: usize = 2048;

/// The kernel makes the parts of a list no longer than 32 KiB.
const LIST_SIZE: usize = 1 << 16;

/// Asks the kernel about interfaces and addresses, and changes them. Waits for each answer, which the
/// kernel gives at once.
pub struct RouteSocket {
    pub(super) socket: Socket,
    pub(super) request: Vec<u8>,
    pub(super) lists: Batch,
    answers: Batch,
    sequence: u32,
}

impl RouteSocket {
    /// Opens a socket in the network namespace of this thread.
    ///
    /// # Errors
    /// When the kernel has no netlink, or no descriptor is left.
    pub fn new() -> Result<Self, Error> {
        Ok(Self {
            socket: Socket::for_requests(RECEIVE_BUFFER)?,
            request: Vec::new(),
            lists: Batch::new(1, LIST_SIZE),
            answers: Batch::new(MAX_SLOTS, ANSWER_SIZE),
            sequence: 0,
        })
    }

    /// The port of this socket: what a [`super::Monitor`] reports of IPv4 changes that were made through it.
    pub const fn port_id(&self) -> u32 {
        self.socket.port_id()
    }

    /// Asks for a receive buffer of so many bytes, beyond the system's limit with `force` only; never less than without this.
    ///
    /// # Errors
    /// When the kernel refuses every size.
    pub fn set_receive_buffer(&self, bytes: usize, force: bool) -> Result<(), Error> {
        option::enlarge_receive_buffer(&self.socket, RECEIVE_BUFFER, bytes, force)
    }

    /// Adds and removes addresses: one result for each change, in the same order.
    ///
    /// Many requests go out in one system call and their answers come back in few.
    ///
    /// # Errors
    /// When the conversation with the kernel fails; then nothing is known of the changes.
    pub fn change_addresses(
        &mut self,
        changes: &[AddressChange],
    ) -> Result<Vec<Result<Changed, AddressError>>, Error> {
        self.change_all(changes)
    }

    /// Makes changes of all kinds in the order in which they stand; otherwise as [`Self::change_addresses`].
    ///
    /// # Errors
    /// When the conversation with the kernel fails; then nothing is known of the changes.
    pub fn change_routing(
        &mut self,
        changes: &[Change],
    ) -> Result<Vec<Result<Changed, ChangeError>>, Error> {
        self.change_all(changes)
    }

    fn change_all<T: Ask>(
        &mut self,
        mut changes: &[T],
    ) -> Result<Vec<Result<Changed, T::Error>>, Error> {
        let mut results = Vec::with_capacity(changes.len());
        while !changes.is_empty() {
            let done = self.change_chunk(changes, &mut results)?;
            changes = changes.get(done..).unwrap_or_default();
        }
        Ok(results)
    }

    /// As many of the first changes as go together; tells how many these are, at least one.
    fn change_chunk<T: Ask>(
        &mut self,
        changes: &[T],
        results: &mut Vec<Result<Changed, T::Error>>,
    ) -> Result<usize, Error> {
        self.request.clear();
        let first = self.sequence.wrapping_add(1);
        let mut sent = 0;
        // What became of each change: sent, or not even a request.
        let mut unsent = Vec::new();
        for change in changes.iter().take(CHUNK) {
            match change.encode(&mut self.request, first.wrapping_add(sent)) {
                Ok(()) => {
                    sent += 1;
                    unsent.push(None);
                }
                Err(error) => unsent.push(Some(error)),
            }
            if self.request.len() >= CHUNK_BYTES {
                break;
            }
        }
        let chunk = unsent.len();
        self.sequence = self.sequence.wrapping_add(sent);
        let mut answers = self.exchange(first, sent)?.into_iter();
        for (change, unsent) in changes.iter().zip(unsent) {
            results.push(match unsent {
                Some(error) => Err(error),
                None => change.judge(answers.next().unwrap_or(Ok(()))),
            });
        }
        Ok(chunk)
    }

    /// Sends one request and waits for its acknowledgement. `write` appends what follows the header.
    pub(super) fn perform(
        &mut self,
        kind: u16,
        flags: u16,
        write: impl FnOnce(&mut Writer<'_>),
    ) -> Result<Result<(), Refusal>, Error> {
        let sequence = self.begin(kind, flags | numbers::ACK, write)?;
        Ok(self.exchange(sequence, 1)?.pop().unwrap_or(Ok(())))
    }

    /// Puts one request into the buffer; tells its number.
    pub(super) fn begin(
        &mut self,
        kind: u16,
        flags: u16,
        write: impl FnOnce(&mut Writer<'_>),
    ) -> Result<u32, Error> {
        self.sequence = self.sequence.wrapping_add(1);
        self.request.clear();
        let request = Request {
            kind,
            flags: flags | numbers::REQUEST,
            sequence: self.sequence,
        };
        let mut writer = Writer::new(&mut self.request, request);
        write(&mut writer);
        writer.finish().map_err(|too_long| {
            Error::system("write a netlink request")(io::Error::other(too_long))
        })?;
        Ok(self.sequence)
    }

    /// Sends the buffer, which holds `count` requests numbered from `first`, and collects the answers in
    /// order. Answers to earlier requests, whose wait was given up, are passed over.
    fn exchange(&mut self, first: u32, count: u32) -> Result<Vec<Result<(), Refusal>>, Error> {
        const WHAT: &str = "receive a netlink acknowledgement";
        let mut answers = Vec::new();
        answers.resize_with(usize::try_from(count).unwrap_or(0), || None);
        let mut missing = answers.len();
        if missing > 0 {
            self.socket.send(&self.request)?;
        }
        while missing > 0 {
            self.answers
                .receive(&self.socket, Wait::ForOne)
                .map_err(Error::system(WHAT))?;
            for datagram in self.answers.datagrams().filter(socket::is_from_kernel) {
                for message in Messages::new(datagram.data) {
                    let message = message.map_err(|reason| Error::Reply { what: WHAT, reason })?;
                    let number =
                        usize::try_from(message.sequence.wrapping_sub(first)).unwrap_or(usize::MAX);
                    let Some(slot) = answers.get_mut(number) else {
                        continue;
                    };
                    if message.kind != numbers::ERROR || slot.is_some() {
                        continue;
                    }
                    *slot = Some(
                        refusal::answer(&message)
                            .map_err(|reason| Error::Reply { what: WHAT, reason })?,
                    );
                    missing -= 1;
                }
            }
        }
        Ok(answers.into_iter().flatten().collect())
    }
}

/// Something that the kernel can be asked to change.
pub(super) trait Ask {
    /// Why it did not.
    type Error;

    /// Appends the request to a buffer.
    fn encode(&self, buffer: &mut Vec<u8>, sequence: u32) -> Result<(), Self::Error>;

    /// Tells success, which includes that there was nothing to do, from failure.
    fn judge(&self, answer: Result<(), Refusal>) -> Result<Changed, Self::Error>;
}

/// How a change succeeded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Changed {
    /// The kernel did it, and tells everybody who listens.
    Now,
    /// It was there, or not there, already: nothing happened and nobody is told.
    Already,
}

/// A change of any kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Of an address.
    Address(AddressChange),
    /// Of a route. Boxed: it is far larger than an address, of which there are more.
    Route(Box<RouteChange>),
    /// Of a rule.
    Rule(Box<RuleChange>),
}

/// Why a change was not made.
#[derive(Debug, thiserror::Error)]
pub enum ChangeError {
    /// Of an address.
    #[error(transparent)]
    Address(AddressError),
    /// Of a route.
    #[error(transparent)]
    Route(RouteError),
    /// Of a rule.
    #[error(transparent)]
    Rule(RuleError),
}

impl ChangeError {
    /// The kernel's reason.
    pub const fn refusal(&self) -> &Refusal {
        match self {
            Self::Address(error) => &error.refusal,
            Self::Route(error) => &error.refusal,
            Self::Rule(error) => &error.refusal,
        }
    }
}

impl Ask for Change {
    type Error = ChangeError;

    fn encode(&self, buffer: &mut Vec<u8>, sequence: u32) -> Result<(), ChangeError> {
        match self {
            Self::Address(change) => change
                .encode(buffer, sequence)
                .map_err(ChangeError::Address),
            Self::Route(change) => change.encode(buffer, sequence).map_err(ChangeError::Route),
            Self::Rule(change) => change.encode(buffer, sequence).map_err(ChangeError::Rule),
        }
    }

    fn judge(&self, answer: Result<(), Refusal>) -> Result<Changed, ChangeError> {
        match self {
            Self::Address(change) => change.judge(answer).map_err(ChangeError::Address),
            Self::Route(change) => change.judge(answer).map_err(ChangeError::Route),
            Self::Rule(change) => change.judge(answer).map_err(ChangeError::Rule),
        }
    }
}
