use alloc::string::{String, ToString as _};
use alloc::vec;

use super::*;
use crate::settings::TrackWeight;

fn settings(command: &str, parameters: &[&str]) -> ProcessSettings {
    ProcessSettings {
        name: String::from("P"),
        command: command.to_string(),
        parameters: parameters.iter().map(|word| word.to_string()).collect(),
        full_command: !parameters.is_empty(),
        matching: ParameterMatch::Exact,
        quorum: 1,
        quorum_max: None,
        fork_delay: Duration::ZERO,
        terminate_delay: Duration::ZERO,
        weight: TrackWeight::FAULT,
        reverse: false,
    }
}

#[test]
fn names_that_the_kernel_keeps() {
    let never = || -> Option<Vec<u8>> { panic!("the command line is not needed") };
    let short = settings("haproxy", &[]);
    for (name, matches) in [
        ("haproxy", true),
        ("haprox", false),
        ("haproxy2", false),
        ("", false),
    ] {
        assert_eq!(short.matches(name.as_bytes(), never), matches, "{name}");
    }
    let long = settings("a_very_long_name_of_a_program", &[]);
    assert!(long.matches(b"a_very_long_nam", never));
    assert!(!long.matches(b"a_very_long_name", never));
}

#[test]
fn command_lines() {
    use ParameterMatch::{Exact, Initial, Partial};
    let cases: [(&[&str], ParameterMatch, &str, bool); 36] = [
        // Only the program.
        (&[], Exact, "prog\0", true),
        (&[], Exact, "prog", true),
        (&[], Exact, "prog\0a\0b\0", true),
        (&[], Exact, "prog2\0", false),
        (&[], Exact, "pro\0", false),
        (&[], Exact, "", false),
        (&[], Partial, "prog\0a\0", true),
        (&[], Initial, "prog\0a\0", true),
        (&[], Initial, "program\0", false),
        // All words, and no more.
        (&["a", "b"], Exact, "prog\0a\0b\0", true),
        (&["a", "b"], Exact, "prog\0a\0b", true),
        (&["a", "b"], Exact, "prog\0a\0b\0c\0", false),
        (&["a", "b"], Exact, "prog\0a\0b\0\0", false),
        (&["a", "b"], Exact, "prog\0a\0bb\0", false),
        (&["a", "b"], Exact, "prog\0a\0", false),
        (&["a", "b"], Exact, "prog\0a", false),
        (&["a", "b"], Exact, "prog\0", false),
        (&["a", "b"], Exact, "prog", false),
        (&["a", "b"], Exact, "prog\0ab\0", false),
        (&["a", "b"], Exact, "prog a b\0", false),
        (&["a", ""], Exact, "prog\0a\0\0", true),
        (&["a", ""], Exact, "prog\0a\0", false),
        (&["", "a"], Exact, "prog\0\0a\0", true),
        // The first words.
        (&["a", "b"], Partial, "prog\0a\0b\0", true),
        (&["a", "b"], Partial, "prog\0a\0b\0c\0", true),
        (&["a", "b"], Partial, "prog\0a\0bc\0", false),
        (&["a", "b"], Partial, "prog\0b\0a\0", false),
        (&["a", "b"], Partial, "prog\0a\0", false),
        // The last one may go on.
        (&["a", "b"], Initial, "prog\0a\0b\0", true),
        (&["a", "b"], Initial, "prog\0a\0bc\0", true),
        (&["a", "b"], Initial, "prog\0a\0bc\0d\0", true),
        (&["a", "b"], Initial, "prog\0ax\0b\0", false),
        (&["a", "b"], Initial, "prog\0a\0c\0", false),
        (&["a", "b"], Initial, "prog\0a\0", false),
        (&["a", ""], Initial, "prog\0a\0anything\0", true),
        (
            &["-f", "/etc/h"],
            Initial,
            "prog\0-f\0/etc/haproxy.cfg\0",
            true,
        ),
    ];
    for (parameters, matching, line, expected) in cases {
        let settings = ProcessSettings {
            matching,
            full_command: true,
            ..settings("prog", parameters)
        };
        // What is cut where it need not be known further decides the same.
        let cut = line.as_bytes();
        let cut = cut.get(..settings.needs_bytes()).unwrap_or(cut);
        for line in [line.as_bytes(), cut] {
            assert_eq!(
                settings.matches(b"other", || Some(line.to_vec())),
                expected,
                "{parameters:?} {matching:?} {line:?}"
            );
        }
        assert!(!settings.matches(b"prog", || None), "it is gone");
    }
}

#[test]
fn enough_and_not_too_many() {
    let with = |quorum, quorum_max| ProcessSettings {
        quorum,
        quorum_max,
        ..settings("prog", &[])
    };
    let met = |settings: ProcessSettings| -> Vec<u32> {
        (0..5).filter(|count| settings.has_quorum(*count)).collect()
    };
    assert_eq!(met(with(1, None)), [1, 2, 3, 4]);
    assert_eq!(met(with(2, Some(3))), [2, 3]);
    assert_eq!(met(with(2, Some(2))), [2]);
    assert_eq!(met(with(0, Some(0))), [0]);
}

fn at(millis: u64) -> Instant {
    Instant::ZERO + Duration::from_millis(millis)
}

fn slow() -> ProcessSettings {
    ProcessSettings {
        fork_delay: Duration::from_millis(300),
        terminate_delay: Duration::from_millis(100),
        ..settings("prog", &[])
    }
}

#[test]
fn a_change_must_last() {
    let mut processes = Processes::new(slow(), Some(0));
    assert!(!processes.has_quorum());
    assert!(!processes.handle_count(at(0), 1));
    assert!(processes.view().gaining && !processes.view().losing);
    // Another one does not begin the delay anew.
    assert!(!processes.handle_count(at(200), 2));
    assert!(!processes.handle_timeout(at(299)));
    assert_eq!(processes.deadline(), Some(at(300)));
    assert!(processes.handle_timeout(at(300)) && processes.has_quorum());
    assert!(!processes.handle_count(at(400), 0));
    assert!(processes.view().losing);
    // It comes back in time: nothing happened.
    assert!(!processes.handle_count(at(450), 1));
    assert_eq!(processes.deadline(), None);
    assert!(!processes.handle_timeout(at(1000)));
    assert!(!processes.handle_count(at(1000), 0));
    assert!(processes.handle_timeout(at(1100)) && !processes.has_quorum());
}

#[test]
fn without_delays_it_counts_at_once() {
    let mut processes = Processes::new(settings("prog", &[]), Some(1));
    assert!(processes.has_quorum());
    assert!(processes.handle_count(at(0), 0) && !processes.has_quorum());
    assert!(!processes.handle_count(at(0), 0));
    assert!(processes.handle_count(at(0), 1));
}

#[test]
fn a_reload_keeps_what_is_known() {
    let mut processes = Processes::new(slow(), Some(0));
    processes.handle_count(at(0), 2);
    let mut same = processes.updated(slow()).unwrap();
    assert_eq!(same.deadline(), Some(at(300)), "the delay goes on");
    same.handle_timeout(at(300));
    let more = ProcessSettings {
        quorum: 3,
        ..slow()
    };
    let same = same.updated(more).unwrap();
    assert!(!same.has_quorum(), "the new quorum counts at once");
    assert_eq!(same.count(), Some(2));
    let others = ProcessSettings {
        parameters: vec![String::from("x")],
        ..slow()
    };
    assert!(same.updated(others).is_err());
}
