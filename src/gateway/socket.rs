//! A connection's socket: it counts what passes, gives up on a peer that does not read, and tells when the peer has gone.
//!
//! hyper notices the end of a peer only by reading, and does not read while it holds bytes of a next request. So a peer that
//! sleeps in BLPOP, has sent one byte more and then goes away would be given an element that nobody gets. [`Peer`] asks the
//! socket itself, whose readiness tells of the end also while there are bytes before it.

use std::io::{self, IoSlice};
use std::net::Shutdown;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::task::{Context as Task, Poll, ready};
use std::time::Duration;

use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::time::Sleep;

use super::Gateway;
use crate::clients::Client;

/// Between two looks whether the peer has gone, while bytes wait in the socket: then it is always ready to be read, and
/// there is nothing else to wait for.
const BETWEEN_LOOKS: Duration = Duration::from_millis(100);

/// A socket that counts what passes, and gives up on a peer that does not read.
pub(super) struct Guarded {
    input: OwnedReadHalf,
    /// Shared with whoever watches the peer. Nothing is written but by this.
    output: Arc<OwnedWriteHalf>,
    gateway: Arc<Gateway>,
    client: Arc<Client>,
    patience: Duration,
    /// Runs while the peer takes nothing.
    stuck: Option<Pin<Box<Sleep>>>,
}

/// Watches for the end of the peer, reading nothing.
pub(super) struct Peer(Arc<OwnedWriteHalf>);

impl Peer {
    /// Comes back when the peer has closed its side, or the connection is broken.
    ///
    /// Behind more bytes than the kernel keeps unread the end is not seen, because it has not arrived.
    pub(super) async fn gone(&self) {
        while let Ok(ready) = self.0.ready(Interest::READABLE).await
            && !ready.is_read_closed()
        {
            tokio::time::sleep(BETWEEN_LOOKS).await;
        }
    }
}

impl Guarded {
    pub(super) fn new(
        stream: TcpStream,
        gateway: Arc<Gateway>,
        client: Arc<Client>,
        patience: Duration,
    ) -> (Self, Peer) {
        let (input, output) = stream.into_split();
        let output = Arc::new(output);
        let peer = Peer(output.clone());
        (Guarded { input, output, gateway, client, patience, stuck: None }, peer)
    }

    fn written(&mut self, task: &mut Task<'_>, outcome: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        match &outcome {
            Poll::Ready(Ok(count)) => {
                self.stuck = None;
                self.client.traffic[1].fetch_add(*count as u64, Relaxed);
                self.gateway.ctx.stats.seat(self.gateway.seat).bytes_out.add(*count as u64);
            }
            Poll::Ready(Err(_)) => {}
            Poll::Pending => {
                let patience = self.patience;
                let stuck = self.stuck.get_or_insert_with(|| Box::pin(tokio::time::sleep(patience)));
                if stuck.as_mut().poll(task).is_ready() {
                    return Poll::Ready(Err(io::Error::from(io::ErrorKind::TimedOut)));
                }
            }
        }
        outcome
    }

    /// Writes as soon as the socket takes something.
    fn poll_with(
        &self,
        task: &mut Task<'_>,
        write: impl Fn(&OwnedWriteHalf) -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        loop {
            ready!(AsRef::<TcpStream>::as_ref(&*self.output).poll_write_ready(task))?;
            match write(&self.output) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                outcome => return Poll::Ready(outcome),
            }
        }
    }
}

impl AsyncRead for Guarded {
    fn poll_read(
        mut self: Pin<&mut Self>,
        task: &mut Task<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let outcome = Pin::new(&mut self.input).poll_read(task, buffer);
        let count = (buffer.filled().len() - before) as u64;
        self.client.traffic[0].fetch_add(count, Relaxed);
        self.gateway.ctx.stats.seat(self.gateway.seat).bytes_in.add(count);
        outcome
    }
}

impl AsyncWrite for Guarded {
    fn poll_write(mut self: Pin<&mut Self>, task: &mut Task<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let outcome = self.poll_with(task, |output| output.try_write(bytes));
        self.written(task, outcome)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        task: &mut Task<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let outcome = self.poll_with(task, |output| output.try_write_vectored(parts));
        self.written(task, outcome)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _task: &mut Task<'_>) -> Poll<io::Result<()>> {
        // Nothing is held back.
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _task: &mut Task<'_>) -> Poll<io::Result<()>> {
        let stream: &TcpStream = (*self.output).as_ref();
        Poll::Ready(SockRef::from(stream).shutdown(Shutdown::Write))
    }
}
