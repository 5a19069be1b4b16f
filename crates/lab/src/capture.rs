//! What passed an interface: read by a thread, kept, searched, and written for other programs to judge.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use sys::capture::{CaptureSocket, Direction};
use sys::clock::{WallTime, now};
use sys::event_loop::EventLoop;

/// Frames kept: half an hour of a hundred adverts a second. What comes later is only counted.
const MOST_FRAMES: usize = 200_000;

const SOCKET: u64 = 1;
const STOP: u64 = 2;

/// A capture that runs until it is dropped.
#[derive(Debug)]
pub struct Capture {
    shared: Arc<Shared>,
    /// Closing it ends the thread.
    stop: Option<UnixStream>,
    thread: Option<JoinHandle<()>>,
}

/// One frame, as it was on the wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// When the kernel had it.
    pub at: WallTime,
    /// Whether it came in or went out.
    pub direction: Direction,
    /// From the destination address on, without the checksum.
    pub bytes: Vec<u8>,
}

#[derive(Debug, Default)]
struct Shared {
    seen: Mutex<Seen>,
    more: Condvar,
}

#[derive(Debug, Default)]
struct Seen {
    frames: Vec<Frame>,
    lost: u64,
    failure: Option<String>,
}

impl Capture {
    pub(crate) fn start(mut socket: CaptureSocket) -> Result<Self> {
        let (stop, stopped) = UnixStream::pair()?;
        let events = EventLoop::new()?;
        events.add(&socket, SOCKET)?;
        events.add(&stopped, STOP)?;
        let shared = Arc::new(Shared::default());
        let keeper = Arc::clone(&shared);
        let thread = thread::Builder::new()
            .name("capture".to_owned())
            .spawn(move || {
                // Kept open here: its other end tells when to stop.
                let _stopped = stopped;
                let mut ready = Vec::new();
                while !ready.contains(&STOP) {
                    if let Err(error) = events
                        .wait(&mut ready)
                        .and_then(|()| keeper.take_all(&mut socket))
                    {
                        keeper.lock().failure = Some(error.to_string());
                        // A capture whose interface went away or down stays useful when it comes back; the error
                        // is reported once by the socket and then cleared.
                    }
                }
            })?;
        Ok(Self {
            shared,
            stop: Some(stop),
            thread: Some(thread),
        })
    }

    /// What passed until now, oldest first.
    pub fn frames(&self) -> Vec<Frame> {
        self.shared.lock().frames.clone()
    }

    /// How many frames passed until now, for [`frames_since`](Self::frames_since).
    pub fn count(&self) -> usize {
        self.shared.lock().frames.len()
    }

    /// What passed after the first `count` frames.
    pub fn frames_since(&self, count: usize) -> Vec<Frame> {
        self.shared
            .lock()
            .frames
            .get(count..)
            .unwrap_or_default()
            .to_vec()
    }

    /// Frames that came after the capture was full.
    pub fn lost(&self) -> u64 {
        self.shared.lock().lost
    }

    /// The first frame for which `wanted` holds, among those that passed already and those to come.
    ///
    /// # Errors
    /// When there is none within `timeout`; the error says that `what` was not seen.
    pub fn wait_for(
        &self,
        what: &str,
        timeout: Duration,
        wanted: impl FnMut(&Frame) -> bool,
    ) -> Result<Frame> {
        self.wait_for_since(0, what, timeout, wanted)
    }

    /// The same, leaving out the first `count` frames.
    ///
    /// # Errors
    /// When there is none within `timeout`.
    pub fn wait_for_since(
        &self,
        count: usize,
        what: &str,
        timeout: Duration,
        mut wanted: impl FnMut(&Frame) -> bool,
    ) -> Result<Frame> {
        let deadline = now() + timeout;
        let mut seen = self.shared.lock();
        let mut looked_at = count;
        loop {
            let fresh = seen.frames.get(looked_at..).unwrap_or_default();
            if let Some(frame) = fresh.iter().find(|frame| wanted(frame)) {
                return Ok(frame.clone());
            }
            looked_at = looked_at.max(seen.frames.len());
            let left = deadline.since(now());
            if left.is_zero() {
                let failure = seen
                    .failure
                    .as_ref()
                    .map(|text| format!("; {text}"))
                    .unwrap_or_default();
                let total = seen.frames.len();
                bail!(
                    "{what} was not seen within {} ms among {total} frames{failure}",
                    timeout.as_millis()
                );
            }
            seen = self
                .shared
                .more
                .wait_timeout(seen, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
    }

    /// Writes what passed until now as a classic pcap file with nanoseconds, which tshark and tcpdump read.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write_pcap(&self, path: &Path) -> Result<()> {
        let failed = || format!("cannot write {}", path.display());
        let mut file = BufWriter::new(File::create(path).with_context(failed)?);
        pcap(&mut file, &self.frames())
            .and_then(|()| file.flush())
            .with_context(failed)
    }
}

impl Drop for Capture {
    fn drop(&mut self) {
        drop(self.stop.take());
        if self
            .thread
            .take()
            .is_some_and(|thread| thread.join().is_err())
        {
            eprintln!("the thread of a capture panicked");
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take_all(&self, socket: &mut CaptureSocket) -> Result<(), sys::Error> {
        let mut result = Ok(());
        let mut seen = self.lock();
        loop {
            match socket.next_frame() {
                Ok(Some(_)) if seen.frames.len() >= MOST_FRAMES => seen.lost += 1,
                Ok(Some(frame)) => seen.frames.push(Frame {
                    at: frame.at,
                    direction: frame.direction,
                    bytes: frame.bytes.to_vec(),
                }),
                Ok(None) => break,
                Err(error) => {
                    result = Err(error);
                    break;
                }
            }
        }
        drop(seen);
        self.more.notify_all();
        result
    }
}

/// The format of libpcap with the magic number for nanoseconds, little-endian, link type Ethernet.
fn pcap(file: &mut impl Write, frames: &[Frame]) -> std::io::Result<()> {
    const MAGIC: u32 = 0xa1b2_3c4d;
    const SNAP_LENGTH: u32 = 262_144;
    const ETHERNET: u32 = 1;
    file.write_all(&MAGIC.to_le_bytes())?;
    // Version 2.4, no time zone, no accuracy.
    file.write_all(&[2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0])?;
    file.write_all(&SNAP_LENGTH.to_le_bytes())?;
    file.write_all(&ETHERNET.to_le_bytes())?;
    for frame in frames {
        let seconds = u32::try_from(frame.at.seconds()).unwrap_or(u32::MAX);
        let length = u32::try_from(frame.bytes.len()).unwrap_or(u32::MAX);
        for number in [seconds, frame.at.nanos(), length, length] {
            file.write_all(&number.to_le_bytes())?;
        }
        file.write_all(&frame.bytes)?;
    }
    Ok(())
}
