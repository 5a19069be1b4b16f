//! The parties of an interoperability test: how each is told what to do, started, and asked who it is.

use anyhow::{Context as _, Result, bail, ensure};
use lab::{ExitStatus, Host, Pid, Process, wait_until};

use crate::common::{Daemon, SIGTERM, SOON, evervip, keepalived};
use crate::{Auth, Family, Peer, Port, Row, To, Version};

/// Of the virtual router that is shared.
pub(crate) const VRID: u8 = 51;

/// Who of the two it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Party {
    /// evervip.
    We,
    /// The peer of the row.
    They,
}

impl Party {
    pub(crate) fn other(self) -> Self {
        match self {
            Self::We => Self::They,
            Self::They => Self::We,
        }
    }
}

/// A party on its host.
pub(crate) struct Router<'a> {
    pub(crate) host: &'a Host,
    row: &'a Row,
    kind: Kind,
}

enum Kind {
    Ours(Daemon),
    Keepalived(Daemon),
    Frr(Frr),
}

impl<'a> Router<'a> {
    /// On host 198.18.0.`number`, 1 or 2, with the other one as its peer.
    pub(crate) fn start(
        party: Party,
        row: &'a Row,
        host: &'a Host,
        number: u8,
        priority: u8,
    ) -> Result<Self> {
        let configuration = || configuration(row, number, priority);
        let kind = match (party, row.peer) {
            (Party::We, _) => Kind::Ours(Daemon::start(host, &evervip(), &configuration())?),
            (Party::They, Peer::Keepalived) => {
                Kind::Keepalived(Daemon::start(host, &keepalived()?, &configuration())?)
            }
            (Party::They, Peer::Frr) => Kind::Frr(Frr::start(row, host, priority)?),
        };
        Ok(Self { host, row, kind })
    }

    /// Waits until it has found out that it is to wait.
    pub(crate) fn is_backup(&self) -> Result<()> {
        match &self.kind {
            Kind::Ours(daemon) | Kind::Keepalived(daemon) => daemon.says("Entering BACKUP STATE"),
            Kind::Frr(frr) => frr.says("Initialize -> Backup"),
        }
    }

    /// How many of the virtual addresses its host answers for.
    pub(crate) fn held(&self) -> usize {
        match &self.kind {
            Kind::Ours(_) | Kind::Keepalived(_) => {
                let device = match self.row.port {
                    Port::Plain => "eth0",
                    Port::Vmac => "vrrp.51",
                };
                let on_device = |address: &&str| self.host.has_address(device, address);
                let all = self.row.bare_addresses().into_iter();
                all.filter(|address| on_device(address).unwrap_or(false))
                    .count()
            }
            // They are always there, on an interface that works only on the master.
            Kind::Frr(_) => match self.host.link(MACVLAN) {
                Ok(link) if link.running => 2,
                Ok(_) | Err(_) => 0,
            },
        }
    }

    pub(crate) fn gains(&self) -> Result<()> {
        let what = format!("{} gets the addresses", self.host.name());
        wait_until(SOON, &what, || self.held() == 2)
    }

    pub(crate) fn loses(&self) -> Result<()> {
        let what = format!("{} loses the addresses", self.host.name());
        wait_until(SOON, &what, || self.held() == 0)
    }

    /// It has been stopped. FRR's zebra switches the interface off if vrrpd's last word reaches it, which it does not always: what
    /// FRR leaves behind says nothing about us.
    pub(crate) fn lets_go(&self) -> Result<()> {
        match &self.kind {
            Kind::Ours(_) | Kind::Keepalived(_) => self.loses(),
            Kind::Frr(_) => Ok(()),
        }
    }

    /// As a power cut would.
    pub(crate) fn crash(&mut self) -> Result<()> {
        match &mut self.kind {
            Kind::Ours(daemon) | Kind::Keepalived(daemon) => daemon.crash(),
            Kind::Frr(frr) => frr.crash(),
        }
    }

