//! <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeManagedPrefixLists.html>

use super::describe_prefix_lists::{Input, page};
use crate::{Error, choices::PrefixListState, prefix_lists::PrefixList};
use escale_base::Wire;
use escale_service::{Cx, Operation};

pub(crate) struct DescribeManagedPrefixLists;

#[derive(Wire)]
pub(crate) struct Output {
    prefix_lists: Vec<Shape>,
    next_token: Option<String>,
}

#[derive(Wire)]
pub(crate) struct Shape {
    prefix_list_id: &'static str,
    prefix_list_name: String,
    prefix_list_arn: String,
    address_family: &'static str,
    state: PrefixListState,
    owner_id: &'static str,
}

impl Operation for DescribeManagedPrefixLists {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let (found, next_token) = page(cx, input)?;
        let shape = |l: PrefixList| Shape {
            prefix_list_id: l.id,
            prefix_list_name: l.name,
            prefix_list_arn: format!("arn:aws:ec2:{}:aws:prefix-list/{}", cx.config.region, l.id),
            address_family: "IPv4",
            state: PrefixListState::CreateComplete,
            owner_id: "AWS",
        };
        Ok(Output { prefix_lists: found.into_iter().map(shape).collect(), next_token })
    }
}
