//! <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateSecurityGroup.html>

use crate::{Error, choices::ResourceType, default_vpc, initial, rules, shapes};
use escale_base::{Tag, Wire};
use escale_service::{Cx, Operation};
use escale_tables::ec2::{Group, GroupId, Peer, Vpc, VpcId};
use ipnet::Ipv4Net;

pub(crate) struct CreateSecurityGroup;

#[derive(Wire)]
pub(crate) struct Input {
    group_name: String,
    description: String,
    vpc_id: Option<VpcId>,
    tag_specifications: Vec<shapes::TagSpecification>,
}

#[derive(Wire)]
pub(crate) struct Output {
    pub(crate) group_id: GroupId,
    pub(crate) security_group_arn: String,
    pub(crate) tags: Vec<Tag>,
}

impl Operation for CreateSecurityGroup {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let vpc = match input.vpc_id {
            Some(id) => rules::find::<Vpc>(cx, id.as_str())?,
            None => default_vpc::required(cx.tx)?,
        };
        let name = name(input.group_name)?;
        text("groupDescription", &input.description)?;
        if cx.tx.scan::<Group>().any(|g| g.vpc == vpc.id && g.name == name) {
            return Err(Error::DuplicateGroup(name, vpc.id.to_string()));
        }
        let group = Group {
            id: GroupId::random(),
            vpc: vpc.id.clone(),
            name,
            description: input.description,
            tags: shapes::tags_for(&input.tag_specifications, ResourceType::SecurityGroup)?,
        };
        let everywhere = Peer::Cidr(Ipv4Net::default().into());
        // As on AWS, a new group allows all outbound traffic and no inbound traffic.
        cx.tx.put(initial::all_traffic(&group.id, true, everywhere));
        cx.tx.put(group.clone());
        let security_group_arn = shapes::group::arn(cx, &group.id);
        Ok(Output { group_id: group.id, security_group_arn, tags: group.tags })
    }
}

fn name(name: String) -> Result<String, Error> {
    if name.starts_with("sg-") || name.eq_ignore_ascii_case("default") || name.is_empty() {
        let why = "A group's name must not be empty, be 'default' or start with sg-.";
        return Err(Error::invalid("groupName", name, why));
    }
    text("groupName", &name)?;
    Ok(name)
}

/// Accepts what AWS accepts: at most 255 letters, digits, spaces and `._-:/()#,@[]+=&;{}!$*`.
fn text(parameter: &'static str, text: &str) -> Result<(), Error> {
    let good = |c: char| c.is_ascii_alphanumeric() || " ._-:/()#,@[]+=&;{}!$*".contains(c);
    if text.chars().count() > 255 || !text.chars().all(good) {
        let why = "Use at most 255 characters of a-z, A-Z, 0-9, spaces and ._-:/()#,@[]+=&;{}!$*.";
        return Err(Error::invalid(parameter, text, why));
    }
    Ok(())
}
