//! Alerts by mail.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use crate::diagnostics::{Class, Diagnostic};
use crate::document::Statement;
use crate::read::{Garbage, Reading};
use crate::settings::global::{Mail, MailServer};

use super::super::arguments::{integer, noted, optional, required};
use super::{FLAG, Keyword, PENDING, ROW, Role, SWITCH, pending, switch};

/// The port of SMTP.
const PORT: u16 = 25;
/// How many host names one configuration may look up: each may take the resolver's whole patience.
const MOST_LOOKUPS: u8 = 8;

const ALERT: Keyword = Keyword {
    default: "unset",
    pending: pending("no mail is sent"),
    ..SWITCH
};

pub(in super::super) const KEYWORDS: &[Keyword] = &[
    Keyword {
        name: "smtp_server",
        arguments: required("ADDRESS|HOST [PORT]"),
        default: "none; port 25",
        help: "the mail relay that alerts go to; a name is looked up when the file is read",
        role: Role::Set(server),
        pending: pending("no mail is sent"),
        ..ROW
    },
    Keyword {
        name: "smtp_helo_name",
        arguments: optional("NAME"),
        default: "the host name",
        help: "what the relay is greeted with",
        role: Role::Set(|r, s| {
            // keepalived has no word for its absence.
            if s.word(1).is_some()
                && let Some(name) = r.text(s, 1)
            {
                r.draft.global.mail.helo_name = Some(name);
            }
        }),
        pending: PENDING,
        ..ROW
    },
    Keyword {
        name: "smtp_connect_timeout",
        arguments: integer(0, 4294),
        default: "30",
        help: "seconds that a connection to the relay may take to come about",
        role: Role::Set(|r, s| {
            let Some(seconds) = r.fits::<u64>(s) else {
                return;
            };
            if seconds == 0 {
                let diagnostic =
                    Diagnostic::warning(Class::General, "smtp_connect_timeout: 0 becomes 1")
                        .keepalived("smtp_conect_timeout must be greater than 0, setting to 1");
                r.complain(s, 1, diagnostic);
            }
            r.draft.global.mail.connect_timeout = Duration::from_secs(seconds.max(1));
        }),
        pending: PENDING,
        ..ROW
    },
    Keyword {
        name: "notification_email_from",
        arguments: optional("ADDRESS"),
        default: "the daemon's user at the host name",
        help: "the sender of alerts; a display name stands between double quotes together with its address",
        role: Role::Set(|r, s| {
            let Some(text) = r.text(s, 1) else { return };
            if s.len() > 2 {
                let message = format!(
                    "notification_email_from: only '{text}' counts, what follows is ignored"
                );
                let diagnostic = Diagnostic::warning(Class::General, message)
                    .help("put the name and the address between one pair of double quotes");
                r.complain(s, 2, diagnostic);
            }
            r.draft.global.mail.from = Some(mailbox(&text));
        }),
        pending: PENDING,
        ..ROW
    },
    Keyword {
        name: "notification_email",
        arguments: noted("{ ADDRESS ... }"),
        help: "whom alerts go to",
        role: Role::NamedList {
            open: |_, _| true,
            entry: |r, s| {
                for index in 0..s.len() {
                    if let Some(text) = r.text(s, index) {
                        r.draft.global.mail.to.push(mailbox(&text));
                    }
                }
            },
            close: |r, s| {
                if s.block().is_empty() {
                    let message = "notification_email names nobody";
                    let diagnostic = Diagnostic::warning(Class::General, message)
                        .help("notification_email { ADDRESS ... }")
                        .keepalived("Warning - empty notification_email block");
                    r.complain(s, 0, diagnostic);
                }
            },
        },
        pending: pending("no mail is sent"),
        ..ROW
    },
    Keyword {
        name: "smtp_alert",
        help: "alerts for everything that says nothing else",
        role: Role::Set(|r, s| alert(r, s, |mail| &mut mail.alert)),
        ..ALERT
    },
    Keyword {
        name: "smtp_alert_vrrp",
        default: "smtp_alert",
        help: "alerts for instances and sync groups that say nothing else",
        role: Role::Set(|r, s| alert(r, s, |mail| &mut mail.alert_vrrp)),
        ..ALERT
    },
    Keyword {
        name: "smtp_alert_checker",
        default: "smtp_alert",
        help: "alerts for virtual and real servers that say nothing else",
        role: Role::Set(|r, s| alert(r, s, |mail| &mut mail.alert_checker)),
        ..ALERT
    },
    Keyword {
        name: "no_email_faults",
        help: "no alert says that an instance has a fault",
        role: Role::Set(|r, _| r.draft.global.mail.no_faults = true),
        pending: PENDING,
        ..FLAG
    },
    Keyword {
        name: "no_checker_emails",
        help: "alerts tell of real servers as wholes, not of their single checkers",
        role: Role::Set(|r, s| switch(r, s, |d| &mut d.global.mail.no_checkers)),
        pending: PENDING,
        ..SWITCH
    },
];

