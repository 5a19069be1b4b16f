//! The world: nodes, LANs, one clock and one agenda; first trouble, then calm.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use types::Instant;
use vrrp::{ScriptOutcome, Signal};

use crate::agreement::{self, Patience, Settled};
use crate::faults::{Fault, Relief};
use crate::network::{Frame, Network};
use crate::node::{Input, Manner, Node, Outbox};
use crate::oracles::{KEEPS_THE_BEAT, Violation};
use crate::random::Random;
use crate::sabotage::Sabotage;
use crate::scenario::Scenario;
use crate::trace::Trace;

/// How much of a trace goes into the message of a failure.
const LAST_EVENTS: usize = 50;
/// How many time-outs one node may have at one instant: each router, script and pace once, and what these bring about.
const MOST_TIMEOUTS_AT_ONCE: u32 = 200;

/// Something that is going to happen.
#[derive(Clone, Debug)]
pub(crate) enum Happening {
    Arrival {
        to: usize,
        frame: Frame,
    },
    /// The kernel tells a process of an address that the process itself added.
    Echo {
        node: usize,
        life: u32,
        address: vrrp::InterfaceAddress,
    },
    ScriptEnd {
        node: usize,
        life: u32,
        script: String,
        outcome: ScriptOutcome,
    },
    DetectionFinished {
        node: usize,
        lan: u8,
    },
    Trouble,
    Relief(Relief),
}

/// What kinds of trouble a run has seen, and how often; and how often somebody changed its state.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Faults by kind.
    pub faults: BTreeMap<Fault, u64>,
    /// Changes of state of all instances, those of processes that ended included.
    pub changes: u64,
    /// Packets that arrived.
    pub arrivals: u64,
}

/// A world that broke a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Its seed.
    pub seed: u64,
    /// Which rule, and how.
    pub violation: Violation,
    /// What happened, to the end.
    pub trace: Trace,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "seed {}: {}", self.seed, self.violation)?;
        writeln!(f, "the last {LAST_EVENTS} events:")?;
        for line in self.trace.last(LAST_EVENTS) {
            writeln!(f, "  {line}")?;
        }
        write!(
            f,
            "replay with the whole trace: EVERVIP_SIM_SEED={} cargo test -p evervip-sim",
            self.seed
        )
    }
}

/// A simulated world.
#[derive(Debug)]
pub struct World {
    seed: u64,
    pub(crate) now: Instant,
    pub(crate) random: Random,
    pub(crate) unit: Duration,
    pub(crate) network: Network,
    pub(crate) nodes: Vec<Node>,
    pub(crate) trace: Trace,
    pub(crate) summary: Summary,
    agenda: BTreeMap<(Instant, u64), Happening>,
    next_happening: u64,
    agreed: bool,
}

