//! <https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_DeleteLoadBalancer.html>

use crate::{Error, attributes, nodes, rules};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::elbv2::{LoadBalancer, LoadBalancerName};

pub(crate) struct DeleteLoadBalancer;

#[derive(Wire)]
pub(crate) struct Input {
    load_balancer_arn: String,
}

impl Operation for DeleteLoadBalancer {
    type Input = Input;
    type Output = ();
    type Error = Error;

    fn resources(input: &Input, _cx: &Cx<'_>) -> Vec<String> {
        vec![input.load_balancer_arn.clone()]
    }

    /// Also deletes the listeners and rules. Deleting a load balancer that does not exist succeeds, as on AWS.
    fn run(cx: &mut Cx<'_>, input: Input) -> Result<(), Error> {
        let Some(balancer) = cx.tx.get::<LoadBalancer>(&input.load_balancer_arn) else { return Ok(()) };
        let key = "deletion_protection.enabled";
        if attributes::get(attributes::of_balancer(balancer.kind), &balancer.attributes, key) == "true" {
            return Err(Error::NotPermitted(format!(
                "Load balancer '{}' cannot be deleted because deletion protection is enabled",
                balancer.arn
            )));
        }
        for listener in rules::listeners_of(cx.tx, &balancer.arn) {
            rules::delete_listener(cx.tx, &listener.arn);
        }
        cx.tx.delete::<LoadBalancer>(&balancer.arn);
        cx.tx.delete::<LoadBalancerName>(&balancer.dns_name);
        for node in &balancer.nodes {
            nodes::release(cx, node)?;
        }
        rules::clean_up_unused_groups(cx.tx);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::FakeCloud;
    use serde_json::json;

    #[test]
    fn deletion_protection_prevents_deletion() {
        let cloud = FakeCloud::new();
        let arn = cloud.balancer("web");
        let protect = |value: &str| {
            let attributes = json!([{"Key": "deletion_protection.enabled", "Value": value}]);
            let input = json!({"LoadBalancerArn": arn, "Attributes": attributes});
            cloud.ok("ModifyLoadBalancerAttributes", input);
        };
        protect("true");
        let delete = json!({"LoadBalancerArn": arn});
        assert_eq!(cloud.error("DeleteLoadBalancer", delete.clone()).code, "OperationNotPermitted");
        protect("false");
        cloud.ok("DeleteLoadBalancer", delete.clone());
        cloud.ok("DeleteLoadBalancer", delete);
    }
}
