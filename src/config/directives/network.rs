//! Where the server listens and who reads the sockets.

use super::{IMMUTABLE, LIVE, OWN, group};
use crate::config::kind::{I32_MAX, Kind};
use crate::config::value::{BindAddress, Permissions, check_bind};
use std::path::PathBuf;

const GIB: u64 = 1 << 30;

group! {
    /// Where the server listens and who reads the sockets.
    network: Network {
        /// Addresses to listen on. Unlike Redis, which listens everywhere, only this machine by default.
        bind: Vec<BindAddress> = "bind", Kind::Words(check_bind), "127.0.0.1 -::1", LIVE;
        /// TCP port; 0 = no TCP.
        port: u16 = "port", Kind::Int { min: 0, max: 65535 }, "6379", LIVE;
        /// Path of the Unix socket, if one is wanted.
        unixsocket: Option<PathBuf> = "unixsocket", Kind::Text, "", IMMUTABLE;
        /// Permission bits of the Unix socket; 0 = as the umask leaves them.
        unixsocketperm: Permissions = "unixsocketperm", Kind::Octal, "0", IMMUTABLE;
        /// Connections that the kernel keeps ready to be accepted.
        tcp_backlog: i32 = "tcp-backlog", Kind::Int { min: 0, max: I32_MAX }, "511", IMMUTABLE;
        /// Seconds of silence after which the kernel probes a connection; 0 = never.
        tcp_keepalive: u32 = "tcp-keepalive", Kind::Int { min: 0, max: I32_MAX }, "300", LIVE;
        /// Without a password, serve only clients of this machine.
        protected_mode: bool = "protected-mode", Kind::Bool, "yes", LIVE;
        /// Workers that serve clients; 0 = as many as suits the machine. (In Redis 1 is the default and means
        /// that one thread does all.)
        io_threads: u16 = "io-threads", Kind::Int { min: 0, max: 128 }, "0", IMMUTABLE;
        /// Give each new connection to the worker with the fewest, even where one worker has time for all. Not in Redis.
        io_threads_spread: bool = "io-threads-spread", Kind::Bool, "no", LIVE | OWN;
        /// The longest time in microseconds for which a worker of many clients lets requests gather before it looks for them;
        /// 0 = none. Not in Redis.
        io_threads_rest: u32 = "io-threads-rest", Kind::Int { min: 0, max: 1000 }, "40", LIVE | OWN;
        /// Port of the HTTP gateway; 0 = off. Not in Redis.
        http_port: u16 = "http-port", Kind::Int { min: 0, max: 65535 }, "0", IMMUTABLE | OWN;
        /// Addresses that the HTTP gateway listens on. Not in Redis.
        http_bind: Vec<BindAddress> = "http-bind", Kind::Words(check_bind), "127.0.0.1 -::1", IMMUTABLE | OWN;
        /// The longest body of an HTTP request, bytes. Not in Redis.
        http_max_body: u64 = "http-max-body", Kind::Memory { min: 1024, max: GIB }, "33554432", LIVE;
        /// Seconds that an HTTP client may be silent in the middle of a request, between two requests, or while it
        /// is to read an answer. Not in Redis.
        http_timeout: u32 = "http-timeout", Kind::Int { min: 1, max: 3600 }, "60", LIVE;
        /// Whether the console's command line may also run what changes something. Not in Redis.
        http_console_writes: bool = "http-console-writes", Kind::Bool, "no", LIVE;
    }
}
