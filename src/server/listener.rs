//! Listening: TCP addresses and the Unix socket, who is let in, and which worker gets them.

use std::io;
use std::net::SocketAddr;
use std::os::fd::AsRawFd;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use socket2::{Domain, Protocol, SockAddr, Socket as RawSocket, TcpKeepalive, Type};
use tokio::net::{TcpListener, UnixListener};

use super::balance;
use super::wire::Socket;
use super::worker::{Handle, Passenger};
use crate::clients::{Arrival, is_local};
use crate::exec::Context;
use crate::log::storage::set_permissions;

/// How long accepting rests after an error that will not pass at once, such as too many open files.
const BACK_OFF: Duration = Duration::from_millis(50);

const TOO_MANY: &[u8] = b"-ERR max number of clients reached\r\n";
const DENIED: &[u8] = b"-DENIED Redis is running in protected mode because protected mode is enabled and no password \
is set for the default user. In this mode connections are only accepted from the loopback interface. If you want to \
connect from external computers to Redis you may adopt one of the following solutions: 1) Just disable protected mode \
sending the command 'CONFIG SET protected-mode no' from the loopback interface by connecting to Redis from the same \
host the server is running, however MAKE SURE Redis is not publicly accessible from internet if you do so. Use CONFIG \
REWRITE to make this change permanent. 2) Alternatively you can just disable the protected mode by editing the Redis \
configuration file, and setting the protected mode option to 'no', and then restarting the server. 3) If you started \
the server manually just for testing, restart it with the '--protected-mode no' option. 4) Setup an authentication \
password for the default user. NOTE: You only need to do one of the above things in order for the server to start \
accepting connections from the outside.\r\n";

/// What the server listens on, bound and ready.
#[derive(Default)]
pub struct Listeners {
    /// TCP.
    pub tcp: Vec<std::net::TcpListener>,
    /// The Unix socket with its path.
    pub unix: Option<(String, std::os::unix::net::UnixListener)>,
}

impl Listeners {
    /// The addresses, for people.
    pub fn addresses(&self) -> Vec<String> {
        let tcp =
            self.tcp.iter().filter_map(|socket| socket.local_addr().ok()).map(|address| address.to_string());
        tcp.chain(self.unix.iter().map(|(path, _)| path.clone())).collect()
    }
}

/// A TCP address, bound and listening.
pub fn bind_tcp(address: SocketAddr, backlog: i32) -> io::Result<std::net::TcpListener> {
    let socket = RawSocket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(backlog)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

/// A Unix socket, bound with its final permissions and listening.
pub fn bind_unix(
    path: &str,
    permissions: Option<u32>,
    backlog: i32,
) -> io::Result<std::os::unix::net::UnixListener> {
    let socket = RawSocket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.bind(&SockAddr::unix(path)?)?;
    if let Some(mode) = permissions {
        // Before anybody can connect: the socket does not listen yet.
        set_permissions(Path::new(path), mode)?;
    }
    socket.listen(backlog)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

/// Accepts on a TCP address for ever.
pub(super) async fn accept_tcp(listener: TcpListener, ctx: Arc<Context>, workers: Arc<Vec<Handle>>) {
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                // An error here is the peer's: it has gone already.
                if let Ok(stream) = stream.into_std() {
                    admit_tcp(stream, peer, &ctx, &workers);
                }
            }
            Err(error) => rest_after(error).await,
        }
    }
}

/// Accepts on the Unix socket for ever.
pub(super) async fn accept_unix(
    listener: UnixListener,
    path: String,
    ctx: Arc<Context>,
    workers: Arc<Vec<Handle>>,
) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                let Ok(stream) = stream.into_std() else { continue };
                let address = format!("{path}:0");
                let arrival = Arrival {
                    local: address.clone(),
                    address,
                    descriptor: stream.as_raw_fd(),
                    is_unix: true,
                    now: ctx.clock.unix_ms(),
                };
                admit(Socket::Unix(stream), arrival, &ctx, &workers);
            }
            Err(error) => rest_after(error).await,
        }
    }
}

fn admit_tcp(stream: std::net::TcpStream, peer: SocketAddr, ctx: &Context, workers: &[Handle]) {
    let config = ctx.settings.load();
    if config.network.protected_mode && !config.has_password() && !is_local(peer.ip()) {
        turn_away(&Socket::Tcp(stream), DENIED);
        return;
    }
    // Without these the connection works as well, only later or longer.
    let _ = stream.set_nodelay(true);
    let idle = config.network.tcp_keepalive;
    if idle > 0 {
        let keepalive = TcpKeepalive::new()
            .with_time(Duration::from_secs(u64::from(idle)))
            .with_interval(Duration::from_secs(u64::from(idle / 3).max(1)))
            .with_retries(3);
        let _ = socket2::SockRef::from(&stream).set_tcp_keepalive(&keepalive);
    }
    let local = stream.local_addr().map_or_else(|_| String::new(), |address| address.to_string());
    let arrival = Arrival {
        address: peer.to_string(),
        local,
        descriptor: stream.as_raw_fd(),
        is_unix: false,
        now: ctx.clock.unix_ms(),
    };
    admit(Socket::Tcp(stream), arrival, ctx, workers);
}

fn admit(socket: Socket, arrival: Arrival, ctx: &Context, workers: &[Handle]) {
    ctx.stats.connections.fetch_add(1, Relaxed);
    let limit = ctx.settings.load().clients.maxclients as usize;
    let Some(client) = ctx.clients.admit(arrival, limit) else {
        ctx.stats.connections_refused.fetch_add(1, Relaxed);
        turn_away(&socket, TOO_MANY);
        return;
    };
    // On the thread of a script that takes long there is only a deputy: whoever comes goes to a worker that has time.
    let spread = ctx.settings.load().network.io_threads_spread && !ctx.scripts.is_overdue();
    if let Some(worker) = balance::choose(workers, spread, ctx.clock.elapsed_nanos()) {
        worker.adopt(Passenger { socket, client, session: None });
    }
}

/// Tells the peer why and closes. A peer that does not take the few bytes at once is not waited for.
fn turn_away(socket: &Socket, why: &[u8]) {
    let _ = socket.send_now(why);
}

async fn rest_after(error: io::Error) {
    // A peer that left before it was accepted is no reason to rest; anything else would only repeat at once.
    if !matches!(error.kind(), io::ErrorKind::ConnectionAborted | io::ErrorKind::Interrupted) {
        tracing::warn!(%error, "a connection could not be accepted");
        tokio::time::sleep(BACK_OFF).await;
    }
}
