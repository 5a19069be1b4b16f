//! Two hosts with a cable between them, and the sessions over it.

use std::collections::BTreeSet;
use std::fs;
use std::net::Ipv4Addr;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use lab::{Direction, Frame, Host, HostOptions, Lab, Pid, Process, pause, wait_until};
use types::Claim;
use wire::ethernet;
use wire::ipv4::Datagram;

use super::super::frames::{Seen, look, nanos};
use super::super::program::Program;
use super::super::scale::lay_cables;
use super::Case;

/// Addresses of each host. A session is between any two of them: as many addresses as sessions would be more neighbours than the
/// kernel's table has room for.
const ADDRESSES: u32 = 32;

pub(super) const MOST_SESSIONS: u32 = ADDRESSES * ADDRESSES;

/// Of both ends.
pub(super) const MULTIPLIER: u32 = 5;

/// What both programs say.
pub(super) const DOWN: &str = "Entering Down state";
const UP: &str = "Entering Up state";

const VIRTUAL_ADDRESS: &str = "198.18.200.1";

/// keepalived takes a while for a thousand.
const SOON: Duration = Duration::from_secs(60);
/// How often that is looked at: often enough for a figure in seconds, and no load.
const LOOK: Duration = Duration::from_millis(50);
const UDP: u8 = 17;
const SIGSTOP: i32 = 19;
const SIGCONT: i32 = 18;

/// One of the two hosts, and the daemon there.
pub(super) struct End {
    pub(super) host: Host,
    daemon: Process,
    /// The process that speaks BFD.
    pub(super) bfd: Pid,
}

/// Both.
pub(super) struct Pair {
    /// Has a virtual router, too, which tracks the first session.
    pub(super) here: End,
    pub(super) there: End,
    case: Case,
}

/// What a silence of the other end showed here, in milliseconds.
pub(super) struct Silence {
    /// How much later than the detection time sessions went down, as the program says.
    pub(super) overdue: Vec<f64>,
    /// From the end of the first session's detection time to the advert with which the virtual router leaves.
    pub(super) reaction: f64,
}

impl Pair {
    /// Starts two programs on fresh hosts, and waits until all is up. That took so long.
    ///
    /// # Errors
    /// When it does not come up.
    pub(super) fn start(
        lab: &Lab,
        (first, second): (&Program, &Program),
        case: Case,
        name: &str,
    ) -> Result<(Self, Duration)> {
        let host = |program: &Program, place: &str| -> Result<Host> {
            let name = format!("{}-{place}-{}-{name}", program.name(), case.interval);
            lab.host(&name, HostOptions::default())
        };
        let (here, there) = (host(first, "here")?, host(second, "there")?);
        lay_cables(&here, &there, 1)?;
        for (host, place) in [(&here, Place::Here), (&there, Place::There)] {
            for number in 0..ADDRESSES {
                host.add_address("eth0", &format!("{}/16", place.address(number)))?;
            }
        }
        let begun = sys::clock::now();
        let there = End::start(there, second, &configuration(Place::There, case))?;
        let here = End::start(here, first, &configuration(Place::Here, case))?;
        let pair = Self { here, there, case };
        pair.wait_until_up()?;
        let took = sys::clock::now().since(begun);
        pair.wait_for_master()?;
        Ok((pair, took))
    }

    /// Waits until all sessions are up at both ends.
    ///
    /// # Errors
    /// When they are not in time.
    pub(super) fn wait_until_up(&self) -> Result<()> {
        let sessions = usize::try_from(self.case.sessions)?;
        let ends = [&self.here, &self.there];
        for _ in 0..SOON.as_millis() / LOOK.as_millis() {
            if ends.iter().all(|end| end.sessions_up() == sessions) {
                return Ok(());
            }
            pause(LOOK);
        }
        let [here, there] = ends.map(End::sessions_up);
        bail!(
            "of {sessions} sessions {here} are up here, {there} there\nhere:\n{}\nthere:\n{}",
            self.here.last_words(),
            self.there.last_words()
        )
    }

    fn wait_for_master(&self) -> Result<()> {
        wait_until(SOON, "the virtual router is master", || {
            let host = &self.here.host;
            host.has_address("eth0", VIRTUAL_ADDRESS).unwrap_or(false)
        })
        .with_context(|| self.here.last_words())
    }

