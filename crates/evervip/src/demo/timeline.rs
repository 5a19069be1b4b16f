//! Draws a record as lanes on an axis of time: one for each router, one for the client. Facts in, text out.

use std::time::Duration;

use types::{Claim, Instant};

use super::record::{Condition, Fate, Record, Router};
use super::style::{Paint, Sign, Style};

/// Columns of a lane; with its label it fits 80.
const COLUMNS: u32 = 68;
/// Columns before the label of a lane ends.
const LABEL: usize = 10;
/// Columns before the moment that everything is counted from.
const LEAD: u32 = 10;
/// Columns between two numbers on the axis.
const TICK: u32 = 10;

/// The part of the axis that is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Window {
    zero: Instant,
    column: Duration,
}

impl Window {
    /// With `zero` near its left edge and `until` before its right one. A column is `finest`, or twice that, or four times,
    /// as is needed.
    pub(super) fn around(zero: Instant, finest: Duration, until: Instant) -> Self {
        let mut window = Self {
            zero,
            column: finest,
        };
        // Twenty doublings make a year out of thirty seconds.
        for _ in 0..20 {
            if window.end() >= until {
                break;
            }
            window.column *= 2;
        }
        window
    }

    /// The right edge.
    pub(super) fn end(&self) -> Instant {
        self.zero + self.column * (COLUMNS - LEAD)
    }

    /// The left edge.
    fn start(&self) -> Instant {
        self.zero.before(self.column * LEAD)
    }

    /// Each column's beginning and end.
    fn columns(self) -> impl Iterator<Item = (Instant, Instant)> {
        (0..COLUMNS).map(move |number| {
            let from = self.start() + self.column * number;
            (from, from + self.column)
        })
    }
}

/// The axis and the lanes, as known at `now`; `interval` is the one at which adverts are due.
pub(super) fn draw(
    record: &Record,
    window: Window,
    interval: Duration,
    now: Instant,
    style: Style,
) -> Vec<String> {
    let mut lines = vec![axis(window, style)];
    let missed = record.missed_adverts(interval, now);
    for router in Router::BOTH {
        let cells = window.columns().map(|column| {
            (column.0 < now).then(|| router_cell(record, &missed, router, column, style))
        });
        let label = style.paint(Paint::Of(router), &format!("  {:<8}", router.name()));
        lines.push(label + &lane(cells, style));
    }
    let cells = window.columns().map(|column| {
        (column.0 < now)
            .then(|| client_cell(record, column, now))
            .flatten()
    });
    lines.push(format!("  {:<8}", "client") + &lane(cells, style));
    lines
}

/// What the signs mean, for the beginning.
pub(super) fn legend(style: Style) -> Vec<String> {
    let sign = |paint, sign: Sign| style.paint(paint, &style.sign(sign).to_string());
    let run = |paint, sign: Sign| style.paint(paint, &style.sign(sign).to_string().repeat(3));
    let (alpha, beta) = (Router::Alpha, Router::Beta);
    vec![
        format!(
            "  routers   {} advert: \"I am master\"     {} gratuitous ARP: \"the address is here\"",
            sign(Paint::Of(alpha), Sign::Advert),
            sign(Paint::Of(alpha), Sign::Announcement),
        ),
        format!(
            "            {} advert due, not sent      {} advert with priority 0: \"I am leaving\"",
            sign(Paint::Alarm, Sign::Missed),
            sign(Paint::Goodbye, Sign::Goodbye),
        ),
        format!(
            "            {} has the address  {} runs without it  {} daemon not running",
            run(Paint::Of(alpha), Sign::Holding),
            run(Paint::Dim, Sign::Waiting),
            run(Paint::Dim, Sign::Off),
        ),
        format!(
            "  client    {} answered by alpha  {} by beta  {} questions without an answer",
            style.paint(Paint::Area(alpha), "aaa"),
            style.paint(Paint::Area(beta), "bbb"),
            style.paint(Paint::AlarmArea, "xxx"),
        ),
    ]
}

