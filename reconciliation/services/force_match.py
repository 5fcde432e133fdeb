from collections.abc import Sequence
from uuid import UUID

from django.conf import settings
from django.db import IntegrityError, transaction

from ledger import audit
from ledger.identifiers import MalformedIdentifier, decode
from ledger.money import Money
from reconciliation.cases import repair_view
from reconciliation.errors import DiscrepancyNotFound, ItemsDoNotMatch, ReasonMissing, RepairUnderWay
from reconciliation.facts import RepairView
from reconciliation.models import Discrepancy, OpenItem, Repair, RepairItem, key_of
from reconciliation.services.carry_out_repair import carry_out_repair
from reconciliation.states import RepairKind, RepairState, Rest, Side

_AT_MOST = 50


def force_match(*, discrepancy: str, items: Sequence[str], rest: str, actor: str, reason: str) -> RepairView:
    """This will put the open item of a discrepancy together with others (`items`, "opn_…"): one of a side, and one or
    more of the other. What their sums lie apart goes to `rest`: "fee", "suspense" or "write_off".

    Above `RECONCILIATION_APPROVAL_ABOVE`, in what is put together, and whenever something is written off above it, a
    second person has to agree. Owns its transaction; locks discrepancies, then items. Raises `ReasonMissing`,
    `ItemsDoNotMatch`, `RepairUnderWay`, `DiscrepancyNotFound`, `DiscrepancyClosed`, `NotUnderInvestigation`.
    """
    if not reason.strip():
        raise ReasonMissing("Say why they belong together: the reason is kept.", param="reason")
    keys = _keys(items)
    try:
        with transaction.atomic(durable=True):
            audit.attribute(actor=actor, reason=reason)
            row = _taken_up(discrepancy, keys)
            row.must_be_under_investigation()
            if row.repairs.under_way().exists():
                raise RepairUnderWay("Another repair of it is under way: decide about that one first.")
            rows = list(OpenItem.objects.open().filter(pk__in={*keys, row.open_item_id}).order_by("pk"))
            theirs, ours = _sums(row, rows, len({*keys, row.open_item_id}))
            kind = _rest(rest, theirs, ours)
            repair = _stored(row, rows, theirs, ours, kind, actor, reason.strip())
            if repair.state == RepairState.STARTED:
                carry_out_repair(row=row, repair=repair)
            return repair_view(repair)
    except IntegrityError as taken:
        raise ItemsDoNotMatch("Somebody else is putting one of them together with others.") from taken


def _taken_up(discrepancy: str, items: list[UUID]) -> Discrepancy:
    """With the locks of all that it may close."""
    row = next(iter(Discrepancy.objects.with_items(key_of(discrepancy), items)), None)
    if row is None or row.public_id != discrepancy:
        raise DiscrepancyNotFound("there is no such discrepancy", param="discrepancy")
    row.must_be_open()
    return row


def _keys(items: Sequence[str]) -> list[UUID]:
    if len(items) > _AT_MOST:
        raise ItemsDoNotMatch(f"Put at most {_AT_MOST} together at once.", param="items")
    try:
        return [decode("opn", item) for item in items]
    except MalformedIdentifier as problem:
        raise ItemsDoNotMatch("There is no such open item.", param="items") from problem


def _sums(row: Discrepancy, items: list[OpenItem], wanted: int) -> tuple[Money, Money]:
    """Theirs and ours. Refuses what can not belong together."""
    if row.open_item_id is None or len(items) != wanted:
        raise ItemsDoNotMatch("One of them is not open: it was explained meanwhile.", param="items")
    theirs = [item for item in items if item.side == Side.THEIRS]
    ours = [item for item in items if item.side == Side.OURS]
    if not theirs or not ours or min(len(theirs), len(ours)) != 1:
        raise ItemsDoNotMatch("Take one of a side, and one or more of the other.", param="items")
    if len({(item.channel, item.statement, item.currency) for item in items}) != 1:
        raise ItemsDoNotMatch("They are of other statements or currencies.", param="items")
    currency = items[0].currency
    return (
        Money(sum(item.amount for item in theirs), currency),
        Money(sum(item.amount for item in ours), currency),
    )


def _rest(rest: str, theirs: Money, ours: Money) -> Rest | None:
    if theirs == ours:
        return None
    if rest not in set(Rest):
        apart = (theirs - ours).formatted()
        raise ItemsDoNotMatch(f"Say where the {apart} go that they lie apart.", param="rest")
    return Rest(rest)


def _stored(
    row: Discrepancy,
    items: list[OpenItem],
    theirs: Money,
    ours: Money,
    rest: Rest | None,
    actor: str,
    reason: str,
) -> Repair:
    amount = max(abs(theirs.minor), abs(ours.minor))
    two = amount > settings.RECONCILIATION_APPROVAL_ABOVE.get(theirs.currency, 0)
    words = f"Puts {theirs.formatted()} of theirs together with {ours.formatted()} of ours"
    if rest:
        words = f"{words}; {(theirs - ours).formatted()} go to {rest.value.replace('_', ' ')}"
    repair = Repair.objects.create(
        discrepancy=row,
        kind=RepairKind.FORCE_MATCH.value,
        state=(RepairState.WAITING if two else RepairState.STARTED).value,
        amount=amount,
        currency=theirs.currency,
        words=f"{words}.",
        reason=reason[:500],
        rest=rest.value if rest else "",
        needs_second=two,
        proposed_by=actor,
    )
    RepairItem.objects.bulk_create([RepairItem(repair=repair, item=item) for item in items])
    return repair
