//! IPVS, the kernel's balancer: its table written and read, its timeouts and its sync daemons, over generic netlink.
//!
//! Many changes travel in one send, and their acknowledgements are read in bulk. Each change has a result of its own:
//! [`Refusal`] says why, in keepalived's words; what a refusal means the caller decides. Where the kernel would pass over what
//! it does not know, and make something else than it was told, it is not asked.

use std::collections::VecDeque;
use std::io;
use std::path::PathBuf;

use types::ipvs::{Command, DestinationKey, DestinationOptions, ServiceKey, ServiceOptions};

use crate::batch::{Batch, MAX_SLOTS, Wait};
use crate::error::Error;
use crate::namespace::NetworkNamespace;
use crate::netlink::message::{Malformed, Request, Writer};
use crate::netlink::{ACK, DUMP, REQUEST, Socket, is_from_kernel};

mod answers;
mod daemon;
pub mod decode;
mod encode;
mod module;
mod numbers;
mod refusal;

pub use answers::{Acknowledgements, Listing};
pub use daemon::{SyncDaemon, SyncRole};
pub use decode::{KernelDestination, KernelService, Statistics};
pub use module::{begin_to_load_module, load_module};
pub use refusal::{Operation, Reason, Refusal};

/// Requests in one send. Each acknowledgement takes about 1 KiB of the receive buffer, whose default size (208 KiB) holds
/// them all even when we may not enlarge it; and so many requests are at most 30 KiB, which every send buffer takes.
const CHUNK: usize = 128;
/// A chunk ends early when it has so many bytes: names may be long.
const CHUNK_BYTES: usize = 64 << 10;
/// Room for the acknowledgements of a chunk, and for the longest part of a list.
const RECEIVE_BUFFER: usize = 1 << 20;
/// An acknowledgement is the header of the request and at most a line of explanation.
const ANSWER_SIZE: usize = 2048;
/// The kernel makes the parts of a list no longer than 32 KiB.
const LIST_SIZE: usize = 1 << 16;
/// What is read for one request at most: strangers may send to our port as often as they like.
const MOST_RECEIPTS: u32 = 100_000;
/// Entries of a list at most: the kernel has less memory than for so many.
const MOST_ENTRIES: usize = 1 << 22;

/// Version of the running kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Release {
    major: u32,
    minor: u32,
}

impl Release {
    /// Of `uname -r`: `6.1.0-18-amd64`. What has no numbers counts as new.
    fn parse(text: &str) -> Self {
        let mut numbers = text
            .split(|c: char| !c.is_ascii_digit())
            .map(|digits| digits.parse().ok());
        let (major, minor) = (numbers.next().flatten(), numbers.next().flatten());
        match (major, minor) {
            (Some(major), Some(minor)) => Self { major, minor },
            (Some(_) | None, _) => Self {
                major: u32::MAX,
                minor: 0,
            },
        }
    }

    fn running() -> Self {
        let name = rustix::system::uname();
        Self::parse(&name.release().to_string_lossy())
    }

    /// Whether it is older than this.
    const fn lacks(self, (major, minor): (u32, u32)) -> bool {
        self.major < major || self.major == major && self.minor < minor
    }
}

/// How long idle connections are kept, in seconds. To be set, 0 is "as it is".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// Established TCP connections.
    pub tcp: u32,
    /// TCP connections after a FIN.
    pub tcp_fin: u32,
    /// UDP.
    pub udp: u32,
}

/// What IPVS is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Info {
    /// `1.2.1` for many years.
    pub version: [u8; 3],
    /// Buckets of the table of connections.
    pub connection_table_size: u32,
}

/// The way to the IPVS of one network namespace. Waits for each answer, which the kernel gives at once.
pub struct Ipvs {
    socket: Socket,
    family: u16,
    kernel: Release,
    request: Vec<u8>,
    answers: Batch,
    lists: Batch,
    sequence: u32,
}

