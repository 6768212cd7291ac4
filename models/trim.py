#!/usr/bin/env python3
"""Makes models/*.json: botocore's API models, cut down to the operations that Escale answers; and models/cfn/*.json: the
schemas of CloudFormation's resource types, as the package cfn-lint ships them; and models/iam/managed-policies.json: the AWS
managed policies, as the package moto ships them.

    python3 models/trim.py            # writes the files
    python3 models/trim.py --check    # fails if a file is not what it would write

models/operations.json is {service id: [operation, ...]}: which operations a complete Escale answers. models/types.json is
{service id: [type, ...]}: which resource types. botocore, cfn-lint and moto must be installed at the versions pinned below.
Of every other operation of these services the name is kept (`others`), and of every
other service its names (models/services.json), so that Escale can say what it does not do. What is
left out: prose, deprecation notes, endpoint rules, waiters, paginators, and every shape that no kept operation reaches.
What is kept is byte-for-byte botocore's wording (Apache-2.0, see NOTICE) and that of the public schemas (MIT-0);
the policies are AWS's (moto, Apache-2.0).
The output is deterministic.
"""

import datetime
import gzip
import importlib.metadata
import json
import os
import sys

PINNED = {"botocore": "1.44.8", "cfn-lint": "1.58.0", "moto": "5.2.5"}

METADATA = (
    "apiVersion protocol protocols jsonVersion targetPrefix xmlNamespace endpointPrefix signingName serviceId "
    "globalEndpoint awsQueryCompatible"
).split()
OPERATION = (
    "name http input output errors authtype auth unsignedPayload httpChecksum httpChecksumRequired endpoint "
    "requestcompression"
).split()
DROPPED_OF_SHAPES = {
    "documentation", "deprecated", "deprecatedMessage", "deprecatedSince", "synthetic", "box", "contextParam",
}

# Of a resource type's schema: what says which properties there are, and what an update may change.
SCHEMA = (
    "required readOnlyProperties writeOnlyProperties createOnlyProperties conditionalCreateOnlyProperties primaryIdentifier"
).split()
# Of a property: what its value must look like.
PROPERTY = (
    "$ref type enum enumCaseInsensitive const pattern minLength maxLength minimum maximum minItems maxItems required "
    "additionalProperties"
).split()


def model_of(service):
    """The newest API version of a service in the installed botocore."""
    import botocore

    root = os.path.join(os.path.dirname(botocore.__file__), "data", service)
    newest = os.path.join(root, max(os.listdir(root)))
    plain = os.path.join(newest, "service-2.json")
    packed = not os.path.exists(plain)
    with gzip.open(plain + ".gz", "rt", encoding="utf-8") if packed else open(plain, encoding="utf-8") as file:
        return json.load(file)


def without(d):
    return {k: v for k, v in d.items() if k not in DROPPED_OF_SHAPES}


def trimmed_operation(operation):
    kept = {k: v for k, v in operation.items() if k in OPERATION}
    if "errors" in kept:
        kept["errors"] = [error["shape"] for error in kept["errors"]]
    for side in ("input", "output"):
        if side in kept:
            kept[side] = without(kept[side])
    return kept


def trimmed_shape(shape):
    kept = without(shape)
    for part in ("member", "key", "value"):
        if part in kept:
            kept[part] = without(kept[part])
    if "members" in kept:
        kept["members"] = {name: without(member) for name, member in kept["members"].items()}
    return kept


def references(shape):
    for part in ("member", "key", "value"):
        if part in shape:
            yield shape[part]["shape"]
    for member in shape.get("members", {}).values():
        yield member["shape"]


def other_operations(model, names):
    """The operations that are not kept: their names, and for REST what tells a request of theirs from one of a kept operation."""
    others = sorted(set(model["operations"]) - set(names))
    if not model["metadata"]["protocol"].startswith("rest"):
        return others
    return {name: other_route(model, model["operations"][name]) for name in others}


def other_route(model, operation):
    shape = model["shapes"][operation["input"]["shape"]] if "input" in operation else {}
    members = [shape["members"][name] for name in shape.get("required", [])]
    route = {"http": {k: v for k, v in operation["http"].items() if k in ("method", "requestUri")}}
    for location in ("querystring", "header"):
        demanded = [m["locationName"] for m in members if m.get("location") == location]
        if demanded:
            route[location] = demanded
    return route


def other_services(ours):
    """What recognises a request for any service of AWS that is not among ours."""
    import botocore

    root = os.path.join(os.path.dirname(botocore.__file__), "data")
    listed = []
    for service in sorted(os.listdir(root)):
        versions = os.path.join(root, service)
        if service in ours or not os.path.isdir(versions):
            continue
        metadata = model_of(service)["metadata"]
        entry = {"name": metadata["serviceId"], "version": metadata["apiVersion"], "protocol": metadata["protocol"],
                 "signing": metadata.get("signingName") or metadata["endpointPrefix"],
                 "target": metadata.get("targetPrefix")}
        listed.append({k: v for k, v in entry.items() if v})
    return listed


