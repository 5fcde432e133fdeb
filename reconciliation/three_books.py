"""A channel's day in three books: orders and payments, its own statement, the ledger and the bank."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Final

from django.conf import settings
from django.db import connection
from django.db.models import Count, F, Q, Sum

from ledger.money import Money
from ledger.postings import moved_between
from ledger.selectors import balance
from payments.movements import MOVEMENTS
from reconciliation.at_bank import PAYOUT_KINDS
from reconciliation.fees_apart import fees_apart
from reconciliation.models import (
    Deposit,
    Discrepancy,
    OpenItem,
    OrderTotal,
    Repair,
    Settlement,
    StatementFile,
    StatementTotal,
)
from reconciliation.rules import rounded
from reconciliation.states import SettlementState, TotalPart
from reconciliation.terms import terms_of

# What a posting's business key says that it was: prefix and word → the kind of movement.
_POSTED: Final = {
    ("pay", "capture"): "payment",
    ("ref", "refund"): "refund",
    ("dsp", "withdrawn"): "dispute",
    ("dsp", "won"): "dispute_won",
    ("dsp", "fee"): "dispute_fee",
    ("att", "fee"): "fee",
    ("ref", "fee"): "fee",
    ("stm", "fee"): "fee",
    ("stm", "fee_rounding"): "fee",
    ("stm", "settled"): "payout",
    ("stm", "deposit"): "deposit",
}
_REPAIR, _OTHER = "repair", "other"
# What a corrected statement has posted anew: the reversal is of the day on which it came.
_SETTLED: Final = ("fee", "payout")
_ORDER: Final = (
    *("payment", "refund", "refund_returned", "dispute", "dispute_won", "dispute_fee", "fee", "payout"),
    *("deposit", _REPAIR, _OTHER),
)
_BOOKED: Final = f"""
SELECT kind, currency, count(*), sum(amount) FROM {MOVEMENTS}
WHERE channel = %s AND happened_at >= %s AND happened_at < %s GROUP BY kind, currency
"""  # noqa: S608 - a name of our own


@dataclass(slots=True)
class BookRow:
    """One kind of movement in each book, minor units as the merchant sees them; None where a book has none."""

    kind: str
    orders: int | None = None
    payments: int | None = None
    statement: int | None = None
    ledger: int | None = None


@dataclass(frozen=True, slots=True)
class NamedDifference:
    """Why two books differ: `between` says which, `kind` why."""

    between: str
    kind: str
    count: int
    amount: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DayReport:
    """`unexplained` are sums that nothing names: with all of them empty, the books agree.

    `owed` and `in_transit` are opening and closing. `is_here` is false while the day's statement is not.
    """

    channel: str
    currency: str
    day: date
    is_here: bool
    rows: tuple[BookRow, ...]
    differences: tuple[NamedDifference, ...]
    unexplained: tuple[NamedDifference, ...]
    owed: tuple[Money, Money]
    in_transit: tuple[Money, Money]
    carried: int
    carried_amount: Money
    lines: int
    matched: int

    @property
    def match_permille(self) -> int | None:
        return self.matched * 1000 // self.lines if self.lines else None


@dataclass(slots=True)
class _Books:
    rows: dict[str, BookRow] = field(default_factory=dict)
    named: list[NamedDifference] = field(default_factory=list)

    def row(self, kind: str) -> BookRow:
        return self.rows.setdefault(kind, BookRow(kind))


def day_reports(channel: str, day: date) -> list[DayReport]:
    """One for each currency that any of the books tells of. Some small statements each, whatever the day brought."""
    begin, end = terms_of(channel).window(day)
    books: dict[str, _Books] = defaultdict(_Books)
    file = _statement(channel, day)
    _read_payments(books, channel, begin, end)
    _read_ledger(books, channel, begin, end)
    _read_payouts(books, channel, day)
    if file is not None:
        _read_statement(books, file)
        _read_orders(books, file)
        for apart in fees_apart(file):
            told = NamedDifference("statement_ledger", f"{apart.why}:fee", apart.rows, apart.amount)
            books[apart.currency].named.append(told)
    return [
        _report(channel, currency, day, file, books[currency], (begin, end)) for currency in sorted(books)
    ]


def channels_reported() -> list[str]:
    """Those whose statements carry fees of ours: the others are the bank's."""
    return sorted(settings.SETTLEMENT)


