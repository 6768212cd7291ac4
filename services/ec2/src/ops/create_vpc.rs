//! <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateVpc.html>

use crate::{Error, rules, shapes, status};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::ec2::{Vpc, VpcId};

pub(crate) struct CreateVpc;

#[derive(Wire)]
pub(crate) struct Input {
    cidr_block: Option<String>,
    instance_tenancy: Option<String>,
    tag_specifications: Vec<shapes::TagSpecification>,
}

#[derive(Wire)]
pub(crate) struct Output {
    vpc: shapes::VpcShape,
}

impl Operation for CreateVpc {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let cidr = rules::cidr("cidrBlock", &input.cidr_block.ok_or(Error::Missing("cidrBlock"))?)?;
        if let Some(tenancy) = input.instance_tenancy.filter(|t| t != "default") {
            let why = "Hardware of one's own is the only one there is; 'default' is taken.".to_owned();
            return Err(Error::Invalid { parameter: "instanceTenancy", value: tenancy, why });
        }
        let vpc = Vpc {
            id: VpcId::random(),
            cidr,
            dns_support: true,
            dns_hostnames: false,
            tags: shapes::tags_for(&input.tag_specifications, "vpc"),
            created: cx.now,
        };
        let shape = shapes::vpc(&vpc, status::vpc(cx.tx, &vpc.id), cx.config);
        cx.tx.put(vpc);
        Ok(Output { vpc: shape })
    }
}
