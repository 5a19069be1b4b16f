//! Whether a check of the new settings is one of those before, so that it keeps what is known (keepalived: what it compares).
//!
//! What is not compared, such as delays, is simply used from then on.

use crate::settings::Settings;
use crate::settings::checkers::{Checker, CheckerKind, HttpCheck, Sni, Url};

/// Whether it is the same check.
pub(super) fn is_same(
    (before, old): (&Checker, &Settings),
    (after, new): (&Checker, &Settings),
) -> bool {
    match (&before.kind, &after.kind) {
        (CheckerKind::Tcp(before), CheckerKind::Tcp(after))
        | (CheckerKind::Ping(before), CheckerKind::Ping(after)) => before == after,
        (CheckerKind::Udp(before), CheckerKind::Udp(after)) => before.endpoint == after.endpoint,
        (CheckerKind::Http(before), CheckerKind::Http(after)) => is_same_http(before, after),
        (CheckerKind::Smtp(before), CheckerKind::Smtp(after)) => before == after,
        (CheckerKind::Dns(before), CheckerKind::Dns(after)) => before == after,
        (CheckerKind::Misc(before), CheckerKind::Misc(after)) => {
            let runs = old.command(before.command);
            runs.is_some() && runs == new.command(after.command) && before.dynamic == after.dynamic
        }
        (CheckerKind::Bfd(before), CheckerKind::Bfd(after)) => before == after,
        // What it says is a function of the file; it keeps nothing.
        _ => false,
    }
}

fn is_same_http(before: &HttpCheck, after: &HttpCheck) -> bool {
    // keepalived takes HTTP_GET and SSL_GET for the same; what was known of one says nothing of the other.
    before.endpoint == after.endpoint
        && tls(before) == tls(after)
        && before.virtualhost == after.virtualhost
        && before.urls.len() == after.urls.len()
        && before
            .urls
            .iter()
            .zip(&after.urls)
            .all(|(before, after)| is_same_page(before, after))
}

/// What of TLS says whether a server is well.
fn tls(check: &HttpCheck) -> Option<(&Sni, bool)> {
    check.tls.as_ref().map(|tls| (&tls.sni, tls.verify_peer))
}

fn is_same_page(before: &Url, after: &Url) -> bool {
    before.path == after.path
        && before.digest == after.digest
        && before.status_codes == after.status_codes
        && before.virtualhost == after.virtualhost
        && before.regex == after.regex
}
