//! Whatever a file holds, reading it ends, does not panic, and takes time in proportion to its size.

use std::fmt::Write;

use proptest::prelude::*;

use crate::Style;
use crate::testing::Fake;

/// Text made of what the language is made of: far more likely to get deep than bytes are.
fn soup() -> impl Strategy<Value = String> {
    let names: Vec<&'static str> = crate::keywords().map(|keyword| keyword.name).collect();
    let word = prop_oneof![
        proptest::sample::select(names).prop_map(str::to_owned),
        proptest::sample::select(vec![
            "{",
            "}",
            "{",
            "}",
            "\n",
            "\n",
            "\n",
            "\"",
            "'",
            "\\",
            "#",
            "!",
            "$A=",
            "$A",
            "${A}",
            "@node1",
            "@^x",
            "~SEQ(A,1,2)",
            "~SEQx(B, 0x9, $A)",
            "~LST({A,B}, {x,1}, y)",
            "$M=\\\n",
            "$M",
            "${_RANDOM 1 9}",
            "${_ENV HOME}",
            "\\\n",
            "include *",
            "include x.conf",
            "eth0",
            "10.0.0.1/24",
            "fd00::1",
            "PASS",
            "AH",
            "MASTER",
            "255",
            "-1",
            "0.5",
            "weight",
            "dev",
            "VI_1",
            "</x",
            "global_defs {\n",
            "vrrp_instance A {\n",
            "virtual_ipaddress {\n",
            "track_script {\n",
        ])
        .prop_map(str::to_owned),
        "[ -~]{0,6}",
    ];
    proptest::collection::vec(word, 0..80).prop_map(|words| words.join(" "))
}

fn check(text: impl AsRef<[u8]>) {
    let loaded = Fake::default().load(text);
    for diagnostic in &loaded.diagnostics {
        assert!(!diagnostic.terse().is_empty());
        assert!(!diagnostic.render(Style::Plain).is_empty());
        assert!(!diagnostic.render(Style::Colour).is_empty());
    }
    assert_eq!(loaded.settings.is_some(), loaded.status == 0);
    if let Some(settings) = loaded.settings {
        assert!(!crate::describe(&settings).is_empty());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn arbitrary_bytes_do_not_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        check(bytes);
    }

    #[test]
    fn arbitrary_statements_do_not_panic(text in soup()) {
        check(text);
    }
}

#[test]
fn a_value_that_ends_in_a_backslash_where_there_is_one_word() {
    check("global_defs {\n snmp_socket $M=\\\n");
}

/// A configuration of so many instances with ten addresses each.
fn large(instances: usize) -> String {
    let mut text = String::new();
    for index in 0..instances {
        let (high, low) = (index / 250, index % 250);
        writeln!(
            text,
            "vrrp_instance VI_{index} {{\n interface eth{high}\n virtual_router_id {}\n virtual_ipaddress {{",
            low + 1
        )
        .unwrap();
        for vip in 0..10 {
            writeln!(text, "  10.{high}.{low}.{vip}/24 dev eth{high}").unwrap();
        }
        text.push_str(" }\n typing_error 1\n}\n");
    }
    text
}

/// Counted in allocations would be exact; the clock with a wide margin tells linear from quadratic as well.
#[test]
#[expect(clippy::disallowed_methods, reason = "the test measures real time")]
fn reading_is_linear() {
    let time = |instances: usize| {
        let mut machine = Fake::default();
        for index in 0..=instances / 250 {
            machine = machine.interface(&format!("eth{index}"));
        }
        let text = large(instances);
        let start = std::time::Instant::now();
        let loaded = machine.load(text);
        assert_eq!(loaded.settings.unwrap().vrrp.instances.len(), instances);
        start.elapsed()
    };
    time(100);
    let (small, big) = (
        time(500).max(std::time::Duration::from_millis(1)),
        time(5000),
    );
    assert!(
        big < small * 40,
        "ten times the text took {small:?} and {big:?}"
    );
}

#[test]
fn hostile_lines_are_quick() {
    for line in [
        "{".repeat(16_000),
        "\"".repeat(16_000),
        "$A ".repeat(5_000),
        "a{".repeat(8_000),
        "}".repeat(16_000),
    ] {
        let loaded = Fake::default().load(format!("$A=${{A}}{{\n{line}\n").repeat(5));
        assert!(!loaded.diagnostics.is_empty());
    }
}
