//! Who removed an address, a route or a rule: the process behind a netlink port, as far as it can be found out.
//!
//! The kernel says of an IPv4 address by which netlink socket it was removed, of an IPv6 address it does not. A socket is
//! found in `/proc/net/netlink`, its process by the links in `/proc/PID/fd`; most programs use their own number as port.
//! A program like `ip` may be gone before we look. This is read by the process that elects, so it is bounded.

use std::fs;
use std::path::Path;
use std::time::Duration;

use sys::netlink::{Event, RoutingEvent};
use types::Instant;

/// Descriptors that are looked at; a few milliseconds.
const MOST_DESCRIPTORS: usize = 2000;

/// How long an answer is good. Whoever removes thousands of addresses is looked for once.
const FRESH: Duration = Duration::from_secs(10);

/// Between two searches, whoever is accused.
const PAUSE: Duration = Duration::from_secs(1);

/// The part of a port that is the process, where libnl made it.
const LIBNL_PROCESS: u32 = 0x3f_ffff;

/// Remembers whom the event that is being dealt with accuses.
#[derive(Debug, Default)]
pub(super) struct Culprits {
    accused: Option<u32>,
    known: Option<(u32, Instant, String)>,
}

impl Culprits {
    /// An event of the kernel is about to be told to the core.
    pub(super) fn hear(&mut self, event: &Event) {
        self.accused = match event {
            Event::AddressGone { port_id, .. }
            | Event::Routing(
                RoutingEvent::RouteGone { port_id, .. } | RoutingEvent::RuleGone { port_id, .. },
            ) => Some(*port_id),
            Event::Address { .. }
            | Event::Link(_)
            | Event::LinkGone { .. }
            | Event::Routing(RoutingEvent::Route { .. } | RoutingEvent::Rule { .. }) => None,
        };
    }

    /// It has been dealt with.
    pub(super) fn forget(&mut self) {
        self.accused = None;
    }

    /// Words to follow a line that says that something was removed; empty when nothing is known.
    pub(super) fn words(&mut self, now: Instant, own_port: u32) -> String {
        let port = match self.accused {
            // Nobody is named: IPv6, or the kernel itself.
            None | Some(0) => return String::new(),
            Some(port) if port == own_port => {
                return "; the kernel took it along with another address of its network".to_owned();
            }
            Some(port) => port,
        };
        match &self.known {
            Some((known, at, words)) if *known == port && now.since(*at) < FRESH => words.clone(),
            // Many programs, or one that opens a socket for each removal.
            Some((_, at, _)) if now.since(*at) < PAUSE => format!("; by netlink port {port}"),
            _ => {
                let words = match process(Path::new("/proc"), port) {
                    Some((name, pid)) => format!("; it was {name}, process {pid}"),
                    None => format!("; whoever did it has gone (netlink port {port})"),
                };
                self.known = Some((port, now, words.clone()));
                words
            }
        }
    }
}

/// Name and number of the process that has a netlink route socket with this port.
fn process(proc: &Path, port: u32) -> Option<(String, u32)> {
    let table = fs::read_to_string(proc.join("thread-self/net/netlink")).ok()?;
    let inode = inode(&table, port)?;
    let socket = format!("socket:[{inode}]");
    let mut budget = MOST_DESCRIPTORS;
    let likely = [port, port & LIBNL_PROCESS];
    let pid = likely
        .into_iter()
        .find(|pid| has_descriptor(proc, *pid, &socket, &mut budget))
        .or_else(|| {
            let all = fs::read_dir(proc).ok()?;
            let all = all
                .flatten()
                .filter_map(|entry| entry.file_name().to_str()?.parse().ok());
            for pid in all {
                if has_descriptor(proc, pid, &socket, &mut budget) {
                    return Some(pid);
                }
                if budget == 0 {
                    break;
                }
            }
            None
        })?;
    let name = fs::read_to_string(proc.join(pid.to_string()).join("comm")).ok()?;
    // A process chooses its name; a line of the log is one line.
    let name = name.trim().replace(|c: char| c.is_control(), "?");
    Some((name, pid))
}

/// The inode of the route socket with this port, from the lines `sk Eth Pid Groups Rmem Wmem Dump Locks Drops Inode`.
fn inode(table: &str, port: u32) -> Option<&str> {
    let port = port.to_string();
    table.lines().find_map(|line| {
        let mut words = line.split_whitespace();
        let (_, protocol, owner) = (words.next()?, words.next()?, words.next()?);
        (protocol == "0" && owner == port)
            .then(|| words.next_back())
            .flatten()
    })
}

