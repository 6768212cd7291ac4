//! `cargo xtask demo`: everything from a fresh clone to a running shop.

use crate::{
    run::{root, run, run_command},
    setup, test,
};
use anyhow::Result;
use std::process::Command;

pub(crate) fn demo() -> Result<()> {
    setup::runtime()?;
    let escale = test::release()?;
    run("examples/shop/build", &[])?;
    let mut up = Command::new(&escale);
    up.args(["up", "examples/shop"]).args(setup::postgres_setting()?).current_dir(root());
    run_command(&mut up)?;
    run_command(Command::new(&escale).arg("status").current_dir(root()))
}
