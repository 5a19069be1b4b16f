//! The table as a whole, and each setter: good values, bad ones, out of range, missing, given twice.

use vrrp::settings::{InstanceSettings, Preempt};

use super::arguments::Needs;
use super::*;
use crate::testing::Fake;
use crate::{Class, Settings};

mod blocks;
mod instances;
mod parity;

#[test]
fn every_row_belongs_to_a_block_that_some_row_opens() {
    let table = Table::get();
    for (path, _) in table.rows().filter(|(path, _)| !path.is_empty()) {
        let (block, name) = path.rsplit_once('/').unwrap_or(("", path));
        let opener = table
            .find(block, name)
            .unwrap_or_else(|| panic!("{path} has no opener"));
        assert_eq!(opener.shape(), Shape::Block, "{path}");
        assert_eq!(table.inside(block, name), path);
    }
}

#[test]
fn rows_are_documented() {
    for (block, row) in all_rows() {
        assert!(!row.help.is_empty(), "{block}/{}", row.name);
        assert!(
            row.arguments.needs != Needs::Argument || !row.arguments.to_string().is_empty(),
            "{block}/{}",
            row.name
        );
    }
}

#[test]
fn the_whole_language_is_known() {
    let known: std::collections::BTreeSet<(&str, &str)> =
        keywords().map(|facts| (facts.block, facts.name)).collect();
    assert_eq!(known.len(), keywords().count(), "a row stands twice");
    assert!(known.len() >= 539, "{}", known.len());
    // The list of what keepalived knows is no part of the sources; where it is at hand they are compared.
    let list = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../../shared/spec/config-keywords.tsv"
    );
    let Ok(list) = std::fs::read_to_string(list) else {
        println!("skipped: the list is not there");
        return;
    };
    for line in list.lines().skip(1) {
        let mut cells = line.split('\t');
        let (block, name) = (cells.next().unwrap(), cells.next().unwrap());
        assert!(known.contains(&(block, name)), "no row for {line}");
    }
}

#[test]
fn directives_are_no_keywords_of_blocks() {
    let table = Table::get();
    assert!(table.block(directives::ANYWHERE).is_none());
    assert!(table.block("virtual_server_group").is_none());
    let found = Fake::default().load("incldue x\ninclude\n").diagnostics;
    let help: Vec<&str> = found
        .iter()
        .filter_map(|found| found.help.as_deref())
        .collect();
    assert!(help.contains(&"did you mean 'include'?"), "{found:?}");
    assert!(
        help.contains(&"behind it stands what to read: include PATTERN"),
        "{found:?}"
    );
}

#[test]
fn a_limit_that_no_person_reaches_is_not_told() {
    let of = |block: &str, name: &str| {
        keywords()
            .find(|facts| facts.block == block && facts.name == name)
            .unwrap()
    };
    let facts = of("virtual_server", "delay_loop");
    assert_eq!(facts.arguments, "0.000001..");
    assert_eq!(
        facts.allowed.unwrap(),
        "0.000001 seconds or more, written without the unit"
    );
    assert!(keywords().all(|facts| !facts.arguments.contains("18446744073709.5")));
}

#[test]
fn commands_are_split_as_a_shell_would() {
    for (block, row) in Table::get().rows() {
        // `process` names what others run; its words are plain ones.
        let takes_command = row.arguments.to_string().contains("COMMAND") && row.name != "process";
        assert!(!takes_command || row.shell_words, "{block}/{}", row.name);
    }
}

#[test]
fn no_keyword_has_two_rows_in_a_block() {
    let mut seen = BTreeMap::new();
    for row in SOURCES.iter().flat_map(|rows| rows.iter()) {
        for block in row.blocks {
            let before = seen.insert((*block, row.name), ());
            assert!(before.is_none(), "{block}/{}", row.name);
        }
    }
}

/// An instance with a line.
fn with(line: &str) -> String {
    format!(
        "vrrp_instance A {{\n interface eth0\n virtual_router_id 1\n virtual_ipaddress {{\n 10.0.0.1\n }}\n {line}\n}}"
    )
}

/// What a line in an instance leads to.
fn instance(line: &str) -> (Option<InstanceSettings>, Vec<Class>) {
    let (settings, classes) = whole(&with(line));
    (
        settings.and_then(|settings| settings.vrrp.instances.first().cloned()),
        classes,
    )
}

