//! The host of check attempts with real sockets: servers that answer, and servers that do everything else. It is compiled
//! in from the daemon's source: a program has no library to test.

#[allow(
    unused_imports,
    dead_code,
    reason = "its unit tests run with those of the program"
)]
#[path = "../src/checker_process/attempts.rs"]
mod attempts;
mod conversation;

use std::collections::BTreeMap;
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use lab::{Host, HostOptions, Lab, pause, scenario};
use lvs::CheckId;
use lvs::dialogue::{Attempt, Failure, Obstacle, SmtpFailure, TroubleKind, Verdict};
use lvs::settings::checkers::{
    CheckerKind, DnsCheck, DnsType, Endpoint, Microseconds, Reply, SmtpCheck, Source, UdpCheck,
};
use sys::event_loop::EventLoop;
use sys::ping_groups::PingGroups;
use sys::sysctl::Overrides;
use types::Instant;

use attempts::{Attempts, Plans};
use conversation::Conversation;

fn main() -> ExitCode {
    scenario::main(&[
        ("ways_to_the_server", ways_to_the_server),
        ("our_own_fault", our_own_fault),
        ("mail_servers", mail_servers),
        ("closes_at_every_byte", closes_at_every_byte),
        ("name_servers", name_servers),
        ("datagrams", datagrams),
        ("pings", pings),
        ("floods_do_not_delay_others", floods_do_not_delay_others),
        ("late_but_not_too_late", late_but_not_too_late),
        ("more_than_there_is_room_for", more_than_there_is_room_for),
        ("abandoned", abandoned),
    ])
}

/// Longer than anything takes.
const SOON: Duration = Duration::from_secs(60);

/// `connect_timeout` where it is not to be reached.
const PATIENT: Duration = Duration::from_secs(30);

/// `connect_timeout` where it is.
const SHORT: Duration = Duration::from_millis(600);

/// What the checks are, by number.
#[derive(Default)]
struct Checks(BTreeMap<CheckId, CheckerKind>);

impl Plans for Checks {
    fn begin(
        &self,
        now: Instant,
        check: CheckId,
        attempt: Attempt,
    ) -> Option<(Conversation, &Endpoint)> {
        let kind = self.0.get(&check)?;
        let endpoint = match kind {
            CheckerKind::Tcp(endpoint) | CheckerKind::Ping(endpoint) => endpoint,
            CheckerKind::Udp(check) => &check.endpoint,
            CheckerKind::Http(check) => &check.endpoint,
            CheckerKind::Smtp(check) => &check.endpoint,
            CheckerKind::Dns(check) => &check.endpoint,
            CheckerKind::Misc(_) | CheckerKind::File(_) | CheckerKind::Bfd(_) => return None,
        };
        let conversation = Conversation::begin(now, kind, attempt)?;
        Some((conversation, endpoint))
    }
}

/// A loop as a process has it.
struct Loop {
    attempts: Attempts,
    events: EventLoop,
    checks: Checks,
    sequence: u16,
}

impl Loop {
    fn new() -> Result<Self> {
        Ok(Self {
            attempts: Attempts::new(),
            events: EventLoop::new()?,
            checks: Checks::default(),
            sequence: 0,
        })
    }

    fn start(&mut self, check: u32, kind: CheckerKind) {
        self.checks.0.insert(CheckId(check), kind);
        self.again(check);
    }

    fn again(&mut self, check: u32) {
        self.sequence += 1;
        let attempt = Attempt {
            url: 0,
            random: 0x4711,
            sequence: self.sequence,
        };
        self.attempts.start(CheckId(check), attempt);
    }

    /// Hears what has arrived; waits for it for at most `limit`.
    fn hear(&mut self, limit: Duration) -> Result<Instant> {
        let attempts = &mut self.attempts;
        self.events
            .wait_for_changes(Some(limit), |change| attempts.note(change))?;
        let now = sys::clock::now();
        self.attempts.hear(now);
        Ok(now)
    }

