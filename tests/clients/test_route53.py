"""Hosted zones: DNS answers with the records that clients write through the API."""

import socket
import subprocess

import botocore.exceptions
import pytest
import requests

from conftest import eventually


@pytest.fixture
def route53(aws):
    return aws("route53")


@pytest.fixture
def zone(route53, request):
    """The id and name of a new public zone, named after the test (a label has at most 63 bytes)."""
    name = f"{request.node.name.lower().replace('_', '-')}.example."
    made = route53.create_hosted_zone(Name=name, CallerReference=name)
    wait(route53, made)
    zone_id = made["HostedZone"]["Id"].removeprefix("/hostedzone/")
    yield zone_id, name
    sets = route53.list_resource_record_sets(HostedZoneId=zone_id)["ResourceRecordSets"]
    extra = [s for s in sets if not (s["Name"] == name and s["Type"] in ("NS", "SOA"))]
    if extra:
        change(route53, zone_id, *[("DELETE", s) for s in extra])
    route53.delete_hosted_zone(Id=zone_id)


def wait(route53, answer):
    waiter = route53.get_waiter("resource_record_sets_changed")
    waiter.wait(Id=answer["ChangeInfo"]["Id"], WaiterConfig={"Delay": 1, "MaxAttempts": 30})


def change(route53, zone_id, *changes):
    batch = {"Changes": [{"Action": action, "ResourceRecordSet": s} for action, s in changes]}
    answer = route53.change_resource_record_sets(HostedZoneId=zone_id, ChangeBatch=batch)
    wait(route53, answer)
    return answer


def record(name, kind, *values, ttl=60, **more):
    return {"Name": name, "Type": kind, "TTL": ttl, "ResourceRecords": [{"Value": v} for v in values], **more}


