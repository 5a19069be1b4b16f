//! Tracked processes: who they are and how many.
//!
//! The kernel tells of every process that comes, goes or changes its name. Where it does not, in a container for instance,
//! all of `/proc` is looked at once a second, a part at a time, so that no advert is late because of it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use log::{info, warn};
use sys::event_loop::EventLoop;
use sys::process_events::{ProcessEvent, ProcessEvents, Told};
use sys::process_list::{ProcessScan, command_line, task_name};
use types::Instant;
use vrrp::settings::ProcessSettings;

use super::Finding;

/// Between two looks at all processes, and from the loss of events to the look that makes up for it (keepalived: 1 s).
const PAUSE: Duration = Duration::from_secs(1);

/// Processes that are looked at in one wake-up: a few milliseconds of work.
const AT_ONCE: usize = 100;

/// The tracked processes.
pub(super) struct Processes {
    token: u64,
    /// Settings have been prepared: somebody may be master.
    started: bool,
    settings: Vec<ProcessSettings>,
    counted: Vec<Counted>,
    events: Option<ProcessEvents>,
    /// That the kernel does not tell has been said.
    complained: bool,
    /// The next look at all of them, or the next part of it.
    look_at: Option<Instant>,
    scan: Option<Scan>,
    /// Events were lost while the look was under way: one more has to follow.
    again: bool,
    /// That events were lost has been said, and no look has made up for it yet.
    loss_said: bool,
}

/// The processes that one entry of the configuration means.
struct Counted {
    settings: ProcessSettings,
    members: BTreeSet<u32>,
    /// A look at all processes has found them.
    complete: bool,
    /// What the core was told.
    told: Option<usize>,
}

/// A look at all processes that has not come to its end.
struct Scan {
    walk: ProcessScan,
    /// The members found so far, as in the list of those that are counted.
    found: Vec<BTreeSet<u32>>,
}

impl Processes {
    pub(super) const fn new(token: u64) -> Self {
        Self {
            token,
            started: false,
            settings: Vec::new(),
            counted: Vec::new(),
            events: None,
            complained: false,
            look_at: None,
            scan: None,
            again: false,
            loss_said: false,
        }
    }

    /// Counts what the new settings name: at the start at once, which gives the numbers; at a reload in the ticks that follow,
    /// a part at a time, so that no advert is late. What is counted already stays.
    pub(super) fn prepare(
        &mut self,
        now: Instant,
        settings: &[ProcessSettings],
        events: &EventLoop,
    ) -> Vec<(String, u32)> {
        let start = !std::mem::replace(&mut self.started, true);
        if settings == self.settings {
            return Vec::new();
        }
        self.settings = settings.to_vec();
        let mut old: BTreeMap<String, Counted> = std::mem::take(&mut self.counted)
            .into_iter()
            .map(|counted| (counted.settings.name.clone(), counted))
            .collect();
        self.counted = settings
            .iter()
            .map(|settings| {
                let known = old
                    .remove(&settings.name)
                    .filter(|known| known.settings.counts_the_same(settings));
                let (members, complete, told) = known.map_or_else(Default::default, |known| {
                    (known.members, known.complete, known.told)
                });
                Counted {
                    settings: settings.clone(),
                    members,
                    complete,
                    told,
                }
            })
            .collect();
        // It was about other entries.
        let interrupted = self.scan.take().is_some();
        if settings.is_empty() {
            self.look_at = None;
            if let Some(old) = self.events.take()
                && let Err(problem) = events.remove(&old)
            {
                warn!("track_process: {problem}");
            }
            return Vec::new();
        }
        self.listen(events);
        // After the kernel has begun to tell, so that nobody falls between.
        if !start {
            if interrupted || self.counted.iter().any(|counted| !counted.complete) {
                self.look_at = Some(now);
            }
            return Vec::new();
        }
        self.look_at_all(now);
        self.counted
            .iter_mut()
            .map(|counted| {
                let count = counted.members.len();
                counted.complete = true;
                counted.told = Some(count);
                (counted.settings.name.clone(), number(count))
            })
            .collect()
    }

