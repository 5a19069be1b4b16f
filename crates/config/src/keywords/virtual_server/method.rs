//! `NAT`, `DR` and `TUN` with its options.

use lvs::settings::{Forwarding, GueChecksum, Tunnel};

use crate::diagnostics::{Class, Diagnostic};
use crate::document::Statement;
use crate::keywords::arguments::{Arguments, required};
use crate::read::{Garbage, Reading};

/// What stands behind the keywords that take a forwarding method.
pub(in crate::keywords) const METHOD: Arguments =
    required("NAT|DR|TUN [type ipip|gue|gre] [port PORT] [nocsum|csum|remcsum]");

/// The forwarding method that is written; `None`: the word is no method, which was reported: what held before holds on.
///
/// With bad options it is a plain tunnel, as in keepalived.
pub(in crate::keywords) fn method(
    reading: &mut Reading<'_>,
    statement: &Statement,
) -> Option<Forwarding> {
    let method = match statement.argument(1) {
        "NAT" => Forwarding::Nat,
        "DR" => Forwarding::DirectRouting,
        "TUN" => Forwarding::Tunnel(Tunnel::Ipip),
        other => {
            let name = statement.argument(0);
            let message = format!("{name}: there is no forwarding method '{other}'; it is ignored");
            let help = match other.to_ascii_uppercase().as_str() {
                known @ ("NAT" | "DR" | "TUN") => format!("did you mean '{known}'?"),
                upper => match crate::suggest::nearest(upper, ["NAT", "DR", "TUN"].into_iter()) {
                    Some(near) => format!("did you mean '{near}'?"),
                    None => "NAT, DR or TUN".to_owned(),
                },
            };
            let diagnostic = Diagnostic::error(Class::General, message)
                .help(help)
                .keepalived(format!("unknown [{other}] routing method"));
            reading.complain(statement, 1, diagnostic);
            return None;
        }
    };
    // keepalived judges the options of every method.
    let tunnel = tunnel(reading, statement);
    if let Forwarding::Tunnel(_) = method {
        return Some(Forwarding::Tunnel(tunnel.unwrap_or(Tunnel::Ipip)));
    }
    if let (Some(word), Some(_)) = (statement.word(2), tunnel) {
        let message = format!("'{word}' is passed over: only TUN has options");
        reading.complain(statement, 2, Diagnostic::warning(Class::Uncounted, message));
    }
    Some(method)
}

/// The options of a tunnel, in any order. A bad one is reported; all of them are then ignored.
fn tunnel(reading: &mut Reading<'_>, statement: &Statement) -> Option<Tunnel> {
    let mut kind = "ipip";
    let mut port = None;
    let mut checksum = ("nocsum", 0);
    let mut index = 2;
    while let Some(word) = statement.word(index) {
        match word {
            "type" => {
                index += 1;
                kind = match statement.word(index) {
                    Some(kind @ ("ipip" | "gue" | "gre")) => kind,
                    Some(other) => {
                        let message = format!("there is no tunnel type '{other}'");
                        return refuse(reading, statement, index, message, "ipip, gue or gre");
                    }
                    None => {
                        let message = "'type' lacks the type of the tunnel".to_owned();
                        return refuse(reading, statement, index - 1, message, "ipip, gue or gre");
                    }
                };
            }
            "port" => {
                index += 1;
                if statement.word(index).is_none() {
                    let message = "'port' lacks its number".to_owned();
                    return refuse(reading, statement, index - 1, message, "1 to 65535");
                }
                let number = reading.number(statement, index, 1..=65535, Garbage::Refused)?;
                port = Some((u16::try_from(number).ok()?, index));
            }
            "nocsum" | "csum" | "remcsum" => checksum = (word, index),
            other => {
                let message = format!("there is no tunnel option '{other}'");
                let help = "type, port, nocsum, csum or remcsum";
                return refuse(reading, statement, index, message, help);
            }
        }
        index += 1;
    }
    let (checksum, at) = checksum;
    match (kind, port, checksum) {
        ("gue", None, _) => {
            let message = "a gue tunnel needs a port".to_owned();
            refuse(reading, statement, 1, message, "TUN type gue port PORT")
        }
        ("gue", Some((port, _)), checksum) => Some(Tunnel::Gue {
            port,
            checksum: match checksum {
                "csum" => GueChecksum::Full,
                "remcsum" => GueChecksum::Remote,
                _ => GueChecksum::None,
            },
        }),
        (_, Some((_, at)), _) => {
            let message = format!("a {kind} tunnel has no port");
            refuse(reading, statement, at, message, "only type gue has one")
        }
        ("gre", None, "remcsum") => {
            let message = "a gre tunnel has no remote checksum".to_owned();
            refuse(reading, statement, at, message, "csum or nocsum")
        }
        ("gre", None, checksum) => Some(Tunnel::Gre {
            checksum: checksum == "csum",
        }),
        (_, None, "csum" | "remcsum") => {
            let message = "an ipip tunnel has no checksum".to_owned();
            refuse(reading, statement, at, message, "only gue and gre have one")
        }
        (_, None, _) => Some(Tunnel::Ipip),
    }
}

fn refuse(
    reading: &mut Reading<'_>,
    statement: &Statement,
    index: usize,
    message: String,
    help: &str,
) -> Option<Tunnel> {
    let message = match statement.argument(1) {
        "TUN" => format!("{message}; a plain ipip tunnel is used"),
        _ => message,
    };
    let diagnostic = Diagnostic::error(Class::General, message).help(help);
    reading.complain(statement, index, diagnostic);
    None
}
