//! Shared by both servers: their identity (task and zone), a small HTTP client, and the signal to stop.

pub mod http;

use serde::{Deserialize, Serialize};
use std::{env, str::FromStr};

/// The answering task, and its zone; `unknown` outside ECS.
#[derive(Clone, Debug, Serialize)]
pub struct ServedBy {
    pub task: String,
    pub zone: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct TaskMetadata {
    #[serde(rename = "TaskARN")]
    task_arn: String,
    availability_zone: Option<String>,
}

impl ServedBy {
    /// Reads the task metadata endpoint, version 4.
    ///
    /// Source: <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-metadata-endpoint-v4-fargate.html>
    pub async fn ask() -> ServedBy {
        let unknown = || "unknown".to_owned();
        let Ok(endpoint) = env::var("ECS_CONTAINER_METADATA_URI_V4") else {
            return ServedBy { task: unknown(), zone: unknown() };
        };
        let answer = http::get(&format!("{endpoint}/task")).await;
        let read = answer.and_then(|body| serde_json::from_slice::<TaskMetadata>(&body).map_err(Into::into));
        match read {
            Ok(metadata) => ServedBy {
                task: metadata.task_arn.rsplit('/').next().unwrap_or_default().to_owned(),
                zone: metadata.availability_zone.unwrap_or_else(unknown),
            },
            Err(e) => {
                eprintln!("task metadata: {e}");
                ServedBy { task: unknown(), zone: unknown() }
            }
        }
    }
}

/// A required environment variable.
pub fn variable(name: &str) -> Result<String, String> {
    env::var(name).map_err(|_| format!("the environment variable {name} is missing"))
}

/// An optional environment variable, parsed, with a default.
pub fn variable_or<T: FromStr>(name: &str, default: T) -> Result<T, String> {
    match env::var(name) {
        Ok(text) => text.parse().map_err(|_| format!("{name} cannot be '{text}'")),
        Err(_) => Ok(default),
    }
}

/// Ends when ECS (SIGTERM) or a terminal (SIGINT) requests a stop.
pub async fn asked_to_stop() {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut term), Ok(mut int)) = (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
    else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = term.recv() => {}
        _ = int.recv() => {}
    }
    println!("stopping");
}
