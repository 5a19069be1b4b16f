//! Keywords of `vrrp_instance` that change details: buffers, timers, mail, firewall, further interfaces.

use std::time::Duration;

use types::IfName;
use vrrp::settings::ExtraGarp;

use super::arguments::{SWITCH_WORD, noted, optional, required, strict_integer};
use super::{Keyword, PENDING, Role, pending};
use crate::diagnostics::{Class, Diagnostic};
use crate::document::Statement;
use crate::draft::At;
use crate::read::{Garbage, Reading};

const ROW: Keyword = Keyword {
    blocks: &["vrrp_instance"],
    pending: PENDING,
    ..super::ROW
};

/// Further interfaces, in either spelling.
const EXTRA_GARP: Keyword = Keyword {
    arguments: optional("[all] 0..86400"),
    default: "vrrp_garp_extra_if",
    help: "seconds between gratuitous ARPs on further macvlans, or on all further interfaces; 0: none",
    role: Role::Set(|r, s| {
        if let Some(extra) = extra_garp(r, s) {
            r.instance.garp_extra_if = Some(extra);
        }
    }),
    pending: None,
    ..ROW
};

/// A master that slept, in either spelling.
const TIMER_EXPIRED: Keyword = Keyword {
    arguments: strict_integer(1, 254).optional(),
    default: "off; 254 when bare",
    help: "with nopreempt: become backup after a sleep in which a router of this priority took over",
    role: Role::Set(|r, s| {
        let value = match s.word(1) {
            None => Some(254),
            Some(_) => r.fits(s),
        };
        if let Some(value) = value {
            r.instance.timer_expired_backup = Some(At {
                value,
                span: s.whole(),
            });
        }
    }),
    pending: None,
    ..ROW
};

