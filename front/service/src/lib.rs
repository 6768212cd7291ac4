//! The interface of a service to the gate and to CloudFormation.
//!
//! A service has [`Operation`]s (synchronous: check, one transaction, answer), [`StreamOperation`]s (asynchronous: bytes to or
//! from a plane), CloudFormation [`ResourceType`]s, and parameters that it [only records](Recorded). The [`Cloud`] has all
//! services and calls operations by name: for the gate, and for services that call each other as clients do.
//!
//! This crate knows no service by name and no protocol. Start at [`Operation`].

mod arrival;
mod audit;
mod caller;
mod cfn;
mod cloud;
mod config;
mod cors;
mod cx;
mod endpoints;
mod identity;
mod image_name;
mod mount;
mod needs;
mod operation;
mod recorded;
mod request;
mod served;
mod service_keys;
mod stream;

pub use arrival::{Arrival, Entrance, Source, TlsSession};
pub use audit::{
    Audit, AuditedCall, CallNotes, DecidingStatement, Denial, DenialReason, EventKind, Noted, PolicyName,
};
pub use caller::{Caller, Principal, RootRefused};
pub use cfn::{
    Created, InputDraft, PropertyChange, Props, Readiness, ResourceType, Resources, Update, own_tags,
    properties_of,
};
pub use cloud::Cloud;
pub use config::{Config, Internet};
pub use cors::{CrossOrigin, CrossOriginGrant, is_preflight};
pub use cx::Cx;
pub use endpoints::Endpoint;
pub use identity::{Asked, Credential, Decision, Identity, ResourcePolicy};
pub use image_name::ImageName;
pub use mount::Mount;
pub use needs::{Also, Needs, gives_tags};
pub use operation::{Entry, Kind, Operation, SyncHandler};
pub use recorded::Recorded;
pub use request::{Named, Request, request, request_with_body};
pub use served::{OnSent, Served, counted};
pub use stream::{Body, StreamCx, StreamHandler, StreamOperation, StreamReply};

use escale_base::wire::Value;
use escale_store::Image;

/// Deletes a resource after a last snapshot of it, whose name begins with the given text: see
/// [`Service::delete_with_snapshot`].
pub type DeleteWithSnapshot = fn(&mut Cx<'_>, &Created, &str) -> Result<(), escale_base::AwsError>;

/// One AWS service. The id is that of its API model (`ec2`, `elbv2`, `s3`, …).
pub trait Service: Send + Sync + 'static {
    fn id(&self) -> &'static str;

    /// The prefix of its IAM actions, if it differs from the id: `elasticloadbalancing` for `elbv2`.
    fn action_prefix(&self) -> &'static str {
        self.id()
    }

    /// Whether its resources belong to no region: requests signed for any region are then accepted.
    fn global(&self) -> bool {
        false
    }

    /// Other regions than the installation's that it answers for: those in which AWS has resources that every region uses.
    fn also_in(&self) -> &'static [&'static str] {
        &[]
    }

    /// CloudTrail's category of an operation.
    fn event_kind(&self, _operation: &str) -> EventKind {
        EventKind::Management
    }

    /// Every operation that it enacts. Any other operation of the model is refused by name.
    fn operations(&self) -> Vec<Entry>;

    /// Parameters and properties that have no effect on one machine, with the reason.
    fn recorded(&self) -> &'static [Recorded] {
        &[]
    }

    /// Operations that check their request and do not yet do what they are for, with the reason. They are not listed as enacted.
    fn incomplete(&self) -> &'static [Recorded] {
        &[]
    }

    /// Policies attached to the resource of a request: a bucket's.
    fn resource_policies(
        &self,
        _image: &Image,
        _config: &Config,
        _operation: &str,
        _input: &Value,
    ) -> Vec<ResourcePolicy> {
        Vec::new()
    }

    /// Whether a web page of another origin may make a request; `None` if it may not.
    fn cross_origin(&self, _image: &Image, _request: &CrossOrigin<'_>) -> Option<CrossOriginGrant> {
        None
    }

    /// Notes an answered request for an access log. The function that it returns is called when the body has been sent.
    fn served(&self, _image: &Image, _config: &Config, _served: &Served<'_>) -> Option<OnSent> {
        None
    }

    /// ARNs of a request's resources, from the members of its input: for operations that do not return them themselves.
    fn resources(&self, _image: &Image, _config: &Config, _operation: &str, _input: &Value) -> Vec<String> {
        Vec::new()
    }

    /// The action for tagging, for a request that tags what it creates. Without this check, callers that may create resources
    /// could tag them as well, and tags decide access. `resources` are the request's own.
    fn tagging(&self, _operation: &str, _input: &Value, _resources: &[String]) -> Option<Also> {
        None
    }

    /// Its CloudFormation resource types.
    fn resource_types(&self) -> Vec<ResourceType> {
        Vec::new()
    }

    /// The function that deletes a resource of this type under `DeletionPolicy: Snapshot`; `None` if the type has no
    /// snapshots. It also applies without a `DeletionPolicy`: that is AWS's default for databases, the only such types here.
    fn delete_with_snapshot(&self, _type_name: &str) -> Option<DeleteWithSnapshot> {
        None
    }
}
