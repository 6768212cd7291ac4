//! The operations of Route 53, one per line.

escale_service::operations! { "route53";
    AssociateVPCWithHostedZone => associate_vpc_with_hosted_zone,
    ChangeResourceRecordSets => change_resource_record_sets,
    ChangeTagsForResource => change_tags_for_resource,
    CreateHostedZone => create_hosted_zone,
    DeleteHostedZone => delete_hosted_zone,
    DisassociateVPCFromHostedZone => disassociate_vpc_from_hosted_zone,
    GetChange => get_change,
    GetHostedZone => get_hosted_zone,
    GetHostedZoneCount => get_hosted_zone_count,
    ListHostedZones => list_hosted_zones,
    ListHostedZonesByName => list_hosted_zones_by_name,
    ListHostedZonesByVPC => list_hosted_zones_by_vpc,
    ListResourceRecordSets => list_resource_record_sets,
    ListTagsForResource => list_tags_for_resource,
    ListTagsForResources => list_tags_for_resources,
    UpdateHostedZoneComment => update_hosted_zone_comment,
}
