//! <https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_CreateListener.html>

use crate::{
    Error,
    actions::{self, ActionShape},
    certificates::{self, Asked, CertificateShape},
    choices::Protocol,
    error::{TooMany, invalid},
    network, rules, shapes,
};
use escale_base::{Tag, Wire, ids};
use escale_service::{Cx, Operation};
use escale_tables::elbv2::{Listener, ListenerTls, SslPolicyName};

pub(crate) struct CreateListener;

#[derive(Wire)]
pub(crate) struct Input {
    load_balancer_arn: String,
    protocol: Option<Protocol>,
    port: Option<u16>,
    default_actions: Vec<ActionShape>,
    certificates: Vec<CertificateShape>,
    ssl_policy: Option<SslPolicyName>,
    tags: Vec<Tag>,
}

#[derive(Wire)]
pub(crate) struct Output {
    pub(crate) listeners: Vec<shapes::ListenerShape>,
}

/// AWS's quota of listeners on a load balancer.
const LISTENERS: usize = 50;

impl Operation for CreateListener {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn resources(input: &Input, _cx: &Cx<'_>) -> Vec<String> {
        vec![input.load_balancer_arn.clone()]
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let balancer = rules::load_balancer(cx, &input.load_balancer_arn)?;
        let protocol = input.protocol.ok_or_else(|| invalid("A protocol must be specified"))?;
        let has_tls = network::has_tls(balancer.kind, protocol)?;
        let port = input.port.filter(|p| *p > 0).ok_or_else(|| invalid("A port must be specified"))?;
        rules::tags(&input.tags)?;
        let default = actions::read(input.default_actions)?;
        rules::check_forward(cx, &balancer, &default, has_tls)?;
        let others = rules::listeners_of(cx.tx, &balancer.arn);
        if let Some(same) = others.iter().find(|l| l.port == port) {
            // Creation is idempotent: a repeated request gets the same listener.
            if same.default == default && cx.tx.has::<ListenerTls>(&same.arn) == has_tls {
                return Ok(Output { listeners: vec![shapes::listener(cx.tx, same)] });
            }
            return Err(Error::DuplicateListener(balancer.arn.to_string()));
        }
        if others.len() >= LISTENERS {
            return Err(Error::TooMany(TooMany::Listeners));
        }
        let listener = Listener {
            arn: format!(
                "{}/{}",
                balancer.arn.replacen(":loadbalancer/", ":listener/", 1),
                ids::random_hex(16)
            )
            .into(),
            load_balancer: balancer.arn.clone(),
            port,
            default,
            tags: input.tags,
            created: cx.now,
        };
        let asked = Asked { certificates: input.certificates, policy: input.ssl_policy };
        if has_tls {
            let tls = certificates::tls(cx, &listener, None, asked)?;
            cx.tx.put(tls);
        } else {
            certificates::none(&asked)?;
        }
        let shape = shapes::listener(cx.tx, &listener);
        cx.tx.put(listener);
        Ok(Output { listeners: vec![shape] })
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::FakeCloud;
    use serde_json::json;

    #[test]
    fn refuses_invalid_and_unsupported_listeners() {
        let cloud = FakeCloud::new();
        let (arn, other) = (cloud.balancer("web"), cloud.balancer("other"));
        let group = cloud.group("web");
        let forward = json!([{"Type": "forward", "TargetGroupArn": group}]);
        cloud.ok(
            "CreateListener",
            json!({"LoadBalancerArn": arn, "Protocol": "HTTP", "Port": 80, "DefaultActions": forward}),
        );
        for (change, code) in [
            (json!({"Protocol": "HTTPS"}), "CertificateNotFound"),
            (json!({"Protocol": "TCP"}), "UnsupportedProtocol"),
            (json!({"Port": 80}), "DuplicateListener"),
            (json!({"LoadBalancerArn": other, "DefaultActions": forward}), "TargetGroupAssociationLimit"),
            (json!({"LoadBalancerArn": "arn:nope"}), "LoadBalancerNotFound"),
            (json!({"DefaultActions": []}), "TooManyActions"),
            (
                json!({"DefaultActions": [{"Type": "forward", "TargetGroupArn": "arn:no"}]}),
                "TargetGroupNotFound",
            ),
            (json!({"DefaultActions": [{"Type": "authenticate-oidc"}]}), "NotImplemented"),
            (
                json!({"DefaultActions": [{"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "302"}}]}),
                "ValidationError",
            ),
            (
                json!({"DefaultActions": [{"Type": "redirect", "RedirectConfig": {"StatusCode": "HTTP_301"}}]}),
                "InvalidLoadBalancerAction",
            ),
            (json!({"Certificates": [{"CertificateArn": "arn:x"}]}), "ValidationError"),
            (json!({"AlpnPolicy": ["HTTP2Only"]}), "NotImplemented"),
        ] {
            let fixed = json!([{"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "404"}}]);
            let mut input =
                json!({"LoadBalancerArn": arn, "Protocol": "HTTP", "Port": 81, "DefaultActions": fixed});
            input.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
            assert_eq!(cloud.error("CreateListener", input).code, code, "{change}");
        }
        assert_eq!(cloud.error("DeleteTargetGroup", json!({"TargetGroupArn": group})).code, "ResourceInUse");
    }
}
