//! What concerns all virtual servers together.

use std::time::Duration;

use ::lvs::settings::global::FlushOnStop;

use crate::diagnostics::{Class, Diagnostic};
use crate::document::Statement;
use crate::read::{Garbage, Reading};

use super::super::arguments::{optional, strict_integer};
use super::firewall::table;
use super::{FLAG, Keyword, ROW, Role, SWITCH, switch, sync_daemon};

/// The kernel's limit: 31 days, in seconds.
const LONGEST_TIMEOUT: i64 = 2_678_400;

const FLUSH_ON_STOP: Keyword = Keyword {
    arguments: optional("[VS]"),
    default: "off",
    role: Role::Set(flush_on_stop),
    ..ROW
};

pub(in super::super) const KEYWORDS: &[Keyword] = &[
    Keyword {
        name: "lvs_timeouts",
        arguments: optional("[tcp SECONDS] [tcpfin SECONDS] [udp SECONDS]"),
        default: "the kernel's",
        help: "how long IPVS keeps idle connections; 0: as the kernel has it",
        role: Role::Set(timeouts),
        ..ROW
    },
    Keyword {
        name: "lvs_flush",
        help: "remove what IPVS holds at the start, whoever put it there",
        role: Role::Set(|r, _| r.draft.lvs_global.flush = true),
        ..FLAG
    },
    Keyword {
        name: "lvs_flush_on_stop",
        help: "empty IPVS at the end; VS: of our virtual servers only",
        ..FLUSH_ON_STOP
    },
    Keyword {
        name: "lvs_flush_onstop",
        help: "an old spelling of lvs_flush_on_stop",
        ..FLUSH_ON_STOP
    },
    Keyword {
        name: "lvs_sync_daemon",
        arguments: optional(
            "INTERFACE [[inst] INSTANCE] [id 0..255] [maxlen 1..65507] [port PORT] [ttl 1..255] [group ADDRESS]",
        ),
        default: "none",
        help: "share connections with another director",
        role: Role::Set(sync_daemon::set),
        ..ROW
    },
    Keyword {
        name: "nftables_ipvs",
        arguments: optional("[TABLE]"),
        default: "off; bare: keepalived_ipvs",
        help: "groups of virtual servers go by firewall marks that nftables sets, in this table",
        role: Role::Set(|r, s| {
            let given = r.draft.lvs_global.nftables.table.is_some();
            if let Some(name) = table(r, s, given, "keepalived_ipvs") {
                let nftables = &mut r.draft.lvs_global.nftables;
                nftables.table = Some(name);
                nftables.start_fwmark = 1000;
            }
        }),
        ..ROW
    },
    Keyword {
        name: "nftables_ipvs_priority",
        arguments: strict_integer(-2_147_483_648, 2_147_483_647),
        default: "-1",
        help: "the priority of that chain",
        role: Role::Set(|r, s| {
            if let Some(priority) = r.fits(s) {
                r.draft.lvs_global.nftables.priority = priority;
            }
        }),
        ..ROW
    },
    Keyword {
        name: "nftables_ipvs_start_fwmark",
        arguments: strict_integer(1, 4_294_967_295),
        default: "1000",
        help: "the first mark to give out; it stands after nftables_ipvs, which resets it",
        role: Role::Set(|r, s| {
            if let Some(mark) = r.fits(s) {
                r.draft.lvs_global.nftables.start_fwmark = mark;
            }
        }),
        ..ROW
    },
    Keyword {
        name: "rs_init_notifies",
        help: "a real server that comes up at the start runs its notify script",
        role: Role::Set(|r, s| switch(r, s, |d| &mut d.lvs_global.rs_init_notifies)),
        ..SWITCH
    },
    Keyword {
        name: "checker_log_all_failures",
        help: "log each failure of a check, not only the last one that counts",
        role: Role::Set(|r, s| switch(r, s, |d| &mut d.lvs_global.log_all_failures)),
        ..SWITCH
    },
];

fn timeouts(reading: &mut Reading<'_>, statement: &Statement) {
    if statement.len() < 3 {
        if !statement.is_damaged() {
            let diagnostic = Diagnostic::error(
                Class::General,
                "lvs_timeouts lacks its argument and is ignored",
            )
            .help("one or more of tcp SECONDS, tcpfin SECONDS, udp SECONDS")
            .keepalived("lvs_timeouts requires at least one option");
            reading.complain(statement, 0, diagnostic);
        }
        return;
    }
    let mut index = 1;
    while index < statement.len() {
        let option = statement.argument(index);
        let slot: fn(&mut ::lvs::settings::global::Timeouts) -> &mut Option<Duration> = match option
        {
            "tcp" => |timeouts| &mut timeouts.tcp,
            "tcpfin" => |timeouts| &mut timeouts.tcpfin,
            "udp" => |timeouts| &mut timeouts.udp,
            _ => {
                let diagnostic = Diagnostic::error(
                    Class::General,
                    format!("lvs_timeouts: unknown option '{option}' is ignored"),
                )
                .help("tcp, tcpfin or udp")
                .keepalived(format!(
                    "Unknown option {option} specified for lvs_timeouts"
                ));
                reading.complain(statement, index, diagnostic);
                index += 1;
                continue;
            }
        };
        if statement.word(index + 1).is_none() {
            let diagnostic = Diagnostic::error(
                Class::General,
                format!("lvs_timeouts: {option} lacks its seconds and is ignored"),
            )
            .keepalived(format!(
                "No value specified for lvs_timeout {option} - ignoring"
            ));
            reading.complain(statement, index, diagnostic);
            return;
        }
        let seconds = reading.number(statement, index + 1, 0..=LONGEST_TIMEOUT, Garbage::Refused);
        if let Some(seconds) = seconds.and_then(|seconds| u64::try_from(seconds).ok()) {
            *slot(&mut reading.draft.lvs_global.timeouts) =
                (seconds > 0).then(|| Duration::from_secs(seconds));
        }
        index += 2;
    }
}

fn flush_on_stop(reading: &mut Reading<'_>, statement: &Statement) {
    let flush = match statement.word(1) {
        None if statement.is_damaged() => return,
        None => FlushOnStop::Everything,
        Some("VS") => FlushOnStop::VirtualServers,
        Some(other) => {
            let name = statement.argument(0);
            let diagnostic = Diagnostic::error(
                Class::General,
                format!("{name}: '{other}' is not known; it is ignored"),
            )
            .help("nothing, or VS")
            .keepalived(format!("Unknown lvs_flush_on_stop type {other}"));
            reading.complain(statement, 1, diagnostic);
            return;
        }
    };
    reading.draft.lvs_global.flush_on_stop = flush;
}
