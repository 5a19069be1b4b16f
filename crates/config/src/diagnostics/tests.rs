use super::*;

fn of(class: Class) -> Diagnostic {
    Diagnostic::warning(class, "m")
}

#[test]
fn the_numerically_largest_class_decides_the_status() {
    for (classes, expected) in [
        (vec![], 0),
        (vec![Class::Uncounted, Class::Pending], 0),
        (
            vec![Class::FileNotFound, Class::BadInterface, Class::Fatal],
            4,
        ),
        (vec![Class::BadInterface, Class::General], 5),
        (vec![Class::MultipleFiles], 5),
        (vec![Class::Deprecated], 5),
        (vec![Class::Security, Class::Deprecated], 6),
        (vec![Class::IncludeCheck, Class::UnknownKeyword], 6),
        (vec![Class::MissingParameter], 5),
    ] {
        let list: Vec<_> = classes.iter().copied().map(of).collect();
        assert_eq!(exit_status_of_test(&list), expected, "{classes:?}");
    }
    assert_eq!(
        exit_status_of_test(&[of(Class::Security), of(Class::MissingParameter).fatal()]),
        2
    );
}

#[test]
fn terse_prefers_the_words_of_keepalived() {
    let mut diagnostic = of(Class::UnknownKeyword).keepalived("Unknown keyword 'x'");
    assert_eq!(diagnostic.terse(), "Unknown keyword 'x'");
    diagnostic.file = Some("a.conf".into());
    diagnostic.line = 7;
    assert_eq!(diagnostic.terse(), "(a.conf: Line 7) Unknown keyword 'x'");
}

#[test]
fn the_number_of_diagnostics_is_bounded() {
    let mut report = Reporter::default();
    for line in 0..MOST + 5 {
        let span = Span::new(0, u32::try_from(line).unwrap(), 0, 1);
        for _ in 0..2 {
            let diagnostic = Diagnostic::warning(Class::General, line.to_string());
            report.at(span, diagnostic);
        }
    }
    report.nowhere(of(Class::Security));
    report.nowhere(of(Class::General).fatal());
    let all = report.finish(&Sources::default());
    assert_eq!(all.len(), MOST + 3);
    assert_eq!(
        all[MOST..]
            .iter()
            .map(|d| (d.class, d.fatal))
            .collect::<Vec<_>>(),
        [
            (Class::Security, false),
            (Class::General, true),
            (Class::Uncounted, false)
        ],
        "what decides the status is kept"
    );
    assert_eq!(all[MOST + 2].message, "10 more problems are not shown");
}

#[test]
fn a_long_line_is_cut_around_the_place() {
    let line = "ä".repeat(1000);
    let (kept, columns) = cut(line, 1000..1010);
    assert!(kept.len() <= SHOWN_LINE);
    assert_eq!(columns, 100..110);
}
