//! How the adverts of an instance are authenticated.

use types::{Family, Priority, Version};
use vrrp::settings::{AntiReplay, AuthHmac, AuthPass, Authentication, HmacMode, InitialState};

use super::corrected;
use super::instance::Fixing;
use crate::diagnostics::{Class, Diagnostic, Span};
use crate::draft::{At, AuthType, HmacDraft};

/// One second, in microseconds.
const SECOND: u64 = 1_000_000;

impl Fixing<'_> {
    /// The trailer comes first: an instance with it has no password.
    pub(super) fn authentication(&mut self, family: Family, version: Version) -> Authentication {
        let hmac = self.draft.hmac.as_ref().and_then(|draft| self.hmac(draft));
        let Some(At { value, span }) = self.draft.auth_type else {
            return hmac.unwrap_or(Authentication::None);
        };
        let name = &self.draft.name;
        let why = if hmac.is_some() {
            Some((
                "beside auth_hmac",
                "authentication and auth_hmac are both configured. Ignoring authentication.",
                "remove the authentication block",
            ))
        } else if self.strict {
            Some((
                "in strict mode",
                "Strict mode does not support authentication. Ignoring.",
                "remove the authentication block, or strict mode",
            ))
        } else if version == Version::V3 {
            Some((
                "in version 3",
                "VRRP version 3 does not support authentication. Ignoring.",
                "remove the authentication block; only version 2 has passwords",
            ))
        } else if value == AuthType::Ah && family == Family::V6 {
            Some((
                "of type AH over IPv6",
                "Cannot use AH authentication with IPv6. ignoring",
                "remove the authentication block",
            ))
        } else {
            None
        };
        if let Some((why, text, help)) = why {
            let message =
                format!("instance {name}: there is no authentication {why}; it is ignored");
            let diagnostic = Diagnostic::warning(Class::General, message)
                .help(help)
                .keepalived(format!("({name}) {text}"));
            self.report.at(span, diagnostic);
            return hmac.unwrap_or(Authentication::None);
        }
        let pass = self.draft.auth_pass.as_ref();
        let Some(pass) = pass.filter(|pass| !pass.value.is_empty()) else {
            let message = format!(
                "instance {name} authenticates without a password; authentication is ignored"
            );
            let text = format!("({name}) Authentication specified but no password given. Ignoring");
            let diagnostic = Diagnostic::warning(Class::General, message)
                .help("add 'auth_pass PASSWORD'")
                .keepalived(text)
                .following(self.draft.attempted.password);
            self.report.at(span, diagnostic);
            return Authentication::None;
        };
        let pass = AuthPass::new(&pass.value);
        match value {
            AuthType::Pass => Authentication::Pass(pass),
            AuthType::Ah => Authentication::Ah(pass),
        }
    }

    /// Without the key that is to sign there is no trailer at all.
    fn hmac(&mut self, draft: &HmacDraft) -> Option<Authentication> {
        let name = &self.draft.name;
        let active = draft
            .active
            .as_ref()
            .filter(|active| draft.keys.iter().any(|key| key.id == active.value));
        let Some(active) = active else {
            let (span, message) = match &draft.active {
                Some(active) => (
                    active.span,
                    format!(
                        "instance {name}: there is no key {}; adverts are not authenticated",
                        active.value
                    ),
                ),
                None => (
                    draft.span,
                    format!("instance {name} has no active_key; adverts are not authenticated"),
                ),
            };
            let diagnostic = Diagnostic::error(Class::General, message)
                .help("key ID SECRET and active_key ID, with the same ID");
            self.report.at(span, diagnostic);
            return None;
        };
        let mode = self.hmac_mode(draft.mode.as_ref());
        let anti_replay = if draft.monotonic {
            AntiReplay::Monotonic
        } else {
            let window = draft.window.unwrap_or_else(|| self.usual_window());
            AntiReplay::Time { window }
        };
        Some(Authentication::Hmac(Box::new(AuthHmac {
            keys: draft.keys.clone(),
            active_key: active.value,
            mode,
            anti_replay,
        })))
    }

    fn hmac_mode(&mut self, wanted: Option<&At<HmacMode>>) -> HmacMode {
        let Some(At { value, span }) = wanted else {
            return HmacMode::Enforce;
        };
        if self.strict && *value != HmacMode::Enforce {
            let name = &self.draft.name;
            let message = format!("instance {name}: strict mode enforces auth_hmac");
            let text = format!("({name}) Strict mode requires auth_hmac mode enforce. Setting");
            corrected(self.report, *span, message, text);
            return HmacMode::Enforce;
        }
        *value
    }

    /// Three intervals of whole seconds, within reason.
    fn usual_window(&self) -> u16 {
        let seconds = self.draft.advert_int.as_ref().map_or(0, |at| at.value) / SECOND;
        u16::try_from(3 * seconds).unwrap_or(u16::MAX).clamp(5, 300)
    }

    /// keepalived: with an authentication header nobody but the owner begins as master, for its sequence is unknown.
    pub(super) fn state_with(
        &mut self,
        authentication: &Authentication,
        state: InitialState,
        priority: Priority,
    ) -> InitialState {
        let ah = matches!(authentication, Authentication::Ah(_));
        if !ah || state != InitialState::Master || priority.is_owner() {
            return state;
        }
        let span = self
            .draft
            .state
            .as_ref()
            .map_or(self.draft.span, |at: &At<_>| -> Span { at.span });
        let message = format!(
            "instance {} begins as BACKUP: with auth_type AH it must hear a master's sequence first",
            self.draft.name
        );
        self.report
            .at(span, Diagnostic::warning(Class::Uncounted, message));
        InitialState::Backup
    }
}