    /// As an operator would.
    pub(crate) fn stop(&mut self) -> Result<()> {
        match &mut self.kind {
            Kind::Ours(daemon) | Kind::Keepalived(daemon) => daemon.stop(),
            Kind::Frr(frr) => frr.stop(),
        }
    }

    /// Starts it again after one of the two.
    pub(crate) fn restart(&mut self, number: u8, priority: u8) -> Result<()> {
        let configuration = configuration(self.row, number, priority);
        match &mut self.kind {
            Kind::Ours(daemon) => *daemon = Daemon::start(self.host, &evervip(), &configuration)?,
            Kind::Keepalived(daemon) => {
                *daemon = Daemon::start(self.host, &keepalived()?, &configuration)?;
            }
            Kind::Frr(frr) => frr.run(self.host)?,
        }
        Ok(())
    }

    /// It and what it started.
    pub(crate) fn family(&self) -> Result<Vec<Pid>> {
        match &self.kind {
            Kind::Ours(daemon) | Kind::Keepalived(daemon) => daemon.process.family(),
            Kind::Frr(frr) => frr.vrrpd()?.family(),
        }
    }

    /// Its own view of what happened, if it has one that we can read: no errors, and so often master and no more.
    pub(crate) fn has_counted(&mut self, expected: &Expected) -> Result<()> {
        let (Kind::Ours(daemon) | Kind::Keepalived(daemon)) = &mut self.kind else {
            return Ok(());
        };
        let counters = daemon.counters()?;
        let mut errors = counters.errors();
        if self.row.auth == Auth::Ah {
            // All routers of a VRID count up one number (keepalived): who becomes master while another one still is may use one
            // that is used up.
            errors.retain(|(key, count)| key != "Authentication Errors/Failure" || *count > 1);
        }
        ensure!(errors.is_empty(), "{}: {errors:?}", self.host.name());
        for (name, expected) in [
            ("Became master", expected.became_master),
            ("Released master", expected.released_master),
        ] {
            let counted = counters.get("VI", name)?;
            ensure!(counted == expected, "{name}: {counted}, not {expected}");
        }
        let heard = counters.get("VI", "Priority Zero/Received")? > 0;
        ensure!(
            heard == expected.heard_goodbye,
            "heard a goodbye: {heard}, not {}",
            expected.heard_goodbye
        );
        ensure!(counters.get("VI", "Advertisements/Received")? > 0);
        if let (Kind::Ours(_), Some(seen)) = (&self.kind, expected.adverts_sent) {
            let sent = counters.get("VI", "Advertisements/Sent")?;
            ensure!(sent == u64::try_from(seen)?, "{sent} sent, {seen} seen");
        }
        Ok(())
    }
}

/// What a router is to have counted since its last start.
pub(crate) struct Expected {
    pub(crate) became_master: u64,
    pub(crate) released_master: u64,
    pub(crate) heard_goodbye: bool,
    /// Where it is known how many were on the wire.
    pub(crate) adverts_sent: Option<usize>,
}

/// For evervip and for keepalived.
fn configuration(row: &Row, number: u8, priority: u8) -> String {
    let version = match row.version {
        Version::V2 => 2,
        Version::V3 => 3,
    };
    let peers = match row.to {
        To::Group => String::new(),
        To::Peers => {
            let hosts = match row.family {
                Family::V4 => "198.18.0.",
                Family::V6 => "fd00:18::",
            };
            let other = 3 - number;
            format!("unicast_src_ip {hosts}{number}\n unicast_peer {{\n {hosts}{other}\n }}\n")
        }
    };
    let authentication =
        |kind| format!(" authentication {{\n auth_type {kind}\n auth_pass secret-7\n }}\n");
    let authentication = match row.auth {
        Auth::None => String::new(),
        Auth::Pass => authentication("PASS"),
        Auth::Ah => authentication("AH"),
    };
    let vmac = match row.port {
        Port::Plain => "",
        Port::Vmac => " use_vmac\n",
    };
    let [one, two] = row.addresses();
    // The version first: an address of IPv6 would decide it.
    format!(
        "vrrp_instance VI {{\n version {version}\n interface eth0\n virtual_router_id {VRID}\n priority {priority}\n \
         advert_int {}\n {peers}{authentication}{vmac} virtual_ipaddress {{\n {one}\n {two}\n }}\n}}\n",
        row.interval().as_secs_f64()
    )
}

