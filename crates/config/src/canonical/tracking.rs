//! What instances watch: the definitions, and the lists of those who name them.

use std::collections::BTreeSet;

use types::{IfName, Weight};
use vrrp::settings::{
    Debounce, FileInit, FileSettings, GarpGroup, InstanceSettings, Linkbeat, LinkbeatMethod,
    ParameterMatch, ProcessSettings, ScriptSettings, TrackGroup, TrackInterface, TrackScript,
    TrackWeight, Tracked,
};

use super::page::{CommandLine, Page, Seconds, Word};
use crate::settings::Settings;

/// The definitions, which stand before whoever names them. Whatever weight they have, those who name them
/// say their own.
pub(super) fn write(page: &mut Page, settings: &Settings) {
    for one in &settings.vrrp.scripts {
        script(page, one, settings);
    }
    for file in &settings.vrrp.track_files {
        let FileSettings {
            name,
            path,
            init,
            weight,
            reverse,
        } = file;
        page.block(format_args!("track_file {}", Word(name)), |page| {
            page.word("file", Some(path));
            if let Some(FileInit { value, overwrite }) = init {
                let overwrite = if *overwrite { " overwrite" } else { "" };
                page.value("init_file", format_args!("{value}{overwrite}"));
            }
            default_weight(page, *weight, *reverse);
        });
    }
    for one in &settings.vrrp.track_processes {
        process(page, one);
    }
    write_links(page, settings);
    for TrackGroup { name, members } in &settings.vrrp.track_groups {
        page.block(format_args!("track_group {}", Word(name)), |page| {
            page.list("group", members.iter().map(|member| Word(member)));
        });
    }
}

fn script(page: &mut Page, script: &ScriptSettings, settings: &Settings) {
    let ScriptSettings {
        name,
        // It follows from the command.
        identity: _,
        interval,
        timeout,
        rise,
        fall,
    } = script;
    page.block(format_args!("vrrp_script {}", Word(name)), |page| {
        if let Some(command) = settings.commands.get(name) {
            page.value("script", CommandLine(&command.argv));
            page.user(&command.user);
        }
        page.seconds("interval", *interval);
        if let Some(timeout) = timeout {
            page.seconds("timeout", *timeout);
        }
        page.value("rise", rise);
        page.value("fall", fall);
    });
}

fn process(page: &mut Page, process: &ProcessSettings) {
    let ProcessSettings {
        name,
        command,
        parameters,
        full_command,
        matching,
        quorum,
        quorum_max,
        fork_delay,
        terminate_delay,
        weight,
        reverse,
    } = process;
    page.block(format_args!("vrrp_track_process {}", Word(name)), |page| {
        page.words("process", std::iter::once(command).chain(parameters));
        page.flag("full_command", *full_command);
        match matching {
            ParameterMatch::Exact => {}
            ParameterMatch::Partial => page.line("param_match partial"),
            ParameterMatch::Initial => page.line("param_match initial"),
        }
        match quorum {
            // No number says so, but no number at most takes the least with it.
            0 => page.line("quorum_max 0"),
            quorum => page.value("quorum", quorum),
        }
        page.option(
            "quorum_max",
            quorum_max.filter(|most| *quorum > 0 || *most > 0),
        );
        for (name, delay) in [
            ("fork_delay", fork_delay),
            ("terminate_delay", terminate_delay),
        ] {
            // Without a delay there is no such line.
            if !delay.is_zero() {
                page.seconds(name, *delay);
            }
        }
        default_weight(page, *weight, *reverse);
    });
}

/// The weight of those who name none: here everybody does.
fn default_weight(page: &mut Page, weight: TrackWeight, reverse: bool) {
    let reverse = if reverse { " reverse" } else { "" };
    page.value("weight", format_args!("{}{reverse}", weight.get()));
}

