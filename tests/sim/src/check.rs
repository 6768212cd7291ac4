//! What must be true when all has come to rest.

use crate::world::{Life, World};
use anyhow::Result;

pub(crate) async fn stands(_: &World, _: &Life) -> Result<()> {
    Ok(())
}
pub(crate) async fn nothing(_: &World, _: &Life) -> Result<()> {
    Ok(())
}
pub(crate) async fn forgotten(_: &World, _: &Life) -> Result<()> {
    Ok(())
}