def dig(cloud, name, kind="A", *options):
    port = cloud.env["ESCALE_DNS_PORT"]
    done = subprocess.run(
        ["dig", "@127.0.0.1", "-p", port, "+short", "+time=2", "+tries=2", *options, name, kind],
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.split("\n")[:-1]


def refused(call, **kwargs):
    with pytest.raises(botocore.exceptions.ClientError) as error:
        call(**kwargs)
    return error.value.response["Error"]


def refused_change(route53, zone_id, *changes):
    batch = {"Changes": [{"Action": action, "ResourceRecordSet": s} for action, s in changes]}
    return refused(route53.change_resource_record_sets, HostedZoneId=zone_id, ChangeBatch=batch)


def test_records_are_answered_over_udp_and_tcp(cloud, route53, zone):
    zone_id, name = zone
    change(route53, zone_id, ("CREATE", record("www." + name, "A", "192.0.2.1", "192.0.2.2")))
    assert sorted(dig(cloud, "www." + name)) == ["192.0.2.1", "192.0.2.2"]
    assert sorted(dig(cloud, "www." + name, "A", "+tcp")) == ["192.0.2.1", "192.0.2.2"]
    answer = route53.test_dns_answer(HostedZoneId=zone_id, RecordName="www." + name, RecordType="A")
    assert sorted(answer["RecordData"]) == ["192.0.2.1", "192.0.2.2"] and answer["ResponseCode"] == "NOERROR"
    change(route53, zone_id, ("UPSERT", record("www." + name, "A", "192.0.2.3")))
    assert dig(cloud, "www." + name) == ["192.0.2.3"]
    change(route53, zone_id, ("DELETE", record("www." + name, "A", "192.0.2.3")))
    assert dig(cloud, "www." + name) == []


def test_dns_answers_mx_txt_aaaa_cname_and_wildcard_records(cloud, route53, zone):
    zone_id, name = zone
    change(
        route53,
        zone_id,
        ("CREATE", record("mail." + name, "MX", "10 a.example.", "20 b.example.")),
        ("CREATE", record("text." + name, "TXT", '"one" "t\\167o"')),
        ("CREATE", record("six." + name, "AAAA", "2001:db8::1")),
        ("CREATE", record("*.wild." + name, "A", "192.0.2.9")),
        ("CREATE", record("to." + name, "CNAME", "x.wild." + name)),
    )
    assert sorted(dig(cloud, "mail." + name, "MX")) == ["10 a.example.", "20 b.example."]
    assert dig(cloud, "text." + name, "TXT") == ['"one" "two"']
    assert dig(cloud, "six." + name, "AAAA") == ["2001:db8::1"]
    assert dig(cloud, "any.wild." + name) == ["192.0.2.9"]
    assert dig(cloud, "to." + name) == ["x.wild." + name, "192.0.2.9"]


def test_alias_follows_its_target(cloud, route53, zone):
    zone_id, name = zone
    alias = {
        "Name": name,
        "Type": "A",
        "AliasTarget": {"HostedZoneId": zone_id, "DNSName": "www." + name, "EvaluateTargetHealth": False},
    }
    assert "that target was not found" in refused_change(route53, zone_id, ("CREATE", alias))["Message"]
    change(route53, zone_id, ("CREATE", record("www." + name, "A", "192.0.2.1")), ("CREATE", alias))
    assert dig(cloud, name) == ["192.0.2.1"]
    change(route53, zone_id, ("UPSERT", record("www." + name, "A", "192.0.2.7")))
    assert dig(cloud, name) == ["192.0.2.7"]


def test_record_with_weight_zero_is_not_returned(cloud, route53, zone):
    zone_id, name = zone
    members = [("a", 255, "192.0.2.1"), ("b", 0, "192.0.2.2")]
    sets = [record("w." + name, "A", ip, SetIdentifier=i, Weight=w) for i, w, ip in members]
    change(route53, zone_id, *[("CREATE", s) for s in sets])
    assert {tuple(dig(cloud, "w." + name)) for _ in range(8)} == {("192.0.2.1",)}
    simple = refused_change(route53, zone_id, ("CREATE", record("w." + name, "A", "192.0.2.3")))
    assert simple["Code"] == "InvalidChangeBatch" and "other RRSets exist" in simple["Message"]


def test_batch_is_applied_completely_or_not_at_all(route53, zone):
    zone_id, name = zone
    good, bad = record("good." + name, "A", "192.0.2.1"), record("bad." + name, "A", "no address")
    error = refused_change(route53, zone_id, ("CREATE", good), ("CREATE", bad))
    assert error["Code"] == "InvalidChangeBatch" and "ARRDATAIllegalIPv4Address" in error["Message"]
    assert len(route53.list_resource_record_sets(HostedZoneId=zone_id)["ResourceRecordSets"]) == 2


def test_invalid_changes_are_refused_with_reason(route53, zone):
    zone_id, name = zone
    www = record("www." + name, "A", "192.0.2.1")
    change(route53, zone_id, ("CREATE", www))
    for action, bad, expected in [
        ("CREATE", www, "but it already exists"),
        ("DELETE", record("www." + name, "A", "192.0.2.2"), "do not match the current values"),
        ("DELETE", record("no." + name, "A", "192.0.2.2"), "but it was not found"),
        ("CREATE", record("www." + name, "CNAME", "x.example."), "RRSet of type CNAME"),
        ("CREATE", record(name, "CNAME", "x.example."), "not permitted at apex"),
        ("CREATE", record("elsewhere.test.", "A", "192.0.2.1"), "is not permitted in zone"),
        ("CREATE", record("t." + name, "TXT", "bare"), "enclosed in quotation marks"),
        ("CREATE", record("m." + name, "MX", "a.example."), "'preference name' is expected"),
    ]:
        error = refused_change(route53, zone_id, (action, bad))
        assert (error["Code"], expected in error["Message"]) == ("InvalidChangeBatch", True), error
    french = record("f." + name, "A", "192.0.2.1", SetIdentifier="p", GeoLocation={"CountryCode": "FR"})
    error = refused_change(route53, zone_id, ("CREATE", french))
    assert error["Code"] == "NotImplemented" and "GeoLocation" in error["Message"]


def test_record_sets_are_listed_by_reversed_labels(route53, zone):
    zone_id, name = zone
    hosts = ["b.", "a.", "z.a.", "*."]
    change(route53, zone_id, *[("CREATE", record(h + name, "A", "192.0.2.1")) for h in hosts])
    pages = route53.get_paginator("list_resource_record_sets")
    pages = list(pages.paginate(HostedZoneId=zone_id, PaginationConfig={"PageSize": 2}))
    assert len(pages) == 3
    names = [s["Name"].removesuffix(name) for page in pages for s in page["ResourceRecordSets"]]
    assert names == ["", "", "\\052.", "a.", "z.a.", "b."]


def test_hosted_zone_is_described_changed_and_not_created_twice(route53, zone):
    zone_id, name = zone
    change(route53, zone_id, ("CREATE", record("x." + name, "A", "192.0.2.1")))
    assert refused(route53.delete_hosted_zone, Id=zone_id)["Code"] == "HostedZoneNotEmpty"
    got = route53.get_hosted_zone(Id=zone_id)
    assert got["HostedZone"]["ResourceRecordSetCount"] == 3 and got["DelegationSet"]["NameServers"]
    again = refused(route53.create_hosted_zone, Name=name, CallerReference=name)
    assert again["Code"] == "HostedZoneAlreadyExists"
    found = route53.list_hosted_zones_by_name(DNSName=name, MaxItems="1")["HostedZones"]
    assert [z["Name"] for z in found] == [name]
    route53.update_hosted_zone_comment(Id=zone_id, Comment="mine")
    assert route53.get_hosted_zone(Id=zone_id)["HostedZone"]["Config"]["Comment"] == "mine"
    route53.change_tags_for_resource(ResourceType="hostedzone", ResourceId=zone_id, AddTags=[{"Key": "a", "Value": "b"}])
    tags = route53.list_tags_for_resource(ResourceType="hostedzone", ResourceId=zone_id)
    assert tags["ResourceTagSet"]["Tags"] == [{"Key": "a", "Value": "b"}]
    assert refused(route53.get_hosted_zone, Id="ZMISSING")["Code"] == "NoSuchHostedZone"


def test_answers_survive_a_restart(own_cloud):
    route53 = own_cloud.client("route53")
    made = route53.create_hosted_zone(Name="stays.example", CallerReference="1")
    zone_id = made["HostedZone"]["Id"]
    change(route53, zone_id, ("CREATE", record("www.stays.example", "A", "192.0.2.1")))
    own_cloud.escale("stop")
    own_cloud.escale("start")
    eventually(lambda: dig(own_cloud, "www.stays.example") == ["192.0.2.1"])


def test_unknown_host_is_answered_with_404(cloud):
    answer = requests.get(f"http://127.0.0.1:{cloud.env['ESCALE_WEB_PORT']}/", headers={"Host": "absent.localhost"})
    assert answer.status_code == 404 and "absent.localhost" in answer.text


def test_unreachable_address_is_answered_with_502(cloud, route53, zone):
    zone_id, name = zone
    change(route53, zone_id, ("CREATE", record("dead." + name, "A", "198.18.99.99")))
    with socket.create_connection(("127.0.0.1", int(cloud.env["ESCALE_WEB_PORT"])), timeout=20) as client:
        client.sendall(f"GET / HTTP/1.1\r\nHost: dead.{name}\r\n\r\n".encode())
        assert client.recv(4096).startswith(b"HTTP/1.1 502 ")