    /// Room for what the kernel tells, if it does (`process_monitor_rcv_bufs`).
    pub(super) fn set_receive_buffer(&self, bytes: usize, force: bool) -> Result<(), sys::Error> {
        match &self.events {
            Some(events) => events.set_receive_buffer(bytes, force),
            None => Ok(()),
        }
    }

    fn listen(&mut self, events: &EventLoop) {
        if self.events.is_some() {
            return;
        }
        match ProcessEvents::new() {
            Ok(fresh) => match events.add(&fresh, self.token) {
                Ok(()) => self.events = Some(fresh),
                Err(problem) => warn!("track_process: {problem}"),
            },
            Err(problem) if !self.complained => {
                info!(
                    "tracked processes are looked for in /proc once a second, for the kernel does not tell of them: \
                     {problem}"
                );
                self.complained = true;
            }
            Err(_said) => {}
        }
    }

    /// The whole look at once: nobody is master yet who could be late.
    fn look_at_all(&mut self, now: Instant) {
        self.begin_scan(now);
        while self.scan.is_some() {
            self.go_on(now);
        }
    }

    fn begin_scan(&mut self, now: Instant) {
        self.again = false;
        match ProcessScan::begin() {
            Ok(walk) => {
                self.scan = Some(Scan {
                    walk,
                    found: vec![BTreeSet::new(); self.counted.len()],
                });
            }
            Err(problem) => {
                warn!("track_process: {problem}");
                self.look_at = Some(now + PAUSE);
            }
        }
    }

    /// One part of a look.
    fn go_on(&mut self, now: Instant) {
        let Some(mut scan) = self.scan.take() else {
            return;
        };
        let mut processes = Vec::new();
        let more = scan.walk.next(AT_ONCE, &mut processes);
        for process in processes {
            let facts = Facts::of(process, &self.counted);
            for (counted, found) in self.counted.iter().zip(&mut scan.found) {
                if facts.match_with(&counted.settings) {
                    found.insert(process);
                }
            }
        }
        match more {
            Ok(true) => {
                self.scan = Some(scan);
                self.look_at = Some(now);
            }
            Ok(false) => {
                for (counted, found) in self.counted.iter_mut().zip(scan.found) {
                    counted.members = found;
                    counted.complete = true;
                }
                self.loss_said = self.again;
                // Who is told of all changes need not look again.
                self.look_at = (self.again || self.events.is_none()).then(|| now + PAUSE);
            }
            Err(problem) => {
                warn!("track_process: {problem}");
                self.look_at = Some(now + PAUSE);
            }
        }
    }

    pub(super) const fn next_wake(&self) -> Option<Instant> {
        self.look_at
    }

    pub(super) fn tick(&mut self, now: Instant) -> Vec<Finding> {
        if self.look_at.is_none_or(|at| at > now) {
            return Vec::new();
        }
        if self.scan.is_none() {
            self.begin_scan(now);
        }
        self.go_on(now);
        self.changes()
    }

    /// What the kernel tells.
    pub(super) fn hear(&mut self, now: Instant) -> Result<Vec<Finding>, sys::Error> {
        let mut heard = Vec::new();
        if let Some(events) = &mut self.events
            && events.drain(&mut heard)? == Told::NotAll
        {
            self.lose(now);
        }
        for event in heard {
            self.take(event);
        }
        Ok(self.changes())
    }

    /// Events were lost. However often that happens, a look that is due or under way comes to its end.
    fn lose(&mut self, now: Instant) {
        if !self.loss_said {
            warn!("more processes came and went than could be heard of: looking at all of them");
            self.loss_said = true;
        }
        self.again = self.scan.is_some();
        self.look_at.get_or_insert(now + PAUSE);
    }