def _statement(channel: str, day: date) -> StatementFile | None:
    """The one that our movements are compared with."""
    kind = settings.SETTLEMENT.get(channel, {}).get("fees", "")
    return StatementFile.objects.of_day(channel, kind, day).live().first()


def _read_payments(books: dict[str, _Books], channel: str, begin: datetime, end: datetime) -> None:
    with connection.cursor() as cursor:
        cursor.execute(_BOOKED, [channel, begin, end])
        for kind, currency, _, amount in cursor.fetchall():
            books[currency].row(kind).payments = int(amount)


def _read_ledger(books: dict[str, _Books], channel: str, begin: datetime, end: datetime) -> None:
    for moved in moved_between(f"receivable:{channel}", begin, end):
        kind = _POSTED.get((moved.prefix, moved.word), _REPAIR if moved.prefix == "dis" else _OTHER)
        if kind == "refund" and moved.reversed:
            kind = "refund_returned"
        elif kind in _SETTLED and moved.reversed:
            kind = _REPAIR
        book = books[moved.currency]
        row = book.row(kind)
        row.ledger = (row.ledger or 0) + moved.amount
        if kind in _SETTLED and moved.undone:
            told = NamedDifference("statement_ledger", f"undone:{kind}", moved.count, -moved.amount)
            book.named.append(told)


def _read_payouts(books: dict[str, _Books], channel: str, day: date) -> None:
    paid = Settlement.objects.filter(channel=channel, paid_on=day).exclude(state=SettlementState.WITHDRAWN)
    for currency, net in paid.order_by().values_list("currency").annotate(Sum("net_amount")):
        books[currency].row("payout").statement = -net


def _read_statement(books: dict[str, _Books], file: StatementFile) -> None:
    """Theirs by kind; their fees are a kind of their own, whatever movement they belong to."""
    sums = StatementTotal.objects.filter(file=file).order_by().values_list("part", "kind", "currency")
    told: dict[tuple[str, str, str], tuple[int, int, int]] = {
        (part, kind, currency): (int(count), int(amount), int(fee))
        for part, kind, currency, count, amount, fee in sums.annotate(Sum("count"), Sum("amount"), Sum("fee"))
    }
    fees: dict[tuple[str, str], int] = defaultdict(int)
    for (part, kind, currency), (count, amount, fee) in sorted(told.items()):
        book = books[currency]
        if part == TotalPart.THEIRS and kind != "payout":
            row = book.row(kind)
            row.statement = (row.statement or 0) + amount
            fees[_fee_kind(kind), currency] -= fee
        elif part not in (TotalPart.THEIRS, TotalPart.OURS, TotalPart.APART) and (count or amount):
            book.named.append(NamedDifference("payments_statement", f"{part}:{kind}", count, amount))
    for (kind, currency), thousandths in fees.items():
        if thousandths:
            row = books[currency].row(kind)
            row.statement = (row.statement or 0) + rounded(thousandths)


def _fee_kind(kind: str) -> str:
    return "dispute_fee" if kind.startswith("dispute") else "fee"


def _read_orders(books: dict[str, _Books], file: StatementFile) -> None:
    for total in OrderTotal.objects.filter(file=file):
        book = books[total.currency]
        if total.kind in _ORDER:
            book.row(total.kind).orders = total.amount
        else:
            book.named.append(NamedDifference("orders_payments", total.kind, total.count, total.amount))


def _report(
    channel: str,
    currency: str,
    day: date,
    file: StatementFile | None,
    book: _Books,
    window: tuple[datetime, datetime],
) -> DayReport:
    carried = _carried(channel, currency, day)
    return DayReport(
        channel=channel,
        currency=currency,
        day=day,
        is_here=file is not None,
        rows=tuple(book.rows[kind] for kind in _ORDER if kind in book.rows),
        differences=tuple(book.named),
        unexplained=tuple(_unexplained(book, file is not None)),
        owed=_span(f"receivable:{channel}", currency, window),
        in_transit=_transit(channel, currency, day),
        carried=carried[0],
        carried_amount=Money(carried[1], currency),
        lines=file.rows if file else 0,
        matched=file.matched if file else 0,
    )


