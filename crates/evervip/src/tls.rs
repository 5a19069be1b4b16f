//! TLS without sockets, for SSL_GET: bytes from the network in, bytes for the network out, what is within on the other side.
//!
//! As in keepalived any version of the protocol will do that the library allows, and no certificate is verified unless a check
//! wants that. An end without close_notify is an end.

use std::fs;
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::sync::Arc;

use lvs::dialogue::http::BadCertificate;
use lvs::dialogue::{Trouble, TroubleKind};
use lvs::settings::peer::PeerName;
use lvs::settings::{Octets, Ssl};
use openssl::error::ErrorStack;
use openssl::pkey::{PKey, Private};
use openssl::ssl::{
    self, ErrorCode, SslContext, SslContextBuilder, SslMethod, SslMode, SslOptions,
    SslSessionCacheMode, SslStream, SslVerifyMode,
};

mod verify;

/// As much may wait to be sent, in bytes: far above any handshake. Whoever makes us answer without end is left alone.
const MOST_UNSENT: usize = 256 * 1024;
/// No file of certificates is larger: all that Debian trusts are 220 kB.
const LARGEST_FILE: u64 = 16 << 20;
/// Open without waiting: a FIFO in place of a file must not stop us.
const O_NONBLOCK: i32 = 0o4000;
/// OpenSSL 3: the connection ended without close_notify (SSL_R_UNEXPECTED_EOF_WHILE_READING).
const UNEXPECTED_END: i32 = 294;

/// What the `SSL` block leads to cannot be used.
#[derive(Debug)]
pub(crate) enum ContextError {
    /// What one of its lines names.
    File {
        /// The keyword.
        keyword: &'static str,
        /// The file.
        file: String,
        /// Why not.
        why: String,
    },
    /// The library.
    Library(String),
}

impl std::fmt::Display for ContextError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::File { keyword, file, why } => {
                write!(f, "SSL: {keyword} {file} cannot be used: {why}")
            }
            Self::Library(why) => write!(f, "SSL: TLS is not to be had: {why}"),
        }
    }
}

/// What all connections have in common.
#[derive(Clone)]
pub(crate) struct Context {
    ssl: SslContext,
    /// Why no certificate can be verified.
    distrust: Option<Arc<str>>,
}

impl std::fmt::Debug for Context {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Context").finish_non_exhaustive()
    }
}

impl Context {
    /// Reads the files that the `SSL` block names. `verifies`: some certificates will be verified, by those that the system
    /// trusts if the block names none; see [`distrust`](Self::distrust).
    ///
    /// # Errors
    /// When one of the files cannot be used.
    pub(crate) fn new(settings: Option<&Ssl>, verifies: bool) -> Result<Self, ContextError> {
        let library = |error: ErrorStack| ContextError::Library(words(&error));
        let mut builder = SslContextBuilder::new(SslMethod::tls_client()).map_err(library)?;
        builder.set_verify(SslVerifyMode::NONE);
        // No session is ever resumed.
        builder.set_options(SslOptions::NO_TICKET);
        builder.set_session_cache_mode(SslSessionCacheMode::OFF);
        builder.set_mode(SslMode::RELEASE_BUFFERS);
        if let Some(settings) = settings {
            use_files(&mut builder, settings)?;
        }
        let by_system = verifies && settings.is_none_or(|settings| settings.ca.is_none());
        let distrust = by_system.then(|| verify::trust_system(&mut builder).err());
        Ok(Self {
            ssl: builder.build(),
            distrust: distrust.flatten().map(Into::into),
        })
    }

    /// Why no certificate can be verified, though that is wanted; `None`: it can.
    pub(crate) fn distrust(&self) -> Option<&str> {
        self.distrust.as_deref()
    }

    /// Begins the handshake. `name`: the server name to send. `peer`: whom the server's certificate must be for; `None`: any
    /// will do.
    ///
    /// # Errors
    /// When the library cannot begin: no memory, a name that is none, or nobody who is trusted.
    pub(crate) fn begin(
        &self,
        name: Option<&Octets>,
        peer: Option<&PeerName>,
    ) -> Result<Session, Trouble> {
        // Whoever writes such a name has a certificate for a name that is none.
        let name = match name.map(|name| (name, name.as_server_name())) {
            Some((name, None)) => {
                return Err(trouble(format!(
                    "'{name}' cannot be sent as a server name (SNI)"
                )));
            }
            Some((_, text)) => text,
            None => None,
        };
        let begin = || {
            let mut ssl = ssl::Ssl::new(&self.ssl)?;
            if let Some(name) = name {
                ssl.set_hostname(name)?;
            }
            ssl.set_connect_state();
            Ok(ssl)
        };
        let library = |error: ErrorStack| trouble(words(&error));
        let mut ssl = begin().map_err(library)?;
        let refusal = match (peer, &self.distrust) {
            (Some(_), Some(why)) => return Err(trouble(&**why)),
            (Some(peer), None) => Some(verify::demand(&mut ssl, peer)?),
            (None, _) => None,
        };
        let mut session = Session {
            stream: SslStream::new(ssl, Wire::default()).map_err(library)?,
            step: Step::Handshake,
            refusal,
        };
        // It says hello and waits.
        match session.shake_hands() {
            Ok(()) => Ok(session),
            Err(error) => Err(explain(&error)),
        }
    }
}

