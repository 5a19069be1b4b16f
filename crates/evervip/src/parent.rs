//! The parent: reads and resolves the configuration, starts and restarts the children, serves signals and pid files.
//!
//! It does no protocol work. In order: configuration, already running?, into the background, pid file, signals, children.

mod child;
mod packed;
mod pid_files;
mod release;
mod slot;
mod start;

use std::time::Duration;

use anyhow::{Context as _, Result};
use config::settings::global::Fifo as FifoSettings;
use config::{LoadOptions, Loaded, Settings, load};
use log::{error, info, warn};
use sys::channel::Receipt;
use sys::event_loop::EventLoop;
use sys::fifo::Fifo;
use sys::pid_file::{self, PidFile, PidFileError};
use sys::process::{self, ExitStatus};
use sys::signals::SignalSet;
use sys::timer::Timer;
use types::Instant;

use self::child::Child;
use self::packed::Packed;
use self::pid_files::PidFiles;
use self::slot::Slot;
use crate::command_line::Options;
use crate::diagnostics;
use crate::exit::{Exit, NEEDED_RIGHTS};
use crate::identity::Identity;
use crate::machine::ThisMachine;
use crate::messages::{Dump, LONGEST, Role, ToChild, ToParent};

const SIGHUP: i32 = 1;
const SIGINT: i32 = 2;
const SIGTERM: i32 = 15;
const SIGCHLD: i32 = 17;
const DUMP_SIGNALS: [i32; 5] = [10, 12, 36, 37, 63];

// Tokens of the epoll set; those of the children are `Slot::token`.
const SIGNALS: u64 = 0;
const TIMER: u64 = 1;

/// When to try again after a child could not even be started.
const SECOND_TRY: Duration = Duration::from_secs(1);

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
    let has_work = |role: &Role| match role {
        Role::Vrrp => true,
        Role::Checkers => !settings.lvs.virtual_servers.is_empty(),
        Role::Bfd => !settings.bfd.sessions.is_empty(),
    };
    let relevant = Role::ALL
        .into_iter()
        .filter(|role| may_run(*role, &options))
        .filter(has_work)
        .map(|role| files.of(role));
    for path in [files.parent.as_path()].into_iter().chain(relevant) {
        match pid_file::is_running(path) {
            Ok(true) => {
                error!("daemon is already running: {} is locked", path.display());
                return Exit::Success;
            }
            Ok(false) => {}
            Err(problem) => warn!("{problem}"),
        }
    }
    let packed = Packed::new(settings, may_run(Role::Checkers, &options));
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

/// Whether the command line leaves a child switched on.
const fn may_run(role: Role, options: &Options) -> bool {
    match role {
        Role::Vrrp => !options.check_only,
        Role::Checkers => !options.vrrp_only,
        Role::Bfd => !options.no_bfd,
    }
}

fn slot_of(slots: &mut [Slot; 3], role: Role) -> &mut Slot {
    let [vrrp, checkers, bfd] = slots;
    match role {
        Role::Vrrp => vrrp,
        Role::Checkers => checkers,
        Role::Bfd => bfd,
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
        files,
        signals,
        timer,
        events,
        slots: Role::ALL.map(Slot::new),
        bfd_until: Instant::ZERO,
        connect_at: None,
        fresh: true,
        stopping: None,
        reload_wanted: false,
        reloading: false,
        common_fifo: None,
    };
    parent.start_first()?;
    let has_work = |role| parent.settings.has_work_for(role) && may_run(role, &parent.options);
    if !Role::ALL.into_iter().any(has_work) && may_run(Role::Vrrp, &parent.options) {
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
    files: PidFiles,
    signals: SignalSet,
    timer: Timer,
    events: EventLoop,
    /// In the order of [`Role::ALL`].
    slots: [Slot; 3],
    /// When a BFD process that had begun was there the last time, if there is none.
    bfd_until: Instant,
    /// A child could not be connected with the BFD process; it is tried again then.
    connect_at: Option<Instant>,
    /// No child has been started yet.
    fresh: bool,
    stopping: Option<Stopping>,
    /// A SIGHUP came while a child was still busy with the last one; more of them are the same wish.
    reload_wanted: bool,
    /// A reload has begun, and not all children have its settings yet.
    reloading: bool,
    /// `notify_fifo`: children come and go, and each of them writes to it.
    common_fifo: Option<(FifoSettings, Fifo)>,
}

/// The children have been asked to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stopping {
    kill_at: Instant,
    exit: Exit,
}