    /// One turn; waits at most until `until`.
    fn turn(&mut self, until: Instant) -> Result<Vec<(u32, Verdict)>> {
        let wake = self.attempts.next_wake().map_or(until, |at| at.min(until));
        let now = self.hear(wake.since(sys::clock::now()))?;
        self.attempts.tick(now, &self.checks, &self.events);
        Ok(self.ended())
    }

    /// What has come to its end.
    fn ended(&mut self) -> Vec<(u32, Verdict)> {
        std::iter::from_fn(|| self.attempts.poll_verdict())
            .map(|ended| (ended.check.0, ended.verdict))
            .collect()
    }

    /// The verdicts on `count` checks.
    fn verdicts(&mut self, count: usize) -> Result<BTreeMap<u32, Verdict>> {
        let mut all = BTreeMap::new();
        let end = sys::clock::now() + SOON;
        while all.len() < count {
            ensure!(
                sys::clock::now() < end,
                "only {} verdicts: {all:?}",
                all.len()
            );
            for (check, verdict) in self.turn(end)? {
                ensure!(
                    all.insert(check, verdict).is_none(),
                    "two verdicts on {check}"
                );
            }
        }
        Ok(all)
    }

    fn verdict(&mut self, kind: CheckerKind) -> Result<Verdict> {
        self.start(0, kind);
        self.verdicts(1)?.remove(&0).context("the verdict")
    }
}

fn endpoint(destination: SocketAddr, limit: Duration) -> Endpoint {
    let micros = u64::try_from(limit.as_micros()).unwrap_or(u64::MAX);
    Endpoint {
        destination,
        connect_timeout: Microseconds(micros),
        source: None,
    }
}

fn tcp(destination: SocketAddr, limit: Duration) -> CheckerKind {
    CheckerKind::Tcp(endpoint(destination, limit))
}

fn smtp(destination: SocketAddr, limit: Duration) -> CheckerKind {
    CheckerKind::Smtp(Box::new(SmtpCheck {
        endpoint: endpoint(destination, limit),
        helo_name: "me".to_owned(),
    }))
}

fn dns(destination: SocketAddr, limit: Duration) -> CheckerKind {
    CheckerKind::Dns(Box::new(DnsCheck {
        endpoint: endpoint(destination, limit),
        record: DnsType::Soa,
        name: "example.com".to_owned(),
    }))
}

fn udp(destination: SocketAddr, limit: Duration, reply: Reply) -> CheckerKind {
    CheckerKind::Udp(Box::new(UdpCheck {
        endpoint: endpoint(destination, limit),
        payload: Some(b"hello".to_vec()),
        reply,
    }))
}

/// The failure in a verdict.
fn failure(verdict: Verdict) -> Result<Failure> {
    if let Verdict::Failure(failure) = verdict {
        Ok(failure)
    } else {
        bail!("no failure: {verdict:?}")
    }
}

/// Serves each connection to a new port of `address` in a thread, until the scenario's process ends.
fn serve(
    address: IpAddr,
    server: impl Fn(TcpStream) -> std::io::Result<()> + Send + Sync + 'static,
) -> Result<SocketAddr> {
    let listener = TcpListener::bind((address, 0))?;
    let at = listener.local_addr()?;
    let server = std::sync::Arc::new(server);
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let server = std::sync::Arc::clone(&server);
            // Whoever is checked may be left in the middle of a word.
            thread::spawn(move || drop(server(stream)));
        }
    });
    Ok(at)
}

const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// Waits until the other end is gone.
fn until_the_end(stream: &mut TcpStream) -> std::io::Result<()> {
    let mut buffer = [0; 1024];
    while stream.read(&mut buffer)? > 0 {}
    Ok(())
}