fn use_files(builder: &mut SslContextBuilder, settings: &Ssl) -> Result<(), ContextError> {
    let problem = |keyword, file: &str, why| ContextError::File {
        keyword,
        file: file.to_owned(),
        why,
    };
    // The library says less of a file that is not there, and waits for what is none.
    let open = |keyword, file: &str| {
        regular(file)
            .map(drop)
            .map_err(|why| problem(keyword, file, why))
    };
    if let Some(file) = &settings.certificate {
        open("certificate", file)?;
        builder
            .set_certificate_chain_file(file)
            .map_err(|error| problem("certificate", file, words(&error)))?;
    }
    if let Some(file) = &settings.key {
        let password = settings.password.as_ref().map(|password| password.reveal());
        let key = read_key(file, password).map_err(|why| problem("key", file, why))?;
        let set = builder.set_private_key(&key);
        set.map_err(|error| problem("key", file, words(&error)))?;
        if settings.certificate.is_some() {
            let check = builder.check_private_key();
            check.map_err(|error| problem("key", file, words(&error)))?;
        }
    }
    if let Some(file) = &settings.ca {
        open("ca", file)?;
        builder
            .set_ca_file(file)
            .map_err(|error| problem("ca", file, words(&error)))?;
    }
    Ok(())
}

/// Opens a file; what is none, or too large, is refused.
fn regular(file: &str) -> Result<fs::File, String> {
    let open = || {
        let mut options = fs::OpenOptions::new();
        let opened = options.read(true).custom_flags(O_NONBLOCK).open(file)?;
        let metadata = opened.metadata()?;
        Ok((opened, metadata))
    };
    let (opened, metadata) = open().map_err(|problem: io::Error| problem.to_string())?;
    if !metadata.is_file() {
        return Err("it is not a regular file".to_owned());
    }
    if metadata.len() > LARGEST_FILE {
        return Err(format!("it is larger than {LARGEST_FILE} bytes"));
    }
    Ok(opened)
}

fn read_file(file: &str) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    let read = regular(file)?.take(LARGEST_FILE).read_to_end(&mut bytes);
    read.map_err(|problem| problem.to_string())?;
    Ok(bytes)
}

fn read_key(file: &str, password: Option<&str>) -> Result<PKey<Private>, String> {
    let pem = read_file(file)?;
    let password = password.unwrap_or_default().as_bytes();
    // Nobody is asked at a terminal.
    let key = PKey::private_key_from_pem_callback(&pem, |buffer| {
        match buffer.get_mut(..password.len()) {
            Some(room) => room.copy_from_slice(password),
            None => return Ok(0),
        }
        Ok(password.len())
    });
    key.map_err(|error| words(&error))
}

/// What the library says, in a line: its last words first tell what went wrong, the others what came of it.
fn words(error: &ErrorStack) -> String {
    let Some(first) = error.errors().first() else {
        return "for no reason that the library tells".to_owned();
    };
    let mut text = first.reason().unwrap_or("unknown error").to_owned();
    if let Some(data) = first.data() {
        text += &format!(" ({data})");
    }
    text
}

fn trouble(text: impl Into<Box<str>>) -> Trouble {
    Trouble {
        kind: TroubleKind::Tls,
        number: 0,
        text: text.into(),
    }
}

/// The network, as the library sees it.
#[derive(Debug, Default)]
struct Wire {
    input: Vec<u8>,
    /// As much of it has been read.
    taken: usize,
    /// After the input there is nothing more.
    ended: bool,
    output: Vec<u8>,
}

impl Read for Wire {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.input.get(self.taken..).unwrap_or_default();
        if left.is_empty() {
            self.input.clear();
            self.taken = 0;
            return if self.ended {
                Ok(0)
            } else {
                Err(io::ErrorKind::WouldBlock.into())
            };
        }
        let count = left.len().min(buffer.len());
        let (now, _) = left.split_at(count);
        let (room, _) = buffer.split_at_mut(count);
        room.copy_from_slice(now);
        self.taken += count;
        Ok(count)
    }
}

