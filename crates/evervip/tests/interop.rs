//! evervip beside other implementations: whoever is to be master is, whatever happens to the other, and nobody can tell
//! their packets apart.
//!
//! A table: each row is a peer and a kind of virtual router, each column a story, each cell a scenario of its own
//! (`interop/stories.rs`). What the standards or the peer rule out says why in its row. `cargo xtask test interop` prints
//! it; words on the command line choose cells, as in `cargo xtask test interop frr` or `... v3-ipv6`.

mod common;
#[path = "interop/peers.rs"]
mod peers;
#[path = "interop/stories.rs"]
mod stories;

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, Result};
use lab::Lab;
use lab::scenario::{Outcome, Scenario, Suite};
use types::MacAddress;

use stories::{End, Party};

/// Cells at a time: they mostly wait for somebody to be missed.
const JOBS: usize = 16;

/// Whom evervip meets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Peer {
    /// Debian's.
    Keepalived,
    /// Its vrrpd.
    Frr,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Version {
    V2,
    V3,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Family {
    V4,
    V6,
}

/// Whom adverts are addressed to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum To {
    Group,
    Peers,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Auth {
    None,
    Pass,
    Ah,
}

/// What evervip and keepalived use; FRR has a MAC address of the virtual router's own always.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Port {
    /// The interface as it is.
    Plain,
    /// `use_vmac`.
    Vmac,
}

/// A row of the table: one kind of virtual router, shared with one peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Row {
    peer: Peer,
    version: Version,
    family: Family,
    to: To,
    auth: Auth,
    port: Port,
}

/// A column of the table.
#[derive(Clone, Copy, Debug)]
struct Column {
    title: &'static str,
    story: fn(&Lab, &Row) -> Result<()>,
}

/// The party that dies is master; it comes back and is master again.
const COLUMNS: [Column; 5] = [
    Column {
        title: "we-crash",
        story: |lab, row| stories::master_dies(lab, row, Party::We, End::Crash),
    },
    Column {
        title: "we-stop",
        story: |lab, row| stories::master_dies(lab, row, Party::We, End::Stop),
    },
    Column {
        title: "they-crash",
        story: |lab, row| stories::master_dies(lab, row, Party::They, End::Crash),
    },
    Column {
        title: "they-stop",
        story: |lab, row| stories::master_dies(lab, row, Party::They, End::Stop),
    },
    Column {
        title: "equals",
        story: stories::equal_priorities,
    },
];

impl Row {
    /// Every combination, possible or not.
    fn all() -> Vec<Self> {
        let mut rows = Vec::new();
        for peer in [Peer::Keepalived, Peer::Frr] {
            for (version, family) in [
                (Version::V2, Family::V4),
                (Version::V2, Family::V6),
                (Version::V3, Family::V4),
                (Version::V3, Family::V6),
            ] {
                let row = |to, auth, port| Self {
                    peer,
                    version,
                    family,
                    to,
                    auth,
                    port,
                };
                for to in [To::Group, To::Peers] {
                    for auth in [Auth::None, Auth::Pass, Auth::Ah] {
                        rows.push(row(to, auth, Port::Plain));
                    }
                }
                rows.push(row(To::Group, Auth::None, Port::Vmac));
            }
        }
        rows
    }

