//! Wait conditions and the handles that their signals are sent to.

use super::PhysicalId;
use crate::row;
use escale_base::{Secret, Timestamp, wire::Value};
use serde::{Deserialize, Serialize};

escale_base::name! {
    /// The last part of the path of a handle's URL.
    WaitHandleId;
    /// The client's mark for one signal, which its retries share.
    SignalId;
}

escale_base::choice! {
    pub enum SignalStatus { Success = "SUCCESS", Failure = "FAILURE" }
}

/// `AWS::CloudFormation::WaitConditionHandle`: a URL that takes signals.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WaitHandle {
    pub id: WaitHandleId,
    /// A part of the URL: only its holders can send signals.
    pub signature: Secret<String>,
    /// One for each id, in the order of their arrival.
    pub signals: Vec<WaitSignal>,
}
row!(WaitHandle, "cloudformation_wait_handle", |r| r.id.to_string());

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WaitSignal {
    pub id: SignalId,
    pub status: SignalStatus,
    pub reason: Option<String>,
    pub data: Option<Value>,
}

/// `AWS::CloudFormation::WaitCondition`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WaitCondition {
    pub id: PhysicalId,
    pub handle: WaitHandleId,
    /// The number of signals that it waits for.
    pub count: usize,
    pub timeout_secs: u32,
    /// The end of the timeout.
    pub until: Timestamp,
    /// Set once the timeout is over.
    pub timed_out: bool,
}
row!(WaitCondition, "cloudformation_wait_condition", |r| r.id.to_string());