    /// The process that speaks BFD at the other end is stopped on its feet until all sessions are down here, and goes on then.
    ///
    /// # Errors
    /// When that is not noticed, or does not end.
    pub(super) fn silence(&self, number: u32) -> Result<Silence> {
        self.wait_for_master()?;
        // Until the intervals are agreed upon. And stopped at another time between two packets each, but at the same ones for both
        // programs.
        pause(Duration::from_millis(u64::from(1000 + number * 37 % 100)));
        let sessions = usize::try_from(self.case.sessions)?;
        let said = self.here.daemon.output_so_far().len();
        let capture = self.here.host.capture("eth0")?;
        pause(Duration::from_millis(2 * u64::from(self.case.interval)));
        sys::process::kill(self.there.bfd, SIGSTOP)?;
        let leaves = capture.wait_for("the master leaves", SOON, leaves);
        // Nobody looks at the log, which may be long, while something is measured: within two intervals all have been missed.
        pause(Duration::from_millis(2 * u64::from(self.case.interval)));
        // What it says after the other end goes on again is of other failures.
        let mut late = Vec::new();
        let mut looks = SOON.as_millis() / LOOK.as_millis();
        while late.len() < sessions && looks > 0 {
            pause(LOOK);
            late = overdue(self.here.daemon.output_so_far().get(said..));
            looks -= 1;
        }
        sys::process::kill(self.there.bfd, SIGCONT)?;
        if late.len() < sessions {
            bail!(
                "{} of {sessions} sessions have expired\n{}",
                late.len(),
                self.here.last_words()
            );
        }
        let leaves = nanos(&leaves.with_context(|| self.here.last_words())?);
        let frames = capture.frames();
        let heard = frames.iter().filter(|frame| is_of_the_first_session(frame));
        let last = heard
            .map(nanos)
            .filter(|at| *at < leaves)
            .max()
            .context("no packet of the first session was heard")?;
        drop(capture);
        let detection_time = i64::from(MULTIPLIER * self.case.interval) * 1_000_000;
        self.wait_until_up()?;
        Ok(Silence {
            overdue: late,
            reaction: (leaves - last - detection_time) as f64 / 1e6,
        })
    }
}

impl End {
    fn start(host: Host, program: &Program, configuration: &str) -> Result<Self> {
        let daemon = program.start(&host, configuration)?;
        let file = host.directory().join("bfd.pid");
        let pid = || -> Option<Pid> {
            let text = fs::read_to_string(&file).ok()?;
            text.trim().parse().ok().and_then(Pid::new)
        };
        wait_until(SOON, "there is a process that speaks BFD", || {
            pid().is_some()
        })
        .with_context(|| daemon.output_so_far())?;
        let bfd = pid().context("the process that speaks BFD has gone")?;
        Ok(Self { host, daemon, bfd })
    }

    /// How often it has said this.
    pub(super) fn times_said(&self, words: &str) -> usize {
        self.daemon.output_so_far().matches(words).count()
    }

    /// How many sessions are up, by what it has said of each last.
    fn sessions_up(&self) -> usize {
        sessions_up(&self.daemon.output_so_far())
    }

    fn last_words(&self) -> String {
        let output = self.daemon.output_so_far();
        let lines: Vec<&str> = output.lines().collect();
        let last = lines.get(lines.len().saturating_sub(20)..);
        last.unwrap_or_default().join("\n")
    }
}

fn sessions_up(log: &str) -> usize {
    let mut up = BTreeSet::new();
    for line in log.lines() {
        let name = |before: &str| Some(before.trim_end().rsplit_once('(')?.1.to_owned());
        if let Some((before, _)) = line.split_once(UP) {
            up.extend(name(before));
        } else if let Some((before, _)) = line.split_once(DOWN)
            && let Some(name) = name(before)
        {
            up.remove(&name);
        }
    }
    up.len()
}

/// Milliseconds, of each session that expired.
fn overdue(log: Option<&str>) -> Vec<f64> {
    let number = |line: &str| -> Option<f64> {
        let (before, _) = line.split_once(" usec overdue")?;
        let (_, number) = before.rsplit_once('(')?;
        let micros: u32 = number.parse().ok()?;
        // keepalived's numbers have 32 bits and no sign, but some are meant to be below 0.
        Some(f64::from(micros.cast_signed().max(0)) / 1e3)
    };
    log.unwrap_or_default().lines().filter_map(number).collect()
}