fn whole(text: &str) -> (Option<Settings>, Vec<Class>) {
    let loaded = Fake::default().load(text);
    (
        loaded.settings,
        loaded.diagnostics.iter().map(|d| d.class).collect(),
    )
}

/// Each line, what `show` says of the instance, and the classes of what is reported.
fn table(show: fn(&InstanceSettings) -> String, rows: &[(&str, &str, &[Class])]) {
    for (line, expected, classes) in rows {
        let (settings, said) = instance(line);
        assert_eq!(
            settings.as_ref().map_or("fatal".to_owned(), show),
            *expected,
            "{line}"
        );
        assert_eq!(said, *classes, "{line}");
    }
}

const NUMBER: &[Class] = &[Class::InvalidNumber];
const GENERAL: &[Class] = &[Class::General];
const MISSING: &[Class] = &[Class::MissingParameter];

#[test]
fn priority() {
    table(
        |i| i.priority.to_string(),
        &[
            ("", "100", &[]),
            ("priority 1", "1", &[]),
            ("priority 255", "255", &[]),
            ("priority 0", "100", NUMBER),
            ("priority 300", "100", NUMBER),
            ("priority 10x", "100", NUMBER),
            ("priority -1", "100", NUMBER),
            ("priority", "fatal", MISSING),
            ("priority 10\npriority 20", "20", &[]),
            ("state MASTER", "255", &[]),
            ("priority 50\nstate MASTER", "50", &[]),
        ],
    );
}

#[test]
fn state() {
    table(
        |i| format!("{:?}", i.state),
        &[
            ("", "Backup", &[]),
            ("priority 255", "Master", &[]),
            ("state BACKUP\npriority 255", "Backup", &[]),
            ("state SLAVE", "Backup", GENERAL),
            ("state master", "Backup", GENERAL),
            ("state BACKUP\nstate MASTER", "Master", &[]),
            ("state MASTER\nstate BACKUP", "Master", GENERAL),
            ("state", "fatal", MISSING),
        ],
    );
}

#[test]
fn advert_int() {
    table(
        |i| i.advert_int.get().to_string(),
        &[
            ("", "100", &[]),
            ("advert_int 3", "300", &[]),
            ("advert_int 0.3", "100", GENERAL),
            ("advert_int 1.5", "200", GENERAL),
            ("advert_int 255", "25500", &[]),
            ("advert_int 256", "100", NUMBER),
            ("advert_int 1s", "100", NUMBER),
            ("version 3\nadvert_int 0.05", "5", &[]),
            ("version 3\nadvert_int 0.055", "6", GENERAL),
            ("version 3\nadvert_int 100", "4095", GENERAL),
            ("advert_int", "fatal", MISSING),
        ],
    );
}

#[test]
fn preempt() {
    table(
        |i| match i.preempt {
            Preempt::Immediately => "at once".into(),
            Preempt::Never => "never".into(),
            Preempt::After(delay) => format!("{delay:?}"),
        },
        &[
            ("", "at once", &[]),
            ("nopreempt", "never", &[]),
            ("nopreempt\npreempt", "at once", &[]),
            ("preempt_delay 0.5", "500ms", &[]),
            ("preempt_delay 1000", "1000s", &[]),
            ("preempt_delay 1001", "at once", NUMBER),
            ("preempt_delay 10s", "at once", NUMBER),
            ("preempt_delay 5\nnopreempt", "never", GENERAL),
            ("state MASTER\npriority 5\nnopreempt", "at once", GENERAL),
            (
                "state MASTER\npriority 5\npreempt_delay 5",
                "at once",
                GENERAL,
            ),
            ("priority 255\nstate BACKUP\nnopreempt", "at once", GENERAL),
        ],
    );
}

