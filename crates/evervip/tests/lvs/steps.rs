//! What the table holds after each step, and what was told of it: three servers that fail one after the other and come
//! back, under every option that has a say in it; and reloads.

use anyhow::{Context as _, Result, bail};
use lab::Lab;

use crate::world::{Network, Story, globals, real_server, virtual_server, virtual_server_at};

/// Weights 1, 2 and 3.
fn three(options: &str, of_each: &str) -> String {
    let servers: Vec<String> = (1..=3)
        .map(|number| real_server(number, &format!("weight {number}\n{of_each}")))
        .collect();
    globals("") + &virtual_server(&format!("lb_algo wlc\nlb_kind NAT\n{options}"), &servers)
}

/// What is expected of a service: the rows after each step, in the order in which [`through`] takes them.
struct Column<'a> {
    options: &'a str,
    of_each: &'a str,
    steps: [(&'a str, &'a [&'a str]); 8],
    stop: &'a [&'a str],
}

/// What happens before a step.
enum Change {
    Nothing,
    /// Every server is checked once.
    Checked,
    Fails(usize),
    Recovers(usize),
}

const STEPS: [(&str, Change); 8] = [
    ("started", Change::Nothing),
    ("all up", Change::Checked),
    (".1 fails", Change::Fails(1)),
    (".1 .2 fail", Change::Fails(2)),
    ("all fail", Change::Fails(3)),
    (".1 recovers", Change::Recovers(1)),
    (".1 .2 recover", Change::Recovers(2)),
    ("all recover", Change::Recovers(3)),
];

/// Servers 1, 2, 3 fail, in this order, and come back in it.
fn through(lab: &mut Lab, column: &Column<'_>) -> Result<()> {
    let network = Network::new(lab)?;
    let servers = network.servers(3)?;
    let server = |number: usize| servers.get(number - 1).context("there are three");
    let mut story = Story::start(&network, &three(column.options, column.of_each))?;
    for ((step, change), (rows, events)) in STEPS.iter().zip(column.steps) {
        match change {
            Change::Nothing => {}
            Change::Checked => {
                for number in 1..=3 {
                    story.say(&format!(
                        "TCP connection to [10.1.0.{number}]:tcp:80 success."
                    ))?;
                }
            }
            Change::Fails(number) => server(*number)?.down()?,
            Change::Recovers(number) => server(*number)?.up()?,
        }
        story.same(step, rows, events)?;
    }
    story.end(column.stop)
}

pub(crate) fn plain(lab: &mut Lab) -> Result<()> {
    through(
        lab,
        &Column {
            options: "",
            of_each: "",
            steps: [
                (".1:1 .2:2 .3:3", &["VS UP"]),
                (".1:1 .2:2 .3:3", &[]),
                (".2:2 .3:3", &["RS .1 DOWN"]),
                (".3:3", &["RS .2 DOWN"]),
                ("", &["RS .3 DOWN", "VS DOWN"]),
                (".1:1", &["RS .1 UP", "VS UP"]),
                (".1:1 .2:2", &["RS .2 UP"]),
                (".1:1 .2:2 .3:3", &["RS .3 UP"]),
            ],
            stop: &[],
        },
    )
}

pub(crate) fn inhibit(lab: &mut Lab) -> Result<()> {
    through(
        lab,
        &Column {
            options: "",
            of_each: "inhibit_on_failure",
            steps: [
                (".1:1 .2:2 .3:3", &["VS UP"]),
                (".1:1 .2:2 .3:3", &[]),
                (".1:0 .2:2 .3:3", &["RS .1 DOWN"]),
                (".1:0 .2:0 .3:3", &["RS .2 DOWN"]),
                (".1:0 .2:0 .3:0", &["RS .3 DOWN", "VS DOWN"]),
                (".1:1 .2:0 .3:0", &["RS .1 UP", "VS UP"]),
                (".1:1 .2:2 .3:0", &["RS .2 UP"]),
                (".1:1 .2:2 .3:3", &["RS .3 UP"]),
            ],
            stop: &[],
        },
    )
}

pub(crate) fn sorry(lab: &mut Lab) -> Result<()> {
    through(
        lab,
        &Column {
            options: "sorry_server 10.1.0.9 80",
            of_each: "",
            steps: [
                (".1:1 .2:2 .3:3", &["VS UP"]),
                (".1:1 .2:2 .3:3", &[]),
                (".2:2 .3:3", &["RS .1 DOWN"]),
                (".3:3", &["RS .2 DOWN"]),
                (".9:1", &["RS .3 DOWN", "VS DOWN"]),
                (".1:1", &["RS .1 UP", "VS UP"]),
                (".1:1 .2:2", &["RS .2 UP"]),
                (".1:1 .2:2 .3:3", &["RS .3 UP"]),
            ],
            stop: &[],
        },
    )
}

pub(crate) fn quorum(lab: &mut Lab) -> Result<()> {
    through(
        lab,
        &Column {
            options: "quorum 4\nhysteresis 1\nomega\nsorry_server 10.1.0.9 80\nsorry_server_inhibit",
            of_each: "",
            steps: [
                (".1:1 .2:2 .3:3 .9:0", &["VS UP"]),
                (".1:1 .2:2 .3:3 .9:0", &[]),
                (".2:2 .3:3 .9:0", &["RS .1 DOWN"]),
                // 3 is not less than 4 - 1.
                (".3:3 .9:0", &["RS .2 DOWN"]),
                (".9:1", &["RS .3 DOWN", "VS DOWN"]),
                (".9:1", &["RS .1 UP"]),
                // 3 is less than 4 + 1.
                (".9:1", &["RS .2 UP"]),
                (".1:1 .2:2 .3:3 .9:0", &["RS .3 UP", "VS UP"]),
            ],
            stop: &["RS .1 DOWN", "RS .2 DOWN", "RS .3 DOWN", "VS DOWN"],
        },
    )
}

pub(crate) fn alpha(lab: &mut Lab) -> Result<()> {
    through(
        lab,
        &Column {
            options: "alpha\nsorry_server 10.1.0.9 80",
            of_each: "",
            steps: [
                (".9:1", &["VS DOWN"]),
                (
                    ".1:1 .2:2 .3:3",
                    &["RS .1 UP", "VS UP", "RS .2 UP", "RS .3 UP"],
                ),
                (".2:2 .3:3", &["RS .1 DOWN"]),
                (".3:3", &["RS .2 DOWN"]),
                (".9:1", &["RS .3 DOWN", "VS DOWN"]),
                (".1:1", &["RS .1 UP", "VS UP"]),
                (".1:1 .2:2", &["RS .2 UP"]),
                (".1:1 .2:2 .3:3", &["RS .3 UP"]),
            ],
            stop: &[],
        },
    )
}

/// Two servers of weight 1, quorum 2, and a sorry server that comes and goes.
pub(crate) fn quorum_of_two(lab: &mut Lab) -> Result<()> {
    const SORRY: &str = "sorry_server 10.1.0.9 80";
    let network = Network::new(lab)?;
    let servers = network.servers(3)?;
    let [_, second, third] = &servers[..] else {
        bail!("three were asked for")
    };
    let configuration = |quorum: u8, sorry: &str, of_each: &str, count: u8| {
        let servers: Vec<String> = (1..=count)
            .map(|number| real_server(number, of_each))
            .collect();
        globals("")
            + &virtual_server(
                &format!("lb_algo wlc\nlb_kind NAT\nquorum {quorum}\n{sorry}"),
                &servers,
            )
    };
    let mut story = Story::start(&network, &configuration(2, SORRY, "", 2))?;
    story.same("start", ".1:1 .2:1", &["VS UP"])?;
    second.down()?;
    story.same(".2 fails", ".9:1", &["RS .2 DOWN", "VS DOWN"])?;
    story.reload(&configuration(2, SORRY, "", 3))?;
    story.same("reload adding .3", ".1:1 .3:1", &["VS UP"])?;
    third.down()?;
    story.same(".3 fails", ".9:1", &["RS .3 DOWN", "VS DOWN"])?;
    story.reload(&configuration(2, "", "", 3))?;
    story.differ(
        "reload dropping sorry_server",
        "2.2.7 forgets to bring the healthy ones back",
        (".1:1", &[]),
        ("", &[]),
    )?;
    story.reload(&configuration(2, SORRY, "", 3))?;
    story.same("reload adding it again", ".9:1", &["VS DOWN"])?;
    story.reload(&configuration(1, SORRY, "", 3))?;
    story.same("reload with quorum 1", ".1:1", &["VS UP"])?;
    story.reload(&configuration(2, SORRY, "inhibit_on_failure", 3))?;
    story.same(
        "reload with quorum 2 and inhibit_on_failure",
        ".1:0 .2:0 .3:0 .9:1",
        &["VS DOWN"],
    )?;
    second.up()?;
    story.same(".2 recovers", ".1:1 .2:1 .3:0", &["RS .2 UP", "VS UP"])?;
    third.up()?;
    story.same(".3 recovers", ".1:1 .2:1 .3:1", &["RS .3 UP"])?;
    let shared = "sorry_server 10.1.0.1 80";
    story.reload(&configuration(2, shared, "", 3))?;
    story.same("reload: sorry_server is .1", ".1:1 .2:1 .3:1", &[])?;
    second.down()?;
    story.same(".2 fails", ".1:1 .3:1", &["RS .2 DOWN"])?;
    third.down()?;
    story.same(
        ".3 fails: .1 as sorry server",
        ".1:1",
        &["RS .3 DOWN", "VS DOWN"],
    )?;
    second.up()?;
    story.same(".2 recovers", ".1:1 .2:1", &["RS .2 UP", "VS UP"])?;
    story.end(&[])
}

/// Shows the limits of connections.
const THRESHOLDS: &str = "ipvsadm -Ln --thresholds";

/// A running service whose configuration changes in every way.
pub(crate) fn reloads(lab: &mut Lab) -> Result<()> {
    let network = Network::new(lab)?;
    let servers = network.servers(3)?;
    let configuration = |options: &str, servers: &[String]| {
        globals("") + &virtual_server(&format!("lb_kind NAT\n{options}"), servers)
    };
    let one = |options: &str| real_server(1, options);
    let (two, three) = (real_server(2, "weight 2"), real_server(3, "weight 3"));
    let wlc = "lb_algo wlc";

    let mut story = Story::start(&network, &configuration(wlc, &[one(""), two.clone()]))?;
    story.same("start", ".1:1 .2:2", &["VS UP"])?;
    story.say("TCP connection to [10.1.0.2]:tcp:80 success.")?;
    story.say("TCP connection to [10.1.0.1]:tcp:80 success.")?;
    story.reload(&configuration(wlc, &[one(""), two, three.clone()]))?;
    story.same("add .3 weight 3", ".1:1 .2:2 .3:3", &[])?;
    story.reload(&configuration(wlc, &[one(""), three.clone()]))?;
    story.same("remove .2", ".1:1 .3:3", &["RS .2 DOWN"])?;
    story.reload(&configuration(wlc, &[one("weight 7"), three.clone()]))?;
    story.same("weight of .1 1 to 7", ".1:7 .3:3", &[])?;
    let routed = real_server(3, "weight 3\nlvs_method DR");
    let limited = one("weight 7\nuthreshold 100\nlthreshold 50");
    story.reload(&configuration(wlc, &[limited.clone(), routed.clone()]))?;
    story.same(".3 to DR, thresholds on .1", ".1:7 .3:3/Route", &[])?;
    story.shows_of("keepalived", THRESHOLDS, "-> 10.1.0.1:80 0 0")?;
    story.shows_of("evervip", THRESHOLDS, "-> 10.1.0.1:80 100 50")?;
    story.reload(&configuration(
        "lb_algo rr\npersistence_timeout 60",
        &[limited.clone(), routed.clone()],
    ))?;
    story.same(
        "wlc to rr, persistence_timeout 60",
        "TCP 10.0.0.1:80 rr persistent 60 = .1:7 .3:3/Route",
        &[],
    )?;
    story.reload(&configuration(
        "lb_algo sh\nsh-port",
        &[limited.clone(), routed.clone()],
    ))?;
    let sh = "TCP 10.0.0.1:80 sh (sh-port) =";
    story.same(
        "sh and sh-port, no persistence",
        &format!("{sh} .1:7 .3:3/Route"),
        &[],
    )?;
    servers.first().context("there are three")?.down()?;
    story.same(".1 fails", &format!("{sh} .3:3/Route"), &["RS .1 DOWN"])?;
    story.reload(&configuration(
        "lb_algo sh\nsh-port",
        &[limited.clone(), routed.clone()],
    ))?;
    story.same(
        ".1 failed, the same again",
        &format!("{sh} .3:3/Route"),
        &[],
    )?;
    // Who was known to be down is another server there.
    let elsewhere = virtual_server_at("10.0.0.1 8080", "lb_kind NAT\nlb_algo rr", &[three]);
    story.reload(&(globals("") + &elsewhere))?;
    story.same(
        "port 80 to 8080",
        "TCP 10.0.0.1:8080 rr = .3:3",
        &["RS .3 DOWN", "VS DOWN", "VS UP"],
    )?;
    story.end(&[])
}

/// What is in the kernel before the start, and what is left after the stop.
fn leftovers(lab: &mut Lab, case: &Leftovers<'_>) -> Result<()> {
    let network = Network::new(lab)?;
    let _servers = network.servers(2)?;
    let mut story = Story::prepare(&network, "TCP 10.0.0.1:80 rr")?;
    for line in [
        "ipvsadm -A -t 10.0.0.1:80 -s wlc",
        "ipvsadm -a -t 10.0.0.1:80 -r 10.1.0.1:80 -g -w 9",
        "ipvsadm -a -t 10.0.0.1:80 -r 10.1.0.7:80 -g -w 9",
        "ipvsadm -A -t 10.9.9.9:99 -s rr",
    ] {
        story.call(line)?;
    }
    let servers = [real_server(1, ""), real_server(2, "")];
    let configuration =
        globals(case.setting) + &virtual_server("lb_algo rr\nlb_kind NAT", &servers);
    story.start_all(&configuration, case.options)?;
    match case.start {
        Start::AsFound => story.differ(
            "start",
            "it leaves what it finds as it is; we correct what is ours, and nobody else's",
            (
                "TCP 10.0.0.1:80 rr = .1:1 .2:1; TCP 10.9.9.9:99 rr =",
                &["VS UP"],
            ),
            (
                "TCP 10.0.0.1:80 wlc = .1:9/Route .2:1 .7:9/Route; TCP 10.9.9.9:99 rr =",
                &["VS UP"],
            ),
        )?,
        Start::Clean => story.same("start", ".1:1 .2:1", &["VS UP"])?,
    }
    story.stop()?;
    let (ours, theirs) = case.stop;
    story.differ(
        "stop",
        "as it was at the start",
        (ours, case.told),
        (theirs, case.told),
    )
}

struct Leftovers<'a> {
    /// A line of `global_defs`.
    setting: &'a str,
    /// Words of the command line.
    options: &'a [&'a str],
    start: Start,
    /// Our table after the stop, and keepalived's.
    stop: (&'a str, &'a str),
    told: &'a [&'a str],
}