/// What is said about interfaces.
fn write_links(page: &mut Page, settings: &Settings) {
    for group in &settings.vrrp.garp_groups {
        let GarpGroup {
            interfaces,
            garp_interval,
            gna_interval,
        } = group;
        page.block("garp_group", |page| {
            page.option("garp_interval", garp_interval.map(Seconds));
            page.option("gna_interval", gna_interval.map(Seconds));
            page.list(
                "interfaces",
                interfaces.iter().map(|name| Word(name.as_str())),
            );
        });
    }
    let linkbeat = settings.vrrp.linkbeat.iter();
    page.list(
        "linkbeat_interfaces",
        linkbeat.map(|Linkbeat { interface, method }| {
            let method = match method {
                None => "",
                Some(LinkbeatMethod::Mii) => " MII",
                Some(LinkbeatMethod::Ethtool) => " ETHTOOL",
                Some(LinkbeatMethod::Ioctl) => " IOCTL",
            };
            format!("{}{method}", Word(interface.as_str()))
        }),
    );
    let delays = settings.vrrp.debounce.iter();
    page.list(
        "interface_up_down_delays",
        delays.map(|delay| {
            let Debounce {
                interface,
                down,
                up,
            } = delay;
            let (down, up) = (Seconds(*down), Seconds(*up));
            format!("{} {down} {up}", Word(interface.as_str()))
        }),
    );
}

/// What an instance watches. Devices that addresses are put on follow from the addresses, and need not be there yet.
pub(super) fn write_lists(page: &mut Page, instance: &InstanceSettings, all: &vrrp::Settings) {
    let devices = &all.address_devices;
    let made = |name: &IfName| devices.iter().any(|device| device.name == *name);
    let interfaces = instance
        .track_interface
        .iter()
        .filter(|track| track.weight != Weight::FAULT || track.reverse || !made(&track.interface));
    page.list(
        "track_interface",
        interfaces.map(|track| {
            let TrackInterface {
                interface,
                weight,
                reverse,
            } = track;
            entry(interface.as_str(), weight.get(), *reverse)
        }),
    );
    let scripts = instance.track_script.iter();
    page.list(
        "track_script",
        scripts.map(|track| {
            let TrackScript {
                script,
                weight,
                reverse,
            } = track;
            entry(script, weight.get(), *reverse)
        }),
    );
    let files = all.track_files.iter().filter(|file| file.reverse);
    let files: BTreeSet<&str> = files.map(|file| file.name.as_str()).collect();
    let processes = all.track_processes.iter().filter(|one| one.reverse);
    let processes: BTreeSet<&str> = processes.map(|one| one.name.as_str()).collect();
    for (keyword, list, reversed) in [
        ("track_file", &instance.track_file, files),
        ("track_process", &instance.track_process, processes),
        ("track_bfd", &instance.track_bfd, BTreeSet::new()),
    ] {
        page.list(keyword, list.iter().map(|track| tracked(track, &reversed)));
    }
}

/// `reversed`: definitions that turn the sense of whoever does not say otherwise.
fn tracked(track: &Tracked, reversed: &BTreeSet<&str>) -> String {
    let Tracked {
        name,
        weight,
        reverse,
    } = track;
    let entry = entry(name, weight.get(), *reverse);
    if !reverse && reversed.contains(name.as_str()) {
        return format!("{entry} noreverse");
    }
    entry
}

fn entry(name: &str, weight: i16, reverse: bool) -> String {
    let reverse = if reverse { " reverse" } else { "" };
    format!("{} weight {weight}{reverse}", Word(name))
}

/// Whether something moves the instance's priority that a sync group would keep from it, unless it says that this is
/// wanted. Processes are never kept from it.
pub(super) fn has_weights(instance: &InstanceSettings) -> bool {
    let interfaces = instance.track_interface.iter().map(|track| track.weight);
    let scripts = instance.track_script.iter().map(|track| track.weight);
    let mut others = instance.track_file.iter().chain(&instance.track_bfd);
    interfaces
        .chain(scripts)
        .any(|weight| weight != Weight::FAULT)
        || others.any(|track| track.weight != TrackWeight::FAULT)
}