#[test]
fn version_and_family() {
    table(
        |i| format!("{}{}", i.family, i.version.number()),
        &[
            ("", "IPv42", &[]),
            ("version 3", "IPv43", &[]),
            ("version 4", "IPv42", NUMBER),
            ("version 3\nversion 2", "IPv43", GENERAL),
            ("native_ipv6", "IPv42", GENERAL),
            ("virtual_ipaddress {\nfd00::1\n}", "IPv42", GENERAL),
            ("mcast_src_ip fd00::1", "IPv42", GENERAL),
        ],
    );
    let v6 = |before: &str| {
        let (settings, classes) = whole(&format!(
            "vrrp_instance A {{\n {before}\n interface eth0\n virtual_router_id 1\n virtual_ipaddress {{\n fe80::1\n }}\n}}"
        ));
        let instance = settings.unwrap().vrrp.instances.remove(0);
        (
            instance.version.number(),
            instance.mcast_dst_ip.to_string(),
            classes,
        )
    };
    assert_eq!(v6(""), (3, "ff02::12".into(), vec![]));
    assert_eq!(v6("version 2"), (2, "ff02::12".into(), vec![]));
    assert_eq!(
        v6("native_ipv6\nversion 2"),
        (3, "ff02::12".into(), vec![Class::General])
    );
    assert_eq!(
        v6("strict_mode\nversion 2"),
        (3, "ff02::12".into(), vec![Class::General])
    );
    assert_eq!(v6("mcast_dst_ip ff02::99"), (3, "ff02::99".into(), vec![]));
    assert_eq!(
        v6("mcast_dst_ip ff05::99"),
        (3, "ff02::12".into(), vec![Class::General])
    );
}

#[test]
fn switches_and_counts() {
    table(
        |i| {
            format!(
                "{} {} {}",
                i.lower_prio_no_advert, i.skip_check_adv_addr, i.down_timer_adverts
            )
        },
        &[
            ("", "false false 3", &[]),
            ("lower_prio_no_advert", "true false 3", &[]),
            ("lower_prio_no_advert off", "false false 3", &[]),
            ("lower_prio_no_advert maybe", "false false 3", GENERAL),
            ("skip_check_adv_addr on", "false true 3", &[]),
            ("skip_check_adv_addr off", "false false 3", &[]),
            ("down_timer_adverts 100", "false false 100", &[]),
            ("down_timer_adverts 101", "false false 3", NUMBER),
            ("down_timer_adverts 5x", "false false 5", NUMBER),
        ],
    );
    table(
        |i| format!("{} {}", i.higher_prio_send_advert, i.owner_ignore_adverts),
        &[
            ("higher_prio_send_advert yes", "true false", &[]),
            ("owner_ignore_adverts", "false false", GENERAL),
            ("priority 255\nowner_ignore_adverts", "false true", &[]),
            (
                "priority 255\nowner_ignore_adverts no",
                "false false",
                GENERAL,
            ),
            (
                "strict_mode\npriority 255\nowner_ignore_adverts no",
                "false true",
                GENERAL,
            ),
            (
                "strict_mode\nhigher_prio_send_advert",
                "false false",
                GENERAL,
            ),
        ],
    );
}

#[test]
fn garp() {
    table(
        |i| {
            let g = &i.garp;
            format!(
                "{} {} {} {} {} {}",
                g.master_delay,
                g.master_repeat,
                g.master_refresh,
                g.master_refresh_repeat,
                g.lower_prio_delay,
                g.lower_prio_repeat
            )
        },
        &[
            ("", "5 5 0 1 5 5", &[]),
            ("garp_master_delay 0", "0 5 0 1 5 5", &[]),
            ("garp_master_delay 4295", "5 5 0 1 5 5", NUMBER),
            ("garp_master_repeat 0", "5 1 0 1 5 5", GENERAL),
            (
                "garp_master_refresh 60\ngarp_master_refresh_repeat 2",
                "5 5 60 2 5 5",
                &[],
            ),
            ("garp_master_refresh x", "5 5 0 1 5 5", NUMBER),
            (
                "garp_lower_prio_delay 1\ngarp_lower_prio_repeat 0",
                "5 5 0 1 1 0",
                &[],
            ),
            (
                "strict_mode\ngarp_lower_prio_delay 1",
                "5 5 0 1 0 0",
                GENERAL,
            ),
        ],
    );
}

