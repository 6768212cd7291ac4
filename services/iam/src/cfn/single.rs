//! `AWS::IAM::RolePolicy` and `AWS::IAM::UserPolicy`: one inline policy of one role or user.

use super::{Entity, OfRole, OfUser, POLICY_NAME, read};
use escale_base::{
    AwsError, already_gone, found,
    wire::{Map, Value},
};
use escale_service::{Created, Cx, Props, ResourceType, Update};

const DOCUMENT: &str = "PolicyDocument";

pub(super) fn types() -> [ResourceType; 2] {
    [
        of::<OfRole>("AWS::IAM::RolePolicy", &[DOCUMENT, POLICY_NAME, OfRole::NAME]),
        of::<OfUser>("AWS::IAM::UserPolicy", &[DOCUMENT, POLICY_NAME, OfUser::NAME]),
    ]
}

fn of<E: Entity>(name: &'static str, properties: &'static [&'static str]) -> ResourceType {
    ResourceType::new(name, properties, create::<E>, delete::<E>).update(update::<E>).read(read_one::<E>)
}

/// The physical id has both names, as the primary identifier of AWS's schema.
fn create<E: Entity>(cx: &mut Cx<'_>, props: &Props<'_>) -> Result<Created, AwsError> {
    put::<E>(cx, props)?;
    let (policy, holder) = (props.text(POLICY_NAME)?, props.text(E::NAME)?);
    Ok(Created::new(format!("{policy}|{holder}")).with(POLICY_NAME, policy).with(E::NAME, holder))
}

fn put<E: Entity>(cx: &mut Cx<'_>, props: &Props<'_>) -> Result<(), AwsError> {
    if props.get(DOCUMENT).is_none() {
        return Err(props.invalid("PolicyDocument is required."));
    }
    props.input::<E::Put>(&[DOCUMENT, POLICY_NAME, E::NAME]).call(cx).map(drop)
}

fn update<E: Entity>(cx: &mut Cx<'_>, update: &Update<'_>) -> Result<Created, AwsError> {
    put::<E>(cx, update.after)?;
    Ok(update.created.clone())
}

fn read_one<E: Entity>(cx: &mut Cx<'_>, created: &Created) -> Result<Option<Map<String, Value>>, AwsError> {
    let policy = created.attribute(POLICY_NAME)?.to_owned();
    let holder = created.attribute(E::NAME)?.to_owned();
    let Some(got) = found(E::of::<E::GetInline>(&holder).with(POLICY_NAME, &policy).call(cx))? else {
        return Ok(None);
    };
    Ok(Some(Map::from_iter([
        (POLICY_NAME.to_owned(), policy.into()),
        (E::NAME.to_owned(), holder.into()),
        (DOCUMENT.to_owned(), read::document(&E::document(got))?),
    ])))
}

fn delete<E: Entity>(cx: &mut Cx<'_>, created: &Created) -> Result<(), AwsError> {
    let policy = created.attribute(POLICY_NAME)?.to_owned();
    // The role or user may be deleted already, and its inline policies with it.
    let input = E::of::<E::DeleteInline>(created.attribute(E::NAME)?).with(POLICY_NAME, &policy);
    already_gone(input.call(cx)).map(drop)
}
