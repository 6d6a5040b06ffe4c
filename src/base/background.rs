//! A thread for jobs that come seldom. It is started for the first: every thread that has asked for memory once keeps pages of
//! its own, two megabytes where pages are huge, which is much for one that may never have anything to do.

use std::sync::mpsc::{SendError, Sender, channel};

use parking_lot::Mutex;

/// What is to be done.
pub type Job = Box<dyn FnOnce() + Send>;

/// The way to the thread, which does one job after the other. It ends when this is dropped, or with the process.
pub struct Background {
    name: &'static str,
    jobs: Mutex<Option<Sender<Job>>>,
}

impl Background {
    /// No thread yet; its name will be `name`.
    pub fn new(name: &'static str) -> Self {
        Background { name, jobs: Mutex::new(None) }
    }

    /// Has a job done after those that were given before. Where the system gives no thread, it is done here and now.
    pub fn run(&self, job: Job) {
        if let Err(SendError(job)) = self.send(job) {
            job();
        }
    }

    fn send(&self, job: Job) -> Result<(), SendError<Job>> {
        let mut jobs = self.jobs.lock();
        if let Some(jobs) = &*jobs {
            return jobs.send(job);
        }
        let (sender, receiver) = channel::<Job>();
        let work = move || receiver.into_iter().for_each(|job| job());
        match std::thread::Builder::new().name(self.name.to_owned()).spawn(work) {
            Ok(_) => jobs.insert(sender).send(job),
            Err(error) => {
                tracing::warn!(name = self.name, %error, "no thread: what it was to do is done without it");
                Err(SendError(job))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;

    #[test]
    fn jobs_are_done_in_order_by_one_thread_of_that_name() {
        let background = Background::new("beside");
        let (sender, done) = channel();
        for number in 0..3 {
            let sender = sender.clone();
            background.run(Box::new(move || {
                let thread = std::thread::current();
                sender.send((number, thread.id(), thread.name().map(str::to_owned))).unwrap();
            }));
        }
        let done: Vec<_> = done.iter().take(3).collect();
        assert_eq!(done.iter().map(|(number, ..)| *number).collect::<Vec<_>>(), [0, 1, 2]);
        assert!(done.iter().all(|(_, id, name)| *id == done[0].1 && name.as_deref() == Some("beside")));
    }

    #[test]
    fn a_job_is_done_without_the_thread_when_a_panic_has_ended_it() {
        let background = Background::new("beside");
        background.run(Box::new(|| std::panic::resume_unwind(Box::new("meant"))));
        let (sender, done) = channel();
        // The thread may take one more job into the grave with it before the way is closed.
        while done.try_recv().is_err() {
            let sender = sender.clone();
            background.run(Box::new(move || sender.send(()).unwrap()));
        }
    }
}
