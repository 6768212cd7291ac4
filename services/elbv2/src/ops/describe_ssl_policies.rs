//! <https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_DescribeSSLPolicies.html>

use crate::{Error, choices::LoadBalancerType, rules, ssl_policies};
use escale_base::{Wire, paging};
use escale_service::{Cx, Operation};
use escale_tables::elbv2::SslPolicyName;

pub(crate) struct DescribeSSLPolicies;

#[derive(Wire)]
pub(crate) struct Input {
    names: Vec<SslPolicyName>,
    marker: Option<String>,
    page_size: Option<usize>,
    load_balancer_type: Option<LoadBalancerType>,
}

#[derive(Wire)]
pub(crate) struct Output {
    ssl_policies: Vec<PolicyShape>,
    next_marker: Option<String>,
}

#[derive(Wire)]
struct PolicyShape {
    name: &'static str,
    ssl_protocols: Vec<&'static str>,
    ciphers: Vec<CipherShape>,
    supported_load_balancer_types: Vec<&'static str>,
}

#[derive(Wire)]
struct CipherShape {
    name: &'static str,
    priority: usize,
}

impl Operation for DescribeSSLPolicies {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn run(_cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        for name in &input.names {
            ssl_policies::named(Some(name))?;
        }
        let is_wanted = |known: &&ssl_policies::Known| {
            let by_name =
                input.names.is_empty() || input.names.iter().any(|name| name.as_str() == known.name);
            by_name && input.load_balancer_type.is_none_or(|kind| kind == LoadBalancerType::Application)
        };
        let mut all: Vec<_> = ssl_policies::ALL.iter().filter(is_wanted).collect();
        all.sort_by_key(|known| known.name);
        let size = rules::page_size(input.page_size)?;
        let page = paging::page(all, |known| known.name.to_owned(), input.marker.as_deref(), size)?;
        Ok(Output { ssl_policies: page.items.into_iter().map(shape).collect(), next_marker: page.next })
    }
}

fn shape(known: &ssl_policies::Known) -> PolicyShape {
    let cipher = |(at, name)| CipherShape { name, priority: at + 1 };
    PolicyShape {
        name: known.name,
        ssl_protocols: known.protocols(),
        ciphers: known.ciphers().into_iter().enumerate().map(cipher).collect(),
        supported_load_balancer_types: vec!["application"],
    }
}
