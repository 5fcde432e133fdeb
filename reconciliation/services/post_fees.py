from collections.abc import Sequence
from datetime import datetime
from typing import Final, NamedTuple

from django.db import connection

from ledger.errors import Refusal
from ledger.facts import Posting, TransactionView
from ledger.money import Money
from ledger.postings import transactions_by_key
from ledger.services.post_many import post_many
from ledger.services.reverse import reverse
from payments.booked import orders_behind
from reconciliation.models import Discrepancy, OpenItem, StatementFile
from reconciliation.rows import Line
from reconciliation.rules import fee_entries, has_fee, is_charged, rounded
from reconciliation.states import DiscrepancyKind, Side

_NOT_OURS: Final = (DiscrepancyKind.MISSING_HERE.value, DiscrepancyKind.DUPLICATE.value)


class _Fee(NamedTuple):
    key: str
    reference: str
    amount: Money
    happened_at: datetime
    words: str


def post_fees(*, file: StatementFile, lines: Sequence[Line], version: int, gone: bool = False) -> int:
    """This will post what the channel kept of each of these lines that is a movement of ours, once.

    Every fee is rounded half up by itself. Where it is not as the tariff says, the tariff is posted: the rest
    belongs to its discrepancy. A corrected file (`version` 2 and later) reverses what it says otherwise and posts that
    anew. A line that we have nothing of waits: settling the file again posts what was found meanwhile. Lines that are
    `gone` are not in the file that corrects `file`: their fees are reversed. An operation: needs an open transaction.
    Returns how many fees were posted.
    """
    assert connection.in_atomic_block, "post_fees() is an operation"
    if gone:
        fees = _named([line for line in lines if has_fee(line)], {})
        _changed([fee._replace(amount=Money(0, fee.amount.currency)) for fee in fees], version)
        return 0
    charged = [line for line in lines if has_fee(line) or (version > 1 and is_charged(line))]
    unknown = _unknown(file, charged)
    expected = _expected(file, charged)
    charged = [
        line._replace(fee=expected.get(line.number, line.fee))
        for line in charged
        if line.number not in unknown
    ]
    orders = orders_behind({line.reference for line in charged})
    fees = _named([line for line in charged if line.reference in orders], orders)
    wanted = fees if version == 1 else _changed(fees, version)
    return _written(file.channel, wanted)


def _unknown(file: StatementFile, lines: Sequence[Line]) -> set[int]:
    """The numbers of lines that are nothing of ours, or not yet."""
    if not lines:
        return set()
    span = (lines[0].number, lines[-1].number)
    waiting = OpenItem.objects.filter(file=file, side=Side.THEIRS, line__range=span, cleared_at=None)
    refused = Discrepancy.objects.filter(file=file, line__range=span, kind__in=_NOT_OURS)
    refused = refused.filter(open_item=None)
    return {*waiting.values_list("line", flat=True), *refused.values_list("line", flat=True)}


def _expected(file: StatementFile, lines: Sequence[Line]) -> dict[int, int]:
    """By line, what should have been kept, where that is not what was."""
    if not lines:
        return {}
    span = (lines[0].number, lines[-1].number)
    told = Discrepancy.objects.filter(file=file, line__range=span, kind=DiscrepancyKind.FEE)
    return dict(told.values_list("line", "fee"))


def _named(lines: Sequence[Line], orders: dict[str, str]) -> list[_Fee]:
    """Each with its business key: a payment that was captured in parts has a fee for each, and the first is its own."""
    posted = transactions_by_key([f"{line.reference}:fee" for line in lines])
    first = {key: view.happened_at for key, view in posted.items()}
    fees: dict[str, _Fee] = {}
    for line in lines:
        key = f"{line.reference}:fee"
        if first.setdefault(key, line.happened_at) != line.happened_at:
            key = f"{key}:{line.happened_at:%Y%m%d%H%M%S}"
        amount = Money(rounded(line.fee), line.currency)
        if key in fees:
            amount += fees[key].amount
        fees[key] = _Fee(key, orders.get(line.reference, ""), amount, line.happened_at, line.their_reference)
    return list(fees.values())


def _changed(fees: Sequence[_Fee], version: int) -> list[_Fee]:
    """Those that an earlier file told otherwise, after its posting was reversed; each under a key of this version."""
    keys = [_key(fee.key, number) for fee in fees for number in range(1, version + 1)]
    posted = transactions_by_key([*keys, *(f"{key}:undone" for key in keys)])
    wanted = []
    for fee in fees:
        now = _current(fee.key, version, posted)
        kept = _kept(now) if now else 0
        if kept == fee.amount.minor:
            continue
        if now is not None:
            reverse(business_key=f"{now.business_key}:undone", of=now.id, reason="Corrected by the channel")
        wanted.append(fee._replace(key=_key(fee.key, version)))
    return wanted


def _key(key: str, version: int) -> str:
    return key if version == 1 else f"{key}:v{version}"


def _current(key: str, version: int, posted: dict[str, TransactionView]) -> TransactionView | None:
    for number in range(version, 0, -1):
        found = posted.get(_key(key, number))
        if found is not None:
            return None if f"{found.business_key}:undone" in posted else found
    return None


def _kept(view: TransactionView) -> int:
    return sum(line.amount.minor for line in view.entries if line.account.startswith("channel_fees:"))


def _written(channel: str, fees: Sequence[_Fee]) -> int:
    postings = [
        Posting(
            business_key=fee.key,
            reference=fee.reference,
            description=f"Fee of {channel} {fee.words}"[:300],
            entries=fee_entries(channel, fee.amount),
            happened_at=fee.happened_at,
        )
        for fee in fees
        if fee.amount.minor
    ]
    for answer in post_many(postings=postings) if postings else ():
        if isinstance(answer, Refusal):
            raise answer
    return len(postings)
