//! A connection's socket, as its worker reads and writes it.
//!
//! The system is asked first and the runtime only where the system says that it would block: sockets of busy clients nearly
//! always have room, and a read that did not fill its buffer has emptied the socket, so it needs no second look.

use std::cell::Cell;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context as Task, Poll, ready};

use rustix::buffer::spare_capacity;
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, recv, send};
use tokio::io::unix::AsyncFd;

use super::outgoing::Held;
use super::rest::Met;
use crate::clients::Client;

/// A socket that was accepted, of either kind. It does not block.
pub(super) enum Socket {
    Tcp(std::net::TcpStream),
    Unix(std::os::unix::net::UnixStream),
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Socket::Tcp(stream) => stream.as_fd(),
            Socket::Unix(stream) => stream.as_fd(),
        }
    }
}

impl AsRawFd for Socket {
    fn as_raw_fd(&self) -> RawFd {
        self.as_fd().as_raw_fd()
    }
}

impl Socket {
    /// Reads what is there now; 0 at the end of the input.
    pub(super) fn receive_now(&self, buffer: &mut [u8]) -> io::Result<usize> {
        Ok(recv(self, buffer, RecvFlags::DONTWAIT)?.1)
    }

    /// Sends what it takes now.
    pub(super) fn send_now(&self, bytes: &[u8]) -> io::Result<usize> {
        loop {
            match send(self, bytes, SendFlags::NOSIGNAL) {
                Err(Errno::INTR) => {}
                sent => return Ok(sent?),
            }
        }
    }
}

/// A connection's socket and what is to be sent through it: shared with whoever does so at the end of several turns.
pub(super) struct Line {
    pub(super) socket: Socket,
    pub(super) client: Arc<Client>,
    pub(super) held: Held,
    /// See [`super::rest`].
    pub(super) met: Cell<Met>,
}

impl AsRawFd for Line {
    fn as_raw_fd(&self) -> RawFd {
        self.socket.as_raw_fd()
    }
}

/// A line that the runtime watches.
pub(super) struct Wire(AsyncFd<Rc<Line>>);

impl Wire {
    /// Has the runtime of this thread watch a socket.
    #[expect(unsafe_code, reason = "the runtime trusts that what it watches stays open")]
    pub(super) fn new(socket: Socket, client: Arc<Client>) -> io::Result<Self> {
        let line = Rc::new(Line { socket, client, held: Held::default(), met: Cell::default() });
        // SAFETY: the counted line inside owns its descriptor, is never replaced, and lives as long as the runtime watches.
        Ok(Wire(unsafe { AsyncFd::register(line) }?))
    }

    pub(super) fn line(&self) -> &Rc<Line> {
        self.0.get_ref()
    }

    pub(super) fn socket(&self) -> &Socket {
        &self.line().socket
    }

    /// The socket alone, if nobody else has the line.
    pub(super) fn into_socket(self) -> io::Result<Socket> {
        match Rc::try_unwrap(self.0.into_inner()) {
            Ok(line) => Ok(line.socket),
            Err(_) => Err(io::ErrorKind::ResourceBusy.into()),
        }
    }

    /// Reads into `buffer`; 0 at the end of the input.
    pub(super) fn poll_read(&self, task: &mut Task<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        let room = buffer.len();
        self.poll_recv(task, room, |socket| recv(socket, &mut *buffer, RecvFlags::empty()))
    }

    /// Reads into the room behind the bytes of `buffer`, of which there must be some; 0 at the end of the input.
    pub(super) fn poll_read_behind(
        &self,
        task: &mut Task<'_>,
        buffer: &mut Vec<u8>,
    ) -> Poll<io::Result<usize>> {
        let room = buffer.capacity() - buffer.len();
        self.poll_recv(task, room, |socket| recv(socket, spare_capacity(buffer), RecvFlags::empty()))
    }

    fn poll_recv<T>(
        &self,
        task: &mut Task<'_>,
        room: usize,
        mut receive: impl FnMut(&Socket) -> Result<(T, usize), Errno>,
    ) -> Poll<io::Result<usize>> {
        loop {
            let mut ready = ready!(self.0.poll_read_ready(task))?;
            match receive(self.socket()) {
                Err(Errno::WOULDBLOCK) => ready.clear_ready(),
                Err(Errno::INTR) => {}
                Err(fault) => return Poll::Ready(Err(fault.into())),
                Ok((_, count)) => {
                    if count > 0 && count < room {
                        ready.clear_ready();
                    }
                    return Poll::Ready(Ok(count));
                }
            }
        }
    }

    /// Writes what the socket takes, as soon as it takes something.
    pub(super) fn poll_write(&self, task: &mut Task<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        loop {
            let mut ready = ready!(self.0.poll_write_ready(task))?;
            match self.socket().send_now(bytes) {
                Err(fault) if fault.kind() == io::ErrorKind::WouldBlock => ready.clear_ready(),
                written => return Poll::Ready(written),
            }
        }
    }
}
