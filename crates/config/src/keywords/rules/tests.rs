//! Each word of a rule: what it becomes, and what is said about mistakes.

use proptest::prelude::*;

use super::*;
use crate::testing::Fake;

const GENERAL: &[Class] = &[Class::General];
const NUMBER: &[Class] = &[Class::InvalidNumber];
const MISSING: &[Class] = &[Class::MissingParameter];
/// Said, but without effect on the status.
const REMARK: &[Class] = &[Class::Uncounted];

/// The machine of these tests.
fn machine() -> Fake {
    Fake::default()
        .file("/etc/iproute2/rt_tables", "100 vpn\n0 unspec\n")
        .file("/etc/iproute2/group", "5 uplinks\n")
}

/// What becomes of entries of `static_rules`, and the classes of what is said.
fn read_lines(lines: &str) -> (Vec<Static<Rule>>, Vec<Class>) {
    let text = format!(
        "vrrp_instance M {{\ninterface eth1\nvirtual_router_id 9\nvirtual_ipaddress {{\n10.9.9.9\n}}\n}}\n\
         track_group G {{\ngroup {{\nM\n}}\n}}\nstatic_rules {{\n{lines}\n}}\n"
    );
    let loaded = machine().load(text);
    let classes = loaded.diagnostics.iter().map(|said| said.class);
    let classes = classes.filter(|class| *class != Class::Pending).collect();
    let rules = loaded
        .settings
        .map_or_else(Vec::new, |settings| settings.vrrp.static_rules);
    (rules, classes)
}

/// Each line, the rule as it is written back (empty: dropped), and the classes of what is said.
fn table(rows: &[(&str, &str, &[Class])]) {
    for (line, expected, classes) in rows {
        let (rules, said) = read_lines(line);
        let shown = rules
            .first()
            .map_or_else(String::new, |rule| rule.entry.to_string());
        assert_eq!(shown, *expected, "{line}");
        assert_eq!(said, *classes, "{line}");
    }
}

#[test]
fn selectors() {
    table(&[
        (
            "from 10.0.0.0/8 table 100 priority 9",
            "preference 9 from 10.0.0.0/8 table 100",
            &[],
        ),
        (
            "to 10.0.0.0/8 lookup vpn order 9",
            "preference 9 to 10.0.0.0/8 table 100",
            &[],
        ),
        (
            "from any to all table 5 preference 9",
            "preference 9 table 5",
            &[],
        ),
        (
            "from default6 table 5 preference 9",
            "preference 9 table 5 inet6",
            &[],
        ),
        (
            "from default to fd00::/8 table 5 preference 9",
            "preference 9 to fd00::/8 table 5",
            &[],
        ),
        (
            "not from 10.0.0.0/8 table 5 preference 9",
            "preference 9 not from 10.0.0.0/8 table 5",
            &[],
        ),
        (
            "table 5 preference 0x10 tos 16",
            "preference 16 tos 16 table 5",
            &[],
        ),
        ("table 5 preference 010", "preference 8 table 5", &[]),
        ("table 5 preference \"\"", "preference 0 table 5", &[]),
        (
            "table 5 preference 9 fwmark 24/12",
            "preference 9 fwmark 0x18/0xc table 5",
            &[],
        ),
        (
            "table 5 preference 9 fwmark 0x1",
            "preference 9 fwmark 0x1 table 5",
            &[],
        ),
        (
            "table 5 preference 9 dev eth0 oif eth1",
            "preference 9 iif eth0 oif eth1 table 5",
            &[],
        ),
        (
            "table 5 preference 9 tunnel-id 18446744073709551615",
            "preference 9 tunnel-id 18446744073709551615 table 5",
            &[],
        ),
        (
            "table 5 preference 9 uidrange 5-10",
            "preference 9 uidrange 5-10 table 5",
            &[],
        ),
        (
            "table 5 preference 9 ipproto TCP",
            "preference 9 ipproto 6 table 5",
            &[],
        ),
        (
            "table 5 preference 9 ipproto 17",
            "preference 9 ipproto 17 table 5",
            &[],
        ),
        (
            "table 5 preference 9 sport 80-90 dport 5-5",
            "preference 9 sport 80-90 dport 5-5 table 5",
            &[],
        ),
        ("from x table 5 preference 9", "", GENERAL),
        (
            "from 10.0.0.0/33 table 5 preference 9",
            "preference 9 from 10.0.0.0/32 table 5",
            NUMBER,
        ),
        (
            "from fd00::/8 to 10.0.0.0/8 table 5 preference 9",
            "",
            GENERAL,
        ),
        ("table 5 preference 9 tos x", "", GENERAL),
        ("table 5 preference 5x", "", NUMBER),
        ("table 5 preference -1", "", NUMBER),
        ("table 5 preference 4294967296", "", NUMBER),
        ("table 5 preference 9 fwmark x", "", GENERAL),
        ("table 5 preference 9 fwmark 1/x", "", GENERAL),
        ("table 5 preference 9 fwmark 1/2/3", "", GENERAL),
        ("table 5 preference 9 iif nosuch", "", GENERAL),
        ("table 5 preference 9 tunnel-id 0x5", "", NUMBER),
        ("table 5 preference 9 uidrange 10", "", GENERAL),
        ("table 5 preference 9 uidrange x-10", "", GENERAL),
        ("table 5 preference 9 uidrange 10-5", "", REMARK),
        ("table 5 preference 9 ipproto nosuch", "", GENERAL),
        ("table 5 preference 9 ipproto 256", "", GENERAL),
        (
            "table 5 preference 9 sport 80",
            "preference 9 sport 80-80 table 5",
            GENERAL,
        ),
        ("table 5 preference 9 sport 0", "", GENERAL),
        ("table 5 preference 9 sport 5-", "", GENERAL),
        ("table 5 preference 9 dport 90-80", "", REMARK),
        ("table 5 preference 9 dport 1-65536", "", REMARK),
        ("table 5 preference", "", MISSING),
        ("from", "", MISSING),
    ]);
}

