//! How many SSL_GETs a second of one processor is enough for: the daemon itself, on a kernel that need not have IPVS.
//!
//!     cargo bench -p evervip --bench https -- [--checks N] [--every SECONDS] [--seconds N] [--rounds N]
//!
//! On a host of its own (a network namespace) another process serves a page over TLS, on all addresses of 127.0.0.0/8 and with
//! a key on the curve P-256, and counts its connections. Each check has a handshake of its own. Time is that of the checker
//! process alone: the server, which works as much, is not counted. Fewer checks than were asked for: the machine is
//! too slow for both.

// The bench is no daemon: it stops at the first surprise.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a bench stops at the first surprise"
)]

#[allow(dead_code, reason = "unit tests use all of it")]
#[path = "../src/tls/testing/certificates.rs"]
mod certificates;

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use lab::{ExitStatus, Host, HostOptions, Lab, Pid, Process, pause, wait_until};
use openssl::ssl::{Ssl, SslContext, SslContextBuilder, SslMethod, SslStream, SslVersion};

use certificates::{Content, Identity};

/// What this program does when it is the other process.
const SERVER: &str = "--serve";

/// As many threads serve: each is busy with one connection at a time.
const SERVERS: usize = 16;

const PAGE: &[u8] = b"HTTP/1.0 200 OK\r\n\r\nhello";

/// Longer than anything is waited for.
const SOON: Duration = Duration::from_secs(60);

/// Ticks of the times in /proc/PID/stat (proc(5), USER_HZ).
const TICKS: f64 = 100.0;

#[derive(Clone, Copy, Debug)]
struct Options {
    checks: u32,
    every: f64,
    seconds: f64,
    rounds: u32,
}

fn main() {
    let mut words = std::env::args().skip(1);
    let mut options = Options {
        checks: 1000,
        every: 1.0,
        seconds: 10.0,
        rounds: 3,
    };
    while let Some(word) = words.next() {
        let mut value = || words.next().expect(&word);
        match word.as_str() {
            SERVER => return listen(&value()),
            "--checks" => options.checks = value().parse().expect("a number"),
            "--every" => options.every = value().parse().expect("seconds"),
            "--seconds" => options.seconds = value().parse().expect("seconds"),
            "--rounds" => options.rounds = value().parse().expect("a number"),
            // Cargo's own.
            "--bench" => {}
            other => panic!("unknown option {other}"),
        }
    }
    let lab = Lab::new("bench-https").expect("a lab");
    for round in 1..=options.rounds {
        for version in ["1.2", "1.3"] {
            let host = lab.host(&format!("tls{version}-{round}"), HostOptions::default());
            let host = host.expect("a host");
            host.link_up("lo").expect("the loopback interface");
            measure(&host, version, options, round);
        }
    }
}

/// The server: says its port, and then, whenever it is asked with a line, how many connections it has served.
fn listen(version: &str) {
    let version = match version {
        "1.2" => SslVersion::TLS1_2,
        _ => SslVersion::TLS1_3,
    };
    let Identity { certificate, key } = Content::server(&[]).by_itself();
    let mut builder = SslContextBuilder::new(SslMethod::tls_server()).expect("a context");
    builder
        .set_certificate(&certificate)
        .expect("a certificate");
    builder.set_private_key(&key).expect("its key");
    builder
        .set_min_proto_version(Some(version))
        .expect("a version");
    builder
        .set_max_proto_version(Some(version))
        .expect("a version");
    let context = builder.build();
    let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0)).expect("a port");
    println!("{}", listener.local_addr().expect("its port").port());
    let served = Arc::new(AtomicU64::new(0));
    for _ in 0..SERVERS {
        let (listener, context) = (listener.try_clone().expect("a listener"), context.clone());
        let served = Arc::clone(&served);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                // Who leaves in the middle has not been served.
                if serve(stream, &context).is_ok() {
                    served.fetch_add(1, Ordering::Relaxed);
                }
            }
        });
    }
    for line in std::io::stdin().lines() {
        line.expect("a question");
        println!("{}", served.load(Ordering::Relaxed));
    }
}

fn serve(stream: TcpStream, context: &SslContext) -> Result<(), Box<dyn std::error::Error>> {
    let mut stream = SslStream::new(Ssl::new(context)?, stream)?;
    stream.accept()?;
    let mut heard = Vec::new();
    while !heard.ends_with(b"\r\n\r\n") {
        let mut buffer = [0; 512];
        match stream.read(&mut buffer)? {
            0 => return Err("no request".into()),
            count => heard.extend_from_slice(&buffer[..count]),
        }
    }
    stream.write_all(PAGE)?;
    stream.shutdown()?;
    Ok(())
}