def _unexplained(book: _Books, is_here: bool) -> Iterable[NamedDifference]:
    """What is left of each difference between two books once all that is named is taken off."""
    for kind in _ORDER:
        row = book.rows.get(kind)
        if row is None:
            continue
        if is_here and (row.payments is not None or row.orders is not None):
            named = _named(book, "orders_payments", kind)
            yield from _left("orders_payments", kind, (row.payments or 0) - (row.orders or 0) - named)
        if is_here and kind in ("payment", "refund", "refund_returned", "dispute", "dispute_won"):
            named = _named(book, "payments_statement", kind)
            yield from _left("payments_statement", kind, (row.statement or 0) - (row.payments or 0) - named)
        if is_here and kind in _SETTLED:
            named = _named(book, "statement_ledger", kind)
            yield from _left("statement_ledger", kind, (row.statement or 0) - (row.ledger or 0) - named)
        if kind in ("payment", "refund", "refund_returned", "dispute", "dispute_won"):
            yield from _left("payments_ledger", kind, (row.ledger or 0) - (row.payments or 0))


def _named(book: _Books, between: str, kind: str) -> int:
    some = [one for one in book.named if one.between == between]
    return sum(one.amount for one in some if one.kind.endswith(f":{kind}"))


def _left(between: str, kind: str, amount: int) -> Iterable[NamedDifference]:
    if amount:
        yield NamedDifference(between, kind, 1, amount)


def _span(account: str, currency: str, window: tuple[datetime, datetime]) -> tuple[Money, Money]:
    """Balances before the day and at its end."""
    instant = timedelta(microseconds=1)
    begin, end = window
    return balance(account, currency, begin - instant), balance(account, currency, end - instant)


def _transit(channel: str, currency: str, day: date) -> tuple[Money, Money]:
    """What was on its way to the bank before the day, and at its end."""

    def until(limit: Q, arrived: Q) -> Money:
        paid = Settlement.objects.filter(limit, channel=channel, currency=currency)
        paid = paid.exclude(state=SettlementState.WITHDRAWN)
        came = Deposit.objects.filter(arrived, settlement__channel=channel, settlement__currency=currency)
        total = paid.aggregate(net=Sum("net_amount"))["net"] or 0
        return Money(int(total - (came.aggregate(sum=Sum("amount"))["sum"] or 0)), currency)

    before = until(Q(paid_on__lt=day), Q(bank_line__booked_on__lt=day))
    after = until(Q(paid_on__lte=day), Q(bank_line__booked_on__lte=day))
    return before + _repaired(channel, currency, "lt", day), after + _repaired(channel, currency, "lte", day)


def _repaired(channel: str, currency: str, limit: str, day: date) -> Money:
    """What repairs took off payouts that did not arrive as told, or put to them: it is on its way no more."""
    posted = Repair.objects.standing().exclude(posted="").values("discrepancy")
    rows = Discrepancy.objects.filter(
        **{f"ours__paid_on__{limit}": day.isoformat()},
        kind__in=PAYOUT_KINDS,
        channel=channel,
        currency=currency,
        pk__in=posted,
    )
    apart = rows.aggregate(sum=Sum(F("told_amount") - F("amount")))["sum"] or 0
    return Money(int(apart), currency)


def _carried(channel: str, currency: str, day: date) -> tuple[int, int]:
    """Rows of this and earlier days that the other side does not have yet."""
    still = Q(cleared_at=None) | Q(cleared_file__day_on__gt=day)
    items = OpenItem.objects.filter(still, channel=channel, currency=currency, day_on__lte=day)
    told = items.aggregate(count=Count("pk"), amount=Sum("amount"))
    return told["count"], int(told["amount"] or 0)
