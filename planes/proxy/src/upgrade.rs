//! Upgraded connections (WebSocket): bytes in both directions, not interpreted.

use crate::{log::Trail, target::Lease};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;

/// Ends when both sides have closed, when there is no traffic for the idle timeout (the client's guard enforces
/// that), or when the target's drain delay is over.
pub(crate) async fn tunnel(client: OnUpgrade, target: OnUpgrade, lease: Lease, mut trail: Trail) {
    // Completes after the 101 was sent to the client.
    let both = tokio::try_join!(client, target);
    let (client, target) = match both {
        Ok(both) => both,
        Err(error) => return tracing::debug!(%error, "an upgrade failed"),
    };
    let (mut client, mut target) = (TokioIo::new(client), TokioIo::new(target));
    tokio::select! {
        copied = tokio::io::copy_bidirectional(&mut client, &mut target) => {
            if let (Ok((received, sent)), Some(noted)) = (copied, &mut trail) {
                noted.tunnelled(received, sent);
            }
        }
        () = lease.cut.cancelled() => {}
    }
}