impl Ipvs {
    /// Opens the IPVS of the network namespace `/run/netns/NAME` (`net_namespace_ipvs`), or of this thread's. `None`: the
    /// kernel has none (now); see [`load_module`].
    ///
    /// # Errors
    /// When there is no such namespace, we may not enter it, or the kernel has no generic netlink.
    pub fn open(namespace: Option<&str>) -> Result<Option<Self>, Error> {
        let socket = match namespace {
            None => Socket::for_generic(RECEIVE_BUFFER)?,
            Some(name) => socket_in(name)?,
        };
        let mut ipvs = Self {
            socket,
            family: numbers::CONTROLLER,
            kernel: Release::running(),
            request: Vec::new(),
            answers: Batch::new(MAX_SLOTS, ANSWER_SIZE),
            lists: Batch::new(1, LIST_SIZE),
            sequence: 0,
        };
        let family = ipvs.ask_family()?;
        Ok(family.map(|family| Self { family, ..ipvs }))
    }

    /// Makes changes in the order in which they stand: one result for each.
    ///
    /// Many requests go out in one system call, and their answers come back in few.
    ///
    /// # Errors
    /// When the conversation with the kernel fails, or its IPVS has gone; then nothing is known of the changes.
    pub fn apply(&mut self, commands: &[Command]) -> Result<Vec<Result<(), Refusal>>, Error> {
        let mut results = Vec::with_capacity(commands.len());
        let mut rest = commands;
        while !rest.is_empty() {
            let done = self.apply_chunk(rest, &mut results)?;
            rest = rest.get(done..).unwrap_or_default();
        }
        // The kernel says the same of a module that was removed as of a scheduler that it does not have.
        let missing = |result: &Result<(), Refusal>| {
            let refusal = result.as_ref().err();
            refusal.is_some_and(|refusal| refusal.reason() == Reason::Missing)
        };
        if results.iter().any(missing) && self.ask_family()? != Some(self.family) {
            let problem = io::Error::other("the kernel has no such IPVS any more");
            return Err(Error::system("change IPVS")(problem));
        }
        Ok(results)
    }

    /// As many of the first commands as go together; tells how many these are, at least one.
    fn apply_chunk(
        &mut self,
        commands: &[Command],
        results: &mut Vec<Result<(), Refusal>>,
    ) -> Result<usize, Error> {
        self.request.clear();
        let first = self.sequence.wrapping_add(1);
        // What became of each command: sent, or not even asked for.
        let mut unsent = Vec::with_capacity(commands.len().min(CHUNK));
        let mut sent: usize = 0;
        for command in commands.iter().take(CHUNK) {
            let refusal = encode::unknown_to(self.kernel, command).or_else(|| {
                let written = self.append(encode::number(command), ACK, |message| {
                    encode::write(message, command);
                });
                // The kernel would say the same of a name of 64 KiB.
                written
                    .err()
                    .map(|_too_long| refused(command, libc::EINVAL))
            });
            sent += usize::from(refusal.is_none());
            unsent.push(refusal);
            if self.request.len() >= CHUNK_BYTES {
                break;
            }
        }
        let chunk = unsent.len();
        let mut answers = self.acknowledged(first, sent)?;
        results.extend(commands.iter().zip(unsent).map(|(command, unsent)| {
            if let Some(refusal) = unsent {
                return Err(refusal);
            }
            match answers.pop_front() {
                Some(Err(errno)) => Err(refused(command, errno)),
                Some(Ok(())) | None => Ok(()),
            }
        }));
        Ok(chunk)
    }

    /// All services of protocols that are balanced. If somebody changes the table meanwhile, some may be missing.
    ///
    /// # Errors
    /// When the conversation with the kernel fails.
    pub fn services(&mut self) -> Result<Vec<(ServiceKey, ServiceOptions)>, Error> {
        let services = self.services_in_full()?;
        Ok(services.into_iter().map(|s| (s.key, s.options)).collect())
    }

    /// The same with what the services have done.
    ///
    /// # Errors
    /// When the conversation with the kernel fails.
    pub fn services_in_full(&mut self) -> Result<Vec<KernelService>, Error> {
        const WHAT: &str = "list the services of IPVS";
        self.list(WHAT, numbers::GET_SERVICE, |_| {}, decode::service)?
            .map_err(refused_list(WHAT))
    }

