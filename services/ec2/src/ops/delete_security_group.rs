//! <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DeleteSecurityGroup.html>

use crate::{Error, permissions, rules, shapes};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::ec2::{Group, GroupId, GroupRule};

pub(crate) struct DeleteSecurityGroup;

#[derive(Wire)]
pub(crate) struct Input {
    group_id: Option<GroupId>,
    group_name: Option<String>,
}

#[derive(Wire)]
pub(crate) struct Output {
    #[wire("Return")]
    done: bool,
    group_id: GroupId,
}

impl Operation for DeleteSecurityGroup {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let group = rules::group(cx, input.group_id, input.group_name)?;
        if group.name == "default" {
            return Err(Error::CannotDelete(format!(
                "the specified group: \"{}\" name: \"default\" cannot be deleted by a user",
                group.id
            )));
        }
        let users = permissions::users_of(cx, &group.id);
        if !users.is_empty() {
            return Err(Error::InUse(format!(
                "resource {} has a dependent object: {}",
                group.id,
                users.join(", ")
            )));
        }
        for rule in shapes::group::rules(cx, &group.id) {
            cx.tx.delete::<GroupRule>(&format!("{}/{}", rule.group, rule.id));
        }
        cx.tx.delete::<Group>(group.id.as_str());
        Ok(Output { done: true, group_id: group.id.clone() })
    }
}
