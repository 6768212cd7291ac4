#!/usr/bin/env python3
"""Makes suite/*.json from botocore's own protocol tests (Apache-2.0, see NOTICE), without their prose.

    pip download --no-binary :all: --no-deps botocore==1.43.11 && tar xzf botocore-1.43.11.tar.gz
    python3 suite/make.py botocore-1.43.11/tests/unit/protocols

The cases are for a client: the request that it sends for given parameters, and the result that it reads from a given
answer. `it/suite.rs` uses them for the server.
"""

import json
import os
import sys

FILES = {
    "query": ["query"],
    "ec2": ["ec2"],
    "json": ["json", "json_1_0", "json_1_0-query-compatible"],
    "rest-xml": ["rest-xml"],
    "smithy-rpc-v2-cbor": [
        "smithy-rpc-v2-cbor", "smithy-rpc-v2-cbor-query-compatible", "smithy-rpc-v2-cbor-non-query-compatible",
    ],
}
PROSE = {"documentation", "description", "clientEndpoint"}


def trimmed(value):
    if isinstance(value, dict):
        return {k: trimmed(v) for k, v in value.items() if not (k in PROSE and isinstance(v, str))}
    if isinstance(value, list):
        return [trimmed(v) for v in value]
    return value


def main():
    out = os.path.dirname(os.path.abspath(__file__))
    for protocol, names in FILES.items():
        sides = {side: [] for side in ("input", "output")}
        for side, suites in sides.items():
            for name in names:
                with open(os.path.join(sys.argv[1], side, name + ".json"), encoding="utf-8") as file:
                    suites += [trimmed(suite) for suite in json.load(file)]
        with open(os.path.join(out, protocol + ".json"), "w", encoding="utf-8") as file:
            json.dump(sides, file, separators=(",", ":"), ensure_ascii=False)
            file.write("\n")


if __name__ == "__main__":
    main()