/// A mail server that is well.
fn mail_server(mut stream: TcpStream) -> std::io::Result<()> {
    stream.write_all(b"220 mx.example ESMTP\r\n")?;
    expect(&mut stream, b"HELO me\r\n")?;
    stream.write_all(b"250 mx.example\r\n")?;
    expect(&mut stream, b"QUIT\r\n")?;
    stream.write_all(b"221 bye\r\n")
}

fn expect(stream: &mut TcpStream, wanted: &[u8]) -> std::io::Result<()> {
    let mut got = vec![0; wanted.len()];
    stream.read_exact(&mut got)?;
    if got == wanted {
        Ok(())
    } else {
        Err(ErrorKind::InvalidData.into())
    }
}

/// Two hosts on a link, 198.18.0.1 and 198.18.0.2; the second one has a listener at port 80.
fn two_hosts(lab: &Lab) -> Result<(Host, Host)> {
    let lan = lab.segment()?;
    let hosts = ["client", "server"].map(|name| lab.host(name, HostOptions::default()));
    let [client, server] = hosts;
    let (client, server) = (client?, server?);
    for (host, number) in [(&client, 1), (&server, 2)] {
        host.connect(&lan, "eth0")?;
        host.add_address("eth0", &format!("198.18.0.{number}/24"))?;
        host.add_address("eth0", &format!("fd00:18::{number}/64"))?;
        host.link_up("lo")?;
    }
    server.run(|| -> Result<()> {
        let listener = TcpListener::bind("198.18.0.2:80")?;
        thread::spawn(move || listener.incoming().for_each(drop));
        Ok(())
    })??;
    Ok((client, server))
}

/// What is sent to 198.18.0.10 is lost.
const LOST: &str = "ip neigh replace 198.18.0.10 lladdr 02:00:00:00:00:99 dev eth0 nud permanent";

/// Connections that are there, refused, unreachable, and lost without a word.
fn ways_to_the_server(lab: &mut Lab) -> Result<()> {
    let (client, _server) = two_hosts(lab)?;
    client.call(LOST)?;
    client.run(|| -> Result<()> {
        let mut host = Loop::new()?;
        let at = |text: &str| text.parse::<SocketAddr>();
        host.start(1, tcp(at("198.18.0.2:80")?, PATIENT));
        host.start(2, tcp(at("198.18.0.2:81")?, PATIENT));
        // TEST-NET-1 (RFC 5737): no route goes there.
        host.start(3, tcp(at("192.0.2.1:80")?, PATIENT));
        // Nobody has this address: the kernel gives up after some seconds.
        host.start(4, tcp(at("198.18.0.9:80")?, PATIENT));
        // Nor this one, but the kernel does not know it.
        host.start(5, tcp(at("198.18.0.10:80")?, SHORT));
        host.start(6, smtp(at("198.18.0.10:25")?, SHORT));
        host.start(7, smtp(at("192.0.2.1:25")?, PATIENT));
        let mut verdicts = host.verdicts(7)?;
        ensure!(host.attempts.open() == 0, "everything is closed");
        let mut of = |check| verdicts.remove(&check).context("a verdict");
        ensure!(of(1)? == Verdict::Success);
        let refused = failure(of(2)?)?;
        ensure!(
            matches!(&refused, Failure::Connect(trouble) if trouble.kind == TroubleKind::Refused),
            "{refused:?}"
        );
        for check in [3, 4, 7] {
            let unreachable = failure(of(check)?)?;
            ensure!(
                matches!(&unreachable, Failure::Connect(trouble)
                    if trouble.kind == TroubleKind::Unreachable),
                "{unreachable:?}"
            );
        }
        for check in [5, 6] {
            let late = failure(of(check)?)?;
            ensure!(late == Failure::ConnectTimeout(SHORT), "{late:?}");
        }
        Ok(())
    })?
}

