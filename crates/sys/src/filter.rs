//! Which packets the kernel hands to a socket: classic BPF programs.
//!
//! A router's routing protocols change routes by the hundred thousand; only ours are told of.
//!
//! A host hears the adverts of every virtual router on its links. The receivers wake up only for those
//! they run: a program of constant size looks the VRID up in a set of 256 bits.

use std::collections::BTreeSet;

use socket2::SockFilter;
use types::{Family, Vrid};

/// Words of 32 bits that hold a bit for each VRID.
const WORDS: usize = 8;

/// Index of the last of them.
const LAST_WORD: u32 = 7;

/// What a program answers to let a packet through without cutting it.
const WHOLE_PACKET: u32 = u32::MAX;

/// One instruction, as the kernel's `struct sock_filter`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Instruction {
    pub(crate) code: u32,
    /// How many instructions to skip when a comparison holds.
    pub(crate) then: u8,
    /// How many to skip when it does not.
    pub(crate) otherwise: u8,
    pub(crate) operand: u32,
}

impl Instruction {
    pub(crate) const fn plain(code: u32, operand: u32) -> Self {
        Self {
            code,
            then: 0,
            otherwise: 0,
            operand,
        }
    }
}

/// A socket with this filter never queues anything.
pub(crate) fn drop_all() -> [SockFilter; 1] {
    [native(Instruction::plain(libc::BPF_RET | libc::BPF_K, 0))]
}

/// A program that is written elsewhere.
pub(crate) fn program(instructions: &[Instruction]) -> Vec<SockFilter> {
    instructions.iter().copied().map(native).collect()
}

/// Lets the adverts of `vrids` through, whole. `offset` bytes lie between IP's header and VRRP's.
pub(crate) fn only_vrids(family: Family, offset: usize, vrids: &BTreeSet<Vrid>) -> Vec<SockFilter> {
    // An offset beyond the packet lets nothing through.
    let offset = u32::try_from(offset).unwrap_or(u32::MAX);
    vrid_program(family, offset, vrids)
        .into_iter()
        .map(native)
        .collect()
}

/// What a socket for netlink notifications is not to hear.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Unheard {
    /// Additions of addresses that were asked for through the socket with this port.
    pub(crate) additions_of: Option<u32>,
    /// Routes of every maker but this one.
    pub(crate) routes_but_of: Option<u8>,
}

/// On a netlink socket: keeps from the queue what is not to be heard.
pub(crate) fn notifications(unheard: Unheard) -> Vec<SockFilter> {
    program(&notification_program(unheard))
}

/// A notification is one message (`struct nlmsghdr`): its type at byte 4 and the port of who asked for it at byte 12, in the
/// machine's order, while a program reads them in that of the network; and `rtm_protocol` in the part behind the header.
fn notification_program(unheard: Unheard) -> Vec<Instruction> {
    use libc::{BPF_ABS, BPF_B, BPF_H, BPF_JEQ, BPF_JMP, BPF_K, BPF_LD, BPF_RET, BPF_W};
    const HEADER: u32 = 16;
    const TYPE: u32 = 4;
    const PORT: u32 = 12;
    const PROTOCOL: u32 = HEADER + 5;
    let plain = Instruction::plain;
    let equal = |operand, then, otherwise| Instruction {
        code: BPF_JMP | BPF_JEQ | BPF_K,
        then,
        otherwise,
        operand,
    };
    let as_read = |kind: u16| u32::from(u16::from_be_bytes(kind.to_ne_bytes()));
    let heard = plain(BPF_RET | BPF_K, WHOLE_PACKET);
    let dropped = plain(BPF_RET | BPF_K, 0);
    let mut program = vec![plain(BPF_LD | BPF_H | BPF_ABS, TYPE)];
    if let Some(port) = unheard.additions_of {
        program.extend([
            equal(as_read(libc::RTM_NEWADDR), 0, 4),
            plain(BPF_LD | BPF_W | BPF_ABS, PORT),
            equal(u32::from_be_bytes(port.to_ne_bytes()), 0, 1),
            dropped,
            heard,
        ]);
    }
    if let Some(protocol) = unheard.routes_but_of {
        program.extend([
            equal(as_read(libc::RTM_NEWROUTE), 1, 0),
            equal(as_read(libc::RTM_DELROUTE), 0, 2),
            plain(BPF_LD | BPF_B | BPF_ABS, PROTOCOL),
            equal(u32::from(protocol), 0, 1),
            heard,
            dropped,
        ]);
    } else {
        program.push(heard);
    }
    program
}

