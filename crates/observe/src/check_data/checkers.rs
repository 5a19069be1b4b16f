//! The sections about checks, and about the files and sessions that some of them go by.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use lvs::settings::checkers::{
    Checker, CheckerKind, Endpoint, FileWeight, HttpCheck, HttpVersion, MiscCheck, Regex, Reply,
    Sni, UdpCheck, Url,
};
use lvs::settings::{Octets, VirtualServer};
use lvs::view::{CheckView, ServerView};

use super::{Dump, on, seconds, yes};

/// `2 reverse`.
pub(super) fn weight(weight: FileWeight) -> String {
    let reverse = if weight.reverse { " reverse" } else { "" };
    format!("{}{reverse}", weight.weight)
}

const fn set(is: bool) -> &'static str {
    if is { "set" } else { "unset" }
}

/// `[10.0.0.1]:80`, for IPv4 too.
fn end(address: SocketAddr) -> String {
    format!("[{}]:{}", address.ip(), address.port())
}

/// What a check is called, and how long in microseconds it waits before a further attempt if nobody says otherwise.
const fn kind(kind: &CheckerKind) -> (&'static str, u64) {
    match kind {
        CheckerKind::Tcp(_) => ("TCP_CHECK", 1_000_000),
        CheckerKind::Ping(_) => ("PING_CHECK", 1_000_000),
        CheckerKind::Udp(_) => ("UDP_CHECK", 1_000_000),
        CheckerKind::Http(check) if check.tls.is_some() => ("SSL_GET", 3_000_000),
        CheckerKind::Http(_) => ("HTTP_GET", 3_000_000),
        CheckerKind::Smtp(_) => ("SMTP_CHECK", 1_000_000),
        // It waits as long as between two checks, which keepalived shows so.
        CheckerKind::Dns(_) => ("DNS_CHECK", 0),
        CheckerKind::Misc(_) => ("MISC_CHECK", 1_000_000),
        CheckerKind::File(_) => ("FILE_CHECK", 1_000_000),
        CheckerKind::Bfd(_) => ("BFD_CHECK", 1_000_000),
    }
}

