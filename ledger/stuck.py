"""Money that is stuck: how the apps tell of it, kind by kind, in pages of one order.

Each function of `settings.STUCK_SOURCES` gives the kinds of one app. A kind is a query over that app's own rows, which
never leave it: others get `StuckItem`s. The query names when an item got stuck and what is at risk, so that a page, a
count and a sum are one statement each, however much is stuck.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import islice
from typing import Any

from django.db.models import Count, Min, Q, QuerySet, Sum

from ledger.identifiers import MalformedIdentifier, decode
from ledger.money import Money

_CHUNK = 200


class Sort(StrEnum):
    NEWEST = "newest"
    OLDEST = "oldest"
    AMOUNT = "amount"  # currency by currency: amounts of two do not compare


# annotation, whether it descends
_COLUMNS: dict[Sort, tuple[tuple[str, bool], ...]] = {
    Sort.NEWEST: (("stuck_since", True),),
    Sort.OLDEST: (("stuck_since", False),),
    Sort.AMOUNT: (("stuck_currency", True), ("stuck_amount", True)),
}


class Action(StrEnum):
    """What can be done about it; the table of use cases is reconciliation's."""

    ASK = "ask_provider"
    APPLY_ORDER = "apply_paid_order"
    REFUND = "refund"
    RETRY_REFUND = "retry_refund"
    FINISH_REFUND = "finish_refund"
    APPROVE_REFUND = "approve_refund"
    CAPTURE = "capture"
    RELEASE = "release"
    REPLAY = "replay"
    PREPARE_ANSWER = "prepare_answer"
    RESUME_SHIPMENT = "resume_shipment"
    CLOSE_MISMATCH = "close_mismatch"
    FETCH_STATEMENT = "fetch_statement"
    TAKE_UP = "take_up"


@dataclass(frozen=True, slots=True, kw_only=True)
class Button:
    """`promise` says what it will do. `moves_money` when it pays, takes or lets go: not for everybody."""

    action: Action
    label: Any  # text, translated when it is shown
    promise: Any
    moves_money: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class StuckItem:
    """`details` names what the console shows of it. Without a sum at risk, nobody knows how much it is."""

    kind: str
    subject: str
    details: str
    reference: str
    at_risk: Money | None
    since: datetime
    what: str


@dataclass(frozen=True, slots=True)
class Placed:
    """An item and where it stands in its kind: the values that it is sorted by, and its key."""

    values: tuple[Any, ...]
    key: str
    item: StuckItem


@dataclass(frozen=True, slots=True)
class Position:
    """The last item of the page before."""

    values: tuple[Any, ...]
    kind: str
    key: str


@dataclass(frozen=True, slots=True)
class StuckTotal:
    """Of one kind in one currency; "" where nobody knows the sum. `late` have been stuck longer than they may be."""

    kind: str
    currency: str
    count: int
    minor: int
    oldest: datetime
    late: int


@dataclass(frozen=True, slots=True)
class Told:
    """What a kind says of one of its rows."""

    subject: str
    reference: str
    what: str
    details: str = ""


class Tie(StrEnum):
    """Where a kind stands beside the one that the page before ended with, among equal values."""

    BEFORE = "before"
    SAME = "same"
    AFTER = "after"


@dataclass(frozen=True, slots=True, kw_only=True)
class StuckKind:
    """`rows(now)` are annotated with `stuck_since`, `stuck_amount` and `stuck_currency`; `tell` puts one into words.

    `named` narrows the rows to one subject. The first of `buttons` is the one beside the item.
    """

    code: str
    title: Any
    buttons: tuple[Button, ...]
    rows: Callable[[datetime], QuerySet[Any]]
    tell: Callable[[Any], Told]
    named: Callable[[str], Q]

    def page(
        self, now: datetime, *, sort: Sort, limit: int, after: Position | None = None, tie: Tie = Tie.SAME
    ) -> list[Placed]:
        columns = _COLUMNS[sort]
        rows = self.rows(now)
        if after:
            rows = rows.filter(_beyond(columns, after, tie))
        rows = rows.order_by(*(f"-{name}" if down else name for name, down in columns), "pk")[:limit]
        return [
            Placed(tuple(getattr(row, name) for name, _ in columns), str(row.pk), self._item(row))
            for row in rows
        ]

    def find(self, now: datetime, subject: str) -> StuckItem | None:
        """The item, if it is stuck still."""
        try:
            row = self.rows(now).filter(self.named(subject)).first()
        except MalformedIdentifier:
            return None
        return self._item(row) if row else None

    def totals(self, now: datetime, may_be: timedelta) -> list[StuckTotal]:
        sums = self.rows(now).order_by("stuck_currency").values("stuck_currency")
        sums = sums.annotate(
            many=Count("pk"),
            sum=Sum("stuck_amount"),
            oldest=Min("stuck_since"),
            late=Count("pk", filter=Q(stuck_since__lte=now - may_be)),
        )
        return [
            StuckTotal(
                kind=self.code,
                currency=row["stuck_currency"],
                count=row["many"],
                minor=int(row["sum"] or 0),
                oldest=row["oldest"],
                late=row["late"],
            )
            for row in sums
            if row["many"]  # grouped by a constant, nothing is one row, too
        ]

    def stuck_before(self, now: datetime, before: datetime) -> Iterator[StuckItem]:
        """Those that have been stuck since `before` or longer, in chunks."""
        rows = self.rows(now).filter(stuck_since__lte=before).order_by("pk").iterator(chunk_size=_CHUNK)
        while chunk := list(islice(rows, _CHUNK)):
            yield from (self._item(row) for row in chunk)

    def still(self, now: datetime, subjects: Iterable[str]) -> set[str]:
        """Which of these are stuck still."""
        wanted = Q(pk__in=[])
        for subject in subjects:
            wanted |= self.named(subject)
        return {self.tell(row).subject for row in self.rows(now).filter(wanted)}

    def _item(self, row: Any) -> StuckItem:
        told = self.tell(row)
        return StuckItem(
            kind=self.code,
            subject=told.subject,
            details=told.details or told.subject,
            reference=told.reference,
            at_risk=Money(row.stuck_amount, row.stuck_currency) if row.stuck_currency else None,
            since=row.stuck_since,
            what=told.what,
        )


def by_identifier(prefix: str) -> Callable[[str], Q]:
    """Subjects that are the rows' own public identifiers."""
    return lambda subject: Q(pk=decode(prefix, subject))


def merged(pages: Iterable[Sequence[Placed]], sort: Sort) -> list[Placed]:
    """One list of several kinds, each in its order; equal values stay in the order of the kinds."""
    found = [placed for page in pages for placed in page]
    for column, (_, down) in reversed(list(enumerate(_COLUMNS[sort]))):
        found.sort(key=lambda placed, at=column: placed.values[at], reverse=down)  # type: ignore[misc]
    return found


def _beyond(columns: tuple[tuple[str, bool], ...], after: Position, tie: Tie) -> Q:
    beyond, equal = Q(pk__in=[]), Q()
    for (name, down), value in zip(columns, after.values, strict=True):
        beyond |= equal & Q(**{f"{name}__{'lt' if down else 'gt'}": value})
        equal &= Q(**{name: value})
    if tie == Tie.AFTER:
        return beyond | equal
    return beyond | (equal & Q(pk__gt=after.key)) if tie == Tie.SAME else beyond