/// The second byte of the VRRP header is the VRID (RFC 9568 5.2.3). The kernel shows a raw IPv4 socket
/// the packet from its IP header on, whose length varies with its options; and a raw IPv6 socket the
/// packet from the VRRP header on. A packet that is too short to have a VRID is dropped by the load.
fn vrid_program(family: Family, offset: u32, vrids: &BTreeSet<Vrid>) -> Vec<Instruction> {
    use libc::{
        BPF_ABS, BPF_ALU, BPF_AND, BPF_B, BPF_IMM, BPF_IND, BPF_JA, BPF_JEQ, BPF_JMP, BPF_JSET,
        BPF_K, BPF_LD, BPF_LDX, BPF_MEM, BPF_MISC, BPF_MSH, BPF_RET, BPF_RSH, BPF_ST, BPF_TAX,
        BPF_X,
    };
    let plain = Instruction::plain;
    let vrid = offset.saturating_add(1);

    let mut program = match family {
        Family::V4 => vec![
            plain(BPF_LDX | BPF_B | BPF_MSH, 0),
            plain(BPF_LD | BPF_B | BPF_IND, vrid),
        ],
        Family::V6 => vec![plain(BPF_LD | BPF_B | BPF_ABS, vrid)],
    };
    program.extend([
        plain(BPF_ST, 0),
        plain(BPF_ALU | BPF_AND | BPF_K, 31),
        plain(BPF_MISC | BPF_TAX, 0),
        plain(BPF_LD | BPF_MEM, 0),
        plain(BPF_ALU | BPF_RSH | BPF_K, 5),
    ]);
    for (index, word) in (0..).zip(words(vrids)) {
        // Three instructions for each later word are to be skipped.
        let to_the_test = 3 * (LAST_WORD - index);
        program.extend([
            Instruction {
                code: BPF_JMP | BPF_JEQ | BPF_K,
                then: 0,
                otherwise: 2,
                operand: index,
            },
            plain(BPF_LD | BPF_IMM, word),
            plain(BPF_JMP | BPF_JA, to_the_test),
        ]);
    }
    program.extend([
        plain(BPF_ALU | BPF_RSH | BPF_X, 0),
        Instruction {
            code: BPF_JMP | BPF_JSET | BPF_K,
            then: 0,
            otherwise: 1,
            operand: 1,
        },
        plain(BPF_RET | BPF_K, WHOLE_PACKET),
        plain(BPF_RET | BPF_K, 0),
    ]);
    program
}

/// The set as bits: VRID 0 is the lowest bit of the first word.
fn words(vrids: &BTreeSet<Vrid>) -> [u32; WORDS] {
    let mut words = [0; WORDS];
    for vrid in vrids {
        if let Some(word) = words.get_mut(usize::from(vrid.get() >> 5)) {
            *word |= 1 << (vrid.get() & 31);
        }
    }
    words
}

/// Every code in use is below 256; the kernel's field has 16 bits.
fn native(instruction: Instruction) -> SockFilter {
    let Instruction {
        code,
        then,
        otherwise,
        operand,
    } = instruction;
    SockFilter::new(
        u16::try_from(code).unwrap_or(u16::MAX),
        then,
        otherwise,
        operand,
    )
}

#[cfg(test)]
mod tests;
