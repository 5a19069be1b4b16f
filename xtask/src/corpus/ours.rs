//! What evervip says, from `check --format json`.

use std::path::Path;

use anyhow::{Context, Result};
use serde_json::Value;

/// All of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Ours {
    /// What `-t` exits with.
    pub(super) test_status: i32,
    pub(super) findings: Vec<Finding>,
}

/// One thing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Finding {
    pub(super) class: String,
    /// Relative to the corpus; empty: of no file.
    pub(super) file: String,
    pub(super) line: Option<usize>,
    pub(super) message: String,
    pub(super) source: String,
}

impl Ours {
    /// # Errors
    /// When it is not what `check` prints.
    pub(super) fn parse(output: &str, corpus: &Path) -> Result<Self> {
        let json: Value =
            serde_json::from_str(output).with_context(|| format!("not JSON: {output:.400}"))?;
        let test_status = json
            .get("test_status")
            .and_then(Value::as_i64)
            .and_then(|status| i32::try_from(status).ok())
            .context("no test_status")?;
        let findings = json
            .get("diagnostics")
            .and_then(Value::as_array)
            .context("no diagnostics")?
            .iter()
            .flat_map(|finding| Finding::from_json(finding, corpus))
            .collect();
        Ok(Self {
            test_status,
            findings,
        })
    }
}

/// The line that keepalived names.
fn line(json: &Value) -> Option<usize> {
    let line = json.get("keepalived_line").and_then(Value::as_u64);
    line.and_then(|line| usize::try_from(line).ok())
}

impl Finding {
    /// What `-t` says of it, line by line: it names the lines that keepalived names.
    fn from_json(json: &Value, corpus: &Path) -> Vec<Self> {
        let text = |name: &str| {
            json.get(name)
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned()
        };
        let file = text("file");
        let relative = Path::new(&file)
            .strip_prefix(corpus)
            .map(|path| path.to_string_lossy().into_owned());
        let first = Self {
            class: text("class"),
            file: relative.unwrap_or(file),
            line: line(json),
            message: text("message"),
            source: text("source"),
        };
        let also = json.get("keepalived_also").and_then(Value::as_array);
        let also = also.into_iter().flatten().map(|also| Self {
            class: also
                .get("class")
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned(),
            line: line(also),
            ..first.clone()
        });
        let mut all: Vec<Self> = also.collect();
        all.insert(0, first);
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_become_those_of_the_corpus() {
        let output = r#"{"test_status": 5, "diagnostics": [
            {"class": "general", "file": "/c/d/x.conf", "line": 1, "keepalived_line": 3, "message": "m", "source": "s",
             "keepalived_also": [{"class": "invalid-number", "keepalived_line": 3, "message": "x"},
                {"class": "bad-interface", "keepalived_line": null, "message": "y"}]},
            {"class": "security", "file": null, "line": null, "message": "n", "source": null}]}"#;
        let ours = Ours::parse(output, Path::new("/c")).unwrap();
        let places: Vec<_> = ours
            .findings
            .iter()
            .map(|one| (one.file.as_str(), one.line))
            .collect();
        assert_eq!(
            places,
            [
                ("d/x.conf", Some(3)),
                ("d/x.conf", Some(3)),
                ("d/x.conf", None),
                ("", None)
            ]
        );
        assert_eq!(ours.findings[1].class, "invalid-number");
        assert!(Ours::parse("Segmentation fault", Path::new("/c")).is_err());
    }
}
