//! Gratuitous ARPs and unsolicited neighbour advertisements: defaults of all instances, and limits of interfaces.

use std::time::Duration;

use ::vrrp::settings::ExtraGarp;

use crate::diagnostics::Diagnostic;
use crate::document::Statement;
use crate::read::{Garbage, Reading};

use super::super::arguments::{decimal, integer, optional};
use super::super::vrrp_instance::at_least_one;
use super::{Keyword, ROW, Role, SWITCH, switch};

const EXTRA: Keyword = Keyword {
    arguments: optional("[all] SECONDS"),
    default: "off",
    role: Role::Set(extra),
    ..ROW
};

pub(in super::super) const KEYWORDS: &[Keyword] = &[
    Keyword {
        name: "vrrp_garp_master_delay",
        arguments: integer(0, 4294),
        default: "5",
        help: "seconds from becoming master to the second block of gratuitous ARPs",
        role: Role::Set(|r, s| {
            if let Some(n) = r.fits(s) {
                r.draft.defaults.garp.master_delay = Some(n);
            }
        }),
        ..ROW
    },
    Keyword {
        name: "vrrp_garp_master_repeat",
        arguments: integer(0, 4_294_967_295),
        default: "5",
        help: "rounds in a block",
        role: Role::Set(|r, s| {
            if let Some(n) = at_least_one(r, s) {
                r.draft.defaults.garp.master_repeat = Some(n);
            }
        }),
        ..ROW
    },
    Keyword {
        name: "vrrp_garp_master_refresh",
        arguments: integer(0, 4_294_967_295),
        default: "0",
        help: "seconds between later blocks; 0: none",
        role: Role::Set(|r, s| {
            r.draft.defaults.garp.master_refresh = Some(r.fits(s).unwrap_or(0));
        }),
        ..ROW
    },
    Keyword {
        name: "vrrp_garp_master_refresh_repeat",
        arguments: integer(0, 4_294_967_295),
        default: "1",
        help: "rounds in a later block",
        role: Role::Set(|r, s| {
            if let Some(n) = at_least_one(r, s) {
                r.draft.defaults.garp.master_refresh_repeat = Some(n);
            }
        }),
        ..ROW
    },
    Keyword {
        name: "vrrp_garp_lower_prio_delay",
        arguments: integer(0, 4294),
        default: "vrrp_garp_master_delay",
        help: "seconds from a lower-priority advert to the second block",
        role: Role::Set(|r, s| {
            if let Some(n) = r.fits(s) {
                r.draft.defaults.garp.lower_prio_delay = Some(n);
            }
        }),
        ..ROW
    },
    Keyword {
        name: "vrrp_garp_lower_prio_repeat",
        arguments: integer(0, 2_147_483_647),
        default: "vrrp_garp_master_repeat",
        help: "rounds in the blocks after a lower-priority advert",
        role: Role::Set(|r, s| {
            if let Some(n) = r.fits(s) {
                r.draft.defaults.garp.lower_prio_repeat = Some(n);
            }
        }),
        ..ROW
    },
    Keyword {
        name: "vrrp_garp_interval",
        arguments: decimal(1, 4_294_967_295, 6),
        default: "0",
        help: "least time between two gratuitous ARPs on an interface",
        role: Role::Set(|r, s| {
            if let Some(pause) = pause(r, s) {
                r.draft.defaults.garp_interval = pause;
            }
        }),
        ..ROW
    },
    Keyword {
        name: "vrrp_gna_interval",
        arguments: decimal(1, 4_294_967_295, 6),
        default: "0",
        help: "least time between two unsolicited neighbour advertisements on an interface",
        role: Role::Set(|r, s| {
            if let Some(pause) = pause(r, s) {
                r.draft.defaults.gna_interval = pause;
            }
        }),
        ..ROW
    },
    Keyword {
        name: "vrrp_min_garp",
        help: "announce an address once instead of ten times, where nothing else is said",
        role: Role::Set(|r, s| switch(r, s, |d| &mut d.defaults.min_garp)),
        ..SWITCH
    },
    Keyword {
        name: "vrrp_garp_extra_if",
        help: "seconds between announcements on the VMAC interfaces of addresses elsewhere; all: on every such interface",
        ..EXTRA
    },
    Keyword {
        name: "vrrp_vmac_garp_intvl",
        help: "an old spelling of vrrp_garp_extra_if",
        deprecated: Some("vrrp_garp_extra_if"),
        ..EXTRA
    },
];

/// Seconds with six decimals, not 0.
fn pause(reading: &mut Reading<'_>, statement: &Statement) -> Option<Duration> {
    let micros = reading.decimal(statement)?;
    if micros >= 1_000_000 {
        let message = format!(
            "{}: a second or more between two announcements is very long",
            statement.argument(0)
        );
        reading.complain(statement, 1, Diagnostic::note(message));
    }
    Some(Duration::from_micros(micros))
}

fn extra(reading: &mut Reading<'_>, statement: &Statement) {
    let all = statement.argument(1) == "all";
    let index = if all { 2 } else { 1 };
    let seconds = reading.number(statement, index, 1..=86_400, Garbage::Tolerated);
    if let Some(seconds) = seconds.and_then(|seconds| u64::try_from(seconds).ok()) {
        reading.draft.defaults.garp_extra_if = Some(ExtraGarp {
            every: Duration::from_secs(seconds),
            all,
        });
    }
}
