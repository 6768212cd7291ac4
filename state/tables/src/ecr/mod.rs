//! Image repositories, and the tokens with which clients log in. The plane stores the images.

mod repository;
mod token;

pub use repository::{
    Deletion, LifecyclePolicy, LifecyclePolicyText, LifecycleSeen, Repository, RepositoryName, RepositorySeen,
};
pub use token::{Holder, Token, TokenId};

use escale_store::TableDef;

pub const TABLES: &[TableDef] = &[
    TableDef::of::<LifecycleSeen>(),
    TableDef::of::<Repository>(),
    TableDef::of::<RepositorySeen>(),
    TableDef::of::<Token>(),
];