/// What cannot be done on our side is no result.
fn our_own_fault(lab: &mut Lab) -> Result<()> {
    let (client, _server) = two_hosts(lab)?;
    client.run(|| -> Result<()> {
        let mut host = Loop::new()?;
        let destination = "198.18.0.2:80".parse()?;
        let from = |source: Source| {
            let mut endpoint = endpoint(destination, PATIENT);
            endpoint.source = Some(Box::new(source));
            endpoint
        };
        let address = |text: &str| -> Result<Source> {
            Ok(Source {
                address: Some(text.parse()?),
                ..Source::default()
            })
        };
        let device = |name: &str| -> Result<Source> {
            Ok(Source {
                interface: Some(types::IfName::new(name)?),
                fwmark: 7,
                ..Source::default()
            })
        };
        ensure!(host.verdict(CheckerKind::Tcp(from(address("198.18.0.1")?)))? == Verdict::Success);
        ensure!(host.verdict(CheckerKind::Tcp(from(device("eth0")?)))? == Verdict::Success);
        for source in [address("198.18.0.77")?, device("nosuch0")?] {
            let verdict = host.verdict(CheckerKind::Tcp(from(source.clone())))?;
            ensure!(
                matches!(verdict, Verdict::NoResult(Obstacle::Bind(_))),
                "{verdict:?}"
            );
            // keepalived: other than for all others.
            let check = UdpCheck {
                endpoint: from(source),
                payload: None,
                reply: Reply::NotNeeded,
            };
            let verdict = host.verdict(CheckerKind::Udp(Box::new(check)))?;
            ensure!(
                matches!(verdict, Verdict::Failure(Failure::Connect(_))),
                "{verdict:?}"
            );
        }
        ensure!(host.attempts.open() == 0);
        Ok(())
    })?
}

/// A mail server that is well, and others that accept and then misbehave.
fn mail_servers(_lab: &mut Lab) -> Result<()> {
    let mut host = Loop::new()?;
    let well = serve(LOOPBACK, mail_server)?;
    let silent = serve(LOOPBACK, |mut stream| until_the_end(&mut stream))?;
    let trickling = serve(LOOPBACK, |mut stream| {
        for byte in b"220 mx.example\r\n".iter().cycle().take(10_000) {
            stream.write_all(&[*byte])?;
            pause(Duration::from_millis(50));
            if *byte == b'\n' {
                break;
            }
        }
        until_the_end(&mut stream)
    })?;
    let talkative = serve(LOOPBACK, |mut stream| {
        stream.write_all(&vec![b'2'; 1_000_000])?;
        stream.write_all(b"\r\n")?;
        until_the_end(&mut stream)
    })?;
    let resetting = serve(LOOPBACK, |mut stream| {
        stream.write_all(b"220 mx.example\r\n")?;
        // What is closed with something unread is reset.
        stream.peek(&mut [0])?;
        Ok(())
    })?;
    host.start(1, smtp(well, PATIENT));
    host.start(2, smtp(silent, SHORT));
    host.start(3, smtp(trickling, SHORT));
    host.start(4, smtp(talkative, PATIENT));
    host.start(5, smtp(resetting, PATIENT));
    let mut verdicts = host.verdicts(5)?;
    ensure!(host.attempts.open() == 0, "everything is closed");
    let mut of = |check| verdicts.remove(&check).context("a verdict");
    ensure!(of(1)? == Verdict::Success);
    for check in [2, 3] {
        let late = failure(of(check)?)?;
        ensure!(late == Failure::ReadTimeout(SHORT), "{check}: {late:?}");
    }
    let long = failure(of(4)?)?;
    ensure!(
        matches!(long, Failure::Smtp(SmtpFailure::TooLong(_))),
        "{long:?}"
    );
    let reset = failure(of(5)?)?;
    ensure!(
        matches!(&reset, Failure::Broken(trouble) if trouble.kind == TroubleKind::Refused),
        "{reset:?}"
    );
    Ok(())
}

