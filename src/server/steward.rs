//! The steward carries out what commands can only order: snapshots, rewrites, reloads, the end.
//!
//! Orders come through the mailbox and are taken in turn. What takes long (writing a snapshot, rewriting the log) is done
//! by one thread beside, one job after the other: so there is never more than one cut of the table.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use tokio::sync::mpsc::UnboundedReceiver;

use super::json_save;
use super::snapshot::{self, Jobs};
use crate::base::background::Background;
use crate::exec::Context;
use crate::exec::mailbox::{Done, Order};

/// What the process is to end with.
pub enum End {
    /// All is safe.
    Clean,
    /// Something could not be made safe; it was forced.
    Unsafe(String),
}

/// What the steward needs besides the context.
pub struct Steward {
    /// The process.
    pub ctx: Arc<Context>,
    /// Where jobs are done.
    pub jobs: Arc<Jobs>,
    /// Writes the configuration file.
    pub rewrite_settings: Box<dyn Fn() -> Result<(), String> + Send>,
}

/// Takes orders until the one to end.
pub async fn run(steward: Steward, mut orders: UnboundedReceiver<Order>) -> End {
    let ctx = &steward.ctx;
    // The thread ends with the process: a job under way at the end is abandoned, which leaves only a temporary file.
    let bench = Background::new("snapshot");
    while let Some(order) = orders.recv().await {
        match order {
            Order::Save { done } => {
                ctx.saves.saving.store(true, Relaxed);
                let jobs = steward.jobs.clone();
                bench.run(Box::new(move || answer(Some(done), snapshot::save(&jobs))));
            }
            Order::SaveJson => {
                let jobs = steward.jobs.clone();
                bench.run(Box::new(move || answer(None, json_save::save(&jobs))));
            }
            Order::Rewrite { done } => {
                if ctx.saves.rewriting.swap(true, Relaxed) {
                    ctx.saves.rewrite_scheduled.store(false, Relaxed);
                    answer(done, Err("Background append only file rewriting already in progress".to_owned()));
                    continue;
                }
                let jobs = steward.jobs.clone();
                bench.run(Box::new(move || answer(done, snapshot::rewrite(&jobs))));
            }
            Order::Reload { from_log, save, done } => {
                let jobs = steward.jobs.clone();
                bench.run(Box::new(move || answer(Some(done), snapshot::reload(&jobs, from_log, save))));
            }
            Order::Snapshot { client, is_named, pieces } => {
                let jobs = steward.jobs.clone();
                bench.run(Box::new(move || answer(None, snapshot::send(&jobs, &client, is_named, pieces))));
            }
            Order::RewriteSettings { done } => answer(Some(done), (steward.rewrite_settings)()),
            Order::Shutdown { save, force, done } => match end(&steward, save, &bench).await {
                Ok(()) => {
                    answer(Some(done), Ok(()));
                    return End::Clean;
                }
                Err(why) if force => return End::Unsafe(why),
                Err(why) => {
                    tracing::error!(why, "cannot end without losing data; the server goes on");
                    answer(Some(done), Err(why));
                }
            },
        }
    }
    End::Clean
}

fn answer(done: Option<Done>, result: Result<(), String>) {
    if let Err(why) = &result {
        tracing::error!(why, "a job failed");
    }
    if let Some(done) = done {
        // Nobody may be waiting any more.
        let _ = done.send(result);
    }
}

/// Makes everything safe. From here on no command is run, unless it fails.
async fn end(steward: &Steward, save: Option<bool>, bench: &Background) -> Result<(), String> {
    let ctx = &steward.ctx;
    let points = !ctx.settings.load().persistence.save.is_empty();
    tracing::info!("ending: making everything safe");
    if save.unwrap_or(points) && !ctx.loading.is_active() {
        let jobs = steward.jobs.clone();
        let saved = tokio::task::spawn_blocking(move || snapshot::save(&jobs)).await;
        saved.map_err(|error| error.to_string())??;
    }
    if save != Some(false) && !ctx.loading.is_active() {
        // By the thread for such jobs, so that it comes after the snapshot that may be under way.
        let jobs = steward.jobs.clone();
        let (done, outcome) = tokio::sync::oneshot::channel();
        bench.run(Box::new(move || answer(Some(done), json_save::save(&jobs))));
        outcome.await.map_err(|_| "the thread for snapshots has died".to_owned())??;
    }
    // A script that does not end would keep us waiting.
    ctx.scripts.set_last(true);
    let everything = ctx.turns.everything();
    ctx.scripts.set_last(false);
    if ctx.log.is_on() {
        ctx.log.flush(ctx.log.appended(), ctx.clock.unix_ms()).map_err(|fault| fault.to_string())?;
        ctx.log.sync().map_err(|fault| fault.to_string())?;
    }
    // Held to the end of the process: what is acknowledged after the last sync would not be safe.
    std::mem::forget(everything);
    Ok(())
}
