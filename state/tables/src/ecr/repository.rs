//! Repositories.

use crate::row;
use escale_base::{Tag, Timestamp};
use serde::{Deserialize, Serialize};

/// Whether and how to delete a repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Deletion {
    No,
    /// Only if it has no images.
    IfEmpty,
    WithImages,
}

escale_base::name! {
    /// A repository's name, unique in the registry. It may have slashes.
    RepositoryName;
    /// The JSON text of a lifecycle policy, unchanged from the request.
    LifecyclePolicyText;
}

/// Which images of a repository expire.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LifecyclePolicy {
    pub text: LifecyclePolicyText,
    /// The time at which it was put.
    pub put: Timestamp,
}

/// The wish for a repository.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Repository {
    pub name: RepositoryName,
    pub created: Timestamp,
    /// An existing tag cannot be moved to another image.
    pub immutable_tags: bool,
    /// Stored and shown without effect.
    #[serde(default)]
    pub scan_on_push: bool,
    /// The JSON document, unchanged from the request.
    pub policy: Option<String>,
    #[serde(default)]
    pub lifecycle: Option<LifecyclePolicy>,
    pub tags: Vec<Tag>,
    /// CloudFormation's `EmptyOnDelete`.
    pub empty_on_delete: bool,
    pub deletion: Deletion,
}
row!(Repository, "ecr_repository", |r| r.name.to_string());

/// The result of a failed deletion.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RepositorySeen {
    pub name: RepositoryName,
    /// Why the repository was not deleted.
    pub not_deleted: String,
    pub at: Timestamp,
}
row!(RepositorySeen, "ecr_repository_seen", |r| r.name.to_string());

/// The last evaluation of a repository's lifecycle policy.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LifecycleSeen {
    pub name: RepositoryName,
    /// Which policy was evaluated: the time at which it was put.
    pub put: Timestamp,
    pub at: Timestamp,
}
row!(LifecycleSeen, "ecr_lifecycle_seen", |r| r.name.to_string());
