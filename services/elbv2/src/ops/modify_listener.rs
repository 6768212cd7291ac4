//! <https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_ModifyListener.html>

use crate::{
    Error,
    actions::{self, ActionShape},
    certificates::{self, Asked, CertificateShape},
    choices::Protocol,
    error::invalid,
    network, rules, shapes,
};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::elbv2::{ListenerTls, SslPolicyName};

pub(crate) struct ModifyListener;

#[derive(Wire)]
pub(crate) struct Input {
    listener_arn: String,
    port: Option<u16>,
    protocol: Option<Protocol>,
    certificates: Vec<CertificateShape>,
    ssl_policy: Option<SslPolicyName>,
    default_actions: Vec<ActionShape>,
}

#[derive(Wire)]
pub(crate) struct Output {
    listeners: Vec<shapes::ListenerShape>,
}

impl Operation for ModifyListener {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn resources(input: &Input, _cx: &Cx<'_>) -> Vec<String> {
        vec![input.listener_arn.clone()]
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let mut listener = (*rules::listener(cx, &input.listener_arn)?).clone();
        if let Some(port) = input.port {
            if port == 0 {
                return Err(invalid("Port '0' must be between 1 and 65535"));
            }
            let others = rules::listeners_of(cx.tx, &listener.load_balancer);
            if others.iter().any(|l| l.port == port && l.arn != listener.arn) {
                return Err(Error::DuplicateListener(listener.load_balancer.to_string()));
            }
            listener.port = port;
        }
        let before = cx.tx.get::<ListenerTls>(&listener.arn);
        let kind = network::kind_of_listener(&listener.arn);
        let has_tls = |protocol| network::has_tls(kind, protocol);
        let has_tls = input.protocol.map_or(Ok(before.is_some()), has_tls)?;
        if !input.default_actions.is_empty() {
            listener.default = actions::read(input.default_actions)?;
            let balancer = rules::load_balancer(cx, &listener.load_balancer)?;
            rules::check_forward(cx, &balancer, &listener.default, has_tls)?;
        }
        for action in
            rules::rules_of(cx.tx, &listener.arn).iter().map(|rule| &rule.action).chain([&listener.default])
        {
            rules::check_versions(cx, action, has_tls)?;
        }
        let asked = Asked { certificates: input.certificates, policy: input.ssl_policy };
        if has_tls {
            let tls = certificates::tls(cx, &listener, before.as_deref(), asked)?;
            certificates::check_count(cx, &tls)?;
            cx.tx.put(tls);
        } else {
            certificates::none(&asked)?;
            cx.tx.delete::<ListenerTls>(&listener.arn);
        }
        let shape = shapes::listener(cx.tx, &listener);
        cx.tx.put(listener);
        // The previous action may have been the last one that forwards to a group.
        rules::clean_up_unused_groups(cx.tx);
        Ok(Output { listeners: vec![shape] })
    }
}