#[test]
fn authentication() {
    table(
        |i| match &i.authentication {
            vrrp::settings::Authentication::None => "none".into(),
            other @ (vrrp::settings::Authentication::Ah(_)
            | vrrp::settings::Authentication::Hmac(_)) => format!("{other:?}"),
            vrrp::settings::Authentication::Pass(pass) => {
                String::from_utf8_lossy(pass.bytes()).into()
            }
        },
        &[
            (
                "authentication {\nauth_type PASS\nauth_pass 12345678\n}",
                "12345678",
                &[],
            ),
            (
                "authentication {\nauth_type PASS\nauth_pass 123456789\n}",
                "12345678",
                GENERAL,
            ),
            (
                "authentication {\nauth_type PASS\nauth_pass \"\"\n}",
                "none",
                GENERAL,
            ),
            ("authentication {\nauth_type PASS\n}", "none", GENERAL),
            (
                "authentication {\nauth_type pass\nauth_pass 1\n}",
                "none",
                GENERAL,
            ),
            ("authentication {\nauth_pass 1\n}", "none", &[]),
            (
                "authentication {\nauth_type PASS\nauth_pass\n}",
                "fatal",
                &[Class::General, Class::MissingParameter],
            ),
            (
                "version 3\nauthentication {\nauth_type PASS\nauth_pass 1\n}",
                "none",
                GENERAL,
            ),
            (
                "strict_mode\nauthentication {\nauth_type PASS\nauth_pass 1\n}",
                "none",
                GENERAL,
            ),
        ],
    );
}

#[test]
fn instances_with_peers_or_proofs_run() {
    for line in [
        "unicast_peer {\n10.0.0.9\n}",
        "authentication {\nauth_type AH\nauth_pass 1\n}",
        "auth_hmac {\nkey 1 0123456789abcdef0123456789abcdef\nactive_key 1\n}",
    ] {
        let (settings, classes) = whole(&with(line));
        let settings = settings.unwrap();
        assert_eq!(classes, [], "{line}");
        assert_eq!(settings.vrrp.instances.len(), 1, "{line}");
    }
    let (settings, classes) = whole(&with("unicast_peer {\n}"));
    assert_eq!(
        classes,
        [Class::Deprecated],
        "without a peer it is multicast"
    );
    assert_eq!(settings.unwrap().vrrp.instances[0].unicast, None);
    assert_eq!(instance("unicast_src_ip 10.0.0.9").1, [Class::Deprecated]);
}

#[test]
fn interface_and_vrid() {
    for (body, fatal, classes) in [
        ("interface eth0\nvirtual_router_id 1", false, vec![]),
        (
            "interface eth9\nvirtual_router_id 1",
            true,
            vec![Class::General],
        ),
        (
            "interface lo\nvirtual_router_id 1",
            true,
            vec![Class::General],
        ),
        (
            "interface a_name_of_16_by\nvirtual_router_id 1",
            true,
            vec![Class::General],
        ),
        ("virtual_router_id 1", true, vec![Class::General]),
        ("interface eth0", true, vec![Class::General]),
        (
            "interface eth0\nvirtual_router_id 0",
            true,
            vec![Class::InvalidNumber],
        ),
        (
            "interface eth0\nvirtual_router_id 256",
            true,
            vec![Class::InvalidNumber],
        ),
    ] {
        let text = format!("vrrp_instance A {{\n{body}\nvirtual_ipaddress {{\n10.0.0.1\n}}\n}}");
        let (settings, said) = whole(&text);
        assert_eq!((settings.is_none(), said), (fatal, classes), "{body}");
    }
    let later = "global_defs {\ndynamic_interfaces\n}\nvrrp_instance A {\ninterface eth9\nvirtual_router_id 1\n\
                 virtual_ipaddress {\n10.0.0.1\n}\n}";
    assert_eq!(
        whole(later).0.unwrap().vrrp.instances[0]
            .interface
            .as_ref()
            .unwrap()
            .as_str(),
        "eth9"
    );
}