/// What is there after the start.
enum Start {
    AsFound,
    Clean,
}

const FOREIGN: &str = "TCP 10.9.9.9:99 rr =";

pub(crate) fn leftovers_stay(lab: &mut Lab) -> Result<()> {
    leftovers(
        lab,
        &Leftovers {
            setting: "",
            options: &[],
            start: Start::AsFound,
            stop: (FOREIGN, FOREIGN),
            told: &[],
        },
    )
}

pub(crate) fn flush_at_start(lab: &mut Lab) -> Result<()> {
    leftovers(
        lab,
        &Leftovers {
            setting: "lvs_flush",
            options: &[],
            start: Start::Clean,
            stop: ("nothing", "nothing"),
            told: &[],
        },
    )
}

pub(crate) fn flush_at_stop(lab: &mut Lab) -> Result<()> {
    leftovers(
        lab,
        &Leftovers {
            setting: "lvs_flush_on_stop",
            options: &[],
            start: Start::AsFound,
            stop: ("nothing", "nothing"),
            told: &[],
        },
    )
}

pub(crate) fn flush_own_at_stop(lab: &mut Lab) -> Result<()> {
    leftovers(
        lab,
        &Leftovers {
            setting: "lvs_flush_on_stop VS",
            options: &[],
            start: Start::AsFound,
            stop: (FOREIGN, FOREIGN),
            told: &[],
        },
    )
}

