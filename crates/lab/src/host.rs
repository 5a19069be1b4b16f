//! A host: a thread in namespaces of its own, and what it is asked to do there.

use std::collections::BTreeMap;
use std::fs;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use sys::capture::CaptureSocket;
use sys::namespace::{Init, NetworkNamespace, mount_tmpfs, unshare_pid_namespace};
use sys::netlink::{AddressChange, Link, RouteSocket};
use sys::process::ExitStatus;
use types::Prefix;

use crate::capture::Capture;
use crate::directory::Directory;
use crate::link::{self, Power};
use crate::packages;
use crate::process::Process;
use crate::segment::{Cable, Segment};
use crate::worker::Worker;

/// How long a program may take that is done in moments.
const MOMENTS: Duration = Duration::from_secs(10);

/// What a host is to have of its own besides its network.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HostOptions {
    /// A process numbering of its own, and a /proc that shows it. Programs that go to the background then
    /// end with the host too, and do not see those of other hosts.
    pub private_processes: bool,
    /// An empty /tmp of its own. Not given where it would hide the lab's files or the program that runs;
    /// see [`Host::has_private`]. TMPDIR points to a directory of the host's own in any case.
    pub private_tmp: bool,
}

/// One host. Dropping it switches it off: its processes are killed, its interfaces vanish.
#[derive(Debug)]
pub struct Host {
    name: String,
    options: HostOptions,
    // The cables first: they go before the thread whose namespace they end in.
    cables: Mutex<BTreeMap<String, Cable>>,
    worker: Worker,
    network: OwnedFd,
    private: Vec<PathBuf>,
    files: PathBuf,
    processes: AtomicU32,
    /// Removed after everything that uses it.
    _lab: Arc<Directory>,
}

impl Host {
    pub(crate) fn start(name: &str, options: HostOptions, lab: &Arc<Directory>) -> Result<Self> {
        let files = lab.path().join(name);
        let temporary = files.join("tmp");
        fs::create_dir_all(&temporary)
            .with_context(|| format!("cannot create {}", temporary.display()))?;
        let keep_visible = [lab.path().to_owned(), std::env::current_exe()?];
        let private: Vec<PathBuf> = ["/run", "/tmp"]
            .into_iter()
            .filter(|&path| path == "/run" || options.private_tmp)
            .map(PathBuf::from)
            .filter(|path| path.is_dir() && !keep_visible.iter().any(|kept| kept.starts_with(path)))
            .collect();
        let (to_mount, (report, namespace)) = (private.clone(), std::sync::mpsc::channel());
        let worker = Worker::start(&format!("host {name}"), move || -> Result<Option<Init>> {
            let network = NetworkNamespace::create_for_this_thread()?;
            for path in &to_mount {
                mount_tmpfs(path)?;
            }
            link::calm_ipv6("default")?;
            link::switch("lo", Power::On)?;
            report.send(network.as_fd().try_clone_to_owned()?)?;
            if !options.private_processes {
                return Ok(None);
            }
            unshare_pid_namespace()?;
            Ok(Some(Init::start()?))
        })
        .with_context(|| format!("cannot make host {name}"))?;
        Ok(Self {
            name: name.to_owned(),
            options,
            cables: Mutex::default(),
            worker,
            network: namespace.recv()?,
            private,
            files,
            processes: AtomicU32::new(0),
            _lab: Arc::clone(lab),
        })
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// A directory for this host's files, seen by all hosts and removed with the lab. Its subdirectory `tmp`
    /// is what TMPDIR tells the host's programs.
    pub fn directory(&self) -> &Path {
        &self.files
    }

    /// Whether this directory (`/run`, `/tmp`) is the host's own, and was empty when the host started.
    pub fn has_private(&self, directory: &str) -> bool {
        self.private
            .iter()
            .any(|private| private == Path::new(directory))
    }

    /// Runs `job` on this host and waits for it: sockets it opens, files it reads below /proc/sys/net, and
    /// processes it starts are this host's. It cannot start threads on a host with private processes.
    ///
    /// # Errors
    /// When the host is gone. A panic in `job` comes out here.
    pub fn run<T: Send + 'static>(&self, job: impl FnOnce() -> T + Send + 'static) -> Result<T> {
        self.worker.run(job)
    }

