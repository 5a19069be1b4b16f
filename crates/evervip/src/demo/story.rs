//! The story: five steps, each said, done, watched, told and checked.

use std::time::Duration;

use anyhow::{Result, anyhow, bail};
use lab::pause;
use sys::clock::now;
use sys::signals::SignalSet;
use types::Instant;

use super::Interrupted;
use super::configuration::{self, ADVERT_INTERVAL, VIRTUAL_ADDRESS};
use super::moments::{Outcome, Transition, millis, offset};
use super::network::Network;
use super::observer::Observer;
use super::prober;
use super::record::{Condition, Record, Router};
use super::screen::Screen;
use super::style::{Paint, Style};
use super::timeline::{self, Window};

/// How often the routers' addresses are read.
const LOOK: Duration = Duration::from_millis(10);
/// How often a drawing grows.
const REDRAW: Duration = Duration::from_millis(50);
/// The finest column: five make one advertisement interval.
const COLUMN: Duration = Duration::from_millis(20);
/// How long a step may take until everything is where it should be. Far longer than it takes, for a busy machine.
const PATIENCE: Duration = Duration::from_secs(15);
/// How long a step is watched after everything is where it should be: the fate of the last questions must be known.
const AFTERMATH: Duration = Duration::from_millis(200);

/// The story, and all it is played with.
pub(super) struct Story {
    screen: Screen,
    signals: SignalSet,
    fast: bool,
    // It watches the network, so it goes first.
    observer: Observer,
    network: Network,
    rows: Vec<Row>,
}

/// One step, before it is done.
struct Step {
    title: &'static str,
    /// What is done, and what should be seen.
    text: String,
    cause: &'static str,
    before: Option<Router>,
    after: Option<Router>,
}

/// One step, after it was done.
struct Row {
    title: &'static str,
    holder: Option<Router>,
    outcome: Outcome,
    /// Whether the client could expect answers.
    served: bool,
}

impl Story {
    /// Everything is ready, and no router has power yet. `fast` leaves out the time for reading.
    pub(super) fn new(
        screen: Screen,
        signals: SignalSet,
        fast: bool,
        observer: Observer,
        network: Network,
    ) -> Self {
        Self {
            screen,
            signals,
            fast,
            observer,
            network,
            rows: Vec::new(),
        }
    }

    /// Tells it from the beginning to the end.
    ///
    /// # Errors
    /// [`Interrupted`] when a signal came; anything else is a check that failed, or a host.
    pub(super) fn tell(&mut self) -> Result<()> {
        self.introduce()?;
        let interval = ADVERT_INTERVAL.as_duration().as_millis();
        let (alpha, beta) = (Router::Alpha, Router::Beta);
        for router in Router::BOTH {
            self.network.boot(router)?;
        }
        self.step(
            Step {
                title: "both routers start",
                text: format!(
                    "Each listens first: is there a master? After {} ms of silence alpha, which has\n\
                     the higher priority, takes the address. Until then nobody answers the client.",
                    whole(configuration::patience(alpha)),
                ),
                cause: "both daemons are started",
                before: None,
                after: Some(alpha),
            },
            |network| {
                let at = network.start_daemon(alpha)?;
                network.start_daemon(beta)?;
                Ok(at)
            },
        )?;
        self.step(
            Step {
                title: "alpha loses its power",
                text: format!(
                    "The cable goes dead and every process dies at the same instant: no goodbye.\n\
                     beta expects an advert every {interval} ms. When {} are missing, and {} ms later, it\n\
                     takes over: {} ms after the last one.",
                    configuration::MISSING_ADVERTS,
                    whole(configuration::skew(beta)),
                    whole(configuration::patience(beta)),
                ),
                cause: "alpha loses its power",
                before: Some(alpha),
                after: Some(beta),
            },
            |network| network.cut_power(alpha),
        )?;
        self.step(
            Step {
                title: "alpha comes back",
                text: String::from(
                    "A fresh host with the same file. alpha listens first, then takes the address\n\
                     from beta, for it has the higher priority. There is a master all the time: the\n\
                     client should lose nothing, or one question that falls into the change.",
                ),
                cause: "alpha's daemon is started",
                before: Some(beta),
                after: Some(alpha),
            },
            |network| {
                network.boot(alpha)?;
                network.start_daemon(alpha)
            },
        )?;
        self.step(
            Step {
                title: "alpha is shut down",
                text: format!(
                    "In good order this time (SIGTERM): its last advert has priority 0. beta need not\n\
                     count missing adverts, and takes over after {} ms.",
                    whole(configuration::skew(beta)),
                ),
                cause: "alpha gets SIGTERM",
                before: Some(alpha),
                after: Some(beta),
            },
            |network| network.stop_daemon(alpha),
        )?;
        self.network.expect_ended(alpha)?;
        self.step(
            Step {
                title: "beta is shut down, too",
                text: String::from(
                    "The last one leaves and takes the address away: nobody answers any more.",
                ),
                cause: "beta gets SIGTERM",
                before: Some(beta),
                after: None,
            },
            |network| network.stop_daemon(beta),
        )?;
        self.network.expect_ended(beta)?;
        self.conclude()
    }