impl Write for Wire {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.output.len() + bytes.len() > MOST_UNSENT {
            return Err(io::Error::other(
                "the server takes nothing of what it wants",
            ));
        }
        self.output.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Handshake,
    /// The handshake is done, and nobody has heard of it yet.
    Shaken,
    Open,
    /// Nothing more comes.
    Over,
}

/// What has happened.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// The handshake is done.
    Connected,
    /// As many bytes from within are in the buffer.
    Bytes(usize),
    /// The server has said everything.
    End,
    /// It cannot go on.
    Trouble(Trouble),
    /// The server's certificate is no good. It cannot go on.
    Refused(BadCertificate),
}

/// A connection.
#[derive(Debug)]
pub(crate) struct Session {
    stream: SslStream<Wire>,
    step: Step,
    /// Of the server's certificate, if that is verified.
    refusal: Option<verify::Refusal>,
}

impl Session {
    /// Bytes from the network. Ask for all events before the next ones.
    pub(crate) fn feed(&mut self, bytes: &[u8]) {
        self.stream.get_mut().input.extend_from_slice(bytes);
    }

    /// The network has no more.
    pub(crate) fn end(&mut self) {
        self.stream.get_mut().ended = true;
    }

    /// What happened next; `None`: nothing more, for now.
    pub(crate) fn poll(&mut self, buffer: &mut [u8]) -> Option<Event> {
        if self.step == Step::Handshake
            && let Err(error) = self.shake_hands()
        {
            self.step = Step::Over;
            return Some(if self.is_cut(&error) {
                Event::Trouble(trouble("it closed during the handshake of TLS"))
            } else {
                self.end_by(&error)
            });
        }
        match self.step {
            Step::Handshake | Step::Over => None,
            Step::Shaken => {
                self.step = Step::Open;
                Some(Event::Connected)
            }
            Step::Open => self.read(buffer),
        }
    }

    fn shake_hands(&mut self) -> Result<(), ssl::Error> {
        match self.stream.do_handshake() {
            Ok(()) => self.step = Step::Shaken,
            Err(error) if waits(&error) => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// What happened when the library gave up.
    fn end_by(&self, error: &ssl::Error) -> Event {
        match self.refusal.as_ref().and_then(|refusal| refusal.get()) {
            Some(bad) => Event::Refused(bad.clone()),
            None => Event::Trouble(explain(error)),
        }
    }

    fn read(&mut self, buffer: &mut [u8]) -> Option<Event> {
        match self.stream.ssl_read(buffer) {
            Ok(count) => Some(Event::Bytes(count)),
            Err(error) if waits(&error) => None,
            Err(error) => {
                self.step = Step::Over;
                let is_end = error.code() == ErrorCode::ZERO_RETURN || self.is_cut(&error);
                Some(if is_end {
                    Event::End
                } else {
                    self.end_by(&error)
                })
            }
        }
    }

    /// The network ended where TLS did not; nothing else is wrong.
    fn is_cut(&self, error: &ssl::Error) -> bool {
        let is_so = match error.ssl_error() {
            // OpenSSL 1.
            None => error.code() == ErrorCode::SYSCALL && error.io_error().is_none(),
            Some(stack) => {
                let first = stack.errors().first();
                first.is_some_and(|first| first.reason_code() == UNEXPECTED_END)
            }
        };
        is_so && self.stream.get_ref().ended
    }

    /// Bytes from within, after [`Event::Connected`].
    ///
    /// # Errors
    /// When it cannot go on.
    pub(crate) fn send(&mut self, bytes: &[u8]) -> Result<(), Trouble> {
        // The wire takes all or nothing.
        match self.stream.ssl_write(bytes) {
            Ok(_) => Ok(()),
            Err(error) => Err(explain(&error)),
        }
    }

    /// Tells the server that nothing more comes (close_notify).
    pub(crate) fn say_goodbye(&mut self) {
        if let Err(error) = self.stream.shutdown() {
            // It is closed all the same.
            log::debug!("no close_notify: {}", explain(&error));
        }
    }

    /// Bytes for the network.
    pub(crate) fn take_output(&mut self) -> Option<Vec<u8>> {
        let output = std::mem::take(&mut self.stream.get_mut().output);
        (!output.is_empty()).then_some(output)
    }
}

/// More from the network is needed.
fn waits(error: &ssl::Error) -> bool {
    error.code() == ErrorCode::WANT_READ
}

fn explain(error: &ssl::Error) -> Trouble {
    let Some(stack) = error.ssl_error() else {
        return trouble(error.to_string());
    };
    let first = stack.errors().first();
    Trouble {
        // Its largest ones are errors of the operating system, which are none of TLS.
        number: first.map_or(0, |first| i32::try_from(first.code()).unwrap_or(0)),
        ..trouble(words(stack))
    }
}

#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
