//! The parent: reads and resolves the configuration, starts and restarts the children, serves signals and pid files.
//!
//! It does no protocol work. In order: configuration, already running?, into the background, pid file, signals, children.

mod child;
mod packed;
mod release;

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result};
use config::settings::Global;
use config::{LoadOptions, Loaded, load};
use log::{debug, error, info, warn};
use sys::channel::Receipt;
use sys::event_loop::EventLoop;
use sys::pid_file::{self, PidFile, PidFileError};
use sys::process::{self, ExitStatus};
use sys::signals::SignalSet;
use sys::timer::Timer;
use types::Instant;

use self::child::{Child, RestartPace};
use self::packed::Packed;
use crate::command_line::Options;
use crate::diagnostics;
use crate::exit::{Exit, NEEDED_RIGHTS};
use crate::identity::Identity;
use crate::machine::ThisMachine;
use crate::messages::{Dump, LONGEST, Start, ToChild, ToParent};

const SIGHUP: i32 = 1;
const SIGINT: i32 = 2;
const SIGKILL: i32 = 9;
const SIGTERM: i32 = 15;
const SIGCHLD: i32 = 17;
const DUMP_SIGNALS: [i32; 5] = [10, 12, 36, 37, 63];

// Tokens of the epoll set.
const SIGNALS: u64 = 0;
const TIMER: u64 = 1;
const CHANNEL: u64 = 2;

/// When to try again after a child could not even be started.
const SECOND_TRY: Duration = Duration::from_secs(1);

/// Where pid files are, unless the command line says otherwise.
const RUN_DIRECTORY: &str = "/run";
/// Where dumps go, unless `TMPDIR` says otherwise.
const DUMP_DIRECTORY: &str = "/tmp";

/// Runs the daemon until it is stopped.
pub(crate) fn run(mut options: Options, identity: &Identity) -> Exit {
    crate::logging::start(&options.log, identity.parent_ident());
    process::set_umask(options.umask.unwrap_or(0o177));
    info!(
        "Starting evervip {} as keepalived {}",
        env!("CARGO_PKG_VERSION"),
        crate::identity::KEEPALIVED_VERSION
    );
    // The background process has another working directory; a reload must find the same file.
    if let Ok(here) = std::env::current_dir() {
        options.use_file = here.join(&options.use_file);
    }
    let Loaded {
        settings, status, ..
    } = read_configuration(&options, identity);
    let Some(settings) = settings else {
        error!(
            "the configuration {} cannot be used",
            options.use_file.display()
        );
        return match status {
            6 => Exit::NoConfiguration,
            _ => Exit::Configuration,
        };
    };
    if let Some(mask) = options.umask.is_none().then_some(settings.global.umask) {
        process::set_umask(mask);
    }
    if options.dump_conf {
        for line in config::describe(&settings).lines() {
            info!("{line}");
        }
    }
    let files = PidFiles::new(&options, &settings.global);
    for path in [&files.parent, &files.vrrp] {
        match pid_file::is_running(path) {
            Ok(true) => {
                error!("daemon is already running: {} is locked", path.display());
                return Exit::Success;
            }
            Ok(false) => {}
            Err(problem) => warn!("{problem}"),
        }
    }
    let packed = Packed::new(settings);
    process::give_back_memory();
    match packed.and_then(|settings| serve(options, settings, files, identity)) {
        Ok(exit) => exit,
        Err(problem) => {
            error!("{problem:#}");
            if is_permission(&problem) {
                error!("{NEEDED_RIGHTS}");
                return Exit::MissingPermission;
            }
            Exit::Fatal
        }
    }
}

fn is_permission(problem: &anyhow::Error) -> bool {
    let of_kernel = problem
        .downcast_ref::<sys::Error>()
        .is_some_and(sys::Error::is_permission);
    let of_file = match problem.downcast_ref::<PidFileError>() {
        Some(PidFileError::System { reason, .. }) => {
            reason.kind() == std::io::ErrorKind::PermissionDenied
        }
        _ => false,
    };
    of_kernel || of_file
}

/// Reads the file and says everything that there is to say about it.
fn read_configuration(options: &Options, identity: &Identity) -> Loaded {
    let load_options = LoadOptions {
        config_id: options.config_id.clone(),
        check_includes: options.all_config,
        lints: false,
    };
    let file = options.use_file.to_string_lossy();
    let loaded = load(&file, &ThisMachine::default(), &load_options);
    diagnostics::log(&loaded.diagnostics, &options.log, identity);
    loaded
}

