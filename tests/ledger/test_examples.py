"""The worked examples of docs/ledger.md: the postings in their order, then the balances that the page promises."""

import re
from dataclasses import dataclass, field

import pytest
from django.db import transaction

from ledger import selectors
from ledger.facts import Entry
from ledger.money import Money
from ledger.services.post import post
from tests.house.rules import ROOT


@dataclass
class Example:
    title: str
    postings: list[tuple[str, list[Entry]]] = field(default_factory=list)
    balances: dict[str, Money] = field(default_factory=dict)


def _examples() -> list[Example]:
    page = (ROOT / "docs" / "ledger.md").read_text(encoding="utf-8")
    found: list[Example] = []
    for line in page.split("## Examples")[1].split("\n## ")[0].split("\n"):
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("### "):
            found.append(Example(line.removeprefix("### ")))
        elif len(cells) == 4 and re.search(r"\d", line):
            _add_entry(found[-1], *cells)
        elif len(cells) == 2 and re.search(r"\d", line):
            found[-1].balances[cells[0]] = Money.from_major(cells[1], "CNY")
    return found


def _add_entry(example: Example, posting: str, account: str, debit: str, credit: str) -> None:
    if posting:
        example.postings.append((posting, []))
    amount = Money.from_major(debit, "CNY") if debit else -Money.from_major(credit, "CNY")
    example.postings[-1][1].append(Entry(account, amount))


_EXAMPLES = _examples()


def test_the_page_has_its_examples() -> None:
    assert len(_EXAMPLES) == 6 and all(example.postings and example.balances for example in _EXAMPLES)


@pytest.mark.django_db
@pytest.mark.parametrize("example", _EXAMPLES, ids=lambda example: example.title)
def test_the_example_comes_out_as_it_says(example: Example) -> None:
    for number, (description, entries) in enumerate(example.postings):
        with transaction.atomic():
            post(
                business_key=f"example:{number}", reference="ord_1", description=description, entries=entries
            )
    assert {name: selectors.balance(name, "CNY") for name in example.balances} == example.balances
    assert all(total.minor == 0 for total in selectors.trial_balance().totals)


@pytest.mark.django_db
def test_the_code_on_the_page_runs() -> None:
    page = (ROOT / "docs" / "ledger.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", page, flags=re.DOTALL)
    exec(code, {"transaction": transaction, "post": post, "Entry": Entry, "Money": Money})
    assert selectors.balance("receivable:stripe", "CNY") == Money(10000, "CNY")
