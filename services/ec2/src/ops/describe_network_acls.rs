//! <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeNetworkAcls.html>

use crate::{
    Error,
    error::Kind,
    filters::{self, Filter, many, one},
    shapes::vpc::{self, AclShape},
};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::ec2::Vpc;

pub(crate) struct DescribeNetworkAcls;

#[derive(Wire)]
pub(crate) struct Input {
    network_acl_ids: Vec<String>,
    filters: Vec<Filter>,
    next_token: Option<String>,
    max_results: Option<usize>,
}

#[derive(Wire)]
pub(crate) struct Output {
    network_acls: Vec<AclShape>,
    next_token: Option<String>,
}

impl Operation for DescribeNetworkAcls {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let ids = &input.network_acl_ids;
        let all: Vec<AclShape> = cx.tx.scan::<Vpc>().map(|v| vpc::acl(cx.tx, &v, cx.config)).collect();
        if let Some(id) = ids.iter().find(|id| !all.iter().any(|a| a.network_acl_id == **id)) {
            return Err(Error::NotFound(Kind::NetworkAcl, id.clone()));
        }
        let mut found = Vec::new();
        for acl in all {
            let value_of = |name: &str| match name {
                "network-acl-id" | "association.network-acl-id" => one(&acl.network_acl_id),
                "vpc-id" => one(&acl.vpc_id),
                "default" => one(true),
                "owner-id" => one(&acl.owner_id),
                "association.subnet-id" => many(acl.associations.iter().map(|a| &a.subnet_id)),
                "association.association-id" => {
                    many(acl.associations.iter().map(|a| &a.network_acl_association_id))
                }
                _ => None,
            };
            let named = ids.is_empty() || ids.contains(&acl.network_acl_id);
            if filters::passes(&input.filters, &[], value_of)? && named {
                found.push(acl);
            }
        }
        let key = |a: &AclShape| a.network_acl_id.clone();
        let (network_acls, next_token) = filters::page(found, key, input.next_token, input.max_results)?;
        Ok(Output { network_acls, next_token })
    }
}
