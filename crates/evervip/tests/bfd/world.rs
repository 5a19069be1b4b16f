//! Two hosts that watch one another, on a segment or with a router between them, and who speaks there.

use std::fs;
use std::net::IpAddr;
use std::path::PathBuf;

use anyhow::{Context as _, Result, bail, ensure};
use lab::{ExitStatus, Host, HostOptions, Lab, Pid, Process, Segment, wait_until};
use types::Family;

use crate::common::{
    Daemon, SIGCONT, SIGKILL, SIGSTOP, SIGTERM, SOON, evervip, keepalived, pid_in,
};
use crate::packets::{MULTIHOP, SINGLE_HOP, Wire};

/// Who can speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Program {
    Evervip,
    /// Debian's.
    Keepalived,
    /// FRR's bfdd.
    Frr,
}

impl Program {
    /// Where it is installed; evervip's or keepalived's.
    pub(crate) fn executable(self) -> Result<PathBuf> {
        match self {
            Self::Evervip => Ok(evervip()),
            Self::Keepalived => keepalived(),
            Self::Frr => bail!("bfdd is started otherwise"),
        }
    }

    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Evervip => "evervip",
            Self::Keepalived => "keepalived",
            Self::Frr => "frr",
        }
    }
}

/// How far it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hops {
    /// On one segment.
    One,
    /// With a router between that `max_hops` allows, on the port of single hops: keepalived 2.2.7 has no other.
    Routed,
    /// The same with `multihop`.
    Multi,
}

/// Whether the configuration says `source_ip`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    Named,
    Chosen,
}

/// The hosts.
pub(crate) struct World {
    pub(crate) first: Host,
    pub(crate) second: Host,
    pub(crate) family: Family,
    pub(crate) hops: Hops,
    /// What the first one is plugged into, for more hosts; with a router, the second has a segment of its own.
    pub(crate) lan: Segment,
    /// Not asked: it forwards as long as it is there.
    _router: Option<Host>,
}

impl World {
    pub(crate) fn new(lab: &Lab, family: Family, hops: Hops) -> Result<Self> {
        let lan = lab.segment()?;
        let first = crate::common::host(lab, &lan, "a", 1)?;
        let (second, router) = match hops {
            Hops::One => (crate::common::host(lab, &lan, "b", 2)?, None),
            Hops::Routed | Hops::Multi => {
                let far = lab.segment()?;
                let second = lab.host("b", HostOptions::default())?;
                second.connect(&far, "eth0")?;
                second.add_address("eth0", "198.18.1.2/24")?;
                second.add_address("eth0", "fd00:18:1::2/64")?;
                let router = crate::common::host(lab, &lan, "router", 254)?;
                router.connect(&far, "eth1")?;
                router.add_address("eth1", "198.18.1.254/24")?;
                router.add_address("eth1", "fd00:18:1::254/64")?;
                router.run(|| -> Result<()> {
                    for key in ["ipv4/ip_forward", "ipv6/conf/all/forwarding"] {
                        let path = format!("/proc/sys/net/{key}");
                        fs::write(&path, "1").with_context(|| path.clone())?;
                    }
                    Ok(())
                })??;
                for (host, near, far) in [
                    (&first, ["198.18.0.254", "fd00:18::254"], "1"),
                    (&second, ["198.18.1.254", "fd00:18:1::254"], "0"),
                ] {
                    let [v4, v6] = near;
                    let v6_net = if far == "1" {
                        "fd00:18:1::/64"
                    } else {
                        "fd00:18::/64"
                    };
                    host.call(&format!("ip route add 198.18.{far}.0/24 via {v4}"))?;
                    host.call(&format!("ip -6 route add {v6_net} via {v6}"))?;
                }
                (second, Some(router))
            }
        };
        Ok(Self {
            first,
            second,
            family,
            hops,
            lan,
            _router: router,
        })
    }

    /// The addresses of the first and the second host.
    pub(crate) fn addresses(&self) -> Result<(IpAddr, IpAddr)> {
        let (first, second) = match (self.family, self.hops) {
            (Family::V4, Hops::One) => ("198.18.0.1", "198.18.0.2"),
            (Family::V4, Hops::Routed | Hops::Multi) => ("198.18.0.1", "198.18.1.2"),
            (Family::V6, Hops::One) => ("fd00:18::1", "fd00:18::2"),
            (Family::V6, Hops::Routed | Hops::Multi) => ("fd00:18::1", "fd00:18:1::2"),
        };
        Ok((first.parse()?, second.parse()?))
    }

    /// Taps the second host.
    pub(crate) fn wire(&self) -> Result<Wire> {
        let capture = self.second.capture("eth0")?;
        Ok(Wire { capture })
    }

    /// The session as the first host is to be told of it, and as the second.
    pub(crate) fn sessions(&self) -> Result<(Session, Session)> {
        let (first, second) = self.addresses()?;
        let session = |neighbour, own| Session {
            neighbour,
            own,
            source: Source::Named,
            hops: self.hops,
            interval: INTERVAL,
            multiplier: MULTIPLIER,
            // The default is 64, which nobody else takes from a neighbour (RFC 5881 5).
            hop_limit: (self.family == Family::V6).then_some(255),
            more: String::new(),
        };
        Ok((session(second, first), session(first, second)))
    }
}

