//! What a service is, as the gate and CloudFormation see it.
//!
//! A service is a list of [`Operation`]s (synchronous: check, one transaction, answer) and
//! [`StreamOperation`]s (asynchronous: bytes to or from a plane), its CloudFormation [`ResourceType`]s and
//! what it [records only](Recorded). The [`Cloud`] holds all services and calls operations by name: for the
//! gate, and for services that call each other as clients do.
//!
//! This crate knows no service by name and no protocol. Start at [`Operation`].

mod arrival;
mod audit;
mod caller;
mod cfn;
mod cloud;
mod config;
mod cx;
mod identity;
mod image_name;
mod mount;
mod needs;
mod operation;
mod recorded;
mod request;
mod service_keys;
mod stream;

pub use arrival::{Arrival, Entrance, Source};
pub use audit::{
    Audit, AuditedCall, CallNotes, DecidingStatement, Denial, DenialReason, EventKind, Noted, PolicyName,
};
pub use caller::{Caller, Principal, RootRefused};
pub use cfn::{Change, Created, InputDraft, Props, Readiness, ResourceType, Resources};
pub use cloud::Cloud;
pub use config::Config;
pub use cx::Cx;
pub use identity::{Asked, Credential, Decision, Identity, ResourcePolicy};
pub use image_name::ImageName;
pub use mount::Mount;
pub use needs::{Also, Needs, gives_tags};
pub use operation::{Entry, Kind, Operation, SyncHandler};
pub use recorded::Recorded;
pub use request::{Named, Request, request};
pub use stream::{Body, StreamCx, StreamHandler, StreamOperation, StreamReply};

use escale_base::wire::Value;
use escale_store::Image;

/// Deletes a resource after a last snapshot of it, whose name begins with the given words: see
/// [`Service::delete_with_snapshot`].
pub type DeleteWithSnapshot = fn(&mut Cx<'_>, &Created, &str) -> Result<(), escale_base::AwsError>;

/// One AWS service. The id is that of its API model (`ec2`, `elbv2`, `s3`, …).
pub trait Service: Send + Sync + 'static {
    fn id(&self) -> &'static str;

    /// The prefix of its IAM actions, where it differs from the id: `elasticloadbalancing` for `elbv2`.
    fn action_prefix(&self) -> &'static str {
        self.id()
    }

    /// Whether its resources are of no region: requests signed for any region are then taken.
    fn global(&self) -> bool {
        false
    }

    /// Which category of CloudTrail's events an operation is.
    fn event_kind(&self, _operation: &str) -> EventKind {
        EventKind::Management
    }

    /// Every operation it enacts. What the model has and this list has not is refused by name.
    fn operations(&self) -> Vec<Entry>;

    /// Parameters and properties that have no effect on one machine, with the reason.
    fn recorded(&self) -> &'static [Recorded] {
        &[]
    }

    /// Policies that hang on the resource which a request is about: a bucket's.
    fn resource_policies(
        &self,
        _image: &Image,
        _config: &Config,
        _operation: &str,
        _input: &Value,
    ) -> Vec<ResourcePolicy> {
        Vec::new()
    }

    /// ARNs of the resources that a request is about, by the members of its input: for operations that do not name them
    /// themselves.
    fn resources(&self, _image: &Image, _config: &Config, _operation: &str, _input: &Value) -> Vec<String> {
        Vec::new()
    }

    /// The right to tag, for a request that gives tags to what it creates: without it, whoever may create could tag as well, and
    /// tags decide access. `resources` are the request's own.
    fn tagging(&self, _operation: &str, _input: &Value, _resources: &[String]) -> Option<Also> {
        None
    }

    /// Its CloudFormation resource types.
    fn resource_types(&self) -> Vec<ResourceType> {
        Vec::new()
    }

    /// How a resource of this type is deleted under `DeletionPolicy: Snapshot`; `None` when it knows no snapshots. One that
    /// knows them is deleted so also when its template says nothing: AWS does that with databases, the only such types here.
    fn delete_with_snapshot(&self, _type_name: &str) -> Option<DeleteWithSnapshot> {
        None
    }
}
