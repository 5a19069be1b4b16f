//! What the result of a check does to its server, what that does to the virtual server, and who hears of it (keepalived).
//!
//! A server is alive while none of its checks says otherwise. A virtual server has its quorum while the weights of the living
//! suffice; without it the sorry server takes their place.

use types::Instant;

use crate::action::{Action, Announcement, CheckId, Level, Subject};
use crate::check::{Check, Phase, Place};
use crate::dialogue::Obstacle;
use crate::file;
use crate::lvs::{Lvs, ServerState, index};
use crate::messages::{self, Reason, Told};
use crate::misc::{self, CommandEnd, Meaning, Run};
use crate::names::{ServerName, ServiceName};
use crate::pace::{self, Step, Turn};
use crate::quorum::Quorum;
use crate::settings::checkers::{Checker, CheckerKind};
use crate::settings::{RealServer, VirtualServer};

/// Where a real server is in the settings: its virtual server, and its place there.
pub(crate) type ServerPlace = (usize, usize);

impl Lvs {
    /// The result of an attempt.
    pub(crate) fn conclude(&mut self, now: Instant, id: CheckId, result: Result<(), Reason<'_>>) {
        let Some(checker) = self.checker(id).cloned() else {
            return;
        };
        let Some(check) = self.checks.get_mut(id) else {
            return;
        };
        check.obstacle_said = false;
        let was_up = check.progress.up;
        let page = check.progress.url;
        if result.is_err() {
            // The socket of echo requests is closed then; the next one counts anew.
            check.sequence = 0;
        }
        let Step { wait, turn } = pace::judge(&mut check.progress, &checker, result.is_ok());
        let (is_up, place) = (check.progress.up, check.place);
        // The pace of a command is that of its starts.
        let from = if matches!(checker.kind, CheckerKind::Misc(_)) {
            check.began
        } else {
            now
        };
        self.report(id, &checker, turn, page, result);
        self.plan(id, now.max(from + wait));
        self.note(place, was_up, is_up);
        if matches!(turn, Turn::Down { .. }) && !was_up {
            // It was assumed to be down, and now that is known (keepalived tells once).
            self.announce_server(place_of(place), self.is_alive(place_of(place)));
        }
    }

    /// Nothing was found out.
    pub(crate) fn no_result(&mut self, now: Instant, id: CheckId, obstacle: &Obstacle) {
        // A pattern and the files of TLS stay as they are until a reload: once is enough.
        let lasts = matches!(obstacle, Obstacle::Pattern(_) | Obstacle::Tls(_));
        let said = self
            .checks
            .get_mut(id)
            .is_some_and(|check| std::mem::replace(&mut check.obstacle_said, lasts));
        if !(lasts && said)
            && let Some(text) = self.text(id, |told| messages::no_result(told, obstacle))
        {
            self.say(Level::Warning, text);
        }
        self.plan_after_nothing(now, id);
    }

    /// The command of a MISC_CHECK has ended.
    pub(crate) fn command_ended(&mut self, now: Instant, id: CheckId, run: Run, end: CommandEnd) {
        let Some(check) = self.checks.get(id) else {
            return;
        };
        let Some((_, server)) = self.server_of(check) else {
            return;
        };
        let weight = server.weight;
        let Some(CheckerKind::Misc(misc)) = self.checker(id).map(|checker| checker.kind.clone())
        else {
            return;
        };
        let meaning = if run.is_overdue() {
            Meaning::Bad
        } else {
            misc::meaning(end, misc.dynamic, weight)
        };
        if let Some(check) = self.checks.get_mut(id)
            && meaning != Meaning::Nothing
        {
            check.last_status = match end {
                CommandEnd::Exited(status) => Some(status),
                CommandEnd::Signalled(_) | CommandEnd::NotStarted | CommandEnd::NoProcess => None,
            };
        }
        match meaning {
            Meaning::Good(contribution) => {
                self.contribute(id, contribution);
                self.conclude(now, id, Ok(()));
            }
            Meaning::Bad => {
                let overdue = run.is_overdue();
                self.conclude(now, id, Err(Reason::Command { end, overdue }));
                self.take_back(id);
            }
            // The host says why, once for all of them.
            Meaning::Nothing => self.plan_after_nothing(now, id),
        }
    }

