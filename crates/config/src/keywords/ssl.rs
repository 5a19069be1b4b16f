//! `SSL { ... }`.

use lvs::settings::ssl::{Password, Ssl};

use super::arguments::optional;
use super::servers::last_counts;
use super::{Keyword, Role};
use crate::diagnostics::{Class, Diagnostic};
use crate::document::Statement;
use crate::read::Reading;

const ROW: Keyword = Keyword {
    blocks: &["SSL"],
    arguments: optional("FILE"),
    default: "none",
    ..super::ROW
};

pub(super) const KEYWORDS: &[Keyword] = &[
    Keyword {
        blocks: &[""],
        name: "SSL",
        arguments: super::NONE,
        default: "",
        help: "what SSL_GET shows and trusts",
        role: Role::Block {
            open: |r, _| {
                r.lvs.ssl = Ssl::default();
                true
            },
            close: |r, s| {
                let ssl = std::mem::take(&mut r.lvs.ssl);
                if r.draft.lvs.ssl.replace(Box::new(ssl)).is_some() {
                    let message = "SSL is given twice; the last block replaces the others";
                    let diagnostic = Diagnostic::warning(Class::General, message)
                        .keepalived("SSL context already specified - replacing");
                    r.complain(s, 0, diagnostic);
                }
            },
        },
        ..ROW
    },
    Keyword {
        name: "password",
        arguments: optional("PASSWORD"),
        help: "what the private key is locked with",
        role: Role::Set(|r, s| {
            let Some(text) = r.text(s, 1) else { return };
            r.secret(s);
            if r.lvs.ssl.password.replace(Password::new(text)).is_some() {
                last_counts(r, s);
            }
        }),
        ..ROW
    },
    Keyword {
        name: "ca",
        default: "those that the system trusts",
        help: "the authorities that are trusted where SSL_GET has verify_peer",
        role: Role::Set(|r, s| file(r, s, |ssl| &mut ssl.ca)),
        ..ROW
    },
    Keyword {
        name: "certificate",
        help: "our own certificate",
        role: Role::Set(|r, s| file(r, s, |ssl| &mut ssl.certificate)),
        ..ROW
    },
    Keyword {
        name: "key",
        help: "the private key of our certificate",
        role: Role::Set(|r, s| file(r, s, |ssl| &mut ssl.key)),
        ..ROW
    },
];

fn file(
    reading: &mut Reading<'_>,
    statement: &Statement,
    slot: fn(&mut Ssl) -> &mut Option<String>,
) {
    let Some(text) = reading.text(statement, 1) else {
        return;
    };
    if slot(&mut reading.lvs.ssl).replace(text).is_some() {
        last_counts(reading, statement);
    }
}

#[cfg(test)]
mod tests;
