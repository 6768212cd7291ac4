//! <https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_ModifyDBSubnetGroup.html>

use crate::{Error, rules, shapes};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::{
    ec2::SubnetId,
    rds::{Instance, SubnetGroup},
};

pub(crate) struct ModifyDBSubnetGroup;

#[derive(Wire)]
pub(crate) struct Input {
    #[wire("DBSubnetGroupName")]
    name: String,
    #[wire("DBSubnetGroupDescription")]
    description: Option<String>,
    subnet_ids: Vec<SubnetId>,
}

#[derive(Wire)]
pub(crate) struct Output {
    #[wire("DBSubnetGroup")]
    subnet_group: shapes::SubnetGroupShape,
}

impl Operation for ModifyDBSubnetGroup {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn resources(input: &Input, cx: &Cx<'_>) -> Vec<String> {
        vec![rules::arn(cx, "subgrp", &input.name)]
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let mut row = SubnetGroup::clone(&*rules::subnet_group(cx.tx, &input.name)?);
        let vpc = rules::subnets(cx.tx, &input.subnet_ids)?;
        if vpc != row.vpc {
            return Err(Error::Subnet(format!("The subnets must be in the group's VPC, {}.", row.vpc)));
        }
        for instance in cx.tx.scan::<Instance>().filter(|i| i.subnet_group == row.name) {
            if let Some(node) = instance.nodes.iter().find(|n| !input.subnet_ids.contains(&n.subnet)) {
                let what = format!("The subnet {} is in use by the instance {}.", node.subnet, instance.id);
                return Err(Error::Subnet(what));
            }
        }
        row.subnets = input.subnet_ids;
        row.description = input.description.unwrap_or(row.description);
        cx.tx.put(row.clone());
        Ok(Output { subnet_group: shapes::subnet_group(cx, &row) })
    }
}
