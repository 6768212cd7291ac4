//! <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ReplaceNetworkAclAssociation.html>

use crate::{Error, acls, error::Kind, rules};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::ec2::{NetworkAcl, NetworkAclId, Subnet};

pub(crate) struct ReplaceNetworkAclAssociation;

#[derive(Wire)]
pub(crate) struct Input {
    association_id: String,
    network_acl_id: NetworkAclId,
}

#[derive(Wire)]
pub(crate) struct Output {
    pub(crate) new_association_id: String,
}

impl Operation for ReplaceNetworkAclAssociation {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let old = acls::association(cx.tx, &input.association_id);
        let old = old.ok_or_else(|| Error::NotFound(Kind::NetworkAclAssociation, input.association_id))?;
        let acl = rules::find::<NetworkAcl>(cx, input.network_acl_id.as_str())?;
        let subnet = rules::find::<Subnet>(cx, old.subnet.as_str())?;
        if subnet.vpc != acl.vpc {
            let why = format!("{} and {} belong to different networks", subnet.id, acl.id);
            return Err(Error::WrongVpc(why));
        }
        let new_association_id = acls::associate(cx.tx, &subnet.id, &acl.id).to_string();
        Ok(Output { new_association_id })
    }
}
