"""SSM Parameter Store."""

import pytest
from botocore.exceptions import ClientError


@pytest.fixture
def ssm(cloud):
    return cloud.client("ssm")


def code(excinfo):
    return excinfo.value.response["Error"]["Code"]


def test_parameter_keeps_its_versions(ssm):
    assert ssm.put_parameter(Name="/v/a", Value="1", Type="String")["Version"] == 1
    with pytest.raises(ClientError) as e:
        ssm.put_parameter(Name="/v/a", Value="2", Type="String")
    assert code(e) == "ParameterAlreadyExists"
    assert ssm.put_parameter(Name="/v/a", Value="2", Overwrite=True)["Version"] == 2
    assert ssm.get_parameter(Name="/v/a")["Parameter"]["Value"] == "2"
    assert ssm.get_parameter(Name="/v/a:1")["Parameter"]["Value"] == "1"
    history = ssm.get_parameter_history(Name="/v/a")["Parameters"]
    assert [p["Value"] for p in history] == ["1", "2"]


def test_parameters_are_listed_by_path_and_in_pages(ssm):
    names = [f"/path/{i:02}" for i in range(13)]
    for name in names:
        ssm.put_parameter(Name=name, Value="x", Type="String")
    pages = ssm.get_paginator("get_parameters_by_path").paginate(Path="/path")
    assert [p["Name"] for page in pages for p in page["Parameters"]] == names
    found = ssm.get_parameters(Names=["/path/00", "/path/none"])
    assert [p["Name"] for p in found["Parameters"]] == ["/path/00"]
    assert found["InvalidParameters"] == ["/path/none"]
    filters = [{"Key": "Name", "Option": "BeginsWith", "Values": ["/path/"]}]
    pages = ssm.get_paginator("describe_parameters").paginate(ParameterFilters=filters)
    assert sum(len(page["Parameters"]) for page in pages) == 13
    assert len(ssm.delete_parameters(Names=names[:10])["DeletedParameters"]) == 10


def test_secure_string_is_returned_only_with_decryption(ssm):
    ssm.put_parameter(Name="sealed", Value="hidden", Type="SecureString")
    assert "hidden" not in ssm.get_parameter(Name="sealed")["Parameter"]["Value"]
    assert ssm.get_parameter(Name="sealed", WithDecryption=True)["Parameter"]["Value"] == "hidden"


def test_errors_name_the_parameter(ssm):
    with pytest.raises(ClientError) as e:
        ssm.get_parameter(Name="/aws/service/canonical/ubuntu")
    assert "/aws/service/canonical/ubuntu" in str(e.value)
    with pytest.raises(ClientError) as e:
        ssm.get_parameter(Name="/none")
    assert code(e) == "ParameterNotFound"
