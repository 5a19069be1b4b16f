//! Servers whose every move is the test's: they listen or refuse, answer what they are told, however badly, and count.
//!
//! ```no_run
//! use evervip_lab::backend::{Backend, http};
//! use evervip_lab::{HostOptions, Lab};
//!
//! fn main() -> anyhow::Result<()> {
//!     let lab = Lab::new("example")?;
//!     let host = lab.host("web", HostOptions::default())?;
//!     let server = Backend::start(&host, "127.0.0.1:80".parse()?, http(200, b"good"))?;
//!     server.answer(http(503, b"out of order"));
//!     server.down()?;
//!     server.up()
//! }
//! ```

use std::collections::VecDeque;
use std::fmt;
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};

use crate::host::Host;
use crate::wait::pause;

/// How many bytes of a request are kept: the dialogues of health checks are short.
const REQUEST: usize = 16 * 1024;

/// How many requests are kept, the newest.
const REQUESTS: usize = 64;

/// How often a datagram server looks whether it is to end.
const PACE: Duration = Duration::from_millis(100);

/// One move of a server in a connection. After the last it closes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Act {
    /// Reads until these bytes have come since the last such move.
    Until(Vec<u8>),
    /// Sends them.
    Send(Vec<u8>),
    /// Sends them so many times, for what would not fit into memory.
    Repeat(Vec<u8>, u64),
    /// Sends one byte after the other, with so long a pause after each.
    Trickle(Vec<u8>, Duration),
    /// Says nothing more until the other side closes.
    Hold,
}

/// What a web server does that closes after its answer, as health checks want it. It says how long the body is.
pub fn http(status: u16, body: &[u8]) -> Vec<Act> {
    let mut answer = format!(
        "HTTP/1.1 {status} Scripted\r\nContent-Type: text/plain\r\nContent-Length: {}\r\n\r\n",
        body.len()
    )
    .into_bytes();
    answer.extend_from_slice(body);
    vec![Act::Until(b"\r\n\r\n".to_vec()), Act::Send(answer)]
}

/// What a mail server does when somebody greets it and leaves.
pub fn smtp(greeting: &str, hello: &str) -> Vec<Act> {
    let line = |text: &str| format!("{text}\r\n").into_bytes();
    vec![
        Act::Send(line(greeting)),
        Act::Until(b"\n".to_vec()),
        Act::Send(line(hello)),
        Act::Until(b"\n".to_vec()),
        Act::Send(line("221 goodbye")),
    ]
}

/// A TCP server on a host. It listens until it is dropped, but for times when it is [down](Self::down).
#[derive(Debug)]
pub struct Backend<'h> {
    host: &'h Host,
    address: SocketAddr,
    shared: Arc<Shared>,
    listening: Mutex<Option<Listening>>,
}

#[derive(Debug)]
struct Listening {
    /// Of the same socket, to end it with.
    socket: TcpListener,
    thread: JoinHandle<()>,
}

#[derive(Debug, Default)]
struct Shared {
    script: Mutex<Vec<Act>>,
    connections: AtomicU64,
    requests: Mutex<VecDeque<Vec<u8>>>,
    /// Of the connections that are open, by their number.
    open: Mutex<Vec<(u64, TcpStream)>>,
}

