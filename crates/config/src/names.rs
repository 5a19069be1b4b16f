//! Names for numbers, as iproute2 keeps them: routing tables, protocols, scopes, traffic classes, realms, groups.
//!
//! Each kind is a file of lines `NUMBER NAME` in the distribution's directory and in the administrator's, with further
//! files in a directory `FILE.d`; what is read later wins, so the administrator has the last word. A kind is read when
//! the first name of it is looked up; a number needs no file. The files are foreign text: a line that is none is passed
//! over, and their size and number are bounded.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::machine::{FileProblem, Machine};
use crate::settings::Global;

/// The most that is read of one file, in bytes; real ones have less than two thousand.
const LARGEST: usize = 64 * 1024;
/// How many files of one directory are read.
const MOST_FILES: usize = 100;
/// Where distributions put the files (`iproute_usr_dir`); newer releases of iproute2 use the second.
const VENDOR_DIRECTORIES: [&str; 2] = ["/usr/lib/iproute2", "/usr/share/iproute2"];
/// Where the administrator puts them (`iproute_etc_dir`).
const LOCAL_DIRECTORY: &str = "/etc/iproute2";

/// A kind of names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// Routing tables.
    Table,
    /// Who made a route.
    Protocol,
    /// How far a destination is.
    Scope,
    /// The field of the IP header that was the type of service.
    TrafficClass,
    /// Classes for accounting.
    Realm,
    /// Groups of interfaces.
    Group,
    /// Protocols above IP; the file is not iproute2's, and its lines are `NAME NUMBER ALIAS ...`. Case does not count:
    /// names are kept in small letters.
    IpProtocol,
}

impl Kind {
    const fn file(self) -> &'static str {
        match self {
            Self::Table => "rt_tables",
            Self::Protocol => "rt_protos",
            Self::Scope => "rt_scopes",
            Self::TrafficClass => "rt_dsfield",
            Self::Realm => "rt_realms",
            Self::Group => "group",
            Self::IpProtocol => "/etc/protocols",
        }
    }

    /// The greatest number.
    pub(crate) const fn most(self) -> u32 {
        match self {
            Self::Table => u32::MAX,
            Self::Group => 0x7fff_ffff,
            Self::Protocol | Self::Scope | Self::TrafficClass | Self::Realm | Self::IpProtocol => {
                255
            }
        }
    }

    /// Names that hold without any file: the kernel's own (`linux/rtnetlink.h`, RFC 2474, RFC 2597, RFC 3246, IANA).
    const fn built_in(self) -> &'static [(&'static str, u32)] {
        match self {
            Self::Table => &[("default", 253), ("main", 254), ("local", 255)],
            Self::Protocol => &[
                ("unspec", 0),
                ("redirect", 1),
                ("kernel", 2),
                ("boot", 3),
                ("static", 4),
                ("gated", 8),
                ("ra", 9),
                ("mrt", 10),
                ("zebra", 11),
                ("bird", 12),
                ("dnrouted", 13),
                ("xorp", 14),
                ("ntk", 15),
                ("dhcp", 16),
                ("mrouted", 17),
                ("keepalived", 18),
                ("babel", 42),
                ("openr", 99),
                ("bgp", 186),
                ("isis", 187),
                ("ospf", 188),
                ("rip", 189),
                ("eigrp", 192),
            ],
            Self::Scope => &[
                ("global", 0),
                ("site", 200),
                ("link", 253),
                ("host", 254),
                ("nowhere", 255),
            ],
            Self::TrafficClass => &[("default", 0)],
            Self::Realm => &[("cosmos", 0)],
            Self::Group => &[("default", 0)],
            Self::IpProtocol => &[
                ("icmp", 1),
                ("igmp", 2),
                ("tcp", 6),
                ("udp", 17),
                ("dccp", 33),
                ("gre", 47),
                ("esp", 50),
                ("ah", 51),
                ("ipv6-icmp", 58),
                ("ospf", 89),
                ("vrrp", 112),
                ("sctp", 132),
                ("udplite", 136),
            ],
        }
    }
}

/// The names that were looked up so far.
#[derive(Default)]
pub(crate) struct NumberNames {
    known: BTreeMap<Kind, BTreeMap<String, u32>>,
    /// Files that are there but cannot be read, in words, until somebody reports them.
    problems: Vec<String>,
}

