//! <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateNetworkAcl.html>

use crate::{Error, choices::ResourceType, rules, shapes};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::ec2::{NetworkAcl, NetworkAclId, Vpc, VpcId};

pub(crate) struct CreateNetworkAcl;

#[derive(Wire)]
pub(crate) struct Input {
    vpc_id: VpcId,
    client_token: Option<String>,
    tag_specifications: Vec<shapes::TagSpecification>,
}

#[derive(Wire)]
pub(crate) struct Output {
    pub(crate) network_acl: shapes::network_acl::AclShape,
    client_token: Option<String>,
}

impl Operation for CreateNetworkAcl {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let vpc = rules::find::<Vpc>(cx, input.vpc_id.as_str())?;
        let acl = NetworkAcl {
            id: NetworkAclId::random(),
            vpc: vpc.id.clone(),
            default: false,
            // Only the last entry of every ACL, which denies all.
            entries: Vec::new(),
            tags: shapes::tags_for(&input.tag_specifications, ResourceType::NetworkAcl)?,
        };
        let network_acl = shapes::network_acl::acl(cx, &acl);
        cx.tx.put(acl);
        Ok(Output { network_acl, client_token: input.client_token })
    }
}
