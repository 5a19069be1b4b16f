//! Blocks beside instances: files, processes, BFD sessions, groups, links; and the lists that refer to them.

use std::time::Duration;

use super::{whole, with};
use crate::Class;
use crate::Settings;

/// The settings of a text and what is said, without the remarks about what is not acted on.
fn read(text: &str) -> (Settings, Vec<Class>) {
    let (settings, mut classes) = whole(text);
    classes.retain(|class| *class != Class::Pending);
    (settings.unwrap(), classes)
}

#[test]
fn track_files() {
    for (block, expected, classes) in [
        ("file x.conf", "/etc/keepalived/x.conf 1 false None", vec![]),
        (
            "file /etc/keepalived/y\nweight -3 reverse\ninit_file 7 overwrite",
            "/etc/keepalived/y -3 true Some(FileInit { value: 7, overwrite: true })",
            vec![],
        ),
        (
            "file x\ninit_file",
            "/etc/keepalived/x 1 false Some(FileInit { value: 0, overwrite: false })",
            vec![],
        ),
        (
            "file x\nfile y",
            "/etc/keepalived/x 1 false None",
            vec![Class::General],
        ),
        (
            "file x\nweight 255",
            "/etc/keepalived/x 1 false None",
            vec![Class::InvalidNumber],
        ),
        (
            "file x\nweight\nweight 2\nweight 3",
            "/etc/keepalived/x 2 false None",
            vec![Class::General; 2],
        ),
        (
            "file x\nweight 2 rev",
            "/etc/keepalived/x 2 false None",
            vec![Class::General],
        ),
        (
            "file x\ninit_file 1x ever",
            "/etc/keepalived/x 1 false Some(FileInit { value: 0, overwrite: false })",
            vec![Class::InvalidNumber, Class::General],
        ),
        ("weight 3", "none", vec![Class::General; 2]),
        ("file", "none", vec![Class::General; 3]),
        ("file /nowhere/x", "none", vec![Class::General; 2]),
    ] {
        let text = format!(
            "track_file f {{\n{block}\n}}\n{}",
            with("track_file {\nf\n}")
        );
        let (settings, mut said) = read(&text);
        said.sort();
        let mut classes = classes.clone();
        classes.sort();
        let shown = settings
            .vrrp
            .track_files
            .first()
            .map_or("none".into(), |file| {
                let track = &settings.vrrp.instances[0].track_file[0];
                format!(
                    "{} {} {} {:?}",
                    file.path,
                    track.weight.get(),
                    track.reverse,
                    file.init
                )
            });
        assert_eq!((shown.as_str(), said), (expected, classes), "{block}");
    }
    let (settings, said) = read("vrrp_track_file f {\nfile x\n}\ntrack_file f {\nfile y\n}");
    assert_eq!(said, [Class::Uncounted, Class::Uncounted]);
    assert_eq!(settings.vrrp.track_files.len(), 1, "the first one is used");
}

