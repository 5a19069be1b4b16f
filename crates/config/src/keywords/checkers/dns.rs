//! `DNS_CHECK { ... }`.

use lvs::settings::checkers::DnsType;

use super::super::arguments::required;
use super::super::{Keyword, Role};
use crate::diagnostics::{Class, Diagnostic};
use crate::document::Statement;
use crate::read::Reading;

const ROW: Keyword = Keyword {
    blocks: &[super::DNS],
    ..super::super::ROW
};

/// RFC 1035 2.3.4; without the dot at the end and the bytes of lengths, a name is two shorter than 255.
const LONGEST_LABEL: usize = 63;
const LONGEST_NAME: usize = 253;

pub(in crate::keywords) const KEYWORDS: &[Keyword] = &[
    Keyword {
        name: "type",
        arguments: required("A|AAAA|CNAME|DNSKEY|MX|NS|RRSIG|SOA|TXT"),
        default: "SOA",
        help: "what is asked for",
        role: Role::Set(|r, s| {
            let word = s.argument(1);
            let found = DnsType::ALL
                .into_iter()
                .find(|record| record.name().eq_ignore_ascii_case(word));
            if let Some(record) = found {
                r.checker.dns.record = record;
                return;
            }
            let names = DnsType::ALL.map(DnsType::name).join(", ");
            let diagnostic = Diagnostic::error(
                Class::General,
                format!("type: '{word}' cannot be asked for"),
            )
            .help(names)
            .keepalived(format!("Unknown DNS check type {word} - ignoring"));
            r.complain(s, 1, diagnostic);
        }),
        ..ROW
    },
    Keyword {
        name: "name",
        arguments: required("NAME"),
        default: "the root",
        help: "the name that is asked for",
        role: Role::Set(name),
        ..ROW
    },
];

/// keepalived: the first name counts; one with an empty label does not count at all.
///
/// DEVIATION(keepalived): it takes a first label of one letter (`a.example`) for an empty one.
fn name(reading: &mut Reading<'_>, statement: &Statement) {
    let Some(name) = reading.text(statement, 1) else {
        return;
    };
    if reading.checker.dns.name.is_some() {
        let diagnostic =
            Diagnostic::warning(Class::General, "name is given twice; the first one is kept")
                .keepalived("DNS_CHECK name already specified - ignoring");
        reading.complain(statement, 0, diagnostic);
        return;
    }
    let bare = name.strip_suffix('.').unwrap_or(&name);
    let mut labels = bare.split('.');
    let root = name == ".";
    if !root && labels.clone().any(str::is_empty) {
        let message = format!("name: '{name}' has nothing between two dots and is ignored");
        let diagnostic = Diagnostic::error(Class::General, message).keepalived(format!(
            "DNS_CHECK name '{name}' has empty label - ignoring"
        ));
        reading.complain(statement, 1, diagnostic);
        return;
    }
    if bare.len() > LONGEST_NAME || labels.any(|label| label.len() > LONGEST_LABEL) {
        let message = format!("name: '{name}' is too long to be asked for and is ignored");
        let help = format!("at most {LONGEST_LABEL} bytes between two dots, {LONGEST_NAME} in all");
        let diagnostic = Diagnostic::error(Class::Uncounted, message).help(help);
        reading.complain(statement, 1, diagnostic);
        return;
    }
    reading.checker.dns.name = Some(bare.to_owned());
}

#[cfg(test)]
mod tests;
