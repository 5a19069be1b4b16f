use crate::Diagnostic;
use crate::lints::tests::{found, with_body};

/// An instance that tracks scripts and interfaces with weights.
fn tracking(body: &str, scripts: &[i16], interfaces: &[(&str, i16)]) -> String {
    let mut text = String::new();
    let mut tracked = String::from("track_script {\n");
    for (index, weight) in scripts.iter().enumerate() {
        text.push_str(&format!("vrrp_script s{index} {{\nscript /bin/check\n}}\n"));
        tracked.push_str(&format!("s{index} weight {weight}\n"));
    }
    tracked.push_str("}\ntrack_interface {\n");
    for (name, weight) in interfaces {
        tracked.push_str(&format!("{name} weight {weight}\n"));
    }
    tracked.push('}');
    text + &with_body("A", 1, &format!("{body}\n{tracked}"))
}

fn messages(lints: &[Diagnostic]) -> Vec<&str> {
    lints.iter().map(|lint| lint.message.as_str()).collect()
}

#[test]
fn a_master_without_priority_is_an_owner() {
    let lint = "master_without_priority";
    let lints = found(&with_body("A", 1, "state MASTER"), lint);
    assert_eq!(
        messages(&lints),
        [
            "instance A has state MASTER and no priority, so it is the address owner with priority 255"
        ]
    );
    for body in [
        "state MASTER\npriority 255",
        "state BACKUP",
        "state MASTER\npriority 150",
        "",
    ] {
        assert!(found(&with_body("A", 1, body), lint).is_empty(), "{body}");
    }
    let elsewhere = with_body("A", 1, "state MASTER\ninclude priority.conf");
    assert!(
        found(&elsewhere, lint).is_empty(),
        "it may stand in the missing file"
    );
}

#[test]
fn nopreempt_beside_weights() {
    let lint = "nopreempt_weight";
    let lints = found(&tracking("nopreempt\npriority 100", &[-20, 5], &[]), lint);
    assert_eq!(
        messages(&lints),
        [
            "instance A has nopreempt: as backup it never takes over because of the weight -20 of script s0 and of 1 more"
        ]
    );
    let related = lints[0].related.as_ref().unwrap();
    assert_eq!(related.source.trim(), "s0 weight -20");
    for (body, weights) in [
        ("nopreempt\npriority 100", &[0][..]),
        ("priority 100", &[-20]),
        ("nopreempt\nstate MASTER\npriority 100", &[-20]),
    ] {
        assert!(
            found(&tracking(body, weights, &[]), lint).is_empty(),
            "{body}"
        );
    }
}

#[test]
fn weights_beyond_the_limits() {
    let lint = "weight_without_effect";
    let lints = found(&tracking("priority 254", &[2], &[("eth1", 3)]), lint);
    assert_eq!(
        messages(&lints),
        [
            "instance A: the weight 2 of script s0 changes nothing, the priority is always 254",
            "instance A: the weight 3 of interface eth1 changes nothing, the priority is always 254"
        ]
    );
    let lints = found(&tracking("priority 1", &[-2], &[]), lint);
    assert_eq!(
        messages(&lints),
        ["instance A: the weight -2 of script s0 changes nothing, the priority is always 1"]
    );
    assert_eq!(lints[0].source.trim(), "s0 weight -2");
}

#[test]
fn weights_that_matter_sometimes() {
    for (priority, weights) in [
        (253, &[2][..]),
        (254, &[2, -1]),
        (2, &[-2]),
        (1, &[-2, 1]),
        (100, &[-253, 253]),
        (255, &[0]),
    ] {
        let text = tracking(&format!("priority {priority}"), weights, &[]);
        assert!(found(&text, "weight_without_effect").is_empty(), "{text}");
    }
}
