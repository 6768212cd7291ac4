//! Copies between two connections without a buffer of its own: bytes stay in the kernel until the other side has room.

use nix::sys::socket::{MsgFlags, recv};
use socket2::SockRef;
use std::{cell::RefCell, io, net::Shutdown, os::fd::AsRawFd, pin::pin, time::Duration};
use tokio::{io::Interest, net::TcpStream, time::timeout};

/// The bytes that one step copies, and the largest datagram.
const SCRATCH_BYTES: usize = 64 * 1024;

thread_local! {
    /// Shared by all connections of a thread, and used between two awaits only: a connection that waits holds no memory.
    static SCRATCH: RefCell<Vec<u8>> = RefCell::new(vec![0; SCRATCH_BYTES]);
}

/// How long the rest of a connection may take after one side was reset: what it sent before is still delivered.
const AFTER_RESET: Duration = Duration::from_secs(10);

pub(super) fn with_scratch<T>(f: impl FnOnce(&mut [u8]) -> T) -> T {
    SCRATCH.with_borrow_mut(|scratch| f(scratch))
}

/// Copies in both directions until both have ended. The end of one direction is passed on, the other continues; a reset of
/// one side resets the other.
pub(super) async fn pump(near: TcpStream, far: TcpStream) {
    let ended = {
        let mut both = pin!(async { tokio::try_join!(copy(&near, &far), copy(&far, &near)) });
        tokio::select! {
            ended = &mut both => ended.is_ok(),
            // A copy that waits for room on one side does not see the reset of the other.
            _ = failed(&near) => matches!(timeout(AFTER_RESET, both).await, Ok(Ok(_))),
            _ = failed(&far) => matches!(timeout(AFTER_RESET, both).await, Ok(Ok(_))),
        }
    };
    if !ended {
        abort(&near);
        abort(&far);
    }
}

/// Closes a connection with RST when it is dropped.
pub(super) fn abort(stream: &TcpStream) {
    // It fails for a socket that is closed already.
    let _ = SockRef::from(stream).set_linger(Some(Duration::ZERO));
}

async fn failed(stream: &TcpStream) {
    while !matches!(stream.ready(Interest::ERROR).await, Ok(ready) if ready.is_error()) {}
}

async fn copy(from: &TcpStream, to: &TcpStream) -> io::Result<()> {
    loop {
        // One fast connection must not keep the others of this thread waiting.
        tokio::task::consume_budget().await;
        to.writable().await?;
        from.readable().await?;
        match with_scratch(|scratch| step(from, to, scratch)) {
            Ok(0) => break,
            Err(e) if e.kind() != io::ErrorKind::WouldBlock => return Err(e),
            Ok(_) | Err(_) => {}
        }
    }
    match SockRef::from(to).shutdown(Shutdown::Write) {
        Err(e) if e.kind() != io::ErrorKind::NotConnected => Err(e),
        _ => Ok(()),
    }
}

/// Copies what is there and fits, and returns its size; 0 at the end.
fn step(from: &TcpStream, to: &TcpStream, scratch: &mut [u8]) -> io::Result<usize> {
    let read =
        |scratch: &mut [u8], flags| Ok(recv(from.as_raw_fd(), scratch, flags | MsgFlags::MSG_DONTWAIT)?);
    let there = from.try_io(Interest::READABLE, || read(scratch, MsgFlags::MSG_PEEK))?;
    if there == 0 {
        return Ok(0);
    }
    let written = to.try_write(&scratch[..there])?;
    // Removes them without copying them again (tcp(7)).
    read(&mut scratch[..written], MsgFlags::MSG_TRUNC)
}
