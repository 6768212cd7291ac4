"""The history of concurrent clients of a database, and its check, in the manner of Jepsen. Pure: no clock, no database.

A history is a list of events, one for each line that `database_client.py history` wrote:

- `["invoke", client, value, at]`, then `["ok" | "failed" | "unknown", client, value, at]`: a client wrote a value that no other
  write has. Without a second event the outcome is unknown. A failed write has certainly no effect.
- `["read", client, begun, ended, floor, ranges]`: a client read all values from `floor` upwards, here as ranges of consecutive ones.

Sets of values are the bits of one integer, so that thousands of reads of thousands of values are compared at once.
"""

import collections


def check(events, rows):
    """The violations, by kind; each list is empty if the database kept its promises. `rows` are the values at the end."""
    writes = [e for e in events if e[0] != "read"]
    base = min([e[2] for e in writes] + list(rows), default=0)
    invoked = bits((e[2] for e in writes if e[0] == "invoke"), base)
    acknowledged = bits((e[2] for e in writes if e[0] == "ok"), base)
    failed = bits((e[2] for e in writes if e[0] == "failed"), base)
    there = bits(rows, base)
    stale, vanished, dirty = reads(events, base, invoked & ~failed)
    return {
        # Acknowledged, and not there.
        "lost": values(acknowledged & ~there, base),
        "twice": sorted(value for value, count in collections.Counter(rows).items() if count > 1),
        # There, although no client wrote it, or although its write failed.
        "invented": values(there & ~invoked, base),
        "undead": values(there & failed, base),
        # Not in a read that began after its acknowledgement.
        "stale": stale,
        # Not in a read that began after another read had returned it: reads went back.
        "vanished": vanished,
        # In a read, although no client wrote it, or although its write failed, or twice.
        "dirty": dirty,
    }


def reads(events, base, possible):
    """What reads lacked and what they had too much, as `[client, begun, values]`."""
    moments = []
    for number, event in enumerate(events):
        if event[0] == "read":
            _, _, begun, ended, *_ = event
            moments += [(begun, 0, number), (ended, 1, number)]
        elif event[0] == "ok":
            moments.append((event[3], 1, number))
    # A read that begins at the very moment of an acknowledgement need not have it.
    moments.sort()
    known = seen = 0
    required, stale, vanished, dirty = {}, [], [], []
    for _, is_end, number in moments:
        event = events[number]
        if event[0] == "ok":
            known |= 1 << (event[2] - base)
        elif not is_end:
            required[number] = (known, seen)
        else:
            _, client, begun, _, floor, found = event
            result, count = 0, 0
            for first, last in found:
                result |= ((1 << (last - first + 1)) - 1) << (first - base)
                count += last - first + 1
            before, returned = required.pop(number)
            asked = -1 << max(0, floor - base)
            for report, missing in ((stale, before & ~result & asked), (vanished, returned & ~before & ~result & asked)):
                if missing:
                    report.append([client, begun, values(missing, base)])
            if result & ~possible or count != result.bit_count():
                dirty.append([client, begun, values(result & ~possible, base)])
            seen |= result
    return stale, vanished, dirty


def outcomes(events):
    """How many writes were acknowledged, failed and are unknown, and how many reads there were."""
    counts = collections.Counter(e[0] for e in events)
    unknown = counts["invoke"] - counts["ok"] - counts["failed"]
    return {"acknowledged": counts["ok"], "failed": counts["failed"], "unknown": unknown, "reads": counts["read"]}


def bits(numbers, base):
    numbers = [n - base for n in numbers]
    field = bytearray(max(numbers, default=0) // 8 + 1)
    for n in numbers:
        field[n // 8] |= 1 << (n % 8)
    return int.from_bytes(field, "little")


def values(bitset, base):
    found = []
    while bitset:
        lowest = bitset & -bitset
        found.append(lowest.bit_length() - 1 + base)
        bitset ^= lowest
    return found
