//! The items that an operation on several could not process.

use crate::Error;
use escale_base::{AwsError, Wire};

#[derive(Wire)]
pub(crate) struct Item {
    resource_id: String,
    error: ItemError,
}

#[derive(Wire)]
pub(crate) struct ItemError {
    code: String,
    message: String,
}

pub(crate) fn item(error: Error, id: impl ToString) -> Item {
    let AwsError { code, message, .. } = error.into();
    Item { resource_id: id.to_string(), error: ItemError { code, message } }
}
