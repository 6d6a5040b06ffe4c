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
            Order::Save { in_background, done } => {
                ctx.saves.saving.store(true, Relaxed);
                let jobs = steward.jobs.clone();
                bench.run(Box::new(move || answer(Some(done), snapshot::save(&jobs, in_background))));
            }
            Order::SaveJson => {
                let jobs = steward.jobs.clone();
                bench.run(Box::new(move || answer(None, json_save::save(&jobs, false))));
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
                Err(why) if force => {
                    answer(Some(done), Ok(()));
                    return End::Unsafe(why);
                }
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

/// Makes everything safe. Nothing is acknowledged any more once that has begun, unless it fails: else what was acknowledged
/// meanwhile would be in no snapshot.
async fn end(steward: &Steward, save: Option<bool>, bench: &Background) -> Result<(), String> {
    let ctx = &steward.ctx;
    tracing::info!("ending: making everything safe");
    // Nobody else takes orders, so no other job follows the one that may be under way.
    ctx.saves.ending.store(true, Relaxed);
    let (done, is_idle) = tokio::sync::oneshot::channel();
    bench.run(Box::new(move || answer(Some(done), Ok(()))));
    let is_idle = is_idle.await;
    ctx.saves.ending.store(false, Relaxed);
    is_idle.map_err(|_| "the thread for snapshots has died".to_owned())??;
    // A script that does not end would keep us waiting.
    ctx.scripts.set_last(true);
    let everything = ctx.turns.everything();
    ctx.scripts.set_last(false);
    save_all(&steward.jobs, save)?;
    // Held to the end of the process.
    std::mem::forget(everything);
    Ok(())
}

/// Writes all that the next start shall find, while everything stands still. `save` is what SHUTDOWN said of snapshots.
fn save_all(jobs: &Jobs, save: Option<bool>) -> Result<(), String> {
    let ctx = &jobs.ctx;
    let logged = match ctx.log.is_on() {
        true => ctx.log.seal(ctx.clock.unix_ms()).map_err(|fault| fault.to_string()),
        false => Ok(()),
    };
    // Half of the data has been loaded: files that hold all of it must stay.
    if ctx.loading.is_active() {
        return logged;
    }
    let wants_snapshot = save.unwrap_or(!ctx.settings.load().persistence.save.is_empty());
    let saved = if wants_snapshot { snapshot::save_still(jobs) } else { Ok(()) };
    let exported = if save != Some(false) { json_save::save(jobs, true) } else { Ok(()) };
    logged.and(saved)?;
    // The JSON file is for others to read, where there is something better to begin with.
    match exported {
        Err(why) if ctx.log.is_on() || wants_snapshot => {
            tracing::warn!(
                why,
                "the JSON file is not of the end; nothing is lost, as a start does not need it"
            );
            Ok(())
        }
        exported => exported,
    }
}