    /// Nothing was found out: the check is made again after its `delay_loop` (keepalived).
    fn plan_after_nothing(&mut self, now: Instant, id: CheckId) {
        if let Some(wait) = self
            .checker(id)
            .map(|checker| checker.delay_loop.as_duration())
        {
            self.plan(id, now + wait);
        }
    }

    /// If a check says that its server is down, it adds nothing to the weight any more. To be called when that has been said:
    /// a server that is on its way out must not first get another weight.
    fn take_back(&mut self, id: CheckId) {
        if self.checks.get(id).is_some_and(|check| !check.progress.up) {
            self.contribute(id, 0);
        }
    }

    /// A number in a file or the state of a session has changed, or checks that go by them are new.
    pub(crate) fn told(&mut self, now: Instant) {
        let told: Vec<CheckId> = self
            .checks
            .iter()
            .filter(|(_, check)| check.phase == Phase::Told)
            .map(|(id, _)| id)
            .collect();
        for id in told {
            self.hear(now, id);
        }
    }

    /// Brings a check up to date that goes by what it is told.
    pub(crate) fn hear(&mut self, now: Instant, id: CheckId) {
        let Some(checker) = self.checker(id) else {
            return;
        };
        let (good, contribution) = if let CheckerKind::File(check) = &checker.kind {
            let value = self.files.get(&check.track_file).copied().unwrap_or(0);
            let contribution = file::contribution(value, check.weight);
            (contribution.is_some(), contribution.unwrap_or(0))
        } else if let CheckerKind::Bfd(name) = &checker.kind {
            (self.sessions.get(&**name) == Some(&true), 0)
        } else {
            return;
        };
        let Some(check) = self.checks.get(id) else {
            return;
        };
        let progress = check.progress;
        if good {
            self.contribute(id, contribution);
        }
        if progress.up != good || !progress.has_run {
            let result = if good { Ok(()) } else { Err(Reason::Told) };
            if let Some(check) = self.checks.get_mut(id) {
                // There are no retries.
                check.progress.failures = u32::MAX;
            }
            self.conclude(now, id, result);
        }
        self.take_back(id);
    }

    /// A check adds this to the weight of its server.
    fn contribute(&mut self, id: CheckId, contribution: i64) {
        let Some(check) = self.checks.get_mut(id) else {
            return;
        };
        let before = std::mem::replace(&mut check.contribution, contribution);
        if before == contribution {
            return;
        }
        let place = place_of(check.place);
        let checks = self.checks_of(place);
        let sum = checks
            .filter_map(|id| self.checks.get(id))
            .fold(0_i64, |sum, check| sum.saturating_add(check.contribution));
        let Some((settings, state)) = self.server_mut(place) else {
            return;
        };
        let from = state.weight(settings);
        state.contribution = sum;
        let to = state.weight(settings);
        self.weight_changed(place, from, to);
    }

    /// The weight of a server is another one.
    pub(crate) fn weight_changed(&mut self, place: ServerPlace, from: u32, to: u32) {
        if from == to {
            return;
        }
        let activity = if self.is_alive(place) {
            "active"
        } else {
            "inactive"
        };
        if let Some((server, service)) = self.names(place) {
            self.info(format!(
                "Changing weight from {from} to {to} for {activity} service {server} of VS {service}"
            ));
        }
        self.touch(place.0);
        self.evaluate(place.0, Occasion::Change);
    }

