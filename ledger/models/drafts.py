"""A transaction that is about to be written into the journal, and the one statement that writes it."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Protocol, Self
from uuid import UUID

from django.conf import settings

from ledger.errors import AlreadyReversed, BusinessKeyConflict, DayClosed, Refusal
from ledger.facts import Entry as Line
from ledger.facts import PostedTransaction, Posting
from ledger.identifiers import new_digits
from ledger.wire import call, texts


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
    key: str = field(default_factory=new_digits)

    @classmethod
    def of(cls, posting: Posting) -> Self:
        return cls(
            business_key=posting.business_key,
            reference=posting.reference,
            description=posting.description,
            lines=posting.entries,
            happened_at=posting.happened_at,
            on=posting.on,
        )

    def compared_with(self, found: Written | None) -> PostedTransaction | Refusal:
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
        return PostedTransaction(found.id.hex, self.business_key, created=False)

    @property
    def _content(self) -> tuple[Any, ...]:
        return self.reference, self.reverses, Counter(self.lines)


def write(draft: Draft) -> bool | None:
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
        f"{{{','.join([str(line.amount.minor) for line in lines])}}}",
        texts([line.item for line in lines]),
    ]
    ((written,),) = call("ledger_append_one", [values])
    return None if written is None else written == "t"
