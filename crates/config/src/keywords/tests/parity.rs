//! What `-t` prints, line by line: keepalived's classes, at keepalived's lines.

use super::with;
use crate::testing::Fake;

/// The lines that `-t` prints about a text, with what stands before them; it begins with an instance of eight lines.
fn said_by_test(text: &str) -> Vec<String> {
    let text = format!("{}\n{text}", with(""));
    let loaded = Fake::default().script("/bin/x").load(text);
    let counted = loaded.diagnostics.iter().filter(|d| d.class.is_counted());
    counted
        .flat_map(|diagnostic| {
            let classes: Vec<_> = diagnostic.classes().collect();
            let said = diagnostic.terse();
            let lines: Vec<_> = said.lines().map(str::to_owned).collect();
            assert_eq!(classes.len(), lines.len(), "{said}");
            classes.into_iter().zip(lines)
        })
        .map(|(class, line)| {
            let place = line
                .split_once(": Line ")
                .and_then(|(_, rest)| rest.split_once(") "));
            let place = place.map(|(number, _)| number);
            format!("{} {}", place.unwrap_or("-"), class.name())
        })
        .collect()
}

#[test]
fn keepalived_speaks_twice_of_a_number_that_it_refuses() {
    let twice = &["11 invalid-number", "11 general"][..];
    let once = &["11 invalid-number"][..];
    for (line, expected) in [
        ("priority 0", twice),
        ("priority x", twice),
        ("priority -5", twice),
        // Its daemon uses the digits, its test does not.
        ("garp_master_repeat 5x", twice),
        ("advert_int x", twice),
        ("advert_int 300", twice),
        ("advert_int -1", twice),
        // So many microseconds: that is too short.
        ("advert_int 12e", twice),
        ("advert_int 1.50000s", once),
        ("preempt_delay x", once),
    ] {
        let text = format!(
            "vrrp_instance B {{\ninterface eth0\n{line}\nvirtual_router_id 2\n\
                            virtual_ipaddress {{\n10.0.0.2\n}}\n}}"
        );
        assert_eq!(said_by_test(&text), expected, "{line}");
    }
}

#[test]
fn entries_are_judged_where_they_stand_and_blocks_at_their_end() {
    let instance = |lines: &str| {
        format!(
            "vrrp_instance B {{\ninterface eth0\nvirtual_router_id 2\nvirtual_ipaddress {{\n10.0.0.2\n}}\n{lines}\n}}"
        )
    };
    let both = &["16 invalid-number", "16 general"][..];
    for (text, expected) in [
        (instance("track_interface {\neth1 weight 300\n}"), both),
        (instance("track_interface {\neth1 weight x\n}"), both),
        (
            instance("track_interface {\neth1 weight 254\n}"),
            &["16 general"],
        ),
        (
            instance("track_interface {\neth1 weight 5 noreverse\n}"),
            &["16 general"],
        ),
        (
            instance("unicast_peer {\n10.0.0.9 min_ttl 300\n}"),
            &["16 invalid-number"],
        ),
        (instance("virtual_ipaddress {\n10.0.0.3/33\n}"), both),
        (
            instance("virtual_ipaddress {\nx/33\n}"),
            &["16 general", "16 invalid-number"],
        ),
        (
            instance("virtual_routes {\n10.1.0.0/16 dev eth0 metric x\n}"),
            both,
        ),
        (instance("virtual_rules {\ntable 5 priority x\n}"), both),
        (
            instance("virtual_routes {\n10.1.0.0/16 dev eth0 rtt x\n}"),
            both,
        ),
        (
            instance("virtual_rules {\ntable 5 preference 9 to x/99\n}"),
            &["16 general", "16 invalid-number"],
        ),
        (
            instance("virtual_rules {\ntable 5 preference 9 sport x-y\n}"),
            &["16 general"],
        ),
        (instance("unicast_ttl 3\nuse_vmac"), &["17 general"]),
        (
            instance("use_vmac\nunicast_peer {\n10.0.0.9\n}"),
            &["19 general"],
        ),
        (
            "vrrp_instance B {\ninterface eth8\nvirtual_router_id 2\ntrack_interface {\neth9\n}\n}"
                .into(),
            &["10 general", "- bad-interface", "13 general"],
        ),
        (
            "vrrp_instance B {\ninterface lo\nvirtual_router_id 2\n}".into(),
            &["10 general", "- general"],
        ),
        (
            "vrrp_sync_group G {\ngroup {\n}\n}".into(),
            &["11 general", "- general"],
        ),
        (
            "vrrp_sync_group G {\ngroup {\nA\n}\ngroup {\nB\n}\n}".into(),
            &["- general", "13 general", "- general"],
        ),
        ("track_group G {\ngroup {\n}\n}".into(), &["11 general"]),
        ("bfd_instance b {\n}".into(), &["10 general"]),
        (
            "bfd_instance b {\nneighbor_ip 10.0.0.9\nsource_ip fe80::1\n}".into(),
            &["12 general"],
        ),
        (
            "global_defs {\nnotification_email {\n}\n}".into(),
            &["11 general"],
        ),
        (
            "garp_group {\ngarp_interval 1\ninterfaces {\neth9\n}\n}".into(),
            &["13 general", "- bad-interface"],
        ),
        (
            "interface_up_down_delays {\neth0 300\n}".into(),
            &["10 invalid-number"],
        ),
        (
            "vrrp_script s {\nscript \"/bin/x\"\nweight 300\n}".into(),
            &["11 invalid-number", "11 general"],
        ),
    ] {
        let said = said_by_test(&text);
        let said: Vec<_> = said
            .iter()
            .filter(|line| !line.ends_with("security"))
            .collect();
        assert_eq!(said, expected, "{text}");
    }
}
