//! Sockets and what goes on beside them: who listens, who reads, who does what is due, who writes snapshots.

mod balance;
mod connection;
mod cron;
pub mod deputy;
mod json_save;
pub mod listener;
mod outgoing;
mod pipe;
mod reclaim;
mod rest;
pub mod snapshot;
pub mod steward;
mod wire;
mod worker;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::net::{TcpListener, UnixListener};
use tokio::runtime::Handle as Runtime;
use tokio::task::JoinHandle;

use crate::exec::Context;
use listener::Listeners;
use worker::Handle;

/// The workers, and the tasks that accept connections and do what is due.
pub struct Running {
    ctx: Arc<Context>,
    workers: Arc<Vec<Handle>>,
    runtime: Runtime,
    /// A task for each TCP address.
    tcp: Mutex<Vec<(SocketAddr, JoinHandle<()>)>>,
    others: Vec<JoinHandle<()>>,
}

impl Running {
    /// Starts workers, listeners and the regular tasks, on the runtime that this is called in.
    pub fn start(ctx: &Arc<Context>, listeners: Listeners) -> io::Result<Self> {
        let workers = (0..ctx.identity.workers).map(|seat| Handle::start(ctx.clone(), seat));
        let workers = Arc::new(workers.collect::<io::Result<Vec<_>>>()?);
        workers.iter().for_each(|worker| worker.introduce(&workers));
        let mut others = vec![tokio::spawn(cron::run(ctx.clone(), ctx.identity.workers))];
        if workers.len() > 1 {
            others.push(tokio::spawn(balance::run(ctx.clone(), workers.clone())));
        }
        if let Some((path, socket)) = listeners.unix {
            let socket = UnixListener::from_std(socket)?;
            others.push(tokio::spawn(listener::accept_unix(socket, path, ctx.clone(), workers.clone())));
        }
        let runtime = Runtime::current();
        let running = Running { ctx: ctx.clone(), workers, runtime, tcp: Mutex::default(), others };
        running.listen(&[], listeners.tcp)?;
        Ok(running)
    }

    /// TCP addresses listened on.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.tcp.lock().iter().map(|(address, _)| *address).collect()
    }

    /// Listens on these sockets, and from now on no longer on TCP addresses that are neither theirs nor in `keep`.
    pub fn listen(&self, keep: &[SocketAddr], sockets: Vec<std::net::TcpListener>) -> io::Result<()> {
        let _inside = self.runtime.enter();
        let mut tasks = self.tcp.lock();
        tasks.retain(|(address, task)| {
            let stays = keep.contains(address);
            if !stays {
                task.abort();
            }
            stays
        });
        for socket in sockets {
            let address = socket.local_addr()?;
            let socket = TcpListener::from_std(socket)?;
            let accept = listener::accept_tcp(socket, self.ctx.clone(), self.workers.clone());
            tasks.push((address, self.runtime.spawn(accept)));
        }
        Ok(())
    }

    /// Accepts nothing more.
    pub fn stop(&self) {
        self.tcp.lock().iter().for_each(|(_, task)| task.abort());
        self.others.iter().for_each(JoinHandle::abort);
    }
}
