//! A TLS server in memory, for tests: OpenSSL's own other side.

use openssl::pkey::{PKey, Private};
use openssl::ssl::{
    NameType, ShutdownResult, Ssl, SslContext, SslContextBuilder, SslMethod, SslMode, SslStream,
    SslVerifyMode, SslVersion,
};
use openssl::x509::X509;

use super::{Step, Wire, waits};

pub(crate) mod certificates;

use certificates::{Content, Identity};

/// A key, and a certificate for it that its owner has signed.
pub(crate) fn identity() -> (X509, PKey<Private>) {
    let content = Content {
        subject: "test.example",
        ..Content::server(&[])
    };
    let Identity { certificate, key } = content.by_itself();
    (certificate, key)
}

/// What servers have in common.
#[derive(Clone)]
pub(crate) struct ServerContext(SslContext);

impl ServerContext {
    /// Speaks this version only; `client`: it wants a certificate of the client.
    pub(crate) fn new(version: SslVersion, client: bool) -> Self {
        let (certificate, key) = identity();
        let mut builder = SslContextBuilder::new(SslMethod::tls_server()).unwrap();
        builder.set_certificate(&certificate).unwrap();
        builder.set_private_key(&key).unwrap();
        builder.set_min_proto_version(Some(version)).unwrap();
        builder.set_max_proto_version(Some(version)).unwrap();
        if client {
            let mode = SslVerifyMode::PEER | SslVerifyMode::FAIL_IF_NO_PEER_CERT;
            // Whoever it is.
            builder.set_verify_callback(mode, |_, _| true);
        }
        Self(builder.build())
    }
}

impl ServerContext {
    /// Speaks this version only, and shows these certificates: its own, and those of whoever has issued it.
    pub(crate) fn showing(version: SslVersion, shown: &[&Identity]) -> Self {
        let mut builder = SslContextBuilder::new(SslMethod::tls_server()).unwrap();
        let (own, others) = shown.split_first().unwrap();
        builder.set_certificate(&own.certificate).unwrap();
        builder.set_private_key(&own.key).unwrap();
        for other in others {
            let certificate = other.certificate.clone();
            builder.add_extra_chain_cert(certificate).unwrap();
        }
        // It must not complete the chain by itself.
        builder.set_mode(SslMode::NO_AUTO_CHAIN);
        builder.set_min_proto_version(Some(version)).unwrap();
        builder.set_max_proto_version(Some(version)).unwrap();
        Self(builder.build())
    }
}

/// A server's end of one connection.
pub(crate) struct Server {
    stream: SslStream<Wire>,
    step: Step,
    /// What the client has said, and whether it has said goodbye.
    pub(crate) heard: Vec<u8>,
    pub(crate) goodbye: bool,
    /// Why it cannot go on.
    pub(crate) trouble: Option<String>,
}

impl Server {
    pub(crate) fn new(context: &ServerContext) -> Self {
        let mut ssl = Ssl::new(&context.0).unwrap();
        ssl.set_accept_state();
        Self {
            stream: SslStream::new(ssl, Wire::default()).unwrap(),
            step: Step::Handshake,
            heard: Vec::new(),
            goodbye: false,
            trouble: None,
        }
    }

    pub(crate) fn feed(&mut self, bytes: &[u8]) {
        self.stream.get_mut().input.extend_from_slice(bytes);
        if self.step == Step::Handshake {
            match self.stream.do_handshake() {
                Ok(()) => self.step = Step::Open,
                Err(error) if waits(&error) => {}
                Err(error) => self.trouble = Some(error.to_string()),
            }
        }
        let mut buffer = [0; 4096];
        while self.step == Step::Open {
            match self.stream.ssl_read(&mut buffer) {
                Ok(count) => self.heard.extend_from_slice(&buffer[..count]),
                Err(error) => {
                    self.goodbye |= error.code() == openssl::ssl::ErrorCode::ZERO_RETURN;
                    break;
                }
            }
        }
    }

    pub(crate) fn say(&mut self, bytes: &[u8]) {
        assert_eq!(self.stream.ssl_write(bytes).unwrap(), bytes.len());
    }

    pub(crate) fn say_goodbye(&mut self) {
        assert_eq!(self.stream.shutdown().unwrap(), ShutdownResult::Sent);
    }

    pub(crate) fn take_output(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.stream.get_mut().output)
    }

    /// The name that the client sent.
    pub(crate) fn name(&self) -> Option<String> {
        let name = self.stream.ssl().servername(NameType::HOST_NAME);
        name.map(str::to_owned)
    }

    /// The client has shown a certificate.
    pub(crate) fn knows_client(&self) -> bool {
        self.stream.ssl().peer_certificate().is_some()
    }

    /// Something else instead of TLS.
    pub(crate) fn spoil(&mut self, bytes: &[u8]) {
        self.stream.get_mut().output.extend_from_slice(bytes);
    }
}
