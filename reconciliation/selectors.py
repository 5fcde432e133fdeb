"""Reads of discrepancies and of what is stuck: frozen dataclasses to others."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.core import signing
from django.db.models import Count, Q
from django.utils import timezone

from ledger import identifiers
from ledger.money import Money
from ledger.stuck import Position, Sort, StuckItem, StuckKind, StuckTotal, Tie, merged
from reconciliation.errors import DiscrepancyNotFound, NothingStuck
from reconciliation.facts import DiscrepancyView, ListedItem, StatementView, StuckPage
from reconciliation.models import Discrepancy, OpenItem, StatementFile, StuckNote, key_of
from reconciliation.states import DiscrepancyState, StatementState
from reconciliation.stuck import alarm_levels, every_kind

_SALT = "reconciliation.stuck"


def discrepancy(public_id: str) -> DiscrepancyView:
    """The discrepancy "dis_…". Raises `DiscrepancyNotFound`."""
    row = Discrepancy.objects.filter(pk=key_of(public_id)).first()
    if row is None:
        raise DiscrepancyNotFound("there is no such discrepancy", param="discrepancy")
    return view_of(row)


def discrepancies_of(reference: str) -> list[DiscrepancyView]:
    """What was told wrongly about `reference` ("ord_…"), oldest first."""
    return [view_of(row) for row in Discrepancy.objects.filter(reference=reference).order_by("id")]


def view_of(row: Discrepancy) -> DiscrepancyView:
    return DiscrepancyView(
        id=row.public_id,
        state=DiscrepancyState(row.state),
        kind=row.kind,
        channel=row.channel,
        subject=row.subject,
        reference=row.reference,
        ours=Money(row.amount, row.currency),
        told=Money(row.told_amount, row.told_currency) if row.told_currency else None,
        at_risk=Money(row.amount_at_risk, row.currency),
        source=row.source,
        times_seen=row.times_seen,
        first_seen_at=row.first_seen_at,
        last_seen_at=row.last_seen_at,
        investigator=row.investigator,
        write_off_proposed_by=row.write_off_proposed_by,
        closed_by=row.closed_by,
        closed_at=row.closed_at,
        reason=row.reason,
    )


def statement(public_id: str) -> StatementView:
    """The statement "stm_…". Raises `StatementNotFound`."""
    return statement_view(StatementFile.objects.by_public_id(public_id))


def statement_view(row: StatementFile) -> StatementView:
    return StatementView(
        id=row.public_id,
        channel=row.channel,
        kind=row.kind,
        day=row.day_on,
        state=StatementState(row.state),
        source=row.source,
        name=row.name,
        sha256=row.sha256,
        size=row.size,
        brought_by=row.brought_by,
        received_at=row.received_at,
        supersedes=identifiers.encode("stm", row.supersedes_id) if row.supersedes_id else "",
        refusal_code=row.refusal_code,
        refusal_line=row.refusal_line,
        refusal_detail=row.refusal_detail,
        phase=row.phase,
        rows_done=row.rows_done,
        rows=row.rows,
        matched=row.matched,
        matched_at=row.matched_at,
        settled_at=row.settled_at,
    )


def differences_of(public_id: str) -> dict[str, int]:
    """What is open since the statement "stm_…", by kind; "late" is also what may still come in a later one."""
    row = StatementFile.objects.by_public_id(public_id)
    counted = row.discrepancies.values_list("kind").annotate(number=Count("pk")).order_by("kind")
    found = dict(counted)
    waiting = OpenItem.objects.filter(file=row, cleared_at=None, discrepancies=None).count()
    if waiting:
        found["late"] = found.get("late", 0) + waiting
    return found


def kind_of(code: str) -> StuckKind:
    """Raises `NothingStuck`."""
    found = next((kind for kind in every_kind() if kind.code == code), None)
    if found is None:
        raise NothingStuck(f"There is no kind {code[:40]!r} of stuck money.", param="kind")
    return found


def stuck_item(kind: str, subject: str) -> StuckItem:
    """Raises `NothingStuck` when it is not stuck (any more)."""
    found = kind_of(kind).find(timezone.now(), subject)
    if found is None:
        raise NothingStuck("This is not stuck any more: somebody repaired it, or it settled by itself.")
    return found


def stuck_page(*, sort: Sort = Sort.NEWEST, kind: str = "", after: str = "", limit: int = 50) -> StuckPage:
    """A page of all that is stuck, or of one `kind`; `after` is the `next` of the page before.

    A statement for each kind, however much is stuck. A cursor that is not ours begins anew.
    """
    now, position = timezone.now(), _position(after, sort)
    every = every_kind()
    last = next((n for n, one in enumerate(every) if position and one.code == position.kind), -1)
    pages = [
        one.page(now, sort=sort, limit=limit + 1, after=position, tie=_tie(number, last))
        for number, one in enumerate(every)
        if kind in ("", one.code)
    ]
    found = merged(pages, sort)
    more = found[limit - 1] if len(found) > limit else None
    following = _cursor(sort, Position(more.values, more.item.kind, more.key)) if more else ""
    return StuckPage(items=stuck_notes([placed.item for placed in found[:limit]]), next=following)


def stuck_totals() -> list[StuckTotal]:
    """How many are stuck of each kind and currency, the sum at risk and since when: for the page and for metrics."""
    now = timezone.now()
    return [total for kind in every_kind() for total in kind.totals(now, alarm_levels(kind.code)[0])]


def _tie(number: int, last: int) -> Tie:
    if number == last:
        return Tie.SAME
    return Tie.BEFORE if number < last else Tie.AFTER


def _cursor(sort: Sort, position: Position) -> str:
    values = [value.isoformat() if isinstance(value, datetime) else value for value in position.values]
    return signing.dumps([sort, values, position.kind, position.key], salt=_SALT)


def _position(cursor: str, sort: Sort) -> Position | None:
    try:
        said, values, kind, key = signing.loads(cursor, salt=_SALT)
    except signing.BadSignature:
        return None
    if said != sort:
        return None
    told: list[Any] = values if sort == Sort.AMOUNT else [datetime.fromisoformat(value) for value in values]
    return Position(tuple(told), kind, key)


def stuck_notes(items: Iterable[StuckItem]) -> tuple[ListedItem, ...]:
    """With what people said of them."""
    listed = list(items)
    wanted = Q(pk__in=[])
    for item in listed:
        wanted |= Q(kind=item.kind, subject=item.subject)
    notes = {
        (note.kind, note.subject): note
        for note in StuckNote.objects.filter(wanted, snoozed_until__gt=timezone.now())
    }
    return tuple(_listed(item, notes.get((item.kind, item.subject))) for item in listed)


def _listed(item: StuckItem, note: StuckNote | None) -> ListedItem:
    return ListedItem(
        item=item,
        snoozed_until=note.snoozed_until if note else None,
        snoozed_by=note.snoozed_by_whom if note else "",
        snooze_reason=note.reason if note else "",
    )