/// Paths of the pid files.
struct PidFiles {
    parent: PathBuf,
    vrrp: PathBuf,
}

impl PidFiles {
    fn new(options: &Options, global: &Global) -> Self {
        let own_directory = global.use_pid_dir || global.instance.is_some();
        let directory = if own_directory {
            Path::new(RUN_DIRECTORY).join("keepalived")
        } else {
            PathBuf::from(RUN_DIRECTORY)
        };
        let suffix = global
            .instance
            .as_ref()
            .map(|instance| format!("_{instance}"))
            .unwrap_or_default();
        let file = |given: &Option<PathBuf>, name: &str| {
            given
                .clone()
                .unwrap_or_else(|| directory.join(format!("{name}{suffix}.pid")))
        };
        Self {
            parent: file(&options.pid, "keepalived"),
            vrrp: file(&options.vrrp_pid, "vrrp"),
        }
    }

    fn make_directories(&self) {
        for directory in [self.parent.parent(), self.vrrp.parent()]
            .into_iter()
            .flatten()
        {
            if let Err(problem) = std::fs::create_dir_all(directory) {
                warn!("cannot make {}: {problem}", directory.display());
            }
        }
    }
}

fn serve(options: Options, settings: Packed, files: PidFiles, identity: &Identity) -> Result<Exit> {
    if !options.dont_fork {
        process::daemonise()?;
    }
    files.make_directories();
    let pid_file = PidFile::claim(&files.parent)?;
    process::become_subreaper()?;
    if let Some(name) = &settings.global.processes.parent_name {
        process::set_task_name(name)?;
    }
    let mut numbers = vec![SIGHUP, SIGTERM, SIGCHLD, SIGINT];
    numbers.extend(DUMP_SIGNALS);
    let signals = SignalSet::block_and_listen(&numbers)?;
    let timer = Timer::new()?;
    let events = EventLoop::new()?;
    events.add(&signals, SIGNALS)?;
    events.add(&timer, TIMER)?;
    let mut parent = Parent {
        options,
        identity: identity.clone(),
        settings,
        previous: None,
        files,
        signals,
        timer,
        events,
        vrrp: None,
        pace: RestartPace::default(),
        fresh: true,
        state: State::Running,
        reload_wanted: false,
    };
    parent.start_vrrp()?;
    if parent.vrrp.is_none() {
        info!("No VRRP instance is configured: waiting for a reload that brings one");
    }
    let exit = parent.run()?;
    pid_file.remove()?;
    crate::logging::report_lost_lines();
    let usage = process::resource_usage();
    info!(
        "Stopped - used {:.6} user time, {:.6} system time",
        usage.user.as_secs_f64(),
        usage.system.as_secs_f64()
    );
    Ok(exit)
}

struct Parent {
    options: Options,
    identity: Identity,
    settings: Packed,
    /// The settings that the child had before, until it has taken the new ones.
    previous: Option<Packed>,
    files: PidFiles,
    signals: SignalSet,
    timer: Timer,
    events: EventLoop,
    vrrp: Option<Child>,
    pace: RestartPace,
    /// No VRRP process has been started yet.
    fresh: bool,
    state: State,
    /// A SIGHUP came while the child was still busy with the last one; more of them are the same wish.
    reload_wanted: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Running,
    /// A child ended too soon after its start; it is started again then.
    Restarting {
        at: Instant,
    },
    /// The child has been asked to end.
    Stopping {
        kill_at: Instant,
        exit: Exit,
    },
}

impl Parent {
    fn run(&mut self) -> Result<Exit> {
        let mut ready = Vec::new();
        loop {
            self.timer.arm(match self.state {
                State::Running => None,
                State::Restarting { at } => Some(at),
                State::Stopping { kill_at, .. } => Some(kill_at),
            })?;
            self.events.wait(&mut ready)?;
            let now = sys::clock::now();
            for token in &ready {
                match *token {
                    // Before children are reaped: `killall` reaches everybody, and a child that obeys first has not died.
                    SIGNALS => self.hear_signals(now)?,
                    CHANNEL => self.hear_child()?,
                    TIMER => self.timer.acknowledge()?,
                    _ => {}
                }
            }
            self.reap(now)?;
            match self.state {
                State::Stopping { exit, .. } if self.vrrp.is_none() => {
                    release::put_back(self.pace.overridden().clone());
                    return Ok(exit);
                }
                State::Stopping { kill_at, .. } if kill_at <= now => self.kill_child(now),
                State::Restarting { at } if at <= now => {
                    self.state = State::Running;
                    if let Err(problem) = self.start_vrrp() {
                        error!("{problem:#}");
                        self.state = State::Restarting {
                            at: now + SECOND_TRY,
                        };
                    }
                }
                State::Running | State::Restarting { .. } | State::Stopping { .. } => {}
            }
        }
    }

