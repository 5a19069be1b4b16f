//! Check scripts that find nothing out.

use vrrp::settings::ScriptSettings;

use super::{Lint, shell};
use crate::diagnostics::{Reporter, Span};
use crate::draft::ScriptDraft;

/// A check whose result is known beforehand.
pub(super) const CANNOT_FAIL: Lint = Lint {
    name: "check_cannot_fail",
    what: "a check script that always succeeds, whatever it looks at",
    why: "what it is meant to watch can be down for good and nothing happens",
    fix: "let the command that looks be the last one, so that its exit status is the script's",
};

/// Shell syntax without a shell.
pub(super) const NO_SHELL: Lint = Lint {
    name: "shell_syntax_without_shell",
    what: "a pipe, `&&` or a redirection in a check script that no shell reads",
    why: "scripts are run as they are, without a shell, so these are arguments like any others",
    fix: "put the command into a script file, or write: sh -c '...'",
};

/// Looks at the scripts that run.
pub(super) fn check_all(drafts: &[ScriptDraft], running: &[ScriptSettings], report: &mut Reporter) {
    let mut running: Vec<&str> = running.iter().map(|script| script.name.as_str()).collect();
    running.sort_unstable();
    for draft in drafts {
        if let Some(argv) = &draft.argv
            && running.binary_search(&draft.name.as_str()).is_ok()
        {
            let what = format_args!("script {}", draft.name);
            check(&what, &argv.value, argv.span, report);
        }
    }
}

/// Looks at one command line.
pub(crate) fn check(
    what: &dyn std::fmt::Display,
    argv: &[String],
    span: Span,
    report: &mut Reporter,
) {
    if !report.wants_lints() {
        return;
    }
    if let Some(why) = shell::always_succeeds(argv) {
        let message = format!("{what} cannot fail: {why}");
        report.lint(span, CANNOT_FAIL.found(message));
    } else if let Some(word) = shell::stray_operator(argv) {
        let program = argv.first().map_or("", String::as_str);
        let message = format!("{what}: '{word}' is an argument of {program}, for no shell runs it");
        report.lint(span, NO_SHELL.found(message));
    }
}

#[cfg(test)]
mod tests {
    use crate::lints::tests::{found, instance};

    fn script(command: &str, body: &str) -> String {
        let tracking = instance("A", 1, "track_script {\nchk\n}");
        format!("vrrp_script chk {{\nscript {command}\n{body}}}\n{tracking}")
    }

    #[test]
    fn a_script_that_cannot_fail() {
        let lints = found(&script("\"/bin/true\"", ""), "check_cannot_fail");
        assert_eq!(lints.len(), 1);
        assert_eq!(
            lints[0].message,
            "script chk cannot fail: '/bin/true' always succeeds"
        );
        assert_eq!(lints[0].source.trim(), "script \"/bin/true\"");
        assert!(found(&script("\"/bin/pidof nginx\"", ""), "check_cannot_fail").is_empty());
    }

    #[test]
    fn only_scripts_that_run_count() {
        let untracked = format!(
            "vrrp_script chk {{\nscript /bin/true\n}}\n{}",
            instance("A", 1, "")
        );
        assert!(found(&untracked, "check_cannot_fail").is_empty());
        assert!(found(&script("/sbin/true", ""), "check_cannot_fail").is_empty());
    }

    #[test]
    fn a_pipe_without_a_shell() {
        let text = script("\"/bin/ps ax | grep nginx\"", "");
        let lints = found(&text, "shell_syntax_without_shell");
        assert_eq!(lints.len(), 1);
        assert_eq!(
            lints[0].message,
            "script chk: '|' is an argument of /bin/ps, for no shell runs it"
        );
        let shell = script("\"/bin/sh -c 'pidof nginx | grep 1'\"", "");
        assert!(found(&shell, "shell_syntax_without_shell").is_empty());
    }

    #[test]
    fn checks_of_real_servers_too() {
        let service = |command: &str| {
            format!(
                "virtual_server 10.0.0.1 80 {{\nprotocol TCP\nlvs_sched rr\nlvs_method NAT\nreal_server 10.0.0.2 80 {{\n\
                 MISC_CHECK {{\nmisc_path {command}\n}}\n}}\n}}\n"
            )
        };
        let lints = found(
            &service("\"/bin/sh -c 'curl 10.0.0.2 || true'\""),
            "check_cannot_fail",
        );
        assert_eq!(lints.len(), 1);
        assert!(
            lints[0]
                .message
                .starts_with("MISC_CHECK of real server 10.0.0.2 ")
        );
        assert!(found(&service("\"/bin/curl 10.0.0.2\""), "check_cannot_fail").is_empty());
    }
}
