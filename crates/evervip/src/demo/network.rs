//! The three hosts: two routers and a client on one LAN, in namespaces that vanish with this program.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use lab::{ExitStatus, Host, HostOptions, Lab, Process, Segment};
use sys::clock::now;
use types::Instant;

use super::configuration::{self, CLIENT_ADDRESS, INTERFACE, PREFIX_LENGTH, VIRTUAL_ADDRESS};
use super::prober::Responder;
use super::record::{Condition, Router};

const SIGTERM: i32 = 15;
/// How long a daemon may take to say goodbye.
const GOODBYE: Duration = Duration::from_secs(5);
/// Lines of a daemon's log that are shown when something went wrong.
const LAST_WORDS: usize = 12;

/// All hosts and the LAN between them.
#[derive(Debug)]
pub(super) struct Network {
    // In the order in which they are to go.
    alpha: Option<Machine>,
    beta: Option<Machine>,
    client: Host,
    lan: Segment,
    program: PathBuf,
    lab: Lab,
}

/// A router that has power.
#[derive(Debug)]
struct Machine {
    // In the order in which they are to go.
    daemon: Option<Process>,
    responder: Responder,
    host: Host,
}

impl Network {
    /// Makes the LAN and its client.
    ///
    /// # Errors
    /// When this machine does not allow it.
    pub(super) fn new(lab: Lab) -> Result<Self> {
        // Started by a name that says who it is, and that works even when the file has been replaced since we started.
        let program = lab.directory().join("evervip");
        std::os::unix::fs::symlink("/proc/self/exe", &program)
            .with_context(|| format!("cannot create {}", program.display()))?;
        let lan = lab.segment()?;
        let client = lab.host("client", HostOptions::default())?;
        client.connect(&lan, INTERFACE)?;
        client.add_address(INTERFACE, &format!("{CLIENT_ADDRESS}/{PREFIX_LENGTH}"))?;
        Ok(Self {
            alpha: None,
            beta: None,
            client,
            lan,
            program,
            lab,
        })
    }

    /// The client's host.
    pub(super) fn client(&self) -> &Host {
        &self.client
    }

    /// Gives a router power: its host comes up with the service on it, but no daemon yet.
    ///
    /// # Errors
    /// When the host cannot be made.
    pub(super) fn boot(&mut self, router: Router) -> Result<()> {
        let host = self.lab.host(router.name(), HostOptions::default())?;
        host.connect(&self.lan, INTERFACE)?;
        let own = configuration::address(router);
        host.add_address(INTERFACE, &format!("{own}/{PREFIX_LENGTH}"))?;
        let responder = Responder::start(&host, router)?;
        *self.seat(router) = Some(Machine {
            daemon: None,
            responder,
            host,
        });
        Ok(())
    }

    /// Starts the daemon of a router that has power, and says when.
    ///
    /// # Errors
    /// When it cannot be started.
    pub(super) fn start_daemon(&mut self, router: Router) -> Result<Instant> {
        let program = self.program.clone();
        let machine = self.machine(router)?;
        let place = machine.host.directory();
        let file = place.join("keepalived.conf");
        fs::write(&file, configuration::text(router))
            .with_context(|| format!("cannot write {}", file.display()))?;
        let mut command = Command::new(program);
        command
            .args(["-n", "-l", "-D", "-f"])
            .arg(&file)
            .arg("-p")
            .arg(place.join("evervip.pid"))
            .arg("-r")
            .arg(place.join("evervip_vrrp.pid"));
        let at = now();
        machine.daemon = Some(machine.host.spawn(&mut command)?);
        Ok(at)
    }

    /// A power cut: from one instant to the next nothing of the router is heard any more. Says when that was.
    ///
    /// # Errors
    /// When the router has no power, or its processes do not die.
    pub(super) fn cut_power(&mut self, router: Router) -> Result<Instant> {
        let mut machine = self
            .seat(router)
            .take()
            .with_context(|| format!("{} has no power", router.name()))?;
        let at = now();
        machine.host.pull_cable(INTERFACE)?;
        if let Some(daemon) = &mut machine.daemon {
            // All its processes are stopped before the first is killed, so that none can say goodbye for another.
            daemon.crash()?;
        }
        let Machine {
            daemon,
            responder,
            host,
        } = machine;
        drop((daemon, responder));
        // The kernel would take its time to clear away what is left of the host.
        host.delete_link(INTERFACE)?;
        Ok(at)
    }

    /// Asks a daemon to end, and says when; see [`expect_ended`](Self::expect_ended).
    ///
    /// # Errors
    /// When it has ended already.
    pub(super) fn stop_daemon(&mut self, router: Router) -> Result<Instant> {
        let daemon = self.machine(router)?.daemon.as_mut();
        let at = now();
        daemon
            .with_context(|| format!("no daemon runs on {}", router.name()))?
            .kill(SIGTERM)?;
        Ok(at)
    }

    /// Waits for the end of a daemon that was asked to end.
    ///
    /// # Errors
    /// When it does not, or fails doing so.
    pub(super) fn expect_ended(&mut self, router: Router) -> Result<()> {
        if let Some(daemon) = &mut self.machine(router)?.daemon {
            let status = daemon.wait_timeout(GOODBYE)?;
            ensure!(
                status == ExitStatus::Code(0),
                "the daemon on {} ended with {status:?}",
                router.name()
            );
        }
        Ok(())
    }

    /// What a router is at this moment, from its kernel's list of addresses and its process.
    ///
    /// # Errors
    /// When its kernel cannot be asked.
    pub(super) fn condition(&mut self, router: Router) -> Result<Condition> {
        let Some(machine) = self.seat(router) else {
            return Ok(Condition::Off);
        };
        if machine
            .host
            .has_address(INTERFACE, &VIRTUAL_ADDRESS.to_string())?
        {
            return Ok(Condition::Holding);
        }
        let runs = match &mut machine.daemon {
            Some(daemon) => daemon.poll()?.is_none(),
            None => false,
        };
        Ok(if runs {
            Condition::Waiting
        } else {
            Condition::Off
        })
    }

    /// The routers whose interface has the virtual address.
    ///
    /// # Errors
    /// When a kernel cannot be asked.
    pub(super) fn holders(&mut self) -> Result<Vec<Router>> {
        let mut holders = Vec::new();
        for router in Router::BOTH {
            if self.condition(router)? == Condition::Holding {
                holders.push(router);
            }
        }
        Ok(holders)
    }

    /// The ends of the daemons' logs, for the report of a failure.
    pub(super) fn last_words(&mut self) -> String {
        let mut words = String::new();
        for router in Router::BOTH {
            if let Some(machine) = self.seat(router)
                && let Some(daemon) = &machine.daemon
            {
                let log = daemon.output_so_far();
                let lines: Vec<&str> = log.lines().collect();
                let last = lines.len().saturating_sub(LAST_WORDS);
                words += &format!("the log of {}:\n", router.name());
                for line in lines.iter().skip(last) {
                    words += &format!("    {line}\n");
                }
            }
        }
        words
    }

    fn machine(&mut self, router: Router) -> Result<&mut Machine> {
        self.seat(router)
            .as_mut()
            .with_context(|| format!("{} has no power", router.name()))
    }

    fn seat(&mut self, router: Router) -> &mut Option<Machine> {
        match router {
            Router::Alpha => &mut self.alpha,
            Router::Beta => &mut self.beta,
        }
    }
}
