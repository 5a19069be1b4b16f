//! evervip keeps a virtual IP alive: a drop-in successor of keepalived.
//!
//! One executable. Called as `keepalived` it is keepalived to every other program; called as `evervip` it takes the very same
//! options, plus verbs (`evervip check`, `evervip demo`). A child process is this program again, told so by its parent.

#![forbid(unsafe_code)]

mod bfd_process;
mod check;
mod checker_process;
mod child;
mod command_line;
mod config_test;
mod conversation;
mod demo;
mod diagnostics;
mod exit;
mod genhash;
mod identity;
mod ipvs;
mod kernel_routing;
mod legacy;
mod logging;
mod machine;
mod messages;
mod parent;
mod patterns;
mod tls;
mod verbs;
mod vrrp_process;

use std::ffi::OsString;
use std::process::ExitCode;

use crate::command_line::Request;
use crate::exit::Exit;
use crate::identity::Identity;

fn main() -> ExitCode {
    if let Some(descriptor) = sys::process::inherited_descriptor() {
        match sys::channel::Channel::from_inherited(descriptor) {
            Ok(channel) => return child::run(channel).into(),
            // Somebody set the variable by hand: then this is no child.
            Err(problem) => eprintln!("{}: {problem}", sys::process::CHANNEL_VARIABLE),
        }
    }
    let mut words = std::env::args_os();
    let identity = Identity::of(words.next());
    let words: Vec<OsString> = words.collect();
    if let Some(words) = genhash::words(&identity.program, &words) {
        return genhash::run(words).into();
    }
    if !identity.is_keepalived
        && let Some(exit) = verbs::run(&words)
    {
        return exit.into();
    }
    match command_line::parse(words) {
        Ok(request) => answer(request, &identity),
        Err(problem) => {
            for message in problem.messages {
                eprintln!("{}: {message}", identity.program);
            }
            eprintln!("Try '{} --help'.", identity.program);
            Exit::Fatal
        }
    }
    .into()
}

fn answer(request: Request, identity: &Identity) -> Exit {
    match request {
        Request::Run(options) => parent::run(options, identity),
        Request::ConfigTest(options, log) => config_test::run(&options, log.as_deref()),
        Request::Version => {
            eprint!("{}", identity::version());
            Exit::Success
        }
        Request::Help => {
            eprint!("{}", command_line::help(&identity.program));
            if !identity.is_keepalived {
                eprint!("{}", verbs::help());
            }
            Exit::Success
        }
        Request::Signum(name) => match command_line::signal_number(&name) {
            Some(number) => {
                println!("{number}");
                Exit::Success
            }
            None => {
                eprintln!("Unknown sigfunc {name}");
                Exit::Fatal
            }
        },
    }
}