#[test]
fn actions() {
    table(&[
        ("blackhole preference 9", "preference 9 blackhole", &[]),
        ("type prohibit preference 9", "preference 9 prohibit", &[]),
        ("unreachable preference 9", "preference 9 unreachable", &[]),
        ("nop preference 9", "preference 9 nop", &[]),
        ("l3mdev preference 9", "preference 9 l3mdev", &[]),
        ("goto 10 preference 9", "preference 9 goto 10", &[]),
        (
            "table 5 realms 3/4 sup_pl 0 sup_group uplinks preference 9",
            "preference 9 table 5 realms 3/4 suppress_prefixlength 0 suppress_ifgroup 5",
            &[],
        ),
        ("goto 9 preference 9", "", GENERAL),
        ("goto 9", "", GENERAL),
        ("goto x preference 9", "", NUMBER),
        ("table 0 preference 9", "", GENERAL),
        ("table unspec preference 9", "", GENERAL),
        ("table nosuch preference 9", "", GENERAL),
        ("from 10.0.0.0/8 preference 9", "", GENERAL),
        ("blackhole table 5 preference 9", "", GENERAL),
        ("table 5 table 6 preference 9", "", GENERAL),
        ("table 5 l3mdev preference 9", "", GENERAL),
        ("blackhole realms 3 preference 9", "", GENERAL),
        ("l3mdev sup_pl 3 preference 9", "", GENERAL),
        ("table 5 realms x preference 9", "", GENERAL),
        ("from fd00::/8 table 5 realms 3 preference 9", "", GENERAL),
        ("table 5 sup_pl -1 preference 9", "", NUMBER),
        ("table 5 sup_pl 2147483648 preference 9", "", NUMBER),
        ("table 5 sup_group nosuch preference 9", "", GENERAL),
        ("type foo preference 9", "", GENERAL),
        ("throw preference 9", "", GENERAL),
        ("bogus", "", GENERAL),
        ("type", "", MISSING),
    ]);
}

#[test]
fn families_and_protocols() {
    table(&[
        (
            "table 5 preference 9 inet6",
            "preference 9 table 5 inet6",
            &[],
        ),
        (
            "inet6 table 5 preference 9",
            "preference 9 table 5 inet6",
            REMARK,
        ),
        (
            "inet from 10.0.0.0/8 table 5 preference 9",
            "preference 9 from 10.0.0.0/8 table 5",
            REMARK,
        ),
        (
            "inet6 to table 5 preference 9",
            "preference 9 table 5 inet6",
            REMARK,
        ),
        (
            "inet6 to fd00::/8 table 5 preference 9",
            "preference 9 to fd00::/8 table 5",
            REMARK,
        ),
        ("from 10.0.0.0 table 5 preference 9 inet6", "", GENERAL),
        ("inet6", "", GENERAL),
        (
            "table 5 preference 9 protocol 18",
            "preference 9 table 5",
            &[],
        ),
        (
            "table 5 preference 9 protocol 3",
            "preference 9 table 5",
            GENERAL,
        ),
        (
            "table 5 preference 9 protocol 3 no_track",
            "preference 9 protocol 3 table 5 no_track",
            &[],
        ),
        ("table 5 preference 9 protocol static", "", NUMBER),
        ("table 5 preference 9 protocol 256", "", NUMBER),
    ]);
}

#[test]
fn rules_without_preference_are_numbered_downward_per_family() {
    let (rules, said) =
        read_lines("table 5\nfrom x table 6\ntable 7\nfrom fd00::/8 table 8\nl3mdev");
    let numbers: Vec<u32> = rules.iter().map(|rule| rule.entry.preference).collect();
    assert_eq!(numbers, [16384, 16383, 16384, 16382]);
    assert_eq!(said, [Class::General; 5]);
}