#[test]
fn track_processes() {
    for (block, expected, classes) in [
        ("process x", "x [] false Exact 1 None 0ns 0ns 0", vec![]),
        (
            "process /bin/x a b\nparam_match initial\nquorum 2\nquorum_max 3\ndelay 1.5\nfork_delay 2\nweight 5 reverse",
            "/bin/x [\"a\", \"b\"] true Initial 2 Some(3) 2s 1.5s 5",
            vec![],
        ),
        (
            "process x\nquorum_max 0\nfull_command\nterminate_delay 3600",
            "x [] true Exact 0 Some(0) 0ns 3600s 0",
            vec![],
        ),
        (
            "process x\nparam_match",
            "x [] true Exact 1 None 0ns 0ns 0",
            vec![],
        ),
        (
            "process x\nprocess y",
            "x [] false Exact 1 None 0ns 0ns 0",
            vec![Class::General],
        ),
        (
            "process x\nparam_match all\nquorum 0\nquorum 65536\ndelay 0\nfork_delay 3601",
            "x [] false Exact 1 None 0ns 0ns 0",
            vec![
                Class::InvalidNumber,
                Class::InvalidNumber,
                Class::InvalidNumber,
                Class::InvalidNumber,
                Class::General,
            ],
        ),
        (
            "process x\nquorum 3\nquorum_max 2",
            "x [] false Exact 3 None 0ns 0ns 0",
            vec![Class::General],
        ),
        (
            "process x\nquorum_max 2\nquorum 3",
            "x [] false Exact 1 Some(2) 0ns 0ns 0",
            vec![Class::General],
        ),
        (
            "process x\nweight 255\nweight\nweight 4\nweight 5",
            "x [] false Exact 1 None 0ns 0ns 4",
            vec![Class::InvalidNumber, Class::General, Class::General],
        ),
        ("weight 3", "none", vec![Class::General; 2]),
    ] {
        let text = format!(
            "vrrp_track_process p {{\n{block}\n}}\n{}",
            with("track_process {\np\n}")
        );
        let (settings, mut said) = read(&text);
        said.sort();
        let shown = settings
            .vrrp
            .track_processes
            .first()
            .map_or("none".into(), |p| {
                let weight = settings.vrrp.instances[0].track_process[0].weight.get();
                format!(
                    "{} {:?} {} {:?} {} {:?} {:?} {:?} {weight}",
                    p.command,
                    p.parameters,
                    p.full_command,
                    p.matching,
                    p.quorum,
                    p.quorum_max,
                    p.fork_delay,
                    p.terminate_delay
                )
            });
        assert_eq!((shown.as_str(), said), (expected, classes), "{block}");
    }
}

#[test]
fn bfd_sessions() {
    let show = |s: &bfd::settings::Session| {
        format!(
            "{} {} {:?} {:?} {:?} {:?} {} {} {:?} {} {}{}",
            s.name,
            s.neighbor,
            s.source.map(|source| source.to_string()),
            s.min_rx,
            s.min_tx,
            s.idle_tx,
            s.multiplier,
            s.ttl,
            s.max_hops,
            s.multihop,
            if s.to_vrrp { "v" } else { "" },
            if s.to_checker { "c" } else { "" },
        )
    };
    const USUAL: &str = "b 10.0.0.2 None 10ms 10ms 1s 5 255 AtMost(0) false vc";
    for (block, expected, classes) in [
        ("neighbor_ip 10.0.0.2", USUAL, vec![]),
        (
            "neighbour_ip fd00::2\nsource_ip fd00::1\nmin_rx 50.5\nmin_tx 1\nidle_tx 2000\nmultiplier 255\nhoplimit 7\n\
             max_hops 7\nmultihop\nvrrp\npassive",
            "b fd00::2 Some(\"fd00::1\") 50.5ms 1ms 2s 255 7 AtMost(7) true v",
            vec![],
        ),
        (
            "neighbor_ip 10.0.0.2\nchecker",
            &USUAL.replace("vc", "c"),
            vec![],
        ),
        (
            "neighbor_ip 10.0.0.2\nmax_hops -1",
            &USUAL.replace("AtMost(0)", "Unlimited"),
            vec![],
        ),
        (
            "neighbor_ip 10.0.0.2\nttl 100\nmax_hops 255",
            &USUAL.replace("255 AtMost(0)", "100 AtMost(100)"),
            vec![Class::General],
        ),
        (
            "neighbor_ip fd00::2\nmax_hops 65",
            "b fd00::2 None 10ms 10ms 1s 5 64 AtMost(64) false vc",
            vec![Class::General],
        ),
        (
            "neighbor_ip 10.0.0.2\nmin_rx 0.5\nmin_tx 10x\nidle_tx 999\nmultiplier 0\nttl 256\nmax_hops 256\nweight 254",
            USUAL,
            vec![Class::InvalidNumber; 7],
        ),
        (
            "neighbor_ip 10.0.0.2\nmin_tx 20000",
            "b 10.0.0.2 None 10ms 20s 1s 5 255 AtMost(0) false vc",
            vec![Class::Uncounted],
        ),
        (
            "neighbor_ip 10.0.0.2\nmultihop maybe\nweight 5 rev",
            USUAL,
            vec![Class::General; 2],
        ),
        (
            "neighbor_ip 10.0.0.2\nsource_ip fd00::1",
            "",
            vec![Class::General],
        ),
        ("neighbor_ip", "", vec![Class::General]),
        ("neighbor_ip 10.0.0.x", "", vec![Class::General]),
        ("min_rx 20", "", vec![Class::General]),
    ] {
        let (settings, mut said) = read(&format!("bfd_instance b {{\n{block}\n}}"));
        said.sort();
        let shown: Vec<_> = settings.bfd.sessions.iter().map(show).collect();
        assert_eq!(
            (shown.join(" | ").as_str(), said),
            (expected, classes),
            "{block}"
        );
    }
    let session = |name: &str, inside: &str| {
        format!("bfd_instance {name} {{\nneighbor_ip 10.0.0.2\n{inside}\n}}\n")
    };
    for (text, count, classes) in [
        (session("a", "") + &session("b", ""), 1, 1),
        (session("a", "") + &session("b", "multihop"), 2, 0),
        (
            session("a", "source_ip 10.0.0.1") + &session("b", "source_ip 10.0.0.3"),
            2,
            0,
        ),
        (session("a", "source_ip 10.0.0.1") + &session("b", ""), 1, 1),
        (
            session("a", "source_ip 10.0.0.1") + &session("b", "source_ip 10.0.0.1"),
            1,
            1,
        ),
        (session("a", "") + &session("a", "multihop"), 1, 1),
        (session("", ""), 0, 1),
        (session("a b", ""), 0, 1),
        (session(&"x".repeat(31), ""), 1, 0),
        (session(&"x".repeat(32), ""), 0, 1),
    ] {
        let (settings, said) = read(&text);
        assert_eq!(
            (settings.bfd.sessions.len(), said.len()),
            (count, classes),
            "{text}"
        );
        assert!(
            said.iter().all(|class| *class == Class::General),
            "{said:?}"
        );
    }
}

