//! The sleep of a command that waits, and of a client that is paused, whatever kind of connection it came by.

use std::pin::pin;
use std::time::Duration;

use tokio::sync::oneshot;

use super::context::Context;
use super::effect::{Until, Wait, Woken};
use super::safety::durable;
use super::session::Session;
use super::wait;
use crate::base::clock::Millis;
use crate::clients::{Client, Wake, flag};
use crate::resp::reply::Reply;

/// Between two looks whether the disk takes writes again.
const BETWEEN_LOOKS: Duration = Duration::from_millis(50);

/// Sleeps for a command, then writes its reply to `out`; none if the client was killed meanwhile. Whatever ends the
/// sleep, also that this is dropped, leaves nothing behind.
pub async fn sleep(ctx: &Context, session: &mut Session, wait: Wait, out: &mut Vec<u8>) {
    let client = session.client.clone();
    let end = {
        let asleep = Asleep::new(ctx, session);
        let mut wake = asleep.session.waiting.as_mut().and_then(|waiting| waiting.wake.take());
        if wake.is_none() && !matches!(wait.until, Until::Job(_)) {
            wake = Some(client.fall_asleep());
        }
        let late = async {
            match wait.deadline {
                None => std::future::pending().await,
                Some(at) => sleep_until(ctx, at).await,
            }
        };
        let end = tokio::select! {
            biased;
            wake = called(&mut wake) => End::Called(wake),
            woken = done(ctx, wait.until) => End::Woken(woken),
            () = late => End::Woken(Woken::TimedOut),
            () = killed(&client) => End::Killed,
        };
        // Somebody may have been faster than the clock. What he gave is given, so it must be told.
        client.get_up();
        match wake.as_mut().map(oneshot::Receiver::try_recv) {
            Some(Ok(wake)) => End::Called(wake),
            _ => end,
        }
    };
    let mark = out.len();
    let mut reply = Reply::new(out, session.proto);
    match end {
        End::Called(Wake::Reply(bytes, seq)) => {
            reply.raw(&bytes);
            session.need.wrote(seq);
        }
        End::Called(Wake::Error(line)) => reply.error(line),
        End::Called(Wake::TimedOut) => (wait.then)(ctx, session, Woken::TimedOut, &mut reply),
        End::Woken(woken) => (wait.then)(ctx, session, woken, &mut reply),
        End::Killed => {}
    }
    session.need.saw(ctx.log.appended());
    session.looks.not_only();
    if std::mem::take(&mut session.mute) {
        out.truncate(mark);
    }
}

/// What ended a sleep.
enum End {
    Called(Wake),
    Woken(Woken),
    Killed,
}

async fn called(wake: &mut Option<oneshot::Receiver<Wake>>) -> Wake {
    if let Some(receiver) = wake
        && let Ok(wake) = receiver.await
    {
        return wake;
    }
    std::future::pending().await
}

async fn done(ctx: &Context, until: Until) -> Woken {
    match until {
        // Whoever changes a key calls.
        Until::Deadline | Until::Keys(_) => std::future::pending().await,
        // Only the connection itself can send one.
        Until::Snapshot(_) => Woken::Failed("no snapshot can be sent here".to_owned()),
        Until::Acknowledged { offset, replicas } => match ctx.replicas.wait_for(offset, replicas).await {
            Ok(()) => Woken::Done,
            Err(_) => std::future::pending().await,
        },
        Until::Durable(seq) => loop {
            match durable(ctx, seq).await {
                Ok(()) => break Woken::Done,
                Err(fault) if fault.kind.is_sticky() => break Woken::Failed(fault.to_string()),
                // There may be room again before its time is up.
                Err(_) => tokio::time::sleep(BETWEEN_LOOKS).await,
            }
        },
        Until::Job(receiver) => match receiver.await {
            Ok(Ok(())) => Woken::Done,
            Ok(Err(why)) => Woken::Failed(why),
            Err(_) => Woken::Failed("the server is ending".to_owned()),
        },
    }
}

/// Sleeps until CLIENT PAUSE lets the next command through, or the client was killed.
pub async fn pause(ctx: &Context, client: &Client, until: Millis) {
    let _shown = Held::new(client);
    let mut unpaused = pin!(ctx.clients.unpaused());
    // Listens before it looks: a pause that ends in between must not be slept through.
    unpaused.as_mut().enable();
    if ctx.clients.pause_state(ctx.clock.unix_ms()).is_none() {
        return;
    }
    tokio::select! {
        () = sleep_until(ctx, until) => {}
        () = unpaused => {}
        () = killed(client) => {}
    }
}

/// Shows a paused client as blocked, also when its connection ends meanwhile.
struct Held<'c>(&'c Client);

impl<'c> Held<'c> {
    fn new(client: &'c Client) -> Self {
        client.set_flag(flag::BLOCKED, true);
        Held(client)
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.0.set_flag(flag::BLOCKED, false);
    }
}

/// Comes back when the client was killed, however often it is woken for other reasons.
pub async fn killed(client: &Client) {
    client.killed().await;
}

async fn sleep_until(ctx: &Context, at: Millis) {
    let left = at.saturating_sub(ctx.clock.unix_ms());
    tokio::time::sleep(Duration::from_millis(left.max(0) as u64)).await;
}

/// A session that sleeps. When this ends, it shows no longer as blocked and stands in no line, also when its connection
/// ends in the middle of the sleep.
struct Asleep<'s> {
    ctx: &'s Context,
    session: &'s mut Session,
}

impl<'s> Asleep<'s> {
    fn new(ctx: &'s Context, session: &'s mut Session) -> Self {
        session.client.set_flag(flag::BLOCKED, true);
        Asleep { ctx, session }
    }
}

impl Drop for Asleep<'_> {
    fn drop(&mut self) {
        self.session.client.get_up();
        wait::leave(self.ctx, self.session);
    }
}
