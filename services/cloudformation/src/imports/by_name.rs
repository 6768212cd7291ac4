//! `ImportExistingResources` of a change set: AWS imports the resources that already exist under the names that the template gives
//! them. Escale accepts the parameter if there are none.
//!
//! <https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/import-resources-automatically.html>

use crate::{
    Error,
    predict::{Effect, Predicted},
};
use escale_base::{AwsError, found};
use escale_service::{Cloud, Created, Cx};

/// Refuses a change set whose new resources include one that exists.
pub(crate) fn refuse(cloud: &Cloud, cx: &mut Cx<'_>, predicted: &[Predicted]) -> Result<(), Error> {
    for new in predicted.iter().filter(|p| matches!(p.effect, Effect::Add)) {
        let Some(name) = name(new) else { continue };
        let Some(read) = cloud.resource_type(&new.type_name).and_then(|kind| kind.read) else { continue };
        if found(read(cx, &Created::new(name)))?.flatten().is_some() {
            return Err(AwsError::not_supported(format_args!(
                "The import of the existing {} {name} into the stack as {}",
                new.type_name, new.logical_id
            ))
            .hint("Delete it, or give the resource another name in the template.")
            .into());
        }
    }
    Ok(())
}

/// The name that the template gives a resource, if its type is identified by a name.
fn name(new: &Predicted) -> Option<&str> {
    let identifier = escale_schema::schema(&new.type_name)?.identifier()?;
    new.after.as_ref()?.get(identifier)?.as_str()
}