    fn introduce(&mut self) -> Result<()> {
        let style = self.screen.style();
        let file: String = configuration::text(Router::Alpha)
            .lines()
            .map(|line| format!("    {line}\n"))
            .collect();
        let (alpha, beta) = (Router::Alpha, Router::Beta);
        let introduction = format!(
            "{heading}\n\n\
             Two routers share the address {VIRTUAL_ADDRESS}. One of them has it; when that\n\
             one dies, the other takes it over. A client asks the address for an answer\n\
             every {pace} ms.\n\n  \
               {alpha_name}  {alpha_address}  --+\n                       \
                                   +-- LAN -- client  {client}\n  \
               {beta_name}   {beta_address}  --+\n\n\
             All of it is real: hosts made of namespaces, two evervip daemons, packets.\n\
             Nothing else on this machine is touched. This is alpha's keepalived.conf:\n\n\
             {file}\n\
             beta's differs in one line: priority {beta_priority}.\n\n\
             What the drawings below mean, from left to right in time:\n\n{legend}",
            heading = style.paint(
                Paint::Heading,
                "evervip demo: what happens when a router dies"
            ),
            pace = prober::PACE.as_millis(),
            alpha_name = style.paint(Paint::Of(alpha), alpha.name()),
            alpha_address = configuration::address(alpha),
            client = configuration::CLIENT_ADDRESS,
            beta_name = style.paint(Paint::Of(beta), beta.name()),
            beta_address = configuration::address(beta),
            beta_priority = configuration::priority(beta),
            legend = timeline::legend(style).join("\n"),
        );
        self.screen.say(&introduction)?;
        self.reading_time(Duration::from_secs(5))
    }

    /// Says what will be done, does it, watches until things are as expected, draws and tells it, and checks.
    fn step(
        &mut self,
        step: Step,
        act: impl FnOnce(&mut Network) -> Result<Instant>,
    ) -> Result<()> {
        let style = self.screen.style();
        let number = self.rows.len() + 1;
        let heading = style.paint(Paint::Heading, &format!("Step {number}: {}", step.title));
        self.screen.say(&format!("\n{heading}\n{}\n", step.text))?;
        self.reading_time(Duration::from_secs(3))?;

        self.look()?;
        let zero = act(&mut self.network)?;
        let until = self
            .watch(zero, &step)
            .map_err(|error| self.explained(error))?;
        let transition = Transition {
            zero,
            cause: step.cause,
            before: step.before,
            after: step.after,
            until,
        };
        let outcome = transition.outcome(self.observer.record());
        self.report(&transition, step.before.is_some() && step.after.is_some())?;
        let row = Row {
            title: step.title,
            holder: step.after,
            outcome,
            served: step.before.is_some() && step.after.is_some(),
        };
        self.check(step.after)
            .map_err(|error| self.explained(error))?;
        self.rows.push(row);
        self.reading_time(Duration::from_secs(2))
    }

