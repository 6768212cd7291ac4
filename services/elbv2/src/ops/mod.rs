//! The operations of Elastic Load Balancing, one per line.

escale_service::operations! { "elbv2";
    AddListenerCertificates => add_listener_certificates,
    AddTags => add_tags,
    CreateListener => create_listener,
    CreateLoadBalancer => create_load_balancer,
    CreateRule => create_rule,
    CreateTargetGroup => create_target_group,
    DeleteListener => delete_listener,
    DeleteLoadBalancer => delete_load_balancer,
    DeleteRule => delete_rule,
    DeleteTargetGroup => delete_target_group,
    DeregisterTargets => deregister_targets,
    DescribeAccountLimits => describe_account_limits,
    DescribeListenerCertificates => describe_listener_certificates,
    DescribeListeners => describe_listeners,
    DescribeLoadBalancerAttributes => describe_load_balancer_attributes,
    DescribeLoadBalancers => describe_load_balancers,
    DescribeRules => describe_rules,
    DescribeSSLPolicies => describe_ssl_policies,
    DescribeTags => describe_tags,
    DescribeTargetGroupAttributes => describe_target_group_attributes,
    DescribeTargetGroups => describe_target_groups,
    DescribeTargetHealth => describe_target_health,
    ModifyListener => modify_listener,
    ModifyLoadBalancerAttributes => modify_load_balancer_attributes,
    ModifyRule => modify_rule,
    ModifyTargetGroup => modify_target_group,
    ModifyTargetGroupAttributes => modify_target_group_attributes,
    RegisterTargets => register_targets,
    RemoveListenerCertificates => remove_listener_certificates,
    RemoveTags => remove_tags,
    SetRulePriorities => set_rule_priorities,
    SetSecurityGroups => set_security_groups,
    SetSubnets => set_subnets,
}

#[cfg(test)]
mod tests {
    #[test]
    fn operations_have_the_members_of_the_model() {
        let model = escale_model::service("elbv2").unwrap();
        let mut faults = Vec::new();
        for entry in super::all() {
            let operation = model.operation(entry.name).unwrap();
            for (shape, fields) in [(operation.input, entry.input), (operation.output, entry.output)] {
                let found = shape.map(|shape| escale_wire::check_fields(model, shape, fields));
                faults.extend(found.into_iter().flatten().map(|fault| format!("{}: {fault}", entry.name)));
            }
        }
        assert_eq!(faults, Vec::<String>::new());
    }
}
