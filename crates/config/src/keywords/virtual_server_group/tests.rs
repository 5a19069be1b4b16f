//! Entries, one by one, and what makes a group useless.

use lvs::settings::GroupEntry;

use crate::Class;
use crate::keywords::servers::testing::{GENERAL, LOGGED, MISSING, NUMBER, load};

fn show(entry: &GroupEntry) -> String {
    match entry {
        GroupEntry::Addresses { first, last, port } => format!("{first}..{last} {port}"),
        GroupEntry::Mark { mark, family } => {
            let family = family.map_or("any".to_owned(), |family| family.to_string());
            format!("mark {mark} {family}")
        }
    }
}

#[test]
fn entries() {
    let rows: &[(&str, &str, &[Class])] = &[
        ("10.0.0.1", "10.0.0.1..10.0.0.1 0", &[]),
        ("10.0.0.1 80", "10.0.0.1..10.0.0.1 80", &[]),
        ("10.0.0.1 000", "10.0.0.1..10.0.0.1 0", &[]),
        ("10.0.0.1 80 90", "10.0.0.1..10.0.0.1 80", &[]),
        ("10.0.0.1 80x", "10.0.0.1..10.0.0.1 80", NUMBER),
        ("10.0.0.1 65536", "", NUMBER),
        ("10.0.0.1 http", "", NUMBER),
        ("host 80", "", GENERAL),
        ("10.0.0.1-255 80", "10.0.0.1..10.0.0.255 80", &[]),
        ("10.0.0.1-1", "", GENERAL),
        ("10.0.0.5-3", "", GENERAL),
        ("10.0.0.5-256", "", GENERAL),
        ("10.0.0.5-9x", "", GENERAL),
        ("10.0.0.5-+9", "", GENERAL),
        ("10.0.0.5-", "", GENERAL),
        ("10.0.0.5-10.0.1.9 80", "10.0.0.5..10.0.1.9 80", &[]),
        ("10.0.0.5-10.0.0.5", "10.0.0.5..10.0.0.5 0", &[]),
        ("10.0.0.5-10.0.0.4", "", GENERAL),
        ("10.0.0.5-fd00::1", "", GENERAL),
        ("fd00::1-ff", "fd00::1..fd00::ff 0", &[]),
        ("fd00::1-FFFF", "fd00::1..fd00::ffff 0", &[]),
        ("fd00::1-10000", "", GENERAL),
        ("fd00::1-xyz", "", GENERAL),
        ("fd00::2-1", "", GENERAL),
        ("fd00::1-fd00::5", "fd00::1..fd00::5 0", &[]),
        ("10.0.0.0/24 80", "10.0.0.0..10.0.0.255 80", &[]),
        ("10.0.0.4/30", "10.0.0.4..10.0.0.7 0", &[]),
        ("10.0.0.1/32", "10.0.0.1..10.0.0.1 0", &[]),
        ("10.0.0.1/24", "", GENERAL),
        ("10.0.0.0/0", "", GENERAL),
        ("10.0.0.0/33", "", GENERAL),
        ("10.0.0.0/24x", "", GENERAL),
        ("128.0.0.0/1", "128.0.0.0..255.255.255.255 0", LOGGED),
        ("fd00::/112", "fd00::..fd00::ffff 0", &[]),
        ("fd00::/64", "fd00::..fd00::ffff:ffff:ffff:ffff 0", LOGGED),
        ("fd00::1/128", "fd00::1..fd00::1 0", &[]),
        ("fd00::/129", "", GENERAL),
        ("fwmark 7", "mark 7 any", &[]),
        ("fwmark 7 inet", "mark 7 IPv4", &[]),
        ("fwmark 7 inet6 x", "mark 7 IPv6", &[]),
        ("fwmark 7x", "mark 7 any", NUMBER),
        ("fwmark 7 ipv4", "", GENERAL),
        ("fwmark 4294967296", "", NUMBER),
        ("fwmark x", "", NUMBER),
        ("fwmark 0", "", LOGGED),
    ];
    for (line, expected, classes) in rows {
        // The last entry keeps the group in being.
        let (settings, said) = load(&format!(
            "virtual_server_group G {{\n {line}\n fwmark 9\n}}"
        ));
        let settings = settings.unwrap();
        let entries: Vec<_> = settings.lvs.groups[0].entries.iter().map(show).collect();
        let wanted: Vec<_> = [*expected, "mark 9 any"]
            .into_iter()
            .filter(|text| !text.is_empty())
            .collect();
        assert_eq!(entries, wanted, "{line}");
        assert_eq!(said, *classes, "{line}");
    }
    let (settings, said) = load("virtual_server_group G {\n fwmark\n 10.0.0.1\n}");
    assert_eq!((settings, said.as_slice()), (None, MISSING));
}

#[test]
fn groups() {
    let rows: &[(&str, &str, &[Class])] = &[
        ("G {\n 10.0.0.1\n}", "G1", &[]),
        ("G {\n}", "", GENERAL),
        ("G {\n nonsense\n}", "", &[Class::General, Class::General]),
        ("G {\n 10.0.0.1\n fd00::1\n}", "G2", &[]),
        ("G {\n 10.0.0.1\n fd00::1\n fwmark 1 inet\n}", "G3", &[]),
        ("G {\n 10.0.0.1\n fd00::1\n fwmark 1\n}", "", GENERAL),
        ("G {\n 10.0.0.1\n fwmark 1 inet6\n fwmark 2\n}", "", GENERAL),
        (
            "G {\n 10.0.0.1\n}\nvirtual_server_group G {\n 10.0.0.1\n 10.0.0.2\n}",
            "G1",
            LOGGED,
        ),
        (
            "G {\n}\nvirtual_server_group G {\n 10.0.0.1\n 10.0.0.2\n}",
            "G2",
            GENERAL,
        ),
        ("{\n 10.0.0.1\n}", "fatal", MISSING),
    ];
    for (text, expected, classes) in rows {
        let (settings, said) = load(&format!("virtual_server_group {text}"));
        let shown = settings.map_or("fatal".to_owned(), |settings| {
            let groups = settings.lvs.groups.iter();
            groups
                .map(|group| format!("{}{}", group.name, group.entries.len()))
                .collect()
        });
        assert_eq!(shown, *expected, "{text}");
        assert_eq!(said, *classes, "{text}");
    }
}