impl NumberNames {
    /// The number that a text stands for: a number as C writes it, or a name. `None`: neither, or out of range.
    pub(crate) fn number(
        &mut self,
        kind: Kind,
        text: &str,
        machine: &dyn Machine,
        global: &Global,
    ) -> Option<u32> {
        let number = match kind {
            // keepalived: decimal only.
            Kind::IpProtocol => text.parse().ok(),
            Kind::Table
            | Kind::Protocol
            | Kind::Scope
            | Kind::TrafficClass
            | Kind::Realm
            | Kind::Group => c_number(text),
        };
        if let Some(number) = number {
            return u32::try_from(number)
                .ok()
                .filter(|number| *number <= kind.most());
        }
        let names = self.names(kind, machine, global);
        names.get(text).copied()
    }

    /// The names of a kind.
    pub(crate) fn names(
        &mut self,
        kind: Kind,
        machine: &dyn Machine,
        global: &Global,
    ) -> &BTreeMap<String, u32> {
        let problems = &mut self.problems;
        self.known
            .entry(kind)
            .or_insert_with(|| read(kind, machine, global, problems))
    }

    /// What went wrong with the files since the last call.
    pub(crate) fn take_problems(&mut self) -> Vec<String> {
        std::mem::take(&mut self.problems)
    }
}

/// A number as C writes it: decimal, `0x` hexadecimal, with a leading zero octal. `None`: none, or above 64 bits.
pub(crate) fn c_number(text: &str) -> Option<u64> {
    let (digits, radix) = match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(digits) => (digits, 16),
        None if text.len() > 1 && text.starts_with('0') => (text, 8),
        None => (text, 10),
    };
    if digits.starts_with('+') {
        return None;
    }
    u64::from_str_radix(digits, radix).ok()
}

fn read(
    kind: Kind,
    machine: &dyn Machine,
    global: &Global,
    problems: &mut Vec<String>,
) -> BTreeMap<String, u32> {
    let mut names: BTreeMap<String, u32> = kind
        .built_in()
        .iter()
        .map(|(name, number)| ((*name).to_owned(), *number))
        .collect();
    if kind == Kind::IpProtocol {
        let path = Path::new(kind.file());
        add(&mut names, kind, path, machine, problems);
        return names;
    }
    let vendor = match &global.files.iproute_usr_dir {
        Some(directory) => vec![directory.as_str()],
        None => VENDOR_DIRECTORIES.to_vec(),
    };
    let local = global
        .files
        .iproute_etc_dir
        .as_deref()
        .unwrap_or(LOCAL_DIRECTORY);
    for directory in vendor.into_iter().chain([local]) {
        let directory = Path::new(directory);
        add(
            &mut names,
            kind,
            &directory.join(kind.file()),
            machine,
            problems,
        );
        for path in further(directory, kind, machine, problems) {
            add(&mut names, kind, &path, machine, problems);
        }
    }
    names
}

/// The files `*.conf` of the directory `FILE.d`, in the order of their names.
fn further(
    directory: &Path,
    kind: Kind,
    machine: &dyn Machine,
    problems: &mut Vec<String>,
) -> Vec<PathBuf> {
    let directory = directory.join(format!("{}.d", kind.file()));
    let Some(mut names) = machine.list(&directory) else {
        return Vec::new();
    };
    names.retain(|name| name.ends_with(".conf"));
    names.sort();
    if names.len() > MOST_FILES {
        let directory = directory.display();
        problems.push(format!(
            "{directory} has more than {MOST_FILES} files of names; the rest is not read"
        ));
        names.truncate(MOST_FILES);
    }
    names.iter().map(|name| directory.join(name)).collect()
}

