//! `AWS::Route53::HostedZone`.

use super::{CHANGE, SPELLINGS, Spellings};
use crate::{
    ops::{
        associate_vpc_with_hosted_zone::AssociateVPCWithHostedZone,
        change_tags_for_resource::ChangeTagsForResource, create_hosted_zone::CreateHostedZone,
        delete_hosted_zone::DeleteHostedZone,
        disassociate_vpc_from_hosted_zone::DisassociateVPCFromHostedZone, get_hosted_zone::GetHostedZone,
        list_tags_for_resource::ListTagsForResource, update_hosted_zone_comment::UpdateHostedZoneComment,
    },
    rules,
    shapes::{VpcShape, ZoneConfig},
};
use escale_base::{
    AwsError, found,
    wire::{self, Map, Value},
};
use escale_service::{Created, Cx, InputDraft, Props, Readiness, Update};
use escale_store::Image;
use escale_tables::route53::HostedZone;

const TAGS: &str = "HostedZoneTags";
const ZONE: &str = "hostedzone";

pub(super) fn create(cx: &mut Cx<'_>, props: &Props<'_>) -> Result<Created, AwsError> {
    // The API creates a zone with one VPC; the others are associated afterwards.
    let mut vpcs = props.read::<Vec<VpcShape>>("VPCs")?.into_iter();
    let input = props.input::<CreateHostedZone>(&["Name", "HostedZoneConfig"]).with("VPC", &vpcs.next());
    let made = input.with("CallerReference", &escale_base::ids::random_uuid()).call(cx)?;
    let id = rules::zone_id(&made.hosted_zone.id);
    let mut change = made.change_info.id;
    for vpc in vpcs {
        let input = InputDraft::<AssociateVPCWithHostedZone>::new().with("HostedZoneId", &id);
        change = input.with("VPC", &vpc).call(cx)?.change_info.id;
    }
    // They include the stack's `aws:` tags, which clients cannot set through the API.
    let tags = props.tags_in("HostedZoneTags")?;
    if !tags.is_empty() {
        let input = InputDraft::<ChangeTagsForResource>::new().with("ResourceType", &"hostedzone".to_owned());
        input.with("ResourceId", &id).with("AddTags", &tags).call(cx)?;
    }
    let mut spellings = Spellings::default();
    spellings.add(props.text("Name")?)?;
    let created = Created::new(id.as_str()).with("Id", id.0).with_private(CHANGE, change);
    let created = created.with_private(SPELLINGS, spellings.0);
    Ok(match made.delegation_set {
        Some(set) => created.with("NameServers", set.name_servers),
        None => created,
    })
}

pub(super) fn delete(cx: &mut Cx<'_>, created: &Created) -> Result<(), AwsError> {
    if !cx.tx.has::<HostedZone>(&created.physical_id) {
        return Ok(());
    }
    created.delete_by::<DeleteHostedZone>(cx, "Id")
}

pub(super) fn gone(image: &Image, created: &Created) -> Readiness {
    if image.has::<HostedZone>(&created.physical_id) {
        Readiness::Pending("the hosted zone still exists".into())
    } else {
        Readiness::ready()
    }
}

pub(super) fn update(cx: &mut Cx<'_>, update: &Update<'_>) -> Result<Created, AwsError> {
    let id = &update.created.physical_id;
    let mut created = update.created.clone();
    if update.changed("HostedZoneConfig") {
        let config = update.after.read::<Option<ZoneConfig>>("HostedZoneConfig")?.unwrap_or_default();
        let input = InputDraft::<UpdateHostedZoneComment>::new().with("Id", id);
        input.with("Comment", &config.comment).call(cx)?;
    }
    if update.changed("VPCs") {
        created = update_vpcs(cx, update, created)?;
    }
    let (set, removed) = update.tags_in(TAGS)?;
    if !set.is_empty() || !removed.is_empty() {
        let input = InputDraft::<ChangeTagsForResource>::new().with("ResourceType", &ZONE.to_owned());
        let input = input.with("ResourceId", id).with("AddTags", &set);
        input.with("RemoveTagKeys", &removed).call(cx)?;
    }
    Ok(created)
}

/// Associates VPCs first: the last one of a zone cannot be disassociated.
fn update_vpcs(cx: &mut Cx<'_>, update: &Update<'_>, created: Created) -> Result<Created, AwsError> {
    let id = &update.created.physical_id;
    let current = InputDraft::<GetHostedZone>::new().with("Id", id).call(cx)?.vpcs.unwrap_or_default();
    let wanted = update.after.read::<Vec<VpcShape>>("VPCs")?;
    let has = |list: &[VpcShape], vpc: &VpcShape| list.iter().any(|other| other.vpc_id == vpc.vpc_id);
    let mut change = None;
    for vpc in wanted.iter().filter(|vpc| !has(&current, vpc)) {
        let input = InputDraft::<AssociateVPCWithHostedZone>::new().with("HostedZoneId", id);
        change = Some(input.with("VPC", vpc).call(cx)?.change_info.id);
    }
    for vpc in current.iter().filter(|vpc| !has(&wanted, vpc)) {
        let input = InputDraft::<DisassociateVPCFromHostedZone>::new().with("HostedZoneId", id);
        change = Some(input.with("VPC", vpc).call(cx)?.change_info.id);
    }
    Ok(match change {
        Some(change) => created.with_private(CHANGE, change),
        None => created,
    })
}

pub(super) fn read(cx: &mut Cx<'_>, created: &Created) -> Result<Option<Map<String, Value>>, AwsError> {
    let id = &created.physical_id;
    let got = InputDraft::<GetHostedZone>::new().with("Id", id).call(cx);
    let Some(got) = found(got)? else { return Ok(None) };
    let mut properties = Map::new();
    wire::put(&mut properties, "Name", &Spellings::of(created).spell(&got.hosted_zone.name));
    let config = ZoneConfig { comment: got.hosted_zone.config.comment, private_zone: None };
    wire::put(&mut properties, "HostedZoneConfig", &config);
    wire::put(&mut properties, "VPCs", &got.vpcs);
    let input = InputDraft::<ListTagsForResource>::new().with("ResourceType", &ZONE.to_owned());
    let tags = input.with("ResourceId", id).call(cx)?.resource_tag_set.tags;
    wire::put(&mut properties, TAGS, &tags);
    Ok(Some(properties))
}