/// What is wanted between two packets while the session is up, in milliseconds, both ways.
pub(crate) const INTERVAL: u32 = 50;

/// So many are missed before the session is down: two seconds, because the machine has other things to do.
pub(crate) const MULTIPLIER: u8 = 40;

/// The name of the one session.
pub(crate) const NAME: &str = "B";

/// A session, seen from one end.
#[derive(Clone, Debug)]
pub(crate) struct Session {
    pub(crate) neighbour: IpAddr,
    pub(crate) own: IpAddr,
    pub(crate) source: Source,
    pub(crate) hops: Hops,
    /// `min_rx` and `min_tx`, milliseconds.
    pub(crate) interval: u32,
    pub(crate) multiplier: u8,
    /// `hoplimit`; without one it is 255 over IPv4 and 64 over IPv6.
    pub(crate) hop_limit: Option<u8>,
    /// Further lines of the block.
    pub(crate) more: String,
}

impl Session {
    /// The block that evervip and keepalived read.
    pub(crate) fn block(&self) -> String {
        let mut text = format!(
            "bfd_instance {NAME} {{\n neighbor_ip {}\n min_rx {interval}\n min_tx {interval}\n multiplier {}\n",
            self.neighbour,
            self.multiplier,
            interval = self.interval,
        );
        if self.source == Source::Named {
            text += &format!(" source_ip {}\n", self.own);
        }
        text += match self.hops {
            Hops::One => "",
            Hops::Routed => " max_hops 1\n",
            Hops::Multi => " max_hops 1\n multihop on\n",
        };
        if let Some(limit) = self.hop_limit {
            text += &format!(" hoplimit {limit}\n");
        }
        format!("{text} {}\n}}\n", self.more)
    }

    /// What bfdd reads.
    fn peer(&self) -> String {
        let (ttl, interval) = (u8::MAX - 1, self.interval);
        let mut text = self.peer_line();
        if self.hops == Hops::Multi {
            text += &format!("  minimum-ttl {ttl}\n");
        }
        format!(
            "bfd\n {text}  detect-multiplier {}\n  receive-interval {interval}\n  transmit-interval {interval}\n {}\n !\n",
            self.multiplier, self.more
        )
    }

    /// How bfdd calls it.
    fn peer_line(&self) -> String {
        let multihop = match self.hops {
            Hops::One | Hops::Routed => "",
            Hops::Multi => " multihop",
        };
        // It does not choose the address itself for several hops, nor for IPv6.
        let local = match (self.source, self.hops) {
            (Source::Chosen, Hops::One) if self.own.is_ipv4() => String::new(),
            _ => format!(" local-address {}", self.own),
        };
        format!("peer {}{multihop}{local}\n", self.neighbour)
    }

    /// Where its packets go.
    pub(crate) fn port(&self) -> u16 {
        match self.hops {
            Hops::One | Hops::Routed => SINGLE_HOP,
            Hops::Multi => MULTIHOP,
        }
    }
}

/// A program that runs on a host and speaks.
pub(crate) struct Speaker<'a> {
    pub(crate) host: &'a Host,
    pub(crate) session: Session,
    pub(crate) kind: Kind,
}

pub(crate) enum Kind {
    /// evervip or keepalived.
    Daemon(Daemon),
    Frr {
        frr: lab::Frr,
        bfdd: Option<Process>,
    },
}

impl<'a> Speaker<'a> {
    pub(crate) fn start(program: Program, host: &'a Host, session: &Session) -> Result<Self> {
        Self::start_with(program, host, session, "")
    }

    /// With more than the session in the configuration (of evervip and keepalived).
    pub(crate) fn start_with(
        program: Program,
        host: &'a Host,
        session: &Session,
        more: &str,
    ) -> Result<Self> {
        let kind = match program {
            Program::Evervip | Program::Keepalived => {
                let configuration = session.block() + more;
                Kind::Daemon(Daemon::start(host, &program.executable()?, &configuration)?)
            }
            Program::Frr => {
                let frr = lab::Frr::new(host, &["bfdd", "vtysh"])?;
                frr.configure("bfdd", &session.peer())?;
                let bfdd = Some(frr.start(host, "bfdd")?);
                Kind::Frr { frr, bfdd }
            }
        };
        Ok(Self {
            host,
            session: session.clone(),
            kind,
        })
    }

    /// Of evervip and keepalived: the daemon.
    pub(crate) fn daemon(&mut self) -> Result<&mut Daemon> {
        match &mut self.kind {
            Kind::Daemon(daemon) => Ok(daemon),
            Kind::Frr { .. } => bail!("bfdd is another daemon"),
        }
    }

