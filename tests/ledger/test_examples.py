"""The worked examples of docs/ledger.md: the postings in their order, then the balances that the page promises."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from django.db import transaction

from ledger import selectors
from ledger.errors import Refusal
from ledger.facts import Entry, Posting
from ledger.money import Money
from ledger.services.close_day import close_day
from ledger.services.exchange import exchange
from ledger.services.post import post
from ledger.services.post_many import post_many
from ledger.services.record_rate import record_rate
from ledger.services.reverse import reverse
from tests.house.rules import ROOT

pytestmark = pytest.mark.django_db(transaction=True)


@dataclass
class Example:
    title: str
    postings: list[tuple[str, list[Entry]]] = field(default_factory=list)
    balances: list[tuple[str, date | None, Money]] = field(default_factory=list)


def _page() -> str:
    return (ROOT / "docs" / "ledger.md").read_text(encoding="utf-8")


def _examples() -> list[Example]:
    found: list[Example] = []
    for line in _page().split("## Examples")[1].split("\n## ")[0].split("\n"):
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("### "):
            found.append(Example(line.removeprefix("### ")))
        elif len(cells) == 4 and re.search(r"\d", line):
            _add_entry(found[-1], *cells)
        elif len(cells) == 2 and re.search(r"\d", line):
            account, _, day = cells[0].partition(" at the end of ")
            found[-1].balances.append((account, date.fromisoformat(day) if day else None, _money(cells[1])))
    return found


def _add_entry(example: Example, posting: str, account: str, debit: str, credit: str) -> None:
    if posting:
        example.postings.append((posting, []))
    if account:
        example.postings[-1][1].append(Entry(account, _money(debit) if debit else -_money(credit)))


def _money(text: str) -> Money:
    currency, _, amount = text.rpartition(" ")
    return Money.from_major(amount, currency or "CNY")


_EXAMPLES = _examples()


def test_the_page_has_its_examples() -> None:
    assert len(_EXAMPLES) == 9 and all(example.postings and example.balances for example in _EXAMPLES)


@pytest.mark.parametrize("example", _EXAMPLES, ids=lambda example: example.title)
def test_the_example_comes_out_as_it_says(example: Example) -> None:
    for _ in _done(example):
        assert all(total.minor == 0 for total in selectors.trial_balance().totals)
    stand = [
        (account, day, selectors.balance(account, money.currency, at=day))
        for account, day, money in example.balances
    ]
    assert stand == example.balances


def _done(example: Example) -> Iterator[None]:
    first = ""
    for number, (told, entries) in enumerate(example.postings):
        day = re.search(r"\d{4}-\d\d-\d\d", told)
        on = date.fromisoformat(day[0]) if day else None
        if on and not entries:
            assert close_day(day=on, actor="user:1") == [on]
            continue
        with transaction.atomic():
            if told == "reversed":
                posted = reverse(business_key=f"example:{number}", of=first, reason=told)
                assert list(selectors.transaction(posted.id).entries) == entries[::-1]
            else:
                posted = post(
                    business_key=f"example:{number}",
                    reference="ord_1",
                    description=told,
                    entries=entries,
                    on=on,
                )
        first = first or posted.id
        yield


def test_the_code_on_the_page_runs() -> None:
    code = "".join(re.findall(r"```python\n(.*?)```", _page(), flags=re.DOTALL))
    ran: dict[str, Any] = {"transaction": transaction, "UTC": UTC, "Decimal": Decimal, "date": date}
    ran |= {"post": post, "post_many": post_many, "exchange": exchange, "record_rate": record_rate}
    ran |= {"close_day": close_day, "Entry": Entry, "Posting": Posting, "Money": Money}
    ran |= {"Refusal": Refusal, "datetime": datetime}
    exec(code, ran)
    assert (ran["refused"], ran["closed"]) == ([], [])
    assert selectors.balance("receivable:stripe", "CNY") == Money(10000 - 3 * 29, "CNY")
    assert selectors.balance("fx_gains", "CNY") == Money(-500, "CNY")
