//! `authentication { auth_type PASS|AH; auth_pass STRING }` (RFC 2338 5.3.6).

use super::arguments::required;
use super::{Keyword, Role};
use crate::bytes;
use crate::diagnostics::{Class, Diagnostic};
use crate::draft::{At, AuthType};

const ROW: Keyword = Keyword {
    blocks: &["vrrp_instance/authentication"],
    ..super::ROW
};

/// A simple password is eight bytes on the wire.
const LONGEST: usize = 8;

pub(super) const KEYWORDS: &[Keyword] = &[
    Keyword {
        name: "auth_type",
        arguments: required("PASS|AH"),
        help: "how adverts of version 2 are authenticated",
        role: Role::Set(|r, s| {
            let value = match s.argument(1) {
                "PASS" => AuthType::Pass,
                "AH" => AuthType::Ah,
                other => {
                    let diagnostic = Diagnostic::error(
                        Class::General,
                        format!("unknown auth_type '{other}' is ignored"),
                    )
                    .help("PASS or AH, in capitals")
                    .keepalived(format!("unknown authentication type '{other}'"));
                    r.complain(s, 1, diagnostic);
                    return;
                }
            };
            r.instance.auth_type = Some(At {
                value,
                span: s.whole(),
            });
        }),
        ..ROW
    },
    Keyword {
        name: "auth_pass",
        arguments: required("PASSWORD"),
        help: "the shared password, eight bytes at most",
        role: Role::Set(|r, s| {
            let mut value = bytes::encode(s.argument(1));
            if value.len() > LONGEST {
                let message = format!(
                    "auth_pass has {} bytes, only the first {LONGEST} count",
                    value.len()
                );
                let diagnostic = Diagnostic::warning(Class::General, message)
                    .with_note("an advert has room for no more, and longer ones may turn out equal")
                    .help("every router of the group must have the same eight")
                    .keepalived("Truncating auth_pass to 8 characters");
                r.complain(s, 1, diagnostic);
                value.truncate(LONGEST);
            }
            r.secret(s);
            r.instance.auth_pass = Some(At {
                value,
                span: s.span(0),
            });
        }),
        ..ROW
    },
];
