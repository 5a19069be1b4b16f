//! `static_ipaddress`, and where the system's names for numbers are.

use super::arguments::noted;
use super::{Keyword, Role, addresses};

pub(super) const KEYWORDS: &[Keyword] = &[Keyword {
    blocks: &[""],
    name: "static_ipaddress",
    arguments: noted("{ ADDRESS[/PREFIX] [dev INTERFACE] [track_group GROUP] ... }"),
    help: "addresses that are there as long as the daemon runs",
    role: Role::List(addresses::fixed),
    ..super::ROW
}];

#[cfg(test)]
mod tests {
    use crate::Class;
    use crate::testing::Fake;

    /// What becomes of an entry of `static_ipaddress`, with some lines of `global_defs`.
    fn address(globals: &str, line: &str) -> (String, Vec<Class>) {
        let text = format!(
            "vrrp_instance M {{\ninterface eth1\nvirtual_router_id 9\nvirtual_ipaddress {{\n10.9.9.9\n}}\n}}\n\
             track_group G {{\ngroup {{\nM\n}}\n}}\nstatic_ipaddress {{\n{line}\n}}\nglobal_defs {{\n{globals}\n}}\n"
        );
        let loaded = Fake::default().load(text);
        let shown = match &loaded.settings {
            None => "fatal".to_owned(),
            Some(settings) => settings.vrrp.static_ipaddress.first().map_or_else(
                || "dropped".to_owned(),
                |fixed| {
                    format!(
                        "{} {} scope {} broadcast {:?} group {:?}",
                        fixed.entry.prefix,
                        fixed.entry.interface,
                        fixed.entry.scope,
                        fixed.entry.broadcast,
                        fixed.track_group
                    )
                },
            ),
        };
        let classes = loaded.diagnostics.iter().map(|said| said.class);
        (
            shown,
            classes.filter(|class| *class != Class::Pending).collect(),
        )
    }

    #[test]
    fn static_addresses_need_an_interface() {
        for (globals, line, expected, classes) in [
            (
                "",
                "10.0.0.1/24",
                "10.0.0.1/24 eth0 scope 0 broadcast None group None",
                &[][..],
            ),
            (
                "",
                "10.0.0.1/24 dev eth1",
                "10.0.0.1/24 eth1 scope 0 broadcast None group None",
                &[],
            ),
            (
                "default_interface eth1",
                "10.0.0.1/24 scope link",
                "10.0.0.1/24 eth1 scope 253 broadcast None group None",
                &[],
            ),
            (
                "default_interface nosuch",
                "10.0.0.1/24",
                "fatal",
                &[Class::Fatal],
            ),
            (
                "default_interface nosuch",
                "10.0.0.1/24 dev eth1",
                "10.0.0.1/24 eth1 scope 0 broadcast None group None",
                &[],
            ),
            (
                "dynamic_interfaces\ndefault_interface later",
                "10.0.0.1/24",
                "10.0.0.1/24 later scope 0 broadcast None group None",
                &[],
            ),
            ("", "10.0.0.1/24 dev nosuch", "fatal", &[Class::General]),
            ("", "10.0.0.1/24 dev", "dropped", &[Class::General]),
            (
                "",
                "10.0.0.1/24 track_group G",
                "10.0.0.1/24 eth0 scope 0 broadcast None group Some(\"G\")",
                &[],
            ),
            (
                "",
                "10.0.0.1/24 track_group H scope xx",
                "10.0.0.1/24 eth0 scope 0 broadcast None group None",
                &[Class::General, Class::General],
            ),
            (
                "",
                "10.0.0.1/24 track_group G no_track",
                "10.0.0.1/24 eth0 scope 0 broadcast None group None",
                &[Class::Uncounted],
            ),
            ("", "10.0.0.1/24 track_group", "dropped", &[Class::General]),
            (
                "",
                "10.0.0.1/24 use_vmac",
                "10.0.0.1/24 eth0 scope 0 broadcast None group None",
                &[Class::General],
            ),
            (
                "",
                "10.0.0.1 peer 10.0.0.2 brd 10.0.0.255",
                "10.0.0.1/32 eth0 scope 0 broadcast None group None",
                &[Class::General],
            ),
            (
                "",
                "10.0.0.1/24 brd +",
                "10.0.0.1/24 eth0 scope 0 broadcast Some(10.0.0.255) group None",
                &[],
            ),
            (
                "",
                "10.0.0.1/",
                "10.0.0.1/0 eth0 scope 0 broadcast None group None",
                &[Class::Uncounted],
            ),
            (
                "",
                "10.0.0.1/x",
                "10.0.0.1/32 eth0 scope 0 broadcast None group None",
                &[Class::InvalidNumber],
            ),
            ("", "10.0.0.256", "dropped", &[Class::General]),
            (
                "",
                "fd00::1 label x scope link",
                "fd00::1/128 eth0 scope 0 broadcast None group None",
                &[Class::General, Class::General],
            ),
            (
                "",
                "fd00::1 label a_label_of_16_by",
                "dropped",
                &[Class::General],
            ),
        ] {
            let (shown, said) = address(globals, line);
            assert_eq!(shown, expected, "{globals} {line}");
            assert_eq!(said, classes, "{globals} {line}");
        }
    }

    #[test]
    fn scopes_have_the_names_of_the_system() {
        let loaded = Fake::default()
            .file("/opt/names/rt_scopes", "42 campus\n")
            .load("global_defs {\niproute_etc_dir /opt/names\n}\nstatic_ipaddress {\n10.0.0.1 scope campus\n}\n");
        let settings = loaded.settings.unwrap();
        assert_eq!(
            settings.global.files.iproute_etc_dir.as_deref(),
            Some("/opt/names")
        );
        assert_eq!(settings.vrrp.static_ipaddress[0].entry.scope, 42);
    }

    #[test]
    fn a_virtual_address_may_have_the_routers_mac() {
        let loaded = Fake::default().load(
            "vrrp_instance A {\ninterface eth0\nvirtual_router_id 1\nvirtual_ipaddress {\n10.0.0.1 use_vmac\n}\n}",
        );
        let settings = loaded.settings.unwrap();
        assert!(settings.vrrp.instances[0].virtual_ipaddress[0].use_vmac);
    }
}
