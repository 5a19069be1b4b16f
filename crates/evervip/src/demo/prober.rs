//! The service behind the virtual address, and the client that uses it: a question every few milliseconds, answered with
//! the name of the router that got it.

use std::io::ErrorKind;
use std::net::{SocketAddr, SocketAddrV4, UdpSocket};
use std::os::unix::net::UnixStream;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::Result;
use lab::Host;
use sys::clock::now;
use sys::event_loop::EventLoop;
use sys::timer::Timer;
use types::Instant;

use super::configuration::{CLIENT_ADDRESS, VIRTUAL_ADDRESS};
use super::record::{Probe, Record, Router};

/// The port of the service.
const PORT: u16 = 7777;
/// How often the client asks.
pub(super) const PACE: Duration = Duration::from_millis(4);
/// News the story has not fetched yet: some twenty seconds of them. Beyond that the client waits for the story.
const MOST_NEWS: usize = 10_000;
/// Bytes of a question: its number. The answer is the same number and a name.
const QUESTION: usize = 8;

const SOCKET: u64 = 1;
const STOP: u64 = 2;
const TIMER: u64 = 3;

/// A thread that ends when this is dropped.
#[derive(Debug)]
struct Helper {
    /// Closing it is the message.
    stop: Option<UnixStream>,
    thread: Option<JoinHandle<()>>,
}

impl Helper {
    /// Runs `work` until it fails or the other end of its stream is closed.
    fn start(
        name: String,
        work: impl FnOnce(UnixStream) -> Result<()> + Send + 'static,
    ) -> Result<Self> {
        let (stop, stopped) = UnixStream::pair()?;
        let shown = name.clone();
        let thread = thread::Builder::new().name(name).spawn(move || {
            if let Err(error) = work(stopped) {
                // What it leaves undone is missed by the checks of the story; this says why.
                eprintln!("{shown}: {error:#}");
            }
        })?;
        Ok(Self {
            stop: Some(stop),
            thread: Some(thread),
        })
    }
}

impl Drop for Helper {
    fn drop(&mut self) {
        drop(self.stop.take());
        if self
            .thread
            .take()
            .is_some_and(|thread| thread.join().is_err())
        {
            eprintln!("a helper thread panicked");
        }
    }
}

/// The service on a router's host. It ends when this is dropped.
#[derive(Debug)]
pub(super) struct Responder {
    _helper: Helper,
}

impl Responder {
    /// Serves the virtual address on `host`, whenever that is there.
    ///
    /// # Errors
    /// When the port is taken.
    pub(super) fn start(host: &Host, router: Router) -> Result<Self> {
        let socket = host.run(|| -> Result<UdpSocket> {
            // A service that is to answer from an address which may come later (ip(7)).
            std::fs::write("/proc/sys/net/ipv4/ip_nonlocal_bind", "1")?;
            let socket = UdpSocket::bind(SocketAddrV4::new(VIRTUAL_ADDRESS, PORT))?;
            socket.set_nonblocking(true)?;
            Ok(socket)
        })??;
        let helper = Helper::start(format!("service on {}", router.name()), move |stop| {
            answer_all(&socket, router, &stop)
        })?;
        Ok(Self { _helper: helper })
    }
}

fn answer_all(socket: &UdpSocket, router: Router, stop: &UnixStream) -> Result<()> {
    let events = EventLoop::new()?;
    events.add(socket, SOCKET)?;
    events.add(stop, STOP)?;
    let mut ready = Vec::new();
    while !ready.contains(&STOP) {
        events.wait(&mut ready)?;
        while let Some((question, from)) = receive(socket)? {
            let Some(number) = question.first_chunk::<QUESTION>() else {
                continue;
            };
            let answer = [number.as_slice(), router.name().as_bytes()].concat();
            // An answer that cannot be sent is lost, as on any network; the client sees that.
            drop(socket.send_to(&answer, from));
        }
    }
    Ok(())
}

