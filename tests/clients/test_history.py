"""The check of histories finds each kind of violation, and only that."""

import pytest

import history
from database_client import ranges


def write(value, begun, ended, outcome="ok", client=0):
    return [["invoke", client, value, begun], [outcome, client, value, ended]]


def read(begun, ended, values, floor=0, client=9):
    return ["read", client, begun, ended, floor, ranges(values)]


ONE = write(5, 1, 2)
CASES = {
    "an acknowledged row that is there": (ONE, [5], {}),
    "an acknowledged row that is missing": (ONE, [], {"lost": [5]}),
    "a row that is there twice": (ONE, [5, 5], {"twice": [5]}),
    "a row that was never written": (ONE, [5, 7], {"invented": [7]}),
    "an unknown write that took effect": (write(5, 1, 2, "unknown"), [5], {}),
    "an unknown write that took no effect": (write(5, 1, 2, "unknown"), [], {}),
    "a write without an end": (write(5, 1, 2)[:1], [5], {}),
    "a failed write": (write(5, 1, 2, "failed"), [], {}),
    "a failed write that took effect": (write(5, 1, 2, "failed"), [5], {"undead": [5]}),
    "a read after the acknowledgement": ([*ONE, read(3, 4, [5])], [5], {}),
    "a read that lacks an acknowledged row": ([*ONE, read(3, 4, [])], [5], {"stale": [[9, 3, [5]]]}),
    "a read that began before the acknowledgement": ([*ONE, read(1.5, 4, [])], [5], {}),
    "a read of newer rows only": ([*ONE, read(3, 4, [], floor=6)], [5], {}),
    "a read that lacks what an earlier one returned": (
        [*write(5, 1, 2, "unknown"), read(3, 4, [5]), read(5, 6, [])], [], {"vanished": [[9, 5, [5]]]},
    ),
    "two reads at the same time": ([*write(5, 1, 9, "unknown"), read(3, 6, [5]), read(5, 7, [])], [5], {}),
    "a read of a row that was never written": ([*ONE, read(3, 4, [5, 8])], [5], {"dirty": [[9, 3, [8]]]}),
    "a read of a failed write": ([*write(5, 1, 2, "failed"), read(3, 4, [5])], [], {"dirty": [[9, 3, [5]]]}),
    "a read of a row twice": ([*ONE, read(3, 4, [5, 5])], [5], {"dirty": [[9, 3, []]]}),
    "no event at all": ([], [], {}),
    "a later event that is recorded first": ([read(3, 4, [5]), *ONE], [5], {}),
}


@pytest.mark.parametrize("name", CASES)
def test_check_finds_violation(name):
    events, rows, expected = CASES[name]
    found = history.check(events, rows)
    assert {kind: list_ for kind, list_ in found.items() if list_} == expected


def test_long_histories_are_checked():
    base = 3_000_000
    events = [e for n in range(base, base + 20_000) for e in write(n, n, n + 0.5)]
    events += [read(n + 0.6, n + 0.7, range(base, n + 1)) for n in range(base, base + 20_000, 50)]
    rows = [n for n in range(base, base + 20_000) if n != base + 777]
    assert history.check(events, rows)["lost"] == [base + 777]


def test_outcomes_are_counted():
    events = [*write(1, 1, 2), *write(2, 1, 2, "unknown"), *write(3, 1, 2, "failed"), ["invoke", 0, 4, 3], read(1, 2, [])]
    assert history.outcomes(events) == {"acknowledged": 1, "failed": 1, "unknown": 2, "reads": 1}