fn axis(window: Window, style: Style) -> String {
    let mut line = " ".repeat(LABEL);
    for tick in (0..COLUMNS).step_by(usize::try_from(TICK).unwrap_or(1)) {
        let at = window.start() + window.column * tick;
        let offset = if at < window.zero {
            format!("-{}", window.zero.since(at).as_millis())
        } else {
            at.since(window.zero).as_millis().to_string()
        };
        let label = if tick == 0 {
            format!("|{offset} ms")
        } else {
            format!("|{offset}")
        };
        line += &format!(
            "{label:<width$}",
            width = usize::try_from(TICK).unwrap_or(0)
        );
    }
    style.paint(Paint::Dim, line.trim_end())
}

/// A cell that has something in it.
type Cell = (Paint, char);

/// The cells as one text; neighbours of one colour are painted together.
fn lane(cells: impl Iterator<Item = Option<Cell>>, style: Style) -> String {
    let mut runs: Vec<(Paint, String)> = Vec::new();
    for cell in cells {
        let (paint, sign) = cell.unwrap_or((Paint::Plain, ' '));
        match runs.last_mut() {
            Some((last, text)) if *last == paint => text.push(sign),
            _ => runs.push((paint, sign.to_string())),
        }
    }
    let text: String = runs
        .iter()
        .map(|(paint, text)| style.paint(*paint, text))
        .collect();
    text.trim_end().to_owned()
}

fn router_cell(
    record: &Record,
    missed: &[(Instant, Router)],
    router: Router,
    (from, to): (Instant, Instant),
    style: Style,
) -> Cell {
    let within = |at: Instant, whose: Router| whose == router && (from..to).contains(&at);
    let mut adverts = record
        .adverts
        .iter()
        .filter(|advert| within(advert.at, advert.from))
        .peekable();
    let advertises = adverts.peek().is_some();
    let leaves = adverts.any(|advert| advert.claim == Claim::Leaving);
    let announces = record
        .announcements
        .iter()
        .any(|(at, whose)| within(*at, *whose));
    let misses = missed.iter().any(|(at, whose)| within(*at, *whose));
    let held = record.condition_at(router, from) == Condition::Holding
        || record
            .conditions
            .iter()
            .any(|(at, whose, condition)| within(*at, *whose) && *condition == Condition::Holding);
    let (paint, sign) = if leaves {
        (Paint::Goodbye, Sign::Goodbye)
    } else if announces {
        (Paint::Of(router), Sign::Announcement)
    } else if advertises {
        (Paint::Of(router), Sign::Advert)
    } else if misses {
        (Paint::Alarm, Sign::Missed)
    } else if held {
        (Paint::Of(router), Sign::Holding)
    } else {
        match record.condition_at(router, to) {
            Condition::Off => (Paint::Dim, Sign::Off),
            Condition::Waiting | Condition::Holding => (Paint::Dim, Sign::Waiting),
        }
    };
    (paint, style.sign(sign))
}

/// The worst that happened to a question of this time.
fn client_cell(record: &Record, (from, to): (Instant, Instant), now: Instant) -> Option<Cell> {
    let mut cell = None;
    // In the order of time, so only a short stretch is looked at.
    let first = record.probes.partition_point(|probe| probe.sent < from);
    for probe in record.probes.iter().skip(first) {
        if probe.sent >= to {
            break;
        }
        match probe.fate(now) {
            Fate::Lost => return Some((Paint::AlarmArea, 'x')),
            Fate::Answered(Router::Alpha) => cell = Some((Paint::Area(Router::Alpha), 'a')),
            Fate::Answered(Router::Beta) => cell = Some((Paint::Area(Router::Beta), 'b')),
            Fate::Open => {}
        }
    }
    cell
}

#[cfg(test)]
mod tests {
    use super::super::record::{Advert, Probe};
    use super::*;

    const COLUMN: Duration = Duration::from_millis(20);
    const INTERVAL: Duration = Duration::from_millis(100);

    fn at(millis: u64) -> Instant {
        Instant::from_nanos(millis * 1_000_000)
    }

