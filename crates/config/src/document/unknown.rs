//! What is said of a keyword: that it is unknown, and which one may be meant; that it is not acted on yet; that it lacks its
//! argument.

use super::Builder;
use crate::diagnostics::mask::mask;
use crate::diagnostics::{Class, Diagnostic, Span};
use crate::foreign::{self, Sign};
use crate::keywords::arguments::Needs;
use crate::keywords::{BlockId, Keyword, Shape, blocks_of, includes, modern_name};
use crate::suggest::nearest;

impl Builder<'_, '_> {
    pub(super) fn unknown(&mut self, context: BlockId, name: &str, span: Span) {
        let path = self.table.path(context);
        let place = if context == BlockId::ROOT {
            "outside of all blocks".to_owned()
        } else {
            format!("in {path}")
        };
        let (shown, _) = mask(name, 0..0);
        let diagnostic = Diagnostic::error(
            Class::UnknownKeyword,
            format!("unknown keyword '{shown}' {place}"),
        )
        .keepalived(format!("Unknown keyword '{shown}'"));
        if self.report.is_full() {
            self.report.at(span, diagnostic);
            return;
        }
        let sign = foreign::sign_of_keyword(name);
        let cut = foreign::name_in(name);
        let trimmed = cut.map_or(name, |(name, _)| name);
        let trimmed = trimmed.trim_start_matches(|c: char| !c.is_ascii_alphanumeric());
        let near = nearest(trimmed, self.table.names_in(context).chain(includes()));
        let owner = self.levels.last().and_then(|level| level.owner);
        if let Some(near) = near {
            self.attempts.insert((owner, near));
        }
        let blocks = blocks_of(self.table, name);
        // Of a word between ignored braces enough is said, unless it is clear what was meant.
        let follows = self.is_stray() && (near.is_none() || cut.is_some() || !blocks.is_empty());
        let renamed =
            modern_name(self.table, name).filter(|new| self.table.lookup(context, new).is_some());
        let diagnostic = match (sign, near) {
            // Here only the new name of it is known.
            (None, _) if let Some(new) = renamed => diagnostic.help(format!("write '{new}'")),
            (Some(Sign { help, spreads }), _) => diagnostic
                .help(help)
                .following(spreads && !self.spread.insert((None, help))),
            (None, Some(near)) if near == name => {
                diagnostic.help(format!("behind it stands what to read: {name} PATTERN"))
            }
            (None, Some(near)) if blocks.is_empty() => match cut {
                Some((_, mark)) => {
                    diagnostic.help(format!("write '{near}' and a blank instead of '{mark}'"))
                }
                None => diagnostic.help(format!("did you mean '{near}'?")),
            },
            (None, _) => {
                let inner = blocks.iter().find_map(|block| {
                    let inner = block.strip_prefix(path)?.trim_start_matches('/');
                    (context != BlockId::ROOT && !inner.contains('/')).then_some(inner)
                });
                if let Some(inner) = inner {
                    self.attempts.insert((owner, inner));
                    diagnostic.help(format!(
                        "put it between the braces of '{inner}' in this block"
                    ))
                } else if !blocks.is_empty() {
                    let help = format!("'{name}' belongs in {}", blocks.join(" or "));
                    if context == BlockId::ROOT && !self.nodes.is_empty() {
                        diagnostic.help(format!("{help}; does a '}}' above close it too early?"))
                    } else {
                        diagnostic.help(help)
                    }
                } else if path == "vrrp_sync_group" {
                    self.attempts.insert((owner, "group"));
                    let help = "the members of a group stand in 'group { }'";
                    diagnostic
                        .help(help)
                        .following(!self.spread.insert((owner, help)))
                } else {
                    diagnostic
                        .help("correct it or remove it; it is ignored, with all that belongs to it")
                }
            }
        };
        let follows = follows || diagnostic.follows;
        self.report.at(span, diagnostic.following(follows));
    }

    /// Says once that a keyword is not acted on yet.
    pub(super) fn mention(&mut self, keyword: &'static Keyword, span: Span, in_pending: bool) {
        if let Some(instead) = keyword.deprecated {
            let message = format!("'{}' is an old spelling", keyword.name);
            self.report.at(
                span,
                Diagnostic::warning(Class::Deprecated, message).help(format!("use '{instead}'")),
            );
        }
        let Some(pending) = keyword.pending else {
            return;
        };
        self.report
            .uses_pending(self.table.path(self.context().0), keyword.name);
        if in_pending || !self.mentioned.insert(std::ptr::from_ref(keyword)) {
            return;
        }
        let message = format!(
            "'{}' is a keyword of keepalived that evervip does not act on yet",
            keyword.name
        );
        let mut diagnostic = Diagnostic::warning(Class::Pending, message).about(keyword.name);
        if let Some(effect) = pending.effect {
            diagnostic = diagnostic.with_note(effect);
        }
        self.report.at(span, diagnostic);
    }

    /// Whether a keyword has the argument without which keepalived ends at once.
    pub(super) fn check_needs(
        &mut self,
        keyword: &'static Keyword,
        words: usize,
        span: Span,
    ) -> bool {
        if keyword.arguments.needs != Needs::Argument || words > 1 {
            return true;
        }
        let name = keyword.name;
        let diagnostic = Diagnostic::error(Class::MissingParameter, format!("'{name}' lacks its argument"))
            .help(format!("{name} {}", keyword.arguments))
            .keepalived(format!(
                "*** Configuration line starting `{name}` is missing a parameter after keyword `{name}` at word \
                 position 2"
            ))
            .fatal();
        self.report.at(span, diagnostic);
        // A block is read on all the same, so that its contents are not reported as well.
        keyword.shape() != Shape::Value
    }
}