    /// Starts the VRRP child, if there is anything for it to do.
    fn start_vrrp(&mut self) -> Result<()> {
        if !self.settings.has_instances || self.options.check_only {
            return Ok(());
        }
        let global = &self.settings.global;
        let suffix = global
            .instance
            .as_ref()
            .map(|instance| format!("_{instance}"))
            .unwrap_or_default();
        let start = Start {
            settings: self.settings.bytes.clone(),
            log: self.options.log.clone(),
            ident: format!("{}{suffix}", self.identity.vrrp_ident()),
            task_name: global
                .processes
                .vrrp
                .name
                .clone()
                .unwrap_or_else(|| self.identity.program.clone()),
            keep_addresses: self.options.dont_release_vrrp,
            pid_file: self.files.vrrp.to_string_lossy().into_owned(),
            dump_directory: std::env::var("TMPDIR").unwrap_or_else(|_| DUMP_DIRECTORY.to_owned()),
            initialise_files: self.fresh,
            resume: self.pace.take_masters(),
            overridden: self.pace.overridden().clone(),
        };
        let child = Child::spawn(&start, self.pace.heartbeat()?, sys::clock::now())
            .context("starting the VRRP process")?;
        self.fresh = false;
        debug!("VRRP process is {}", child.pid());
        self.events.add(child.channel(), CHANNEL)?;
        self.vrrp = Some(child);
        drop(start);
        process::give_back_memory();
        Ok(())
    }

    fn hear_signals(&mut self, now: Instant) -> Result<()> {
        while let Some(signal) = self.signals.read()? {
            match signal.number {
                SIGTERM => self.stop(now, Exit::Success),
                SIGINT if self.options.ignore_sigint => {}
                SIGINT => self.stop(now, Exit::Success),
                SIGHUP => self.reload()?,
                SIGCHLD => {}
                number => {
                    if let (Some(dump), Some(child)) = (Dump::asked_by(number), &self.vrrp) {
                        child.tell(&ToChild::Dump(dump));
                    }
                }
            }
        }
        Ok(())
    }

    fn hear_child(&mut self) -> Result<()> {
        let mut buffer = vec![0; LONGEST];
        while let Some(child) = &mut self.vrrp {
            let length = match child.channel().receive(&mut buffer)? {
                Receipt::Message { length, .. } => length,
                // Its end is heard of by SIGCHLD, too; what it said before has been read by then.
                Receipt::Closed => {
                    if child.stop_listening() {
                        self.events.remove(child.channel())?;
                    }
                    return Ok(());
                }
                Receipt::Nothing => return Ok(()),
            };
            let message: ToParent = postcard::from_bytes(buffer.get(..length).unwrap_or_default())
                .context("message of the VRRP process")?;
            match message {
                ToParent::Masters { gained, lost } => child.note_masters(gained, &lost),
                ToParent::Overridden(news) => child.note_overridden(news),
                ToParent::SettingsTaken => {
                    child.settings_taken();
                    self.previous = None;
                    if std::mem::take(&mut self.reload_wanted) {
                        self.reload()?;
                    }
                }
                ToParent::ReloadWanted => self.reload()?,
            }
        }
        Ok(())
    }

