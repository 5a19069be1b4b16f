//! Secrets that anybody on the machine can read.

use std::collections::BTreeSet;

use super::Lint;
use crate::diagnostics::Reporter;
use crate::draft::At;
use crate::machine::Machine;
use crate::sources::Sources;

/// A file with a secret and the wrong mode.
pub(super) const READABLE: Lint = Lint {
    name: "secret_readable",
    what: "a password or key in a file that every user of the machine can read",
    why: "whoever gets any account on this machine has the secret",
    fix: "chmod o-r FILE; or move the secret into a file of its own that only root can read, and `include` that",
};

/// Looks at the files that secrets stand in, each file once.
pub(crate) fn check(
    secrets: &[At<&'static str>],
    sources: &Sources,
    machine: &dyn Machine,
    report: &mut Reporter,
) {
    if !report.wants_lints() {
        return;
    }
    let mut asked = BTreeSet::new();
    for At { value, span } in secrets {
        let file = sources.physical(*span).file;
        if !asked.insert(file) {
            continue;
        }
        let Some(source) = sources.file(file) else {
            continue;
        };
        if machine.is_readable_by_all(&source.path) != Some(true) {
            continue;
        }
        let message = format!("{} holds {value} and can be read by everybody", source.name);
        let help = format!("chmod o-r {}", source.name);
        report.lint(*span, READABLE.found(message).help(help));
    }
}

#[cfg(test)]
mod tests {
    use crate::lints::tests::{instance, lints_of};
    use crate::testing::Fake;

    const PASS: &str = "authentication {\nauth_type PASS\nauth_pass 1111\n}";

    fn found(machine: Fake, text: &str) -> Vec<String> {
        lints_of(machine, text)
            .into_iter()
            .filter(|lint| lint.lint == Some("secret_readable"))
            .map(|lint| lint.message)
            .collect()
    }

    #[test]
    fn a_file_with_passwords_is_named_once() {
        let text = format!("{}{}", instance("A", 1, PASS), instance("B", 2, PASS));
        let open = Fake::default().readable_by_all("/etc/keepalived/x.conf");
        assert_eq!(
            found(open, &text),
            ["x.conf holds auth_pass and can be read by everybody"]
        );
        assert_eq!(found(Fake::default(), &text), [""; 0]);
    }

    #[test]
    fn it_is_the_file_with_the_secret_that_counts() {
        let text = format!("include secret.conf\n{}", instance("A", 1, ""));
        let machine = Fake::default().file("/etc/keepalived/secret.conf", "SSL {\npassword x\n}\n");
        let main = machine.clone().readable_by_all("/etc/keepalived/x.conf");
        assert_eq!(found(main, &text), [""; 0]);
        let included = machine.readable_by_all("/etc/keepalived/secret.conf");
        assert_eq!(
            found(included, &text),
            ["secret.conf holds password and can be read by everybody"]
        );
    }
}