impl Parent {
    fn run(&mut self) -> Result<Exit> {
        let mut ready = Vec::new();
        loop {
            self.timer.arm(self.next_wake())?;
            self.events.wait(&mut ready)?;
            let now = sys::clock::now();
            for token in &ready {
                match *token {
                    // Before children are reaped: `killall` reaches everybody, and a child that obeys first has not died.
                    SIGNALS => self.hear_signals(now)?,
                    TIMER => self.timer.acknowledge()?,
                    token => {
                        if let Some(role) = self.role_of(|slot| slot.token() == token) {
                            self.hear_child(role)?;
                        }
                    }
                }
            }
            self.reap(now)?;
            match self.stopping {
                Some(Stopping { exit, .. })
                    if self.slots.iter().all(|slot| slot.child.is_none()) =>
                {
                    self.end();
                    return Ok(exit);
                }
                Some(Stopping { kill_at, .. }) if kill_at <= now => self.kill_children(now),
                Some(_) => {}
                None => {
                    self.give_due(now);
                    self.start_due(now);
                    self.connect(now);
                }
            }
        }
    }

    fn next_wake(&self) -> Option<Instant> {
        match self.stopping {
            Some(Stopping { kill_at, .. }) => Some(kill_at),
            None => {
                let slots = self.slots.iter().filter_map(Slot::next_wake);
                slots.chain(self.connect_at).min()
            }
        }
    }

    fn role_of(&self, wanted: impl Fn(&Slot) -> bool) -> Option<Role> {
        self.slots
            .iter()
            .find(|slot| wanted(slot))
            .map(|slot| slot.role)
    }

    fn slot(&mut self, role: Role) -> &mut Slot {
        slot_of(&mut self.slots, role)
    }

    /// `notify_fifo` is there for as long as the daemon, whichever of its children run.
    fn keep_common_fifo(&mut self) {
        let somebody = [Role::Vrrp, Role::Checkers]
            .into_iter()
            .any(|role| may_run(role, &self.options) && self.settings.has_work_for(role));
        let wanted = self.settings.global.fifos.all.as_ref();
        let wanted = wanted.filter(|_| somebody);
        let same = |kept: &FifoSettings| {
            wanted.is_some_and(|wanted| wanted.path == kept.path && wanted.owner == kept.owner)
        };
        if self
            .common_fifo
            .as_ref()
            .is_some_and(|(kept, _)| same(kept))
        {
            return;
        }
        let wanted = wanted.cloned();
        self.remove_common_fifo();
        // What is wrong with it is said by those who would write to it.
        self.common_fifo = wanted.and_then(|wanted| {
            let fifo = crate::child::fifo::open(&wanted).ok()?;
            Some((wanted, fifo))
        });
    }

