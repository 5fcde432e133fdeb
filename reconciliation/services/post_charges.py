from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from django.db import connection

from ledger.facts import Entry, TransactionView
from ledger.money import Money
from ledger.selectors import transactions_of
from ledger.services.post import post
from ledger.services.reverse import reverse
from reconciliation.models import StatementFile
from reconciliation.rows import Line
from reconciliation.rules import fee_entries, rounded
from reconciliation.terms import terms_of


class _Charge(NamedTuple):
    key: str
    words: str
    entries: tuple[Entry, ...]
    happened_at: datetime


def post_charges(*, file: StatementFile, lines: Sequence[Line], rounding: Mapping[str, int]) -> None:
    """This will post fees of no movement line by line, and on one line what the `rounding` of all the others left over,
    in minor units by currency.

    Of a file that corrects others, what they told the same stays as it is posted, and what they told otherwise is
    reversed. An operation: needs an open transaction; again changes nothing.
    """
    assert connection.in_atomic_block, "post_charges() is an operation"
    posted: dict[object, list[TransactionView]] = defaultdict(list)
    for view in _posted(file):
        posted[_content(view.entries, view.happened_at)].append(view)
    for charge in _wanted(file, lines, rounding):
        same = posted[_content(charge.entries, charge.happened_at)]
        if same:
            same.pop()
            continue
        post(
            business_key=charge.key,
            reference=file.public_id,
            description=charge.words[:300],
            entries=list(charge.entries),
            happened_at=charge.happened_at,
        )
    for view in (view for some in posted.values() for view in some):
        reverse(business_key=f"{view.business_key}:undone", of=view.id, reason="Corrected by the channel")


def _wanted(file: StatementFile, lines: Sequence[Line], rounding: Mapping[str, int]) -> list[_Charge]:
    wanted = []
    for line in lines:
        amount = Money(rounded(line.fee) - line.amount, line.currency)
        if amount.minor:
            words = f"Charged by {file.channel}: {line.text or line.their_reference}"
            key = f"{file.public_id}:fee:{line.number}"
            wanted.append(_Charge(key, words, tuple(fee_entries(file.channel, amount)), line.happened_at))
    entries: list[Entry] = []
    for currency, minor in sorted(rounding.items()):
        if minor:
            entries += fee_entries(file.channel, Money(minor, currency))
    if entries:
        words = f"What rounding the fees of {file.channel} left over"
        at = terms_of(file.channel).window(file.day_on)[1] - timedelta(seconds=1)
        wanted.append(_Charge(f"{file.public_id}:fee_rounding", words, tuple(entries), at))
    return wanted


def _posted(file: StatementFile) -> list[TransactionView]:
    """What stands of this file's charges and of those in whose place it came."""
    found: list[TransactionView] = []
    one: StatementFile | None = file
    while one is not None:
        views = transactions_of(one.public_id)
        gone = {view.reverses for view in views}
        names = (f"{one.public_id}:fee:", f"{one.public_id}:fee_rounding")
        charges = [view for view in views if view.business_key.startswith(names) and not view.reverses]
        found += [view for view in charges if view.id not in gone]
        one = one.supersedes
    return found


def _content(entries: Sequence[Entry], happened_at: datetime) -> object:
    moved = [(one.account, one.amount.currency, one.amount.minor) for one in entries]
    return tuple(sorted(moved)), happened_at
