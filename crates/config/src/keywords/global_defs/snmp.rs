//! SNMP and D-Bus.

use std::time::Duration;

use crate::diagnostics::{Class, Diagnostic};

use super::super::arguments::{decimal, optional};
use super::{FLAG, Keyword, PENDING, ROW, Role, twice};

const INTERVAL: Keyword = Keyword {
    arguments: decimal(1_000, 30_000_000, 6),
    pending: PENDING,
    ..ROW
};

const VRRP: Keyword = Keyword {
    role: Role::Set(|r, _| r.draft.global.snmp.vrrp = true),
    pending: PENDING,
    ..FLAG
};

pub(in super::super) const KEYWORDS: &[Keyword] = &[
    Keyword {
        name: "snmp_socket",
        arguments: optional("ADDRESS"),
        default: "unix:/var/agentx/master",
        help: "where the master agent listens",
        role: Role::Set(|r, s| {
            if s.len() > 2 {
                let message = "snmp_socket takes one address; it is ignored";
                let diagnostic = Diagnostic::error(Class::General, message)
                    .keepalived("Too many parameters specified for snmp_socket - ignoring");
                r.complain(s, 2, diagnostic);
            } else if r.draft.global.snmp.socket.is_some() {
                twice(r, s);
            } else if let Some(address) = r.text(s, 1) {
                r.draft.global.snmp.socket = Some(address);
            }
        }),
        pending: PENDING,
        ..ROW
    },
    Keyword {
        name: "enable_traps",
        help: "send traps",
        role: Role::Set(|r, _| r.draft.global.snmp.traps = true),
        pending: PENDING,
        ..FLAG
    },
    Keyword {
        name: "enable_snmp_vrrp",
        help: "serve the VRRP part of keepalived's own MIB",
        ..VRRP
    },
    Keyword {
        name: "enable_snmp_keepalived",
        help: "an old spelling of enable_snmp_vrrp",
        ..VRRP
    },
    Keyword {
        name: "enable_snmp_checker",
        help: "serve the part of keepalived's own MIB about virtual servers",
        role: Role::Set(|r, _| r.draft.global.snmp.checker = true),
        pending: PENDING,
        ..FLAG
    },
    Keyword {
        name: "enable_snmp_rfc",
        help: "serve the MIBs of RFC 2787 and RFC 6527",
        role: Role::Set(|r, _| {
            r.draft.global.snmp.rfc2787 = true;
            r.draft.global.snmp.rfc6527 = true;
        }),
        pending: PENDING,
        ..FLAG
    },
    Keyword {
        name: "enable_snmp_rfcv2",
        help: "serve the MIB of RFC 2787 (VRRPv2)",
        role: Role::Set(|r, _| r.draft.global.snmp.rfc2787 = true),
        pending: PENDING,
        ..FLAG
    },
    Keyword {
        name: "enable_snmp_rfcv3",
        help: "serve the MIB of RFC 6527 (VRRPv3)",
        role: Role::Set(|r, _| r.draft.global.snmp.rfc6527 = true),
        pending: PENDING,
        ..FLAG
    },
    Keyword {
        name: "snmp_vs_stats_update_interval",
        default: "5",
        help: "least seconds between two reads of the counters of virtual servers",
        role: Role::Set(|r, s| {
            if let Some(micros) = r.decimal(s) {
                r.draft.global.snmp.virtual_server_interval = Duration::from_micros(micros);
            }
        }),
        ..INTERVAL
    },
    Keyword {
        name: "snmp_rs_stats_update_interval",
        default: "snmp_vs_stats_update_interval",
        help: "least seconds between two reads of the counters of real servers",
        role: Role::Set(|r, s| {
            if let Some(micros) = r.decimal(s) {
                r.draft.globals.snmp_rs_interval = Some(Duration::from_micros(micros));
            }
        }),
        ..INTERVAL
    },
    Keyword {
        name: "enable_dbus",
        help: "offer the D-Bus service",
        role: Role::Set(|r, _| r.draft.global.dbus.enabled = true),
        pending: PENDING,
        ..FLAG
    },
    Keyword {
        name: "dbus_service_name",
        arguments: optional("NAME"),
        default: "org.keepalived.Vrrp1",
        help: "the name on the bus",
        role: Role::Set(|r, s| {
            if let Some(name) = r.text(s, 1) {
                r.draft.global.dbus.service_name = name;
            }
        }),
        pending: PENDING,
        ..ROW
    },
    Keyword {
        name: "dbus_no_interface_name",
        arguments: optional("NAME"),
        default: "none",
        help: "stands for the interface in the paths of instances that have none",
        role: Role::Set(|r, s| {
            if let Some(name) = r.text(s, 1) {
                r.draft.global.dbus.no_interface_name = Some(name);
            }
        }),
        pending: PENDING,
        ..ROW
    },
];