    /// alpha dies at 1000; its last advert was at 960.
    fn failover() -> Record {
        let mut record = Record::default();
        record.note_condition(at(0), Router::Alpha, Condition::Holding);
        record.note_condition(at(0), Router::Beta, Condition::Waiting);
        record.note_condition(at(1_001), Router::Alpha, Condition::Off);
        record.note_condition(at(1_322), Router::Beta, Condition::Holding);
        let adverts = [760, 860, 960]
            .map(|millis| (millis, Router::Alpha, 150))
            .into_iter()
            .chain([1_321, 1_421, 1_521].map(|millis| (millis, Router::Beta, 100)));
        record.adverts = adverts
            .map(|(millis, from, priority)| Advert {
                at: at(millis),
                from,
                claim: Claim::from_wire(priority),
            })
            .collect();
        record.announcements = vec![(at(1_322), Router::Beta)];
        record.probes = (0_u64..400)
            .map(|number| {
                let sent = number * 4;
                let by = match sent {
                    0..1_000 => Some(Router::Alpha),
                    1_000..1_324 => None,
                    _ => Some(Router::Beta),
                };
                Probe {
                    sent: at(sent),
                    answer: by.map(|by| (at(sent + 1), by)),
                }
            })
            .collect();
        record
    }

    #[test]
    fn a_failover_looks_like_one() {
        let window = Window::around(at(1_000), COLUMN, at(1_560));
        let lines = draw(&failover(), window, INTERVAL, at(1_560), Style::PLAIN);
        let expected = [
            "          |-200 ms  |0        |200      |400      |600      |800      |1000",
            "  alpha   ===^====^==..!....!....!..............",
            "  beta    --------------------------#====^====^=",
            "  client  aaaaaaaaaaxxxxxxxxxxxxxxxxxbbbbbbbbbbb",
        ];
        assert_eq!(lines, expected);
    }

    #[test]
    fn what_has_not_happened_is_not_drawn() {
        let window = Window::around(at(1_000), COLUMN, at(1_000));
        let lines = draw(&failover(), window, INTERVAL, at(1_000), Style::PLAIN);
        assert_eq!(lines.get(1).unwrap(), "  alpha   ===^====^=");
        assert_eq!(lines.get(3).unwrap(), "  client  aaaaaaaaaa");
    }

    #[test]
    fn a_goodbye_is_drawn_over_everything_else() {
        let mut record = failover();
        record.adverts.truncate(3);
        record.adverts.push(Advert {
            at: at(965),
            from: Router::Alpha,
            claim: Claim::Leaving,
        });
        let window = Window::around(at(1_000), COLUMN, at(1_000));
        let lines = draw(&record, window, INTERVAL, at(1_400), Style::PLAIN);
        assert_eq!(
            lines.get(1).unwrap(),
            "  alpha   ===^====0==...................",
            "and nothing is missed after it"
        );
    }

    #[test]
    fn a_slow_story_gets_wider_columns() {
        let window = Window::around(at(1_000), COLUMN, at(5_000));
        assert!(window.end() >= at(5_000));
        let lines = draw(&failover(), window, INTERVAL, at(1_560), Style::PLAIN);
        let axis = lines.first().unwrap();
        assert!(axis.contains("|-800 ms  |0        |800 "), "{axis}");
        assert_eq!(lines.get(3).unwrap(), "  client  aaaaaaaaaaxxxxxbb");
    }

    #[test]
    fn every_style_fits_80_columns_and_shows_the_same() {
        let rich = Style {
            colour: true,
            unicode: true,
            animate: true,
        };
        let window = Window::around(at(1_000), COLUMN, at(1_560));
        let plain = draw(&failover(), window, INTERVAL, at(2_160), Style::PLAIN);
        let coloured = draw(&failover(), window, INTERVAL, at(2_160), rich);
        let legends = (legend(Style::PLAIN), legend(rich));
        let lines = plain.iter().zip(&coloured);
        for (plain, coloured) in lines.chain(legends.0.iter().zip(&legends.1)) {
            assert!(plain.is_ascii() && plain.len() <= 80, "{plain}");
            let seen = without_colours(coloured);
            assert_eq!(seen.trim_end().chars().count(), plain.len(), "{seen}");
        }
        assert!(coloured.concat().contains('✗'));
    }

    /// What a terminal shows of it.
    fn without_colours(text: &str) -> String {
        let mut parts = text.split("\x1b[");
        let mut seen = parts.next().unwrap().to_owned();
        for part in parts {
            seen += part.split_once('m').unwrap().1;
        }
        seen
    }
}