/// A mail server that closes after each byte that it could have said.
fn closes_at_every_byte(_lab: &mut Lab) -> Result<()> {
    const WORDS: [&[u8]; 3] = [b"220 x\r\n", b"250 y\r\n", b"221 z\r\n"];
    const HEARD: [&[u8]; 3] = [b"", b"HELO me\r\n", b"QUIT\r\n"];
    let total: usize = WORDS.iter().map(|word| word.len()).sum();
    let mut host = Loop::new()?;
    for cut in 0..=total {
        let at = serve(LOOPBACK, move |mut stream| {
            let mut left = cut;
            for (word, heard) in WORDS.iter().zip(HEARD) {
                expect(&mut stream, heard)?;
                let said = word.get(..left.min(word.len())).unwrap_or_default();
                stream.write_all(said)?;
                left -= said.len();
                if said.len() < word.len() {
                    break;
                }
            }
            Ok(())
        })?;
        host.start(u32::try_from(cut)?, smtp(at, PATIENT));
    }
    for (check, verdict) in host.verdicts(total + 1)? {
        if usize::try_from(check)? == total {
            ensure!(verdict == Verdict::Success, "{verdict:?}");
        } else {
            // A close that meets our next word is a reset.
            ensure!(
                matches!(
                    &verdict,
                    Verdict::Failure(
                        Failure::Smtp(SmtpFailure::Closed) | Failure::Broken(_) | Failure::Send(_)
                    )
                ),
                "{check}: {verdict:?}"
            );
        }
    }
    ensure!(host.attempts.open() == 0);
    Ok(())
}

/// Answers datagrams in a thread.
fn answer(
    mut server: impl FnMut(&UdpSocket, &[u8], SocketAddr) -> std::io::Result<()> + Send + 'static,
) -> Result<SocketAddr> {
    let socket = UdpSocket::bind((LOOPBACK, 0))?;
    let at = socket.local_addr()?;
    thread::spawn(move || {
        let mut buffer = [0; 2048];
        while let Ok((count, from)) = socket.recv_from(&mut buffer) {
            // Whoever asked may be gone.
            drop(server(
                &socket,
                buffer.get(..count).unwrap_or_default(),
                from,
            ));
        }
    });
    Ok(at)
}

/// Nobody listens there, nor does the kernel give that port to anybody who does not ask for it (`discard`, RFC 863).
const CLOSED: SocketAddr = SocketAddr::new(LOOPBACK, 9);

fn name_servers(_lab: &mut Lab) -> Result<()> {
    let reply = |query: &[u8], code: u8| {
        let mut reply = query.to_vec();
        if let Some(flags) = reply.get_mut(2..4) {
            flags.copy_from_slice(&[0x81, 0x80 | code]);
        }
        reply
    };
    let well = answer(move |socket, query, from| socket.send_to(&reply(query, 0), from).map(drop))?;
    let unwilling =
        answer(move |socket, query, from| socket.send_to(&reply(query, 5), from).map(drop))?;
    // Answers to others, a thousand of them, then the one to us.
    let confused = answer(move |socket, query, from| {
        for number in 0..1000_u16 {
            let mut wrong = reply(query, 3);
            if let Some(id) = wrong.get_mut(..2) {
                id.copy_from_slice(&number.to_be_bytes());
            }
            socket.send_to(&wrong, from)?;
            if number % 100 == 0 {
                pause(Duration::from_millis(1));
            }
        }
        // Of so many, some may find no room, so it is said until nobody listens any more.
        while socket.send_to(&reply(query, 0), from).is_ok() {
            pause(Duration::from_millis(50));
        }
        Ok(())
    })?;
    let silent = answer(|_, _, _| Ok(()))?;
    let mut host = Loop::new()?;
    for (check, at, limit) in [
        (1, well, PATIENT),
        (2, unwilling, PATIENT),
        (3, confused, PATIENT),
        (4, silent, SHORT),
        (5, CLOSED, PATIENT),
    ] {
        host.start(check, dns(at, limit));
    }
    let mut verdicts = host.verdicts(5)?;
    ensure!(host.attempts.open() == 0, "everything is closed");
    let mut of = |check| verdicts.remove(&check).context("a verdict");
    ensure!(of(1)? == Verdict::Success);
    ensure!(failure(of(2)?)? == Failure::Dns(lvs::dialogue::ResponseCode(5)));
    ensure!(of(3)? == Verdict::Success);
    ensure!(failure(of(4)?)? == Failure::ReadTimeout(SHORT));
    let refused = failure(of(5)?)?;
    ensure!(
        matches!(&refused, Failure::Broken(trouble) if trouble.kind == TroubleKind::Refused),
        "{refused:?}"
    );
    Ok(())
}