    /// Lets the drawing grow until the step has come to its end; returns when that was.
    fn watch(&mut self, zero: Instant, step: &Step) -> Result<Instant> {
        let mut settled_at = None;
        let mut drawn_at = Instant::ZERO;
        let full = Window::around(zero, COLUMN, zero).end();
        loop {
            self.look()?;
            let at = now();
            if settled_at.is_none() && self.is_settled(zero, step) {
                settled_at = Some(at);
            }
            if at.since(drawn_at) >= REDRAW {
                drawn_at = at;
                let lines = self.drawing(zero, at);
                self.screen.draw(&lines)?;
            }
            // The time for reading makes room for a full drawing; without it only the facts count.
            let end = settled_at.map(|settled| {
                let known = settled + AFTERMATH;
                if self.fast { known } else { known.max(full) }
            });
            match end {
                Some(end) if at >= end => {
                    let lines = self.drawing(zero, end);
                    self.screen.settle(&lines)?;
                    return Ok(end);
                }
                None if at.since(zero) > PATIENCE => {
                    let lines = self.drawing(zero, at);
                    self.screen.settle(&lines)?;
                    bail!(
                        "{}: after {} s {}; {} should have come to pass",
                        step.title,
                        PATIENCE.as_secs(),
                        whereabouts(&self.network.holders()?),
                        wish(step.after),
                    );
                }
                Some(_) | None => pause(LOOK),
            }
        }
    }

    /// Everything is where the step wants it, and has been seen on the LAN and by the client.
    fn is_settled(&self, zero: Instant, step: &Step) -> bool {
        let record = self.observer.record();
        let at = now();
        let as_wished = Router::BOTH.into_iter().all(|router| {
            let condition = record.condition_at(router, at);
            (condition == Condition::Holding) == (step.after == Some(router))
        });
        as_wished
            && step.after.is_none_or(|router| {
                record.first_claim(router, zero).is_some()
                    && record.first_announcement(router, zero).is_some()
                    && record.first_answer(router, zero).is_some()
            })
    }

    fn drawing(&self, zero: Instant, at: Instant) -> Vec<String> {
        let style = self.screen.style();
        let record = self.observer.record();
        let window = Window::around(zero, COLUMN, at);
        let interval = ADVERT_INTERVAL.as_duration();
        let mut lines = timeline::draw(record, window, interval, at, style);
        if style.animate {
            lines.push(status(record, zero, at, style));
        }
        lines
    }

    fn report(&mut self, transition: &Transition, served: bool) -> Result<()> {
        let style = self.screen.style();
        let record = self.observer.record();
        let mut text = String::from("\n");
        for (at, what) in transition.moments(record) {
            let when = format!("{:>10} ms", offset(at, transition.zero));
            let when = style.paint(Paint::Dim, &when);
            let what = match what.split_once(": ") {
                Some((who, what)) => {
                    let paint = Router::from_name(who.as_bytes()).map_or(Paint::Plain, Paint::Of);
                    format!("{}: {what}", style.paint(paint, who))
                }
                None => what,
            };
            text += &format!("{when}  {what}\n");
        }
        let loss = transition.outcome(record).loss;
        if served && loss.probes == 0 {
            let nothing = style.paint(Paint::Good, "lost nothing");
            text += &format!("\n  The client {nothing}.");
        } else if served {
            let gap = format!("{} ms without an answer", millis(loss.longest));
            let gap = style.paint(Paint::Alarm, &gap);
            text += &format!("\n  The client: {gap} ({} questions lost).", loss.probes);
        }
        self.screen.say(text.trim_end_matches('\n'))?;
        Ok(())
    }

    /// Reads the addresses of both hosts: the virtual one must be where it belongs, and nowhere else.
    fn check(&mut self, expected: Option<Router>) -> Result<()> {
        let holders = self.network.holders()?;
        if holders != Vec::from_iter(expected) {
            bail!(
                "the check failed: {}; {} was expected",
                whereabouts(&holders),
                wish(expected)
            );
        }
        let good = self.screen.style().paint(Paint::Good, "Check");
        let found = match expected {
            Some(router) => format!(
                "{VIRTUAL_ADDRESS} is on {} and nowhere else.",
                router.name()
            ),
            None => format!("{VIRTUAL_ADDRESS} is nowhere."),
        };
        self.screen.say(&format!("  {good}: {found}"))?;
        Ok(())
    }