    /// Reads the configuration again. A file that cannot be used changes nothing.
    fn reload(&mut self) -> Result<()> {
        if matches!(self.state, State::Stopping { .. }) {
            return Ok(());
        }
        if self.vrrp.as_ref().is_some_and(Child::is_busy) {
            self.reload_wanted = true;
            return Ok(());
        }
        info!("Reloading");
        let Loaded { settings, .. } = read_configuration(&self.options, &self.identity);
        let Some(settings) = settings else {
            error!(
                "the configuration {} cannot be used: everything stays as it was",
                self.options.use_file.display()
            );
            return Ok(());
        };
        let new = Packed::new(settings)?;
        self.previous = Some(std::mem::replace(&mut self.settings, new));
        match &mut self.vrrp {
            Some(child) => {
                // A child that cannot be reached has ended: its successor begins with the new settings.
                if let Err(problem) = child.reload(&self.settings.bytes) {
                    error!("the VRRP process does not get the new settings: {problem:#}");
                }
            }
            None if self.state == State::Running => self.start_vrrp()?,
            // It will start with the new settings.
            None => {}
        }
        process::give_back_memory();
        Ok(())
    }

    fn stop(&mut self, now: Instant, exit: Exit) {
        if matches!(self.state, State::Stopping { .. }) {
            return;
        }
        info!("Stopping");
        if let Some(child) = &self.vrrp {
            child.tell(&ToChild::Stop);
        }
        self.state = State::Stopping {
            kill_at: now + self.settings.global.child_wait_time,
            exit,
        };
    }

    fn kill_child(&mut self, now: Instant) {
        if let Some(child) = &self.vrrp {
            error!("the VRRP process does not end: killing it");
            if let Err(problem) = process::kill(child.pid(), SIGKILL) {
                error!("{problem}");
            }
        }
        if let State::Stopping { kill_at, .. } = &mut self.state {
            *kill_at = now + self.settings.global.child_wait_time;
        }
    }

    fn reap(&mut self, now: Instant) -> Result<()> {
        while let Some(exit) = process::reap()? {
            if self
                .vrrp
                .as_ref()
                .is_some_and(|child| child.pid() == exit.pid)
            {
                // What it said last has not been read yet if both came at once.
                self.hear_child()?;
                if let Some(child) = self.vrrp.take() {
                    self.child_ended(&child, exit.status, now);
                }
            }
        }
        Ok(())
    }

    fn child_ended(&mut self, child: &Child, status: ExitStatus, now: Instant) {
        let asked_to = matches!(self.state, State::Stopping { .. });
        self.pace
            .ended(child, asked_to && status == ExitStatus::Code(0));
        if asked_to {
            if status != ExitStatus::Code(0) {
                self.release_addresses(child);
            }
            return;
        }
        match status {
            ExitStatus::Code(code) => match Exit::is_final(code) {
                Some(exit) => {
                    error!(
                        "the VRRP process ended with status {code}, which it would do again: stopping"
                    );
                    self.release_addresses(child);
                    self.stop(now, exit);
                    return;
                }
                None => error!("the VRRP process ended with status {code}"),
            },
            ExitStatus::Signal(signal) => {
                error!("the VRRP process was killed by signal {signal}");
            }
        }
        if self.options.dont_respawn {
            self.release_addresses(child);
            self.stop(now, Exit::Success);
            return;
        }
        let delay = self.pace.after(child, now);
        // Who ended by itself has said goodbye and removed its addresses; who ended between two sets of settings may hold
        // addresses that are in the old one only.
        let begin_afresh = status == ExitStatus::Code(0) || self.previous.is_some();
        if begin_afresh || !delay.is_zero() {
            self.release_addresses(child);
            self.pace.forget_masters();
        }
        if delay.is_zero() {
            info!("Respawning the VRRP process");
            self.respawn(child, now);
        } else {
            // Nobody will advertise for a while: whoever takes over must not find the addresses here, too.
            info!("Respawning the VRRP process in {} s", delay.as_secs());
            self.state = State::Restarting { at: now + delay };
        }
    }

    /// Starts a successor, or tries again later: a lack of memory or processes must not end the daemon.
    fn respawn(&mut self, child: &Child, now: Instant) {
        if let Err(problem) = self.start_vrrp() {
            error!("{problem:#}");
            self.release_addresses(child);
            self.state = State::Restarting {
                at: now + SECOND_TRY,
            };
        }
    }

    /// Takes away what a dead child held, by the settings that it had and by those that it may have had already.
    fn release_addresses(&mut self, child: &Child) {
        let previous = self.previous.take();
        for settings in previous.iter().chain([&self.settings]) {
            let released = settings
                .unpack()
                .and_then(|settings| release::release(&settings, child.masters()));
            if let Err(problem) = released {
                error!("addresses of the dead VRRP process may be left behind: {problem:#}");
            }
        }
    }
}
