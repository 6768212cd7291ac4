//! TCP listeners: a connection belongs to one target, and its bytes pass unread.
//!
//! The target sees the node's address, not the client's. A connection that cannot be served, or that is ended by the balancer, is
//! reset: to its ends it looks as if the other one had failed.

use crate::{
    counters::ListenerCounters,
    forward::TARGETS,
    pool::{CONNECT_TIMEOUT, CONNECT_TIMEOUT_OF_SEVERAL},
    serve::NodeContext,
    table::{Group, Step},
    target::Lease,
};
use escale_httpguard::Stop;
use escale_lanes::Acceptor;
use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpStream,
        tcp::{ReadHalf, WriteHalf},
    },
    time::Instant,
};

/// Bytes that are read at once, in each direction. More would only help on links faster than this machine's own memory.
const BUFFER_BYTES: usize = 16 * 1024;

/// Accepts connections until `stop`, which also ends the open ones unless they drain.
pub(crate) async fn accept(
    node: Arc<NodeContext>,
    key: u16,
    acceptor: Acceptor,
    counters: Arc<ListenerCounters>,
    stop: Stop,
) {
    let (lanes, name, stopped) = (node.lanes.clone(), node.name.clone(), stop.clone());
    let serve = move |client, _| {
        let (node, counters, stop) = (node.clone(), counters.clone(), stopped.clone());
        async move {
            counters.opened.fetch_add(1, Relaxed);
            counters.active.fetch_add(1, Relaxed);
            serve(&node, key, client, &counters, &stop).await;
            counters.active.fetch_sub(1, Relaxed);
        }
    };
    acceptor.serve(&lanes, &name, stop.accepts_no_more(), serve).await;
}

async fn serve(
    node: &NodeContext,
    key: u16,
    mut client: TcpStream,
    counters: &ListenerCounters,
    stop: &Stop,
) {
    let (idle, route) = {
        let table = node.table.load();
        let route = match table.ports.get(&key).map(|port| &port.default) {
            Some(Step::Relay(relay, group)) => Some((relay.clone(), group.clone())),
            // The listener was removed, or serves HTTP now.
            _ => None,
        };
        (table.idle, route)
    };
    let opened = match &route {
        Some((_, group)) => tokio::select! {
            opened = open(node, group) => opened,
            () = stop.is_now() => None,
        },
        None => None,
    };
    let Some((lease, mut target)) = opened else { return reset(&client) };
    // Without it small answers wait for delayed acknowledgements. An error means that the socket is closed already.
    let _ = target.set_nodelay(true);
    let relay = route.as_ref().map(|(relay, _)| relay);
    let activity = Activity { start: Instant::now(), last_ms: AtomicU64::new(0) };
    let is_complete = {
        let ((from_client, to_client), (from_target, to_target)) = (client.split(), target.split());
        let both = async {
            tokio::try_join!(
                pump(from_client, to_target, &activity, &counters.received),
                pump(from_target, to_client, &activity, &counters.sent),
            )
        };
        tokio::select! {
            done = both => done.is_ok(),
            () = activity.ends(idle) => false,
            () = stop.is_now() => false,
            () = lease.cut.cancelled(), if relay.is_some_and(|r| r.end_after_drain) => false,
            () = lease.becomes_unhealthy(), if relay.is_some_and(|r| r.end_when_unhealthy) => false,
        }
    };
    if !is_complete {
        reset(&client);
        reset(&target);
    }
}

/// A connection to a target. As the group itself decides, an unhealthy target gets one only if none is healthy.
async fn open(node: &NodeContext, group: &Group) -> Option<(Lease, TcpStream)> {
    let mut lease = group.choose()?;
    let mut tried = Vec::new();
    loop {
        lease.counters.requests.fetch_add(1, Relaxed);
        let within = if group.has_other(lease.addr) { CONNECT_TIMEOUT_OF_SEVERAL } else { CONNECT_TIMEOUT };
        let connecting = node.sockets.connect(&node.name, lease.addr);
        match tokio::time::timeout(within, connecting).await {
            Ok(Ok(stream)) => return Some((lease, stream)),
            Ok(Err(_)) => {}
            Err(_) => lease.doubt(),
        }
        lease.counters.connection_errors.fetch_add(1, Relaxed);
        tried.push(lease.addr);
        // No byte of the client was passed on yet, so another target can have the connection.
        lease = group.other(&tried).filter(|_| tried.len() < TARGETS)?;
    }
}

/// The drop of the stream then sends a reset instead of an orderly end.
fn reset(stream: &TcpStream) {
    // An error means that the socket is closed already.
    let _ = stream.set_zero_linger();
}

/// Copies one direction up to its end, which the other end of the connection gets, too.
async fn pump(
    mut from: ReadHalf<'_>,
    mut to: WriteHalf<'_>,
    activity: &Activity,
    bytes: &AtomicU64,
) -> io::Result<()> {
    let mut buffer = vec![0; BUFFER_BYTES];
    loop {
        let length = from.read(&mut buffer).await?;
        activity.touch();
        if length == 0 {
            return to.shutdown().await;
        }
        bytes.fetch_add(length as u64, Relaxed);
        to.write_all(&buffer[..length]).await?;
        activity.touch();
    }
}

/// When bytes last passed, in either direction.
struct Activity {
    start: Instant,
    last_ms: AtomicU64,
}

impl Activity {
    fn touch(&self) {
        let now = u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.last_ms.store(now, Relaxed);
    }

    /// Waits until nothing has passed for this long.
    async fn ends(&self, idle: Duration) {
        loop {
            let last = self.last_ms.load(Relaxed);
            tokio::time::sleep_until(self.start + Duration::from_millis(last) + idle).await;
            if self.last_ms.load(Relaxed) == last {
                return;
            }
        }
    }
}
