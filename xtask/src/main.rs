//! Chores of this repository, as a program: `cargo xtask <task>`.

use std::process::ExitCode;

mod bench;
mod corpus;
mod packages;
mod shell;
mod test;

const USAGE: &str = "\
usage: cargo xtask <task>

tasks:
  test [--fast] [FILTER]   run the tests; everything that CI runs
                           --fast   only what needs no root and less than a minute
                           FILTER   only the steps with this in their name; if there is no such step,
                                    only the tests with this in their name
  test --list              name the steps
  test interop [WORD...]   evervip beside keepalived and FRR, as a table; WORD: only cells with this in their name
  test bfd [WORD...]       sessions with keepalived and FRR, and what becomes of them
  test lvs [WORD...]       virtual servers in a kernel with IPVS, step by step beside keepalived
  test reload [WORD...]    reloads that disturb nothing
  packages                 install the programs that the tests need
  corpus [TEXT]            compare with what keepalived said of real configurations; TEXT: only files with this in their name
  bench failover|takeover|scale|loaded|hmac|lvs|checks|config
                           measure evervip and keepalived side by side; `bench` alone lists the options

A step that fails ends the run.";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let outcome = match words.as_slice() {
        ["test", options @ ..] => test::run(options),
        ["corpus", options @ ..] => corpus::run(options),
        ["bench", options @ ..] => bench::run(options),
        ["packages"] => packages::install_missing(),
        ["help" | "--help" | "-h"] => {
            println!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}