    fn take(&mut self, event: ProcessEvent) {
        let Self { counted, scan, .. } = self;
        // A look that is under way has passed some of them by.
        let mut found = scan.iter_mut().flat_map(|scan| &mut scan.found);
        let facts = match event {
            ProcessEvent::Changed(process) => Some(Facts::of(process, counted)),
            ProcessEvent::Forked { .. } | ProcessEvent::Ended(_) => None,
        };
        for Counted {
            settings, members, ..
        } in counted
        {
            let lists = [Some(members), found.next()];
            for list in lists.into_iter().flatten() {
                match event {
                    ProcessEvent::Forked { parent, child } => {
                        if list.contains(&parent) {
                            list.insert(child);
                        }
                    }
                    ProcessEvent::Changed(process) => {
                        if facts
                            .as_ref()
                            .is_some_and(|facts| facts.match_with(settings))
                        {
                            list.insert(process);
                        } else {
                            list.remove(&process);
                        }
                    }
                    ProcessEvent::Ended(process) => {
                        list.remove(&process);
                    }
                }
            }
        }
    }

    /// The numbers that have changed.
    fn changes(&mut self) -> Vec<Finding> {
        let mut changes = Vec::new();
        for counted in self.counted.iter_mut().filter(|counted| counted.complete) {
            let count = counted.members.len();
            if counted.told != Some(count) {
                counted.told = Some(count);
                let name = counted.settings.name.clone();
                changes.push(Finding::Processes(name, number(count)));
            }
        }
        changes
    }
}

/// What has to be known of a process to tell whether it is meant.
struct Facts {
    /// `None`: it has ended.
    name: Option<Vec<u8>>,
    command_line: Option<Vec<u8>>,
}

impl Facts {
    fn of(process: u32, counted: &[Counted]) -> Self {
        let settings = || counted.iter().map(|counted| &counted.settings);
        let name = settings()
            .any(|settings| !settings.full_command)
            .then(|| task_name(process))
            .flatten();
        let most = settings()
            .filter(|settings| settings.full_command)
            .map(ProcessSettings::needs_bytes)
            .max();
        let command_line = most.and_then(|most| command_line(process, most));
        Self { name, command_line }
    }

    fn match_with(&self, settings: &ProcessSettings) -> bool {
        let line = || self.command_line.clone();
        match &self.name {
            Some(name) => settings.matches(name, line),
            None => settings.full_command && settings.matches(&[], line),
        }
    }
}