#[test]
fn addresses() {
    table(
        |i| {
            let text = crate::describe(&Settings {
                vrrp: vrrp::Settings {
                    instances: vec![i.clone()],
                    ..Default::default()
                },
                ..Default::default()
            });
            let lines = text
                .lines()
                .filter_map(|line| line.trim().strip_prefix("virtual_ipaddress"));
            lines
                .skip(1)
                .map(|line| line.trim_start_matches(" = ").replace("_excluded = ", "x "))
                .collect::<Vec<_>>()
                .join(",")
        },
        &[
            (
                "virtual_ipaddress {\n10.0.0.2/24 dev eth1\n}",
                "10.0.0.2/24 dev eth1",
                &[],
            ),
            (
                "virtual_ipaddress {\n10.0.0.2/24 brd +\n}",
                "10.0.0.2/24 dev eth0 brd 10.0.0.255",
                &[],
            ),
            (
                "virtual_ipaddress {\n10.0.0.2/24 brd -\n}",
                "10.0.0.2/24 dev eth0 brd 10.0.0.0",
                &[],
            ),
            (
                "virtual_ipaddress {\n10.0.0.2/31 brd +\n}",
                "10.0.0.2/31 dev eth0",
                GENERAL,
            ),
            ("virtual_ipaddress {\n10.0.0.2 brd x\n}", "", GENERAL),
            (
                "virtual_ipaddress {\n10.0.0.2 scope link label eth0:1\n}",
                "10.0.0.2/32 dev eth0 scope 253 label eth0:1",
                &[],
            ),
            (
                "virtual_ipaddress {\n10.0.0.2 scope far\n}",
                "10.0.0.2/32 dev eth0",
                GENERAL,
            ),
            (
                "virtual_ipaddress {\n10.0.0.2 label a_label_of_16_by\n}",
                "",
                GENERAL,
            ),
            (
                "virtual_ipaddress {\n10.0.0.2 peer 10.0.0.3\n}",
                "10.0.0.2/32 dev eth0 peer 10.0.0.3/32",
                &[],
            ),
            (
                "virtual_ipaddress {\n10.0.0.2/24 peer 10.0.0.3\n}",
                "10.0.0.2/32 dev eth0 peer 10.0.0.3/32",
                GENERAL,
            ),
            (
                "virtual_ipaddress {\n10.0.0.2 peer fd00::1\n}",
                "10.0.0.2/32 dev eth0",
                GENERAL,
            ),
            (
                "virtual_ipaddress {\n10.0.0.2/33\n}",
                "10.0.0.2/32 dev eth0",
                NUMBER,
            ),
            (
                "virtual_ipaddress {\n10.0.0.2/24x\n}",
                "10.0.0.2/24 dev eth0",
                NUMBER,
            ),
            ("virtual_ipaddress {\n10.0.0.256\n}", "", GENERAL),
            ("virtual_ipaddress {\n10.0.0.1\n}", "", GENERAL),
            ("virtual_ipaddress {\n10.0.0.2 dev\n}", "", GENERAL),
            (
                "virtual_ipaddress {\n10.0.0.2 dev eth0 dev eth1\n}",
                "",
                GENERAL,
            ),
            (
                "virtual_ipaddress {\n10.0.0.2 dev eth9\n}",
                "fatal",
                GENERAL,
            ),
            (
                "virtual_ipaddress {\n10.0.0.2 no_track home noprefixroute\n}",
                "10.0.0.2/32 dev eth0 home noprefixroute no_track",
                &[],
            ),
            (
                "virtual_ipaddress {\n10.0.0.2 notrack\n}",
                "10.0.0.2/32 dev eth0",
                GENERAL,
            ),
            (
                "virtual_ipaddress {\n10.0.0.2 use_vmac\n}",
                "10.0.0.2/32 dev vrrp.1",
                &[],
            ),
            (
                "virtual_ipaddress_excluded {\nfd00::1/64\n}",
                "x fd00::1/64 dev eth0",
                &[],
            ),
            (
                "virtual_ipaddress_excluded {\nfd00::1\n}",
                "x fd00::1/128 dev eth0 preferred_lft 0",
                &[],
            ),
            (
                "virtual_ipaddress_excluded {\nfd00::1 preferred_lft forever\n}",
                "x fd00::1/128 dev eth0",
                &[],
            ),
            (
                "virtual_ipaddress_excluded {\nfd00::1/64 preferred_lft 1x\n}",
                "x fd00::1/64 dev eth0",
                NUMBER,
            ),
            (
                "virtual_ipaddress_excluded {\nfd00::1/64 scope link\n}",
                "x fd00::1/64 dev eth0",
                GENERAL,
            ),
            (
                "virtual_ipaddress_excluded {\nfd00::1/64 -nodad\n}",
                "x fd00::1/64 dev eth0 -nodad",
                &[],
            ),
            ("virtual_ipaddress_excluded {\n10.0.0.1\n}", "", GENERAL),
        ],
    );
}

