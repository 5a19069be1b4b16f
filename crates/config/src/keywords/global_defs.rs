//! `global_defs { ... }`.

use std::net::IpAddr;
use std::time::Duration;

use types::{Family, Version};

use super::arguments::{SWITCH_WORD, decimal, integer, optional};
use super::vrrp_instance::{at_least_one, is_group};
use super::{Keyword, Role};
use crate::diagnostics::{Class, Diagnostic};
use crate::document::Statement;
use crate::draft::{Draft, ScriptUser};
use crate::read::{Garbage, Reading};

const ROW: Keyword = Keyword {
    blocks: &["global_defs"],
    ..super::ROW
};

/// A switch that means on when bare.
const SWITCH: Keyword = Keyword {
    arguments: SWITCH_WORD,
    default: "off",
    ..ROW
};

/// A task name of the kernel.
const LONGEST_PROCESS_NAME: usize = 15;

pub(super) const KEYWORDS: &[Keyword] = &[
    Keyword {
        name: "router_id",
        arguments: optional("NAME"),
        default: "the host name",
        help: "what this node calls itself",
        role: Role::Set(|r, s| {
            if let Some(name) = r.text(s, 1) {
                r.draft.global.router_id = Some(name);
            }
        }),
        ..ROW
    },
    Keyword {
        name: "enable_script_security",
        default: "off",
        help: "a script that somebody but root could change does not run as root",
        role: Role::Set(|r, _| r.draft.global.enable_script_security = true),
        ..ROW
    },
    Keyword {
        name: "script_user",
        arguments: optional("USER [[:]GROUP]"),
        default: "keepalived_script if that user exists, else the daemon's own",
        help: "whom scripts run as that name no user",
        role: Role::Set(script_user),
        ..ROW
    },
    Keyword {
        name: "set_supplementary_groups",
        help: "scripts get the supplementary groups of their user",
        role: Role::Set(|r, s| switch(r, s, |d| &mut d.set_supplementary_groups)),
        ..SWITCH
    },
    Keyword {
        name: "use_symlink_paths",
        help: "run scripts by the path as written, without following links",
        role: Role::Set(|r, s| switch(r, s, |d| &mut d.use_symlink_paths)),
        ..SWITCH
    },
    Keyword {
        name: "process_name",
        arguments: optional("NAME"),
        default: "keepalived",
        help: "the task name of the parent",
        role: Role::Set(|r, s| {
            if let Some(name) = process_name(r, s) {
                r.draft.global.process_name = Some(name);
            }
        }),
        ..ROW
    },
    Keyword {
        name: "process_names",
        default: "keepalived for all",
        help: "the children are called keepalived_vrrp and so on",
        role: Role::Set(|r, _| {
            r.draft
                .global
                .vrrp_process_name
                .get_or_insert_with(|| "keepalived_vrrp".to_owned());
        }),
        ..ROW
    },
    Keyword {
        name: "vrrp_process_name",
        arguments: optional("NAME"),
        default: "keepalived",
        help: "the task name of the VRRP child",
        role: Role::Set(|r, s| {
            if let Some(name) = process_name(r, s) {
                r.draft.global.vrrp_process_name = Some(name);
            }
        }),
        ..ROW
    },
    Keyword {
        name: "umask",
        arguments: optional("MODE | BIT[|BIT...]"),
        default: "0177",
        help: "permission bits that files are made without",
        role: Role::Set(umask),
        ..ROW
    },
    Keyword {
        name: "dynamic_interfaces",
        arguments: optional("[allow_if_changes]"),
        default: "off",
        help: "wait for interfaces that do not exist yet",
        role: Role::Set(|r, s| {
            r.draft.global.dynamic_interfaces = true;
            match s.word(1) {
                None => {}
                Some("allow_if_changes") => {
                    let message = "'allow_if_changes' is a keyword of keepalived that evervip does not act on yet";
                    r.complain(s, 1, Diagnostic::warning(Class::Pending, message));
                }
                Some(other) => {
                    let message =
                        format!("dynamic_interfaces: unknown option '{other}' is ignored");
                    r.complain(
                        s,
                        1,
                        Diagnostic::error(Class::General, message).help("allow_if_changes"),
                    );
                }
            }
        }),
        ..ROW
    },
    Keyword {
        name: "json_version",
        arguments: integer(1, 2).optional(),
        default: "1",
        help: "the format of JSON dumps",
        role: Role::Set(|r, s| {
            if let Some(version) = r.fits(s) {
                r.draft.global.json_version = version;
            }
        }),
        ..ROW
    },
    Keyword {
        name: "log_unknown_vrids",
        default: "off",
        help: "log adverts of virtual routers that are not configured",
        role: Role::Set(|r, _| r.draft.global.log_unknown_vrids = true),
        ..ROW
    },
    Keyword {
        name: "include_check",
        arguments: optional("[[+|-]read|match|wildcard_match|brace_match ...]"),
        default: "none",
        help: "which mistakes in include lines stop the daemon",
        // The reader acts on it where it stands; here only the words are judged.
        role: Role::Set(|r, s| {
            for (index, word) in s.words().enumerate().skip(1) {
                let name = word.trim_start_matches(['+', '-']);
                if !matches!(name, "read" | "match" | "wildcard_match" | "brace_match") {
                    let message = format!("include_check: unknown check '{name}' is ignored");
                    let help = "read, match, wildcard_match or brace_match";
                    r.complain(
                        s,
                        index,
                        Diagnostic::error(Class::General, message).help(help),
                    );
                }
            }
        }),
        ..ROW
    },
    Keyword {
        name: "random_seed",
        arguments: optional("NUMBER"),
        help: "no effect, as in keepalived 2.4.3",
        ..ROW
    },
    Keyword {
        name: "default_interface",
        arguments: optional("INTERFACE"),
        default: "eth0",
        help: "where static addresses go that name no interface",
        // Whether it exists is judged where a static address needs it.
        role: Role::Set(|r, s| {
            if let Some(name) = r.text(s, 1) {
                r.draft.defaults.default_interface = Some(name);
            }
        }),
        ..ROW
    },
    Keyword {
        name: "iproute_usr_dir",
        arguments: optional("DIRECTORY"),
        default: "/usr/lib/iproute2 and /usr/share/iproute2",
        help: "the distribution's names of routing tables, protocols, scopes and the like",
        role: Role::Set(|r, s| {
            if let Some(directory) = super::statics::directory(r, s) {
                r.draft.global.iproute_usr_dir = Some(directory);
            }
        }),
        ..ROW
    },
    Keyword {
        name: "iproute_etc_dir",
        arguments: optional("DIRECTORY"),
        default: "/etc/iproute2",
        help: "the administrator's names of the same, which win",
        role: Role::Set(|r, s| {
            if let Some(directory) = super::statics::directory(r, s) {
                r.draft.global.iproute_etc_dir = Some(directory);
            }
        }),
        ..ROW
    },
    Keyword {
        name: "vrrp_version",
        arguments: optional("2|3"),
        default: "2",
        help: "the version of IPv4 instances that name none",
        role: Role::Set(|r, s| {
            r.draft.defaults.version = match r.number(s, 1, 2..=3, Garbage::Tolerated) {
                Some(2) => Some(Version::V2),
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
        name: "vrrp_garp_master_delay",
        arguments: integer(0, 4294).optional(),
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
        arguments: integer(0, 4_294_967_295).optional(),
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
        arguments: integer(0, 4_294_967_295).optional(),
        default: "0",
        help: "seconds between later blocks; 0: none",
        role: Role::Set(|r, s| {
            r.draft.defaults.garp.master_refresh = Some(r.fits(s).unwrap_or(0));
        }),
        ..ROW
    },
    Keyword {
        name: "vrrp_garp_master_refresh_repeat",
        arguments: integer(0, 4_294_967_295).optional(),
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
        arguments: integer(0, 4294).optional(),
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
        arguments: integer(0, 2_147_483_647).optional(),
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
        arguments: decimal(1, 4_294_967_295, 6).optional(),
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
        arguments: decimal(1, 4_294_967_295, 6).optional(),
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
        name: "vrrp_down_timer_adverts",
        arguments: integer(1, 100).optional(),
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
        arguments: optional("ADDRESS"),
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
        arguments: optional("ADDRESS"),
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
        name: "vrrp_notify_priority_changes",
        help: "announce changes of priorities",
        role: Role::Set(|r, s| switch(r, s, |d| &mut d.defaults.notify_priority_changes)),
        ..SWITCH
    },
];

fn switch(reading: &mut Reading<'_>, statement: &Statement, slot: fn(&mut Draft) -> &mut bool) {
    if let Some(on) = reading.boolean(statement) {
        *slot(&mut reading.draft) = on;
    }
}

fn script_user(reading: &mut Reading<'_>, statement: &Statement) {
    if reading.required(statement, 1).is_none() {
        return;
    }
    let found = reading.user(statement.argument(1), statement.word(2));
    reading.draft.script_user = match found {
        Ok(user) => ScriptUser::Named(user),
        Err(unknown) => {
            let diagnostic = Diagnostic::error(
                Class::General,
                format!("script_user: there is no user or group '{unknown}'"),
            )
            .help("scripts that name no user of their own are removed")
            .keepalived("Error setting global script uid/gid");
            reading.complain(statement, 1, diagnostic);
            ScriptUser::Unknown
        }
    };
}

fn process_name(reading: &mut Reading<'_>, statement: &Statement) -> Option<String> {
    let mut name = reading.text(statement, 1)?;
    if name.len() > LONGEST_PROCESS_NAME {
        let message = format!(
            "{}: '{name}' is cut to {LONGEST_PROCESS_NAME} bytes",
            statement.argument(0)
        );
        reading.complain(statement, 1, Diagnostic::warning(Class::General, message));
        name.truncate(crate::bytes::boundary(&name, LONGEST_PROCESS_NAME));
    }
    Some(name)
}

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

/// A number in C's notation, or names of bits.
fn umask(reading: &mut Reading<'_>, statement: &Statement) {
    let Some(first) = reading.required(statement, 1) else {
        return;
    };
    let mode = if first.starts_with(|c: char| c.is_ascii_digit()) {
        c_number(first).filter(|mode| *mode <= 0o777)
    } else {
        let text: String = statement.words().skip(1).collect();
        text.split('|')
            .try_fold(0, |mode, name| bit(name.trim()).map(|bit| mode | bit))
    };
    match mode {
        Some(mode) => reading.draft.global.umask = mode,
        None => {
            let diagnostic =
                Diagnostic::error(Class::General, format!("umask '{first}' is not valid"))
                    .help("0 to 0777, or names of bits such as IRWXG|IRWXO");
            reading.complain(statement, 1, diagnostic);
        }
    }
}

fn c_number(text: &str) -> Option<u32> {
    if let Some(digits) = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        return u32::from_str_radix(digits, 16).ok();
    }
    u32::from_str_radix(text, if text.starts_with('0') { 8 } else { 10 }).ok()
}

/// `IRUSR`, `IRWXG` and their kin (as in <sys/stat.h>).
fn bit(name: &str) -> Option<u32> {
    Some(match name {
        "IRUSR" => 0o400,
        "IWUSR" => 0o200,
        "IXUSR" => 0o100,
        "IRWXU" => 0o700,
        "IRGRP" => 0o040,
        "IWGRP" => 0o020,
        "IXGRP" => 0o010,
        "IRWXG" => 0o070,
        "IROTH" => 0o004,
        "IWOTH" => 0o002,
        "IXOTH" => 0o001,
        "IRWXO" => 0o007,
        _ => return None,
    })
}