/// Adds the names of a file; one that is not there has none.
fn add(
    names: &mut BTreeMap<String, u32>,
    kind: Kind,
    path: &Path,
    machine: &dyn Machine,
    problems: &mut Vec<String>,
) {
    let content = match machine.read(path, LARGEST) {
        Ok(content) => content,
        Err(FileProblem::Missing) => return,
        Err(problem) => {
            problems.push(format!("{} {problem}", path.display()));
            return;
        }
    };
    for line in String::from_utf8_lossy(&content).lines() {
        let line = line.split('#').next().unwrap_or_default();
        let mut words = line.split_whitespace();
        let (Some(first), Some(second)) = (words.next(), words.next()) else {
            continue;
        };
        if kind == Kind::IpProtocol {
            let Ok(number) = second.parse::<u8>() else {
                continue;
            };
            for name in words.chain([first]) {
                names.insert(name.to_ascii_lowercase(), u32::from(number));
            }
        } else if let Some(number) = c_number(first)
            .and_then(|number| u32::try_from(number).ok())
            .filter(|number| *number <= kind.most())
        {
            names.insert(second.to_owned(), number);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Fake;

    fn machine() -> Fake {
        Fake::default()
            .file(
                "/usr/share/iproute2/rt_tables",
                "# reserved\n255 local\n0x64\tvpn # ours\n100000 far",
            )
            .file("/usr/share/iproute2/rt_tables.d/a.conf", "7 seven\n8 eight")
            .file(
                "/etc/iproute2/rt_tables",
                "101 vpn\n\nnonsense\n5 x y z\n-1 minus",
            )
            .file("/etc/iproute2/rt_tables.d/b.conf", b"9 seven\n10 caf\xe9")
            .file("/etc/iproute2/rt_tables.d/README", "11 readme")
            .file("/etc/iproute2/rt_dsfield", "0xb8 EF\n0x100 big")
            .file("/etc/protocols", "ip 0 IP\nospf 89 OSPFIGP # x\nbad bad\n")
            .problem("/etc/iproute2/rt_realms", FileProblem::Directory)
    }

    #[test]
    fn later_files_win_and_nonsense_is_passed_over() {
        let mut names = NumberNames::default();
        for (kind, text, expected) in [
            (Kind::Table, "main", Some(254)),
            (Kind::Table, "vpn", Some(101)),
            (Kind::Table, "far", Some(100_000)),
            (Kind::Table, "seven", Some(9)),
            (Kind::Table, "eight", Some(8)),
            (Kind::Table, "x", Some(5)),
            (Kind::Table, "minus", None),
            (Kind::Table, "readme", None),
            (Kind::Table, "0x10", Some(16)),
            (Kind::Table, "010", Some(8)),
            (Kind::Table, "08", None),
            (Kind::Table, "0", Some(0)),
            (Kind::Table, "+5", None),
            (Kind::Table, "-5", None),
            (Kind::Table, "", None),
            (Kind::Table, "4294967295", Some(u32::MAX)),
            (Kind::Table, "4294967296", None),
            (Kind::TrafficClass, "EF", Some(0xb8)),
            (Kind::TrafficClass, "big", None),
            (Kind::TrafficClass, "256", None),
            (Kind::Scope, "site", Some(200)),
            (Kind::Protocol, "keepalived", Some(18)),
            (Kind::Group, "default", Some(0)),
            (Kind::Group, "2147483648", None),
            (Kind::IpProtocol, "ospfigp", Some(89)),
            (Kind::IpProtocol, "tcp", Some(6)),
            (Kind::IpProtocol, "ip", Some(0)),
            (Kind::IpProtocol, "0x11", None),
            (Kind::IpProtocol, "bad", None),
        ] {
            let found = names.number(kind, text, &machine(), &Global::default());
            assert_eq!(found, expected, "{kind:?} {text}");
        }
        assert_eq!(names.take_problems(), Vec::<String>::new());
        let realm = names.number(Kind::Realm, "cosmos", &machine(), &Global::default());
        assert_eq!(realm, Some(0));
        assert_eq!(names.take_problems().len(), 1, "a directory in its place");
        assert_eq!(names.take_problems().len(), 0, "said once");
    }

    #[test]
    fn the_directories_can_be_elsewhere() {
        let mut global = Global::default();
        global.files.iproute_usr_dir = Some("/opt/usr".into());
        global.files.iproute_etc_dir = Some("/opt/etc".into());
        let machine = machine()
            .file("/opt/usr/rt_tables", "1 one\n2 two")
            .file("/opt/etc/rt_tables", "3 two");
        let mut names = NumberNames::default();
        for (text, expected) in [("one", Some(1)), ("two", Some(3)), ("vpn", None)] {
            assert_eq!(
                names.number(Kind::Table, text, &machine, &global),
                expected,
                "{text}"
            );
        }
    }

    #[test]
    fn large_directories_and_files_are_bounded() {
        let mut machine = Fake::default().file("/etc/iproute2/group", "1 x\n".repeat(100_000));
        for index in 0..=MOST_FILES {
            machine = machine.file(&format!("/etc/iproute2/group.d/{index:03}.conf"), "2 y");
        }
        let mut names = NumberNames::default();
        let global = Global::default();
        assert_eq!(names.number(Kind::Group, "x", &machine, &global), None);
        assert_eq!(names.number(Kind::Group, "y", &machine, &global), Some(2));
        assert_eq!(names.take_problems().len(), 2);
    }
}