    /// Plugs this host into `segment` with a new interface, which is switched on, has a link-local IPv6 address
    /// at once, and no other.
    ///
    /// # Errors
    /// When the host has an interface of that name already.
    pub fn connect(&self, segment: &Segment, interface: &str) -> Result<()> {
        let name = interface.to_owned();
        (|| -> Result<()> {
            let cable = segment.plug(self.network.try_clone()?, interface)?;
            self.cables().insert(name.clone(), cable);
            self.run(move || {
                link::calm_ipv6(&name)?;
                link::switch(&name, Power::On)
            })?
        })()
        .with_context(|| format!("cannot connect {interface} of host {}", self.name))
    }

    /// Pulls the cable out of an interface: it stays up but loses its carrier.
    ///
    /// # Errors
    /// When [`connect`](Self::connect) did not make it.
    pub fn pull_cable(&self, interface: &str) -> Result<()> {
        self.set_cable(interface, Power::Off)
    }

    /// Plugs the cable in again.
    ///
    /// # Errors
    /// When [`connect`](Self::connect) did not make it.
    pub fn plug_cable(&self, interface: &str) -> Result<()> {
        self.set_cable(interface, Power::On)
    }

    fn set_cable(&self, interface: &str, power: Power) -> Result<()> {
        let cables = self.cables();
        let cable = cables
            .get(interface)
            .with_context(|| format!("interface {interface} of host {} has no cable", self.name))?;
        cable.set(power)
    }