    fn conclude(&mut self) -> Result<()> {
        let style = self.screen.style();
        let heading = style.paint(Paint::Heading, "Summary");
        let mut text = format!(
            "\n{heading}\n  {:<26}{:<12}{:<18}{}\n",
            "step", "address on", "taken over after", "client without answer"
        );
        for (index, row) in self.rows.iter().enumerate() {
            let step = format!("{}  {}", index + 1, row.title);
            let holder = row.holder.map_or("nobody", Router::name);
            let after = row.outcome.took_over_after.map_or_else(
                || String::from("-"),
                |after| format!("{:>7} ms", millis(after)),
            );
            let loss = row.outcome.loss;
            let client = match (row.served, loss.probes) {
                (false, _) => String::from("      -"),
                (true, 0) => String::from("   none"),
                (true, _) => format!("{:>7} ms", millis(loss.longest)),
            };
            text += format!("  {step:<26}{holder:<12}{after:<18}{client}").trim_end();
            text += "\n";
        }
        text += "\nThe time that a crash costs is yours to choose: with advert_int 1, which is the\n\
             default, it is ten times as long, with advert_int 0.02 a fifth.\n\n\
             How to go on:\n";
        for (what, why) in [
            ("evervip -h", "the options; they are keepalived's"),
            (
                "evervip -t -f FILE",
                "what is wrong with a configuration of yours",
            ),
            ("README.md", "how to put evervip in keepalived's place"),
        ] {
            let what = style.paint(Paint::Heading, &format!("{what:<20}"));
            text += &format!("  {what}{why}\n");
        }
        text.truncate(text.trim_end().len());
        self.screen.say(&text)?;
        Ok(())
    }

    /// Observes what there is to see, and ends the story when somebody wants that.
    fn look(&mut self) -> Result<()> {
        if let Some(signal) = self.signals.read()? {
            return Err(Interrupted {
                signal: signal.number,
            }
            .into());
        }
        self.observer.look(&mut self.network)
    }

    /// Gives people time to read.
    fn reading_time(&mut self, time: Duration) -> Result<()> {
        let until = now() + if self.fast { Duration::ZERO } else { time };
        while now() < until {
            self.look()?;
            pause(LOOK);
        }
        Ok(())
    }

    /// Adds what the daemons said last, unless nothing is wrong with them.
    fn explained(&mut self, error: anyhow::Error) -> anyhow::Error {
        if error.is::<Interrupted>() {
            return error;
        }
        anyhow!("{error:#}\n\n{}", self.network.last_words())
    }
}

/// One line under a drawing that grows.
fn status(record: &Record, zero: Instant, at: Instant, style: Style) -> String {
    let holders: Vec<String> = Router::BOTH
        .into_iter()
        .filter(|router| record.condition_at(*router, at) == Condition::Holding)
        .map(|router| style.paint(Paint::Of(router), router.name()))
        .collect();
    let holder = if holders.is_empty() {
        style.paint(Paint::Alarm, "nobody")
    } else {
        holders.join(" and ")
    };
    let lost = record.loss(zero.before(prober::PACE * 2), at, at).probes;
    format!(
        "  {:>7} ms   address on {holder}   questions lost {lost}",
        at.since(zero).as_millis()
    )
}

fn whereabouts(holders: &[Router]) -> String {
    match holders {
        [] => format!("{VIRTUAL_ADDRESS} is on no router"),
        [one] => format!("{VIRTUAL_ADDRESS} is on {}", one.name()),
        _ => format!("{VIRTUAL_ADDRESS} is on both routers"),
    }
}

fn wish(expected: Option<Router>) -> String {
    expected.map_or_else(
        || String::from("on none"),
        |router| format!("on {} alone", router.name()),
    )
}

fn whole(duration: Duration) -> String {
    format!("{:.0}", duration.as_secs_f64() * 1_000.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_check_says_what_is_wrong() {
        assert_eq!(
            whereabouts(&Router::BOTH),
            "198.18.0.100 is on both routers"
        );
        assert_eq!(whereabouts(&[Router::Alpha]), "198.18.0.100 is on alpha");
        assert_eq!(whereabouts(&[]), "198.18.0.100 is on no router");
        assert_eq!(wish(Some(Router::Beta)), "on beta alone");
        assert_eq!(wish(None), "on none");
    }
}
