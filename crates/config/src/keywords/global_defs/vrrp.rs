//! Defaults of all instances, and what concerns the VRRP core as a whole.

use std::net::IpAddr;
use std::time::Duration;

use types::{Family, Version};

use crate::diagnostics::{Class, Diagnostic};
use crate::document::Statement;
use crate::read::Reading;

use super::super::arguments::{decimal, integer, required};
use super::super::vrrp_instance::is_group;
use super::{FLAG, Keyword, ROW, Role, SWITCH, switch};

const DELAY: Keyword = Keyword {
    arguments: decimal(1_000, 4_294_967_295, 6),
    default: "0",
    ..ROW
};

pub(in super::super) const KEYWORDS: &[Keyword] = &[
    Keyword {
        name: "vrrp_version",
        arguments: integer(2, 3),
        default: "2",
        help: "the version of IPv4 instances that name none",
        role: Role::Set(|r, s| {
            r.draft.defaults.version = match r.fits(s) {
                Some(2_u8) => Some(Version::V2),
                Some(_) => Some(Version::V3),
                None => r.draft.defaults.version,
            };
        }),
        ..ROW
    },
    Keyword {
        name: "vrrp_strict",
        help: "strict_mode of instances that do not say",
        role: Role::Set(|r, s| switch(r, s, |d| &mut d.defaults.strict)),
        ..SWITCH
    },
    Keyword {
        name: "vrrp_down_timer_adverts",
        arguments: integer(1, 100),
        default: "3",
        help: "how many intervals of silence make a master dead",
        role: Role::Set(|r, s| {
            if let Some(n) = r.fits(s) {
                r.draft.defaults.down_timer_adverts = Some(n);
            }
        }),
        ..ROW
    },
    Keyword {
        name: "vrrp_mcast_group4",
        arguments: required("ADDRESS"),
        default: "224.0.0.18",
        help: "the IPv4 group that adverts are sent to",
        role: Role::Set(|r, s| {
            if let Some(address) = group(r, s, Family::V4) {
                r.draft.defaults.group4 = Some(address);
            }
        }),
        ..ROW
    },
    Keyword {
        name: "vrrp_mcast_group6",
        arguments: required("ADDRESS"),
        default: "ff02::12",
        help: "the IPv6 group that adverts are sent to",
        role: Role::Set(|r, s| {
            if let Some(address) = group(r, s, Family::V6) {
                if !is_group(address, true) {
                    let message = format!(
                        "vrrp_mcast_group6: {address} is not of link scope (ff02::...); it is used"
                    );
                    r.complain(s, 1, Diagnostic::warning(Class::General, message));
                }
                r.draft.defaults.group6 = Some(address);
            }
        }),
        ..ROW
    },
    Keyword {
        name: "vrrp_lower_prio_no_advert",
        help: "do not answer adverts of lower priority",
        role: Role::Set(|r, s| switch(r, s, |d| &mut d.defaults.lower_prio_no_advert)),
        ..SWITCH
    },
    Keyword {
        name: "vrrp_higher_prio_send_advert",
        help: "as master, answer an advert of higher priority before giving way",
        role: Role::Set(|r, s| switch(r, s, |d| &mut d.defaults.higher_prio_send_advert)),
        ..SWITCH
    },
    Keyword {
        name: "vrrp_owner_ignore_adverts",
        help: "owners pay no attention to adverts",
        role: Role::Set(|r, s| switch(r, s, |d| &mut d.defaults.owner_ignore_adverts)),
        ..SWITCH
    },
    Keyword {
        name: "vrrp_skip_check_adv_addr",
        help: "compare advertised addresses only when the master changes",
        role: Role::Set(|r, s| switch(r, s, |d| &mut d.defaults.skip_check_adv_addr)),
        ..SWITCH
    },
    Keyword {
        name: "vrrp_check_unicast_src",
        help: "unicast adverts count only when a peer sent them",
        role: Role::Set(|r, _| r.draft.defaults.check_unicast_src = true),
        pending: None,
        ..FLAG
    },
    Keyword {
        name: "v3_checksum_as_v2",
        help: "checksums of VRRPv3 over IPv4 leave out the pseudo header, where an instance says nothing else",
        role: Role::Set(|r, _| r.draft.defaults.v3_checksum_as_v2 = true),
        pending: None,
        ..FLAG
    },
    Keyword {
        name: "vrrp_startup_delay",
        help: "seconds from the start until instances begin",
        role: Role::Set(|r, s| {
            if let Some(micros) = r.decimal(s) {
                r.draft.vrrp_global.startup_delay = Duration::from_micros(micros);
            }
        }),
        ..DELAY
    },
    Keyword {
        name: "vrrp_delay_after_boot",
        help: "seconds that the machine must have been up before instances begin",
        role: Role::Set(|r, s| {
            if let Some(micros) = r.decimal(s) {
                r.draft.vrrp_global.delay_after_boot = Duration::from_micros(micros);
            }
        }),
        ..DELAY
    },
];

fn group(reading: &mut Reading<'_>, statement: &Statement, family: Family) -> Option<IpAddr> {
    let address = reading.address(statement)?;
    if Family::of(address) == family && is_group(address, false) {
        return Some(address);
    }
    let message = format!(
        "{}: {address} is not an {family} multicast address",
        statement.argument(0)
    );
    reading.complain(statement, 1, Diagnostic::error(Class::General, message));
    None
}
