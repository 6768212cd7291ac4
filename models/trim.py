#!/usr/bin/env python3
"""Makes models/*.json: botocore's API models, cut down to the operations that Escale answers.

    python3 models/trim.py [output-directory]

models/operations.json is {service id: [operation, ...]}: which operations a complete Escale answers. botocore must be
installed at the version pinned below. Of every other operation of these services the name is kept (`others`), and of every
other service its names (models/services.json), so that Escale can say what it does not do. What is
left out: prose, deprecation notes, endpoint rules, waiters, paginators, and every shape that no kept operation reaches.
What is kept is byte-for-byte botocore's wording (Apache-2.0, see NOTICE). The output is deterministic.
"""

import gzip
import json
import os
import sys

PINNED = "1.43.11"

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


def write(path, value, indent=None):
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False, indent=indent)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text + "\n")


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


def main():
    import botocore

    if botocore.__version__ != PINNED:
        sys.exit(f"botocore {botocore.__version__} is installed, the models are made from {PINNED}: "
                 f"pip install botocore=={PINNED}")
    here = os.path.dirname(os.path.abspath(__file__))
    out = sys.argv[1] if len(sys.argv) == 2 else here
    with open(os.path.join(here, "operations.json"), encoding="utf-8") as file:
        operations = json.load(file)
    for service, names in operations.items():
        write(os.path.join(out, f"{service}.json"), trim(model_of(service), names))
    write(os.path.join(out, "services.json"), other_services(operations), indent=0)


if __name__ == "__main__":
    main()
