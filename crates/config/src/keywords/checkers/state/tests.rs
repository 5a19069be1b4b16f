use lvs::settings::checkers::{Checker, CheckerKind};

use super::super::tests::{GENERAL, NUMBER, table};
use crate::Class;

fn show(checker: &Checker) -> String {
    match &checker.kind {
        CheckerKind::File(check) => {
            let weight = check.weight;
            format!("{} {} {}", check.track_file, weight.weight, weight.reverse)
        }
        CheckerKind::Bfd(name) => name.to_string(),
        CheckerKind::Tcp(_) => "tcp".into(),
        CheckerKind::Ping(_)
        | CheckerKind::Udp(_)
        | CheckerKind::Http(_)
        | CheckerKind::Smtp(_)
        | CheckerKind::Dns(_)
        | CheckerKind::Misc(_) => panic!("{checker:?}"),
    }
}

#[test]
fn file_check() {
    table(
        "FILE_CHECK {\n...\n}",
        show,
        &[
            ("track_file load", "load 1 true", &[]),
            ("track_file load\ntrack_file nosuch", "load 1 true", GENERAL),
            ("track_file nosuch", "", &[Class::General, Class::General]),
            ("", "", GENERAL),
            ("weight 3", "", GENERAL),
            (
                "track_file",
                "fatal",
                &[Class::General, Class::MissingParameter],
            ),
        ],
    );
    table(
        "FILE_CHECK {\ntrack_file load\n...\n}",
        show,
        &[
            ("weight 2147483647", "load 2147483647 false", &[]),
            ("weight -2147483647 reverse", "load -2147483647 true", &[]),
            ("weight 3 reverse\nweight 4 noreverse", "load 4 false", &[]),
            ("weight 3x", "load 3 false", NUMBER),
            ("weight -2147483648", "load 1 true", NUMBER),
            ("weight 3\nweight x", "load 3 false", NUMBER),
            ("weight 3 backwards", "load 1 true", GENERAL),
            ("weight", "load 1 true", GENERAL),
            ("alpha", "load 1 true", &[Class::UnknownKeyword]),
        ],
    );
}

#[test]
fn bfd_check() {
    table(
        "BFD_CHECK {\n...\n}",
        show,
        &[
            ("name B", "B", &[]),
            ("name B\nname C", "", GENERAL),
            ("name B\nname B\nname B", "", GENERAL),
            ("name nosuch\nalpha", "", GENERAL),
            ("name B C", "", GENERAL),
            ("name", "", GENERAL),
            ("name abcdefghijklmnopqrstuvwxyzabcdef", "", GENERAL),
            ("alpha", "", GENERAL),
            (
                "name nosuch\nretry 3",
                "",
                &[Class::General, Class::UnknownKeyword],
            ),
            ("name B\n}\nBFD_CHECK {\nname C", "B | C", &[]),
            (
                "name B\n}\nTCP_CHECK\n{\n}\nBFD_CHECK {\nname B",
                "B | tcp",
                GENERAL,
            ),
        ],
    );
}
