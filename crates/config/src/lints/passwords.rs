//! Passwords that keep nobody out.

use vrrp::settings::Authentication;

use super::Lint;
use super::vrrp::Router;
use crate::diagnostics::Reporter;

/// `auth_type PASS`.
pub(super) const PASS: Lint = Lint {
    name: "pass_protects_nothing",
    what: "`auth_type PASS`",
    why: "adverts carry the password in clear, so everybody on the segment can read it and be master (RFC 3768 10)",
    fix: "remove `authentication` on all routers at once; let a firewall take adverts (protocol 112) from them only",
};

/// Says it once, however many instances have one.
pub(super) fn check(routers: &[Router<'_>], report: &mut Reporter) {
    let mut with_password = routers
        .iter()
        .filter(|router| matches!(router.settings.authentication, Authentication::Pass(_)));
    let Some(first) = with_password.next() else {
        return;
    };
    let name = first.name();
    let message = match with_password.count() {
        0 => format!("auth_type PASS of instance {name} protects nothing"),
        1 => format!("auth_type PASS of instance {name} and of 1 more protects nothing"),
        more => format!("auth_type PASS of instance {name} and of {more} more protects nothing"),
    };
    let draft = first.draft;
    let span = draft.auth_type.as_ref().map_or(draft.span, |at| at.span);
    report.lint(span, PASS.found(message));
}

#[cfg(test)]
mod tests {
    use crate::lints::tests::{found, instance};

    const PASS: &str = "authentication {\nauth_type PASS\nauth_pass 1111\n}";

    #[test]
    fn a_password_is_said_to_protect_nothing_once() {
        let text = format!("{}{}", instance("A", 1, PASS), instance("B", 2, PASS));
        let lints = found(&text, "pass_protects_nothing");
        assert_eq!(lints.len(), 1);
        assert!(lints[0].message.contains("A and of 1 more"), "{lints:?}");
        assert_eq!(lints[0].source.trim(), "auth_type PASS");
    }

    #[test]
    fn without_a_password_or_when_it_is_dropped_there_is_nothing_to_say() {
        for text in [
            instance("A", 1, ""),
            instance("A", 1, &format!("version 3\n{PASS}")),
            instance("A", 1, "authentication {\nauth_type PASS\n}"),
        ] {
            assert!(found(&text, "pass_protects_nothing").is_empty(), "{text}");
        }
    }
}
