//! <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ModifyVpcAttribute.html>

use crate::{Error, rules, shapes::Flag};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::ec2::{Vpc, VpcId};

pub(crate) struct ModifyVpcAttribute;

#[derive(Wire)]
pub(crate) struct Input {
    vpc_id: VpcId,
    enable_dns_support: Option<Flag>,
    enable_dns_hostnames: Option<Flag>,
}

impl Operation for ModifyVpcAttribute {
    type Input = Input;
    type Output = ();
    type Error = Error;

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<(), Error> {
        let mut vpc = rules::find::<Vpc>(cx, input.vpc_id.as_str())?.as_ref().clone();
        let (support, hostnames) =
            (Flag::requested(&input.enable_dns_support), Flag::requested(&input.enable_dns_hostnames));
        match (support, hostnames) {
            (None, None) => return Err(Error::Missing("enableDnsSupport or enableDnsHostnames")),
            (Some(_), Some(_)) => {
                let why = "Fields for multiple attribute types specified. Set one attribute per call.";
                return Err(Error::Combination(why.into()));
            }
            _ => {}
        }
        vpc.dns_support = support.unwrap_or(vpc.dns_support);
        vpc.dns_hostnames = hostnames.unwrap_or(vpc.dns_hostnames);
        cx.tx.put(vpc);
        Ok(())
    }
}
