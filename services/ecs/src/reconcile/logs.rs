//! Ships containers' logs to CloudWatch Logs, each line exactly once.
//!
//! The events are written first, then the cursor. After a crash in between, the stream has more events than the cursor counts:
//! the shipper skips the difference. This works because only ECS writes to a task's stream.

use crate::calls::ECS;
use escale_base::{already_gone, found};
use escale_containers::{Containers, LogLine};
use escale_requests::logs::{DescribeLogStreams, LogEvent, PutLogEvents};
use escale_service::{Caller, Cloud, request};
use escale_store::{Row, Store, StoreError};
use escale_tables::ecs::{ContainerDefinition, LogCursor, Task, TaskDefinition, TaskProgress, TaskSeen};
use std::{collections::BTreeSet, sync::Arc, time::Duration};
use tokio::task::JoinSet;

/// Bytes per read. A batch of PutLogEvents can have 1 MiB, and each event counts 26 bytes more than its text.
const READ_BYTES: usize = 128 * 1024;
/// The pause after a failure. Until then the lines stay in the plane's files.
const PAUSE: Duration = Duration::from_secs(1);

/// Log group and stream of a container. The stream is `prefix/container/task`.
pub(crate) fn stream_of(c: &ContainerDefinition, task: &str) -> Option<(String, String)> {
    let options = &c.log_configuration.as_ref()?.options;
    let prefix = options.get("awslogs-stream-prefix")?;
    Some((options.get("awslogs-group")?.clone(), format!("{prefix}/{}/{task}", c.name)))
}

/// Follows the logs of all tasks. Never returns.
pub(crate) async fn ship(store: Store, cloud: Arc<Cloud>, containers: Arc<dyn Containers>) {
    let mut rows = store.subscribe(&[TaskSeen::TABLE]);
    let mut followed = BTreeSet::new();
    let mut shippers = JoinSet::new();
    loop {
        for shipper in unfollowed(&store, &mut followed) {
            let (store, cloud, containers) = (store.clone(), cloud.clone(), containers.clone());
            shippers.spawn(async move {
                let key = (shipper.task.clone(), shipper.container.clone());
                while let Err(why) = shipper.run(&store, &cloud, &*containers).await {
                    tracing::warn!(task = key.0, container = key.1, %why, "cannot store a container's log lines");
                    tokio::time::sleep(PAUSE).await;
                }
                key
            });
        }
        tokio::select! {
            // A fixed order makes simulations reproducible.
            biased;
            _ = rows.changed() => {}
            Some(done) = shippers.join_next() => if let Ok(key) = done { followed.remove(&key); },
        }
    }
}

/// Shippers for the logs that have none yet. Adds them to `followed`.
fn unfollowed(store: &Store, followed: &mut BTreeSet<(String, String)>) -> Vec<Shipper> {
    let image = store.read();
    let mut found = Vec::new();
    for seen in image.scan::<TaskSeen>() {
        let Some(task) = image.get::<Task>(&seen.id) else { continue };
        // A task is marked as stopped only after its logs have been shipped.
        if image.get::<TaskProgress>(&task.id).is_some_and(|p| p.stopped.is_some()) {
            continue;
        }
        let key = TaskDefinition::key_of(&task.family, task.revision);
        let Some(definition) = image.get::<TaskDefinition>(&key) else { continue };
        for c in &definition.containers {
            let Some((group, stream)) = stream_of(c, &task.id) else { continue };
            let ended =
                image.get::<LogCursor>(&format!("{}/{}", task.id, c.name)).is_some_and(|cursor| cursor.ended);
            if !ended && followed.insert((task.id.to_string(), c.name.to_string())) {
                found.push(Shipper {
                    task: task.id.to_string(),
                    container: c.name.to_string(),
                    group,
                    stream,
                });
            }
        }
    }
    found
}

struct Shipper {
    task: String,
    container: String,
    group: String,
    stream: String,
}

impl Shipper {
    /// Ships until the container has ended and all its lines are shipped.
    async fn run(
        &self,
        store: &Store,
        cloud: &Arc<Cloud>,
        containers: &dyn Containers,
    ) -> Result<(), String> {
        let key = format!("{}/{}", self.task, self.container);
        let mut cursor = store.read().get::<LogCursor>(&key).map_or_else(
            || LogCursor {
                task: self.task.clone().into(),
                container: self.container.clone().into(),
                ..LogCursor::default()
            },
            |row| (*row).clone(),
        );
        let mut received = self.received(store, cloud).await?;
        while !cursor.ended {
            if containers.observe(&self.task).is_none() {
                // The plane no longer has the task, so there will be no more lines.
                cursor.ended = true;
                return self.save(store, &cursor);
            }
            let read = containers.logs(&self.task, &self.container, cursor.next, READ_BYTES, true);
            let chunk = read.await.map_err(|e| e.to_string())?;
            let lines: Vec<&LogLine> = chunk.lines.iter().filter(|l| !l.text.is_empty()).collect();
            // Events that the stream received before a crash, but that the cursor does not count yet.
            let skip = usize::try_from(received.saturating_sub(cursor.shipped)).unwrap_or(usize::MAX);
            let rest = lines.get(skip.min(lines.len())..).unwrap_or_default();
            if !rest.is_empty() {
                self.put(store, cloud, rest).await?;
            }
            cursor.shipped += lines.len() as u64;
            received = received.max(cursor.shipped);
            cursor.next = chunk.next;
            cursor.ended = chunk.end;
            self.save(store, &cursor)?;
        }
        Ok(())
    }

    fn save(&self, store: &Store, cursor: &LogCursor) -> Result<(), String> {
        let written = store.write(|tx| {
            // The task's rows may have been deleted meanwhile; a cursor without a task would never be deleted.
            if tx.has::<Task>(&self.task) {
                tx.put(cursor.clone());
            }
            Ok::<_, StoreError>(())
        });
        written.map_err(|e| e.to_string())
    }

    /// How many events the stream ever received. Its upload sequence token counts them.
    async fn received(&self, store: &Store, cloud: &Arc<Cloud>) -> Result<u64, String> {
        let describe = DescribeLogStreams {
            log_group_name: self.group.clone(),
            log_stream_name_prefix: self.stream.clone(),
            limit: 1,
        };
        let answer = found(request(cloud, store, &Caller::service(ECS), describe).await);
        let streams = answer.map_err(|e| e.to_string())?.map(|a| a.log_streams).unwrap_or_default();
        let token = streams.first().and_then(|s| s.upload_sequence_token.as_deref()).unwrap_or("0");
        // A stream without events has a token of zeros only.
        Ok(token.trim_start_matches('0').parse().unwrap_or(0))
    }

    /// Writes events. If the log group or stream was deleted, they are dropped, as on AWS.
    async fn put(&self, store: &Store, cloud: &Arc<Cloud>, lines: &[&LogLine]) -> Result<(), String> {
        let mut latest = 0;
        let mut events = Vec::with_capacity(lines.len());
        for line in lines {
            // Stdout and stderr may be slightly out of order, but PutLogEvents requires ascending timestamps.
            latest = line.at.0.max(latest);
            let message = String::from_utf8_lossy(&line.text).into_owned();
            events.push(LogEvent { timestamp: latest, message });
        }
        let put = PutLogEvents {
            log_group_name: self.group.clone(),
            log_stream_name: self.stream.clone(),
            log_events: events,
        };
        already_gone(request(cloud, store, &Caller::service(ECS), put).await).map_err(|e| e.to_string())
    }
}