    /// A check says something else of its server than before.
    fn note(&mut self, place: Place, was_up: bool, is_up: bool) {
        let place = place_of(place);
        let Some((_, server)) = self.server_mut(place) else {
            return;
        };
        let was_alive = server.is_alive();
        match (was_up, is_up) {
            (true, false) => server.failed += 1,
            (false, true) => server.failed = server.failed.saturating_sub(1),
            (true, true) | (false, false) => return,
        }
        let is_alive = server.is_alive();
        if was_alive != is_alive {
            self.turns += 1;
            self.server_turned(place, is_alive);
        }
    }

    /// A server came to life, or died.
    pub(crate) fn server_turned(&mut self, place: ServerPlace, alive: bool) {
        let inhibit = self
            .settings_of(place)
            .is_some_and(|(_, server)| server.inhibit_on_failure);
        if let Some((server, service)) = self.names(place) {
            let (verb, way) = match (alive, inhibit) {
                (true, false) => ("Adding", "to"),
                (false, false) => ("Removing", "from"),
                (true, true) => ("Enabling", "of"),
                (false, true) => ("Disabling", "of"),
            };
            self.info(format!("{verb} service {server} {way} VS {service}"));
        }
        self.touch(place.0);
        self.announce_server(place, alive);
        self.evaluate(place.0, Occasion::Change);
    }

    /// Whether a virtual server has its quorum, and what follows when that changes.
    pub(crate) fn evaluate(&mut self, service: usize, occasion: Occasion) {
        let Some((settings, state)) = self
            .settings
            .virtual_servers
            .get(service)
            .zip(self.services.get_mut(service))
        else {
            return;
        };
        let sum: u64 = settings
            .real_servers
            .iter()
            .zip(&state.servers)
            .filter(|(_, state)| state.is_alive())
            .map(|(settings, state)| u64::from(state.weight(settings)))
            .sum();
        let quorum = Quorum {
            quorum: settings.quorum,
            hysteresis: settings.hysteresis,
        };
        let was_up = state.quorum_up;
        let is_up = quorum.holds(was_up, sum);
        let sorry = settings.sorry_server;
        let sorry_missing = !is_up && sorry.is_some() && !state.sorry_in_use;
        let initial = occasion == Occasion::Settings;
        let lost = !is_up && (was_up || (initial && sorry_missing));
        if is_up == was_up && !lost {
            return;
        }
        state.quorum_up = is_up;
        let sorry_was_in_use = state.sorry_in_use;
        state.sorry_in_use = !is_up && sorry.is_some();
        let announcement = quorum_announcement(settings, is_up);
        let numbers = (settings.quorum, settings.hysteresis);
        let name = self.service_name(service);
        self.info(messages::quorum(
            numbers,
            sum,
            is_up,
            (initial, was_up),
            &name,
        ));
        let turned = is_up == sorry_was_in_use;
        if let Some(sorry) = sorry
            && turned
            && let Some(settings) = self.settings.virtual_servers.get(service)
        {
            let sorry_name = ServerName {
                service: settings,
                address: sorry.address,
                port: sorry.port,
            }
            .to_string();
            for line in messages::sorry(&sorry_name, &name, sorry.inhibit, !is_up) {
                self.info(line);
            }
        }
        self.touch(service);
        self.announce_quorum(announcement, name, false);
    }

    /// The state of a server, for all who want to hear of it.
    pub(crate) fn announce_server(&mut self, place: ServerPlace, up: bool) {
        let (Some((_, settings)), Some((server, service))) =
            (self.settings_of(place), self.names(place))
        else {
            return;
        };
        let announcement = Announcement {
            subject: Subject::Server {
                server: server.into(),
                service: service.into(),
            },
            up,
            command: if up {
                settings.notify_up
            } else {
                settings.notify_down
            },
            before: false,
            stopping: false,
        };
        self.announcements.push(announcement);
    }

    pub(crate) fn announce_quorum(
        &mut self,
        (command, up): QuorumAnnouncement,
        service: String,
        before: bool,
    ) {
        self.announcements.push(Announcement {
            subject: Subject::Quorum {
                service: service.into(),
            },
            up,
            command,
            before,
            stopping: false,
        });
    }

