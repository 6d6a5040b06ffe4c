//! Runs commands for a request, as a connection runs those of a turn.
//!
//! Each HTTP request has a session of its own: what a command changes of it (SELECT) lasts for the request. The replies are
//! RESP2, which is what the shapes of Upstash's results are, and are told only when the log says so.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use redis_protocol::resp2::decode::decode;
use redis_protocol::resp2::types::OwnedFrame;

use super::Gateway;
use super::answer::Refused;
use crate::base::clock::Millis;
use crate::clients::Client;
use crate::exec::run::{Desk, Flow};
use crate::exec::{Context, Session, Wait, limits, outage, sleep};
use crate::resp::request::OwnedRequest;

/// Commands of one turn: others who wait for the gateway's seat get it in between.
const COMMANDS_PER_TURN: usize = 256;
/// A turn begins no further command after this time: every other HTTP client waits for its end.
const TURN_MAX: Duration = Duration::from_millis(1);

/// What ended a turn before its commands did.
enum Stop {
    /// It was long enough.
    Enough,
    Wait(Box<Wait>),
    Paused(Millis),
}

/// The replies to several commands, as bytes.
pub(super) struct Replies {
    bytes: Vec<u8>,
    /// Where each reply ends.
    ends: Vec<usize>,
    limit: u64,
}

impl Replies {
    fn new(ctx: &Context) -> Self {
        // Nothing waits here for long, so only the hard limit applies.
        let limit = limits::outbox(&ctx.settings.load(), 0).normal.hard;
        Replies { bytes: Vec::new(), ends: Vec::new(), limit }
    }

    /// Bytes that an answer must stay below: `client-output-buffer-limit` for the class normal.
    pub(super) fn limit(&self) -> u64 {
        self.limit
    }

    /// What a transaction has queued is not carried out yet, and its replies are short: it is judged by that of EXEC.
    fn are_too_long(&self, session: &Session) -> bool {
        self.bytes.len() as u64 >= self.limit && session.transaction.is_none()
    }

    /// The replies in the order of their commands.
    pub(super) fn frames(&self) -> impl Iterator<Item = OwnedFrame> + '_ {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts.zip(&self.ends).map(|(start, &end)| match decode(&self.bytes[start..end]) {
            Ok(Some((frame, _))) => frame,
            // A client that was killed in its sleep, or the name of a command that closes connections.
            _ => OwnedFrame::Error("ERR the command gave no reply".to_owned()),
        })
    }
}

/// Runs one command.
pub(super) async fn call(
    gateway: &Gateway,
    client: &Arc<Client>,
    words: &[&[u8]],
) -> Result<OwnedFrame, Refused> {
    let request = [OwnedRequest::from_args(words)];
    let replies = call_all(gateway, client, &request).await?;
    replies.frames().next().ok_or_else(|| Refused::bad("ERR there is no command"))
}

/// Runs commands in order, in one session.
pub(super) async fn call_all(
    gateway: &Gateway,
    client: &Arc<Client>,
    requests: &[OwnedRequest],
) -> Result<Replies, Refused> {
    let ctx = &gateway.ctx;
    // Who has come through the door has shown what there was to show.
    let mut session = Session::new(client.clone(), true);
    let mut replies = Replies::new(ctx);
    while replies.ends.len() < requests.len() && !replies.are_too_long(&session) {
        match turn(gateway, &mut session, requests, &mut replies) {
            None => {}
            Some(Stop::Enough) => tokio::task::yield_now().await,
            Some(Stop::Paused(until)) => sleep::pause(ctx, client, until).await,
            Some(Stop::Wait(wait)) => {
                sleep::sleep(ctx, &mut session, *wait, &mut replies.bytes).await;
                replies.ends.push(replies.bytes.len());
            }
        }
    }
    gateway.flusher.make_safe(ctx, session.need).await.map_err(|fault| match session.looks.count() {
        Some(_) => Refused::by_command(&outage::refusal(&fault.to_string())),
        None => fault.into(),
    })?;
    match replies.are_too_long(&session) {
        true => Err(Refused::too_long(
            replies.limit,
            "The command that went beyond it and those before it were carried out, those after it were not",
        )),
        false => Ok(replies),
    }
}

/// Runs commands from the first that has no reply yet, until the turn or the replies are long enough.
fn turn(
    gateway: &Gateway,
    session: &mut Session,
    requests: &[OwnedRequest],
    replies: &mut Replies,
) -> Option<Stop> {
    let mut desk = Desk::new(&gateway.ctx, gateway.seat);
    let client = session.client.clone();
    client.last_use.store(desk.now(), Relaxed);
    let rest = requests.get(replies.ends.len()..).unwrap_or_default();
    let clock = &gateway.ctx.clock;
    let began = clock.elapsed();
    let mut stop = None;
    for (index, request) in rest.iter().enumerate() {
        if index == COMMANDS_PER_TURN || index > 0 && clock.elapsed() - began >= TURN_MAX {
            stop = Some(Stop::Enough);
            break;
        }
        match desk.run(session, &request.as_request(), None, &mut replies.bytes) {
            Flow::Next => replies.ends.push(replies.bytes.len()),
            Flow::Paused(until) => {
                stop = Some(Stop::Paused(until));
                break;
            }
            Flow::Wait(wait) => {
                client.commands.fetch_add(1, Relaxed);
                stop = Some(Stop::Wait(wait));
                break;
            }
        }
        client.commands.fetch_add(1, Relaxed);
        if replies.are_too_long(session) {
            break;
        }
    }
    client.db.store(session.db as u32, Relaxed);
    stop
}
