//! The principals under which ECS calls other services.

use escale_service::{Caller, Principal};
use escale_store::Image;
use escale_tables::{ecs::RoleReference, iam::Role};

pub(crate) const ECS: &str = "ecs.amazonaws.com";
/// The principal that assumes a task's role.
pub(crate) const ECS_TASKS: &str = "ecs-tasks.amazonaws.com";

/// A caller that acts under a role. A task starts under its execution role.
pub(crate) fn as_role(image: &Image, named: &RoleReference, session: &str) -> Result<Caller, String> {
    let name = crate::rules::last_part(named);
    let role = image.get::<Role>(name).ok_or_else(|| {
        format!(
            "ECS was unable to assume the role '{named}' that was provided for this task: it does not exist"
        )
    })?;
    let principal = Principal::Role {
        name: role.name.to_string(),
        session: session.to_owned(),
        role_id: role.id.to_string(),
    };
    Ok(Caller { principal, ..Caller::service(ECS_TASKS) })
}
