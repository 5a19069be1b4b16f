//! New settings: what stays, what goes, what comes. What did not change is not touched.
//!
//! A check that stays keeps its state, its timer, its retries and the attempt that is under way. A server that was down
//! stays down until one of its checks says otherwise, even if the check that said so was replaced.

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;

use types::Instant;
use types::ipvs::ServiceKey;
use types::marks::MarkClaim;

use crate::action::{Action, Activation, CheckId, Level, Line, LineText};
use crate::check::{Check, Phase, Place};
use crate::entries;
use crate::health::{Occasion, quorum_announcement};
use crate::lvs::{Lvs, ServerState, ServiceState, full_name, place};
use crate::messages;
use crate::misc::{self, CommandEnd, Meaning};
use crate::names::{ServerName, ServiceName};
use crate::pace::{self, Progress};
use crate::settings::checkers::{Checker, CheckerKind};
use crate::settings::{RealServer, Service, Settings, VirtualServer};

mod same;

/// What tells virtual servers apart.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Identity {
    Kernel(ServiceKey),
    /// Of a group: its name, and which one of those with it.
    Group(String, u32),
}

fn identity(service: &VirtualServer, settings: &Settings) -> Identity {
    match &service.service {
        Service::Address {
            address,
            port,
            protocol,
        } => Identity::Kernel(ServiceKey::Address {
            address: *address,
            port: *port,
            protocol: *protocol,
        }),
        Service::Mark { mark, family } => Identity::Kernel(ServiceKey::Mark {
            mark: *mark,
            family: *family,
        }),
        Service::Group { group, ordinal, .. } => {
            let name = settings.group(*group).map(|group| group.name.clone());
            Identity::Group(name.unwrap_or_default(), *ordinal)
        }
    }
}

/// Where the servers of a virtual server are.
fn servers_by_place(service: &VirtualServer) -> BTreeMap<(IpAddr, u16), usize> {
    let servers = service.real_servers.iter().enumerate();
    servers
        .map(|(at, server)| ((server.address, server.port), at))
        .collect()
}

/// What the settings before had of a server that stays.
struct Former<'a> {
    settings: &'a RealServer,
    checks: &'a [CheckId],
    was_alive: bool,
    /// With what its checks added.
    weight: u32,
}

impl Lvs {
    /// Takes settings: the first ones, or others at a reload.
    pub fn handle_settings(&mut self, now: Instant, new: Settings) {
        self.now = now;
        let first = self.first;
        self.turns += 1;
        if first {
            self.flush_is_due = !new.virtual_servers.is_empty();
        }
        self.flush_is_due &= new.global.flush;
        if first {
            self.flush_if_due();
        }
        let counterparts = self.counterparts(&new);
        self.let_go(&new, &counterparts);
        let old = std::mem::replace(&mut self.settings, new);
        let mut former = std::mem::take(&mut self.services);
        let mut before: Vec<Option<usize>> = vec![None; self.settings.virtual_servers.len()];
        for (old, new) in counterparts.iter().enumerate() {
            if let Some(slot) = new.and_then(|new| before.get_mut(new)) {
                *slot = Some(old);
            }
        }
        // Kernel services that nobody wants any more are removed with the others.
        self.dirty.extend(self.users.keys().copied());
        self.users.clear();
        let mut marked = Vec::new();
        let mut news = Vec::new();
        // Taken out while it is walked through; what is called below needs the rest.
        let services = std::mem::take(&mut self.settings.virtual_servers);
        for ((service, settings), before) in services.iter().enumerate().zip(before) {
            let before = before.and_then(|at| {
                let state = former.get_mut(at)?;
                Some((
                    old.virtual_servers.get(at)?,
                    std::mem::replace(state, nothing()),
                ))
            });
            let at = (service, settings);
            marked.extend(self.take_service(now, at, before, &old, &mut news));
        }
        self.settings.virtual_servers = services;
        if first {
            self.known_down.clear();
            let users = &self.users;
            self.table.retain(|key| users.contains_key(key));
        }
        if self.services.is_empty() {
            self.watch.stop();
        } else {
            self.watch.begin(now);
        }
        self.dirty.extend(self.users.keys().copied());
        self.first = false;
        for news in news {
            self.tell(&news);
        }
        let told: Vec<CheckId> = self
            .checks
            .iter()
            .filter(|(_, check)| check.phase == Phase::Told)
            .map(|(id, _)| id)
            .collect();
        for id in told {
            self.hear(now, id);
        }
        for service in 0..self.services.len() {
            if first && self.settings.global.rs_init_notifies {
                self.announce_living(service);
            }
            self.evaluate(service, Occasion::Settings);
        }
        self.suspend_or_resume(now);
        // Packets get their marks when there is a service for these.
        self.converge();
        if marked != self.marked {
            self.marked.clone_from(&marked);
            self.actions.push_back(Action::Mark(marked));
        }
        self.finish();
    }