fn number(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use std::process::{Child, Command};

    use vrrp::settings::{ParameterMatch, TrackWeight};

    use super::*;

    /// `sleep` with words that nobody else uses: several numbers of seconds are added up.
    fn start(mark: &str) -> Child {
        let child = Command::new("sleep").args(["1000", mark]).spawn().unwrap();
        // The kernel lets a parent go on a moment before the new program has its command line.
        let line = format!("/proc/{}/cmdline", child.id());
        while !std::fs::read(&line).unwrap().starts_with(b"sleep\0") {
            std::thread::yield_now();
        }
        child
    }

    fn settings(mark: &str, matching: ParameterMatch) -> ProcessSettings {
        ProcessSettings {
            name: format!("{matching:?}"),
            command: "sleep".to_owned(),
            parameters: vec!["1000".to_owned(), mark.to_owned()],
            full_command: true,
            matching,
            quorum: 1,
            quorum_max: None,
            fork_delay: Duration::ZERO,
            terminate_delay: Duration::ZERO,
            weight: TrackWeight::FAULT,
            reverse: false,
        }
    }

    #[test]
    fn a_reload_keeps_what_is_known_and_counts_the_rest_in_ticks() {
        let events = EventLoop::new().unwrap();
        let mut processes = Processes::new(1);
        let now = sys::clock::now();
        let mark = format!("3{}1", std::process::id());
        let mut child = start(&mark);
        let exact = settings(&mark, ParameterMatch::Exact);
        let partial = settings(&mark, ParameterMatch::Partial);
        let told = processes.prepare(now, std::slice::from_ref(&exact), &events);
        assert_eq!(told, [("Exact".to_owned(), 1)]);
        let delayed = ProcessSettings {
            fork_delay: PAUSE,
            ..exact
        };
        assert_eq!(processes.prepare(now, &[partial, delayed], &events), []);
        assert!(processes.scan.is_none(), "nothing has been looked at yet");
        assert_eq!(processes.next_wake(), Some(now));
        let mut found = Vec::new();
        while processes.next_wake() == Some(now) {
            assert!(found.is_empty(), "told before the end of the look");
            found = processes.tick(now);
        }
        let [Finding::Processes(name, 1)] = found.as_slice() else {
            panic!("one number");
        };
        assert_eq!(name, "Partial");
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// Waits until the numbers that were told are these.
    fn expect(processes: &mut Processes, told: &mut [u32; 2], expected: [u32; 2]) {
        let until = sys::clock::now() + Duration::from_secs(20);
        while *told != expected {
            let now = sys::clock::now();
            assert!(now < until, "{told:?} instead of {expected:?}");
            let mut findings = processes.hear(now).unwrap();
            findings.extend(processes.tick(now));
            for finding in findings {
                match finding {
                    Finding::Processes(name, count) if name == "Exact" => told[0] = count,
                    Finding::Processes(_, count) => told[1] = count,
                    Finding::File(..) | Finding::Link(..) => panic!("not about processes"),
                }
            }
        }
    }

    fn count(mark: &str, told_by_kernel: bool) {
        let events = EventLoop::new().unwrap();
        let mut processes = Processes::new(1);
        let wanted = [
            settings(mark, ParameterMatch::Exact),
            settings(mark.get(..mark.len() - 1).unwrap(), ParameterMatch::Initial),
        ];
        let mut first = start(mark);
        let told = processes.prepare(sys::clock::now(), &wanted, &events);
        assert_eq!(told, [("Exact".to_owned(), 1), ("Initial".to_owned(), 1)]);
        assert!(
            processes
                .prepare(sys::clock::now(), &wanted, &events)
                .is_empty(),
            "nothing new"
        );
        if !told_by_kernel {
            processes.events = None;
            processes.look_at = Some(sys::clock::now());
        }
        let mut told = [1, 1];
        let mut second = start(mark);
        expect(&mut processes, &mut told, [2, 2]);
        first.kill().unwrap();
        // A zombie does not count, although nobody has waited for it yet.
        expect(&mut processes, &mut told, [1, 1]);
        first.wait().unwrap();
        // Another process with the same beginning.
        let mut third = start(&format!("{}0", mark.get(..mark.len() - 1).unwrap()));
        expect(&mut processes, &mut told, [1, 2]);
        for child in [&mut second, &mut third] {
            child.kill().unwrap();
            child.wait().unwrap();
        }
        expect(&mut processes, &mut told, [0, 0]);
        assert!(
            processes
                .prepare(sys::clock::now(), &[], &events)
                .is_empty()
        );
        assert_eq!(processes.next_wake(), None);
    }

    #[test]
    fn losses_do_not_put_off_the_look_that_makes_up_for_them() {
        let events = EventLoop::new().unwrap();
        let mut processes = Processes::new(1);
        let wanted = [settings("nobody", ParameterMatch::Exact)];
        let start = sys::clock::now();
        processes.prepare(start, &wanted, &events);
        let at = |millis| start + Duration::from_millis(millis);
        processes.look_at = None;
        processes.lose(at(0));
        processes.lose(at(900));
        assert_eq!(processes.next_wake(), Some(at(1000)));
        // While it is under way.
        processes.begin_scan(at(1000));
        processes.lose(at(1000));
        assert!(processes.scan.is_some() && processes.loss_said);
        while processes.scan.is_some() {
            processes.tick(at(1000));
        }
        assert_eq!(processes.next_wake(), Some(at(2000)), "one more");
        assert!(processes.loss_said);
        processes.tick(at(2000));
        while processes.scan.is_some() {
            processes.tick(at(2000));
        }
        assert!(!processes.loss_said, "nothing was lost any more");
    }

    #[test]
    fn processes_are_counted_as_they_come_and_go() {
        count(&format!("1{}1", std::process::id()), true);
    }

    #[test]
    fn without_the_kernels_word_they_are_found() {
        count(&format!("2{}1", std::process::id()), false);
    }
}
