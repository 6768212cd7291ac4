//! An upload in progress: a growing file and its running hash, as long as this process has seen all its bytes.

use crate::{Body, Digest, Error, Result};
use bytes::Bytes;
use escale_base::error::Context;
use escale_files::disk::OnDisk;
use futures_util::StreamExt;
use sha2::{Digest as _, Sha256};
use std::{
    fs::{File, OpenOptions},
    io::{self, Read, Write},
    path::PathBuf,
};
use tokio::{sync::OwnedMutexGuard, task::spawn_blocking};

pub(super) struct Session {
    path: PathBuf,
    /// The file's end and the hash up to it; `None` after a restart or a failed write.
    known: Option<(File, u64, Sha256)>,
}

impl Session {
    pub(super) fn at(path: PathBuf) -> Session {
        Session { path, known: None }
    }

    pub(super) fn size(&self) -> Result<u64> {
        match &self.known {
            Some((_, size, _)) => Ok(*size),
            None => {
                let read = std::fs::metadata(&self.path).map(|meta| meta.len());
                Ok(read.machine(|| format!("look at the upload {}", self.path.display()))?)
            }
        }
    }

    /// Hashes the existing bytes again: after a restart.
    fn open(&mut self) -> io::Result<&mut (File, u64, Sha256)> {
        if self.known.is_none() {
            let mut file = OpenOptions::new().read(true).append(true).open(&self.path)?;
            let (mut hash, mut size, mut buffer) = (Sha256::new(), 0, vec![0; super::CHUNK]);
            loop {
                let n = file.read(&mut buffer)?;
                if n == 0 {
                    break;
                }
                hash.update(&buffer[..n]);
                size += n as u64;
            }
            self.known = Some((file, size, hash));
        }
        self.known.as_mut().ok_or_else(|| io::Error::other("the upload is not open"))
    }

    fn write(&mut self, chunks: &[Bytes]) -> io::Result<u64> {
        self.open()?;
        // Taken out, so that a write that fails half-way invalidates it.
        let Some((mut file, mut size, mut hash)) = self.known.take() else { return Ok(0) };
        for chunk in chunks {
            file.write_all(chunk)?;
            hash.update(chunk);
            size += chunk.len() as u64;
        }
        self.known = Some((file, size, hash));
        Ok(size)
    }

    /// The digest and size of the upload, once it is synced to disk.
    pub(super) fn finish(&mut self) -> Result<(Digest, u64)> {
        let place = format!("finish the upload {}", self.path.display());
        let path = self.path.clone();
        let (file, size, hash) = self.open().machine(|| place.clone())?;
        file.sync_all().on_disk(&path, || place)?;
        Ok((Digest::from_hash(hash.clone()), *size))
    }
}

impl Session {
    /// The file is a blob now: a task that still holds this session must not write to it.
    pub(super) fn close(&mut self) {
        self.known = None;
    }
}

type Held = OwnedMutexGuard<Session>;

async fn write(mut session: Held, chunks: Vec<Bytes>) -> Result<(Held, u64)> {
    let path = session.path.clone();
    let task = spawn_blocking(move || session.write(&chunks).map(|size| (session, size)));
    Ok(task.await.plane(|| "write an upload".into())?.on_disk(&path, || "write an upload".into())?)
}

pub(super) async fn append(
    mut session: Held,
    at: Option<u64>,
    mut body: Body,
    limit_bytes: u64,
) -> Result<u64> {
    let mut size = session.size()?;
    if let Some(at) = at.filter(|at| *at != size) {
        return Err(Error::OutOfOrder { have: size, at });
    }
    let (mut waiting, mut waiting_bytes) = (Vec::new(), 0);
    let mut broken = None;
    while let Some(chunk) = body.next().await {
        let chunk = match chunk {
            Ok(chunk) => chunk,
            Err(e) => {
                // The bytes before the interruption are kept, so that the client can continue.
                broken = Some(e);
                break;
            }
        };
        waiting_bytes += chunk.len();
        waiting.push(chunk);
        if size + waiting_bytes as u64 > limit_bytes {
            return Err(Error::BlobTooLarge { limit_bytes });
        }
        if waiting_bytes >= super::CHUNK {
            (session, size) = write(session, std::mem::take(&mut waiting)).await?;
            waiting_bytes = 0;
        }
    }
    if !waiting.is_empty() {
        (_, size) = write(session, waiting).await?;
    }
    match broken {
        Some(source) => Err(Error::Body { received: size, source }),
        None => Ok(size),
    }
}
