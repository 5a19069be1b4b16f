//! The network that virtual servers are tested in, and directors side by side: Debian's keepalived and evervip, each on
//! a host of its own, with the same configuration and the same servers to check.
//!
//! A [`Story`] is told in steps: the test changes something (a server goes down, a new configuration), and every director
//! must come to the same table in the kernel and the same notifications.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use lab::backend::{Act, Backend};
use lab::{ExitStatus, Host, HostOptions, Lab, Process, pause, uml};

use crate::common::{Daemon, evervip, keepalived, program};
use crate::table::{compact, saved, table};

/// Modules of the kernel that directors need. The schedulers would be loaded by the kernel itself where there is a
/// /lib/modules.
const MODULES: [&str; 8] = [
    "ip_vs",
    "ip_vs_rr",
    "ip_vs_wrr",
    "ip_vs_lc",
    "ip_vs_wlc",
    "ip_vs_sh",
    "ip_vs_mh",
    "dummy",
];

/// Longer than anything takes that is waited for: a check a second, in a kernel that runs as a process beside others.
pub(crate) const SOON: Duration = Duration::from_secs(40);

/// How often a table is looked at. Each look is a process.
const PACE: Duration = Duration::from_millis(50);

/// Where the notify script writes, on each host its own.
const NOTES: &str = "/run/notes";
/// The notify script.
pub(crate) const NOTE: &str = "/run/note";
/// The FIFO for notifications.
const FIFO: &str = "/run/lvs.fifo";

/// Runs a scenario where there is IPVS.
pub(crate) fn with_ipvs(lab: &mut Lab, scenario: fn(&mut Lab) -> Result<()>) -> Result<()> {
    with_modules(lab, &[], scenario)
}

/// The same where there is none.
pub(crate) fn without_modules(lab: &mut Lab, scenario: fn(&mut Lab) -> Result<()>) -> Result<()> {
    uml::scenario(lab, &[], scenario)
}

/// The same with further kernel modules.
pub(crate) fn with_modules(
    lab: &mut Lab,
    more: &[&str],
    scenario: fn(&mut Lab) -> Result<()>,
) -> Result<()> {
    program("ipvsadm")?;
    let modules: Vec<&str> = MODULES.iter().chain(more).copied().collect();
    uml::scenario(lab, &modules, scenario)
}

/// A program that is told to balance.
#[derive(Clone, Debug)]
pub(crate) struct Program {
    pub(crate) name: &'static str,
    pub(crate) binary: PathBuf,
}

/// The program under test.
pub(crate) fn ours() -> Program {
    Program {
        name: "evervip",
        binary: evervip(),
    }
}

/// Who is compared: the one that is the reference first.
pub(crate) fn programs() -> Result<Vec<Program>> {
    let theirs = Program {
        name: "keepalived",
        binary: keepalived()?,
    };
    Ok(vec![theirs, ours()])
}

/// The wires: one segment, the host of the servers, and a director for each program.
pub(crate) struct Network {
    /// Has 10.1.0.1 to 10.1.0.9 and their IPv6 twins, the servers' addresses.
    pub(crate) web: Host,
    pub(crate) directors: Vec<Host>,
    programs: Vec<Program>,
}

impl Network {
    /// Directors and servers. They can reach each other.
    pub(crate) fn new(lab: &Lab) -> Result<Self> {
        Self::of(lab, programs()?)
    }

    /// The same with directors for these programs alone.
    pub(crate) fn of(lab: &Lab, programs: Vec<Program>) -> Result<Self> {
        let lan = lab.segment()?;
        let web = lab.host("web", HostOptions::default())?;
        web.connect(&lan, "eth0")?;
        web.add_address("eth0", "10.1.0.200/16")?;
        for number in 1..=9 {
            web.add_address("eth0", &format!("10.1.0.{number}/16"))?;
            web.add_address("eth0", &format!("fd00:1::{number}/64"))?;
        }
        let mut directors = Vec::new();
        for (number, program) in (100..).zip(&programs) {
            let host = lab.host(program.name, HostOptions::default())?;
            ensure!(host.has_private("/run"), "the hosts share /run");
            host.connect(&lan, "eth0")?;
            host.add_address("eth0", &format!("10.1.0.{number}/16"))?;
            host.add_address("eth0", &format!("fd00:1::{number}/64"))?;
            host.run(|| -> Result<()> {
                fs::write(NOTE, format!("#!/bin/sh\necho \"$*\" >>{NOTES}\n"))?;
                fs::set_permissions(NOTE, fs::Permissions::from_mode(0o755))?;
                Ok(())
            })??;
            host.call(&format!("busybox mkfifo {FIFO}"))?;
            directors.push(host);
        }
        Ok(Self {
            web,
            directors,
            programs,
        })
    }