fn alert(
    reading: &mut Reading<'_>,
    statement: &Statement,
    slot: fn(&mut Mail) -> &mut Option<bool>,
) {
    if let Some(on) = reading.boolean(statement) {
        *slot(&mut reading.draft.global.mail) = Some(on);
    }
}

/// One that cannot be used takes the place of an earlier one: there is none then.
fn server(reading: &mut Reading<'_>, statement: &Statement) {
    reading.draft.global.mail.server = None;
    let Some(host) = reading.text(statement, 1) else {
        return;
    };
    let port = match statement.word(2) {
        None => PORT,
        Some(_) => {
            let number = reading.number(statement, 2, 1..=65535, Garbage::Tolerated);
            match number.and_then(|port| u16::try_from(port).ok()) {
                Some(port) => port,
                None => return,
            }
        }
    };
    let Some(address) = host.parse().ok().or_else(|| look_up(reading, &host)) else {
        let message = format!("smtp_server: there is no host '{host}'");
        let diagnostic = Diagnostic::error(Class::General, message)
            .help("no mail is sent; give an address, or a name that this machine can resolve")
            .keepalived(format!("Invalid smtp server {host} {port}"));
        reading.complain(statement, 1, diagnostic);
        return;
    };
    reading.draft.global.mail.server = Some(MailServer {
        host,
        address: SocketAddr::new(address, port),
    });
}

fn look_up(reading: &mut Reading<'_>, host: &str) -> Option<IpAddr> {
    let lookups = &mut reading.draft.globals.lookups;
    if host.is_empty() || *lookups >= MOST_LOOKUPS {
        return None;
    }
    *lookups += 1;
    reading.machine.resolve_host(host)
}

/// A mailbox as it stands in a header: a display name with special characters between quotes (RFC 5322 3.2.3, 3.4).
fn mailbox(text: &str) -> String {
    let text = text.trim();
    let Some((name, address)) = text
        .rsplit_once('<')
        .filter(|(_, address)| address.ends_with('>'))
    else {
        return text.to_owned();
    };
    let name = name.trim_end();
    let is_atom = |c: char| {
        c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~ \t".contains(c) || !c.is_ascii()
    };
    let is_quoted = name.len() > 1 && name.starts_with('"') && name.ends_with('"');
    if is_quoted || name.chars().all(is_atom) {
        return text.to_owned();
    }
    let escaped = name.replace('\\', r"\\").replace('"', "\\\"");
    format!("\"{escaped}\" <{address}")
}

#[cfg(test)]
mod tests {
    use super::mailbox;

    #[test]
    fn display_names_are_quoted_where_they_must() {
        for (text, expected) in [
            ("a@example.com", "a@example.com"),
            ("<a@example.com>", "<a@example.com>"),
            ("Some One <a@example.com>", "Some One <a@example.com>"),
            ("J. Doe <j@example.com>", "\"J. Doe\" <j@example.com>"),
            ("\"J. Doe\" <j@example.com>", "\"J. Doe\" <j@example.com>"),
            ("a\"b\\c <j@example.com>", "\"a\\\"b\\\\c\" <j@example.com>"),
            ("no bracket> a", "no bracket> a"),
            ("", ""),
        ] {
            assert_eq!(mailbox(text), expected);
        }
    }
}