fn datagrams(_lab: &mut Lab) -> Result<()> {
    let echo = answer(|socket, bytes, from| socket.send_to(bytes, from).map(drop))?;
    let silent = answer(|_, _, _| Ok(()))?;
    let mut host = Loop::new()?;
    for (check, at, limit, reply) in [
        (1, echo, PATIENT, Reply::NotNeeded),
        (2, echo, PATIENT, Reply::Any),
        (3, silent, SHORT, Reply::NotNeeded),
        (4, silent, SHORT, Reply::Any),
        (5, CLOSED, PATIENT, Reply::NotNeeded),
    ] {
        host.start(check, udp(at, limit, reply));
    }
    let mut verdicts = host.verdicts(5)?;
    ensure!(host.attempts.open() == 0, "everything is closed");
    let mut of = |check| verdicts.remove(&check).context("a verdict");
    for check in [1, 2, 3] {
        ensure!(of(check)? == Verdict::Success, "{check}");
    }
    ensure!(failure(of(4)?)? == Failure::ReadTimeout(SHORT));
    let refused = failure(of(5)?)?;
    ensure!(
        matches!(&refused, Failure::Connect(trouble) if trouble.kind == TroubleKind::Refused),
        "{refused:?}"
    );
    Ok(())
}

/// Both families; the socket stays open while all is well, and is closed by the first failure.
fn pings(lab: &mut Lab) -> Result<()> {
    let (client, server) = two_hosts(lab)?;
    client.call(LOST)?;
    client.run(|| -> Result<()> {
        let range = || std::fs::read_to_string("/proc/sys/net/ipv4/ping_group_range");
        let before = range()?;
        let (mut groups, mut overrides) = (PingGroups::new(), Overrides::new());
        groups.let_us_in(&mut overrides)?;
        let mut host = Loop::new()?;
        let ping = |address: &str, limit| -> Result<CheckerKind> {
            Ok(CheckerKind::Ping(endpoint(
                SocketAddr::new(address.parse()?, 0),
                limit,
            )))
        };
        host.start(4, ping("198.18.0.2", PATIENT)?);
        host.start(6, ping("fd00:18::2", PATIENT)?);
        host.start(7, ping("198.18.0.10", SHORT)?);
        let verdicts = host.verdicts(3)?;
        ensure!(verdicts.get(&4) == Some(&Verdict::Success), "{verdicts:?}");
        ensure!(verdicts.get(&6) == Some(&Verdict::Success), "{verdicts:?}");
        let late = Verdict::Failure(Failure::ReadTimeout(SHORT));
        ensure!(verdicts.get(&7) == Some(&late), "{verdicts:?}");
        for _round in 0..5 {
            ensure!(host.attempts.open() == 2, "two sockets stay open");
            host.again(4);
            host.again(6);
            let verdicts = host.verdicts(2)?;
            ensure!(
                verdicts
                    .values()
                    .all(|verdict| *verdict == Verdict::Success)
            );
        }
        host.attempts.abandon(CheckId(6));
        ensure!(host.attempts.open() == 1);
        host.start(4, ping("198.18.0.9", PATIENT)?);
        // The check is another one now, even if nobody has abandoned the old one.
        let verdict = host.verdicts(1)?.remove(&4).context("the verdict")?;
        let unreachable = failure(verdict)?;
        ensure!(
            matches!(&unreachable, Failure::Connect(trouble)
                if trouble.kind == TroubleKind::Unreachable),
            "{unreachable:?}"
        );
        ensure!(host.attempts.open() == 0);
        // Nor does a server that answers pings have a port that is open.
        host.start(4, ping("198.18.0.2", PATIENT)?);
        let verdict = host.verdicts(1)?.remove(&4).context("the verdict")?;
        ensure!(verdict == Verdict::Success, "{verdict:?}");
        host.start(4, tcp("198.18.0.2:9".parse()?, PATIENT));
        let verdict = host.verdicts(1)?.remove(&4).context("the verdict")?;
        let refused = failure(verdict)?;
        ensure!(
            matches!(&refused, Failure::Connect(trouble) if trouble.kind == TroubleKind::Refused),
            "{refused:?}"
        );
        ensure!(host.attempts.open() == 0);
        groups.put_back(&mut overrides)?;
        ensure!(range()? == before, "the range is as it was");
        Ok(())
    })??;
    drop(server);
    Ok(())
}

