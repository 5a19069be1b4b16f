//! How a child begins: its parent says over the inherited socket what it is and what it is to do.

use anyhow::{Context as _, Result};
use log::warn;
use sys::channel::{Channel, Receipt};
use sys::event_loop::EventLoop;
use sys::heartbeat::Heartbeat;
use sys::process;
use sys::signals::SignalSet;

use super::line::Line;
use super::orders::Orders;
use super::{DUMP_SIGNALS, SIGCHLD, SIGHUP, SIGINT, SIGTERM};
use crate::messages::{LONGEST, Start, ToChild};

/// What a child has when it begins.
pub(crate) struct Beginning {
    /// The parent is at its other end. It is in `events`, under [`CHANNEL`].
    pub line: Line,
    /// What it says, and signals: these are in `events`, too, under [`SIGNALS`].
    pub orders: Orders,
    /// The epoll set.
    pub events: EventLoop,
    /// What the parent said.
    pub start: Start,
    /// The memory to beat in.
    pub heartbeat: Option<Heartbeat>,
}

/// A token in the epoll set of every child: there is something from the parent.
pub(crate) const CHANNEL: u64 = 0;
/// The same for signals.
pub(crate) const SIGNALS: u64 = 1;

/// Blocks until the parent has sent what a child begins with; then it logs, and has its name. `None` when the parent is
/// gone.
pub(super) fn wait_for_start(channel: Channel) -> Result<Option<Beginning>> {
    let mut numbers = vec![SIGHUP, SIGINT, SIGTERM, SIGCHLD];
    numbers.extend(DUMP_SIGNALS);
    let signals = SignalSet::block_and_listen(&numbers)?;
    let events = EventLoop::new()?;
    events.add(&channel, CHANNEL)?;
    let mut heartbeat = None;
    let mut buffer = vec![0; LONGEST];
    let mut ready = Vec::new();
    loop {
        match channel.receive(&mut buffer)? {
            Receipt::Nothing => events.wait(&mut ready)?,
            Receipt::Closed => return Ok(None),
            Receipt::Message { length, attachment } => {
                let message = postcard::from_bytes(buffer.get(..length).unwrap_or_default())
                    .context("message of the parent")?;
                match (message, attachment) {
                    (ToChild::Heartbeat, Some(memory)) => {
                        heartbeat = Some(Heartbeat::from_fd(memory)?)
                    }
                    (ToChild::Start, Some(memory)) => {
                        let bytes = sys::channel::read_sealed(&memory)?;
                        let start: Start =
                            postcard::from_bytes(&bytes).context("settings from the parent")?;
                        crate::logging::start(&start.log, &start.ident);
                        process::set_task_name(&start.task_name)?;
                        events.add(&signals, SIGNALS)?;
                        return Ok(Some(Beginning {
                            line: Line::new(channel),
                            orders: Orders::new(signals),
                            events,
                            start,
                            heartbeat,
                        }));
                    }
                    (ToChild::Stop, _) => return Ok(None),
                    (other, _) => warn!("the parent sent {other:?} before it said how to begin"),
                }
            }
        }
    }
}
