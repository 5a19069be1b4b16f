//! A thread that lives in namespaces of its own and does what it is told there.

use std::any::Any;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::mpsc::{Sender, channel};
use std::thread::{self, JoinHandle};

use anyhow::{Context, Result, anyhow};

type Job = Box<dyn FnOnce() + Send>;

/// The thread. Dropping this waits for its end, and with it ends what is tied to the thread: its namespaces
/// and the processes it started.
pub(crate) struct Worker {
    name: String,
    jobs: Option<Sender<Job>>,
    thread: Option<JoinHandle<()>>,
}

impl Worker {
    /// Starts the thread with `prepare`, whose result lives, on the thread, for as long as the thread does.
    pub(crate) fn start<G: 'static>(
        name: &str,
        prepare: impl FnOnce() -> Result<G> + Send + 'static,
    ) -> Result<Self> {
        let (jobs, todo) = channel::<Job>();
        let (report, prepared) = channel();
        let thread = thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || {
                let kept = match prepare() {
                    Ok(kept) => {
                        if report.send(Ok(())).is_err() {
                            return;
                        }
                        kept
                    }
                    Err(error) => {
                        // Nobody is left to be told if this fails.
                        drop(report.send(Err(error)));
                        return;
                    }
                };
                for job in todo {
                    job();
                }
                drop(kept);
            })?;
        let worker = Self {
            name: name.to_owned(),
            jobs: Some(jobs),
            thread: Some(thread),
        };
        prepared
            .recv()
            .with_context(|| format!("{name} ended while it was being prepared"))??;
        Ok(worker)
    }

    /// Runs `job` on the thread and waits for its result. A panic in there comes out here.
    pub(crate) fn run<T: Send + 'static>(
        &self,
        job: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T> {
        let gone = || anyhow!("the thread of {} has ended", self.name);
        let (answer, result) = channel::<Result<T, Box<dyn Any + Send>>>();
        let jobs = self.jobs.as_ref().ok_or_else(gone)?;
        jobs.send(Box::new(move || {
            // The caller waits for the answer; if it is gone, so is the interest in it.
            drop(answer.send(catch_unwind(AssertUnwindSafe(job))));
        }))
        .map_err(|_| gone())?;
        match result.recv().map_err(|_| gone())? {
            Ok(value) => Ok(value),
            Err(panic) => resume_unwind(panic),
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        drop(self.jobs.take());
        // Jobs catch their panics, so joining fails only for one in a destructor of what was kept.
        if self
            .thread
            .take()
            .is_some_and(|thread| thread.join().is_err())
        {
            eprintln!("the thread of {} panicked at its end", self.name);
        }
    }
}

impl fmt::Debug for Worker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Worker")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}