/// Servers that flood as fast as they can, beside some that are well: those are checked again and again meanwhile.
fn floods_do_not_delay_others(_lab: &mut Lab) -> Result<()> {
    const FLOODS: u32 = 8;
    const WELL: u32 = 50;
    const ROUNDS: usize = 20;
    let flooding = serve(LOOPBACK, |mut stream| {
        // After QUIT, any line will do: this one never ends.
        stream.write_all(b"220 x\r\n250 x\r\n")?;
        loop {
            stream.write_all(&[b'y'; 65_536])?;
        }
    })?;
    let well = serve(LOOPBACK, mail_server)?;
    let mut host = Loop::new()?;
    host.attempts.make_room_for(1000)?;
    for flood in 0..FLOODS {
        host.start(flood, smtp(flooding, SOON * 10));
    }
    let (mut rounds, mut longest) = (0, Duration::ZERO);
    let end = sys::clock::now() + SOON;
    while rounds < ROUNDS {
        let begin = sys::clock::now();
        for check in FLOODS..FLOODS + WELL {
            host.start(check, smtp(well, PATIENT));
        }
        let mut left = WELL;
        while left > 0 {
            ensure!(sys::clock::now() < end, "only {rounds} rounds");
            for (check, verdict) in host.turn(end)? {
                // The time of the floods is not up before the end.
                ensure!(check >= FLOODS, "{check}: {verdict:?}");
                ensure!(verdict == Verdict::Success, "{check}: {verdict:?}");
                left -= 1;
            }
        }
        longest = longest.max(sys::clock::now().since(begin));
        rounds += 1;
    }
    println!("{WELL} checks beside {FLOODS} floods took {longest:?} at most");
    ensure!(
        host.attempts.open() == usize::try_from(FLOODS)?,
        "they flood on"
    );
    for flood in 0..FLOODS {
        host.attempts.abandon(CheckId(flood));
    }
    ensure!(host.attempts.open() == 0);
    Ok(())
}