    /// What evervip or keepalived has logged.
    pub(crate) fn output(&self) -> String {
        match &self.kind {
            Kind::Daemon(daemon) => daemon.process.output_so_far(),
            Kind::Frr { .. } => String::new(),
        }
    }

    /// How often evervip or keepalived has logged this.
    pub(crate) fn times_said(&self, text: &str) -> usize {
        self.output().matches(text).count()
    }

    /// Waits until evervip or keepalived has logged one of these.
    pub(crate) fn says_one_of(&self, texts: &[&str]) -> Result<()> {
        wait_until(SOON, &format!("one of {texts:?}"), || {
            texts.iter().any(|text| self.times_said(text) > 0)
        })
    }

    /// Waits until evervip or keepalived has logged this so often (FRR logs nothing of the kind).
    pub(crate) fn logs(&self, text: &str, times: usize) -> Result<()> {
        let Kind::Daemon(daemon) = &self.kind else {
            return Ok(());
        };
        let what = format!("{times} times {text:?} on {}", self.host.name());
        wait_until(SOON, &what, || daemon.times_said(text) >= times)?;
        ensure!(daemon.times_said(text) == times, "more often than {what}");
        Ok(())
    }

    /// The processes that end it all when they are stopped or killed.
    fn family(&self) -> Result<Vec<Pid>> {
        match &self.kind {
            Kind::Daemon(daemon) => daemon.process.family(),
            Kind::Frr { bfdd, .. } => bfdd.as_ref().context("bfdd does not run")?.family(),
        }
    }

    /// Stops all its processes until they are to go on.
    pub(crate) fn freeze(&self) -> Result<()> {
        self.signal(SIGSTOP)
    }

    /// Lets them go on.
    pub(crate) fn thaw(&self) -> Result<()> {
        self.signal(SIGCONT)
    }

    fn signal(&self, signal: i32) -> Result<()> {
        for pid in self.family()? {
            sys::process::kill(pid, signal)?;
        }
        Ok(())
    }

    /// As a power cut would.
    pub(crate) fn crash(&mut self) -> Result<()> {
        match &mut self.kind {
            Kind::Daemon(daemon) => daemon.process.crash(),
            Kind::Frr { bfdd, .. } => bfdd.as_mut().context("bfdd does not run")?.crash(),
        }
    }

    /// As an operator would.
    pub(crate) fn stop(&mut self) -> Result<()> {
        match &mut self.kind {
            Kind::Daemon(daemon) => daemon.stop(),
            Kind::Frr { bfdd, .. } => {
                let bfdd = bfdd.as_mut().context("bfdd does not run")?;
                bfdd.kill(SIGTERM)?;
                let status = bfdd.wait_timeout(SOON)?;
                ensure!(status == ExitStatus::Code(0), "bfdd ended with {status:?}");
                Ok(())
            }
        }
    }

    /// Starts it again after one of the two. `program` is what it was started with.
    pub(crate) fn start_again(&mut self, program: Program) -> Result<()> {
        let configuration = self.session.block();
        match &mut self.kind {
            Kind::Daemon(daemon) => {
                // After a power cut /run is empty.
                for name in ["keepalived.pid", "bfd.pid", "vrrp.pid", "checkers.pid"] {
                    if daemon.has_file(name) {
                        fs::remove_file(self.host.directory().join(name))?;
                    }
                }
                *daemon = Daemon::start(self.host, &program.executable()?, &configuration)?;
            }
            Kind::Frr { frr, bfdd } => {
                drop(bfdd.take());
                *bfdd = Some(frr.start(self.host, "bfdd")?);
            }
        }
        Ok(())
    }

    /// Ends what speaks BFD, and has a successor that knows nothing: keepalived's parent sees to it; ours would give it the
    /// session, so all of it is started again, as FRR is.
    pub(crate) fn restart_at_once(&mut self, program: Program) -> Result<()> {
        if program != Program::Keepalived {
            self.crash()?;
            return self.start_again(program);
        }
        let pid = bfd_pid(self.host)?;
        sys::process::kill(pid, SIGKILL)?;
        wait_until(SOON, "another BFD process", || {
            bfd_pid(self.host).is_ok_and(|now| now != pid)
        })
    }

    /// Has bfdd do something with the session: `shutdown`, `no shutdown`, ...
    pub(crate) fn tell_peer(&self, command: &str) -> Result<()> {
        let Kind::Frr { frr, .. } = &self.kind else {
            bail!("only bfdd can be told: {command}");
        };
        let peer = self.session.peer_line();
        frr.tell(
            self.host,
            &["configure terminal", "bfd", peer.trim(), command],
        )?;
        Ok(())
    }

    /// What bfdd says of its sessions.
    pub(crate) fn peers_of_frr(&self) -> Result<String> {
        let Kind::Frr { frr, .. } = &self.kind else {
            bail!("only bfdd can be asked");
        };
        frr.tell(self.host, &["show bfd peers"])
    }
}

/// The number of the BFD process of the daemon on a host.
pub(crate) fn bfd_pid(host: &Host) -> Result<Pid> {
    pid_in(&host.directory().join("bfd.pid"))
}