impl<'h> Backend<'h> {
    /// Begins to listen.
    ///
    /// # Errors
    /// When the host has no such address, or something listens there.
    pub fn start(host: &'h Host, address: SocketAddr, script: Vec<Act>) -> Result<Self> {
        let backend = Self {
            host,
            address,
            shared: Arc::new(Shared {
                script: Mutex::new(script),
                ..Shared::default()
            }),
            listening: Mutex::new(None),
        };
        backend.up()?;
        Ok(backend)
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What it does with connections from now on; those that are open go on as they began.
    pub fn answer(&self, script: Vec<Act>) {
        *lock(&self.shared.script) = script;
    }

    /// Listens again. That it does already is no error.
    ///
    /// # Errors
    /// When the host has lost the address, or something else listens there.
    pub fn up(&self) -> Result<()> {
        let mut listening = lock(&self.listening);
        if listening.is_some() {
            return Ok(());
        }
        let address = self.address;
        let socket = self
            .host
            .run(move || TcpListener::bind(address))?
            .with_context(|| format!("host {}: cannot listen on {address}", self.host.name()))?;
        let (ours, shared) = (socket.try_clone()?, Arc::clone(&self.shared));
        let thread = thread::Builder::new()
            .name(format!("server {address}"))
            .spawn(move || serve(&socket, &shared))?;
        *listening = Some(Listening {
            socket: ours,
            thread,
        });
        Ok(())
    }

    /// Refuses connections until it is [up](Self::up) again, and breaks those that are open. That it does already is no
    /// error.
    ///
    /// # Errors
    /// Not expected.
    pub fn down(&self) -> Result<()> {
        if let Some(Listening { socket, thread }) = lock(&self.listening).take() {
            // A listening socket that is shut down refuses at once, and whoever accepts is woken (accept(2), EINVAL).
            TcpStream::from(OwnedFd::from(socket)).shutdown(Shutdown::Both)?;
            thread
                .join()
                .map_err(|_| anyhow!("the server on {} panicked", self.address))?;
        }
        for (_, stream) in lock(&self.shared.open).drain(..) {
            // One that is closed already does not mind.
            drop(stream.shutdown(Shutdown::Both));
        }
        Ok(())
    }

    /// How many connections it has accepted.
    pub fn connections(&self) -> u64 {
        self.shared.connections.load(Ordering::SeqCst)
    }

    /// What was said in the newest connections that have ended, the newest last.
    pub fn requests(&self) -> Vec<String> {
        let bytes = self.raw_requests();
        let texts = bytes.iter().map(|bytes| String::from_utf8_lossy(bytes));
        texts.map(Into::into).collect()
    }

    /// The same, where they need not be text.
    pub fn raw_requests(&self) -> Vec<Vec<u8>> {
        lock(&self.shared.requests).iter().cloned().collect()
    }
}

impl Drop for Backend<'_> {
    fn drop(&mut self) {
        if let Err(error) = self.down() {
            eprintln!("cannot end the server on {}: {error:#}", self.address);
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Accepts until the socket is shut down.
fn serve(socket: &TcpListener, shared: &Arc<Shared>) {
    loop {
        let stream = match socket.accept() {
            Ok((stream, _)) => stream,
            Err(error) if error.kind() == ErrorKind::InvalidInput => return,
            // Whoever came has left again, or we have too many; both pass.
            Err(_) => {
                pause(Duration::from_millis(1));
                continue;
            }
        };
        let number = shared.connections.fetch_add(1, Ordering::SeqCst);
        let script = lock(&shared.script).clone();
        if script.is_empty() {
            continue; // closed, with no thread for it
        }
        let Ok(ours) = stream.try_clone() else {
            continue;
        };
        lock(&shared.open).push((number, ours));
        let shared = Arc::clone(shared);
        // Detached: it ends with its connection, which `down` breaks.
        thread::spawn(move || {
            let mut connection = Connection {
                stream,
                said: Vec::new(),
                read: 0,
            };
            // How the other side ends it is its own affair, and what a test asks of it.
            drop(connection.perform(&script));
            let mut requests = lock(&shared.requests);
            if requests.len() == REQUESTS {
                requests.pop_front();
            }
            requests.push_back(connection.said);
            drop(requests);
            lock(&shared.open).retain(|(open, _)| *open != number);
        });
    }
}

struct Connection {
    stream: TcpStream,
    /// What has come.
    said: Vec<u8>,
    /// How much of it earlier moves have used.
    read: usize,
}

impl Connection {
    fn perform(&mut self, script: &[Act]) -> Result<()> {
        for act in script {
            match act {
                Act::Until(end) => self.until(end)?,
                Act::Send(bytes) => self.stream.write_all(bytes)?,
                Act::Repeat(bytes, times) => {
                    for _ in 0..*times {
                        self.stream.write_all(bytes)?;
                    }
                }
                Act::Trickle(bytes, every) => {
                    self.stream.set_nodelay(true)?;
                    for byte in bytes {
                        self.stream.write_all(&[*byte])?;
                        pause(*every);
                    }
                }
                Act::Hold => while self.more()? > 0 {},
            }
        }
        self.stream.shutdown(Shutdown::Write)?;
        // Until the other side closes, too: what it still says must not break the answer that is under way.
        self.stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        while self.more()? > 0 {}
        Ok(())
    }

    fn until(&mut self, end: &[u8]) -> Result<()> {
        loop {
            let fresh = self.said.get(self.read..).unwrap_or_default();
            if let Some(at) = fresh.windows(end.len()).position(|window| window == end) {
                self.read += at + end.len();
                return Ok(());
            }
            if self.said.len() > REQUEST || self.more()? == 0 {
                bail!("that was not said");
            }
        }
    }

    /// Reads what has come. Of what is too much, nothing is kept.
    fn more(&mut self) -> Result<usize> {
        let mut buffer = [0; 4096];
        let count = self.stream.read(&mut buffer)?;
        if self.said.len() <= REQUEST {
            self.said
                .extend_from_slice(buffer.get(..count).unwrap_or_default());
        }
        Ok(count)
    }
}

/// What a datagram is answered with, if at all.
pub type Reply = Box<dyn Fn(&[u8]) -> Option<Vec<u8>> + Send>;

/// A UDP server on a host, until it is dropped. While it is gone, its port is unreachable.
pub struct Datagrams {
    ending: Arc<AtomicBool>,
    received: Arc<Mutex<VecDeque<Vec<u8>>>>,
    thread: Option<JoinHandle<()>>,
}

impl Datagrams {
    /// Begins to answer.
    ///
    /// # Errors
    /// When the host has no such address, or something listens there.
    pub fn start(host: &Host, address: SocketAddr, reply: Reply) -> Result<Self> {
        let socket = host
            .run(move || UdpSocket::bind(address))?
            .with_context(|| format!("host {}: cannot listen on {address}", host.name()))?;
        socket.set_read_timeout(Some(PACE))?;
        let ending = Arc::new(AtomicBool::new(false));
        let received = Arc::new(Mutex::new(VecDeque::new()));
        let (end, seen) = (Arc::clone(&ending), Arc::clone(&received));
        let thread = thread::Builder::new()
            .name(format!("datagrams {address}"))
            .spawn(move || {
                let mut buffer = [0; 4096];
                while !end.load(Ordering::SeqCst) {
                    // Nothing for a while, or an answer that nobody wanted: both pass.
                    let Ok((count, from)) = socket.recv_from(&mut buffer) else {
                        continue;
                    };
                    let datagram = buffer.get(..count).unwrap_or_default();
                    let mut all = lock(&seen);
                    if all.len() == REQUESTS {
                        all.pop_front();
                    }
                    all.push_back(datagram.to_vec());
                    drop(all);
                    if let Some(answer) = reply(datagram) {
                        drop(socket.send_to(&answer, from));
                    }
                }
            })?;
        Ok(Self {
            ending,
            received,
            thread: Some(thread),
        })
    }

    /// The newest datagrams that came, the newest last.
    pub fn received(&self) -> Vec<Vec<u8>> {
        lock(&self.received).iter().cloned().collect()
    }
}

impl Drop for Datagrams {
    fn drop(&mut self) {
        self.ending.store(true, Ordering::SeqCst);
        if self
            .thread
            .take()
            .is_some_and(|thread| thread.join().is_err())
        {
            eprintln!("a datagram server panicked");
        }
    }
}

impl fmt::Debug for Datagrams {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Datagrams").finish_non_exhaustive()
    }
}
