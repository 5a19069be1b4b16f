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
    diagnostic.keepalived_line = Some(7);
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

#[test]
fn keywords_that_do_not_act_are_listed_once() {
    let mut report = Reporter::default();
    // Equal texts at different places in memory.
    let elsewhere: &'static str = Box::leak(String::from("b").into_boxed_str());
    report.uses_pending("b", "y");
    report.uses_pending(elsewhere, "y");
    report.uses_pending("a", "z");
    assert_eq!(report.take_pending(), [("a", "z"), ("b", "y")]);
}

#[test]
fn a_related_place_is_looked_up_and_masked() {
    let text = "auth_pass hunter2\nx\n".to_owned();
    let mut sources = Sources::default();
    let source = Source {
        path: "x.conf".into(),
        name: "a.conf".into(),
        text,
        included: None,
    };
    assert_eq!(sources.add(source), Some(0));
    let mut report = Reporter::default();
    let span = |line, end| Span::new(0, line, 0, end);
    report.at(span(2, 1), of(Class::General).related(span(1, 9), "here"));
    let all = report.finish(&sources);
    let related = all[0].related.as_ref().unwrap();
    assert_eq!(related.source, "auth_pass ********");
    assert_eq!((related.line, related.columns.clone()), (1, 0..9));
    let shown = all[0].render(Style::Plain);
    assert!(shown.contains("--------- here"), "{shown}");
}

#[test]
fn lints_are_below_warnings_and_never_counted() {
    let lint = Diagnostic::lint("m");
    assert!(Severity::Note < lint.severity && lint.severity < Severity::Warning);
    assert_eq!(exit_status_of_test(std::slice::from_ref(&lint)), 0);
    assert_eq!(lint.render(Style::Plain), "lint: m");
}
