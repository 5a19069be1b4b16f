//! Addresses that a master has and does not answer on.

use super::Lint;
use super::vrrp::Router;
use crate::diagnostics::Reporter;

/// Strict mode without Accept_Mode.
pub(super) const STRICT: Lint = Lint {
    name: "strict_mode_hides_vip",
    what: "strict mode below priority 255 without `accept`: the master takes no packet to its virtual addresses",
    why: "the standard lets only the owner answer on them (RFC 9568 6.1, Accept_Mode), so services on this machine, and \
          ping, fail there while the addresses forward well",
    fix: "say `accept` (version 3 has it), or `strict_mode off`; `no_accept` if it is for forwarding only",
};

/// Looks at one instance.
pub(super) fn check(router: &Router<'_>, report: &mut Reporter) {
    let settings = router.settings;
    // Only strict mode clears it unasked.
    if settings.accept || router.draft.accept.is_some() {
        return;
    }
    let Some(first) = settings.addresses().next() else {
        return;
    };
    let message = format!(
        "instance {} is strict with priority {}: as master it does not answer on {}",
        router.name(),
        settings.priority,
        first.prefix.address()
    );
    report.lint(router.draft.span, STRICT.found(message));
}

#[cfg(test)]
mod tests {
    use crate::lints::tests::{found, instance};

    const LINT: &str = "strict_mode_hides_vip";

    #[test]
    fn strict_mode_without_accept() {
        let lints = found(&instance("A", 1, "strict_mode on"), LINT);
        assert_eq!(lints.len(), 1);
        assert_eq!(
            lints[0].message,
            "instance A is strict with priority 100: as master it does not answer on 10.0.0.1"
        );
        let global = format!("global_defs {{\nvrrp_strict\n}}\n{}", instance("A", 1, ""));
        assert_eq!(found(&global, LINT).len(), 1);
    }

    #[test]
    fn an_owner_and_who_said_something_about_it() {
        for body in [
            "",
            "no_accept",
            "strict_mode on\nno_accept",
            "strict_mode on\nversion 3\naccept",
            "strict_mode on\npriority 255",
        ] {
            assert!(found(&instance("A", 1, body), LINT).is_empty(), "{body}");
        }
    }
}
