//! <https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_CreateDBSubnetGroup.html>

use crate::{Error, rules, shapes};
use escale_base::{Tag, Wire};
use escale_service::{Cx, Operation};
use escale_tables::{ec2::SubnetId, rds::SubnetGroup};

pub(crate) struct CreateDBSubnetGroup;

#[derive(Wire)]
pub(crate) struct Input {
    #[wire("DBSubnetGroupName")]
    name: String,
    #[wire("DBSubnetGroupDescription")]
    description: String,
    subnet_ids: Vec<SubnetId>,
    tags: Vec<Tag>,
}

#[derive(Wire)]
pub(crate) struct Output {
    #[wire("DBSubnetGroup")]
    subnet_group: shapes::SubnetGroupShape,
}

impl Operation for CreateDBSubnetGroup {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn resources(input: &Input, cx: &Cx<'_>) -> Vec<String> {
        vec![rules::arn(cx, "subgrp", &input.name)]
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let name = name(&input.name)?;
        if cx.tx.has::<SubnetGroup>(&name) {
            return Err(Error::SubnetGroupExists(name));
        }
        let vpc = rules::subnets(cx.tx, &input.subnet_ids)?;
        let row = SubnetGroup {
            name,
            description: input.description,
            vpc,
            subnets: input.subnet_ids,
            tags: input.tags,
        };
        cx.tx.put(row.clone());
        Ok(Output { subnet_group: shapes::subnet_group(cx, &row) })
    }
}

fn name(text: &str) -> Result<String, Error> {
    let fits = |c: char| c.is_ascii_alphanumeric() || " ._-".contains(c);
    if text.is_empty() || text.len() > 255 || !text.chars().all(fits) || text.eq_ignore_ascii_case("default")
    {
        return Err(Error::Value(format!(
            "DBSubnetGroupName '{text}' must contain no more than 255 letters, numbers, periods, underscores, spaces, or \
             hyphens, and must not be 'default'."
        )));
    }
    Ok(text.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use crate::testing::FakeCloud;
    use serde_json::json;

    #[test]
    fn subnet_group_needs_two_zones() {
        let cloud = FakeCloud::new();
        let make = |subnets: &[&str]| {
            let input =
                json!({"DBSubnetGroupName": "G", "DBSubnetGroupDescription": "g", "SubnetIds": subnets});
            cloud.call("CreateDBSubnetGroup", input)
        };
        assert_eq!(make(&["subnet-a"]).unwrap_err().code, "DBSubnetGroupDoesNotCoverEnoughAZs");
        assert_eq!(make(&["subnet-a", "subnet-x"]).unwrap_err().code, "InvalidSubnet");
        let made = make(&["subnet-a", "subnet-b"]).unwrap();
        assert_eq!(made["DBSubnetGroup"]["DBSubnetGroupName"], "g");
        assert_eq!(make(&["subnet-a", "subnet-b"]).unwrap_err().code, "DBSubnetGroupAlreadyExists");
    }
}