    /// What an attempt did is logged.
    fn report(
        &mut self,
        id: CheckId,
        checker: &Checker,
        turn: Turn,
        page: u16,
        result: Result<(), Reason<'_>>,
    ) {
        let chatty = checker.log_all_failures || self.settings.global.log_all_failures;
        if let Err(Reason::Dialogue(failure)) = result
            && let Some(Some(text)) = self.text(id, |told| messages::detail(told, failure))
        {
            self.info(text);
        }
        let text = self.text(id, |told| {
            messages::result(told, checker, (turn, page), result, chatty)
        });
        if let Some(Some(text)) = text {
            self.info(text);
        }
    }

    /// A text about a check; `None`: it is gone.
    fn text<T>(&self, id: CheckId, say: impl FnOnce(&Told<'_>) -> T) -> Option<T> {
        let check: &Check = self.checks.get(id)?;
        let (service, server) = self.server_of(check)?;
        let settings = &self.settings;
        let told = Told {
            server: ServerName::of(server, service),
            service: ServiceName { service, settings },
            checker: server.checkers.get(index(check.place.checker)?)?,
        };
        Some(say(&told))
    }

    /// The names of a real server and of its virtual server.
    pub(crate) fn names(&self, place: ServerPlace) -> Option<(String, String)> {
        let (service, server) = self.settings_of(place)?;
        let settings = &self.settings;
        Some((
            ServerName::of(server, service).to_string(),
            ServiceName { service, settings }.to_string(),
        ))
    }

    pub(crate) fn settings_of(
        &self,
        (service, server): ServerPlace,
    ) -> Option<(&VirtualServer, &RealServer)> {
        let service = self.settings.virtual_servers.get(service)?;
        Some((service, service.real_servers.get(server)?))
    }

    pub(crate) fn server_mut(
        &mut self,
        (service, server): ServerPlace,
    ) -> Option<(&RealServer, &mut ServerState)> {
        let settings = self.settings.virtual_servers.get(service)?;
        let state = self.services.get_mut(service)?;
        settings
            .real_servers
            .get(server)
            .zip(state.servers.get_mut(server))
    }

    pub(crate) fn is_alive(&self, (service, server): ServerPlace) -> bool {
        self.services
            .get(service)
            .and_then(|service| service.servers.get(server))
            .is_some_and(ServerState::is_alive)
    }

    fn checks_of(&self, (service, server): ServerPlace) -> impl Iterator<Item = CheckId> {
        self.services
            .get(service)
            .and_then(|service| service.servers.get(server))
            .into_iter()
            .flat_map(|server| server.checks.iter().copied())
    }

    /// What kernel services of a virtual server should hold may have changed.
    pub(crate) fn touch(&mut self, service: usize) {
        if let Some(state) = self.services.get(service) {
            self.dirty.extend(state.keys.iter().copied());
        }
    }

    /// Nobody waits for a check any more. A host may have something open for it even between two attempts.
    pub(crate) fn abandon(&mut self, id: CheckId) {
        let paced = self
            .checks
            .get(id)
            .is_some_and(|check| check.phase != Phase::Told);
        if paced {
            self.actions.push_back(Action::Abandon(id));
        }
    }
}

/// Why a virtual server's quorum is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Occasion {
    /// Something changed.
    Change,
    /// There are settings, the first or others: without a quorum the sorry server comes in even if nothing was lost.
    Settings,
}

/// The script, and the direction.
pub(crate) type QuorumAnnouncement = (Option<crate::settings::checkers::CommandId>, bool);

pub(crate) const fn quorum_announcement(settings: &VirtualServer, up: bool) -> QuorumAnnouncement {
    let command = if up {
        settings.quorum_up
    } else {
        settings.quorum_down
    };
    (command, up)
}

/// The server that a check belongs to.
pub(crate) fn place_of(place: Place) -> ServerPlace {
    (
        index(place.service).unwrap_or(usize::MAX),
        index(place.server).unwrap_or(usize::MAX),
    )
}
