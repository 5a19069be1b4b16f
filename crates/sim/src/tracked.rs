//! What a node's instances track beyond links and scripts: a file, some processes, a BFD session. A seed makes them change
//! their minds; the world knows what ought to come of it without asking the core.

use std::time::Duration;

use vrrp::Settings;
use vrrp::settings::{
    Debounce, FileSettings, InstanceSettings, ParameterMatch, ProcessSettings, TrackWeight, Tracked,
};

use crate::random::Random;
use crate::scenario::{LANS, interface_name};

const FILE: &str = "switch";
const PROCESSES: &str = "worker";
const SESSION: &str = "path";

/// How things stand on a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Facts {
    /// What the file says.
    file: i32,
    /// How many processes there are.
    processes: u32,
    /// Whether the session is up.
    session: bool,
}

/// One of them has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fact {
    /// The file says this.
    File(i32),
    /// There are so many processes.
    Processes(u32),
    /// The session is up, or down.
    Session(bool),
}

impl Facts {
    /// A healthy node.
    pub(crate) const GOOD: Self = Self {
        file: 0,
        processes: 1,
        session: true,
    };

    /// Something changes.
    pub(crate) fn flip(&mut self, random: &mut Random) -> Fact {
        match random.below(3) {
            0 => {
                let values = [0, 0, 1, -1, 30, -30, 254, -300, i32::MIN, i32::MAX];
                self.file = random.one_of(&values).copied().unwrap_or(0);
                Fact::File(self.file)
            }
            1 => {
                self.processes = u32::from(random.byte(0, 3));
                Fact::Processes(self.processes)
            }
            _ => {
                self.session = random.percent(50);
                Fact::Session(self.session)
            }
        }
    }

    /// All of them, to be told.
    pub(crate) const fn all(self) -> [Fact; 3] {
        [
            Fact::File(self.file),
            Fact::Processes(self.processes),
            Fact::Session(self.session),
        ]
    }

    /// What a process is told before it begins.
    pub(crate) fn tell_ahead(self, vrrp: &mut vrrp::Vrrp) {
        vrrp.tell_ahead(
            [(FILE.to_owned(), self.file)],
            [(PROCESSES.to_owned(), self.processes)],
            [(SESSION.to_owned(), self.session)],
        );
    }

    /// Whether none of them is a fault to an instance.
    pub(crate) fn allow(self, settings: &Settings, instance: &InstanceSettings) -> bool {
        let file = |tracked: &Tracked| match tracked.weight.get() {
            0 => (self.file != 0) == tracked.reverse,
            _ => self.product(tracked) > -254,
        };
        let enough = self.enough(settings);
        instance.track_file.iter().all(file)
            && instance
                .track_process
                .iter()
                .all(|tracked| tracked.weight.get() != 0 || enough != tracked.reverse)
            && instance
                .track_bfd
                .iter()
                .all(|tracked| tracked.weight.get() != 0 || self.session != tracked.reverse)
    }

    /// What they add to the priority of an instance to which none is a fault.
    pub(crate) fn adjustment(self, settings: &Settings, instance: &InstanceSettings) -> i64 {
        let files = instance
            .track_file
            .iter()
            .filter(|tracked| tracked.weight.get() != 0)
            .map(|tracked| self.product(tracked).clamp(-253, 253));
        let applies = |tracked: &Tracked, good: bool| {
            let weight = i64::from(tracked.weight.get());
            match ((weight > 0) == good, tracked.reverse) {
                (true, false) => weight,
                (true, true) => -weight,
                (false, _) => 0,
            }
        };
        let enough = self.enough(settings);
        let processes = instance.track_process.iter();
        let sessions = instance.track_bfd.iter();
        files.sum::<i64>()
            + processes
                .map(|tracked| applies(tracked, enough))
                .sum::<i64>()
            + sessions
                .map(|tracked| applies(tracked, self.session))
                .sum::<i64>()
    }

    fn product(self, tracked: &Tracked) -> i64 {
        let sign = if tracked.reverse { -1 } else { 1 };
        i64::from(self.file) * i64::from(tracked.weight.get()) * sign
    }

    fn enough(self, settings: &Settings) -> bool {
        settings.track_processes.iter().all(|processes| {
            let most = processes.quorum_max.map_or(u32::MAX, u32::from);
            (u32::from(processes.quorum)..=most).contains(&self.processes)
        })
    }
}

impl Fact {
    /// Tells a process.
    pub(crate) fn tell(self, vrrp: &mut vrrp::Vrrp, now: types::Instant) {
        match self {
            Self::File(value) => vrrp.handle_file(now, FILE, value),
            Self::Processes(count) => vrrp.handle_process_count(now, PROCESSES, count),
            Self::Session(up) => vrrp.handle_bfd(now, SESSION, up),
        }
    }
}

/// Three lists: files, processes, sessions.
pub(crate) type Lists = [Vec<Tracked>; 3];

/// What the instances of a node may have in common.
pub(crate) fn draw_lists(random: &mut Random) -> Lists {
    [FILE, PROCESSES, SESSION].map(|name| {
        if !random.percent(12) {
            return Vec::new();
        }
        let weight = random.one_of(&[0, 0, -20, 20, -200, 1]).copied();
        vec![Tracked {
            name: name.to_owned(),
            weight: weight
                .and_then(TrackWeight::new)
                .unwrap_or(TrackWeight::FAULT),
            reverse: random.percent(10),
        }]
    })
}

/// Defines what can be tracked, and which links are slow to be believed.
pub(crate) fn define(settings: &mut Settings, unit: Duration, random: &mut Random) {
    settings.track_files = vec![FileSettings {
        name: FILE.to_owned(),
        path: format!("/run/{FILE}"),
        init: None,
        weight: TrackWeight::ONE,
        reverse: false,
    }];
    let mut delay = || {
        if random.percent(50) {
            random.span(Duration::from_millis(1), unit * 4)
        } else {
            Duration::ZERO
        }
    };
    let (fork_delay, terminate_delay) = (delay(), delay());
    settings.track_processes = vec![ProcessSettings {
        name: PROCESSES.to_owned(),
        command: PROCESSES.to_owned(),
        parameters: Vec::new(),
        full_command: false,
        matching: ParameterMatch::Exact,
        quorum: 1,
        quorum_max: random.percent(30).then_some(2),
        fork_delay,
        terminate_delay,
        weight: TrackWeight::FAULT,
        reverse: false,
    }];
    settings.bfd_sessions = vec![SESSION.to_owned()];
    if random.percent(15) {
        settings.debounce = vec![Debounce {
            interface: interface_name(random.byte(0, LANS - 1)),
            down: random.span(Duration::ZERO, unit * 4),
            up: random.span(Duration::ZERO, unit * 4),
        }];
    }
}

/// Until the last change counts.
pub(crate) fn settling(settings: &Settings) -> Duration {
    let processes = settings
        .track_processes
        .iter()
        .map(|processes| processes.fork_delay.max(processes.terminate_delay))
        .max();
    let links = settings
        .debounce
        .iter()
        .map(|debounce| debounce.down.max(debounce.up))
        .max();
    processes.unwrap_or_default() + links.unwrap_or_default()
}
