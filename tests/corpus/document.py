"""Writes the results of `run.py --results` into the table of docs/compatibility.md.

    python tests/corpus/document.py RESULTS.json...
"""

import json
import pathlib
import re
import sys

DOCUMENT = pathlib.Path(__file__).resolve().parents[2] / "docs/compatibility.md"
HEAD = "| repository | path | resources | check | created | updated | deleted | what is missing, or was replaced |"
ROW = re.compile(r"\| (?P<repository>\S+)@(?P<commit>\w+) \| (?P<path>.+?) \| (?P<resources>\d+) \|")


def short(why):
    """The types and properties that the check refuses, without the reasons; or the first reason of a failure, in short."""
    parts = [part.split(":  ")[0] for part in why.split("; ")]
    names = [re.match(r"(AWS::[\w:]+\w)( [\w/]+)?", part) for part in parts]
    if names and all(names):
        return ", ".join(dict.fromkeys(f"`{m[1]}`{m[2] or ''}".replace("` ", "`: ") for m in names[:4])) + (", …" if len(names) > 4 else "")
    return re.sub(r"\s+", " ", why).replace("|", "/")[:160]


def line(row, match):
    note = short(row["why"]) if row["why"] else ", ".join(n for n in row["notes"] if "replaced" in n)
    cells = [f"{match['repository']}@{match['commit']}", match["path"], match["resources"], row["check"], row["created"], row["updated"], row["deleted"], note]
    return f"| {' | '.join(cells)} |".replace("|  |", "| |").replace("|  |", "| |")


def main():
    rows = {r["template"]: r for name in sys.argv[1:] for r in json.loads(pathlib.Path(name).read_text())}
    lines, used = [], 0
    for text in DOCUMENT.read_text().splitlines():
        match = ROW.match(text)
        row = match and rows.get(f"{match['repository']}/{match['path']}")
        if text.startswith("| repository | path |"):
            lines.append(HEAD)
        elif lines and lines[-1] == HEAD:
            lines.append("| --- " * HEAD.count(" |") + "|")
        elif row:
            lines.append(line(row, match))
            used += 1
        else:
            lines.append(text)
    DOCUMENT.write_text("\n".join(lines) + "\n")
    done = [sum(r[c] in ("yes", "passes") for r in rows.values()) for c in ("check", "created", "updated", "deleted")]
    print(f"{used} of {len(rows)} rows: {done[0]} pass the check, {done[1]} created, {done[2]} updated, {done[3]} deleted")


if __name__ == "__main__":
    main()
