//! The core: its state, its inputs, and the queue of what it wants done.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use types::Instant;
use types::ipvs::{Command, ServiceKey};
use types::marks::MarkClaim;

use crate::action::{Action, Announcement, CheckId, Level, Line, LineText};
use crate::check::{Check, Checks, Phase};
use crate::dialogue::{Attempt, Verdict};
use crate::entries::{GivenMark, Marks};
use crate::messages;
use crate::misc::{CommandEnd, Run};
use crate::names::{ServerName, ServiceName};
use crate::settings::checkers::{Checker, CheckerKind};
use crate::settings::{Octets, RealServer, Settings, VirtualServer};
use crate::table::{Held, Table};
use crate::timeline::Timeline;
use crate::watch::Watch;
use types::Random;

/// The first check of a server begins so long after the settings came, and up to `warmup` later (keepalived).
pub(crate) const FIRST_CHECK: Duration = Duration::from_secs(1);

/// The health of all servers, and what the kernel's table should be because of it.
#[derive(Debug)]
pub struct Lvs {
    pub(crate) settings: Settings,
    /// As many as virtual servers in the settings, in their order.
    pub(crate) services: Vec<ServiceState>,
    pub(crate) checks: Checks,
    pub(crate) timeline: Timeline,
    pub(crate) table: Table,
    /// Which virtual servers an IPVS service is made for, by their places in the settings.
    pub(crate) users: BTreeMap<ServiceKey, Vec<u32>>,
    pub(crate) marks: Marks,
    /// What nftables was told to mark.
    pub(crate) marked: Vec<MarkClaim>,
    /// IPVS services that may differ from what they should be.
    pub(crate) dirty: BTreeSet<ServiceKey>,
    pub(crate) watch: Watch,
    /// There is no table of the kernel's that commands could change.
    pub(crate) no_table: bool,
    /// All of it is still to be emptied once (`lvs_flush`), or nobody knows yet whether it is.
    pub(crate) flush_is_due: bool,
    /// IPVS services that were ours: not gone until the kernel says that it has none.
    pub(crate) leaving: BTreeSet<ServiceKey>,
    /// The time of the last input that had one.
    pub(crate) now: Instant,
    /// The numbers in tracked files, by name.
    pub(crate) files: BTreeMap<String, i32>,
    /// The states of BFD sessions, by name.
    pub(crate) sessions: BTreeMap<String, bool>,
    /// On how many interfaces an address is.
    pub(crate) local: BTreeMap<IpAddr, u32>,
    pub(crate) actions: VecDeque<Action>,
    /// They come after the commands that this input leads to.
    pub(crate) announcements: Vec<Announcement>,
    pub(crate) random: Random,
    /// There have been no settings yet.
    pub(crate) first: bool,
    /// See [`Lvs::turns`].
    pub(crate) turns: u64,
    /// Names of servers that a predecessor knew to be down: see [`Lvs::handle_predecessor`].
    pub(crate) known_down: BTreeSet<Box<str>>,
}

/// A virtual server.
#[derive(Debug)]
pub(crate) struct ServiceState {
    /// The IPVS services that it stands for.
    pub(crate) keys: Box<[ServiceKey]>,
    pub(crate) quorum_up: bool,
    pub(crate) sorry_in_use: bool,
    /// Its checks are not made (`ha_suspend`).
    pub(crate) suspended: bool,
    /// The settings before had it, too.
    pub(crate) reloaded: bool,
    /// As many as real servers in the settings, in their order.
    pub(crate) servers: Box<[ServerState]>,
}

/// A real server.
#[derive(Debug)]
pub(crate) struct ServerState {
    /// Its checks, in the order of the settings.
    pub(crate) checks: Box<[CheckId]>,
    /// How many of them say that it is down.
    pub(crate) failed: u32,
    /// The settings before had it, too.
    pub(crate) reloaded: bool,
    /// What they add to its weight.
    pub(crate) contribution: i64,
}

impl ServerState {
    pub(crate) const fn is_alive(&self) -> bool {
        self.failed == 0
    }

    /// The weight that it has in the kernel's table while it is alive.
    pub(crate) fn weight(&self, settings: &RealServer) -> u32 {
        let sum = i64::from(settings.weight).saturating_add(self.contribution);
        u32::try_from(sum.clamp(0, i64::from(i32::MAX))).unwrap_or(0)
    }
}