    /// One service, if it is there.
    ///
    /// # Errors
    /// When the conversation with the kernel fails.
    pub fn service(&mut self, key: &ServiceKey) -> Result<Option<ServiceOptions>, Error> {
        const WHAT: &str = "read a service of IPVS";
        let service = self.get(
            WHAT,
            numbers::GET_SERVICE,
            |message| encode::write_service(message, key, None),
            |answer| {
                let what = "the service";
                decode::service(answer)?.ok_or(Malformed::Missing { what })
            },
        )?;
        match service {
            Ok(service) => Ok(Some(service.options)),
            Err(libc::ESRCH) => Ok(None),
            Err(errno) => Err(refused_list(WHAT)(errno)),
        }
    }

    /// The destinations of a service; none if there is no such service.
    ///
    /// # Errors
    /// When the conversation with the kernel fails.
    pub fn destinations(
        &mut self,
        service: &ServiceKey,
    ) -> Result<Vec<(DestinationKey, DestinationOptions)>, Error> {
        let destinations = self.destinations_in_full(service)?;
        Ok(destinations
            .into_iter()
            .map(|d| (d.key, d.options))
            .collect())
    }

    /// The same with what the destinations do and have done.
    ///
    /// # Errors
    /// When the conversation with the kernel fails.
    pub fn destinations_in_full(
        &mut self,
        service: &ServiceKey,
    ) -> Result<Vec<KernelDestination>, Error> {
        const WHAT: &str = "list the destinations of an IPVS service";
        let family = service.family();
        let listed = self.list(
            WHAT,
            numbers::GET_DESTINATION,
            |message| encode::write_service(message, service, None),
            |answer| decode::destination(answer, family),
        )?;
        match listed {
            Err(libc::ESRCH) => Ok(Vec::new()),
            listed => listed.map_err(refused_list(WHAT)),
        }
    }

    /// How long idle connections are kept.
    ///
    /// # Errors
    /// When the conversation with the kernel fails.
    pub fn timeouts(&mut self) -> Result<Timeouts, Error> {
        const WHAT: &str = "read the timeouts of IPVS";
        self.get(WHAT, numbers::GET_CONFIG, |_| {}, decode::timeouts)?
            .map_err(refused_list(WHAT))
    }

    /// Sets how long idle connections are kept.
    ///
    /// # Errors
    /// When the kernel refuses, or the conversation with it fails.
    pub fn set_timeouts(&mut self, timeouts: Timeouts) -> Result<(), Error> {
        let Timeouts { tcp, tcp_fin, udp } = timeouts;
        let answer = self.perform(numbers::SET_CONFIG, |message| {
            for (kind, value) in [
                (numbers::TIMEOUT_TCP, tcp),
                (numbers::TIMEOUT_TCP_FIN, tcp_fin),
                (numbers::TIMEOUT_UDP, udp),
            ] {
                message.attribute(kind, &value.to_ne_bytes());
            }
        })?;
        let object = format!("{tcp} {tcp_fin} {udp}");
        answer.map_err(|errno| {
            Error::object("set the timeouts of IPVS to", &object)(io::Error::from_raw_os_error(
                errno,
            ))
        })
    }

    /// What IPVS is.
    ///
    /// # Errors
    /// When the conversation with the kernel fails.
    pub fn info(&mut self) -> Result<Info, Error> {
        const WHAT: &str = "ask for the version of IPVS";
        self.get(WHAT, numbers::GET_INFO, |_| {}, decode::info)?
            .map_err(refused_list(WHAT))
    }

    /// Starts a sync daemon, of which there is one for each role.
    ///
    /// # Errors
    /// When the conversation with the kernel fails; the inner error: when it refuses.
    pub fn start_daemon(&mut self, daemon: &SyncDaemon) -> Result<Result<(), Refusal>, Error> {
        const OPTIONS_SINCE: (u32, u32) = (4, 3);
        if daemon.has_options() && self.kernel.lacks(OPTIONS_SINCE) {
            let versions = [OPTIONS_SINCE, (self.kernel.major, self.kernel.minor)];
            let what = "options of sync daemons";
            return Ok(Err(Refusal::too_old(
                Operation::StartDaemon,
                what,
                versions,
                None,
            )));
        }
        let answer = self.perform(numbers::NEW_DAEMON, |message| daemon.write(message))?;
        Ok(answer.map_err(|errno| Refusal::of_kernel(Operation::StartDaemon, errno, None)))
    }