    fn remove_common_fifo(&mut self) {
        if let Some((_, fifo)) = self.common_fifo.take()
            && let Err(problem) = fifo.remove()
        {
            warn!("{problem}");
        }
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
                    if let Some(dump) = Dump::asked_by(number) {
                        for slot in &self.slots {
                            slot.tell(&ToChild::Dump(dump));
                        }
                    }
                }
            }
        }
        Ok(())
    }

    fn hear_child(&mut self, role: Role) -> Result<()> {
        let mut buffer = vec![0; LONGEST];
        while let Some(child) = &mut self.slot(role).child {
            let length = match child.channel().receive(&mut buffer)? {
                Receipt::Message { length, .. } => length,
                // What it said before has been read by then.
                Receipt::Closed => {
                    slot_of(&mut self.slots, role).stop_listening(&self.events);
                    return Ok(());
                }
                Receipt::Nothing => return Ok(()),
            };
            let message: ToParent = postcard::from_bytes(buffer.get(..length).unwrap_or_default())
                .with_context(|| format!("message of {}", self.slot(role).name()))?;
            self.hear(role, message)?;
        }
        Ok(())
    }

    fn hear(&mut self, role: Role, message: ToParent) -> Result<()> {
        let has_work = self.settings.has_work_for(role);
        let slot = self.slot(role);
        match message {
            ToParent::Names { gained, lost } => {
                if let Some(child) = &mut slot.child {
                    child.legacy_mut().note_names(gained, &lost);
                }
            }
            ToParent::Overridden(news) => {
                if let Some(child) = &mut slot.child {
                    child.legacy_mut().note_overridden(news);
                }
            }
            ToParent::Marks(marks) => {
                if let Some(child) = &mut slot.child {
                    child.legacy_mut().marks.extend(marks);
                }
            }
            ToParent::Sessions(news) => {
                if let Some(child) = &mut slot.child {
                    child.legacy_mut().note_sessions(news);
                }
            }
            ToParent::FlushIsDue(due) => {
                if let Some(child) = &mut slot.child {
                    child.legacy_mut().flush_is_due = due;
                }
            }
            ToParent::SettingsTaken => {
                if slot.settings_taken() && !has_work {
                    match role {
                        // It waits for a reload that brings an instance.
                        Role::Vrrp => {}
                        Role::Checkers | Role::Bfd => slot.retire(),
                    }
                }
                self.end_of_reload()?;
            }
            ToParent::ReloadWanted => self.reload()?,
        }
        Ok(())
    }

    /// Reads the configuration again. A file that cannot be used changes nothing.
    fn reload(&mut self) -> Result<()> {
        if self.stopping.is_some() {
            return Ok(());
        }
        if self.slots.iter().any(Slot::is_busy) {
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
        if settings.global.namespaces.ipvs != self.settings.global.namespaces.ipvs {
            // keepalived refuses, too: what is there would have to go first, and connections with it.
            error!(
                "net_namespace_ipvs cannot be changed by a reload: everything stays as it was until evervip is restarted"
            );
            return Ok(());
        }
        let new = Packed::new(settings, may_run(Role::Checkers, &self.options))?;
        let old = std::mem::replace(&mut self.settings, new);
        self.keep_common_fifo();
        let now = sys::clock::now();
        for slot in &mut self.slots {
            let role = slot.role;
            slot.reload(now, self.settings.part(role), old.part(role).to_vec());
        }
        drop(old);
        self.reloading = true;
        self.start_missing(now);
        process::give_back_memory();
        self.end_of_reload()
    }

    /// If all children have taken what they were sent: the reload is over, and the next one may begin.
    fn end_of_reload(&mut self) -> Result<()> {
        if self.slots.iter().any(Slot::is_busy) {
            return Ok(());
        }
        if std::mem::take(&mut self.reloading) {
            info!("Reload complete");
        }
        if std::mem::take(&mut self.reload_wanted) {
            self.reload()?;
        }
        Ok(())
    }

    fn stop(&mut self, now: Instant, exit: Exit) {
        if self.stopping.is_some() {
            return;
        }
        info!("Stopping");
        for slot in &self.slots {
            slot.tell(&ToChild::Stop);
        }
        self.stopping = Some(Stopping {
            kill_at: now + self.settings.global.child_wait_time,
            exit,
        });
    }

    fn kill_children(&mut self, now: Instant) {
        for slot in &self.slots {
            slot.kill();
        }
        if let Some(stopping) = &mut self.stopping {
            stopping.kill_at = now + self.settings.global.child_wait_time;
        }
    }

    /// All children have ended.
    fn end(&mut self) {
        let namespace = &self.settings.global.namespaces.ipvs;
        for slot in &self.slots {
            release::put_back(slot.pace.legacy().overridden.clone(), namespace);
        }
        if self.slots.iter().any(|slot| slot.bereft) {
            self.stop_daemons();
        }
        self.remove_common_fifo();
        if !self.options.dont_release_ipvs {
            self.release_services();
        }
    }

    fn reap(&mut self, now: Instant) -> Result<()> {
        while let Some(exit) = process::reap()? {
            let ended = self.role_of(|slot| {
                slot.child
                    .as_ref()
                    .is_some_and(|child| child.pid() == exit.pid)
            });
            let Some(role) = ended else { continue };
            // What it said last has not been read yet if both came at once.
            self.hear_child(role)?;
            if let Some(child) = self.slot(role).child.take() {
                self.child_ended(role, &child, exit.status, now)?;
            }
        }
        Ok(())
    }

    /// Who goes by BFD sessions has to know that nobody speaks BFD.
    fn warn_of_sessions(&self, role: Role) {
        if role == Role::Bfd && self.settings.has_work_for(role) {
            warn!(
                "there is no BFD: virtual routers and real servers that go by its sessions take them for down within seconds"
            );
        }
    }

    fn child_ended(
        &mut self,
        role: Role,
        child: &Child,
        status: ExitStatus,
        now: Instant,
    ) -> Result<()> {
        if role == Role::Bfd && child.has_begun() {
            self.bfd_until = now;
        }
        let tidily = status == ExitStatus::Code(0);
        let slot = self.slot(role);
        let name = slot.name();
        let retired = std::mem::take(&mut slot.retiring);
        let asked_to = retired || self.stopping.is_some();
        let slot = self.slot(role);
        slot.give_at = None;
        // One that could not begin has left nothing: what is there is somebody else's, perhaps whoever kept it from beginning.
        let began = !matches!(status, ExitStatus::Code(code) if Exit::is_final(code).is_some());
        slot.bereft |= began && !(asked_to && tidily);
        slot.pace.ended(child, asked_to && tidily);
        if self.stopping.is_some() {
            if !tidily {
                self.release(role, child);
            }
            return Ok(());
        }
        if retired && tidily {
            // There may be something to do again by now.
            self.start_missing(now);
            return Ok(());
        }
        match status {
            ExitStatus::Code(code) => match Exit::is_final(code) {
                // Virtual routers do not depend on checks. The process is tried again: what keeps it from beginning (somebody
                // holds its pid file, it lacks a right) may pass.
                Some(_) if role != Role::Vrrp && self.slot(Role::Vrrp).child.is_some() => {
                    error!("{name} ended with status {code}: the virtual routers go on without it");
                    self.warn_of_sessions(role);
                }
                Some(_) if role == Role::Bfd && self.slot(Role::Checkers).child.is_some() => {
                    error!("{name} ended with status {code}: the checkers go on without it");
                    self.warn_of_sessions(role);
                }
                Some(exit) => {
                    error!("{name} ended with status {code}, which it would do again: stopping");
                    self.release(role, child);
                    self.stop(now, exit);
                    return Ok(());
                }
                None => error!("{name} ended with status {code}"),
            },
            ExitStatus::Signal(signal) => error!("{name} was killed by signal {signal}"),
        }
        if self.options.dont_respawn {
            self.release(role, child);
            self.stop(now, Exit::Success);
            return Ok(());
        }
        let slot = self.slot(role);
        let delay = slot.pace.after(child, now);
        if role == Role::Vrrp {
            // Who ended by itself has said goodbye and removed its addresses; who ended between two sets of settings may
            // hold addresses that are in the old one only. And if nobody advertises for a while: whoever takes over must
            // not find the addresses here, too.
            let begin_afresh = tidily || slot.previous.is_some();
            if begin_afresh || !delay.is_zero() {
                slot.pace.forget_names();
                self.release(role, child);
            }
        }
        if delay.is_zero() {
            info!("Respawning {name}");
            self.respawn(role, child, now);
        } else {
            info!("Respawning {name} in {} s", delay.as_secs());
            self.slot(role).restart_at = Some(now + delay);
        }
        // It may have been the one that all waited for.
        self.end_of_reload()
    }

    /// Starts a successor, or tries again later.
    fn respawn(&mut self, role: Role, child: &Child, now: Instant) {
        if !self.start_or_wait(role, now) && role == Role::Vrrp {
            // Nobody advertises for a while: whoever takes over must not find the addresses here, too.
            self.slot(role).pace.forget_names();
            self.release(role, child);
        }
    }

    /// Takes away what a dead child held that nobody else may find here, by the settings that it had and by those that it may
    /// have had already.
    fn release(&mut self, role: Role, child: &Child) {
        match role {
            Role::Vrrp => {
                let previous = self.slot(role).previous.take();
                for part in previous
                    .as_deref()
                    .into_iter()
                    .chain([self.settings.part(role)])
                {
                    let released = unpack(part)
                        .and_then(|settings| release::release(&settings, &child.legacy().names));
                    if let Err(problem) = released {
                        error!(
                            "addresses of the dead VRRP process may be left behind: {problem:#}"
                        );
                    }
                }
            }
            // For as long as the daemon runs the kernel goes on balancing among those that were good.
            Role::Checkers => {}
            // The kernel holds nothing of it.
            Role::Bfd => {}
        }
    }

    /// The daemon ends. If the last checker process could not do it, its services are removed from IPVS.
    fn release_services(&mut self) {
        let slot = self.slot(Role::Checkers);
        if !slot.bereft {
            return;
        }
        let previous = slot.previous.take();
        let marks = slot.pace.legacy().marks.clone();
        let current = self.settings.part(Role::Checkers);
        for part in previous.as_deref().into_iter().chain([current]) {
            let released =
                unpack(part).and_then(|settings| release::release_services(settings, &marks));
            if let Err(problem) = released {
                error!("services of the dead checker process may be left behind: {problem:#}");
            }
        }
    }

    /// The daemon ends. Sync daemons of the kernel that a dead process has left end, too.
    fn stop_daemons(&self) {
        let bereft = self.slots.iter().filter(|slot| slot.bereft);
        let parts = bereft.flat_map(|slot| {
            let previous = slot.previous.as_deref();
            previous.into_iter().chain([self.settings.part(slot.role)])
        });
        let mut wanted = false;
        for part in parts {
            match unpack(part) {
                Ok(settings) => wanted |= release::has_sync_daemon(&settings),
                Err(problem) => error!("{problem:#}"),
            }
        }
        if wanted {
            release::stop_sync_daemons(&self.settings.global.namespaces.ipvs);
        }
    }
}

fn unpack(part: &[u8]) -> Result<Settings> {
    postcard::from_bytes(part).context("settings for the children")
}