/// The interface that has FRR's virtual addresses, and the virtual MAC address.
const MACVLAN: &str = "virtual";

/// FRR: `zebra` knows the interfaces, `vrrpd` the protocol. The interface with the addresses is the operator's to make;
/// they keep it down while they are backup.
struct Frr {
    files: lab::Frr,
    zebra: Option<Process>,
    vrrpd: Option<Process>,
}

impl Frr {
    fn start(row: &Row, host: &Host, priority: u8) -> Result<Self> {
        let files = lab::Frr::new(host, &["zebra", "vrrpd"])?;
        let (version, keyword) = match (row.version, row.family) {
            (Version::V2, _) => (2, "ip"),
            (Version::V3, Family::V4) => (3, "ip"),
            (Version::V3, Family::V6) => (3, "ipv6"),
        };
        let mut lines = format!(
            "interface eth0\n vrrp {VRID} version {version}\n vrrp {VRID} priority {priority}\n \
             vrrp {VRID} advertisement-interval {}\n",
            row.interval().as_millis()
        );
        for address in row.bare_addresses() {
            lines += &format!(" vrrp {VRID} {keyword} {address}\n");
        }
        files.configure("vrrpd", &lines)?;
        files.configure("zebra", "")?;
        host.call(&format!(
            "ip link add {MACVLAN} link eth0 type macvlan mode bridge"
        ))?;
        host.call(&format!(
            "ip link set {MACVLAN} address {}",
            row.virtual_mac()
        ))?;
        host.call(&format!("ip link set {MACVLAN} up"))?;
        for address in row.addresses() {
            host.add_address(MACVLAN, address)?;
        }
        let mut frr = Self {
            files,
            zebra: None,
            vrrpd: None,
        };
        frr.run(host)?;
        Ok(frr)
    }

    /// Starts what does not run.
    fn run(&mut self, host: &Host) -> Result<()> {
        if self.zebra.is_none() {
            self.zebra = Some(self.files.start(host, "zebra")?);
        }
        self.vrrpd = Some(self.files.start(host, "vrrpd")?);
        Ok(())
    }

    fn vrrpd(&self) -> Result<&Process> {
        self.vrrpd.as_ref().context("vrrpd does not run")
    }

    fn says(&self, text: &str) -> Result<()> {
        self.vrrpd()?.wait_for_output(text, SOON)
    }

    fn crash(&mut self) -> Result<()> {
        for (mut process, name) in [(self.vrrpd.take(), "vrrpd"), (self.zebra.take(), "zebra")] {
            let Some(process) = &mut process else {
                bail!("{name} does not run");
            };
            process.crash()?;
            report(name, process);
        }
        Ok(())
    }

    /// zebra stays: it would let the interface come up when it goes.
    fn stop(&mut self) -> Result<()> {
        let mut vrrpd = self.vrrpd.take().context("vrrpd does not run")?;
        vrrpd.kill(SIGTERM)?;
        let status = vrrpd.wait_timeout(SOON)?;
        report("vrrpd", &vrrpd);
        ensure!(status == ExitStatus::Code(0), "vrrpd ended with {status:?}");
        Ok(())
    }
}

impl Drop for Frr {
    fn drop(&mut self) {
        for (name, process) in [("vrrpd", &self.vrrpd), ("zebra", &self.zebra)] {
            if let Some(process) = process {
                report(name, process);
            }
        }
    }
}

/// What a program of FRR's said, without what vrrpd says whenever an address comes or goes.
fn report(name: &str, process: &Process) {
    println!("---- {name} said:");
    for line in process.output_so_far().lines() {
        if !line.contains("Refusing to start") {
            println!("{line}");
        }
    }
    println!("----");
}
