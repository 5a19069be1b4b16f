//! Which marks were given out to groups (`nftables_ipvs`), and how many of them the parent knows: should this process die, its
//! successor must not give the same numbers to others, and whoever tidies up must find the services of these.
//!
//! There are only ever more of them.

use lvs::{GivenMark, Lvs};

use crate::child::line::Line;
use crate::messages::ToParent;

/// Bytes of names in one message, whose length is limited; a name is part of a line, of which none is longer than half of this.
const MOST_BYTES: usize = 32 * 1024;
/// What a mark takes beside its name, at most.
const BESIDE_NAME: usize = 16;

/// How much the parent has been told.
pub(super) struct Given(usize);

impl Given {
    /// `inherited`: how many marks it handed us.
    pub(super) const fn new(inherited: usize) -> Self {
        Self(inherited)
    }

    /// Tells the parent of new ones. It is told all again, for they have no order in time; there are few, and few changes.
    pub(super) fn tell(&mut self, core: &Lvs, parent: &mut Line) {
        let count = core.count_of_marks();
        if count == self.0 {
            return;
        }
        self.0 = count;
        for some in messages(core.given_marks()) {
            parent.tell(ToParent::Marks(some));
        }
    }
}

/// Shares marks out among messages.
fn messages(marks: impl Iterator<Item = GivenMark>) -> Vec<Vec<GivenMark>> {
    let (mut messages, mut some, mut bytes) = (Vec::new(), Vec::new(), 0);
    for mark in marks {
        let length = mark.group.len() + BESIDE_NAME;
        if bytes + length > MOST_BYTES && !some.is_empty() {
            messages.push(std::mem::take(&mut some));
            bytes = 0;
        }
        bytes += length;
        some.push(mark);
    }
    if !some.is_empty() {
        messages.push(some);
    }
    messages
}

#[cfg(test)]
mod tests {
    use types::ipvs::Protocol;

    use super::*;
    use crate::messages::LONGEST;

    #[test]
    fn each_message_has_room_and_none_is_lost() {
        for (count, length) in [(0_u32, 0), (1, 16_000), (9, 16_000), (5000, 3), (5000, 0)] {
            let marks: Vec<GivenMark> = (0..count)
                .map(|number| GivenMark {
                    group: format!("{number}{}", "x".repeat(length)),
                    protocol: Protocol::Sctp,
                    mark: u32::MAX - number,
                })
                .collect();
            let messages = messages(marks.iter().cloned());
            assert_eq!(messages.concat(), marks);
            for some in messages {
                let bytes = postcard::to_allocvec(&ToParent::Marks(some)).unwrap();
                assert!(bytes.len() <= LONGEST, "{}", bytes.len());
            }
        }
    }
}
