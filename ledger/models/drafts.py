"""What is about to be written into the journal, and the one statement that writes it."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Protocol, TypeAlias
from uuid import UUID

from django.conf import settings

from ledger.errors import AlreadyReversed, BusinessKeyConflict, DayClosed, Refusal
from ledger.facts import Entry as Line
from ledger.identifiers import new_key
from ledger.wire import call, texts

_FEW = 8  # postings, for which a plan made once a session is as good as one of their own
_MANY = 1000  # postings in one statement

# The transaction's key and whether it was written just now, or why it was not.
Answer: TypeAlias = tuple[UUID, bool] | Refusal


class Written(Protocol):
    """A transaction of the journal."""

    id: UUID
    reference: str
    reverses_id: UUID | None

    def lines(self) -> tuple[Line, ...]: ...


@dataclass(slots=True, kw_only=True)  # frozen takes three times as long to make
class Draft:
    business_key: str
    reference: str
    description: str
    lines: Sequence[Line]
    happened_at: datetime | None = None
    on: date | None = None
    reverses: UUID | None = None
    key: UUID = field(default_factory=new_key)

    def compared_with(self, found: Written | None) -> Answer:
        """What to answer when it was not written: `found` is what has its business key."""
        if found is None:  # so it was the other unique constraint that refused, or the day
            if self.reverses and not self.on:
                return AlreadyReversed("this transaction is reversed already: post a new one instead")
            return DayClosed(f"{self.on} is closed: post into an open day", param="on")
        if self._content != (found.reference, found.reverses_id, Counter(found.lines())):
            return BusinessKeyConflict(
                f"{self.business_key!r} was posted with other content: correct it by a reversal",
                business_key=self.business_key,
            )
        return found.id, False

    @property
    def _content(self) -> tuple[Any, ...]:
        return self.reference, self.reverses, Counter(self.lines)


def write_one(draft: Draft) -> bool | None:
    """Whether it was written; None while one of its accounts is missing."""
    lines = draft.lines
    values = [
        settings.LEDGER_TIME_ZONE,
        draft.key,
        draft.business_key,
        draft.reference,
        draft.description,
        draft.reverses,
        draft.happened_at,
        draft.on,
        texts([line.account for line in lines]),
        texts([line.amount.currency for line in lines]),
        _plain([line.amount.minor for line in lines]),
        texts([line.item for line in lines]),
    ]
    ((written,),) = call("ledger_append_one", [values])
    return None if written is None else written == "t"


def write_many(drafts: Sequence[Draft]) -> list[tuple["Batch", int, set[UUID] | None]]:
    """For each batch how many of its accounts exist, and the keys that were written, or None for all of them.

    Nothing of a batch is written while one of its accounts is missing. One round trip: while the server writes one
    batch, the next is put together.
    """
    batches: list[Batch] = []

    def calls() -> Iterator[list[object]]:
        for chunk in _chunks(drafts):
            batches.append(Batch(chunk))
            yield batches[-1].values()

    function = "ledger_append" if len(drafts) <= _FEW else "ledger_append_many"
    rows = call(function, calls(), as_made=True)
    return [
        (
            batch,
            int(known or 0),
            None if written is None else {UUID(key) for key in written[1:-1].split(",") if key},
        )
        for batch, (known, written) in zip(batches, rows, strict=True)
    ]


def accounts_of_large(drafts: Sequence[Draft]) -> set[tuple[str, str]]:
    """The accounts that must exist before: of more than one statement, none may wait for what the next would open."""
    if len(drafts) <= _MANY:
        return set()
    return {(line.account, line.amount.currency) for draft in drafts for line in draft.lines}


def _chunks(drafts: Sequence[Draft]) -> Iterator[Sequence[Draft]]:
    """Several in the order of their keys, as a statement sorts them, so that nobody deadlocks; equal keys in one."""
    if len(drafts) <= _MANY or len({draft.business_key for draft in drafts}) < len(drafts):
        return iter([drafts])
    ordered = sorted(drafts, key=lambda draft: draft.business_key)
    return (ordered[first : first + _MANY] for first in range(0, len(ordered), _MANY))


class Batch:
    """Drafts as columns: a list of values for each, which the statement takes apart again."""

    def __init__(self, drafts: Sequence[Draft]) -> None:
        self.drafts = drafts
        numbers: dict[tuple[str, str], int] = {}
        self._lines: list[tuple[int, int, int, int, str]] = []
        for head, draft in enumerate(drafts, start=1):
            for position, line in enumerate(draft.lines, start=1):
                money = line.amount
                number = numbers.setdefault((line.account, money.currency), len(numbers) + 1)
                self._lines.append((head, position, number, money.minor, line.item))
        self.accounts = list(numbers)

    def values(self) -> list[object]:
        drafts = self.drafts
        heads, positions, accounts, amounts, items = zip(*self._lines, strict=True)
        return [
            texts([name for name, _ in self.accounts]),
            texts([currency for _, currency in self.accounts]),
            settings.LEDGER_TIME_ZONE,
            _plain([draft.key.hex for draft in drafts]),
            texts([draft.business_key for draft in drafts]),
            texts([draft.reference for draft in drafts]),
            texts([draft.description for draft in drafts]),
            _plain([len(draft.lines) for draft in drafts]),
            _perhaps([draft.reverses for draft in drafts]),
            _perhaps([draft.happened_at.isoformat() if draft.happened_at else None for draft in drafts]),
            _perhaps([draft.on for draft in drafts]),
            _plain(heads),
            _plain(positions),
            _plain(accounts),
            _plain(amounts),
            texts(items),
        ]


def _plain(values: Iterable[object]) -> str:
    """An array of values that need no quotes."""
    return "{" + ",".join(map(str, values)) + "}"


def _perhaps(values: Sequence[object]) -> str | None:
    """The same where most have none; nothing at all is as good as an array of nothing."""
    if not any(values):
        return None
    return "{" + ",".join("NULL" if value is None else str(value) for value in values) + "}"