/// What entries of the three lists inherit, and what they lose.
#[test]
fn references() {
    let blocks = "track_file f {\nfile x\nweight 2 reverse\n}\nvrrp_track_process f {\nprocess x\nweight -9\n}\n\
                  bfd_instance f {\nneighbor_ip 10.0.0.2\nweight 7\n}\n\
                  bfd_instance c {\nneighbor_ip 10.0.0.3\nchecker\n}\n";
    for (list, expected, classes) in [
        ("track_file {\nf\n}", "f 2 true", vec![]),
        ("track_file {\nf weight 5 noreverse\n}", "f 5 false", vec![]),
        ("track_file {\nf weight -254\n}", "f -254 true", vec![]),
        (
            "track_file {\nf weight 255\n}",
            "f 2 true",
            vec![Class::InvalidNumber],
        ),
        ("track_file {\nf weight\n}", "", vec![Class::General]),
        ("track_file {\nf wait 3\n}", "", vec![Class::General]),
        ("track_file {\nf weight 5 rev\n}", "", vec![Class::General]),
        ("track_file {\nf\nf\n}", "f 2 true", vec![Class::General]),
        ("track_file {\ng\n}", "", vec![Class::General]),
        ("track_process {\nf\n}", "f -9 false", vec![]),
        (
            "track_process {\nf weight 5 rev\n}",
            "f 5 false",
            vec![Class::General],
        ),
        ("track_process {\nf weight 254\n}", "f 254 false", vec![]),
        ("track_process {\ng\n}", "", vec![Class::General]),
        ("track_bfd {\nf\n}", "f 7 false", vec![]),
        (
            "track_bfd {\nf weight 254\n}",
            "f 7 false",
            vec![Class::InvalidNumber],
        ),
        ("track_bfd {\nf weight 5 rev\n}", "", vec![Class::General]),
        ("track_bfd {\nc\n}", "", vec![Class::General]),
    ] {
        let (settings, said) = read(&format!("{blocks}{}", with(list)));
        let i = &settings.vrrp.instances[0];
        let shown: Vec<_> = i
            .track_file
            .iter()
            .chain(&i.track_process)
            .chain(&i.track_bfd)
            .map(|track| format!("{} {} {}", track.name, track.weight.get(), track.reverse))
            .collect();
        assert_eq!(
            (shown.join(",").as_str(), said),
            (expected, classes),
            "{list}"
        );
    }
    let (_, said) = read(&(with("track_file {\nf\n}") + blocks));
    assert_eq!(said, [Class::General], "a file must stand before its use");
}

