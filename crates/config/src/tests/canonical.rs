//! A configuration in its normal form reads as the settings that it was made of.
//!
//! Besides the cases here, every text that any test of this crate loads goes through [`round_trip`].

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use proptest::prelude::*;

use crate::keywords::arguments::{Kind, Needs};
use crate::keywords::{Role, Table};
use crate::machine::{FileProblem, InterfaceFacts, Machine, ResolvedScript, ScriptProblem};
use crate::settings::{RunAs, Settings};
use crate::testing::Fake;
use crate::{Class, Diagnostic, LoadOptions, Severity, canonical, load};

/// The name that the normal form has on a [`Desk`].
const PAGE: &str = "/canonical.conf";

/// A machine with one more file.
struct Desk<'a> {
    machine: &'a dyn Machine,
    page: Vec<u8>,
}

impl Machine for Desk<'_> {
    fn read(&self, path: &Path, limit: usize) -> Result<Vec<u8>, FileProblem> {
        if path == Path::new(PAGE) {
            return Ok(self.page.clone());
        }
        self.machine.read(path, limit)
    }

    fn exists(&self, path: &Path) -> bool {
        path == Path::new(PAGE) || self.machine.exists(path)
    }

    fn is_open_to_others(&self, path: &Path) -> bool {
        self.machine.is_open_to_others(path)
    }

    fn list(&self, directory: &Path) -> Option<Vec<String>> {
        self.machine.list(directory)
    }

    fn current_dir(&self) -> PathBuf {
        self.machine.current_dir()
    }

    fn variable(&self, name: &str) -> Option<String> {
        self.machine.variable(name)
    }

    fn random(&self) -> u32 {
        self.machine.random()
    }

    fn host_name(&self) -> String {
        self.machine.host_name()
    }

    fn interface(&self, name: &str) -> Option<InterfaceFacts> {
        self.machine.interface(name)
    }

    fn processors(&self) -> u16 {
        self.machine.processors()
    }

    fn resolve_host(&self, name: &str) -> Option<IpAddr> {
        self.machine.resolve_host(name)
    }

    fn user(&self, name: &str) -> Option<(u32, u32)> {
        self.machine.user(name)
    }

    fn group(&self, name: &str) -> Option<u32> {
        self.machine.group(name)
    }

    fn groups_of(&self, user: &str) -> Vec<u32> {
        self.machine.groups_of(user)
    }

    fn own_ids(&self) -> (u32, u32) {
        self.machine.own_ids()
    }

    fn resolve_script(
        &self,
        script: &str,
        user: &RunAs,
        keep_links: bool,
    ) -> Result<ResolvedScript, ScriptProblem> {
        self.machine.resolve_script(script, user, keep_links)
    }
}

/// Writes settings down, reads them on the same machine, and compares.
pub(crate) fn round_trip(machine: &dyn Machine, settings: &Settings) {
    let page = canonical(settings);
    let desk = Desk {
        machine,
        page: page.clone(),
    };
    let loaded = load(PAGE, &desk, &LoadOptions::default());
    let text = String::from_utf8_lossy(&page);
    // A value that ends in a backslash needs a word behind it; keywords that refuse a second one cannot have it written down.
    let unwritable =
        |said: &Diagnostic| text.contains(" \"\\\"\n") && said.message.contains(" takes one ");
    if loaded.diagnostics.iter().any(unwritable) {
        return;
    }
    let mistakes = loaded
        .diagnostics
        .iter()
        .filter(|said| said.severity == Severity::Error && !is_known(said));
    let said: String = mistakes
        .map(|said| said.render(crate::Style::Plain))
        .collect();
    assert!(said.is_empty(), "{said}\n{text}");
    let Some(again) = loaded.settings else {
        panic!("nobody can use\n{text}");
    };
    if again != *settings {
        // Only what differs is worth reading.
        let (before, after) = (format!("{settings:#?}"), format!("{again:#?}"));
        let differences: Vec<_> = before
            .lines()
            .zip(after.lines())
            .filter(|(before, after)| before != after)
            .take(10)
            .collect();
        panic!("{differences:#?}\n{text}");
    }
    let second = canonical(&again);
    assert_eq!(String::from_utf8_lossy(&second), text);
}

/// What no other spelling would keep from being said.
fn is_known(said: &Diagnostic) -> bool {
    said.class == Class::Pending
        || [
            "stays in FAULT: ",
            // Whoever tracks a session that cannot run sees it down.
            "has no neighbor_ip and is removed",
            // These names are kept as they are, and a check without a result is not dropped.
            "cannot be sent as a server name (SNI), so there is no result",
            "verify_peer: no certificate can be for ",
            // That there is no limit can only be said with a number that is refused.
            "_rlimit_rttime",
        ]
        .iter()
        .any(|known| said.message.contains(known))
}