fn has_descriptor(proc: &Path, pid: u32, socket: &str, budget: &mut usize) -> bool {
    // A list of descriptors costs about as much as one of them.
    let Some(left) = budget.checked_sub(1) else {
        return false;
    };
    *budget = left;
    let Ok(descriptors) = fs::read_dir(proc.join(pid.to_string()).join("fd")) else {
        return false;
    };
    for descriptor in descriptors.flatten() {
        let Some(left) = budget.checked_sub(1) else {
            return false;
        };
        *budget = left;
        if fs::read_link(descriptor.path()).is_ok_and(|target| target.as_os_str() == socket) {
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_the_table() {
        let table = "sk               Eth Pid        Groups   Rmem     Wmem     Dump  Locks    Drops    Inode\n\
                     0000000000000000 0   412        00000551 0        0        0     2        0        14151   \n\
                     0000000000000000 15  77         00000002 0        0        0     2        0        14152   \n\
                     0000000000000000 0   4194381    00000000 0        0        0     2        0        14153   \n";
        assert_eq!(inode(table, 412), Some("14151"));
        assert_eq!(inode(table, 77), None, "of another protocol");
        assert_eq!(inode(table, 4_194_381), Some("14153"));
        assert_eq!(inode(table, 1), None);
        assert_eq!(inode("0 0 5", 5), None);
    }

    #[test]
    fn the_search_ends_with_its_budget() {
        let (proc, own) = (Path::new("/proc"), std::process::id());
        let mut budget = 0;
        assert!(!has_descriptor(proc, own, "socket:[0]", &mut budget));
        budget = 2;
        assert!(!has_descriptor(proc, own, "socket:[0]", &mut budget));
        assert_eq!(budget, 0);
        budget = 1;
        assert!(!has_descriptor(proc, u32::MAX, "socket:[0]", &mut budget));
        assert_eq!(budget, 0, "one that has gone costs something, too");
    }

    #[test]
    fn this_process_is_found() {
        let socket = sys::netlink::RouteSocket::new().unwrap();
        let (_, pid) = process(Path::new("/proc"), socket.port_id()).unwrap();
        assert_eq!(pid, std::process::id());
        // Another socket of ours has a port that is not our number: it is found by its descriptor.
        let second = sys::netlink::RouteSocket::new().unwrap();
        let found = process(Path::new("/proc"), second.port_id());
        assert!(
            found.is_none_or(|(_, pid)| pid == std::process::id()),
            "somebody else"
        );
        assert_eq!(process(Path::new("/proc"), 1), None);
    }

    #[test]
    fn who_is_accused() {
        let mut culprits = Culprits::default();
        assert_eq!(culprits.words(Instant::ZERO, 5), "");
        let accuse = |port_id| Event::AddressGone {
            address: sys::netlink::Address {
                interface: types::IfIndex::new(2).unwrap(),
                prefix: types::Prefix::host("198.18.0.1".parse().unwrap()),
                peer: None,
                scope: 0,
                tentative: false,
                dadfailed: false,
                deprecated: false,
                secondary: false,
                protocol: None,
            },
            port_id,
        };
        culprits.hear(&accuse(0));
        assert_eq!(culprits.words(Instant::ZERO, 5), "");
        culprits.hear(&accuse(5));
        assert!(culprits.words(Instant::ZERO, 5).contains("took it along"));
        culprits.hear(&accuse(1));
        assert!(
            culprits
                .words(Instant::ZERO, 5)
                .contains("(netlink port 1)")
        );
        // Another one within the second is not looked for, the same one not for longer.
        let at = |millis| Instant::ZERO + Duration::from_millis(millis);
        culprits.hear(&accuse(2));
        assert_eq!(culprits.words(at(999), 5), "; by netlink port 2");
        culprits.hear(&accuse(1));
        assert!(culprits.words(at(999), 5).contains("(netlink port 1)"));
        culprits.hear(&accuse(2));
        assert!(culprits.words(at(1000), 5).contains("(netlink port 2)"));
        culprits.forget();
        assert_eq!(culprits.words(Instant::ZERO, 5), "");
    }
}
