"""Two days of the past, with three mistakes in their statements: found as what they are, and nothing else.

`make month` is the same with every mistake there is, in every channel, and with people who repair it.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.month.books import compared, profit_by_ledger, profit_by_truth
from bench.month.judge import judge
from bench.month.living import Days
from bench.month.planting import planted
from bench.month.statements import bring_in
from bench.month.world import Month

pytestmark = [pytest.mark.stack]


@pytest.fixture
def month(tmp_path: Path) -> Iterator[Month]:
    made = Month(tmp_path / "data", days=2, seed=1)
    try:
        made.start()
        yield made
    finally:
        made.stack.stop()


def test_three_mistakes_are_found_and_nothing_else(month: Month) -> None:
    Days(month, 4, methods=("wechat_pay", "bank_transfer")).live()
    first, second = (day.isoformat() for day in month.days)
    # Whatever these make of it, our books stay what the world is.
    for day, kind, file in ((first, "amount", ""), (first, "truncated", "trade"), (second, "duplicate", "")):
        wish = {"channel": "wechat", "day": day, "kind": kind, "file": file}
        month.control("POST", "statements/faults", wish)
    faults = planted(month)

    bring_in(month, faults)

    verdict = judge(month, faults)
    assert [(row[1], row[3]) for row in verdict.table] == [
        ("amount", "amount"),
        ("truncated", "refused"),
        ("duplicate", "duplicate"),
    ]
    assert (verdict.missed, verdict.beyond) == ([], [])
    assert compared(month) == []
    assert profit_by_ledger(month) == profit_by_truth(month)
    assert month.stack.verify()["ok"]
