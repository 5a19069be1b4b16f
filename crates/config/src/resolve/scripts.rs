//! Which scripts can run, and as what.

use std::collections::BTreeMap;

use vrrp::settings::ScriptSettings;

use crate::diagnostics::{Class, Diagnostic, Reporter};
use crate::draft::{At, CommandDraft, Draft, ScriptDraft};
use crate::foreign;
use crate::machine::{Machine, ScriptProblem};
use crate::settings::{Command, RunAs};

/// Judges scripts one by one and says at the end whether the whole is a security problem.
pub(super) struct Judge<'a> {
    machine: &'a dyn Machine,
    secure: bool,
    keep_links: bool,
    /// Without an instance no script ever runs, so none is judged.
    active: bool,
    /// What keepalived calls such scripts, of this process.
    kind: &'static str,
    /// A script can run, and `enable_script_security` is off.
    exposed: bool,
    /// Scripts that somebody but root could change.
    insecure: Vec<String>,
}

/// Why a script cannot run.
enum Refusal {
    Problem(ScriptProblem),
    Insecure(String),
}

impl<'a> Judge<'a> {
    pub(super) fn new(draft: &Draft, machine: &'a dyn Machine) -> Self {
        Self {
            machine,
            secure: draft.global.enable_script_security,
            keep_links: draft.use_symlink_paths,
            active: !draft.instances.is_empty(),
            kind: "scripts",
            exposed: false,
            insecure: Vec::new(),
        }
    }

    /// For the scripts of virtual servers and their checks; only those of services that exist are asked about.
    pub(super) fn of_servers(draft: &Draft, machine: &'a dyn Machine) -> Self {
        Self {
            active: true,
            kind: "check scripts",
            ..Self::new(draft, machine)
        }
    }

    /// The check scripts that can run, used or not, and their commands.
    pub(super) fn check_scripts(
        &mut self,
        drafts: &[ScriptDraft],
        report: &mut Reporter,
    ) -> (Vec<At<ScriptSettings>>, BTreeMap<String, Command>) {
        let mut scripts = Vec::new();
        let mut commands = BTreeMap::new();
        let drafts = if self.active { drafts } else { &[] };
        for draft in drafts {
            let (Some(argv), Some(user)) = (&draft.argv, &draft.user) else {
                continue;
            };
            match self.command(&argv.value, user) {
                Ok(command) => {
                    scripts.push(At {
                        value: settings(draft, &command),
                        span: draft.span,
                    });
                    commands.insert(draft.name.clone(), command);
                }
                Err(refusal) => {
                    let name = &draft.name;
                    let program = argv.value.first().map_or("", String::as_str);
                    let help = remedy(&refusal, program);
                    // keepalived only logs that its user may not execute it.
                    let class = match &refusal {
                        Refusal::Problem(ScriptProblem::NotExecutable) => Class::Uncounted,
                        Refusal::Problem(_) | Refusal::Insecure(_) => Class::General,
                    };
                    let (why, text) = match refusal {
                        Refusal::Problem(ScriptProblem::Other(why)) => (
                            why,
                            format!("Disabling track script {name} due to insecure"),
                        ),
                        Refusal::Problem(problem) => (
                            format!("{program} is {problem}"),
                            format!("Disabling track script {name} since not found/accessible"),
                        ),
                        Refusal::Insecure(why) => (
                            format!("{program} is not secure: {why}"),
                            format!("Disabling track script {name} due to insecure"),
                        ),
                    };
                    let message = format!("script {name} is disabled: {why}");
                    let diagnostic = Diagnostic::error(class, message)
                        .with_note("instances that track it go on as if they did not")
                        .maybe_help(help)
                        .keepalived(text);
                    report.at(argv.span, diagnostic);
                }
            }
        }
        (scripts, commands)
    }

    /// A notify script; one that cannot run is reported and left out.
    pub(super) fn notify(
        &mut self,
        draft: &CommandDraft,
        report: &mut Reporter,
    ) -> Option<Command> {
        self.runnable("notify script", draft, report)
    }

    /// A script of some purpose; one that cannot run is reported and left out.
    pub(super) fn runnable(
        &mut self,
        purpose: &str,
        draft: &CommandDraft,
        report: &mut Reporter,
    ) -> Option<Command> {
        let refusal = match self.command(&draft.argv, &draft.user) {
            Ok(command) => return Some(command),
            Err(refusal) => refusal,
        };
        let program = draft.argv.first().map_or("", String::as_str);
        let help = remedy(&refusal, program);
        let message = match refusal {
            Refusal::Problem(problem) => format!("{purpose} {program} is disabled: {problem}"),
            Refusal::Insecure(why) => {
                format!("{purpose} {program} is disabled: not secure: {why}")
            }
        };
        let diagnostic = Diagnostic::error(Class::Uncounted, message).maybe_help(help);
        report.at(draft.span, diagnostic);
        None
    }

    fn command(&mut self, argv: &[String], user: &RunAs) -> Result<Command, Refusal> {
        let program = argv.first().map_or("", String::as_str);
        let redirection =
            matches!(argv, [sh, c, line] if sh == "sh" && c == "-c" && line.starts_with('<'));
        let program = if redirection { "/bin/sh" } else { program };
        let found = self
            .machine
            .resolve_script(program, user, self.keep_links)
            .map_err(Refusal::Problem)?;
        if !redirection {
            if let Some(why) = found.insecure {
                if self.secure {
                    return Err(Refusal::Insecure(why));
                }
                self.insecure.push(format!("{program}: {why}"));
            }
            self.exposed |= !self.secure;
        }
        Ok(Command {
            argv: argv.to_vec(),
            path: found.path,
            user: user.clone(),
        })
    }

    /// The report about all scripts together.
    pub(super) fn finish(self, report: &mut Reporter) {
        if !self.exposed {
            return;
        }
        let help = match self.insecure.first() {
            Some(first) => format!("set enable_script_security in global_defs; {first}"),
            None => "set enable_script_security in global_defs, and script_user if there is no user keepalived_script".into(),
        };
        let diagnostic = Diagnostic::warning(
            Class::Security,
            format!("{} run although enable_script_security is off", self.kind),
        )
        .help(help)
        .keepalived(format!(
            "SECURITY VIOLATION - {} are being executed but script_security not enabled.",
            self.kind
        ));
        report.nowhere(diagnostic);
    }
}

/// What to do about a script that cannot run.
fn remedy(refusal: &Refusal, program: &str) -> Option<String> {
    match refusal {
        Refusal::Problem(ScriptProblem::NotFound) => Some(
            foreign::sign_of_value(program)
                .unwrap_or("correct its path, or put it there")
                .to_owned(),
        ),
        Refusal::Problem(ScriptProblem::NotExecutable) => {
            Some(format!("let the user that it runs as execute it: chmod a+rx {program}"))
        }
        Refusal::Problem(ScriptProblem::Other(_)) => None,
        Refusal::Insecure(_) => Some(
            "let root alone own and write the file and every directory above it; or let it run as another user"
                .to_owned(),
        ),
    }
}

fn settings(draft: &ScriptDraft, command: &Command) -> ScriptSettings {
    ScriptSettings {
        name: draft.name.clone(),
        identity: format!(
            "{}\0{}:{}",
            command.argv.join("\0"),
            command.user.uid,
            command.user.gid
        ),
        interval: draft.interval.unwrap_or(std::time::Duration::from_secs(1)),
        timeout: draft.timeout,
        rise: draft.rise,
        fall: draft.fall,
    }
}