/// We do not come to hear the answers before all deadlines have passed: they count all the same.
fn late_but_not_too_late(_lab: &mut Lab) -> Result<()> {
    // The server has room for two hundred datagrams, should it not be scheduled meanwhile.
    const COUNT: u32 = 150;
    const LIMIT: Duration = Duration::from_secs(2);
    let well = answer(|socket, bytes, from| socket.send_to(bytes, from).map(drop))?;
    let silent = answer(|_, _, _| Ok(()))?;
    let at = serve(LOOPBACK, |mut stream| until_the_end(&mut stream))?;
    let mut host = Loop::new()?;
    host.attempts.make_room_for(1000)?;
    for check in 0..COUNT {
        host.start(check, udp(well, LIMIT, Reply::Any));
        host.start(COUNT + check, tcp(at, LIMIT));
    }
    host.start(2 * COUNT, udp(silent, LIMIT, Reply::Any));
    // Begun, but nothing heard of any.
    for _turn in 0..=2 * COUNT {
        let now = sys::clock::now();
        host.attempts.tick(now, &host.checks, &host.events);
    }
    pause(LIMIT * 3 / 2);
    let mut verdicts = BTreeMap::from_iter(host.ended());
    let now = sys::clock::now();
    // Not even now: time-outs come first.
    while host.attempts.open() > 0 {
        host.attempts.tick(now, &host.checks, &host.events);
        verdicts.extend(host.ended());
    }
    let late = verdicts.remove(&(2 * COUNT)).context("the silent one")?;
    ensure!(failure(late)? == Failure::ReadTimeout(LIMIT));
    ensure!(verdicts.len() == usize::try_from(2 * COUNT)?);
    let other = verdicts.iter().find(|(_, it)| **it != Verdict::Success);
    ensure!(other.is_none(), "{other:?}");
    Ok(())
}

/// Attempts wait for their turn, and their time runs from then.
fn more_than_there_is_room_for(_lab: &mut Lab) -> Result<()> {
    const COUNT: u32 = 120;
    let silent = serve(LOOPBACK, |mut stream| until_the_end(&mut stream))?;
    let well = serve(LOOPBACK, mail_server)?;
    let mut host = Loop::new()?;
    for check in 0..COUNT {
        let kind = match check % 4 {
            0 => smtp(silent, SHORT),
            _ => smtp(well, PATIENT),
        };
        host.start(check, kind);
    }
    let end = sys::clock::now() + SOON;
    let (mut verdicts, mut most) = (BTreeMap::new(), 0);
    while verdicts.len() < usize::try_from(COUNT)? {
        ensure!(sys::clock::now() < end, "only {} verdicts", verdicts.len());
        verdicts.extend(host.turn(end)?);
        most = most.max(host.attempts.open());
    }
    ensure!(most == 16, "{most} were open");
    for (check, verdict) in verdicts {
        let expected = match check % 4 {
            0 => Verdict::Failure(Failure::ReadTimeout(SHORT)),
            _ => Verdict::Success,
        };
        ensure!(verdict == expected, "{check}: {verdict:?}");
    }
    Ok(())
}

/// What is abandoned has no verdict, wherever it was; what is started anew has one.
fn abandoned(_lab: &mut Lab) -> Result<()> {
    let well = serve(LOOPBACK, mail_server)?;
    let silent = serve(LOOPBACK, |mut stream| until_the_end(&mut stream))?;
    let mut host = Loop::new()?;
    for check in 0..40 {
        host.start(check, smtp(silent, PATIENT));
    }
    host.turn(sys::clock::now() + PATIENT)?;
    ensure!(host.attempts.open() == 16, "the others wait");
    for check in 0..40 {
        host.attempts.abandon(CheckId(check));
    }
    ensure!(host.attempts.open() == 0);
    for check in 0..20 {
        host.start(check, smtp(well, PATIENT));
        // Once more, before it could begin.
        host.again(check);
    }
    let verdicts = host.verdicts(20)?;
    ensure!(verdicts.keys().copied().eq(0..20));
    ensure!(
        verdicts
            .values()
            .all(|verdict| *verdict == Verdict::Success)
    );
    // A verdict that nobody has fetched is void, too.
    host.again(0);
    let end = sys::clock::now() + SOON;
    while host.attempts.open() == 0 {
        ensure!(sys::clock::now() < end);
        host.attempts
            .tick(sys::clock::now(), &host.checks, &host.events);
    }
    while host.attempts.open() > 0 {
        ensure!(sys::clock::now() < end);
        host.hear(Duration::ZERO)?;
    }
    host.attempts.abandon(CheckId(0));
    ensure!(host.attempts.poll_verdict().is_none());
    ensure!(host.attempts.next_wake().is_none(), "nothing is left to do");
    Ok(())
}