/// The server as its client sees it.
struct Server {
    process: Child,
    answers: BufReader<std::process::ChildStdout>,
    port: u64,
}

impl Server {
    fn start(host: &Host, version: &str) -> Self {
        let own = std::env::current_exe().expect("this program");
        let mut command = Command::new(own);
        command.args([SERVER, version]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        sys::process::tie_to_spawner(&mut command, 9);
        let mut process = host
            .run(move || command.spawn())
            .expect("the host works")
            .expect("a server");
        let answers = BufReader::new(process.stdout.take().expect("its output"));
        let mut server = Self {
            process,
            answers,
            port: 0,
        };
        server.port = server.number();
        server
    }

    fn number(&mut self) -> u64 {
        let mut line = String::new();
        self.answers.read_line(&mut line).expect("an answer");
        line.trim().parse().expect("a number")
    }

    fn served(&mut self) -> u64 {
        let question = self.process.stdin.as_mut().expect("its input");
        question.write_all(b"\n").expect("it listens");
        self.number()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.process.kill().expect("the server ends");
        self.process.wait().expect("the server has ended");
    }
}

fn configuration(port: u64, options: Options) -> String {
    let servers: String = (1..=options.checks)
        .map(|number| {
            let [_, a, b, c] = number.to_be_bytes();
            format!(
                " real_server 127.{a}.{b}.{c} {port} {{\n  SSL_GET {{\n   enable_sni\n   virtualhost www.example.com\n   \
                 url {{\n    path /\n    digest 5d41402abc4b2a76b9719d911017c592\n   }}\n  }}\n }}\n"
            )
        })
        .collect();
    format!(
        "virtual_server 192.0.2.1 443 {{\n protocol TCP\n lb_algo rr\n lb_kind NAT\n delay_loop {0}\n warmup {0}\n \
         connect_timeout 30\n{servers}}}\n",
        options.every
    )
}

/// The daemon.
fn start(host: &Host, configuration: &str) -> Process {
    let directory = host.directory();
    fs::write(directory.join("keepalived.conf"), configuration).expect("its configuration");
    let mut command = Command::new(env!("CARGO_BIN_EXE_evervip"));
    command.args(["-n", "-l"]);
    for (option, file) in [
        ("-f", "keepalived.conf"),
        ("-p", "keepalived.pid"),
        ("-r", "vrrp.pid"),
        ("-c", "checkers.pid"),
        ("-b", "bfd.pid"),
    ] {
        command.arg(option).arg(directory.join(file));
    }
    host.spawn(&mut command).expect("the daemon starts")
}

/// The processor time of a process so far, in seconds.
fn used(pid: Pid) -> f64 {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).expect("it runs");
    let (_, fields) = text.rsplit_once(')').expect("its name");
    let times = fields.split_whitespace().skip(11).take(2);
    times
        .map(|ticks| ticks.parse::<f64>().expect("a number"))
        .sum::<f64>()
        / TICKS
}

fn measure(host: &Host, version: &str, options: Options, round: u32) {
    let mut server = Server::start(host, version);
    let text = configuration(server.port, options);
    let mut daemon = start(host, &text);
    let mut count = || server.served();
    // Each was served once: from then on they are spread over their interval.
    wait_until(SOON, "all checks were made once", || {
        count() >= u64::from(options.checks)
    })
    .expect("checks are made");
    let pid =
        fs::read_to_string(host.directory().join("checkers.pid")).expect("the checker process");
    let pid = pid
        .trim()
        .parse()
        .ok()
        .and_then(Pid::new)
        .expect("its number");
    let (begin, cpu, made) = (sys::clock::now(), used(pid), count());
    pause(Duration::from_secs_f64(options.seconds));
    let (wall, cpu, made) = (
        sys::clock::now().since(begin).as_secs_f64(),
        used(pid) - cpu,
        count() - made,
    );
    let failed = daemon
        .output_so_far()
        .matches("SSL_CHECK on service")
        .count();
    daemon.kill(15).expect("it runs");
    let status = daemon.wait_timeout(SOON).expect("it stops");
    assert_eq!(status, ExitStatus::Code(0));
    let made = f64::from(u32::try_from(made).expect("fewer"));
    println!(
        "round {round}, TLS {version}: {:.0} checks/s of {:.0}, {:.1} us of CPU each ({:.0} per second of CPU), {failed} failed",
        made / wall,
        f64::from(options.checks) / options.every,
        cpu * 1e6 / made,
        made / cpu,
    );
}