pub(crate) fn nothing_released(lab: &mut Lab) -> Result<()> {
    leftovers(
        lab,
        &Leftovers {
            setting: "",
            options: &["-I"],
            start: Start::AsFound,
            stop: (
                "TCP 10.0.0.1:80 rr = .1:1 .2:1; TCP 10.9.9.9:99 rr =",
                "TCP 10.0.0.1:80 wlc = .1:9/Route .2:1 .7:9/Route; TCP 10.9.9.9:99 rr =",
            ),
            told: &[],
        },
    )
}

/// Every kind of service and destination that a configuration can ask for, as `ipvsadm` writes it down.
pub(crate) fn forms(lab: &mut Lab) -> Result<()> {
    let network = Network::new(lab)?;
    let mut story = Story::prepare(&network, "")?;
    let service = |address: &str, protocol: &str, options: &str, server: &str| {
        format!(
            "virtual_server {address} {{\n protocol {protocol}\n {options}\n real_server {server} {{\n  weight 1\n }}\n}}\n"
        )
    };
    let four = "10.1.0.1 80";
    let mut configuration = globals("");
    for (number, protocol, options) in [
        (
            2,
            "TCP",
            "lvs_sched sh\n sh-port\n sh-fallback\n lvs_method NAT",
        ),
        (
            3,
            "TCP",
            "lvs_sched mh\n mh-port\n mh-fallback\n lvs_method DR",
        ),
        (
            4,
            "TCP",
            "lvs_sched rr\n lvs_method NAT\n persistence_timeout\n persistence_granularity 255.255.255.0",
        ),
        (
            5,
            "UDP",
            "lvs_sched rr\n lvs_method NAT\n persistence_engine sip\n persistence_timeout 300",
        ),
        (6, "TCP", "lvs_sched wrr\n lvs_method TUN"),
        (
            7,
            "TCP",
            "lvs_sched wrr\n lvs_method TUN type gue port 5555 csum",
        ),
        (
            8,
            "TCP",
            "lvs_sched wrr\n lvs_method TUN type gue port 5555 nocsum",
        ),
        (
            9,
            "TCP",
            "lvs_sched wrr\n lvs_method TUN type gue port 5555 remcsum",
        ),
        (10, "TCP", "lvs_sched wrr\n lvs_method TUN type gre csum"),
        (11, "UDP", "lvs_sched lc\n lvs_method NAT\n ops"),
        (
            12,
            "SCTP",
            "lvs_sched wlc\n lvs_method NAT\n flag-1\n flag-3",
        ),
    ] {
        configuration += &service(&format!("10.0.0.{number} 80"), protocol, options, four);
    }
    configuration += &service(
        "fd00::2 53",
        "UDP",
        "lvs_sched rr\n lvs_method NAT\n ops\n persistence_timeout 360\n persistence_granularity 64",
        "fd00:1::1 53",
    );
    for (mark, server) in [(5, "10.1.0.1 0"), (6, "fd00:1::1 0")] {
        configuration += &format!(
            "virtual_server fwmark {mark} {{\n lvs_sched rr\n lvs_method DR\n real_server {server} {{\n  weight 3\n }}\n}}\n"
        );
    }
    configuration += &service(
        "10.0.0.13 80",
        "TCP",
        "lvs_sched rr\n lvs_method NAT",
        "10.1.0.2 8080 {\n  weight 5\n  uthreshold 200\n  lthreshold 100\n }\n real_server 10.1.0.1 80",
    );
    story.start_all(&configuration, &[])?;
    story.same_saved(&[
        "-A --sctp-service 10.0.0.12:80 -s wlc -b flag-1,flag-3",
        "-A -f 5 -s rr",
        "-A -f 6 -6 -s rr",
        "-A -t 10.0.0.10:80 -s wrr",
        "-A -t 10.0.0.13:80 -s rr",
        "-A -t 10.0.0.2:80 -s sh -b sh-fallback,sh-port",
        "-A -t 10.0.0.3:80 -s mh -b mh-fallback,mh-port",
        "-A -t 10.0.0.4:80 -s rr -p 360 -M 255.255.255.0",
        "-A -t 10.0.0.6:80 -s wrr",
        "-A -t 10.0.0.7:80 -s wrr",
        "-A -t 10.0.0.8:80 -s wrr",
        "-A -t 10.0.0.9:80 -s wrr",
        "-A -u 10.0.0.11:80 -s lc -o",
        "-A -u 10.0.0.5:80 -s rr -p 300 --pe sip",
        "-A -u [fd00::2]:53 -s rr -p 360 -M 64 -o",
        "-a --sctp-service 10.0.0.12:80 -r 10.1.0.1:80 -m -w 1",
        "-a -f 5 -r 10.1.0.1:0 -g -w 3",
        "-a -f 6 -6 -r [fd00:1::1]:0 -g -w 3",
        "-a -t 10.0.0.10:80 -r 10.1.0.1:80 -i -w 1 --tun-type gre --tun-csum",
        "-a -t 10.0.0.13:80 -r 10.1.0.1:80 -m -w 1",
        "-a -t 10.0.0.13:80 -r 10.1.0.2:8080 -m -w 5",
        "-a -t 10.0.0.2:80 -r 10.1.0.1:80 -m -w 1",
        "-a -t 10.0.0.3:80 -r 10.1.0.1:80 -g -w 1",
        "-a -t 10.0.0.4:80 -r 10.1.0.1:80 -m -w 1",
        "-a -t 10.0.0.6:80 -r 10.1.0.1:80 -i -w 1 --tun-type ipip",
        "-a -t 10.0.0.7:80 -r 10.1.0.1:80 -i -w 1 --tun-type gue --tun-port 5555 --tun-csum",
        "-a -t 10.0.0.8:80 -r 10.1.0.1:80 -i -w 1 --tun-type gue --tun-port 5555 --tun-nocsum",
        "-a -t 10.0.0.9:80 -r 10.1.0.1:80 -i -w 1 --tun-type gue --tun-port 5555 --tun-remcsum",
        "-a -u 10.0.0.11:80 -r 10.1.0.1:80 -m -w 1",
        "-a -u 10.0.0.5:80 -r 10.1.0.1:80 -m -w 1",
        "-a -u [fd00::2]:53 -r [fd00:1::1]:53 -m -w 1",
    ])?;
    story.shows(THRESHOLDS, "-> 10.1.0.2:8080 200 100")?;
    story.stop()?;
    story.same_saved(&[])
}