    /// For each virtual server its place in the new settings.
    fn counterparts(&self, new: &Settings) -> Vec<Option<usize>> {
        // The file may hold one twice: then the first is the first, and the second the second.
        let mut places: BTreeMap<Identity, VecDeque<usize>> = BTreeMap::new();
        for (at, service) in new.virtual_servers.iter().enumerate() {
            let places = places.entry(identity(service, new)).or_default();
            places.push_back(at);
        }
        self.settings
            .virtual_servers
            .iter()
            .map(|service| {
                let places = places.get_mut(&identity(service, &self.settings))?;
                places.pop_front()
            })
            .collect()
    }

    /// What the new settings do not have any more is said, by its old names, and its checks end.
    fn let_go(&mut self, new: &Settings, counterparts: &[Option<usize>]) {
        for (service, counterpart) in counterparts.iter().enumerate() {
            match counterpart.and_then(|at| new.virtual_servers.get(at)) {
                None => self.let_service_go(service),
                Some(successor) => {
                    let stay = servers_by_place(successor);
                    let Some(settings) = self.settings.virtual_servers.get(service) else {
                        continue;
                    };
                    let gone: Vec<usize> = settings
                        .real_servers
                        .iter()
                        .enumerate()
                        .filter(|(_, server)| !stay.contains_key(&(server.address, server.port)))
                        .map(|(at, _)| at)
                        .collect();
                    for server in gone {
                        if let Some((name, _)) = self.names((service, server)) {
                            self.info(format!("service {name} no longer exist"));
                        }
                        self.let_server_go((service, server));
                    }
                }
            }
        }
    }

    fn let_service_go(&mut self, service: usize) {
        let Some(settings) = self.settings.virtual_servers.get(service) else {
            return;
        };
        let name = self.service_name(service);
        let removed = match &settings.service {
            Service::Group { group, .. } => {
                let group = self.settings.group(*group);
                let group = group.map(|group| group.name.as_str()).unwrap_or_default();
                format!("Removing Virtual Server Group [{group}]")
            }
            Service::Address { .. } | Service::Mark { .. } => {
                format!("Removing Virtual Server {name}")
            }
        };
        let servers = settings.real_servers.len();
        let announcement = quorum_announcement(settings, false);
        let had_quorum = self
            .services
            .get(service)
            .is_some_and(|state| state.quorum_up);
        self.info(removed);
        for server in 0..servers {
            self.let_server_go((service, server));
        }
        if had_quorum {
            self.announce_quorum(announcement, name, true);
        }
    }

    fn let_server_go(&mut self, at: (usize, usize)) {
        let (service, server) = at;
        let Some((_, settings)) = self.settings_of(at) else {
            return;
        };
        let Some(state) = self.services.get(service) else {
            return;
        };
        let Some(server) = state.servers.get(server) else {
            return;
        };
        let alive = server.is_alive();
        let present = (alive && !state.sorry_in_use) || settings.inhibit_on_failure;
        let checks = server.checks.clone();
        for id in checks {
            self.abandon(id);
            self.checks.remove(id);
        }
        if present && let Some((server, service)) = self.names(at) {
            self.info(format!("Removing service {server} from VS {service}"));
        }
        if present && alive {
            self.announce_server(at, false);
            if let Some(last) = self.announcements.last_mut() {
                last.before = true;
            }
        }
    }