#[test]
fn files_that_people_copy() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut usable = 0;
    // Our own ones, and those beside the repository if they are there.
    for directory in [
        "tests/cases",
        "../evervip/tests/cases",
        "../../../shared/cases/seeds",
    ] {
        let Ok(entries) = std::fs::read_dir(root.join(directory)) else {
            continue;
        };
        for entry in entries {
            let path = entry.unwrap().path();
            if path
                .extension()
                .is_some_and(|extension| extension == "conf")
            {
                let machine = Fake::default().interface("ens33").interface("enp0s3");
                let loaded = machine.load(std::fs::read(path).unwrap());
                usable += usize::from(loaded.settings.is_some());
            }
        }
    }
    assert!(usable >= 14, "{usable}");
}

/// Arguments that fit one keyword or another.
const ARGUMENTS: &[&str] = &[
    "on",
    "off",
    "eth0",
    "eth1",
    "lo",
    "10.0.0.1",
    "10.0.0.2 80",
    "10.0.0.0/24 dev eth1",
    "fd00::1",
    "fe80::1",
    "fd00::2/64",
    "224.0.0.18",
    "224.0.0.99",
    "ff02::12",
    "ff05::12",
    "/bin/x",
    "\"/bin/x 'a b' c\"",
    "\"/bin/x '{#' \\\\\" nobody",
    "\"/bin/y a\\tb\" daemon :daemon",
    "</bin/z",
    "root",
    "nobody nobody",
    "nobody :",
    "a",
    "b",
    "A",
    "B",
    "\"a b\"",
    "\"#{}!\"",
    "\"\"",
    "0",
    "1",
    "2",
    "3",
    "0.5",
    "7",
    "60",
    "255",
    "-1",
    "rr",
    "sh",
    "mh",
    "wlc",
    "NAT",
    "DR",
    "TUN",
    "TUN type gre csum",
    "TUN type gue port 5 remcsum",
    "TCP",
    "UDP",
    "SCTP",
    "MASTER",
    "BACKUP",
    "PASS",
    "AH",
    "inet",
    "inet6",
    "MTU",
    "ADVERT",
    "all 5",
    "VS",
    "1.1",
    "1.0C",
    "200-299 302",
    "01ff",
    "1x x2",
    "\"^a{2} #\\\\d$\"",
    "caseless dotall",
    "\"J. Doe <j@example.com>\"",
    "tcp 5 udp 7",
    "allow_if_changes",
    "eth0 inst A id 7 ttl 3",
    "k1 k2",
    "0077",
    "group g",
    "example.com",
    "MX",
    "255.255.255.0",
    "64",
    "16384 65536",
    "name v1 02:00:00:00:00:01",
    "v2 group 5 netlink_notify_msg",
    "10.0.0.8/24 private",
    "fd00::8 group g",
    "never",
    "5 overwrite",
    "weight 3 reverse",
    "2 reverse",
    "initial",
    "partial",
    "enforce",
    "monotonic",
    "receive-only",
    "7 hex:00",
    "all 0",
];

/// Lines of lists.
const ENTRIES: &[&str] = &[
    "10.0.0.1",
    "10.0.0.2/24 dev eth1 scope link label a",
    "10.0.0.2 dev eth0",
    "10.0.0.3 peer 10.0.0.4 no_track",
    "10.0.0.5/24 brd +",
    "fd00::5/64 -nodad home",
    "fd00::6 preferred_lft 5",
    "fe80::1/64",
    "10.0.0.1 80",
    "10.0.0.1-9 80",
    "10.1.0.0/30",
    "fd00::1-fd00::2:0 53",
    "fwmark 5",
    "fwmark 6 inet6",
    "A",
    "B",
    "C",
    "a",
    "b weight 5",
    "a weight -3 reverse",
    "eth1",
    "eth0",
    "lo weight 10",
    "eth1 weight 0",
    "10.0.0.0/8 via 10.0.0.1 dev eth1",
    "default via 10.0.0.1 no_track",
    "blackhole 10.2.0.0/16 track_group G",
    "10.3.0.0/16 nexthop via 10.0.0.1 weight 3 nexthop dev eth1",
    "from 10.0.0.0/8 table 5",
    "to fd00::/8 blackhole preference 9",
    "a@example.com",
    "\"J. Doe <j@example.com>\"",
];

/// What a block is nothing without.
fn essentials(block: &str, index: usize) -> String {
    let vrid = index + 1;
    match block.rsplit('/').next() {
        Some("vrrp_instance") => format!(
            "interface eth{}\nvirtual_router_id {vrid}\nvirtual_ipaddress {{\n10.0.{index}.9/24\nfd00::{vrid}\n}}",
            index % 2
        ),
        Some("bfd_instance") => format!("neighbor_ip 10.0.{index}.7"),
        Some("track_file") => "file /etc/keepalived/n".to_owned(),
        Some("vrrp_track_process") => "process a".to_owned(),
        Some("garp_group") => "garp_interval 0.5\ninterface eth0".to_owned(),
        Some("track_group") => "group {\nA\n}".to_owned(),
        Some("auth_hmac") => format!("key {vrid} hex:{}\nactive_key {vrid}", "0f".repeat(32)),
        Some("vrrp_script") => "script \"/bin/x 'it is' a\"".to_owned(),
        Some("virtual_server") => format!("real_server 10.0.{index}.3 80 {{\nTCP_CHECK {{\n}}\n}}"),
        Some("vrrp_sync_group") => "group {\nA\nB\n}".to_owned(),
        Some("MISC_CHECK") => "misc_path \"/bin/x a\"".to_owned(),
        Some("url") => "path /".to_owned(),
        _ => String::new(),
    }
}