    /// Servers on port 80 of 10.1.0.1 to 10.1.0.`count`, which accept and close.
    pub(crate) fn servers(&self, count: u8) -> Result<Vec<Backend<'_>>> {
        (1..=count)
            .map(|number| Backend::start(&self.web, server(number), Vec::new()))
            .collect()
    }

    /// A server with a script, on this address and port of `web`.
    pub(crate) fn server(&self, address: &str, script: Vec<Act>) -> Result<Backend<'_>> {
        Backend::start(&self.web, address.parse()?, script)
    }
}

/// Port 80 of a server's address.
pub(crate) fn server(number: u8) -> SocketAddr {
    SocketAddr::new(IpAddr::V4(Ipv4Addr::new(10, 1, 0, number)), 80)
}

/// Global settings of every configuration here: the FIFO, and whose scripts they are.
pub(crate) fn globals(more: &str) -> String {
    format!(
        "global_defs {{\n script_user root\n lvs_notify_fifo {FIFO}\n {}\n}}\n",
        more.replace('\n', "\n ")
    )
}

/// A virtual server on 10.0.0.1 port 80: its checks run every second, one failure is final.
pub(crate) fn virtual_server(options: &str, servers: &[String]) -> String {
    virtual_server_at("10.0.0.1 80", options, servers)
}

/// The same at another address.
pub(crate) fn virtual_server_at(address: &str, options: &str, servers: &[String]) -> String {
    format!(
        "virtual_server {address} {{\n protocol TCP\n delay_loop 1\n warmup 0\n {}\n \
         quorum_up \"{NOTE} VS UP\"\n quorum_down \"{NOTE} VS DOWN\"\n{}}}\n",
        options.replace('\n', "\n "),
        servers.concat()
    )
}

/// A real server 10.1.0.`number` port 80 with a check of its port.
pub(crate) fn real_server(number: u8, options: &str) -> String {
    real_server_with(
        number,
        options,
        "TCP_CHECK {\n   retry 0\n   connect_timeout 2\n  }",
    )
}

/// The same with this check.
pub(crate) fn real_server_with(number: u8, options: &str, check: &str) -> String {
    format!(
        " real_server 10.1.0.{number} 80 {{\n  {}\n  notify_up \"{NOTE} RS .{number} UP\"\n  \
         notify_down \"{NOTE} RS .{number} DOWN\"\n  {check}\n }}\n",
        options.replace('\n', "\n  ")
    )
}

/// What all directors go through together.
pub(crate) struct Story<'n> {
    sides: Vec<Side<'n>>,
    /// How the service is called in a table, where an expectation does not say.
    service: String,
}

/// One director.
struct Side<'n> {
    program: Program,
    host: &'n Host,
    daemon: Option<Daemon>,
    fifo: Process,
    /// Lines of each that earlier steps have seen.
    fifo_seen: usize,
    scripts_seen: usize,
}

impl<'n> Story<'n> {
    /// Everything prepared, and nobody started.
    pub(crate) fn prepare(network: &'n Network, service: &str) -> Result<Self> {
        let mut sides = Vec::new();
        for (program, host) in network.programs.iter().zip(&network.directors) {
            // Whoever writes comes and goes; the reader stays.
            let read = format!("while :; do cat {FIFO}; done");
            sides.push(Side {
                program: program.clone(),
                host,
                daemon: None,
                fifo: host.spawn(Command::new("sh").args(["-c", &read]))?,
                fifo_seen: 0,
                scripts_seen: 0,
            });
        }
        Ok(Self {
            sides,
            service: service.to_owned(),
        })
    }

    /// Every director started with this configuration. The service is `TCP 10.0.0.1:80 wlc`.
    pub(crate) fn start(network: &'n Network, configuration: &str) -> Result<Self> {
        let mut story = Self::prepare(network, "TCP 10.0.0.1:80 wlc")?;
        story.start_all(configuration, &[])?;
        Ok(story)
    }

    /// Starts them.
    pub(crate) fn start_all(&mut self, configuration: &str, options: &[&str]) -> Result<()> {
        for side in &mut self.sides {
            let program = &side.program.binary;
            let daemon = Daemon::start_with(side.host, program, configuration, options)?;
            side.daemon = Some(daemon);
        }
        Ok(())
    }

    /// Has all of them load a new configuration, and waits until they have.
    pub(crate) fn reload(&mut self, configuration: &str) -> Result<()> {
        for side in &mut self.sides {
            let daemon = side.daemon.as_mut().context("it runs")?;
            let before = reloads(daemon);
            daemon.reload(configuration)?;
            let daemon = &*daemon;
            look_until(&format!("{} has loaded", side.program.name), || {
                Ok(reloads(daemon) > before)
            })?;
        }
        Ok(())
    }