/// What the kernel answered to a command that it did not carry out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefusalKind {
    /// It is there already: somebody else made it.
    Exists,
    /// It is not there, or that which it belongs to: somebody else removed it.
    Missing,
    /// Anything else; it is tried again later.
    Other,
}

impl Lvs {
    /// A core without settings. `seed`: where its random numbers begin; any number that is another one at each start.
    pub fn new(seed: u64) -> Self {
        Self {
            settings: Settings::default(),
            services: Vec::new(),
            checks: Checks::default(),
            timeline: Timeline::default(),
            table: Table::default(),
            users: BTreeMap::new(),
            marks: Marks::default(),
            marked: Vec::new(),
            dirty: BTreeSet::new(),
            watch: Watch::default(),
            no_table: false,
            flush_is_due: true,
            leaving: BTreeSet::new(),
            now: Instant::ZERO,
            files: BTreeMap::new(),
            sessions: BTreeMap::new(),
            local: BTreeMap::new(),
            actions: VecDeque::new(),
            announcements: Vec::new(),
            random: Random::new(seed),
            first: true,
            turns: 0,
            known_down: BTreeSet::new(),
        }
    }

    /// The next thing to do; `None`: all is done.
    pub fn poll_action(&mut self) -> Option<Action> {
        let action = self.actions.pop_front();
        if action.is_none() {
            // A start may have queued a hundred thousand.
            self.actions.shrink_to(64);
        }
        action
    }

    /// When [`handle_timeout`](Self::handle_timeout) is to be called; `None`: nothing is planned.
    pub fn next_deadline(&self) -> Option<Instant> {
        let watch = self.watch.next();
        self.timeline.first().into_iter().chain(watch).min()
    }

