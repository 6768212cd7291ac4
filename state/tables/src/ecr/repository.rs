//! Repositories.

use crate::row;
use escale_base::{Tag, Timestamp};
use serde::{Deserialize, Serialize};

/// What is to become of a repository that is to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Deletion {
    No,
    /// Only if it has no images.
    IfEmpty,
    WithImages,
}

/// A repository as asked for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Repository {
    pub name: String,
    pub created: Timestamp,
    /// A tag that is there cannot be moved to another image.
    pub immutable_tags: bool,
    /// The JSON document, as it was put.
    pub policy: Option<String>,
    pub tags: Vec<Tag>,
    /// CloudFormation's `EmptyOnDelete`.
    pub empty_on_delete: bool,
    pub deletion: Deletion,
}
row!(Repository, "ecr_repository", |r| r.name.clone());

/// What became of the wish to delete a repository.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RepositorySeen {
    pub name: String,
    /// Why the repository stayed.
    pub not_deleted: String,
    pub at: Timestamp,
}
row!(RepositorySeen, "ecr_repository_seen", |r| r.name.clone());