    /// Stops the sync daemon of this role.
    ///
    /// # Errors
    /// When the conversation with the kernel fails; the inner error: when it refuses, as it does when none runs.
    pub fn stop_daemon(&mut self, role: SyncRole, id: u8) -> Result<Result<(), Refusal>, Error> {
        let answer = self.perform(numbers::DELETE_DAEMON, |message| {
            daemon::write_stop(message, role, id);
        })?;
        Ok(answer.map_err(|errno| Refusal::of_kernel(Operation::StopDaemon, errno, None)))
    }

    /// The sync daemons that run.
    ///
    /// # Errors
    /// When the conversation with the kernel fails.
    pub fn daemons(&mut self) -> Result<Vec<SyncDaemon>, Error> {
        const WHAT: &str = "list the sync daemons of IPVS";
        self.list(WHAT, numbers::GET_DAEMON, |_| {}, SyncDaemon::decode)?
            .map_err(refused_list(WHAT))
    }

    /// Asks the controller for the number of the family; `None`: there is no such family.
    ///
    /// It is looked for in the list of all families: asked for by its name, the kernel would load the module on its own.
    fn ask_family(&mut self) -> Result<Option<u16>, Error> {
        const WHAT: &str = "look for IPVS in the kernel";
        let known = std::mem::replace(&mut self.family, numbers::CONTROLLER);
        let command = numbers::CONTROL_GET_FAMILY;
        let families = self.list(WHAT, command, |_| {}, decode::family_id);
        self.family = known;
        let families = families?.map_err(refused_list(WHAT))?;
        Ok(families.first().copied())
    }