#[test]
fn tracked_interfaces() {
    table(
        |i| {
            let show = |t: &vrrp::settings::TrackInterface| {
                format!(
                    "{} {}{}",
                    t.interface,
                    t.weight.get(),
                    if t.reverse { " reverse" } else { "" }
                )
            };
            i.track_interface
                .iter()
                .map(show)
                .collect::<Vec<_>>()
                .join(",")
        },
        &[
            ("track_interface {\neth1\n}", "eth1 0", &[]),
            (
                "track_interface {\neth1 weight -20 reverse\n}",
                "eth1 -20 reverse",
                &[],
            ),
            ("track_interface {\neth1 weight 254\n}", "eth1 253", GENERAL),
            ("track_interface {\neth1 weight 255\n}", "eth1 0", NUMBER),
            ("track_interface {\neth1 weight\n}", "", GENERAL),
            ("track_interface {\neth1 weight=2\n}", "eth1 0", GENERAL),
            ("track_interface {\neth1\neth1\n}", "eth1 0", GENERAL),
            ("track_interface {\neth0\n}", "", GENERAL),
            ("track_interface {\neth9\n}", "fatal", GENERAL),
            (
                "priority 255\ntrack_interface {\neth1 weight 5\n}",
                "",
                GENERAL,
            ),
            ("virtual_ipaddress {\n10.0.0.2 dev eth1\n}", "eth1 0", &[]),
            (
                "virtual_ipaddress {\n10.0.0.2 dev eth1 no_track\n}",
                "",
                &[],
            ),
            (
                "track_interface {\neth1 weight 5\n}\nvirtual_ipaddress {\n10.0.0.2 dev eth1\n}",
                "eth1 5",
                &[],
            ),
        ],
    );
}

#[test]
fn scripts() {
    let text = |script: &str, track: &str| {
        format!(
            "global_defs {{\nenable_script_security\nscript_user root\n}}\nvrrp_script s {{\n{script}\n}}\n\
             vrrp_instance A {{\ninterface eth0\nvirtual_router_id 1\nvirtual_ipaddress {{\n10.0.0.1\n}}\n\
             track_script {{\n{track}\n}}\n}}"
        )
    };
    for (script, track, expected, classes) in [
        (
            "script \"/bin/x a 'b c'\"",
            "s",
            "s 0 1s None 1 1 /bin/x|a|b c",
            vec![],
        ),
        (
            "script /bin/x\ninterval 2.5\ntimeout 3\nrise 2\nfall 3\nweight -5",
            "s",
            "s -5 2.5s Some(3s) 2 3 /bin/x",
            vec![],
        ),
        (
            "script /bin/x\nweight -5",
            "s weight 7",
            "s 7 1s None 1 1 /bin/x",
            vec![],
        ),
        (
            "script /bin/x y",
            "s",
            "s 0 1s None 1 1 /bin/x",
            vec![Class::Uncounted],
        ),
        (
            "script /bin/x\ninterval 0",
            "s",
            "s 0 1s None 1 1 /bin/x",
            vec![Class::General],
        ),
        (
            "script /bin/x\ninterval 2s",
            "s",
            "s 0 1s None 1 1 /bin/x",
            vec![Class::InvalidNumber],
        ),
        (
            "script /bin/x\nrise 0",
            "s",
            "s 0 1s None 1 1 /bin/x",
            vec![Class::InvalidNumber],
        ),
        (
            "script /bin/x\nuser daemon :",
            "s",
            "s 0 1s None 1 1 /bin/x",
            vec![],
        ),
        (
            "script </etc/passwd",
            "s",
            "s 0 1s None 1 1 sh|-c|</etc/passwd",
            vec![],
        ),
        (
            "script /bin/x\nuser stranger",
            "s",
            "",
            vec![Class::General, Class::General],
        ),
        (
            "script \"/bin/x",
            "s",
            "",
            vec![Class::UnmatchedQuote, Class::General],
        ),
        ("interval 2", "s", "", vec![Class::General, Class::General]),
        ("script /nowhere/x", "s", "", vec![Class::General]),
        (
            "script /bin/x",
            "t",
            "",
            vec![Class::Uncounted, Class::General],
        ),
        (
            "script /bin/x",
            "s\ns",
            "s 0 1s None 1 1 /bin/x",
            vec![Class::General],
        ),
        (
            "script /bin/x\nfail 3",
            "s",
            "s 0 1s None 1 1 /bin/x",
            vec![Class::UnknownKeyword],
        ),
    ] {
        let (settings, said) = whole(&text(script, track));
        let settings = settings.unwrap();
        let shown = settings.vrrp.scripts.first().map_or(String::new(), |s| {
            let weight = settings.vrrp.instances[0].track_script[0].weight.get();
            let argv = settings.commands[&s.name].argv.join("|");
            format!(
                "{} {weight} {:?} {:?} {} {} {argv}",
                s.name, s.interval, s.timeout, s.rise, s.fall
            )
        });
        assert_eq!(
            (shown.as_str(), said),
            (expected, classes),
            "{script} / {track}"
        );
    }
}

