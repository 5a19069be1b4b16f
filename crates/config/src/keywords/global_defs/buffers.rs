//! Receive buffers of sockets.

use crate::diagnostics::{Class, Diagnostic};
use crate::document::Statement;
use crate::read::{Garbage, Reading};
use crate::settings::global::{AdvertBufferPolicy, Buffers, ReceiveBuffer};

use super::super::arguments::{optional, strict_integer};
use super::{Keyword, ROW, Role, SWITCH, switch};

const SIZE: Keyword = Keyword {
    arguments: strict_integer(0, 4_294_967_295).optional(),
    default: "0",
    ..ROW
};

pub(in super::super) const KEYWORDS: &[Keyword] = &[
    Keyword {
        name: "vrrp_netlink_cmd_rcv_bufs",
        help: "bytes of the receive buffer for answers to the VRRP process' requests; 0: as the system has it",
        role: Role::Set(|r, s| size(r, s, |b| &mut b.vrrp_netlink_cmd)),
        ..SIZE
    },
    Keyword {
        name: "vrrp_netlink_cmd_rcv_bufs_force",
        help: "that buffer may exceed net.core.rmem_max",
        role: Role::Set(|r, s| switch(r, s, |d| &mut d.global.buffers.vrrp_netlink_cmd.force)),
        ..SWITCH
    },
    Keyword {
        name: "vrrp_netlink_monitor_rcv_bufs",
        help: "bytes of the receive buffer for what the kernel tells the VRRP process; 0: as the system has it",
        role: Role::Set(|r, s| size(r, s, |b| &mut b.vrrp_netlink_monitor)),
        ..SIZE
    },
    Keyword {
        name: "vrrp_netlink_monitor_rcv_bufs_force",
        help: "that buffer may exceed net.core.rmem_max",
        role: Role::Set(|r, s| switch(r, s, |d| &mut d.global.buffers.vrrp_netlink_monitor.force)),
        ..SWITCH
    },
    Keyword {
        name: "lvs_netlink_cmd_rcv_bufs",
        help: "bytes of the receive buffer for answers to the checker process' requests; 0: as the system has it",
        role: Role::Set(|r, s| size(r, s, |b| &mut b.lvs_netlink_cmd)),
        ..SIZE
    },
    Keyword {
        name: "lvs_netlink_cmd_rcv_bufs_force",
        help: "that buffer may exceed net.core.rmem_max",
        role: Role::Set(|r, s| switch(r, s, |d| &mut d.global.buffers.lvs_netlink_cmd.force)),
        ..SWITCH
    },
    Keyword {
        name: "lvs_netlink_monitor_rcv_bufs",
        help: "bytes of the receive buffer for what the kernel tells the checker process; 0: as the system has it",
        role: Role::Set(|r, s| size(r, s, |b| &mut b.lvs_netlink_monitor)),
        ..SIZE
    },
    Keyword {
        name: "lvs_netlink_monitor_rcv_bufs_force",
        help: "that buffer may exceed net.core.rmem_max",
        role: Role::Set(|r, s| switch(r, s, |d| &mut d.global.buffers.lvs_netlink_monitor.force)),
        ..SWITCH
    },
    Keyword {
        name: "process_monitor_rcv_bufs",
        help: "bytes of the receive buffer for what the kernel tells of processes; 0: as the system has it",
        role: Role::Set(|r, s| size(r, s, |b| &mut b.process_monitor)),
        ..SIZE
    },
    Keyword {
        name: "process_monitor_rcv_bufs_force",
        help: "that buffer may exceed net.core.rmem_max",
        role: Role::Set(|r, s| switch(r, s, |d| &mut d.global.buffers.process_monitor.force)),
        ..SWITCH
    },
    Keyword {
        name: "vrrp_rx_bufs_policy",
        arguments: optional("MTU|ADVERT|BYTES"),
        default: "as the system has it",
        help: "what the size of the receive buffer for adverts goes by",
        role: Role::Set(policy),
        ..ROW
    },
    Keyword {
        name: "vrrp_rx_bufs_multiplier",
        arguments: strict_integer(1, 4_294_967_295).optional(),
        default: "3",
        help: "room for so many of what vrrp_rx_bufs_policy names",
        role: Role::Set(|r, s| {
            if s.len() > 2 {
                let message = "vrrp_rx_bufs_multiplier takes one number; it is ignored";
                let diagnostic = Diagnostic::error(Class::General, message)
                    .keepalived("Invalid vrrp_rx_bufs_multiplier");
                r.complain(s, 2, diagnostic);
            } else if let Some(multiplier) = r.fits(s) {
                r.draft.global.buffers.adverts.multiplier = multiplier;
            }
        }),
        ..ROW
    },
];

fn size(
    reading: &mut Reading<'_>,
    statement: &Statement,
    slot: fn(&mut Buffers) -> &mut ReceiveBuffer,
) {
    if let Some(bytes) = reading.fits(statement) {
        slot(&mut reading.draft.global.buffers).size = bytes;
    }
}

/// A number counts before the MTU, and that before the advert; a word that is none of them makes all ineffective.
fn policy(reading: &mut Reading<'_>, statement: &Statement) {
    if reading.required(statement, 1).is_none() {
        return;
    }
    let mut used = AdvertBufferPolicy::System;
    let mut clash = false;
    for index in 1..statement.len() {
        let word = statement.argument(index);
        let named = if word.eq_ignore_ascii_case("mtu") {
            AdvertBufferPolicy::Mtu
        } else if word.eq_ignore_ascii_case("advert") {
            AdvertBufferPolicy::Advert
        } else {
            let bytes = reading.number(statement, index, 0..=4_294_967_295, Garbage::Refused);
            match bytes.and_then(|bytes| u32::try_from(bytes).ok()) {
                Some(0) => AdvertBufferPolicy::System,
                Some(bytes) => AdvertBufferPolicy::Bytes(bytes),
                None => return,
            }
        };
        clash |= index > 1 && std::mem::discriminant(&named) != std::mem::discriminant(&used);
        if index == 1 || weight(named) >= weight(used) {
            used = named;
        }
    }
    if clash {
        let what = match used {
            AdvertBufferPolicy::Bytes(bytes) => format!("{bytes} bytes"),
            AdvertBufferPolicy::Mtu => "MTU".to_owned(),
            AdvertBufferPolicy::Advert => "ADVERT".to_owned(),
            AdvertBufferPolicy::System => "the system's size".to_owned(),
        };
        let message = format!("vrrp_rx_bufs_policy names more than one policy; {what} counts");
        reading.complain(statement, 2, Diagnostic::warning(Class::General, message));
    }
    reading.draft.global.buffers.adverts.policy = used;
}

/// What goes before what.
const fn weight(policy: AdvertBufferPolicy) -> u8 {
    match policy {
        AdvertBufferPolicy::System => 0,
        AdvertBufferPolicy::Advert => 1,
        AdvertBufferPolicy::Mtu => 2,
        AdvertBufferPolicy::Bytes(_) => 3,
    }
}