    /// Builds the state of a virtual server of the new settings, from that of its counterpart if it has one. Tells what is
    /// to be marked for it.
    fn take_service(
        &mut self,
        now: Instant,
        (service, settings): (usize, &VirtualServer),
        before: Option<(&VirtualServer, ServiceState)>,
        old: &Settings,
        news: &mut Vec<News>,
    ) -> Vec<MarkClaim> {
        let entries = entries::entries(settings, &self.settings, &mut self.marks);
        for key in &entries.keys {
            self.users.entry(*key).or_default().push(place(service));
        }
        let mut state = ServiceState {
            keys: entries.keys.into_boxed_slice(),
            ..nothing()
        };
        state.suspended = match &before {
            Some((_, before)) => before.suspended,
            None => self.is_to_pause(settings),
        };
        if let Some((before_settings, before)) = &before {
            state.reloaded = true;
            state.quorum_up = before.quorum_up;
            state.sorry_in_use = before.sorry_in_use;
            let place = |service: &VirtualServer| {
                let sorry = service.sorry_server?;
                Some((sorry.address, sorry.port, sorry.lvs_method))
            };
            if before.sorry_in_use && place(before_settings) != place(settings) {
                state.sorry_in_use = false;
                news.extend(sorry_is_gone(before_settings, settings, old));
            }
            news.extend(messages::group_entries(
                (before_settings, old),
                (settings, &self.settings),
            ));
        }
        let by_place = before
            .as_ref()
            .map(|(settings, _)| servers_by_place(settings));
        let mut servers = Vec::with_capacity(settings.real_servers.len());
        for (at, server) in settings.real_servers.iter().enumerate() {
            let former =
                before
                    .as_ref()
                    .zip(by_place.as_ref())
                    .and_then(|((settings, state), by_place)| {
                        let at = *by_place.get(&(server.address, server.port))?;
                        let state = state.servers.get(at)?;
                        let settings = settings.real_servers.get(at)?;
                        Some(Former {
                            settings,
                            checks: &state.checks,
                            was_alive: state.is_alive(),
                            weight: state.weight(settings),
                        })
                    });
            let home = Place {
                service: place(service),
                server: place(at),
                checker: 0,
            };
            let home = (home, state.suspended);
            let fresh = self.take_server(now, (settings, server), home, former.as_ref(), old);
            // Of tens of thousands few are news.
            let differs = |former: &Former<'_>| {
                fresh.is_alive() != former.was_alive || fresh.weight(server) != former.weight
            };
            if let Some(former) = former.filter(differs) {
                news.push(News::Server {
                    at: (service, at),
                    was_alive: former.was_alive,
                    weight: former.weight,
                });
            }
            servers.push(fresh);
        }
        state.servers = servers.into_boxed_slice();
        self.services.push(state);
        entries.marked
    }

    /// The state of a server of the new settings.
    fn take_server(
        &mut self,
        now: Instant,
        (service, server): (&VirtualServer, &RealServer),
        (home, suspended): (Place, bool),
        former: Option<&Former<'_>>,
        old: &Settings,
    ) -> ServerState {
        let mut left: Vec<(CheckId, &Checker)> = former.map_or_else(Vec::new, |former| {
            let checkers = former.settings.checkers.iter();
            former.checks.iter().copied().zip(checkers).collect()
        });
        let kept: Vec<Option<CheckId>> = server
            .checkers
            .iter()
            .map(|checker| {
                let at = left.iter().position(|(_, known)| {
                    same::is_same((known, old), (checker, &self.settings))
                })?;
                Some(left.remove(at).0)
            })
            .collect();
        for (id, _) in left {
            self.abandon(id);
            self.checks.remove(id);
        }
        let failing = kept
            .iter()
            .flatten()
            .any(|id| self.checks.get(*id).is_some_and(|check| !check.progress.up));
        let down_before = match former {
            Some(former) => !former.was_alive,
            None => !self.known_down.is_empty() && self.is_known_down(service, server),
        };
        let mut checks = Vec::with_capacity(server.checkers.len());
        let (mut failed, mut contribution) = (0, 0_i64);
        for ((checker, kept), number) in server.checkers.iter().zip(kept).zip(0_u32..) {
            let home = Place {
                checker: number,
                ..home
            };
            let id = match kept {
                Some(id) => {
                    self.keep(now, id, checker, home, server.weight);
                    id
                }
                None => {
                    let up = match (down_before, failing) {
                        // Nobody has said yet that it is well.
                        (true, false) => false,
                        (_, true) => !checker.alpha,
                        (false, false) => former.is_some() || !checker.alpha,
                    };
                    // Its first failure counts at the start, and beside one that has failed (keepalived).
                    let used = if failing || self.first {
                        pace::no_chance(checker)
                    } else {
                        0
                    };
                    let mut progress = Progress::new(up, used);
                    // That it is down was said already.
                    progress.has_run = down_before && !up;
                    self.begin_check(now, checker, home, progress, suspended)
                }
            };
            if let Some(check) = self.checks.get(id) {
                failed += u32::from(!check.progress.up);
                contribution = contribution.saturating_add(check.contribution);
            }
            checks.push(id);
        }
        ServerState {
            checks: checks.into_boxed_slice(),
            failed,
            reloaded: former.is_some(),
            contribution,
        }
    }

    fn is_known_down(&self, service: &VirtualServer, server: &RealServer) -> bool {
        let settings = &self.settings;
        let service_name = ServiceName { service, settings };
        let name = full_name(&service_name, &ServerName::of(server, service));
        self.known_down.contains(name.as_str())
    }

    /// A check stays.
    fn keep(&mut self, now: Instant, id: CheckId, checker: &Checker, home: Place, weight: u32) {
        let Some(check) = self.checks.get_mut(id) else {
            return;
        };
        check.place = home;
        check.progress.failures = check.progress.failures.min(checker.retry);
        if let (CheckerKind::Misc(misc), Some(status)) = (&checker.kind, check.last_status)
            && check.progress.up
        {
            // The weight that the status says is the same; what that adds to another weight is not.
            let end = CommandEnd::Exited(status);
            if let Meaning::Good(contribution) = misc::meaning(end, misc.dynamic, weight) {
                check.contribution = contribution;
            }
        }
        // A shorter interval counts at once.
        let latest = now + checker.delay_loop.as_duration();
        if check.phase == Phase::Waiting && check.due > latest && check.progress.has_run {
            self.plan(id, latest);
        }
    }

    /// A check is new.
    fn begin_check(
        &mut self,
        now: Instant,
        checker: &Checker,
        home: Place,
        progress: Progress,
        suspended: bool,
    ) -> CheckId {
        let told = matches!(checker.kind, CheckerKind::File(_) | CheckerKind::Bfd(_));
        let due = self.first_due(now, checker);
        let mut check = Check {
            place: home,
            progress,
            phase: match (told, suspended) {
                (true, _) => Phase::Told,
                (false, true) => Phase::Suspended,
                (false, false) => Phase::Waiting,
            },
            due,
            began: Instant::ZERO,
            contribution: 0,
            last_status: None,
            sequence: 0,
            last_errno: 0,
            lateness_said: false,
            obstacle_said: false,
        };
        if let CheckerKind::File(file) = &checker.kind {
            // It knows its state at once.
            let value = self.files.get(&file.track_file).copied().unwrap_or(0);
            let contribution = crate::file::contribution(value, file.weight);
            check.progress = Progress::new(contribution.is_some(), 0);
            check.progress.has_run = true;
            check.contribution = contribution.unwrap_or(0);
        }
        let phase = check.phase;
        let id = self.checks.insert(check);
        if phase == Phase::Waiting {
            self.timeline.arm(due, id);
        }
        let activation = match phase {
            // It is never made; keepalived says nothing of it either.
            Phase::Told => return id,
            Phase::Suspended => Activation::Deactivated,
            Phase::Waiting | Phase::Trying | Phase::Running(_) => Activation::Activated,
        };
        self.actions.push_back(Action::Log(Line {
            level: Level::Info,
            text: LineText::Activation(id, activation),
        }));
        id
    }

    fn announce_living(&mut self, service: usize) {
        let Some(servers) = self.services.get(service).map(|state| state.servers.len()) else {
            return;
        };
        for server in 0..servers {
            if self.is_alive((service, server)) {
                self.announce_server((service, server), true);
            }
        }
    }

    /// Says what became of things that both settings have.
    fn tell(&mut self, news: &News) {
        match news {
            News::Line(text) => self.info(text.as_str()),
            News::Server {
                at,
                was_alive,
                weight,
            } => {
                let alive = self.is_alive(*at);
                if alive != *was_alive {
                    self.server_turned(*at, alive);
                }
                let Some((settings, state)) = self.server_mut(*at) else {
                    return;
                };
                let to = state.weight(settings);
                self.weight_changed(*at, *weight, to);
            }
        }
    }
}

/// What became of something that both settings have.
pub(crate) enum News {
    /// A line for the log.
    Line(String),
    /// A real server stayed, and is not as it was.
    Server {
        at: (usize, usize),
        was_alive: bool,
        /// Its weight before, with what its checks added.
        weight: u32,
    },
}

/// A sorry server that was in use is replaced, or not there any more.
fn sorry_is_gone(before: &VirtualServer, after: &VirtualServer, old: &Settings) -> Vec<News> {
    let Some(sorry) = before.sorry_server else {
        return Vec::new();
    };
    let server = ServerName {
        service: before,
        address: sorry.address,
        port: sorry.port,
    };
    let service = ServiceName {
        service: before,
        settings: old,
    };
    let mut news = vec![News::Line(format!(
        "Removing sorry server {server} from VS {service}"
    ))];
    if after.sorry_server.is_none() {
        news.push(News::Line(format!(
            "Adding alive servers to the pool for VS {service}"
        )));
    }
    news
}

fn nothing() -> ServiceState {
    ServiceState {
        keys: Box::default(),
        quorum_up: false,
        sorry_in_use: false,
        suspended: false,
        reloaded: false,
        servers: Box::default(),
    }
}