/// Nothing to read now; or what became of an earlier datagram, which the missing answer tells, too.
const PASSED_OVER: [ErrorKind; 5] = [
    ErrorKind::WouldBlock,
    ErrorKind::Interrupted,
    ErrorKind::ConnectionRefused,
    ErrorKind::HostUnreachable,
    ErrorKind::NetworkUnreachable,
];

/// The next datagram, if there is one.
fn receive(socket: &UdpSocket) -> Result<Option<(Vec<u8>, SocketAddr)>> {
    let mut buffer = [0; 64];
    match socket.recv_from(&mut buffer) {
        Ok((length, from)) => Ok(Some((
            buffer.get(..length).unwrap_or_default().to_vec(),
            from,
        ))),
        Err(error) if PASSED_OVER.contains(&error.kind()) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// The client's questions. It stops asking when this is dropped.
#[derive(Debug)]
pub(super) struct Prober {
    // First, so that the thread never waits for room when it is to end.
    news: Receiver<News>,
    _helper: Helper,
}

/// What the client's thread tells.
#[derive(Clone, Copy, Debug)]
enum News {
    Asked(Instant),
    Answered {
        number: u64,
        at: Instant,
        by: Router,
    },
}

impl Prober {
    /// Starts asking.
    ///
    /// # Errors
    /// When the port is taken.
    pub(super) fn start(client: &Host) -> Result<Self> {
        let socket = client.run(|| -> Result<UdpSocket> {
            let socket = UdpSocket::bind(SocketAddrV4::new(CLIENT_ADDRESS, PORT))?;
            socket.set_nonblocking(true)?;
            Ok(socket)
        })??;
        let (tell, news) = sync_channel(MOST_NEWS);
        let helper = Helper::start(String::from("client"), move |stop| {
            ask(&socket, &stop, &tell)
        })?;
        Ok(Self {
            news,
            _helper: helper,
        })
    }

    /// Moves what happened since the last call into `record`.
    pub(super) fn fetch(&self, record: &mut Record) {
        for news in self.news.try_iter() {
            match news {
                News::Asked(sent) => record.probes.push(Probe { sent, answer: None }),
                News::Answered { number, at, by } => {
                    if let Ok(index) = usize::try_from(number)
                        && let Some(probe) = record.probes.get_mut(index)
                        && probe.answer.is_none()
                    {
                        probe.answer = Some((at, by));
                    }
                }
            }
        }
    }
}

fn ask(socket: &UdpSocket, stop: &UnixStream, tell: &SyncSender<News>) -> Result<()> {
    let service = SocketAddr::from((VIRTUAL_ADDRESS, PORT));
    let events = EventLoop::new()?;
    let mut timer = Timer::new()?;
    events.add(socket, SOCKET)?;
    events.add(stop, STOP)?;
    events.add(&timer, TIMER)?;
    let (mut number, mut next, mut ready) = (0_u64, now(), Vec::new());
    while !ready.contains(&STOP) {
        timer.arm(Some(next))?;
        events.wait(&mut ready)?;
        timer.acknowledge()?;
        while let Some((answer, from)) = receive(socket)? {
            let at = now();
            if let Some((number, name)) = answer.split_first_chunk::<QUESTION>()
                && let Some(by) = Router::from_name(name)
                && from == service
            {
                let number = u64::from_be_bytes(*number);
                if tell.send(News::Answered { number, at, by }).is_err() {
                    return Ok(());
                }
            }
        }
        let at = now();
        if at >= next {
            if tell.send(News::Asked(at)).is_err() {
                return Ok(());
            }
            // A question that cannot be sent is one without an answer.
            drop(socket.send_to(&number.to_be_bytes(), service));
            number += 1;
            // After a time without processor the pace goes on from now: a burst would tell nothing new.
            next = if at.since(next) < PACE { next } else { at } + PACE;
        }
    }
    Ok(())
}
