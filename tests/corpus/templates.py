"""Reads templates, and changes one property of each kind of resource in place."""

import copy
import json
import re

import yaml


class Loader(yaml.SafeLoader):
    """YAML with CloudFormation's short forms."""


def _short(loader, suffix, node):
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        value = loader.construct_mapping(node, deep=True)
    if suffix == "GetAtt" and isinstance(value, str):
        value = value.split(".", 1)
    return {suffix if suffix in ("Ref", "Condition") else f"Fn::{suffix}": value}


Loader.add_multi_constructor("!", _short)
# CloudFormation keeps a date such as 2010-09-09 as text.
Loader.add_constructor("tag:yaml.org,2002:timestamp", lambda loader, node: loader.construct_scalar(node))


def read(text):
    """The template as dicts and lists with the long forms of functions. None if this parser does not accept it."""
    try:
        return json.loads(text)
    except ValueError:
        pass
    try:
        return yaml.load(text, Loader)
    except yaml.YAMLError:
        return None


def replaced(text, by):
    """The template with what its author left to fill in, and public images that no registry here has. `by` maps regular
    expressions to their replacements."""
    total = 0
    for pattern, value in by.items():
        text, count = re.subn(pattern, value, text)
        total += count
    return text, total


def _toggled(value, default=False):
    plain = value if value is not None else default
    return None if isinstance(plain, dict) else str(plain).lower() != "true"


def _other(first, second):
    return lambda value, _: second if value == first else first


def _ingress(value, _):
    rule = {"IpProtocol": "tcp", "FromPort": 4711, "ToPort": 4711, "CidrIp": "10.9.9.0/24", "Description": "added by the update"}
    return [*value, rule] if isinstance(value, list) else None if value else [rule]


def _comment(value, _):
    return {**value, "Comment": "changed in place"} if isinstance(value, dict) else None


def _interval(value, properties):
    """A longer health check interval, which stays above the timeout; an NLB's TCP check has a fixed choice."""
    is_fixed = isinstance(value, dict) or properties.get("Protocol") in ("TCP", "UDP", "TLS")
    return None if is_fixed else int(value or 30) + 1


# type -> (property, its new value from the old one and all properties; None leaves the resource as it is)
IN_PLACE = {
    "AWS::CloudFront::Distribution": ("DistributionConfig", _comment),
    "AWS::EC2::SecurityGroup": ("SecurityGroupIngress", _ingress),
    "AWS::EC2::Subnet": ("MapPublicIpOnLaunch", lambda value, _: _toggled(value)),
    "AWS::EC2::VPC": ("EnableDnsHostnames", lambda value, _: _toggled(value)),
    "AWS::ECR::Repository": ("ImageTagMutability", _other("IMMUTABLE", "MUTABLE")),
    "AWS::ECS::Cluster": ("ClusterSettings", lambda *_: [{"Name": "containerInsights", "Value": "disabled"}]),
    "AWS::ECS::Service": ("DesiredCount", lambda value, _: 2 if value == 1 else 1),
    "AWS::ElasticLoadBalancingV2::TargetGroup": ("HealthCheckIntervalSeconds", _interval),
    "AWS::IAM::Role": ("MaxSessionDuration", _other(7200, 10800)),
    "AWS::Logs::LogGroup": ("RetentionInDays", _other(5, 3)),
    "AWS::RDS::DBInstance": ("BackupRetentionPeriod", _other(3, 4)),
    "AWS::Route53::RecordSet": ("TTL", lambda value, properties: None if "AliasTarget" in properties else "77"),
    "AWS::S3::Bucket": ("VersioningConfiguration", lambda *_: {"Status": "Enabled"}),
    "AWS::SecretsManager::Secret": ("Description", _other("changed in place", "changed in place again")),
}


def changed_in_place(template, created):
    """The template with a change of the first resource of each type of `IN_PLACE`, and the logical ids of these.
    `created` maps the logical ids of the resources that exist to their types."""
    template, touched, types = copy.deepcopy(template), [], set()
    for logical, resource in template["Resources"].items():
        kind = created.get(logical)
        if kind not in IN_PLACE or kind in types or "Fn::Transform" in resource:
            continue
        name, new = IN_PLACE[kind]
        properties = resource.setdefault("Properties", {})
        value = new(properties.get(name), properties)
        if value is None or value == properties.get(name):
            continue
        properties[name] = value
        types.add(kind)
        touched.append(logical)
    return template, touched
