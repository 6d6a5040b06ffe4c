//! Who may connect, and what a connection may cost: HTTP/1.1 over TCP, one task a connection.
//!
//! Every connection is a client of the server: it counts against `maxclients`, CLIENT LIST shows it and CLIENT KILL ends
//! it. A peer that is silent in the middle of a request or does not read its answer is cut off after `http-timeout`.

use std::future::{Future, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::os::fd::AsRawFd;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::task::Poll;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};

use super::socket::Guarded;
use super::{Gateway, door, router};
use crate::clients::{Arrival, Client, flag, is_local};
use crate::exec::safety::Flusher;
use crate::exec::{Context, SyncHere, sleep};

/// Bytes that the first line and the headers of a request may take together; also what is read ahead of a body.
const HEAD_BYTES_MAX: usize = 64 * 1024;
/// Headers of a request.
const HEADERS_MAX: usize = 64;
/// How long accepting rests after an error that will not pass at once, such as too many open files.
const BACK_OFF: Duration = Duration::from_millis(50);

/// Starts the gateway's thread, which accepts on these sockets until the process ends. `seat` is the gateway's own.
///
/// # Errors
/// When the operating system has no thread or no event queue for it.
pub fn start(ctx: &Arc<Context>, seat: usize, sockets: Vec<std::net::TcpListener>) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let listeners = {
        let _inside = runtime.enter();
        sockets.into_iter().map(TcpListener::from_std).collect::<io::Result<Vec<_>>>()?
    };
    let gateway = Arc::new(Gateway {
        ctx: ctx.clone(),
        seat,
        flusher: Flusher::new(seat),
        listening: Default::default(),
    });
    std::thread::Builder::new().name("http".to_owned()).spawn(move || {
        runtime.block_on(async {
            for listener in listeners {
                tokio::spawn(accept(listener, gateway.clone()));
            }
            // Whoever asks how the server is has to be told, above all when the disk is not well.
            gateway.flusher.run(&gateway.ctx, SyncHere::never(), |work| work()).await;
        });
    })?;
    Ok(())
}

async fn accept(listener: TcpListener, gateway: Arc<Gateway>) {
    let service = TowerToHyperService::new(router(&gateway));
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                if let Some(client) = admit(&stream, peer, &gateway) {
                    tokio::spawn(serve(stream, client, gateway.clone(), service.clone()));
                }
            }
            Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
            Err(error) => {
                tracing::warn!(%error, "an HTTP connection could not be accepted");
                tokio::time::sleep(BACK_OFF).await;
            }
        }
    }
}

/// Makes a peer a client, or tells it why not.
fn admit(stream: &TcpStream, peer: SocketAddr, gateway: &Gateway) -> Option<Arc<Client>> {
    let ctx = &gateway.ctx;
    let config = ctx.settings.load();
    ctx.stats.connections.fetch_add(1, Relaxed);
    if config.network.protected_mode && !door::is_locked(&config) && !is_local(peer.ip()) {
        turn_away(
            stream,
            "403 Forbidden",
            "Protected mode: while no password is set, only clients of this machine are served. Set requirepass or \
             http-token, or protected-mode no",
        );
        return None;
    }
    // Without it the connection works as well, only later.
    let _ = stream.set_nodelay(true);
    let arrival = Arrival {
        address: peer.to_string(),
        local: stream.local_addr().map_or_else(|_| String::new(), |address| address.to_string()),
        descriptor: stream.as_raw_fd(),
        is_unix: false,
        now: ctx.clock.unix_ms(),
    };
    let client = ctx.clients.admit(arrival, config.clients.maxclients as usize);
    if client.is_none() {
        ctx.stats.connections_refused.fetch_add(1, Relaxed);
        turn_away(
            stream,
            "503 Service Unavailable",
            "Too many clients: try again later, or raise maxclients",
        );
    }
    client
}

/// Answers before the request has come. A peer that does not take the few bytes at once is not waited for.
fn turn_away(stream: &TcpStream, status: &str, why: &str) {
    let body = format!("{{\"error\": \"{why}\"}}");
    let head = format!(
        "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    );
    let _ = stream.try_write(format!("{head}{body}").as_bytes());
}

/// Serves a connection until either side ends it.
async fn serve(
    stream: TcpStream,
    client: Arc<Client>,
    gateway: Arc<Gateway>,
    service: TowerToHyperService<Router>,
) {
    let patience = patience(&gateway.ctx);
    let (socket, peer) = Guarded::new(stream, gateway.clone(), client.clone(), patience);
    let requests = service_fn(|mut request: hyper::Request<hyper::body::Incoming>| {
        request.extensions_mut().insert(client.clone());
        service.call(request)
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(patience)
        .max_headers(HEADERS_MAX)
        .max_buf_size(HEAD_BYTES_MAX)
        .serve_connection(TokioIo::new(socket), requests);
    let result = {
        let mut killed = pin!(sleep::killed(&client));
        // A command that sleeps listens for the kill too and may be the one that hears of it: so look, whoever was woken.
        let killed = poll_fn(|task| match client.is_killed() {
            true => Poll::Ready(()),
            false => killed.as_mut().poll(task),
        });
        let mut gone = pin!(peer.gone());
        // Only a sleeper is lost to a peer that has gone: one that has sent all its requests and closed its side still
        // reads the answers. The connection is polled just before, by this same task, so no sleep begins unseen.
        let gone = poll_fn(|task| match client.has_flag(flag::BLOCKED) {
            true => gone.as_mut().poll(task),
            false => Poll::Pending,
        });
        tokio::select! {
            biased;
            () = killed => Ok(()),
            result = connection => result,
            () = gone => Ok(()),
        }
    };
    if let Err(error) = result {
        tracing::debug!(client = client.id, address = client.address, %error, "HTTP connection ended");
    }
    gateway.ctx.clients.leave(&client);
}

/// How long a peer may be silent.
pub(super) fn patience(ctx: &Context) -> Duration {
    Duration::from_secs(u64::from(ctx.settings.load().network.http_timeout))
}
