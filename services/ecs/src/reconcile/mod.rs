//! Reconcilers of tasks and services, and their observers.

mod group;
mod images;
mod logs;
mod network_path;
mod observe;
mod pull;
mod service;
mod start;
mod targets;
mod task;
mod traffic;

pub(crate) use group::{ENDPOINT, metadata_id, role_of};
pub(crate) use logs::ship as ship_logs;
pub(crate) use observe::observe;
pub(crate) use pull::Puller;
pub(crate) use service::{Services, failures};
pub(crate) use targets::watch as watch_targets;
pub(crate) use task::Tasks;
