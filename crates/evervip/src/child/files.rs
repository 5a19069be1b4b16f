//! Tracked files: watching them, and reading what they say.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use log::{error, info, warn};
use sys::event_loop::EventLoop;
use sys::file_watch::{self, FileEvent, FileWatch, Initialised};
use types::Instant;
use vrrp::settings::{FileInit, FileSettings};

/// A number with all that C lets stand before it. What is longer is no number that anybody means.
const LONGEST: usize = 64;

/// Between two attempts to watch a file whose directory is not there.
const AGAIN: Duration = Duration::from_secs(1);

/// Whether files are given their first content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FirstContent {
    /// The daemon starts.
    Write,
    /// It reloads, or this process has a predecessor.
    Leave,
}

/// The tracked files.
pub(crate) struct Files {
    token: u64,
    settings: Vec<FileSettings>,
    watch: Option<FileWatch>,
    /// Where each one is, by its name in the configuration; `None`: nowhere, its directory is missing.
    places: BTreeMap<String, Option<PathBuf>>,
    /// What has been complained about, by the name of the file: each thing once.
    complaints: BTreeMap<String, String>,
    retry_at: Option<Instant>,
}

impl Files {
    pub(crate) const fn new(token: u64) -> Self {
        Self {
            token,
            settings: Vec::new(),
            watch: None,
            places: BTreeMap::new(),
            complaints: BTreeMap::new(),
            retry_at: None,
        }
    }

    /// Watches what the new settings name; what the files say, if they are not the same files as before.
    pub(crate) fn prepare(
        &mut self,
        now: Instant,
        settings: &[FileSettings],
        events: &EventLoop,
    ) -> Vec<(String, i32)> {
        if settings == self.settings {
            return Vec::new();
        }
        self.settings = settings.to_vec();
        self.complaints.clear();
        self.places.clear();
        self.retry_at = None;
        if let Some(old) = self.watch.take()
            && let Err(problem) = events.remove(&old)
        {
            warn!("track_file: {problem}");
        }
        if settings.is_empty() {
            return Vec::new();
        }
        let watch = FileWatch::new().and_then(|watch| {
            events.add(&watch, self.token)?;
            Ok(watch)
        });
        match watch {
            Ok(watch) => self.watch = Some(watch),
            Err(problem) => warn!("tracked files are read once and not watched: {problem}"),
        }
        settings
            .iter()
            .map(|file| (file.name.clone(), self.begin(now, file)))
            .collect()
    }

    /// Watches a file, then reads it.
    fn begin(&mut self, now: Instant, file: &FileSettings) -> i32 {
        let place = file_watch::resolved(Path::new(&file.path)).and_then(|place| {
            if let Some(watch) = &mut self.watch {
                watch.watch(&place)?;
            }
            Ok(place)
        });
        match place {
            Ok(place) => {
                let value = self.read(&file.name, &place);
                self.places.insert(file.name.clone(), Some(place));
                value
            }
            Err(problem) => {
                self.complain(
                    &file.name,
                    format!("{problem}; it counts as 0, and is tried again every second"),
                );
                self.places.insert(file.name.clone(), None);
                self.retry_at = Some(now + AGAIN);
                0
            }
        }
    }

    fn read(&mut self, name: &str, place: &Path) -> i32 {
        match file_watch::read_start(place, LONGEST) {
            Ok(content) => {
                self.complaints.remove(name);
                content.map_or(0, |content| vrrp::file_number(&content))
            }
            Err(problem) => {
                self.complain(name, format!("{problem}; it counts as 0"));
                0
            }
        }
    }

    fn complain(&mut self, name: &str, complaint: String) {
        if self.complaints.get(name) != Some(&complaint) {
            warn!("track_file {name}: {complaint}");
            self.complaints.insert(name.to_owned(), complaint);
        }
    }

    pub(crate) const fn next_wake(&self) -> Option<Instant> {
        self.retry_at
    }

    /// Tries again what could not be watched.
    pub(crate) fn tick(&mut self, now: Instant) -> Vec<(String, i32)> {
        if self.retry_at.is_none_or(|at| at > now) {
            return Vec::new();
        }
        self.retry_at = None;
        let missing: Vec<FileSettings> = self
            .settings
            .iter()
            .filter(|file| matches!(self.places.get(&file.name), Some(None)))
            .cloned()
            .collect();
        missing
            .into_iter()
            .map(|file| {
                let value = self.begin(now, &file);
                (file.name, value)
            })
            .collect()
    }

    /// What happened to the files.
    pub(crate) fn hear(&mut self, now: Instant) -> Vec<(String, i32)> {
        let mut events = Vec::new();
        if let Some(watch) = &mut self.watch
            && let Err(problem) = watch.drain(&mut events)
        {
            // What was heard before it counts.
            error!("track_file: {problem}");
        }
        // However often a file was written: what it says now is what counts.
        let mut concerned: BTreeMap<String, Option<PathBuf>> = BTreeMap::new();
        for event in events {
            let (place, there) = match event {
                FileEvent::Changed(place) => (Some(place), true),
                FileEvent::Lost(place) => (Some(place), false),
                FileEvent::Overflow => (None, true),
            };
            let named = self
                .places
                .iter()
                .filter(|(_, known)| known.is_some() && (place.is_none() || **known == place));
            concerned
                .extend(named.map(|(name, known)| (name.clone(), known.clone().filter(|_| there))));
        }
        let mut findings = Vec::new();
        for (name, place) in concerned {
            let value = match &place {
                Some(place) => self.read(&name, place),
                None => {
                    let complaint =
                        "its directory is gone; it counts as 0 until there is one again";
                    self.complain(&name, complaint.to_owned());
                    self.retry_at = Some(now + AGAIN);
                    0
                }
            };
            findings.push((name.clone(), value));
            self.places.insert(name, place);
        }
        findings
    }
}

/// Gives files what they say at first (`init_file`).
pub(crate) fn write_first_content(files: &[FileSettings]) {
    for FileSettings {
        name, path, init, ..
    } in files
    {
        let Some(FileInit { value, overwrite }) = *init else {
            continue;
        };
        let written = match file_watch::resolved(Path::new(path)) {
            Ok(place) => file_watch::initialise(&place, format!("{value}\n").as_bytes(), overwrite),
            Err(problem) => Err(problem.into()),
        };
        match written {
            Ok(Initialised::Written) => info!("track_file {name}: {path} says {value} at first"),
            Ok(Initialised::Kept) => {}
            Err(problem) => warn!("track_file {name}: {path} is not initialised: {problem}"),
        }
    }
}