    fn cables(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Cable>> {
        self.cables.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the kernel says of an interface.
    ///
    /// # Errors
    /// When there is none of that name.
    pub fn link(&self, interface: &str) -> Result<Link> {
        self.on(interface, |interface| {
            link::find(&mut RouteSocket::new()?, interface)
        })
    }

    /// Switches an interface on.
    ///
    /// # Errors
    /// When there is none of that name.
    pub fn link_up(&self, interface: &str) -> Result<()> {
        self.on(interface, |interface| link::switch(interface, Power::On))
    }

    /// Switches an interface off, as an operator would; it loses its IPv6 addresses.
    ///
    /// # Errors
    /// When there is none of that name.
    pub fn link_down(&self, interface: &str) -> Result<()> {
        self.on(interface, |interface| link::switch(interface, Power::Off))
    }

    /// Removes an interface and its cable.
    ///
    /// # Errors
    /// When there is none of that name.
    pub fn delete_link(&self, interface: &str) -> Result<()> {
        self.on(interface, |interface| {
            let mut netlink = RouteSocket::new()?;
            let index = link::index(&mut netlink, interface)?;
            Ok(netlink.delete_link(index)?)
        })?;
        self.cables().remove(interface);
        Ok(())
    }

    /// Puts an address (`"198.18.0.1/24"`) on an interface, usable at once. That it is there already is no
    /// error.
    ///
    /// # Errors
    /// When there is no such interface, or the text is not an address with a prefix length.
    pub fn add_address(&self, interface: &str, address: &str) -> Result<()> {
        let prefix = prefix(address)?;
        self.on(interface, move |interface| {
            link::change_address(interface, prefix, |interface, address| AddressChange::Add {
                interface,
                address,
            })
        })
    }

    /// Takes an address away. That it is not there is no error.
    ///
    /// # Errors
    /// When there is no such interface, or the text is not an address with a prefix length.
    pub fn remove_address(&self, interface: &str, address: &str) -> Result<()> {
        let prefix = prefix(address)?;
        self.on(interface, move |interface| {
            link::change_address(interface, prefix, |interface, address| {
                AddressChange::Remove { interface, address }
            })
        })
    }

    /// The addresses of an interface, of both families, link-local ones included.
    ///
    /// # Errors
    /// When there is none of that name.
    pub fn addresses(&self, interface: &str) -> Result<Vec<Prefix>> {
        self.on(interface, link::addresses)
    }

    /// Whether an interface has this address, whatever its prefix length.
    ///
    /// # Errors
    /// When there is no such interface, or the text is not an address.
    pub fn has_address(&self, interface: &str, address: &str) -> Result<bool> {
        let wanted: std::net::IpAddr = address
            .parse()
            .with_context(|| format!("{address} is no address"))?;
        Ok(self
            .addresses(interface)?
            .iter()
            .any(|prefix| prefix.address() == wanted))
    }

    fn on<T: Send + 'static>(
        &self,
        interface: &str,
        job: impl FnOnce(&str) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let name = interface.to_owned();
        self.run(move || job(&name))?
            .with_context(|| format!("host {}", self.name))
    }

    /// Sees every frame that passes an interface from now on.
    ///
    /// # Errors
    /// When there is none of that name.
    pub fn capture(&self, interface: &str) -> Result<Capture> {
        let socket = self.on(interface, |interface| {
            let index = link::index(&mut RouteSocket::new()?, interface)?;
            Ok(CaptureSocket::open(index)?)
        })?;
        Capture::start(socket)
    }

    /// Starts a program on this host, in a process group of its own, with nothing to read, its output in a
    /// file, and TMPDIR set. It is killed when the returned value or the host is dropped.
    ///
    /// What the program leaves in the background is killed with it only as long as its parent lives; on a host
    /// with private processes, always.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn spawn(&self, command: &mut Command) -> Result<Process> {
        // A new command, because the closure must own what it runs; only what can be asked of a command
        // is carried over.
        let mut owned = Command::new(command.get_program());
        owned
            .args(command.get_args())
            .env("TMPDIR", self.files.join("tmp"));
        if !crate::uml::is_inside() {
            // A module is for the whole machine, which is not the test's.
            owned.env("EVERVIP_KERNEL_MODULES", "leave");
        }
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => owned.env(name, value),
                None => owned.env_remove(name),
            };
        }
        if let Some(directory) = command.get_current_dir() {
            owned.current_dir(directory);
        }
        let program = Path::new(command.get_program());
        let short = program
            .file_name()
            .unwrap_or(program.as_os_str())
            .to_string_lossy()
            .into_owned();
        let number = self.processes.fetch_add(1, Ordering::Relaxed);
        let output = self.files.join(format!("{short}-{number}.log"));
        let start = move || Process::start(owned, &short, output);
        self.run(start)?
            .with_context(|| format!("host {}", self.name))
    }

    /// Runs a program that is done in moments, such as `ip link add ...`, and gives what it said. The words of `line` are
    /// separated by blanks; nothing is quoted.
    ///
    /// # Errors
    /// When it is not installed, fails, or is not done within ten seconds; the error holds what it said.
    pub fn call(&self, line: &str) -> Result<String> {
        let mut words = line.split_whitespace();
        let program = packages::require(words.next().context("an empty line")?)?;
        let mut process = self.spawn(Command::new(program).args(words))?;
        let status = process.wait_timeout(MOMENTS)?;
        let said = process.output_so_far();
        if status != ExitStatus::Code(0) {
            bail!(
                "host {}: `{line}` ended with {status:?}: {}",
                self.name,
                said.trim_end()
            );
        }
        Ok(said)
    }

    /// What it was made with.
    pub fn options(&self) -> HostOptions {
        self.options
    }
}

fn prefix(text: &str) -> Result<Prefix> {
    let parse = || -> Result<Prefix> {
        let (address, length) = text.split_once('/').context("a prefix length is missing")?;
        Ok(Prefix::new(address.parse()?, length.parse()?)?)
    };
    parse().with_context(|| format!("{text} is no address with a prefix length"))
}
