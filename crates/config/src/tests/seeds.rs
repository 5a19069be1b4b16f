//! The configurations that users copy from documents, and what they resolve to.

use types::{Centiseconds, Priority, Vrid};
use vrrp::settings::{AuthPass, Authentication, InitialState, InstanceSettings, VirtualAddress};

use crate::testing::Fake;
use crate::{Class, Loaded, exit_status_of_test};

fn case(name: &str, machine: Fake) -> Loaded {
    let path = format!("{}/tests/cases/{name}.conf", env!("CARGO_MANIFEST_DIR"));
    machine.load(std::fs::read(path).unwrap())
}

fn vip(text: &str, interface: &str) -> VirtualAddress {
    let (address, length) = text.split_once('/').unwrap();
    VirtualAddress::new(
        types::Prefix::new(address.parse().unwrap(), length.parse().unwrap()).unwrap(),
        types::IfName::new(interface).unwrap(),
    )
}

fn instance(
    name: &str,
    vrid: u8,
    priority: u8,
    state: InitialState,
    pass: &str,
) -> InstanceSettings {
    InstanceSettings {
        priority: Priority::new(priority).unwrap(),
        state,
        authentication: Authentication::Pass(AuthPass::new(pass.as_bytes())),
        ..InstanceSettings::new(
            name,
            types::IfName::new("eth0").unwrap(),
            Vrid::new(vrid).unwrap(),
        )
    }
}

#[test]
fn active_backup() {
    for (file, priority, state) in [
        ("active-backup-a", 100, InitialState::Master),
        ("active-backup-b", 90, InitialState::Backup),
    ] {
        let loaded = case(file, Fake::default());
        assert_eq!(loaded.diagnostics, [], "{file}");
        let expected = InstanceSettings {
            virtual_ipaddress: vec![
                vip("192.168.1.220/32", "eth0"),
                vip("192.168.1.230/32", "eth0"),
            ]
            .into(),
            ..instance("VI_1", 51, priority, state, "1111")
        };
        assert_eq!(loaded.settings.unwrap().vrrp.instances, [expected]);
    }
}

#[test]
fn dual_master() {
    let loaded = case("dual-master-a", Fake::default());
    assert_eq!(loaded.diagnostics, []);
    let expected = [
        InstanceSettings {
            virtual_ipaddress: vec![vip("192.168.1.220/32", "eth0")].into(),
            ..instance("VI_1", 51, 100, InitialState::Master, "1111")
        },
        InstanceSettings {
            virtual_ipaddress: vec![vip("192.168.1.230/32", "eth0")].into(),
            ..instance("VI_2", 52, 90, InitialState::Backup, "1111")
        },
    ];
    assert_eq!(loaded.settings.unwrap().vrrp.instances, expected);
    let other = case("dual-master-b", Fake::default())
        .settings
        .unwrap()
        .vrrp
        .instances;
    assert_eq!(
        other.iter().map(|i| i.priority.get()).collect::<Vec<_>>(),
        [90, 100]
    );
}

#[test]
fn nginx_pair_loads_with_its_typing_errors_named() {
    let loaded = case("nginx-pair-b", Fake::default().interface("ens33"));
    let said: Vec<_> = loaded
        .diagnostics
        .iter()
        .map(|d| (d.class, d.line, d.help.as_deref()))
        .collect();
    assert_eq!(
        said,
        [
            (
                Class::General,
                4,
                Some(
                    "a group makes several instances change state together; for one it does nothing"
                )
            ),
            (
                Class::General,
                10,
                Some("did you mean 'BACKUP'? That is used")
            ),
            (
                Class::UnknownKeyword,
                12,
                Some("did you mean 'lvs_sync_daemon_interface'?")
            ),
        ]
    );
    assert_eq!(exit_status_of_test(&loaded.diagnostics), 5);
    let settings = loaded.settings.unwrap();
    assert_eq!(settings.global.router_id.as_deref(), Some("haweb_1"));
    assert_eq!(settings.vrrp.sync_groups[0].members, ["VI_HA"]);
    let mut expected = InstanceSettings {
        interface: Some(types::IfName::new("ens33").unwrap()),
        advert_int: Centiseconds::from_seconds(5),
        virtual_ipaddress: vec![vip("192.168.171.160/24", "ens33")].into(),
        ..instance("VI_HA", 51, 80, InitialState::Backup, "zhangbin")
    };
    assert_eq!(settings.vrrp.instances, [expected.clone()]);

    let a = case("nginx-pair-a", Fake::default().interface("ens33"))
        .settings
        .unwrap();
    expected.state = InitialState::Master;
    expected.priority = Priority::new(90).unwrap();
    assert_eq!(a.vrrp.instances, [expected]);
}

#[test]
fn haproxy_vip_tracks_its_script() {
    let machine = Fake::default()
        .interface("enp0s3")
        .script("/etc/keepalived/haproxy_check.sh");
    let loaded = case("haproxy-vip", machine);
    assert_eq!(loaded.diagnostics.len(), 1, "{:?}", loaded.diagnostics);
    assert_eq!(
        exit_status_of_test(&loaded.diagnostics),
        6,
        "script security is off"
    );
    let settings = loaded.settings.unwrap();
    let script = &settings.vrrp.scripts[0];
    assert_eq!(
        (
            script.name.as_str(),
            script.interval.as_secs(),
            script.rise,
            script.fall
        ),
        ("chk_haproxy", 2, 1, 1)
    );
    let track = &settings.vrrp.instances[0].track_script[0];
    assert_eq!(
        (track.script.as_str(), track.weight.get()),
        ("chk_haproxy", 2)
    );
    let command = &settings.commands["chk_haproxy"];
    assert_eq!(
        (command.argv.as_slice(), command.user.uid),
        (&["/etc/keepalived/haproxy_check.sh".to_owned()][..], 0)
    );
}

#[test]
fn a_missing_script_is_disabled_and_the_instance_goes_on() {
    let loaded = case("haproxy-vip", Fake::default().interface("enp0s3"));
    assert_eq!(exit_status_of_test(&loaded.diagnostics), 5);
    let settings = loaded.settings.unwrap();
    assert!(settings.vrrp.scripts.is_empty() && settings.commands.is_empty());
    assert!(settings.vrrp.instances[0].track_script.is_empty());
}