/// Nobody would ever say that such a session is up.
#[test]
fn servers_follow_the_sessions_that_checkers_are_told_of() {
    for (words, checks) in [("", 1), ("checker", 1), ("vrrp\nchecker", 1), ("vrrp", 0)] {
        let (settings, said) = read(&format!(
            "bfd_instance b {{\nneighbor_ip 10.0.0.2\n{words}\n}}\nvirtual_server 10.0.0.9 80 {{\nprotocol TCP\nlb_algo rr\nlb_kind NAT\n\
             real_server 10.0.0.1 80 {{\nBFD_CHECK {{\nname b\n}}\n}}\n}}"
        ));
        let servers = settings.lvs.virtual_servers.iter();
        let servers = servers.flat_map(|service| &service.real_servers);
        let found: usize = servers.map(|server| server.checkers.len()).sum();
        assert_eq!((found, said.is_empty()), (checks, checks == 1), "{words}");
    }
}

#[test]
fn trackers_of_groups_and_owners() {
    let blocks = "track_file f {\nfile x\n}\ntrack_file g {\nfile y\nweight 3\n}\nvrrp_track_process p {\nprocess x\nweight 4\n}\n\
                  bfd_instance b {\nneighbor_ip 10.0.0.2\nweight 7\n}\n";
    let lists = "track_file {\nf\ng\n}\ntrack_process {\np\n}\ntrack_bfd {\nb\n}";
    let a = with(lists);
    let b = with("").replace("_id 1", "_id 2").replace("A {", "B {");
    for (text, expected, reports) in [
        (a.clone(), "f 1,g 3,p 4,b 7", 0),
        (with(&format!("priority 255\n{lists}")), "f 0,p 4", 3),
        (
            format!("{a}{b}vrrp_sync_group G {{\ngroup {{ A B }}\n}}"),
            "f 0,p 4",
            3,
        ),
        (
            format!(
                "{a}{b}vrrp_sync_group G {{\ngroup {{ A B }}\nsync_group_tracking_weight\ntrack_file {{\nf weight 9\n}}\n}}"
            ),
            "f 9,g 3,p 4,b 7",
            1,
        ),
        (
            format!(
                "{}{b}vrrp_sync_group G {{\ngroup {{ A B }}\ntrack_bfd {{\nb\n}}\ntrack_process {{\np\n}}\nsmtp_alert\n}}",
                with("priority 255")
            ),
            "p 0,b 0",
            0,
        ),
    ] {
        let (settings, said) = read(&format!("{blocks}{text}"));
        let i = &settings.vrrp.instances[0];
        let shown: Vec<_> = i
            .track_file
            .iter()
            .chain(&i.track_process)
            .chain(&i.track_bfd)
            .map(|track| format!("{} {}", track.name, track.weight.get()))
            .collect();
        assert_eq!(
            (shown.join(",").as_str(), said.len()),
            (expected, reports),
            "{text}"
        );
        for group in &settings.vrrp.sync_groups {
            assert_eq!(group.smtp_alert, text.contains("smtp_alert"));
        }
    }
}

