//! `keepalived_bfd.data`: the sessions, and what is known of their other ends.
//!
//! Labels, indents and spelling are keepalived's. Its addresses of memory (`thread_out` and its kin) are of use to nobody but
//! its own authors; whether and when a timer goes off stands in `sands_out` and its kin, which keepalived only fills in while it
//! reloads.

use std::collections::BTreeMap;
use std::fmt::Arguments;

use bfd::settings::{MaxHops, Session};
use bfd::{Bfd, SessionId, SessionView};
use config::Settings;
use types::bfd::Port;
use types::{Family, Instant};

use crate::data::WallClock;
use crate::globals::globals;
use crate::page::Page;

/// What the dump needs beyond the core's own state.
#[derive(Debug)]
pub struct BfdContext<'a> {
    /// Turns the core's time into the calendar's.
    pub clock: WallClock,
    /// The daemon's settings; of sessions the core's own are shown.
    pub settings: &'a Settings,
    /// The router's name if `router_id` gives no other.
    pub host_name: &'a str,
    /// How a point in calendar time (seconds since 1970) reads: `Sat Nov 21 10:00:00 2026`.
    pub calendar: fn(i64) -> String,
    /// The file descriptors of the sockets that packets come from, as far as they are open.
    pub receivers: &'a BTreeMap<Port, i32>,
    /// Those that the sessions send from.
    pub senders: &'a BTreeMap<SessionId, i32>,
}

/// The whole file.
#[must_use]
pub fn bfd_data(bfd: &Bfd, context: &BfdContext<'_>) -> String {
    let mut page = Page::default();
    let settings = context.settings;
    globals(
        &mut page,
        &settings.global,
        &settings.lvs.global,
        context.host_name,
    );
    page.section("BFD Data");
    for (label, port) in [
        ("fd_in", Port::SingleHop),
        ("multihop fd_in", Port::MultiHop),
    ] {
        let descriptor = descriptor(context.receivers.get(&port));
        page.object(format_args!("{label} = {descriptor}"));
    }
    page.section("BFD Topology");
    let mut dump = Dump { page, context };
    for session in bfd.sessions() {
        dump.settings(session.settings());
        dump.socket_and_timers(&session);
        dump.variables(&session);
    }
    dump.page.text()
}

/// The dump, as far as it is written.
struct Dump<'a> {
    page: Page,
    context: &'a BfdContext<'a>,
}

/// The number, or keepalived's for none.
fn descriptor(descriptor: Option<&i32>) -> i32 {
    descriptor.copied().unwrap_or(-1)
}

const fn yes(is: bool) -> &'static str {
    if is { "Yes" } else { "No" }
}

impl Dump<'_> {
    fn field(&mut self, text: Arguments<'_>) {
        self.page.field(text);
    }

    fn settings(&mut self, session: &Session) {
        self.page
            .object(format_args!("BFD Instance = {}", session.name));
        self.field(format_args!("Neighbor IP = {}", session.neighbor));
        if let Some(source) = session.source {
            self.field(format_args!("Source IP = {source}"));
        }
        for (label, interval) in [
            ("Required min RX", session.min_rx),
            ("Desired min TX", session.min_tx),
            ("Desired idle TX", session.idle_tx),
        ] {
            let micros = interval.as_micros();
            self.field(format_args!("{label} interval = {micros} us"));
        }
        self.field(format_args!(
            "Detection multiplier = {}",
            session.multiplier
        ));
        let ttl = match Family::of(session.neighbor) {
            Family::V4 => "TTL",
            Family::V6 => "hoplimit",
        };
        self.field(format_args!("{ttl} = {}", session.ttl));
        let hops = match session.max_hops {
            MaxHops::AtMost(hops) => hops,
            MaxHops::Unlimited => u8::MAX,
        };
        self.field(format_args!("max_hops = {hops}"));
        if session.multihop {
            // keepalived does not say it.
            self.field(format_args!("multihop = true"));
        }
        self.field(format_args!("passive = {}", session.passive));
        for (process, told) in [("VRRP", session.to_vrrp), ("checker", session.to_checker)] {
            let told = yes(told);
            self.field(format_args!("send event to {process} process = {told}"));
        }
    }

    fn socket_and_timers(&mut self, session: &SessionView<'_>) {
        let descriptor = descriptor(self.context.senders.get(&session.id()));
        self.field(format_args!("fd_out {descriptor}"));
        for (what, at) in [
            ("open_fd_out", session.opens_at()),
            ("out", session.transmits_at()),
            ("exp", session.expires_at()),
            ("rst", session.forgets_at()),
        ] {
            let at = self.moment(at).unwrap_or_else(|| "[disabled]".into());
            self.field(format_args!("sands_{what} = {at}"));
        }
        self.field(format_args!("send error = {}", session.sends_fail()));
    }

    fn variables(&mut self, session: &SessionView<'_>) {
        self.field(format_args!("local state = {}", session.local_state()));
        self.field(format_args!("remote state = {}", session.remote_state()));
        for (end, discriminator) in [
            ("local", session.local_discriminator()),
            ("remote", session.remote_discriminator()),
        ] {
            self.field(format_args!("{end} discriminator = {discriminator:#x}"));
        }
        for (end, diagnostic) in [
            ("local", session.local_diagnostic()),
            ("remote", session.remote_diagnostic()),
        ] {
            self.field(format_args!("{end} diag = {diagnostic}"));
        }
        for (label, interval) in [
            ("remote min tx intv", session.remote_min_tx()),
            ("remote min rx intv", session.remote_min_rx()),
        ] {
            self.field(format_args!("{label} = {} us", interval.as_micros()));
        }
        // We demand nothing.
        self.field(format_args!("local demand = 0"));
        let demand = u8::from(session.remote_demand());
        self.field(format_args!("remote demand = {demand}"));
        let multiplier = session.remote_multiplier();
        self.field(format_args!("remote detect multiplier = {multiplier}"));
        // Whoever asks us is answered at once.
        let not = if session.polls() { "" } else { "!" };
        self.field(format_args!("{not}poll, !final"));
        for (label, time) in [
            ("local tx intv", session.transmit_interval()),
            ("remote tx intv", session.remote_transmit_interval()),
            ("local detection time", session.detection_time()),
            ("remote detection time", session.remote_detection_time()),
        ] {
            self.field(format_args!("{label} = {} us", time.as_micros()));
        }
        match self.moment(session.last_heard()) {
            Some(at) => self.field(format_args!("last seen = {at}")),
            None => self.field(format_args!("last_seen = [never]")),
        }
    }

    /// `1795313598.344949 (Sun Nov 22 02:13:18 2026.344949)`.
    fn moment(&self, at: Option<Instant>) -> Option<String> {
        let (seconds, micros) = self.context.clock.parts(Some(at?));
        let calendar = (self.context.calendar)(seconds);
        Some(format!("{seconds}.{micros:06} ({calendar}.{micros:06})"))
    }
}