    /// Ends all of them as an operator does.
    pub(crate) fn stop(&mut self) -> Result<()> {
        for side in &mut self.sides {
            if let Some(mut daemon) = side.daemon.take() {
                daemon.stop()?;
            }
        }
        Ok(())
    }

    /// The same, and nothing is left in their tables; of the stop they have told so.
    pub(crate) fn end(mut self, events: &[&str]) -> Result<()> {
        self.stop()?;
        self.same("stop", "nothing", events)
    }

    /// No director's kernel has a synchronisation daemon any more.
    pub(crate) fn no_sync_daemon(&self) -> Result<()> {
        self.sides
            .iter()
            .try_for_each(|side| no_sync_daemon(side.host))
    }

    /// Runs a command on every director's host.
    pub(crate) fn call(&self, line: &str) -> Result<()> {
        for side in &self.sides {
            side.host.call(line)?;
        }
        Ok(())
    }

    /// Every director's daemon and host, with the program's name.
    pub(crate) fn each(
        &mut self,
        mut look: impl FnMut(&str, &mut Daemon, &Host) -> Result<()>,
    ) -> Result<()> {
        for side in &mut self.sides {
            let daemon = side.daemon.as_mut().context("it runs")?;
            look(side.program.name, daemon, side.host)
                .with_context(|| side.program.name.to_owned())?;
        }
        Ok(())
    }

    /// Waits until all of them have said so in their log.
    pub(crate) fn say(&self, text: &str) -> Result<()> {
        for side in &self.sides {
            let daemon = side.daemon.as_ref().context("it runs")?;
            look_until(&format!("{} says {text}", side.program.name), || {
                Ok(daemon.times_said(text) > 0)
            })?;
        }
        Ok(())
    }

    /// All come to this table, and have told of it so.
    pub(crate) fn same(&mut self, step: &str, rows: &str, events: &[&str]) -> Result<()> {
        let service = self.service.clone();
        for side in &mut self.sides {
            side.expect(&service, step, rows, events)?;
        }
        println!("{step:<45} {rows:<40} {}", events.join(", "));
        Ok(())
    }

    /// All come to exactly this, as `ipvsadm -Sn` has it, in the order of the lines.
    pub(crate) fn same_saved(&self, wanted: &[&str]) -> Result<()> {
        for side in &self.sides {
            let mut last = Vec::new();
            look_until(&format!("the table of {}", side.program.name), || {
                last = saved(side.host)?;
                Ok(last == wanted)
            })
            .with_context(|| format!("{last:#?}"))?;
        }
        Ok(())
    }

    /// What a command says on every director comes to contain this; blanks are alike.
    pub(crate) fn shows(&self, line: &str, wanted: &str) -> Result<()> {
        for side in &self.sides {
            shows(side.host, line, wanted)?;
        }
        Ok(())
    }

    /// The same of one program's director, if it is there.
    pub(crate) fn shows_of(&self, program: &str, line: &str, wanted: &str) -> Result<()> {
        for side in &self.sides {
            if side.program.name == program {
                shows(side.host, line, wanted)?;
            }
        }
        Ok(())
    }

    /// All come to this table; what they tell of it is not looked at.
    pub(crate) fn table(&self, step: &str, rows: &str) -> Result<()> {
        for side in &self.sides {
            side.comes_to(&self.service, step, rows)?;
        }
        println!("{step:<45} {rows}");
        Ok(())
    }

    /// Each comes to its own, and here is why. `theirs` is Debian's keepalived's.
    pub(crate) fn differ(
        &mut self,
        step: &str,
        why: &str,
        ours: (&str, &[&str]),
        theirs: (&str, &[&str]),
    ) -> Result<()> {
        let service = self.service.clone();
        for side in &mut self.sides {
            let (rows, events) = match side.program.name {
                "keepalived" => theirs,
                _ => ours,
            };
            side.expect(&service, step, rows, events)?;
        }
        println!(
            "{step:<45} {:<40} {}\n{:<45} {:<40} {} (keepalived: {why})",
            ours.0,
            ours.1.join(", "),
            "",
            theirs.0,
            theirs.1.join(", ")
        );
        Ok(())
    }
}

/// How often a director has finished a reload, as far as its log says.
fn reloads(daemon: &Daemon) -> usize {
    daemon.times_said("Reload finished") + daemon.times_said("Reload complete")
}