#[test]
fn track_groups_are_for_static_rules_with_an_input_interface() {
    for (line, group, classes) in [
        (
            "table 5 preference 9 iif eth0 track_group G",
            Some("G"),
            &[][..],
        ),
        ("table 5 preference 9 oif eth0 track_group G", None, GENERAL),
        ("table 5 preference 9 iif eth0 track_group H", None, GENERAL),
        (
            "table 5 preference 9 iif eth0 no_track track_group G",
            None,
            REMARK,
        ),
    ] {
        let (rules, said) = read_lines(line);
        assert_eq!(rules[0].track_group.as_deref(), group, "{line}");
        assert_eq!(said, classes, "{line}");
    }
    let instance = "vrrp_instance A {\ninterface eth0\nvirtual_router_id 1\nvirtual_ipaddress {\n10.0.0.1\n}\n\
                    virtual_rules {\ntable 5 iif eth1 preference 9\ntable 6 iif eth1 track_group G\n}\n}";
    let loaded = machine().load(instance);
    let rules = &loaded.settings.unwrap().vrrp.instances[0].virtual_rules;
    assert_eq!(rules.len(), 1, "the second one names a group");
    let interfaces: Vec<_> = rules[0].interfaces().map(IfName::as_str).collect();
    assert_eq!(interfaces, ["eth1"]);
}

#[test]
fn values() {
    let (rules, said) =
        read_lines("from fd00::/8 lookup vpn preference 7 iif eth0 fwmark 3/5 no_track");
    assert_eq!(said, []);
    let expected = Rule {
        from: Some(Prefix::new("fd00::".parse().unwrap(), 8).unwrap()),
        input: Some(IfName::new("eth0").unwrap()),
        mark: Some(FirewallMark {
            mark: 3,
            mask: Some(5),
        }),
        no_track: true,
        ..Rule::new(Family::V6, 7, RuleAction::Lookup(Lookup::new(100)))
    };
    assert_eq!(rules[0].entry, expected);
    assert_eq!(rules[0].entry.interfaces().count(), 0, "no_track");
}

#[test]
fn what_was_probably_meant() {
    for (line, help) in [
        ("fro 10.0.0.0/8 table 5", "did you mean 'from'?"),
        ("table 5 pref 9", "did you mean 'preference'?"),
        ("table 5 ip_proto 6", "did you mean 'ipproto'?"),
        (
            "10.0.0.0/8 table 5",
            "an address stands behind 'from' or 'to'",
        ),
        (
            "table 5 sport 80",
            "write 'sport 80-80': keepalived drops the rule",
        ),
    ] {
        let loaded = machine().load(format!("static_rules {{\n{line}\n}}"));
        assert!(
            loaded
                .diagnostics
                .iter()
                .any(|said| said.help.as_deref() == Some(help)),
            "{line}: {:?}",
            loaded.diagnostics
        );
    }
}

/// Words that rules are made of, in any order.
fn salad() -> impl Strategy<Value = String> {
    let word = prop_oneof![
        4 => proptest::sample::select(OPTIONS.to_vec()),
        3 => proptest::sample::select(vec![
            "10.0.0.0/8", "10.0.0.1", "fd00::/64", "any", "eth0", "nosuch", "0", "1", "7", "300", "0x20", "1/2", "3-4",
            "5-", "4294967296", "tcp", "vpn", "uplinks", "no_track", "track_group", "G", "\"\"", "-1",
        ]),
    ];
    proptest::collection::vec(word, 0..12).prop_map(|words| words.join(" "))
}

/// Lines that mostly make a rule.
fn sound() -> impl Strategy<Value = String> {
    let action = proptest::sample::select(vec![
        "table vpn",
        "table 7 realms 3/4",
        "lookup 9 sup_pl 3 sup_group uplinks",
        "l3mdev",
        "goto 70",
        "blackhole",
        "type nop",
        "prohibit",
        "unreachable",
    ]);
    let option = proptest::sample::select(vec![
        "from 10.0.0.7/8",
        "to fd00::/8",
        "from any",
        "not",
        "tos 8",
        "fwmark 3",
        "fwmark 9/0xff",
        "iif eth0",
        "oif eth1",
        "tunnel-id 3",
        "uidrange 3-4",
        "ipproto udp",
        "sport 1-65535",
        "dport 7",
        "protocol 9",
        "no_track",
        "track_group G",
        "preference 3",
        "preference 69",
        "inet6",
        "inet",
    ]);
    (proptest::collection::vec(option, 0..8), action)
        .prop_map(|(options, action)| format!("{action} {}", options.join(" ")))
}

/// An accepted rule reads back as itself, and without a word said.
fn check(line: &str) {
    let (rules, _) = read_lines(line);
    let Some(first) = rules.first() else { return };
    let shown = match &first.track_group {
        Some(group) => format!("track_group {group} {}", first.entry),
        None => first.entry.to_string(),
    };
    let (second, said) = read_lines(&shown);
    assert_eq!(second.first(), Some(first), "{line} became {shown}");
    assert_eq!(said, [], "{line} became {shown}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn word_salad_reads_back(line in salad()) {
        check(&line);
    }

    #[test]
    fn rules_read_back(line in sound()) {
        check(&line);
    }
}