#[test]
fn garp_groups() {
    for (blocks, expected, classes) in [
        (
            "garp_group {\ngarp_interval 0.5\ngna_interval 0.000001\ninterface eth0\ninterfaces {\neth1 lo\n}\n}",
            "eth0 eth1 lo Some(500ms) Some(1µs)",
            vec![],
        ),
        (
            "garp_group {\ngarp_interval 0\ninterface eth0\n}\ngarp_group {\ngarp_interval 2\ninterface eth0\ninterface eth1\n}",
            "eth0 Some(0ns) None | eth1 Some(2s) None",
            vec![Class::Uncounted, Class::General],
        ),
        ("garp_group {\ninterface eth0\n}", "", vec![Class::General]),
        (
            "garp_group {\ngarp_interval 0.1\n}",
            "",
            vec![Class::Uncounted],
        ),
        (
            "garp_group {\ngarp_interval x\ngna_interval 0.1\ninterface eth0\ninterfaces {\n}\n}",
            "eth0 None Some(100ms)",
            vec![Class::InvalidNumber, Class::General],
        ),
    ] {
        let (settings, said) = read(blocks);
        let shown: Vec<_> = settings
            .vrrp
            .garp_groups
            .iter()
            .map(|group| {
                let names: Vec<_> = group.interfaces.iter().map(|name| name.as_str()).collect();
                format!(
                    "{} {:?} {:?}",
                    names.join(" "),
                    group.garp_interval,
                    group.gna_interval
                )
            })
            .collect();
        assert_eq!(
            (shown.join(" | ").as_str(), said),
            (expected, classes),
            "{blocks}"
        );
    }
    assert_eq!(
        whole("garp_group {\ngarp_interval 1\ninterface eth9\n}").0,
        None
    );
}

#[test]
fn links() {
    let (settings, said) = read(&format!(
        "linkbeat_interfaces {{\neth0 MII\neth1 FOO\neth0\neth9\nlo IOCTL x\n}}\n{}",
        with("linkbeat_use_polling")
    ));
    assert_eq!(
        said,
        [
            Class::General,
            Class::Fatal,
            Class::General,
            Class::Deprecated
        ]
    );
    let shown: Vec<_> = settings
        .vrrp
        .linkbeat
        .iter()
        .map(|link| format!("{} {:?}", link.interface, link.method))
        .collect();
    assert_eq!(shown, ["eth0 Some(Mii)", "eth1 None", "lo Some(Ioctl)"]);

    let (settings, said) = read(
        "interface_up_down_delays {\neth0 1 2\neth1 300\neth1 1 300\neth1 x\neth1\neth9 1\neth0 1.5\n}",
    );
    assert_eq!(
        said,
        [
            Class::InvalidNumber,
            Class::InvalidNumber,
            Class::InvalidNumber,
            Class::Uncounted,
            Class::Fatal
        ]
    );
    let [delay] = settings.vrrp.debounce.as_slice() else {
        panic!("{:?}", settings.vrrp.debounce);
    };
    assert_eq!(
        (delay.interface.as_str(), delay.down, delay.up),
        ("eth0", Duration::from_millis(1500), Duration::ZERO)
    );
}

#[test]
fn track_groups() {
    let instance = with("");
    for (group, members, classes) in [
        ("track_group T {\ngroup {\nA\n}\n}", vec!["A"], vec![]),
        (
            "track_group T {\ngroup {\nA X\n}\n}",
            vec!["A"],
            vec![Class::Uncounted],
        ),
        ("track_group T {\n}", vec![], vec![Class::Uncounted]),
        (
            "track_group {\ngroup {\nA\n}\n}",
            vec![],
            vec![Class::General],
        ),
        (
            "track_group T U {\ngroup {\nA\n}\n}",
            vec![],
            vec![Class::General],
        ),
        (
            "track_group T {\ngroup {\nA\n}\ngroup {\nA\n}\n}",
            vec!["A"],
            vec![Class::General],
        ),
        (
            "track_group T {\ngroup {\nA\n}\n}\ntrack_group T {\ngroup {\nA\n}\n}",
            vec!["A"],
            vec![Class::General],
        ),
    ] {
        let (settings, said) = read(&format!("{group}\n{instance}"));
        let found: Vec<_> = settings
            .vrrp
            .track_groups
            .iter()
            .flat_map(|group| group.members.iter().map(String::as_str))
            .collect();
        assert_eq!((found, said), (members, classes), "{group}");
    }
}