pub(super) const KEYWORDS: &[Keyword] = &[
    Keyword {
        name: "track_src_ip",
        default: "off",
        help: "the loss of the configured source address is a fault",
        role: Role::Set(|r, _| r.instance.track_src_ip = true),
        pending: None,
        ..ROW
    },
    Keyword {
        name: "promote_secondaries",
        default: "off",
        help: "let the kernel promote secondary addresses on the interface",
        role: Role::Set(|r, s| r.instance.promote_secondaries = Some(s.whole())),
        pending: None,
        ..ROW
    },
    Keyword {
        name: "linkbeat_use_polling",
        default: "off",
        help: "ask for the interface's link every second",
        role: Role::Set(|r, _| r.instance.linkbeat_use_polling = true),
        deprecated: Some("linkbeat_interfaces"),
        pending: None,
        ..ROW
    },
    Keyword {
        name: "v3_checksum_as_v2",
        arguments: SWITCH_WORD,
        default: "that of global_defs",
        help: "leave the pseudo header out of VRRPv3 checksums over IPv4",
        role: Role::Set(|r, s| {
            if let Some(on) = r.boolean(s) {
                r.instance.v3_checksum_as_v2 = Some(on);
            }
        }),
        pending: None,
        ..ROW
    },
    Keyword {
        name: "accept",
        default: "on, unless strict_mode",
        help: "accept packets to the addresses of others",
        role: Role::Set(|r, s| accept(r, s, true)),
        pending: None,
        ..ROW
    },
    Keyword {
        name: "no_accept",
        default: "off, unless strict_mode",
        help: "refuse packets to the addresses of others, though we hold them",
        role: Role::Set(|r, s| accept(r, s, false)),
        pending: None,
        ..ROW
    },
    Keyword {
        blocks: &["vrrp_instance"],
        name: "smtp_alert",
        arguments: SWITCH_WORD,
        default: "smtp_alert_vrrp, else smtp_alert, else off",
        help: "mail changes of state",
        role: Role::Set(|r, s| {
            if let Some(on) = r.boolean(s) {
                r.instance.smtp_alert = Some(on);
            }
        }),
        pending: pending("no mail is sent"),
        ..ROW
    },
    Keyword {
        name: "lvs_sync_daemon_interface",
        arguments: required("INTERFACE"),
        default: "none",
        help: "the interface of the IPVS synchronisation that follows this instance",
        role: Role::Set(|r, s| {
            let name = &r.instance.name;
            if let Some(before) = &r.names.sync_daemon_interface {
                let message =
                    format!("lvs_sync_daemon_interface is {before} already; this one is ignored");
                let diagnostic = Diagnostic::warning(Class::General, message).keepalived(format!(
                    "({name}) lvs_sync_daemon_interface has already been specified as {before} - ignoring"
                ));
                r.complain(s, 1, diagnostic);
                return;
            }
            let text = s.argument(1);
            match IfName::new(text) {
                Ok(name) => {
                    if r.machine.interface(text).is_none() {
                        let message = format!("interface {text} does not exist");
                        r.complain(s, 1, Diagnostic::warning(Class::Uncounted, message));
                    }
                    r.names.sync_daemon_interface = Some(name);
                    r.instance.lvs_sync_daemon_interface = Some(name);
                }
                Err(error) => {
                    let diagnostic = Diagnostic::error(Class::Uncounted, error.to_string());
                    r.complain(s, 1, diagnostic);
                }
            }
        }),
        deprecated: Some("lvs_sync_daemon"),
        pending: None,
        ..ROW
    },
    Keyword {
        name: "timer_expired_backup",
        ..TIMER_EXPIRED
    },
    Keyword {
        name: "thread_timer_expired",
        deprecated: Some("timer_expired_backup"),
        ..TIMER_EXPIRED
    },
    Keyword {
        name: "garp_extra_if",
        ..EXTRA_GARP
    },
    Keyword {
        name: "vmac_garp_intvl",
        deprecated: Some("garp_extra_if"),
        ..EXTRA_GARP
    },
    Keyword {
        name: "kernel_rx_buf_size",
        arguments: noted("0..4294967295"),
        default: "the system's",
        help: "bytes of the receive buffer",
        role: Role::Set(|r, s| {
            if s.len() != 2 {
                let name = &r.instance.name;
                let diagnostic = Diagnostic::error(
                    Class::General,
                    "kernel_rx_buf_size wants exactly one number",
                )
                .keepalived(format!("({name}) invalid kernel_rx_buf_size specified"));
                r.complain(s, 0, diagnostic);
                return;
            }
            let range = 0..=i64::from(u32::MAX);
            if let Some(number) = r.number(s, 1, range, Garbage::Refused) {
                r.instance.kernel_rx_buf_size = u32::try_from(number).ok();
            }
        }),
        pending: None,
        ..ROW
    },
    Keyword {
        blocks: &["vrrp_sync_group"],
        name: "smtp_alert",
        arguments: SWITCH_WORD,
        default: "smtp_alert_vrrp, else smtp_alert, else off",
        help: "mail changes of the group's state",
        role: Role::Set(|r, s| {
            if let Some(on) = r.boolean(s) {
                r.group.smtp_alert = Some(on);
            }
        }),
        pending: pending("no mail is sent"),
        ..ROW
    },
];

/// The last one of `accept` and `no_accept` counts.
fn accept(reading: &mut Reading<'_>, statement: &Statement, value: bool) {
    reading.instance.accept = Some(At {
        value,
        span: statement.whole(),
    });
}

/// `[all] SECONDS`; `Some(None)`: switched off.
pub(super) fn extra_garp(
    reading: &mut Reading<'_>,
    statement: &Statement,
) -> Option<Option<ExtraGarp>> {
    let all = statement.argument(1) == "all";
    let index = 1 + usize::from(all);
    if statement.word(index).is_none() {
        let name = statement.argument(0);
        let diagnostic = Diagnostic::error(
            Class::General,
            format!("{name} lacks its time and is ignored"),
        )
        .help(format!("{name} [all] SECONDS"))
        .keepalived(format!("{name} specified without time - ignoring"));
        reading.complain(statement, 0, diagnostic);
        return None;
    }
    let seconds = reading.number(statement, index, 0..=86_400, Garbage::Tolerated)?;
    let seconds = u64::try_from(seconds).ok()?;
    let every = Duration::from_secs(seconds);
    Some((seconds > 0).then_some(ExtraGarp { every, all }))
}