impl Side<'_> {
    fn comes_to(&self, service: &str, step: &str, rows: &str) -> Result<()> {
        let what = format!("step \"{step}\" of {}", self.program.name);
        let wanted = wanted(service, rows);
        let mut last = String::new();
        look_until(&what, || {
            last = compact(&table(self.host)?);
            Ok(last == wanted)
        })
        .with_context(|| format!("the table is   {last}\nand should be  {wanted}"))
    }

    fn expect(&mut self, service: &str, step: &str, rows: &str, events: &[&str]) -> Result<()> {
        self.comes_to(service, step, rows)?;
        let what = format!("step \"{step}\" of {}", self.program.name);
        let (mut fifo, mut scripts) = (Vec::new(), Vec::new());
        let told = look_until(&what, || {
            fifo = self.fifo_lines(self.fifo_seen);
            scripts = self.script_lines()?;
            Ok(fifo.len() >= events.len() && scripts.len() >= events.len())
        });
        let told = told.and_then(|()| {
            ensure!(fifo == events, "the FIFO has another order or more");
            // Scripts are not waited for: two of one moment may overtake each other.
            let mut sorted: Vec<&str> = events.to_vec();
            sorted.sort_unstable();
            let mut ran = scripts.clone();
            ran.sort_unstable();
            ensure!(ran == sorted, "other scripts ran");
            Ok(())
        });
        told.with_context(|| {
            format!("{what}: FIFO {fifo:?}, scripts {scripts:?}, wanted {events:?}")
        })?;
        self.fifo_seen += fifo.len();
        self.scripts_seen += scripts.len();
        Ok(())
    }

    /// What came through the FIFO, in the words of the expectations.
    fn fifo_lines(&self, since: usize) -> Vec<String> {
        let text = self.fifo.output_so_far();
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        whole.lines().skip(since).map(short).collect()
    }

    fn script_lines(&self) -> Result<Vec<String>> {
        let text = self.host.run(|| fs::read_to_string(NOTES))?;
        // Until the first script there is none.
        let text = text.unwrap_or_default();
        Ok(text
            .lines()
            .skip(self.scripts_seen)
            .map(str::to_owned)
            .collect())
    }
}

/// A line of the FIFO with names as short as those in the expectations: `RS .1 UP`, `VS UP`.
fn short(line: &str) -> String {
    let line = line.trim_matches('\0');
    let words: Vec<&str> = line.split_whitespace().collect();
    match words[..] {
        ["RS", name, _, state] => {
            let number = name
                .strip_prefix("[10.1.0.")
                .and_then(|rest| rest.split_once(']'));
            match number {
                Some((number, ":tcp:80" | ":udp:80" | ":none:80")) => {
                    format!("RS .{number} {state}")
                }
                _ => line.to_owned(),
            }
        }
        ["VS", _, state] => format!("VS {state}"),
        _ => line.to_owned(),
    }
}

/// The whole of an expected table: the rows alone are those of the usual service.
fn wanted(service: &str, rows: &str) -> String {
    if rows == "nothing" {
        String::new()
    } else if rows.contains(" =") {
        rows.to_owned()
    } else {
        format!("{service} = {rows}").trim_end().to_owned()
    }
}

/// Looks until something holds, at a pace that leaves the machine to what is looked at.
pub(crate) fn look_until(what: &str, mut holds: impl FnMut() -> Result<bool>) -> Result<()> {
    let deadline = sys::clock::now() + SOON;
    loop {
        let late = sys::clock::now() >= deadline;
        if holds()? {
            return Ok(());
        }
        if late {
            bail!("within {} s this did not happen: {what}", SOON.as_secs());
        }
        pause(PACE);
    }
}

/// What a command says on a host comes to contain this; blanks are alike.
pub(crate) fn shows(host: &Host, line: &str, wanted: &str) -> Result<()> {
    let mut last = String::new();
    let what = format!("`{line}` of {} shows {wanted}", host.name());
    look_until(&what, || {
        let said = host.call(line)?;
        let words: Vec<&str> = said.split_whitespace().collect();
        last = words.join(" ");
        Ok(last.contains(wanted))
    })
    .with_context(|| last.clone())
}

/// Shows the synchronisation daemons of the kernel.
pub(crate) const SYNC_DAEMONS: &str = "ipvsadm -Ln --daemon";

/// A host's kernel comes to have none.
pub(crate) fn no_sync_daemon(host: &Host) -> Result<()> {
    look_until(&format!("{} has no sync daemon", host.name()), || {
        Ok(!host.call(SYNC_DAEMONS)?.contains("sync daemon"))
    })
}

/// Runs a program of this host to its end, and gives what it said.
pub(crate) fn run(host: &Host, name: &str, arguments: &[&str]) -> Result<String> {
    said(host, Command::new(program(name)?).args(arguments))
}

/// The same of a command.
pub(crate) fn said(host: &Host, command: &mut Command) -> Result<String> {
    let mut process = host.spawn(command)?;
    let status = process.wait_timeout(SOON)?;
    let said = process.output_so_far();
    ensure!(
        status == ExitStatus::Code(0),
        "{command:?}: {status:?}: {said}"
    );
    Ok(said)
}
