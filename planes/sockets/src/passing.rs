//! Descriptors on a stream, with the messages that announce them. All calls block.

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage,
    SendFlags, recvmsg, sendmsg,
};
use serde::{Serialize, de::DeserializeOwned};
use std::{
    io::{self, IoSlice, IoSliceMut, Read, Write},
    mem::MaybeUninit,
    os::{
        fd::{BorrowedFd, OwnedFd},
        unix::net::UnixStream,
    },
};

/// Descriptors that travel together with one byte. The kernel accepts at most 253 (unix(7)).
const GROUP: usize = 64;
/// Far more than the addresses of all sockets that a process can have open.
const MOST_BYTES: usize = 64 * 1024 * 1024;

/// Sends descriptors, which the other side receives by [`receive`] with their number.
pub fn send(to: &UnixStream, descriptors: &[BorrowedFd<'_>]) -> io::Result<()> {
    for group in descriptors.chunks(GROUP) {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(GROUP))];
        let mut ancillary = SendAncillaryBuffer::new(&mut space);
        ancillary.push(SendAncillaryMessage::ScmRights(group));
        let byte = [IoSlice::new(&[0])];
        rustix::io::retry_on_intr(|| sendmsg(to, &byte, &mut ancillary, SendFlags::NOSIGNAL))?;
    }
    Ok(())
}

/// The next descriptors, exactly so many. An error if the process has no room for one of them, or if the other side ends.
pub fn receive(from: &UnixStream, count: usize) -> io::Result<Vec<OwnedFd>> {
    let mut received = Vec::with_capacity(count.min(1024));
    while received.len() < count {
        let expected = (count - received.len()).min(GROUP);
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(GROUP))];
        let mut ancillary = RecvAncillaryBuffer::new(&mut space);
        let mut byte = [0];
        let read = rustix::io::retry_on_intr(|| {
            recvmsg(from, &mut [IoSliceMut::new(&mut byte)], &mut ancillary, RecvFlags::CMSG_CLOEXEC)
        })?;
        let before = received.len();
        for message in ancillary.drain() {
            if let RecvAncillaryMessage::ScmRights(descriptors) = message {
                received.extend(descriptors);
            }
        }
        if read.bytes == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if received.len() - before != expected {
            return Err(io::Error::other(
                "descriptors were lost, because this process has too many open files",
            ));
        }
    }
    Ok(received)
}

/// Sends a message: four bytes of length, then JSON.
pub fn write(mut to: &UnixStream, message: &impl Serialize) -> io::Result<()> {
    let mut bytes = vec![0; 4];
    serde_json::to_writer(&mut bytes, message)?;
    let length = u32::try_from(bytes.len() - 4).map_err(io::Error::other)?;
    bytes[..4].copy_from_slice(&length.to_be_bytes());
    to.write_all(&bytes)
}

/// The next message.
pub fn read<T: DeserializeOwned>(mut from: &UnixStream) -> io::Result<T> {
    let mut length = [0; 4];
    from.read_exact(&mut length)?;
    let length = u32::from_be_bytes(length) as usize;
    if length > MOST_BYTES {
        return Err(io::Error::other(format!(
            "a message of {length} bytes; at most {MOST_BYTES} are accepted"
        )));
    }
    let mut bytes = vec![0; length];
    from.read_exact(&mut bytes)?;
    Ok(serde_json::from_slice(&bytes)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{net::TcpListener, os::fd::AsFd, thread};

    #[test]
    fn descriptors_arrive_in_their_order_between_messages() {
        let (near, far) = UnixStream::pair().unwrap();
        let listeners: Vec<TcpListener> =
            (0..150).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
        let ports: Vec<u16> = listeners.iter().map(|l| l.local_addr().unwrap().port()).collect();
        let receiver = thread::spawn(move || {
            let before: String = read(&far).unwrap();
            let received = receive(&far, 150).unwrap();
            let after: String = read(&far).unwrap();
            let ends = receive(&far, 1).unwrap_err().kind();
            (before, received, after, ends)
        });
        write(&near, &"before").unwrap();
        send(&near, &listeners.iter().map(AsFd::as_fd).collect::<Vec<_>>()).unwrap();
        write(&near, &"after").unwrap();
        drop(near);
        let (before, received, after, ends) = receiver.join().unwrap();
        assert_eq!(
            (before.as_str(), after.as_str(), ends),
            ("before", "after", io::ErrorKind::UnexpectedEof)
        );
        let got = received.into_iter().map(|fd| TcpListener::from(fd).local_addr().unwrap().port());
        assert_eq!(got.collect::<Vec<_>>(), ports);
    }
}