impl World {
    /// The world of a seed, before time begins.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let scenario = Scenario::draw(&mut random);
        Self {
            seed,
            now: Instant::ZERO,
            unit: scenario.unit,
            network: Network::new(scenario.latency),
            nodes: scenario
                .nodes
                .into_iter()
                .enumerate()
                .map(|(id, settings)| Node::new(id, settings))
                .collect(),
            random,
            trace: Trace::off(),
            summary: Summary::default(),
            agenda: BTreeMap::new(),
            next_happening: 0,
            agreed: false,
        }
    }

    /// The same world, written down.
    #[must_use]
    pub fn traced(mut self) -> Self {
        self.trace = Trace::on();
        self
    }

    /// The same world with one node's host broken. There are at least two nodes.
    #[must_use]
    pub fn with_sabotage(mut self, node: usize, sabotage: Sabotage) -> Self {
        if let Some(node) = self.nodes.get_mut(node) {
            node.sabotage = Some(sabotage);
        }
        self
    }

    /// Runs the world to its end.
    ///
    /// # Errors
    /// The first rule that was broken, with the trace as far as it was written.
    pub fn run(mut self) -> Result<(Summary, Trace), Box<Failure>> {
        match self.run_phases() {
            Ok(()) => Ok((self.summary, self.trace)),
            Err(violation) => {
                self.trace.note(self.now, format_args!("{violation}"));
                Err(Box::new(Failure {
                    seed: self.seed,
                    violation,
                    trace: self.trace,
                }))
            }
        }
    }

    fn run_phases(&mut self) -> Result<(), Violation> {
        for node in &self.nodes {
            let id = node.id;
            self.trace.note(
                self.now,
                format_args!("n{id} is configured with {:#?}", node.settings),
            );
        }
        // Boots take their time, and not all begin together.
        for id in 0..self.nodes.len() {
            let after = self.random.span(Duration::ZERO, self.unit * 4);
            let start = Relief::Start {
                node: id,
                resume: Vec::new(),
            };
            self.after(after, Happening::Relief(start));
        }
        let units = u32::try_from(self.random.between(40, 120)).unwrap_or(60);
        let trouble = self.unit * units;
        self.after(self.unit * 4, Happening::Trouble);
        self.run_until(Instant::ZERO + trouble)?;

        self.calm_down()?;
        let patience = Patience::of(&self.nodes);
        self.trace
            .note(self.now, format_args!("calm: {patience:?}"));
        self.run_until(self.now + patience.agree)?;
        agreement::check(&self.nodes)?;

        self.trace.note(self.now, format_args!("all agree"));
        self.agreed = true;
        let settled = Settled::look(&self.nodes);
        self.run_until(self.now + patience.stay)?;
        settled.check(&self.nodes, patience.stay)?;
        agreement::check(&self.nodes)?;
        for node in &self.nodes {
            self.summary.changes += node.watch.changes;
        }
        Ok(())
    }

    /// Enters something into the agenda.
    pub(crate) fn after(&mut self, wait: Duration, happening: Happening) {
        self.agenda
            .insert((self.now + wait, self.next_happening), happening);
        self.next_happening += 1;
    }

    /// No trouble and no relief any more.
    pub(crate) fn forget_trouble(&mut self) {
        self.agenda
            .retain(|_, happening| !matches!(happening, Happening::Trouble | Happening::Relief(_)));
    }

    fn run_until(&mut self, end: Instant) -> Result<(), Violation> {
        let mut timeouts_at_once = 0;
        loop {
            let next_happening = self.agenda.first_key_value().map(|((at, _), _)| *at);
            let next_timeout = self
                .nodes
                .iter()
                .filter_map(|node| Some((node.deadline()?.max(self.now), node.id)))
                .min();
            // What has arrived is handed over before a deadline is.
            match (next_happening, next_timeout) {
                (Some(at), timeout)
                    if at <= end && timeout.is_none_or(|(deadline, _)| at <= deadline) =>
                {
                    self.now = at;
                    if let Some((_, happening)) = self.agenda.pop_first() {
                        self.happen(happening)?;
                    }
                    timeouts_at_once = 0;
                }
                (_, Some((deadline, id))) if deadline <= end => {
                    timeouts_at_once = if deadline == self.now {
                        timeouts_at_once + 1
                    } else {
                        0
                    };
                    self.now = deadline;
                    if timeouts_at_once > MOST_TIMEOUTS_AT_ONCE {
                        return Err(Violation::new(
                            KEEPS_THE_BEAT,
                            format!("n{id} asks for the same deadline again and again"),
                        ));
                    }
                    self.tell(id, Input::Timeout)?;
                }
                _ => break,
            }
        }
        self.now = end;
        // Nobody has a deadline before `end`, but a beat may be missing all the same.
        for id in 0..self.nodes.len() {
            self.tell_if_running(id, Input::Timeout)?;
        }
        Ok(())
    }

    fn happen(&mut self, happening: Happening) -> Result<(), Violation> {
        match happening {
            Happening::Arrival { to, frame } => self.arrive(to, frame),
            Happening::Echo {
                node,
                life,
                address,
            } => {
                // A host does not believe what is older than its own removal.
                let there = self
                    .nodes
                    .get(node)
                    .is_some_and(|node| node.holds(address.prefix));
                if there && self.life_of(node) == Some(life) {
                    self.tell(node, Input::Notice(crate::kernel::Notice::Address(address)))?;
                }
                Ok(())
            }
            Happening::ScriptEnd {
                node,
                life,
                script,
                outcome,
            } => {
                if self.life_of(node) == Some(life) {
                    self.tell(node, Input::ScriptExit { script, outcome })?;
                }
                Ok(())
            }
            Happening::DetectionFinished { node, lan } => {
                self.change_kernel(node, |kernel| kernel.finish_detection(lan))
            }
            Happening::Trouble => {
                self.make_trouble()?;
                let wait = self.random.span(self.unit, self.unit * 8);
                self.after(wait, Happening::Trouble);
                Ok(())
            }
            Happening::Relief(relief) => self.relieve(relief),
        }
    }

    fn life_of(&self, node: usize) -> Option<u32> {
        self.nodes.get(node).map(|node| node.life)
    }

    fn arrive(&mut self, to: usize, frame: Frame) -> Result<(), Violation> {
        let Some(node) = self.nodes.get(to) else {
            return Ok(());
        };
        let heard = match node.sabotage {
            Some(Sabotage::DeafOnceAgreed) if self.agreed => None,
            Some(sabotage) => sabotage.hears(frame),
            None => Some(frame),
        };
        let Some(frame) = heard else {
            return Ok(());
        };
        let listens = node
            .kernel
            .nic(frame.lan)
            .is_some_and(|nic| nic.usable() && nic.receives(frame.destination));
        if !listens {
            return Ok(());
        }
        self.summary.arrivals += 1;
        self.tell(to, Input::Packet(frame))
    }

    /// Gives a process an input and does what follows from it.
    pub(crate) fn tell(&mut self, id: usize, input: Input) -> Result<(), Violation> {
        self.with_node(id, |node, now, outbox, trace| {
            node.handle(now, input, outbox, trace)
        })
    }

    fn tell_if_running(&mut self, id: usize, input: Input) -> Result<(), Violation> {
        if self.nodes.get(id).is_some_and(Node::is_running) {
            self.tell(id, input)?;
        }
        Ok(())
    }

    /// Lets a node do something, then carries what comes of it into the world.
    pub(crate) fn with_node(
        &mut self,
        id: usize,
        act: impl FnOnce(&mut Node, Instant, &mut Outbox, &mut Trace) -> Result<(), Violation>,
    ) -> Result<(), Violation> {
        let mut outbox = Outbox::default();
        let Some(node) = self.nodes.get_mut(id) else {
            return Ok(());
        };
        act(node, self.now, &mut outbox, &mut self.trace)?;
        self.dispatch(id, outbox);
        Ok(())
    }

    fn dispatch(&mut self, id: usize, outbox: Outbox) {
        for frame in outbox.frames {
            for to in 0..self.nodes.len() {
                if to == id {
                    continue;
                }
                let waits = self.network.deliveries(frame.lan, id, to, &mut self.random);
                for wait in waits {
                    let frame = frame.clone();
                    self.after(wait, Happening::Arrival { to, frame });
                }
            }
        }
        let Some(life) = self.life_of(id) else { return };
        for address in outbox.echoes {
            let wait = self.random.span(Duration::ZERO, Duration::from_millis(2));
            self.after(
                wait,
                Happening::Echo {
                    node: id,
                    life,
                    address,
                },
            );
        }
        for script in outbox.started {
            let manner = self.manner(id, &script);
            if let Manner::Exits(status) = manner {
                let wait = self.random.span(Duration::from_micros(100), self.unit / 2);
                self.end_script(id, life, script, ScriptOutcome::Exited(status), wait);
            }
        }
        for (script, signal) in outbox.signalled {
            let (number, ends) = match signal {
                Signal::Terminate => (15, self.manner(id, &script) != Manner::Stubborn),
                Signal::Kill => (9, true),
            };
            // A run that ends by itself at the same time is told of once, by whichever comes first.
            if ends && !self.script_ends_anyway(id, life, &script) {
                let wait = Duration::from_micros(500);
                self.end_script(id, life, script, ScriptOutcome::Signalled(number), wait);
            }
        }
    }

    fn manner(&self, id: usize, script: &str) -> Manner {
        self.nodes
            .get(id)
            .and_then(|node| node.manners.get(script))
            .copied()
            .unwrap_or(Manner::Exits(0))
    }

    fn script_ends_anyway(&self, id: usize, this_life: u32, name: &str) -> bool {
        self.agenda.values().any(|happening| {
            matches!(happening, Happening::ScriptEnd { node, life, script, .. }
                if *node == id && *life == this_life && script == name)
        })
    }

    fn end_script(
        &mut self,
        node: usize,
        life: u32,
        script: String,
        outcome: ScriptOutcome,
        wait: Duration,
    ) {
        self.after(
            wait,
            Happening::ScriptEnd {
                node,
                life,
                script,
                outcome,
            },
        );
    }
}