#[test]
fn notify_scripts() {
    for (line, expected, classes) in [
        (
            "notify_master \"/bin/x 'a b'\"",
            "/bin/x|a b 0:0[]",
            vec![Class::Security],
        ),
        (
            "notify_master /bin/x daemon",
            "/bin/x 1:1[]",
            vec![Class::Security],
        ),
        (
            "notify_master /bin/x daemon root",
            "/bin/x 1:0[]",
            vec![Class::Security],
        ),
        (
            "notify_master /bin/x daemon :",
            "/bin/x 1:1[1, 20]",
            vec![Class::Security],
        ),
        (
            "notify_master /bin/x daemon :root",
            "/bin/x 1:0[1, 20]",
            vec![Class::Security],
        ),
        ("notify_master /bin/x a", "", vec![Class::Uncounted]),
        ("notify_master /nowhere", "", vec![Class::Uncounted]),
        (
            "notify_master /bin/x\nnotify_master /bin/y",
            "/bin/x 0:0[]",
            vec![Class::General, Class::Security],
        ),
        ("notify_master \"\"", "", vec![Class::Uncounted]),
    ] {
        let loaded = Fake::default().load(format!(
            "vrrp_instance A {{\ninterface eth0\nvirtual_router_id 1\nvirtual_ipaddress {{\n10.0.0.1\n}}\n{line}\n}}"
        ));
        let notify = loaded
            .settings
            .unwrap()
            .instance_notify
            .remove("A")
            .unwrap_or_default();
        let shown = notify.master.map_or(String::new(), |command| {
            format!(
                "{} {}:{}{:?}",
                command.argv.join("|"),
                command.user.uid,
                command.user.gid,
                command.user.groups
            )
        });
        let said: Vec<_> = loaded.diagnostics.iter().map(|d| d.class).collect();
        assert_eq!((shown.as_str(), said), (expected, classes), "{line}");
    }
    let (_, classes) = instance("notify_fault");
    assert_eq!(classes, MISSING);
}

#[test]
fn defaults_of_instances() {
    let text = "global_defs {\nvrrp_version 3\nvrrp_down_timer_adverts 5\nvrrp_mcast_group4 224.0.0.99\n\
                vrrp_lower_prio_no_advert\nvrrp_higher_prio_send_advert\nvrrp_skip_check_adv_addr\n\
                vrrp_notify_priority_changes\nvrrp_owner_ignore_adverts\nvrrp_garp_master_delay 1\n}\n\
                vrrp_instance A {\ninterface eth0\nvirtual_router_id 1\npriority 255\nvirtual_ipaddress {\n10.0.0.1\n}\n}";
    let (settings, classes) = whole(text);
    assert_eq!(classes, []);
    let i = settings.unwrap().vrrp.instances.remove(0);
    assert_eq!(
        (
            i.version.number(),
            i.down_timer_adverts,
            i.mcast_dst_ip.to_string()
        ),
        (3, 5, "224.0.0.99".into())
    );
    assert!(i.lower_prio_no_advert && i.higher_prio_send_advert && i.skip_check_adv_addr);
    assert!(i.notify_priority_changes && i.owner_ignore_adverts);
    assert_eq!((i.garp.master_delay, i.garp.lower_prio_delay), (1, 1));
}