def text_of(value, indent=None):
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False, indent=indent) + "\n"


def trimmed_property(node):
    """One property, the items of a list, or a definition."""
    kept = {k: node[k] for k in PROPERTY if k in node}
    for part in ("properties", "patternProperties"):
        if part in node:
            kept[part] = {name: trimmed_property(inner) for name, inner in sorted(node[part].items())}
    if "items" in node:
        kept["items"] = trimmed_property(node["items"])
    return kept


def definitions_in(node):
    if isinstance(node, dict):
        if "$ref" in node:
            yield node["$ref"].removeprefix("#/definitions/")
        for inner in node.values():
            yield from definitions_in(inner)


def trimmed_schema(schema):
    """A resource type's schema with the definitions that its properties reach."""
    kept = {k: schema[k] for k in SCHEMA if k in schema}
    kept["properties"] = {name: trimmed_property(p) for name, p in sorted(schema["properties"].items())}
    reached, waiting = {}, list(definitions_in(kept["properties"]))
    while waiting:
        name = waiting.pop()
        if name not in reached:
            reached[name] = trimmed_property(schema["definitions"][name])
            waiting += definitions_in(reached[name])
    kept["definitions"] = dict(sorted(reached.items()))
    return kept


def schemas(types):
    """The schemas of `types`, those of us-east-1, the region that has every type."""
    import cfnlint

    root = os.path.join(os.path.dirname(cfnlint.__file__), "data", "schemas")
    with open(os.path.join(root, "providers", "us-east-1.json"), encoding="utf-8") as file:
        files = json.load(file)
    for name in sorted(types):
        with open(os.path.join(root, "resources", f"{files[name]}.json"), encoding="utf-8") as file:
            yield name, trimmed_schema(json.load(file))


def trim(model, names):
    missing = [name for name in names if name not in model["operations"]]
    if missing:
        sys.exit(f"not in the model of {model['metadata']['serviceId']}: {', '.join(missing)}")
    operations = {name: trimmed_operation(model["operations"][name]) for name in names}
    reached, waiting = {}, []
    for operation in operations.values():
        waiting += [operation[side]["shape"] for side in ("input", "output") if side in operation]
        waiting += operation.get("errors", [])
    while waiting:
        name = waiting.pop()
        if name not in reached:
            reached[name] = trimmed_shape(model["shapes"][name])
            waiting += references(reached[name])
    metadata = {k: v for k, v in model["metadata"].items() if k in METADATA}
    others = other_operations(model, names)
    return {"metadata": metadata, "operations": operations, "others": others, "shapes": dict(sorted(reached.items()))}


def managed_policies():
    """The AWS managed policies in the order of their names, a line each."""
    from moto.iam.aws_managed_policies import aws_managed_policies_data

    def seconds(date):
        return int(datetime.datetime.fromisoformat(date).timestamp())

    policies = json.loads(aws_managed_policies_data)
    for name, policy in sorted(policies.items()):
        yield text_of({"Name": name, "Path": policy["Path"], "DefaultVersionId": policy["DefaultVersionId"],
                       "CreateDate": seconds(policy["CreateDate"]), "UpdateDate": seconds(policy["UpdateDate"]),
                       "Document": policy["Document"]}).rstrip()


def everything(here):
    """Every file, by its path below models/."""
    with open(os.path.join(here, "operations.json"), encoding="utf-8") as file:
        operations = json.load(file)
    for service, names in operations.items():
        yield f"{service}.json", text_of(trim(model_of(service), names))
    yield "services.json", text_of(other_services(operations), indent=0)
    yield "iam/managed-policies.json", "[\n" + ",\n".join(managed_policies()) + "\n]\n"
    with open(os.path.join(here, "types.json"), encoding="utf-8") as file:
        types = json.load(file)
    for service, names in types.items():
        # A type a line: a newer schema shows in the difference as the type that changed.
        yield f"cfn/{service}.json", text_of(dict(schemas(names)), indent=None).replace(',"AWS::', ',\n"AWS::')


def main():
    for package, pinned in PINNED.items():
        installed = importlib.metadata.version(package)
        if installed != pinned:
            sys.exit(f"{package} {installed} is installed, the models are made from {pinned}: pip install {package}=={pinned}")
    here = os.path.dirname(os.path.abspath(__file__))
    check = sys.argv[1:] == ["--check"]
    if sys.argv[1:] and not check:
        sys.exit(__doc__)
    stale = []
    for name, text in everything(here):
        path = os.path.join(here, name)
        if not check:
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "w", encoding="utf-8") as file:
                file.write(text)
        elif not os.path.exists(path) or open(path, encoding="utf-8").read() != text:
            stale.append(name)
    if stale:
        sys.exit(f"not as trim.py makes them: {', '.join(stale)}. Run `cargo xtask models`.")


if __name__ == "__main__":
    main()
