use lvs::settings::checkers::{Checker, CheckerKind, CommandId};

use super::super::tests::{GENERAL, LOGGED, MISSING, NUMBER, SILENT, outcome, table};
use crate::Class;

#[test]
fn timeout_and_dynamic() {
    let show = |checker: &Checker| {
        let CheckerKind::Misc(check) = checker.kind else {
            panic!("{checker:?}");
        };
        format!("{} {}", check.timeout.0, check.dynamic)
    };
    table(
        "MISC_CHECK {\nmisc_path /bin/true\n...\n}",
        show,
        &[
            ("", "60000000 false", &[]),
            ("misc_timeout 4294", "4294000000 false", &[]),
            ("misc_timeout 0", "60000000 false", &[]),
            ("misc_timeout 4295", "60000000 false", NUMBER),
            ("misc_timeout 3s", "3000000 false", NUMBER),
            ("misc_timeout", "fatal", MISSING),
            ("misc_dynamic", "60000000 true", &[]),
            ("misc_dynamic off", "60000000 true", LOGGED),
        ],
    );
}

/// The command that a block with these lines runs, and whom as.
fn command(lines: &str, globals: &str) -> (String, Vec<Class>) {
    let outcome = outcome(&format!("MISC_CHECK {{\n{lines}\n}}"), &SILENT, globals);
    assert_eq!(outcome.checkers.len(), outcome.commands.len());
    let shown = outcome
        .checkers
        .iter()
        .zip(&outcome.commands)
        .map(|(checker, command)| {
            assert!(
                matches!(checker.kind, CheckerKind::Misc(check) if check.command == CommandId(0))
            );
            format!(
                "{} as {}:{}",
                command.argv.join(","),
                command.user.uid,
                command.user.gid
            )
        });
    (shown.collect(), outcome.classes)
}

#[test]
fn commands() {
    for (lines, expected, classes) in [
        ("misc_path /bin/true", "/bin/true as 0:0", &[][..]),
        (
            "misc_path \"/bin/sh -c 'a b'\"",
            "/bin/sh,-c,a b as 0:0",
            &[],
        ),
        ("misc_path /bin/true a b", "/bin/true as 0:0", LOGGED),
        (
            "misc_path /bin/true\nmisc_path /bin/false",
            "/bin/false as 0:0",
            &[],
        ),
        ("", "", GENERAL),
        ("misc_path", "", GENERAL),
        ("misc_path \"\"", "", &[Class::General, Class::Uncounted]),
        (
            "misc_path '/bin/true",
            "",
            &[Class::General, Class::UnmatchedQuote],
        ),
        ("misc_path /bin/true\nuser daemon", "/bin/true as 1:1", &[]),
        (
            "user daemon nobody\nmisc_path /bin/true",
            "/bin/true as 1:65534",
            &[],
        ),
        ("misc_path /bin/true\nuser", "/bin/true as 0:0", GENERAL),
        // Dropped; what follows is read without effect.
        (
            "misc_path /bin/true\nuser nosuch\nuser root\nretry 3",
            "",
            GENERAL,
        ),
        ("misc_path /bin/true\nuser root nosuch", "", GENERAL),
        (
            "user nosuch\nbogus",
            "",
            &[Class::General, Class::UnknownKeyword],
        ),
    ] {
        assert_eq!(
            command(lines, ""),
            (expected.to_owned(), classes.to_vec()),
            "{lines}"
        );
    }
}

#[test]
fn without_a_user() {
    let secure = "global_defs {\nenable_script_security\n}";
    assert_eq!(
        command("misc_path /bin/true", secure),
        (String::new(), vec![Class::General])
    );
    let named = command("misc_path /bin/true\nuser nobody", secure);
    assert_eq!(named, ("/bin/true as 65534:65534".into(), vec![]));
    let default = "global_defs {\nscript_user daemon\n}";
    assert_eq!(
        command("misc_path /bin/true", default).0,
        "/bin/true as 1:1"
    );
}
