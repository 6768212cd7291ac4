//! The last specs of a worker, in memory that outlives it.
//!
//! Not a file: specs contain private keys, and a snapshot must neither fail on a full disk nor outlive a reboot, after which
//! none of the networks in it exist.

use crate::message::State;
use rustix::fs::{MemfdFlags, ftruncate, memfd_create};
use std::{
    fs::File,
    io,
    os::{
        fd::{BorrowedFd, OwnedFd},
        unix::fs::FileExt,
    },
    sync::Mutex,
};

/// Anonymous memory with two places for a state. The header names the valid one and is written last, so a worker that is killed
/// while it writes leaves the previous state.
pub struct Snapshot {
    memory: File,
    /// The valid place; `None` before the first write.
    last: Mutex<Option<usize>>,
}

/// The places are far apart, and take no memory where nothing was written.
const PLACES: [u64; 2] = [4096, 1 << 40];

/// The place, plus one, and the length, as two numbers of eight bytes.
const HEADER_BYTES: usize = 16;

impl Snapshot {
    pub fn create() -> io::Result<OwnedFd> {
        Ok(memfd_create("escale-plane", MemfdFlags::CLOEXEC)?)
    }

    /// The snapshot in memory that [`Snapshot::create`] made.
    pub fn in_memory(memory: OwnedFd) -> Snapshot {
        Snapshot { memory: memory.into(), last: Mutex::default() }
    }

    pub(crate) fn clear(memory: BorrowedFd<'_>) -> io::Result<()> {
        Ok(ftruncate(memory, 0)?)
    }

    /// The last state that was written completely; the default if there is none.
    pub(crate) fn read(&self) -> io::Result<State> {
        let mut header = [0; HEADER_BYTES];
        match self.memory.read_exact_at(&mut header, 0) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(State::default()),
            read => read?,
        }
        let [place, length] = [0, 8].map(|at| {
            let mut number = [0; 8];
            number.copy_from_slice(&header[at..at + 8]);
            u64::from_be_bytes(number) as usize
        });
        let Some((place, start)) = place.checked_sub(1).and_then(|p| Some((p, *PLACES.get(p)?))) else {
            return Ok(State::default());
        };
        let mut bytes = vec![0; length];
        self.memory.read_exact_at(&mut bytes, start)?;
        *self.last.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(place);
        Ok(serde_json::from_slice(&bytes)?)
    }

    pub(crate) fn write(&self, state: &State) -> io::Result<()> {
        let mut last = self.last.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let place = last.map_or(0, |last| 1 - last);
        let bytes = serde_json::to_vec(state)?;
        self.memory.write_all_at(&bytes, PLACES[place])?;
        let mut header = [0; HEADER_BYTES];
        header[..8].copy_from_slice(&(place as u64 + 1).to_be_bytes());
        header[8..].copy_from_slice(&(bytes.len() as u64).to_be_bytes());
        self.memory.write_all_at(&header, 0)?;
        *last = Some(place);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use escale_network::HostWebSpec;
    use std::os::fd::AsFd;

    /// What the next worker gets.
    fn next(snapshot: &Snapshot) -> Snapshot {
        Snapshot::in_memory(snapshot.memory.as_fd().try_clone_to_owned().unwrap())
    }

    fn state(port: u16) -> State {
        State { web: Some(HostWebSpec { port, ..HostWebSpec::default() }), ..State::default() }
    }

    #[test]
    fn next_worker_reads_the_last_complete_state() {
        let snapshot = Snapshot::in_memory(Snapshot::create().unwrap());
        assert_eq!(next(&snapshot).read().unwrap(), State::default());
        for port in 1..5 {
            snapshot.write(&state(port)).unwrap();
            assert_eq!(next(&snapshot).read().unwrap(), state(port));
        }
        // Killed before the header: the other place has the previous state.
        let killed = next(&snapshot);
        killed.read().unwrap();
        let other = 1 - killed.last.lock().unwrap().unwrap();
        killed.memory.write_all_at(b"{\"names\":", PLACES[other]).unwrap();
        assert_eq!(next(&snapshot).read().unwrap(), state(4));
        killed.write(&state(9)).unwrap();
        assert_eq!(next(&snapshot).read().unwrap(), state(9));
        Snapshot::clear(snapshot.memory.as_fd()).unwrap();
        assert_eq!(snapshot.read().unwrap(), State::default());
    }
}
