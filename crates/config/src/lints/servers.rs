//! Virtual servers whose real servers are not what they seem.

use std::fmt::Display;

use lvs::settings::{RealServer, SorryServer};

use super::Lint;
use crate::diagnostics::{Class, Reporter, Span};

/// A sorry server that is in its own pool.
pub(super) const SORRY_IN_POOL: Lint = Lint {
    name: "sorry_server_in_pool",
    what: "a sorry server that is one of the real servers of its virtual server",
    why: "it steps in when too few real servers are up, so it is probably down itself then",
    fix: "take a server that does nothing else, if only to say that the service is down",
};

/// A real server that nobody checks.
pub(super) const UNCHECKED: Lint = Lint {
    name: "real_server_unchecked",
    what: "a real server without a check, though others of its virtual server have one",
    why: "it counts as up for ever and gets its share of connections when it is down",
    fix: "give it the check that the others have",
};

/// What there is to look at when the block of a service closes.
pub(crate) struct Pool<'a> {
    /// How the service is called.
    pub(crate) name: &'a dyn Display,
    pub(crate) real_servers: &'a [RealServer],
    /// How many of them were written without a check.
    pub(crate) bare: usize,
    /// Where the service is written.
    pub(crate) span: Span,
    pub(crate) sorry_server: Option<(&'a SorryServer, Span)>,
}

/// Looks at one service.
pub(crate) fn check(pool: &Pool<'_>, report: &mut Reporter) {
    if !report.wants_lints() {
        return;
    }
    if let Some((sorry, span)) = pool.sorry_server {
        let same = |real: &RealServer| (real.address, real.port) == (sorry.address, sorry.port);
        if pool.real_servers.iter().any(same) {
            let message = format!(
                "sorry server {} port {} is a real server of {} too",
                sorry.address, sorry.port, pool.name
            );
            report.lint(span, SORRY_IN_POOL.found(message));
        }
    }
    unchecked(pool, report);
}

fn unchecked(pool: &Pool<'_>, report: &mut Reporter) {
    let is_unchecked = |real: &&RealServer| real.checkers.is_empty() && real.weight > 0;
    let number = pool.real_servers.iter().filter(is_unchecked).count();
    let first = pool.real_servers.iter().find(is_unchecked);
    let Some(first) = first.filter(|_| number < pool.real_servers.len()) else {
        return;
    };
    // Where most have none, the one check is the exception. A check that was lost to a mistake was reported.
    if number * 2 > pool.real_servers.len()
        || number > pool.bare
        || report.has_said(Class::UnknownKeyword)
    {
        return;
    }
    let more = match number {
        0 | 1 => String::new(),
        number => format!(" and {} more", number - 1),
    };
    let message = format!(
        "real server {} port {}{more} of {} has no check, the others have",
        first.address, first.port, pool.name
    );
    report.lint(pool.span, UNCHECKED.found(message));
}

#[cfg(test)]
mod tests {
    use crate::lints::tests::found;

    const CHECKED: &str = "TCP_CHECK {\n}\n";

    fn service(inside: &str, reals: &[&str]) -> String {
        let reals: String = reals
            .iter()
            .enumerate()
            .map(|(index, body)| format!("real_server 10.0.1.{index} 80 {{\n{body}}}\n"))
            .collect();
        format!(
            "virtual_server 10.0.0.1 80 {{\nprotocol TCP\nlvs_sched rr\nlvs_method NAT\n{inside}\n{reals}}}\n"
        )
    }

    #[test]
    fn a_sorry_server_of_its_own_pool() {
        let text = service("sorry_server 10.0.1.1 80", &[CHECKED, CHECKED]);
        let lints = found(&text, "sorry_server_in_pool");
        assert_eq!(lints.len(), 1);
        assert_eq!(
            lints[0].message,
            "sorry server 10.0.1.1 port 80 is a real server of [10.0.0.1]:tcp:80 too"
        );
        assert_eq!(lints[0].source.trim(), "sorry_server 10.0.1.1 80");
        let inherits = service("sorry_server 10.0.1.1", &[CHECKED, CHECKED]);
        assert_eq!(found(&inherits, "sorry_server_in_pool").len(), 1);
    }

    #[test]
    fn a_sorry_server_of_its_own() {
        for sorry in ["sorry_server 10.0.1.1 81", "sorry_server 10.0.2.1 80"] {
            let text = service(sorry, &[CHECKED, CHECKED]);
            assert!(found(&text, "sorry_server_in_pool").is_empty(), "{sorry}");
        }
    }

    #[test]
    fn one_server_is_not_checked() {
        let lints = found(
            &service("", &[CHECKED, "", CHECKED]),
            "real_server_unchecked",
        );
        assert_eq!(lints.len(), 1);
        assert_eq!(
            lints[0].message,
            "real server 10.0.1.1 port 80 of [10.0.0.1]:tcp:80 has no check, the others have"
        );
    }

    #[test]
    fn a_check_that_is_misspelt_is_one_mistake() {
        let text = service("", &[CHECKED, "TCP_CHEK {\n}\n", CHECKED]);
        assert!(found(&text, "real_server_unchecked").is_empty());
    }

    #[test]
    fn all_none_or_few_are_checked() {
        for reals in [
            &[CHECKED, CHECKED][..],
            &["", ""],
            &["", "", CHECKED],
            &[CHECKED, "weight 0\n"],
        ] {
            let lints = found(&service("", reals), "real_server_unchecked");
            assert!(lints.is_empty(), "{reals:?}");
        }
    }
}
