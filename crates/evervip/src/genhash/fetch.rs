//! Asks for one page: a dialogue with a socket and a timer of its own.

use std::net::SocketAddr;

use anyhow::bail;
use lvs::dialogue::http::HttpFailure;
use lvs::dialogue::{Attempt, Failure, NoPatterns, Trouble, TroubleKind, Verdict};
use lvs::settings::checkers::{
    CheckerKind, Endpoint, HttpCheck, Microseconds, Sni, StatusRange, Tls, Url,
};
use sys::check_socket::{self, Carrier, CheckSocket, Heard, Opened, Origin, Sent};
use sys::event_loop::EventLoop;
use sys::timer::Timer;

use super::Page;
use super::options::Options;
use crate::conversation::Conversation;
use crate::tls::Context;

/// How much is read at once, in bytes: as much of an answer as keepalived looks at together.
const BUFFER: usize = 4095;

const SOCKET: u64 = 0;
const TIMER: u64 = 1;

/// Tells `see` each piece of the answer as it comes.
///
/// # Errors
/// When something on our side does not work, or `see` says so.
pub(super) fn fetch(
    options: &Options,
    see: &mut dyn FnMut(&[u8]) -> anyhow::Result<()>,
) -> anyhow::Result<Page> {
    let context = options.tls.then(|| Context::new(None, false)).transpose();
    let context = match context {
        Ok(context) => context,
        Err(problem) => bail!("{problem}"),
    };
    let kind = check(options);
    let now = sys::clock::now();
    let attempt = Attempt::default();
    let begun = Conversation::begin(now, &kind, attempt, &NoPatterns, context.as_ref());
    let Some(mut conversation) = begun else {
        bail!("this is no page");
    };
    conversation.watch();
    let origin = Origin {
        mark: options.mark,
        ..Origin::default()
    };
    let destination = SocketAddr::new(options.server, options.port);
    match CheckSocket::open(Carrier::Stream, destination, &origin)? {
        Opened::Refused(problem) => conversation.handle_trouble(now, trouble(&problem)),
        Opened::Connected(socket) | Opened::InProgress(socket) => {
            Call::new(socket)?.run(&mut conversation, see)?;
        }
    }
    judge(&conversation)
}

/// What a check would be that wants the page, whatever is in it.
fn check(options: &Options) -> CheckerKind {
    let sni = match &options.virtualhost {
        Some(name) if options.sni => Sni::Named(name.clone()),
        _ => Sni::Off,
    };
    CheckerKind::Http(Box::new(HttpCheck {
        endpoint: Endpoint {
            destination: SocketAddr::new(options.server, options.port),
            connect_timeout: Microseconds::from_secs(options.timeout),
            source: None,
        },
        tls: options.tls.then_some(Tls {
            sni,
            compliant: false,
            verify_peer: false,
        }),
        version: options.version,
        virtualhost: options.virtualhost.clone(),
        fast_recovery: false,
        urls: vec![Url {
            path: options.url.clone(),
            virtualhost: None,
            // Any: so that one is made of what comes.
            digest: Some([0; 16]),
            status_codes: vec![StatusRange {
                least: u16::MIN,
                most: u16::MAX,
            }],
            regex: None,
            tls_compliant: false,
        }],
    }))
}

fn judge(conversation: &Conversation) -> anyhow::Result<Page> {
    let digest = conversation.answer().and_then(|answer| answer.digest());
    match (conversation.verdict(), digest) {
        (Some(Verdict::Success), Some(digest)) => Ok(Page::Digest(digest)),
        (Some(Verdict::Failure(failure)), digest) => Ok(match (failure, digest) {
            (Failure::Http(page), Some(digest)) if is_judged(page) => Page::Digest(digest),
            (Failure::Http(page), _) if has_no_header(page) => Page::Nothing,
            _ => Page::Failure(failure.clone()),
        }),
        (Some(Verdict::NoResult(obstacle)), _) => bail!("{obstacle}"),
        (Some(Verdict::Success) | None, _) => bail!("the answer came to no end"),
    }
}

/// Only what a check would want of the page is wrong.
fn is_judged(failure: &HttpFailure) -> bool {
    matches!(
        failure,
        HttpFailure::Status { .. } | HttpFailure::Digest { .. }
    )
}

fn has_no_header(failure: &HttpFailure) -> bool {
    matches!(
        failure,
        HttpFailure::NoHeader { .. } | HttpFailure::HeaderTooLong
    )
}

fn trouble(problem: &check_socket::Trouble) -> Trouble {
    Trouble {
        kind: match problem.kind {
            check_socket::TroubleKind::Refused => TroubleKind::Refused,
            check_socket::TroubleKind::Unreachable => TroubleKind::Unreachable,
            check_socket::TroubleKind::Other => TroubleKind::Other,
        },
        number: problem.number(),
        text: problem.to_string().into(),
    }
}

/// The socket, and what it waits on.
struct Call {
    socket: CheckSocket,
    timer: Timer,
    events: EventLoop,
    connected: bool,
    unsent: Vec<u8>,
}

impl Call {
    fn new(socket: CheckSocket) -> anyhow::Result<Self> {
        let (timer, events) = (Timer::new()?, EventLoop::new()?);
        events.add_for_changes(&socket, SOCKET)?;
        events.add(&timer, TIMER)?;
        Ok(Self {
            socket,
            timer,
            events,
            connected: false,
            unsent: Vec::new(),
        })
    }

    /// Until there is a verdict.
    fn run(
        &mut self,
        conversation: &mut Conversation,
        see: &mut dyn FnMut(&[u8]) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let mut ready = Vec::new();
        while conversation.verdict().is_none() {
            self.timer.arm(Some(conversation.deadline()))?;
            self.events.wait(&mut ready)?;
            self.timer.acknowledge()?;
            self.hear(conversation, see)?;
            conversation.handle_timeout(sys::clock::now());
        }
        Ok(())
    }

    /// Reads all that there is: the socket is mentioned again only when more has come.
    fn hear(
        &mut self,
        conversation: &mut Conversation,
        see: &mut dyn FnMut(&[u8]) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        if !self.connected {
            if !self.socket.is_decided() {
                return Ok(());
            }
            let now = sys::clock::now();
            match self.socket.outcome() {
                Ok(()) => conversation.handle_connected(now),
                Err(problem) => conversation.handle_trouble(now, trouble(&problem)),
            }
            self.connected = true;
        }
        let mut buffer = [0; BUFFER];
        loop {
            self.transmit(conversation);
            if conversation.verdict().is_some() {
                return Ok(());
            }
            let now = sys::clock::now();
            match self.socket.receive(&mut buffer) {
                Heard::Bytes(count) => {
                    let bytes = buffer.get(..count).unwrap_or_default();
                    conversation.handle_bytes(now, bytes);
                }
                Heard::End => conversation.handle_end(now),
                Heard::Nothing => return Ok(()),
                Heard::Trouble(problem) => conversation.handle_trouble(now, trouble(&problem)),
            }
            for piece in conversation.take_seen() {
                see(&piece)?;
            }
        }
    }

    fn transmit(&mut self, conversation: &mut Conversation) {
        loop {
            let now = sys::clock::now();
            if self.unsent.is_empty() {
                match conversation.poll_transmit(now) {
                    Some(bytes) => self.unsent = bytes,
                    None => return,
                }
            }
            match self.socket.send(&self.unsent) {
                Sent::Bytes(count) => drop(self.unsent.drain(..count.min(self.unsent.len()))),
                Sent::Full => return,
                Sent::Trouble(problem) => {
                    return conversation.handle_send_trouble(now, trouble(&problem));
                }
            }
        }
    }
}