    /// Why there is no such virtual router, if there is none.
    fn ruled_out(&self) -> Option<&'static str> {
        match (self.peer, self.version, self.family, self.to, self.auth) {
            (_, Version::V3, _, _, Auth::Pass | Auth::Ah) => {
                Some("version 3 has no authentication (RFC 5798, 9)")
            }
            (_, Version::V2, Family::V6, _, Auth::Pass | Auth::Ah) => {
                Some("version 2 over IPv6, which only keepalived speaks, has no authentication")
            }
            (Peer::Frr, Version::V2, Family::V6, _, _) => {
                Some("vrrpd: version 2 is for IPv4 (RFC 3768)")
            }
            (Peer::Frr, _, _, To::Peers, _) => Some("vrrpd sends to the group only"),
            (Peer::Frr, _, _, _, Auth::Pass | Auth::Ah) => Some("vrrpd has no authentication"),
            (Peer::Keepalived, Version::V2, Family::V4, _, _) | (_, _, _, _, Auth::None) => None,
        }
    }

    /// Of the table, in its order.
    fn words(&self) -> [&'static str; 6] {
        [
            match self.peer {
                Peer::Keepalived => "keepalived",
                Peer::Frr => "frr",
            },
            match self.version {
                Version::V2 => "v2",
                Version::V3 => "v3",
            },
            match self.family {
                Family::V4 => "ipv4",
                Family::V6 => "ipv6",
            },
            match self.to {
                To::Group => "multicast",
                To::Peers => "unicast",
            },
            match self.auth {
                Auth::None => "none",
                Auth::Pass => "pass",
                Auth::Ah => "ah",
            },
            match self.port {
                Port::Plain => "plain",
                Port::Vmac => "vmac",
            },
        ]
    }

    /// The name of a cell's scenario.
    fn cell(&self, column: &Column) -> String {
        format!("{}-{}", self.words().join("-"), column.title)
    }

    /// Between two adverts. Version 2 counts in seconds; half a second leaves a busy machine time to be late.
    fn interval(&self) -> Duration {
        match self.version {
            Version::V2 => Duration::from_secs(1),
            Version::V3 => Duration::from_millis(500),
        }
    }

    /// The virtual router's MAC address (RFC 9568 7.3).
    fn virtual_mac(&self) -> MacAddress {
        let family = match self.family {
            Family::V4 => 1,
            Family::V6 => 2,
        };
        MacAddress([0, 0, 0x5e, 0, family, peers::VRID])
    }

    /// The virtual addresses.
    fn addresses(&self) -> [&'static str; 2] {
        match self.family {
            Family::V4 => ["198.18.0.100/24", "198.18.0.101/32"],
            Family::V6 => ["fe80::18:64/64", "fd00:18::64/64"],
        }
    }

    /// The same without their lengths.
    fn bare_addresses(&self) -> [&'static str; 2] {
        self.addresses()
            .map(|text| text.split('/').next().unwrap_or(text))
    }
}

fn main() -> ExitCode {
    let scenarios: Vec<Scenario> = cells()
        .map(|(row, column)| -> Scenario { (row.cell(&column).leak(), perform) })
        .collect();
    Suite {
        scenarios: &scenarios,
        jobs: JOBS,
        summary: print_table,
    }
    .main()
}

/// All cells that hold a scenario.
fn cells() -> impl Iterator<Item = (Row, Column)> {
    Row::all()
        .into_iter()
        .filter(|row| row.ruled_out().is_none())
        .flat_map(|row| COLUMNS.map(|column| (row, column)))
}

/// The scenario of the cell that this lab is named after.
fn perform(lab: &mut Lab) -> Result<()> {
    let (row, column) = cells()
        .find(|(row, column)| row.cell(column) == lab.name())
        .with_context(|| format!("there is no cell {}", lab.name()))?;
    (column.story)(lab, &row)
}

/// What became of each cell; a dot where it was not chosen. Rows that have none are left out.
fn print_table(outcomes: &BTreeMap<&'static str, Outcome>) {
    let everything = outcomes.len() == cells().count();
    let titles = ["peer", "version", "family", "to", "auth", "port"];
    let line = |head: [&str; 6], cells: String| {
        let [peer, version, family, to, auth, port] = head;
        println!("{peer:<12}{version:<9}{family:<8}{to:<11}{auth:<6}{port:<7}{cells}");
    };
    println!();
    line(
        titles,
        COLUMNS
            .map(|column| format!("{:<12}", column.title))
            .concat(),
    );
    for row in Row::all() {
        let chosen = COLUMNS.map(|column| outcomes.contains_key(row.cell(&column).as_str()));
        if !everything && !chosen.contains(&true) {
            continue;
        }
        let cells = match row.ruled_out() {
            Some(reason) => format!("- {reason}"),
            None => COLUMNS
                .map(|column| {
                    let word = match outcomes.get(row.cell(&column).as_str()) {
                        Some(Outcome::Passed) => "ok",
                        Some(Outcome::Failed(_)) => "FAILED",
                        Some(Outcome::Skipped(_)) => "skipped",
                        None => ".",
                    };
                    format!("{word:<12}")
                })
                .concat(),
        };
        line(row.words(), cells);
    }
}