#[test]
fn sync_groups() {
    let member = |name: &str, vrid: u8, inside: &str| {
        format!(
            "vrrp_instance {name} {{\ninterface eth0\nvirtual_router_id {vrid}\nvirtual_ipaddress {{\n10.0.0.{vrid}\n}}\n{inside}\n}}\n"
        )
    };
    let both = format!(
        "global_defs {{\nenable_script_security\nscript_user root\n}}\nvrrp_script s {{\nscript /bin/x\nweight 5\n}}\n{}{}",
        member("A", 1, "track_script {\ns\n}"),
        member("B", 2, "track_interface {\neth1 weight 5\n}")
    );
    for (group, members, scripts, weight, classes) in [
        (
            "group { A B }",
            vec!["A B"],
            0,
            0,
            vec![Class::General, Class::General, Class::Uncounted],
        ),
        (
            "group { A B }\nsync_group_tracking_weight",
            vec!["A B"],
            1,
            5,
            vec![],
        ),
        (
            "group { A B }\nglobal_tracking",
            vec!["A B"],
            1,
            5,
            vec![Class::Deprecated],
        ),
        (
            "group { A C }\nsync_group_tracking_weight",
            vec!["A"],
            1,
            5,
            vec![Class::General, Class::General],
        ),
        (
            "group { C }",
            vec![],
            1,
            5,
            vec![Class::General, Class::General],
        ),
        ("", vec![], 1, 5, vec![Class::General]),
        (
            "group { A B }\nsync_group_tracking_weight\ntrack_interface {\neth1 weight -9\n}",
            vec!["A B"],
            1,
            -9,
            vec![Class::General],
        ),
    ] {
        let (settings, mut said) = whole(&format!("{both}vrrp_sync_group G {{\n{group}\n}}\n"));
        let settings = settings.unwrap();
        let groups: Vec<_> = settings
            .vrrp
            .sync_groups
            .iter()
            .map(|g| g.members.join(" "))
            .collect();
        assert_eq!(groups, members, "{group}");
        assert_eq!(settings.vrrp.scripts.len(), scripts, "{group}");
        assert_eq!(
            settings.vrrp.instances[1].track_interface[0].weight.get(),
            weight,
            "{group}"
        );
        let mut classes = classes.clone();
        said.sort();
        classes.sort();
        assert_eq!(said, classes, "{group}");
    }
    let (settings, classes) = whole(&format!(
        "{both}vrrp_sync_group G {{\ngroup {{ A B }}\nsync_group_tracking_weight\n}}\nvrrp_sync_group H {{\ngroup {{ B }}\n}}\n\
         vrrp_sync_group G {{\n}}\nvrrp_sync_group {{\n}}\n"
    ));
    assert_eq!(settings.unwrap().vrrp.sync_groups.len(), 1);
    assert_eq!(
        classes.len(),
        4,
        "taken, empty, name twice, no name: {classes:?}"
    );
}

#[test]
fn instances_as_a_whole() {
    let one = |name: &str, vrid: u8, inside: &str| {
        format!("vrrp_instance {name} {{\ninterface eth0\nvirtual_router_id {vrid}\n{inside}\n}}\n")
    };
    let vip = "virtual_ipaddress {\n10.0.0.1\n}";
    for (text, count, classes) in [
        (
            one("A", 1, vip) + &one("B", 1, vip),
            None,
            vec![Class::General],
        ),
        (
            one("A", 1, vip) + &one("B", 1, &format!("{vip}\nmcast_dst_ip 224.0.0.99")),
            Some(2),
            vec![],
        ),
        (
            one("A", 1, vip) + &one("A", 2, vip),
            Some(1),
            vec![Class::General],
        ),
        (one("\"A\" B", 1, vip), Some(0), vec![Class::General]),
        (one("", 1, vip), Some(0), vec![Class::General]),
        (one("A", 1, ""), Some(1), vec![Class::General]),
        (one("A", 1, "no_virtual_ipaddress"), Some(1), vec![]),
        (one("A", 1, "version 3"), None, vec![Class::General]),
        (
            one("A", 1, "version 3\nno_virtual_ipaddress"),
            Some(1),
            vec![],
        ),
        (
            one("A", 1, "strict_mode\nno_virtual_ipaddress"),
            None,
            vec![Class::General, Class::General],
        ),
    ] {
        let (settings, said) = whole(&text);
        assert_eq!(
            (settings.map(|s| s.vrrp.instances.len()), said),
            (count, classes),
            "{text}"
        );
    }
}

#[test]
fn more_addresses_than_an_advert_holds() {
    let vips: String = (0..260)
        .map(|n| format!("10.0.{}.{}\n", n / 250, n % 250 + 1))
        .collect();
    let (settings, classes) = whole(&format!(
        "vrrp_instance A {{\ninterface eth0\nvirtual_router_id 1\nvirtual_ipaddress {{\n{vips}}}\n\
         virtual_ipaddress_excluded {{\n10.9.9.9\n}}\n}}"
    ));
    let i = settings.unwrap().vrrp.instances.remove(0);
    assert_eq!(
        (
            i.virtual_ipaddress.len(),
            i.virtual_ipaddress_excluded.len(),
            classes
        ),
        (255, 6, vec![Class::General])
    );
    assert_eq!(
        i.virtual_ipaddress_excluded[5].prefix.to_string(),
        "10.9.9.9/32"
    );
}
