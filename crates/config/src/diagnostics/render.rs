//! Diagnostics as rustc shows them: the source line, the place underlined, help below.

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};

use super::{Diagnostic, Severity};

/// How to draw a diagnostic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// ASCII only, no colours: for logs and files.
    Plain,
    /// Terminal colours.
    Colour,
}

impl Diagnostic {
    /// The many-line form: message, place, source line with the meant part underlined, help.
    pub fn render(&self, style: Style) -> String {
        let renderer = match style {
            Style::Plain => Renderer::plain(),
            Style::Colour => Renderer::styled(),
        }
        .decor_style(DecorStyle::Ascii);
        let level = match self.severity {
            Severity::Note => Level::NOTE,
            Severity::Lint => Level::WARNING.with_name("lint"),
            Severity::Warning => Level::WARNING,
            Severity::Error => Level::ERROR,
        };
        let title = level.primary_title(self.message.as_str());
        let title = match self.lint {
            Some(name) => title.id(name),
            None => title,
        };
        let mut group = title.elements(self.file.as_ref().map(|file| {
            Snippet::source(self.source.as_str())
                .line_start(usize::try_from(self.line).unwrap_or(usize::MAX))
                .path(file.as_str())
                .annotation(AnnotationKind::Primary.span(self.columns.clone()))
        }));
        if let Some(related) = &self.related {
            let what = AnnotationKind::Context
                .span(related.columns.clone())
                .label(related.message.as_str());
            group = group.element(
                Snippet::source(related.source.as_str())
                    .line_start(usize::try_from(related.line).unwrap_or(usize::MAX))
                    .path(related.file.as_str())
                    .annotation(what),
            );
        }
        for note in &self.notes {
            group = group.element(Level::NOTE.message(note.as_str()));
        }
        if let Some(help) = &self.help {
            group = group.element(Level::HELP.message(help.as_str()));
        }
        renderer.render(&[group])
    }
}