    /// What is due is done.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.now = now;
        while let Some(id) = self.timeline.pop_due(now) {
            self.call(now, id);
        }
        self.keep_watch(now);
        self.finish();
    }

    /// What a check looks like in the settings; `None`: they no longer have it.
    pub fn checker(&self, id: CheckId) -> Option<&Checker> {
        let check = self.checks.get(id)?;
        let (_, server) = self.server_of(check)?;
        server.checkers.get(index(check.place.checker)?)
    }

    /// The page that a check asks for, as messages name it: `RS SERVER VS SERVICE url HOSTPATH`. `None`: the check is gone, or is
    /// none of pages.
    pub fn page_name(&self, id: CheckId) -> Option<String> {
        let check = self.checks.get(id)?;
        let (service, server) = self.server_of(check)?;
        let CheckerKind::Http(http) = &self.checker(id)?.kind else {
            return None;
        };
        let url = http.urls.get(usize::from(check.progress.url))?;
        let settings = &self.settings;
        Some(format!(
            "RS {} VS {} url {}{}",
            ServerName::of(server, service),
            ServiceName { service, settings },
            http.host(url).map(Octets::to_string).unwrap_or_default(),
            url.path
        ))
    }

    /// The text of a line.
    pub fn describe<'a>(&'a self, line: &'a LineText) -> impl fmt::Display + 'a {
        Described { lvs: self, line }
    }

    /// An attempt has ended. One that nobody waits for is ignored.
    pub fn handle_verdict(&mut self, now: Instant, id: CheckId, verdict: &Verdict) {
        let Some(check) = self.checks.get_mut(id) else {
            return;
        };
        if check.phase != Phase::Trying {
            return;
        }
        check.phase = Phase::Waiting;
        if let Some(trouble) = verdict.trouble() {
            self.checks.remember(id, trouble);
        }
        match verdict {
            Verdict::Success => self.conclude(now, id, Ok(())),
            Verdict::Failure(failure) => self.conclude(now, id, Err(failure.into())),
            Verdict::NoResult(obstacle) => self.no_result(now, id, obstacle),
        }
        self.finish();
    }

    /// The command of a check has ended.
    pub fn handle_command_end(&mut self, now: Instant, id: CheckId, end: CommandEnd) {
        let Some(check) = self.checks.get_mut(id) else {
            return;
        };
        let Phase::Running(run) = check.phase else {
            return;
        };
        check.phase = Phase::Waiting;
        self.command_ended(now, id, run, end);
        self.finish();
    }

    /// The number in a tracked file; also told before the first settings. A file that is missing or empty has 0.
    pub fn handle_file(&mut self, now: Instant, name: &str, value: i32) {
        if self.files.insert(name.to_owned(), value) != Some(value) {
            self.told(now);
        }
        self.finish();
    }

    /// The state of a BFD session; also told before the first settings. One that was never mentioned is down.
    pub fn handle_session(&mut self, now: Instant, name: &str, up: bool) {
        if self.sessions.insert(name.to_owned(), up) != Some(up) {
            self.told(now);
        }
        self.finish();
    }

    /// What the kernel's table holds: told before the first settings, and whenever it is another one than before, because there
    /// was none or nobody knew what it holds. What is missing is then made.
    pub fn handle_new_table(&mut self, services: impl IntoIterator<Item = (ServiceKey, Held)>) {
        self.no_table = false;
        self.watch.unmade.clear();
        self.table.clear();
        for (key, held) in services {
            self.table.learn(key, Some(held));
        }
        if self.first {
            return;
        }
        self.flush_if_due();
        let (users, leaving) = (&self.users, &self.leaving);
        self.table
            .retain(|key| users.contains_key(key) || leaving.contains(key));
        self.dirty.extend(users.keys().chain(leaving).copied());
        self.finish();
    }

    /// There is no table, or none that anybody can change: commands are carried out by nobody until
    /// [`handle_new_table`](Self::handle_new_table) says what there is.
    pub const fn handle_no_table(&mut self) {
        self.no_table = true;
    }

    /// Whether all of the table may still have to be emptied once (`lvs_flush`): until there are settings that do not ask for
    /// it, or until the command for it is among the actions. A process that dies before has a successor that is to do it.
    pub const fn flush_is_due(&self) -> bool {
        self.flush_is_due
    }

    /// Empties all of the table, if that is still to be done and can be.
    pub(crate) fn flush_if_due(&mut self) {
        if self.flush_is_due && !self.no_table {
            self.flush_is_due = false;
            self.actions.push_back(Action::Ipvs(Command::Flush));
            self.table.clear();
        }
    }

    /// Grows when a server may have come to life or died. [`Lvs::down`] says the same as before as long as it does not.
    pub const fn turns(&self) -> u64 {
        self.turns
    }

    /// Names of the real servers that are down, as [`Lvs::handle_predecessor`] takes them.
    pub fn down(&self) -> impl Iterator<Item = String> {
        self.services().flat_map(|service| {
            let down = service.servers().filter(|server| !server.is_alive());
            down.map(move |server| full_name(&service.name(), &server.name()))
        })
    }

    /// Names of real servers, as `SERVICE SERVER`, that a predecessor of this process knew to be down; told before the first
    /// settings. They begin so. With them the [marks](Self::given_marks) that it had given out: they go on meaning what they
    /// did.
    pub fn handle_predecessor(
        &mut self,
        down: impl IntoIterator<Item = Box<str>>,
        marks: impl IntoIterator<Item = GivenMark>,
    ) {
        self.known_down.extend(down);
        self.marks.inherit(marks);
    }

    /// The marks that were ever given out to groups, as [`Lvs::handle_predecessor`] takes them. There are only ever more.
    pub fn given_marks(&self) -> impl Iterator<Item = GivenMark> {
        self.marks.all()
    }

    /// How many these are.
    pub fn count_of_marks(&self) -> usize {
        self.marks.count()
    }

    /// The kernel did not carry out a command.
    pub fn handle_refusal(&mut self, now: Instant, command: &Command, kind: RefusalKind) {
        self.now = now;
        let key = match command {
            Command::AddService(key, _)
            | Command::EditService(key, _)
            | Command::RemoveService(key)
            | Command::AddDestination(key, ..)
            | Command::EditDestination(key, ..)
            | Command::RemoveDestination(key, _) => *key,
            Command::Flush => {
                self.flush_is_due = !self.services.is_empty();
                return;
            }
        };
        if let (Command::AddService(..), RefusalKind::Other) = (command, kind) {
            self.watch.unmade.insert(key);
        }
        self.watch.suspect(now, key, kind);
    }

    pub(crate) fn server_of(&self, check: &Check) -> Option<(&VirtualServer, &RealServer)> {
        let service = self
            .settings
            .virtual_servers
            .get(index(check.place.service)?)?;
        let server = service.real_servers.get(index(check.place.server)?)?;
        Some((service, server))
    }

    pub(crate) fn service_name(&self, service: usize) -> String {
        let server = self.settings.virtual_servers.get(service);
        server.map_or_else(String::new, |service| {
            let settings = &self.settings;
            ServiceName { service, settings }.to_string()
        })
    }

    pub(crate) fn say(&mut self, level: Level, text: impl Into<Box<str>>) {
        let text = LineText::Plain(text.into());
        self.actions.push_back(Action::Log(Line { level, text }));
    }

    pub(crate) fn info(&mut self, text: impl Into<Box<str>>) {
        self.say(Level::Info, text);
    }

    /// To be called at the end of each input: first the kernel's table, then whoever wants to hear of it.
    pub(crate) fn finish(&mut self) {
        self.converge();
        let announcements = std::mem::take(&mut self.announcements);
        let announcements = announcements.into_iter().map(Box::new);
        self.actions.extend(announcements.map(Action::Announce));
    }

    /// A check's moment has come, perhaps.
    fn call(&mut self, now: Instant, id: CheckId) {
        let Some(check) = self.checks.get_mut(id) else {
            return;
        };
        match &mut check.phase {
            Phase::Waiting if check.due <= now => self.begin(now, id),
            Phase::Running(run) => {
                let signal = run.handle_timeout(now);
                let next = run.deadline();
                if let Some(signal) = signal {
                    self.actions.push_back(Action::SignalCommand(id, signal));
                    self.timeline.arm(next, id);
                }
            }
            Phase::Waiting | Phase::Trying | Phase::Suspended | Phase::Told => {}
        }
    }

    /// Begins an attempt.
    fn begin(&mut self, now: Instant, id: CheckId) {
        let random = self.random.next_u64();
        let Some(checker) = self.checker(id) else {
            return;
        };
        let command = if let CheckerKind::Misc(check) = &checker.kind {
            Some(*check)
        } else {
            None
        };
        let Some(check) = self.checks.get_mut(id) else {
            return;
        };
        check.began = now;
        if let Some(misc) = command {
            let run = Run::begin(now, &misc);
            check.phase = Phase::Running(run);
            self.timeline.arm(run.deadline(), id);
            self.actions.push_back(Action::RunCommand(id, misc.command));
            return;
        }
        check.phase = Phase::Trying;
        check.sequence = check.sequence.wrapping_add(1);
        let attempt = Attempt {
            url: usize::from(check.progress.url),
            random: u16::try_from(random >> 48).unwrap_or_default(),
            sequence: check.sequence,
        };
        self.actions.push_back(Action::Attempt(id, attempt));
    }

    /// Plans the next attempt of a check.
    pub(crate) fn plan(&mut self, id: CheckId, at: Instant) {
        if let Some(check) = self.checks.get_mut(id) {
            check.due = at;
            check.lateness_said = false;
            if check.phase == Phase::Waiting {
                self.timeline.arm(at, id);
            }
        }
    }

    /// When a check begins that nobody has made yet.
    pub(crate) fn first_due(&mut self, now: Instant, checker: &Checker) -> Instant {
        now + FIRST_CHECK + Duration::from_micros(self.random.up_to(checker.warmup.0))
    }
}

struct Described<'a> {
    lvs: &'a Lvs,
    line: &'a LineText,
}

impl fmt::Display for Described<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            LineText::Plain(text) => f.write_str(text),
            LineText::Activation(id, activation) => {
                let named = self.lvs.checks.get(*id).and_then(|check| {
                    let (service, server) = self.lvs.server_of(check)?;
                    let settings = &self.lvs.settings;
                    Some((
                        ServerName::of(server, service),
                        ServiceName { service, settings },
                    ))
                });
                match named {
                    Some((server, service)) => {
                        messages::activation(f, *activation, &server, &service)
                    }
                    None => write!(f, "a check that is gone: {}", id.0),
                }
            }
        }
    }
}

/// The name of a real server that no other has.
pub(crate) fn full_name(service: &ServiceName<'_>, server: &ServerName<'_>) -> String {
    format!("{service} {server}")
}

/// A place of the settings as an index.
pub(crate) fn index(place: u32) -> Option<usize> {
    usize::try_from(place).ok()
}

/// An index as a place of the settings: there are fewer than 2^32 of anything in memory.
pub(crate) fn place(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(u32::MAX)
}