impl Dump<'_> {
    /// The section about checks, if there are any, in the order of the settings.
    pub(super) fn checks(&mut self) {
        let mut titled = false;
        for service in self.lvs.services() {
            for server in service.servers() {
                for check in server.checks() {
                    if !std::mem::replace(&mut titled, true) {
                        self.page.section("Health checkers");
                    }
                    self.page
                        .object(format_args!("{} -> {}", service.name(), server.name()));
                    self.check(service.settings, &server, &check);
                }
            }
        }
    }

    fn check(&mut self, service: &VirtualServer, server: &ServerView<'_>, check: &CheckView<'_>) {
        let checker = check.settings;
        self.field(format_args!("Enabled = {}", yes(check.is_enabled())));
        self.field(format_args!("Up = {}", yes(check.is_up())));
        self.field(format_args!("Has run = {}", yes(check.has_run())));
        self.field(format_args!("Current weight = {}", check.contribution()));
        match &checker.kind {
            CheckerKind::File(_) => {}
            // It has no pace of its own; keepalived shows numbers that mean nothing.
            CheckerKind::Bfd(_) => self.field(format_args!("Alpha = {}", yes(checker.alpha))),
            CheckerKind::Tcp(_)
            | CheckerKind::Ping(_)
            | CheckerKind::Udp(_)
            | CheckerKind::Http(_)
            | CheckerKind::Smtp(_)
            | CheckerKind::Dns(_)
            | CheckerKind::Misc(_) => self.pace(check),
        }
        let chatty = yes(checker.log_all_failures);
        self.field(format_args!("Log all failures = {chatty}"));
        if let Some(endpoint) = checker.endpoint() {
            self.connection(endpoint, check.last_errno());
        }
        self.method(service, server, check);
    }

    fn pace(&mut self, check: &CheckView<'_>) {
        let checker = check.settings;
        self.field(format_args!("Alpha = {}", yes(checker.alpha)));
        self.field(format_args!("Delay loop = {} us", checker.delay_loop.0));
        self.field(format_args!("Warmup = {} us", checker.warmup.0));
        self.field(format_args!("Retries = {}", checker.retry));
        if checker.retry != 0 {
            let pause = checker.delay_before_retry.0;
            self.field(format_args!("Delay before retry = {pause} us"));
            self.field(format_args!("Retries iterations = {}", check.failures()));
        }
        let (_, usual) = kind(&checker.kind);
        self.field(format_args!("Default delay before retry = {usual} us"));
    }

    fn connection(&mut self, endpoint: &Endpoint, errno: Option<u16>) {
        self.field(format_args!("Connection"));
        self.entry(format_args!("Dest = {}", end(endpoint.destination)));
        if let Some(source) = &endpoint.source {
            let port = source.port.map_or(0, std::num::NonZeroU16::get);
            let unspecified = || match endpoint.destination {
                SocketAddr::V4(_) => std::net::Ipv4Addr::UNSPECIFIED.into(),
                SocketAddr::V6(_) => std::net::Ipv6Addr::UNSPECIFIED.into(),
            };
            if source.address.is_some() || port != 0 {
                let address = source.address.unwrap_or_else(unspecified);
                self.entry(format_args!(
                    "Bind to = {}",
                    end(SocketAddr::new(address, port))
                ));
            }
            if let Some(interface) = &source.interface {
                self.entry(format_args!("Bind i/f = {interface}"));
            }
            if source.fwmark != 0 {
                self.entry(format_args!("Mark = {}", source.fwmark));
            }
        }
        let patience = seconds(endpoint.connect_timeout);
        self.entry(format_args!("Timeout = {patience}"));
        if let Some(errno) = errno {
            self.entry(format_args!("Last errno = {errno}"));
        }
    }

    fn method(&mut self, service: &VirtualServer, server: &ServerView<'_>, check: &CheckView<'_>) {
        let checker = check.settings;
        let (name, _) = kind(&checker.kind);
        if let CheckerKind::Http(http) = &checker.kind {
            let version = match http.version {
                HttpVersion::V1_0 => "1.0",
                HttpVersion::V1_0Close => "1.0C",
                HttpVersion::V1_1 => "1.1",
            };
            self.field(format_args!(
                "Keepalive method = {name}, http protocol {version}"
            ));
        } else {
            self.field(format_args!("Keepalive method = {name}"));
        }
        match &checker.kind {
            CheckerKind::Tcp(_) => {}
            CheckerKind::Ping(_) => self.entry(format_args!("ICMP seq no = {}", check.sequence())),
            CheckerKind::Udp(udp) => self.udp(udp),
            CheckerKind::Http(http) => {
                let rare = server.settings.rare.as_ref();
                let around = rare
                    .and_then(|rare| rare.virtualhost.as_ref())
                    .or(service.virtualhost.as_ref());
                self.http(http, around, check);
            }
            CheckerKind::Smtp(smtp) => self.field(format_args!("helo = {}", smtp.helo_name)),
            CheckerKind::Dns(dns) => {
                self.field(format_args!("Type = {}", dns.record.name()));
                self.field(format_args!("Name = {}", dns.name));
            }
            CheckerKind::Misc(misc) => self.misc(misc, check),
            CheckerKind::File(file) => {
                self.entry(format_args!("Tracked file = {}", file.track_file));
                let reloaded = if server.is_reloaded() { "Yes" } else { "No" };
                self.entry(format_args!("Reloaded = {reloaded}"));
            }
            CheckerKind::Bfd(name) => {
                self.field(format_args!("Name = {name}"));
                self.field(format_args!("Alpha is {}", on(checker.alpha)));
            }
        }
    }

    fn udp(&mut self, udp: &UdpCheck) {
        match &udp.payload {
            Some(payload) => self.field(format_args!("Payload len = {}", payload.len())),
            None => self.field(format_args!("Payload specified = no")),
        }
        let wanted = udp.reply != Reply::NotNeeded;
        self.field(format_args!("Require reply = {}", yes(wanted)));
        let (least, most, pattern) = match &udp.reply {
            Reply::NotNeeded => return,
            Reply::Any => (0, 255, None),
            Reply::Matching(pattern) => (pattern.min_length, pattern.max_length, Some(pattern)),
        };
        self.entry(format_args!("Min reply length = {least}"));
        self.entry(format_args!("Max reply length = {most}"));
        let length = pattern.map_or(0, |pattern| pattern.bytes.len());
        self.entry(format_args!("Reply data len = {length}"));
        if let Some(pattern) = pattern {
            let masked = pattern.mask.iter().any(|bits| *bits != u8::MAX);
            self.entry(format_args!("Reply data mask = {}", yes(masked)));
        }
    }

    /// `around`: the virtual host that the check took from the servers around it, if it has none of its own.
    fn http(&mut self, http: &HttpCheck, around: Option<&Octets>, check: &CheckView<'_>) {
        if let Some(host) = &http.virtualhost
            && Some(host) != around
        {
            self.field(format_args!("Virtualhost = {host}"));
        }
        let sni = http.tls.as_ref().map(|tls| &tls.sni);
        let by_name = matches!(sni, Some(Sni::Named(_) | Sni::Virtualhost(_)));
        self.field(format_args!("Enable SNI {}", set(by_name)));
        if let Some(Sni::Named(name)) = sni {
            self.entry(format_args!("SNI name = {name}"));
        }
        self.field(format_args!("Fast recovery {}", set(http.fast_recovery)));
        if let Some(tls) = &http.tls {
            self.field(format_args!("tls_compliant {}", set(tls.compliant)));
            if tls.verify_peer {
                self.field(format_args!("verify_peer set"));
            }
        }
        for (number, url) in (0..).zip(&http.urls) {
            self.url(url, http, check.last_tls_error(number));
        }
        let failed = check
            .failed_url()
            .and_then(|at| http.urls.get(usize::from(at)));
        if let Some(url) = failed {
            self.field(format_args!("Failed URL = {}", url.path));
        }
    }

    fn url(&mut self, url: &Url, http: &HttpCheck, tls_error: Option<i32>) {
        self.field(format_args!("Checked url = {}", url.path));
        if let Some(digest) = url.digest {
            let digits: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
            self.entry(format_args!("digest = {digits}"));
        }
        if http.tls.is_some() {
            self.entry(format_args!("tls_compliant {}", set(url.tls_compliant)));
        }
        self.entry(format_args!("HTTP Status Code(s)"));
        for range in &url.status_codes {
            self.page.line(7, format_args!("{range}"));
        }
        if let Some(host) = &url.virtualhost {
            self.entry(format_args!("Virtual host = {host}"));
        }
        if let Some(number) = tls_error {
            self.entry(format_args!("Last SSL error = 0x{number:x}"));
        }
        if let Some(regex) = &url.regex {
            let twins = self.users_of(regex);
            self.regex(regex, twins);
        }
    }

    /// How many pages look for the same pattern: they share what it compiles to.
    fn users_of(&mut self, regex: &Regex) -> usize {
        let lvs = self.lvs;
        let users = self.patterns.get_or_insert_with(|| {
            let mut users = BTreeMap::new();
            for service in lvs.services() {
                for checker in service
                    .servers()
                    .flat_map(|server| &server.settings.checkers)
                {
                    for regex in regexes(checker) {
                        *users.entry(identity(regex)).or_insert(0) += 1;
                    }
                }
            }
            users
        });
        users.get(&identity(regex)).copied().unwrap_or(0)
    }

    fn regex(&mut self, regex: &Regex, users: usize) {
        let pattern = String::from_utf8_lossy(&regex.pattern);
        self.entry(format_args!("Regex = \"{pattern}\""));
        if regex.no_match {
            self.entry(format_args!("Regex no match"));
        }
        match (regex.min_offset, regex.max_offset) {
            (0, None) => {}
            (least, None) => self.entry(format_args!("Regex min offset = {least}")),
            (least, Some(most)) => self.entry(format_args!(
                "Regex min offset = {least}, max_offset = {most}"
            )),
        }
        let options: String = regex
            .options
            .names()
            .map(|name| format!(" {name}"))
            .collect();
        self.entry(format_args!("Regex options:{options}"));
        self.entry(format_args!("Regex ref count = {users}"));
        if let Some(stack) = regex.stack {
            self.entry(format_args!(
                "Regex stack start {}, max {}",
                stack.start, stack.most
            ));
        }
    }

    fn misc(&mut self, misc: &MiscCheck, check: &CheckView<'_>) {
        let at = usize::try_from(misc.command.0).ok();
        let commands = &self.context.settings.lvs_commands;
        let command = at.and_then(|at| commands.get(at));
        if let Some(command) = command {
            if command.argv.first() != Some(&command.path) {
                self.field(format_args!("path = {}", command.path));
            }
            let words = command.argv.iter().map(|word| format!("'{word}'"));
            let words = words.collect::<Vec<_>>().join(" ");
            self.field(format_args!("script = {words}"));
        }
        let timeout = misc.timeout.as_duration().as_secs_f64();
        self.field(format_args!("timeout = {timeout}"));
        let dynamic = if misc.dynamic { "YES" } else { "NO" };
        self.field(format_args!("dynamic = {dynamic}"));
        if let Some(command) = command {
            let user = &command.user;
            self.field(format_args!("uid:gid = {}:{}", user.uid, user.gid));
            if !user.groups.is_empty() {
                let groups = user.groups.iter().map(u32::to_string);
                let groups = groups.collect::<Vec<_>>().join(" ");
                self.field(format_args!("supplementary groups = {groups}"));
            }
        }
        let (seconds, micros) = match check.began() {
            Some(began) => self.context.clock.parts(Some(began)),
            None => (0, 0),
        };
        let calendar = (self.context.calendar)(seconds);
        self.field(format_args!(
            "Last ran = {seconds}.{micros:06} ({calendar}.{micros:06})"
        ));
        let status = check.last_status().unwrap_or(0);
        self.field(format_args!("Last status = {status}"));
    }

    /// The files that some check goes by.
    pub(super) fn track_files(&mut self) {
        let mut users: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for service in self.lvs.services() {
            for server in service.servers() {
                for check in server.checks() {
                    if let CheckerKind::File(file) = &check.settings.kind {
                        let (service, server) = (service.name(), server.name());
                        let weight = weight(file.weight);
                        let user = format!("{service} -> {server}, weight {weight}");
                        users.entry(&file.track_file).or_default().push(user);
                    }
                }
            }
        }
        let files = &self.context.settings.vrrp.track_files;
        let mut titled = false;
        for file in files {
            let Some(users) = users.get(file.name.as_str()) else {
                continue;
            };
            if !std::mem::replace(&mut titled, true) {
                self.page.section("Checker track files");
            }
            self.page.object(format_args!("Track file = {}", file.name));
            self.field(format_args!("File = {}", file.path));
            let value = self.lvs.file(&file.name);
            self.field(format_args!("Status = {value}"));
            let weight = weight(FileWeight {
                weight: file.weight.get().into(),
                reverse: file.reverse,
            });
            self.field(format_args!("Weight = {weight}"));
            self.field(format_args!("Tracking instances :"));
            for user in users {
                self.entry(format_args!("{user}"));
            }
        }
    }

    /// The BFD sessions that some check goes by.
    pub(super) fn sessions(&mut self) {
        let mut users: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for service in self.lvs.services() {
            for server in service.servers() {
                for check in server.checks() {
                    if let CheckerKind::Bfd(name) = &check.settings.kind {
                        users
                            .entry(name)
                            .or_default()
                            .push(server.name().to_string());
                    }
                }
            }
        }
        if !users.is_empty() {
            self.page.section("Checker track BFDs");
        }
        for (name, servers) in users {
            self.page.object(format_args!("Checker Track BFD = {name}"));
            self.field(format_args!("Tracking RS :"));
            for server in servers {
                self.field(format_args!("{server}"));
            }
        }
    }
}

/// The patterns that a check looks for.
fn regexes(checker: &Checker) -> impl Iterator<Item = &Regex> {
    let urls = match &checker.kind {
        CheckerKind::Http(http) => http.urls.as_slice(),
        CheckerKind::Tcp(_)
        | CheckerKind::Ping(_)
        | CheckerKind::Udp(_)
        | CheckerKind::Smtp(_)
        | CheckerKind::Dns(_)
        | CheckerKind::Misc(_)
        | CheckerKind::File(_)
        | CheckerKind::Bfd(_) => &[],
    };
    urls.iter().filter_map(|url| url.regex.as_deref())
}

/// What tells compiled patterns apart.
pub(super) type PatternIdentity = (Vec<u8>, String);

fn identity(regex: &Regex) -> PatternIdentity {
    let options: String = regex.options.names().collect();
    (regex.pattern.clone(), options)
}
