//! Servers of streams that know by which address they were reached, and TLS over a stream that says only so much.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use anyhow::Result;
use lab::Host;
use openssl::ssl::{Ssl, SslContext, SslContextBuilder, SslMethod, SslStream, SslVersion};

use crate::certificates::{Content, Identity};

/// Nobody waits longer for whom it serves.
const PATIENCE: Duration = Duration::from_secs(60);

/// Serves each connection to a port of all the host's addresses in a thread of its own, and tells it by which address
/// 127.1.A.B it came: A * 256 + B. Then what is said is ended, and what still comes is read, so that nothing is reset.
pub(crate) fn serve(
    host: &Host,
    port: u16,
    server: impl Fn(TcpStream, u16) -> io::Result<()> + Send + Sync + 'static,
) -> Result<()> {
    let listener = host.run(move || TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)))??;
    let server = Arc::new(server);
    // It ends with the scenario's process.
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let server = Arc::clone(&server);
            // Whoever is served may be left in the middle of a word.
            thread::spawn(move || drop(attend(&stream, &*server)));
        }
    });
    Ok(())
}

fn attend(stream: &TcpStream, server: &dyn Fn(TcpStream, u16) -> io::Result<()>) -> io::Result<()> {
    let number = match stream.local_addr()?.ip() {
        IpAddr::V4(address) => {
            let [_, _, high, low] = address.octets();
            u16::from_be_bytes([high, low])
        }
        IpAddr::V6(_) => return Err(ErrorKind::AddrNotAvailable.into()),
    };
    stream.set_read_timeout(Some(PATIENCE))?;
    // Whatever it said, it leaves.
    drop(server(stream.try_clone()?, number));
    finish(stream)
}

/// Says nothing more, and reads to the end.
fn finish(mut stream: &TcpStream) -> io::Result<()> {
    stream.shutdown(Shutdown::Write)?;
    let mut buffer = [0; 4096];
    while stream.read(&mut buffer)? > 0 {}
    Ok(())
}

/// Reads until these bytes have come.
pub(crate) fn until(stream: &mut impl Read, end: &[u8]) -> io::Result<()> {
    let mut heard = Vec::new();
    while !heard.ends_with(end) {
        let mut byte = [0];
        stream.read_exact(&mut byte)?;
        heard.extend_from_slice(&byte);
    }
    Ok(())
}

/// Reads exactly these bytes.
pub(crate) fn expect(stream: &mut impl Read, wanted: &[u8]) -> io::Result<()> {
    let mut got = vec![0; wanted.len()];
    stream.read_exact(&mut got)?;
    if got == wanted {
        Ok(())
    } else {
        Err(ErrorKind::InvalidData.into())
    }
}

/// How much a TLS server says, in bytes on the wire, and what it says instead of the rest.
pub(crate) struct Speech {
    left: usize,
    end: &'static [u8],
}

impl Speech {
    pub(crate) fn of(left: usize, end: &'static [u8]) -> Self {
        Self { left, end }
    }

    pub(crate) fn whole() -> Self {
        Self::of(usize::MAX, b"")
    }
}

/// A stream that says only so much.
pub(crate) struct Wire {
    stream: TcpStream,
    speech: Speech,
    spoilt: bool,
}

impl Wire {
    /// From now on every record that is read has a wrong bit.
    pub(crate) fn spoil(&mut self) {
        self.spoilt = true;
    }

    /// Says what it says instead of the rest.
    pub(crate) fn finish(&mut self) -> io::Result<()> {
        self.stream.write_all(std::mem::take(&mut self.speech.end))
    }
}

impl Read for Wire {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        /// A record's head, which TLS reads alone.
        const HEAD: usize = 5;
        let wanted = buffer.len();
        let count = self.stream.read(buffer)?;
        if self.spoilt
            && wanted != HEAD
            && let Some(last) = buffer.get_mut(..count).and_then(<[u8]>::last_mut)
        {
            *last ^= 1;
        }
        Ok(count)
    }
}

impl Write for Wire {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let said = bytes.get(..self.speech.left).unwrap_or(bytes);
        self.stream.write_all(said)?;
        self.speech.left -= said.len();
        if said.len() == bytes.len() {
            return Ok(said.len());
        }
        self.finish()?;
        Err(ErrorKind::BrokenPipe.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What connections of a TLS server have in common.
pub(crate) struct TlsServer(SslContext);

impl TlsServer {
    /// Of this version only, with a certificate of its own.
    pub(crate) fn new(version: SslVersion) -> Result<Self> {
        let Identity { certificate, key } = Content::server(&[]).by_itself();
        let mut builder = SslContextBuilder::new(SslMethod::tls_server())?;
        builder.set_certificate(&certificate)?;
        builder.set_private_key(&key)?;
        builder.set_min_proto_version(Some(version))?;
        builder.set_max_proto_version(Some(version))?;
        Ok(Self(builder.build()))
    }

    /// The handshake, as far as it comes.
    pub(crate) fn accept(&self, stream: TcpStream, speech: Speech) -> io::Result<SslStream<Wire>> {
        let wire = Wire {
            stream,
            speech,
            spoilt: false,
        };
        let mut tls = SslStream::new(Ssl::new(&self.0)?, wire)?;
        tls.accept().map_err(io::Error::other)?;
        Ok(tls)
    }
}
