//! How the findings about a configuration reach the user: drawn with their source line on a console, one line each in syslog.

use config::{Diagnostic, Severity, Style};
use log::Level;

use crate::command_line::LogOptions;
use crate::identity::Identity;
use crate::logging::SYSLOG_ONLY;

/// The many-line form, in colours if standard error is a terminal that wants them.
pub(crate) fn rendered(diagnostic: &Diagnostic) -> String {
    let colours = sys::console::is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let style = if colours { Style::Colour } else { Style::Plain };
    diagnostic.render(style).trim_end().to_owned()
}

/// Says everything that there is to say about a configuration.
///
/// Called as keepalived, all log lines have keepalived's form. Called as evervip with its log on the console, the console
/// gets the drawn form and syslog alone the line.
pub(crate) fn log(diagnostics: &[Diagnostic], options: &LogOptions, identity: &Identity) {
    let draw = options.console && !identity.is_keepalived;
    // Lints are for whoever asks (`check`): nobody wants them at every reload.
    let said = diagnostics
        .iter()
        .filter(|diagnostic| diagnostic.severity != Severity::Lint);
    for diagnostic in said {
        let level = match diagnostic.severity {
            Severity::Error => Level::Error,
            Severity::Warning => Level::Warn,
            Severity::Note | Severity::Lint => Level::Info,
        };
        let more: Vec<&str> = diagnostic
            .notes
            .iter()
            .chain(&diagnostic.help)
            .map(String::as_str)
            .collect();
        let line = match more.as_slice() {
            [] => diagnostic.terse(),
            more => format!("{} ({})", diagnostic.terse(), more.join("; ")),
        };
        if draw {
            log::log!(target: SYSLOG_ONLY, level, "{line}");
            if diagnostic.follows {
                continue;
            }
            for line in rendered(diagnostic).lines() {
                sys::console::write_line(line);
            }
        } else {
            log::log!(level, "{line}");
        }
    }
}
