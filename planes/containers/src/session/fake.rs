//! A session of the plane in memory: its command is always `cat`.

use super::{
    Session, SessionSpec,
    client::{self, Refusal},
    frame::{self, Kind, Reader},
};
use escale_base::{PlaneError, error::Context};
use std::io;
use tokio::net::UnixStream;

/// Begins a session that returns its input as output, and ends with exit code 0 when the input ends.
pub(crate) async fn echo(spec: &SessionSpec) -> Result<Session, PlaneError> {
    let what = || "begin a session in memory".to_owned();
    let (ours, theirs) = UnixStream::pair().machine(what)?;
    tokio::spawn(serve(theirs));
    client::begin(ours, spec).await.map_err(|refusal| match refusal {
        Refusal::Command(text) => PlaneError::asked(text),
        Refusal::Connection(e) => PlaneError::machine(format!("cannot {}", what())).because(e),
    })
}

async fn serve(stream: UnixStream) -> io::Result<()> {
    let (read, mut write) = stream.into_split();
    let mut messages = Reader::new(read);
    while let Some((kind, payload)) = messages.next().await? {
        match kind {
            Kind::Begin => frame::send(&mut write, Kind::Started, &[]).await?,
            Kind::Input => frame::send(&mut write, Kind::Output, &payload).await?,
            Kind::InputEnd => return frame::send_json(&mut write, Kind::Ended, &0).await,
            _ => {}
        }
    }
    Ok(())
}
