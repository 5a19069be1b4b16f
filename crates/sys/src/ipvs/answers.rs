//! Which message of the kernel answers which request. No input makes this panic, or take more memory than was asked for.

use std::collections::VecDeque;

use crate::netlink::message::{Malformed, Message, Messages};
use crate::netlink::{DONE, ERROR, end_of_list, read_answer};

/// Bytes of the generic header: command, version, two reserved.
const GENERIC_HEADER: usize = 4;

/// The acknowledgements of requests that were sent together.
#[derive(Debug)]
pub struct Acknowledgements {
    first: u32,
    answers: Vec<Option<Result<(), i32>>>,
    missing: usize,
}

impl Acknowledgements {
    /// Of `count` requests numbered from `first`.
    pub fn new(first: u32, count: usize) -> Self {
        Self {
            first,
            answers: vec![None; count],
            missing: count,
        }
    }

    /// Reads a datagram. Answers to other requests, whose wait was given up, are passed over.
    ///
    /// # Errors
    /// When it is malformed.
    pub fn take(&mut self, datagram: &[u8]) -> Result<(), Malformed> {
        for message in Messages::new(datagram) {
            let message = message?;
            let number = usize::try_from(message.sequence.wrapping_sub(self.first));
            let Some(slot) = number
                .ok()
                .and_then(|number| self.answers.get_mut(number))
                .filter(|slot| slot.is_none() && message.kind == ERROR)
            else {
                continue;
            };
            *slot = Some(errno(&message)?);
            self.missing -= 1;
        }
        Ok(())
    }

    /// Whether each request has its answer.
    pub const fn is_complete(&self) -> bool {
        self.missing == 0
    }

    /// The answers in the order of the requests: done, or the kernel's errno as a positive number.
    pub fn into_answers(self) -> VecDeque<Result<(), i32>> {
        self.answers.into_iter().flatten().collect()
    }
}

/// The parts of a list, or the only answer to a question.
#[derive(Debug)]
pub struct Listing {
    family: u16,
    sequence: u32,
}

impl Listing {
    /// What answers the request of this number to this family.
    pub const fn new(family: u16, sequence: u32) -> Self {
        Self { family, sequence }
    }

    /// Reads a datagram, and hands over what stands behind each generic header. Tells the end when it comes: the kernel's
    /// errno if it stopped early.
    ///
    /// # Errors
    /// When the datagram is malformed.
    pub fn take(
        &self,
        datagram: &[u8],
        mut take: impl FnMut(&[u8]),
    ) -> Result<Option<Result<(), i32>>, Malformed> {
        for message in Messages::new(datagram) {
            let message = message?;
            if message.sequence != self.sequence {
                continue;
            }
            match message.kind {
                DONE => {
                    let end = end_of_list(&message);
                    return Ok(Some(end.map_err(|refusal| refusal.number())));
                }
                ERROR => return errno(&message).map(Some),
                kind if kind == self.family => {
                    let Some((_header, answer)) = message.payload.split_at_checked(GENERIC_HEADER)
                    else {
                        return Err(Malformed::Short {
                            what: "a generic header",
                            have: message.payload.len(),
                            need: GENERIC_HEADER,
                        });
                    };
                    take(answer);
                }
                _ => {}
            }
        }
        Ok(None)
    }
}

fn errno(message: &Message<'_>) -> Result<Result<(), i32>, Malformed> {
    Ok(read_answer(message)?.map_err(|refusal| refusal.number()))
}
