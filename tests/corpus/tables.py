"""What exists in a cloud, to find what a deleted stack left."""

LISTS = [
    ("ec2", "describe_vpcs", "Vpcs", "VpcId"),
    ("ec2", "describe_subnets", "Subnets", "SubnetId"),
    ("ec2", "describe_route_tables", "RouteTables", "RouteTableId"),
    ("ec2", "describe_network_acls", "NetworkAcls", "NetworkAclId"),
    ("ec2", "describe_internet_gateways", "InternetGateways", "InternetGatewayId"),
    ("ec2", "describe_egress_only_internet_gateways", "EgressOnlyInternetGateways", "EgressOnlyInternetGatewayId"),
    ("ec2", "describe_network_interfaces", "NetworkInterfaces", "NetworkInterfaceId"),
    ("ec2", "describe_security_groups", "SecurityGroups", "GroupId"),
    ("ec2", "describe_addresses", "Addresses", "AllocationId"),
    ("ec2", "describe_vpc_endpoints", "VpcEndpoints", "VpcEndpointId"),
    ("ec2", "describe_flow_logs", "FlowLogs", "FlowLogId"),
    ("ec2", "describe_dhcp_options", "DhcpOptions", "DhcpOptionsId"),
    ("elbv2", "describe_load_balancers", "LoadBalancers", "LoadBalancerArn"),
    ("elbv2", "describe_target_groups", "TargetGroups", "TargetGroupArn"),
    ("ecs", "list_clusters", "clusterArns", None),
    ("ecs", "list_task_definitions", "taskDefinitionArns", None),
    ("rds", "describe_db_instances", "DBInstances", "DBInstanceIdentifier"),
    ("rds", "describe_db_subnet_groups", "DBSubnetGroups", "DBSubnetGroupName"),
    ("rds", "describe_db_parameter_groups", "DBParameterGroups", "DBParameterGroupName"),
    ("s3", "list_buckets", "Buckets", "Name"),
    ("ecr", "describe_repositories", "repositories", "repositoryName"),
    ("cloudfront", "list_distributions", "DistributionList.Items", "Id"),
    ("cloudfront", "list_origin_access_controls", "OriginAccessControlList.Items", "Id"),
    ("route53", "list_hosted_zones", "HostedZones", "Id"),
    ("iam", "list_roles", "Roles", "RoleName"),
    ("iam", "list_users", "Users", "UserName"),
    ("iam", "list_policies", "Policies", "PolicyName"),
    ("logs", "describe_log_groups", "logGroups", "logGroupName"),
    ("secretsmanager", "list_secrets", "SecretList", "Name"),
    ("ssm", "describe_parameters", "Parameters", "Name"),
    ("servicediscovery", "list_namespaces", "Namespaces", "Id"),
    ("acm", "list_certificates", "CertificateSummaryList", "CertificateArn"),
]


def everything(client):
    """The identifiers of all resources as `service:identifier`. `client` makes a client of a service by its name."""
    found = set()
    for service, operation, path, member in LISTS:
        arguments = {"Scope": "Local"} if operation == "list_policies" else {}
        if operation == "describe_db_parameter_groups":
            arguments = {}
        try:
            answer = getattr(client(service), operation)(**arguments)
        except Exception as error:  # a service or operation that this version does not have has no resources
            if is_missing(error):
                continue
            raise
        for name in path.split("."):
            answer = answer.get(name) or []
        for item in answer:
            if operation == "describe_network_acls" and item.get("IsDefault"):
                continue
            if operation == "describe_flow_logs" and item.get("FlowLogStatus") == "DELETED":
                continue
            found.add(f"{service}:{item if member is None else item[member]}")
    for zone in client("route53").list_hosted_zones()["HostedZones"]:
        for record in client("route53").list_resource_record_sets(HostedZoneId=zone["Id"])["ResourceRecordSets"]:
            # The record that validates a certificate stays on AWS, too: the next certificate of the domain needs it.
            if record["Type"] == "CNAME" and record["Name"].startswith("_"):
                continue
            found.add(f"route53:{zone['Id']} {record['Name']} {record['Type']} {record.get('SetIdentifier', '')}".rstrip())
    for cluster in client("ecs").list_clusters()["clusterArns"]:
        for service in client("ecs").list_services(cluster=cluster)["serviceArns"]:
            found.add(f"ecs:{service}")
    return found


def is_missing(error):
    code = getattr(error, "response", {}).get("Error", {}).get("Code", "")
    return code in ("UnknownOperationException", "InvalidAction", "UnknownService", "NotImplemented", "UnrecognizedClientException")
