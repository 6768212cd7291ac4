//! <https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateUser.html>

use crate::{Error, entity, shapes};
use escale_base::{AwsError, Tag, Wire, ids};
use escale_service::{Cx, Operation};
use escale_tables::iam::{User, UserId, UserName};

pub(crate) struct CreateUser;

#[derive(Wire)]
pub(crate) struct Input {
    user_name: UserName,
    path: Option<String>,
    permissions_boundary: Option<String>,
    tags: Vec<Tag>,
}

#[derive(Wire)]
pub(crate) struct Output {
    pub(crate) user: shapes::UserShape,
}

impl Operation for CreateUser {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn resources(input: &Input, cx: &Cx<'_>) -> Vec<String> {
        let path = input.path.as_deref().unwrap_or("/");
        vec![format!("arn:aws:iam::{}:user{path}{}", cx.config.account, input.user_name)]
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        entity::must_be_new::<User>(cx.tx, &input.user_name)?;
        if let Some(boundary) = input.permissions_boundary {
            return Err(AwsError::not_supported(format_args!("The permissions boundary {boundary}")).into());
        }
        let mut tags = Vec::new();
        entity::add_tags(&mut tags, input.tags)?;
        let user = User {
            name: input.user_name,
            id: UserId(format!("AIDA{}", ids::random_upper(17))),
            path: entity::path(input.path)?,
            inline: Default::default(),
            attached: Vec::new(),
            tags,
            created: cx.now,
        };
        let shape = shapes::user(&user, cx.config);
        cx.tx.put(user);
        Ok(Output { user: shape })
    }
}