/// A list of some entries that it may hold.
fn list(name: &'static str) -> impl Strategy<Value = String> {
    proptest::collection::vec(proptest::sample::select(ENTRIES), 0..5)
        .prop_map(move |entries| format!("{name} {{\n{}\n}}\n", entries.join("\n")))
}

/// A block of some keywords that it may hold, with arguments that may fit.
fn block(path: &'static str, header: String, index: usize) -> BoxedStrategy<String> {
    let rows: Vec<_> = Table::get()
        .rows()
        .filter(|(block, _)| *block == path)
        .map(|(_, row)| row)
        .collect();
    if rows.is_empty() {
        return Just(format!("{header} {{\n}}\n")).boxed();
    }
    let statements = (0..rows.len()).prop_flat_map(move |at| {
        let row = rows[at];
        let name = row.name;
        let words = proptest::sample::select(ARGUMENTS);
        match row.role {
            Role::Block { .. } => {
                let inside = Table::get().inside(path, name);
                words
                    .prop_flat_map(move |word| block(inside, format!("{name} {word}"), index))
                    .boxed()
            }
            Role::List(_) | Role::NamedList { .. } => list(name).boxed(),
            Role::Set(_) | Role::Ignored => match row.arguments.kind {
                Kind::Integer { least, most, .. } => {
                    proptest::sample::select(vec![least, most, least.saturating_add(1), 5, 100])
                        .prop_map(move |number| format!("{name} {number}"))
                        .boxed()
                }
                Kind::Decimal { .. } => {
                    proptest::sample::select(vec!["0.5", "1", "2.25", "60", "0.000001"])
                        .prop_map(move |number| format!("{name} {number}"))
                        .boxed()
                }
                // Without what it needs there are no settings at all.
                Kind::Noted(_) | Kind::Switch if row.arguments.needs == Needs::Optional => {
                    prop_oneof![
                        3 => words.prop_map(move |word| format!("{name} {word}")),
                        1 => Just(name.to_owned()),
                    ]
                    .boxed()
                }
                Kind::Noted(_) | Kind::Switch => {
                    words.prop_map(move |word| format!("{name} {word}")).boxed()
                }
            },
        }
    });
    let essentials = essentials(path, index);
    proptest::collection::vec(statements, 0..8)
        .prop_map(move |statements| {
            format!("{header} {{\n{}\n{essentials}\n}}\n", statements.join("\n"))
        })
        .boxed()
}

/// A file of all kinds of blocks.
fn configuration() -> impl Strategy<Value = String> {
    let lists = [
        "static_ipaddress",
        "static_routes",
        "static_rules",
        "linkbeat_interfaces",
        "interface_up_down_delays",
    ]
    .map(|name| list(name).boxed());
    let blocks: Vec<BoxedStrategy<String>> = [
        ("global_defs", "global_defs".to_owned()),
        ("bfd_instance", "bfd_instance a".to_owned()),
        ("bfd_instance", "bfd_instance b".to_owned()),
        ("track_file", "track_file a".to_owned()),
        ("track_file", "track_file b".to_owned()),
        ("vrrp_track_process", "vrrp_track_process a".to_owned()),
        ("vrrp_track_process", "vrrp_track_process b".to_owned()),
        ("garp_group", "garp_group".to_owned()),
        ("track_group", "track_group G".to_owned()),
        ("vrrp_script", "vrrp_script a".to_owned()),
        ("vrrp_script", "vrrp_script b".to_owned()),
        ("vrrp_instance", "vrrp_instance A".to_owned()),
        ("vrrp_instance", "vrrp_instance B".to_owned()),
        ("vrrp_instance", "vrrp_instance \"C D\"".to_owned()),
        ("vrrp_sync_group", "vrrp_sync_group g".to_owned()),
        ("virtual_server", "virtual_server 10.0.0.1 80".to_owned()),
        ("virtual_server", "virtual_server group a".to_owned()),
        ("virtual_server", "virtual_server fwmark 7".to_owned()),
        ("virtual_server", "virtual_server fd00::1 53".to_owned()),
        ("SSL", "SSL".to_owned()),
    ]
    .into_iter()
    .enumerate()
    .map(|(index, (path, header))| block(path, header, index))
    .chain(lists)
    .collect();
    let entries = proptest::collection::vec(proptest::sample::select(ENTRIES), 1..4);
    (blocks, entries).prop_map(|(blocks, entries)| {
        let entries = entries.join("\n");
        format!(
            "global_defs {{\ndynamic_interfaces\n}}\nvirtual_server_group a {{\n{entries}\n}}\n{}",
            blocks.concat()
        )
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, max_shrink_iters: 2000, ..ProptestConfig::default() })]

    #[test]
    fn whatever_can_be_used_reads_as_the_same(text in configuration()) {
        Fake::default().load(text);
    }
}
