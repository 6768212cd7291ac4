//! <https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_DeleteDBSubnetGroup.html>

use crate::{Error, rules};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::rds::{Instance, SubnetGroup};

pub(crate) struct DeleteDBSubnetGroup;

#[derive(Wire)]
pub(crate) struct Input {
    #[wire("DBSubnetGroupName")]
    name: String,
}

impl Operation for DeleteDBSubnetGroup {
    type Input = Input;
    type Output = ();
    type Error = Error;

    fn resources(input: &Input, cx: &Cx<'_>) -> Vec<String> {
        vec![rules::arn(cx, "subgrp", &input.name)]
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<(), Error> {
        let row = rules::subnet_group(cx.tx, &input.name)?;
        if row.name == SubnetGroup::DEFAULT {
            return Err(Error::DefaultSubnetGroup);
        }
        let user = cx.tx.scan::<Instance>().find(|i| i.subnet_group == row.name).map(|i| i.id.clone());
        if let Some(instance) = user {
            return Err(Error::SubnetGroupInUse(row.name.clone(), instance));
        }
        cx.tx.delete::<SubnetGroup>(&row.name);
        Ok(())
    }
}
