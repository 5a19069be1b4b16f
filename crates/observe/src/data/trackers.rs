//! What instances track: interfaces, scripts, files, processes and BFD sessions; and who tracks each of them.

use std::time::Duration;

use vrrp::settings::{InstanceSettings, ParameterMatch, TrackWeight, Tracked};
use vrrp::{BfdView, FileView, InstanceView, ProcessView, ScriptState, ScriptView, Vrrp};

use super::Context;
use crate::page::Page;

/// `weight 10 reverse`.
fn weight(weight: TrackWeight, reverse: bool) -> String {
    format!("weight {}", signed(weight, reverse))
}

/// `10 reverse`.
fn signed(weight: TrackWeight, reverse: bool) -> String {
    let reverse = if reverse { " reverse" } else { "" };
    format!("{}{reverse}", weight.get())
}

impl Page {
    pub(super) fn trackers(&mut self, view: &InstanceView<'_>) {
        let reversed = |reverse| if reverse { " reverse" } else { "" };
        if !view.settings.track_interface.is_empty() {
            self.field(format_args!("Tracked interfaces :"));
        }
        for tracked in &view.settings.track_interface {
            let weight = tracked.weight.get();
            self.entry(format_args!(
                "{} weight {weight}{}",
                tracked.interface,
                reversed(tracked.reverse)
            ));
        }
        if !view.settings.track_script.is_empty() {
            self.field(format_args!("Tracked scripts :"));
        }
        for tracked in &view.settings.track_script {
            let weight = tracked.weight.get();
            self.entry(format_args!(
                "{} weight {weight}{}",
                tracked.script,
                reversed(tracked.reverse)
            ));
        }
        let settings = view.settings;
        self.tracked("Tracked files", ",", &settings.track_file);
        self.tracked("Tracked processes", ",", &settings.track_process);
        self.tracked("Tracked BFDs", ":", &settings.track_bfd);
    }

    /// The entries of an instance's list of files, processes or BFD sessions.
    fn tracked(&mut self, title: &str, separator: &str, list: &[Tracked]) {
        if !list.is_empty() {
            self.field(format_args!("{title} :"));
        }
        for tracked in list {
            self.entry(format_args!(
                "{}{separator} {}",
                tracked.name,
                weight(tracked.weight, tracked.reverse)
            ));
        }
    }

    /// Who tracks an object.
    fn tracking<'a>(
        &mut self,
        vrrp: &'a Vrrp,
        name: &str,
        list: impl Fn(&'a InstanceSettings) -> &'a [Tracked],
    ) {
        self.field(format_args!("Tracking instances :"));
        for instance in vrrp.instances() {
            let of_it = list(instance.settings)
                .iter()
                .filter(|tracked| tracked.name == name);
            for tracked in of_it {
                self.entry(format_args!(
                    "{}, {}",
                    instance.settings.name,
                    weight(tracked.weight, tracked.reverse)
                ));
            }
        }
    }

    pub(super) fn file(&mut self, file: &FileView<'_>, vrrp: &Vrrp) {
        let settings = file.settings;
        self.object(format_args!("Track file = {}", settings.name));
        self.field(format_args!("File = {}", settings.path));
        self.field(format_args!("Status = {}", file.value));
        self.field(format_args!(
            "Weight = {}",
            signed(settings.weight, settings.reverse)
        ));
        self.tracking(vrrp, &settings.name, |instance| &instance.track_file);
    }

    pub(super) fn processes(&mut self, processes: &ProcessView<'_>, vrrp: &Vrrp) {
        let settings = processes.settings;
        self.object(format_args!("VRRP Track process = {}", settings.name));
        self.field(format_args!("Process = {}", settings.command));
        if !settings.parameters.is_empty() {
            self.field(format_args!(
                "Parameters = {}",
                settings.parameters.join(" ")
            ));
        }
        match settings.matching {
            ParameterMatch::Exact if settings.parameters.is_empty() => {}
            ParameterMatch::Exact => self.field(format_args!("Param match")),
            ParameterMatch::Partial => self.field(format_args!("Param match = partial")),
            ParameterMatch::Initial => self.field(format_args!("Param match = initial")),
        }
        self.field(format_args!("Min processes = {}", settings.quorum));
        if let Some(most) = settings.quorum_max {
            self.field(format_args!("Max processes = {most}"));
        }
        self.field(format_args!("Current processes = {}", processes.count));
        self.field(format_args!("Have quorum = {}", processes.quorum));
        self.field(format_args!(
            "Weight = {}",
            signed(settings.weight, settings.reverse)
        ));
        let seconds = |delay: Duration| delay.as_secs_f64();
        self.field(format_args!(
            "Terminate delay = {:.6}s",
            seconds(settings.terminate_delay)
        ));
        self.field(format_args!(
            "Fork delay = {:.6}s",
            seconds(settings.fork_delay)
        ));
        let running = |waits| if waits { "running" } else { "not running" };
        self.field(format_args!(
            "Fork delay timer {}",
            running(processes.gaining)
        ));
        self.field(format_args!(
            "Terminate delay timer {}",
            running(processes.losing)
        ));
        self.field(format_args!("Full command = {}", settings.full_command));
        self.tracking(vrrp, &settings.name, |instance| &instance.track_process);
    }

    pub(super) fn session(&mut self, session: &BfdView<'_>, vrrp: &Vrrp) {
        self.object(format_args!("VRRP Track BFD = {}", session.name));
        let state = if session.up { "up" } else { "down" };
        self.field(format_args!("Bfd is {state}"));
        self.tracking(vrrp, session.name, |instance| &instance.track_bfd);
    }

    pub(super) fn script(&mut self, script: &ScriptView<'_>, vrrp: &Vrrp, context: &Context<'_>) {
        let settings = script.settings;
        self.object(format_args!("VRRP Script = {}", settings.name));
        if let Some(command) = context.commands.get(&settings.name) {
            self.field(format_args!("Command = {command}"));
        }
        self.field(format_args!(
            "Interval = {} sec",
            settings.interval.as_secs_f64()
        ));
        self.field(format_args!(
            "Timeout = {} sec",
            settings.timeout.unwrap_or_default().as_secs_f64()
        ));
        self.field(format_args!("Rise = {}", settings.rise));
        self.field(format_args!("Fall = {}", settings.fall));
        self.field(format_args!("Result = {}", script.result));
        let init = if script.good.is_none() {
            "INIT"
        } else {
            "unknown"
        };
        self.field(format_args!("Init state = {init}"));
        let status = if script.good == Some(true) {
            "GOOD"
        } else {
            "BAD"
        };
        self.field(format_args!("Status = {status}"));
        self.field(format_args!("VRRP instances :"));
        for instance in vrrp.instances() {
            for tracked in instance
                .settings
                .track_script
                .iter()
                .filter(|t| t.script == settings.name)
            {
                self.entry(format_args!(
                    "{}, weight {}",
                    instance.settings.name,
                    tracked.weight.get()
                ));
            }
        }
        let state = match script.state {
            ScriptState::Idle => "idle",
            ScriptState::Running => "running",
            ScriptState::RequestedTermination => "requested termination",
            ScriptState::ForcingTermination => "forcing termination",
        };
        self.field(format_args!("State = {state}"));
    }
}