fn leaves(frame: &Frame) -> bool {
    let advert = look(frame);
    frame.direction == Direction::Out
        && matches!(
            advert,
            Some(Seen::Advert {
                claim: Claim::Leaving,
                ..
            })
        )
}

/// Whether it came from the other end of the first session.
fn is_of_the_first_session(frame: &Frame) -> bool {
    let datagram = ethernet::Header::parse(&frame.bytes)
        .filter(|(header, _)| header.ethertype == ethernet::IPV4)
        .and_then(|(_, payload)| Datagram::parse(payload));
    datagram.is_some_and(|datagram| {
        let header = &datagram.header;
        header.protocol == UDP
            && header.source == Place::There.address(0)
            && header.destination == Place::Here.address(0)
    })
}

/// Which of the two hosts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Here,
    There,
}

impl Place {
    fn address(self, number: u32) -> Ipv4Addr {
        let base = match self {
            Self::Here => 0xc612_0101,  // 198.18.1.1
            Self::There => 0xc612_0201, // 198.18.2.1
        };
        Ipv4Addr::from(base + number)
    }
}

fn configuration(place: Place, case: Case) -> String {
    let Case { sessions, interval } = case;
    let mut text = String::from("global_defs {\n    router_id bench\n    vrrp_version 3\n}\n");
    for number in 0..sessions {
        let here = Place::Here.address(number % ADDRESSES);
        let there = Place::There.address(number / ADDRESSES);
        let (own, neighbour) = match place {
            Place::Here => (here, there),
            Place::There => (there, here),
        };
        text.push_str(&format!(
            "bfd_instance s{number} {{
    neighbor_ip {neighbour}
    source_ip {own}
    min_rx {interval}
    min_tx {interval}
    multiplier {MULTIPLIER}
}}
"
        ));
    }
    if place == Place::Here {
        text.push_str(&format!(
            "vrrp_instance bench {{
    state BACKUP
    interface eth0
    virtual_router_id 51
    priority 150
    advert_int 0.1
    virtual_ipaddress {{
        {VIRTUAL_ADDRESS}/32
    }}
    track_bfd {{
        s0
    }}
}}
"
        ));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_session_is_between_two_addresses_of_its_own() {
        let case = Case {
            sessions: MOST_SESSIONS,
            interval: 100,
        };
        let ends = |place| -> Vec<(String, String)> {
            let text = configuration(place, case);
            let of = |keyword: &str| -> Vec<String> {
                text.lines()
                    .filter_map(|line| line.trim().strip_prefix(keyword))
                    .map(str::to_owned)
                    .collect()
            };
            of("source_ip ")
                .into_iter()
                .zip(of("neighbor_ip "))
                .collect()
        };
        let (here, there) = (ends(Place::Here), ends(Place::There));
        assert_eq!(here.iter().collect::<BTreeSet<_>>().len(), 1024);
        let turned: Vec<_> = there.into_iter().map(|(own, other)| (other, own)).collect();
        assert_eq!(here, turned);
        assert_eq!(here[0], ("198.18.1.1".into(), "198.18.2.1".into()));
    }

    #[test]
    fn logs_are_read() {
        let log = "Sun Nov 22 02:53:36 2026: (s0) Entering Up state
Sun Nov 22 02:53:36 2026: (s1) Entering Up state
Sun Nov 22 02:53:41 2026: (s0) Expired after 500 ms (1500 usec overdue)
Sun Nov 22 02:53:41 2026: (s0) Entering Down state (Local diagnostic - Control Detection Time Expired, Remote diagnostic - No Diagnostic)
Sun Nov 22 02:53:41 2026: (s2) Expired after 0 ms (4294667377 usec overdue)
";
        assert_eq!(sessions_up(log), 1);
        assert_eq!(overdue(Some(log)), [1.5, 0.0]);
        let again = format!("{log}Sun Nov 22 02:53:42 2026: (s0) Entering Up state\n");
        assert_eq!(sessions_up(&again), 2);
    }
}