    /// Sends one request and waits for its acknowledgement; inside: the kernel's errno.
    fn perform(
        &mut self,
        command: u8,
        write: impl FnOnce(&mut Writer<'_>),
    ) -> Result<Result<(), i32>, Error> {
        self.request.clear();
        let first = self.append(command, ACK, write).map_err(too_long)?;
        let answer = self.acknowledged(first, 1)?.pop_front();
        Ok(answer.unwrap_or(Ok(())))
    }

    /// Asks for one thing.
    fn get<T>(
        &mut self,
        what: &'static str,
        command: u8,
        write: impl FnOnce(&mut Writer<'_>),
        decode: impl Fn(&[u8]) -> Result<T, Malformed>,
    ) -> Result<Result<T, i32>, Error> {
        let decode = |answer: &[u8]| decode(answer).map(Some);
        let items = self.collect(what, command, ACK, write, decode)?;
        let mut items = match items {
            Ok(items) => items,
            Err(errno) => return Ok(Err(errno)),
        };
        let reason = Malformed::Missing { what: "the answer" };
        items.pop().map(Ok).ok_or(Error::Reply { what, reason })
    }

    /// Asks for a list.
    fn list<T>(
        &mut self,
        what: &'static str,
        command: u8,
        write: impl FnOnce(&mut Writer<'_>),
        decode: impl Fn(&[u8]) -> Result<Option<T>, Malformed>,
    ) -> Result<Result<Vec<T>, i32>, Error> {
        self.collect(what, command, DUMP, write, decode)
    }

    fn collect<T>(
        &mut self,
        what: &'static str,
        command: u8,
        flags: u16,
        write: impl FnOnce(&mut Writer<'_>),
        decode: impl Fn(&[u8]) -> Result<Option<T>, Malformed>,
    ) -> Result<Result<Vec<T>, i32>, Error> {
        self.request.clear();
        let sequence = self.append(command, flags, write).map_err(too_long)?;
        self.socket.send(&self.request)?;
        let listing = Listing::new(self.family, sequence);
        let mut items = Vec::new();
        for _receipt in 0..MOST_RECEIPTS {
            self.lists
                .receive(&self.socket, Wait::ForOne)
                .map_err(Error::system(what))?;
            for datagram in self.lists.datagrams().filter(is_from_kernel) {
                if datagram.truncated {
                    let reason = Malformed::Truncated {
                        size: datagram.data.len(),
                    };
                    return Err(Error::Reply { what, reason });
                }
                let take = |answer: &[u8]| match decode(answer) {
                    Ok(item) => items.extend(item),
                    Err(problem) => log::warn!("cannot {what}: passing over an entry: {problem}"),
                };
                let end = listing
                    .take(datagram.data, take)
                    .map_err(|reason| Error::Reply { what, reason })?;
                if let Some(end) = end {
                    return Ok(end.map(|()| items));
                }
            }
            if items.len() > MOST_ENTRIES {
                break;
            }
        }
        Err(Error::system(what)(io::Error::other("it does not end")))
    }

    /// Appends a request to the buffer; tells its number.
    fn append(
        &mut self,
        command: u8,
        flags: u16,
        write: impl FnOnce(&mut Writer<'_>),
    ) -> Result<u32, crate::netlink::message::TooLong> {
        let sequence = self.sequence.wrapping_add(1);
        let request = Request {
            kind: self.family,
            flags: flags | REQUEST,
            sequence,
        };
        let version = if self.family == numbers::CONTROLLER {
            numbers::CONTROL_VERSION
        } else {
            numbers::VERSION
        };
        let mut writer = Writer::new(&mut self.request, request);
        writer.fixed(&[command, version, 0, 0]);
        write(&mut writer);
        writer.finish()?;
        self.sequence = sequence;
        Ok(sequence)
    }

    /// Sends the buffer, which holds `count` requests numbered from `first`, and collects the answers in order.
    fn acknowledged(
        &mut self,
        first: u32,
        count: usize,
    ) -> Result<VecDeque<Result<(), i32>>, Error> {
        const WHAT: &str = "receive an acknowledgement of IPVS";
        let mut acknowledgements = Acknowledgements::new(first, count);
        if count > 0 {
            self.socket.send(&self.request)?;
        }
        for _receipt in 0..MOST_RECEIPTS {
            if acknowledgements.is_complete() {
                return Ok(acknowledgements.into_answers());
            }
            self.answers
                .receive(&self.socket, Wait::ForOne)
                .map_err(Error::system(WHAT))?;
            for datagram in self.answers.datagrams().filter(is_from_kernel) {
                acknowledgements
                    .take(datagram.data)
                    .map_err(|reason| Error::Reply { what: WHAT, reason })?;
            }
        }
        Err(Error::system(WHAT)(io::Error::other(
            "others keep sending to us",
        )))
    }
}

/// Opens a socket in a namespace that has a name. A thread of its own goes there, so that this one stays where it is,
/// whatever happens.
fn socket_in(name: &str) -> Result<Socket, Error> {
    let path: PathBuf = ["/run/netns", name].iter().collect();
    let namespace = NetworkNamespace::open(&path)?;
    let open = move || {
        namespace.enter()?;
        Socket::for_generic(RECEIVE_BUFFER)
    };
    let thread = std::thread::Builder::new()
        .name("ipvs-netns".to_owned())
        .spawn(open)
        .map_err(Error::object("start a thread for", &path.display()))?;
    thread.join().unwrap_or_else(|_panic| {
        let problem = io::Error::other("the thread that should do it panicked");
        Err(Error::object("open a socket in", &path.display())(problem))
    })
}

fn refused(command: &Command, errno: i32) -> Refusal {
    Refusal::of_kernel(encode::operation(command), errno, encode::object(command))
}

/// The kernel does not tell what it was asked for.
fn refused_list(what: &'static str) -> impl FnOnce(i32) -> Error {
    move |errno| Error::system(what)(io::Error::from_raw_os_error(errno))
}

fn too_long(problem: crate::netlink::message::TooLong) -> Error {
    Error::system("write a request to IPVS")(io::Error::other(problem))
}

#[cfg(test)]
mod tests;
