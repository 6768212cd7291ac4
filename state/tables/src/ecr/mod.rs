//! Image repositories as asked for, and the tokens of who may log in to them. Images are the plane's.

mod repository;
mod token;

pub use repository::{Deletion, Repository, RepositorySeen};
pub use token::{Holder, Token};

use escale_store::TableDef;

pub const TABLES: &[TableDef] =
    &[TableDef::of::<Repository>(), TableDef::of::<RepositorySeen>(), TableDef::of::<Token>()];
