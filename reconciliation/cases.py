"""What is known of a discrepancy when somebody decides about it: ours, theirs, what payments say, what was done."""

import gzip
import io
import tempfile
import zipfile
from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import islice
from typing import IO
from uuid import UUID

from django.conf import settings
from django.db.models import F, Q, QuerySet
from django.db.models.functions import Abs

from checkout.selectors.standing import OrderStanding, standings
from ledger.errors import Refusal
from ledger.identifiers import MalformedIdentifier, decode
from ledger.money import Money, UnknownCurrency
from payments import selectors as payments
from payments.selectors import PaymentView
from reconciliation.at_bank import accounts_at_bank, transfers_apart
from reconciliation.differing import Case, Standing, account_of
from reconciliation.facts import RepairView
from reconciliation.models import Discrepancy, OpenItem, Repair, ResolveRule, StatementFile
from reconciliation.states import OUTWARD, DiscrepancyKind, DiscrepancyState, RepairKind, RepairState

_LONGEST_LINE = 2_000
_IN_MEMORY = 4 * 1024 * 1024


def case_of(row: Discrepancy) -> Case:
    """What a proposal is made from. Reads only."""
    return cases_of([row])[0]


def cases_of(rows: Sequence[Discrepancy]) -> list[Case]:
    """The same of a page of them, in some queries for all; those of refunds take two each."""
    done = defaultdict(set)
    standing = Repair.objects.filter(discrepancy__in=rows, state=RepairState.DONE.value)
    for discrepancy, kind in standing.values_list("discrepancy", "kind"):
        done[discrepancy].add(kind)
    known = _standings(rows)
    banks, transfers = accounts_at_bank(rows), transfers_apart(rows)
    return [
        _case(row, done[row.pk], known.get(row.pk), banks.get(row.pk, ""), transfers.get(row.pk))
        for row in rows
    ]


def _case(
    row: Discrepancy, done: set[str], standing: Standing | None, bank: str, transfer: Money | None
) -> Case:
    kind = DiscrepancyKind(row.kind)
    return Case(
        id=row.public_id,
        kind=kind,
        channel=row.channel,
        account=account_of_row(row),
        line_kind=row.line_kind,
        their_state=row.their_state,
        ours=Money(row.amount, row.currency),
        ours_counts=bool(row.ours) and "state" not in (row.ours or {}),
        told=_money(row.told_amount, row.told_currency),
        at_risk=Money(row.amount_at_risk, row.currency),
        fee=row.fee,
        told_fee=row.told_fee,
        booked=row.file_id is not None,
        suspended=RepairKind.SUSPENSE in done,
        asked=bool(done & OUTWARD),
        standing=standing,
        bank=bank,
        transfer=transfer,
    )


def account_of_row(row: Discrepancy) -> str:
    """The account that is to agree with theirs; what either side names (`account`) goes first."""
    named = {**(row.theirs or {}), **(row.ours or {})}.get("account", "")
    return account_of(DiscrepancyKind(row.kind), row.channel, str(named))


def repair_view(row: Repair) -> RepairView:
    return RepairView(
        id=row.public_id,
        discrepancy=row.discrepancy.public_id,
        kind=RepairKind(row.kind),
        state=RepairState(row.state),
        amount=Money(row.amount, row.currency),
        words=row.words,
        reason=row.reason,
        rest=row.rest,
        posted=row.posted,
        movement=row.movement,
        needs_second=row.needs_second,
        proposed_by=row.proposed_by,
        proposed_at=row.proposed_at,
        approved_by=row.approved_by,
        done_at=row.done_at,
        waits_on=row.waits_on,
        rule=str(row.rule) if row.rule else "",
        undone_by=row.undone_by_whom,
        undone_at=row.undone_at,
        undo_reason=row.undo_reason,
    )


def repairs_of(discrepancy: str) -> list[RepairView]:
    """What was done about it, newest first."""
    rows = Repair.objects.filter(discrepancy__in=Discrepancy.objects.named(discrepancy))
    return [repair_view(row) for row in rows.select_related("discrepancy", "rule").order_by("-pk")]


def repair(public_id: str) -> RepairView:
    """Raises `RepairNotFound`."""
    return repair_view(Repair.objects.by_public_id(public_id))


def repairs_waiting(limit: int = 100) -> list[RepairView]:
    """For a second person, the largest first."""
    rows = Repair.objects.waiting().select_related("discrepancy", "rule")
    return [repair_view(row) for row in rows[:limit]]


def candidates(row: Discrepancy, limit: int = 50) -> Sequence[OpenItem]:
    """The open items that it may be put together with: of the same statements and currency, nearest in sum first."""
    mine = row.open_item
    if mine is None or mine.cleared_at is not None:
        return []
    others = OpenItem.objects.open().filter(
        channel=mine.channel, statement=mine.statement, currency=mine.currency
    )
    near = others.exclude(pk=mine.pk).filter(~Q(forced__live=True)).order_by("-day_on", "pk")[: limit * 4]
    return sorted(near, key=lambda item: (abs(item.amount - mine.amount), item.pk))[:limit]


def line_as_it_came(file: StatementFile, number: int) -> str:
    """The line of the archived file; "" where it has none, or is no text."""
    with tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY) as whole:
        for chunk in file.chunks.order_by("number").values_list("content", flat=True).iterator(8):
            whole.write(bytes(chunk))
        whole.seek(0)
        try:
            found = next(islice(_text(whole), number - 1, None), b"") if number else b""
        except (OSError, EOFError, zipfile.BadZipFile):
            return ""
    return _decoded(found).strip("\r\n")[:_LONGEST_LINE]


def _text(whole: IO[bytes]) -> IO[bytes]:
    head = whole.read(4)
    whole.seek(0)
    if head[:2] == b"\x1f\x8b":
        return io.BufferedReader(gzip.GzipFile(fileobj=whole))
    if head != b"PK\x03\x04":
        return whole
    archive = zipfile.ZipFile(whole)
    return archive.open(max(archive.infolist(), key=lambda member: member.file_size))


def _decoded(line: bytes) -> str:
    try:
        return line.decode("utf-8-sig")
    except UnicodeDecodeError:
        return line.decode("gb18030", errors="replace")


def _money(minor: int, currency: str) -> Money | None:
    try:
        return Money(minor, currency)
    except UnknownCurrency:
        return None


def _standings(rows: Sequence[Discrepancy]) -> dict[UUID, Standing]:
    """What payments know of each, by the discrepancy's key."""
    names = {row.pk: _names(row) for row in rows}
    attempts = {key for found in names.values() for name in found if (key := _key("att", name)) is not None}
    known = payments.payments_of_attempts(attempts)
    orders = standings({payment.reference for payment in known.values()})
    found: dict[UUID, Standing] = {}
    for pk, said in names.items():
        for name in said:
            payment = known.get(name)
            one = _of(payment, orders.get(payment.reference)) if payment else _asked_for(name)
            if one:
                found[pk] = one
                break
    return found


def _names(row: Discrepancy) -> list[str]:
    """Under which payments may know it, the movement itself first."""
    item = row.open_item
    said = [row.subject, item.reference if item else "", item.parent if item else ""]
    return [name for name in dict.fromkeys(said) if name]


def _key(prefix: str, name: str) -> UUID | None:
    try:
        return decode(prefix, name)
    except MalformedIdentifier:
        return None


def _asked_for(name: str) -> Standing | None:
    """A refund, or a payment by its own name."""
    prefix = name.partition("_")[0]
    if prefix not in ("ref", "pay"):
        return None
    try:
        refund = payments.refund(name) if prefix == "ref" else None
        payment = payments.payment(refund.payment if refund else name)
    except Refusal:
        return None
    order = standings([payment.reference]).get(payment.reference)
    return _of(payment, order, refund.id if refund else "", refund.state if refund else "")


def _of(
    payment: PaymentView, order: OrderStanding | None, refund: str = "", refund_state: str = ""
) -> Standing:
    paid_by_another = bool(order and order.paid_by and order.paid_by != payment.id)
    return Standing(
        payment=payment.id,
        state=payment.state,
        captured=payment.captured,
        refundable=payment.refundable,
        spare=payment.surplus or paid_by_another,
        refund=refund,
        refund_state=refund_state,
    )


def ceiling_of(currency: str) -> int:
    """Minor units above which no rule decides."""
    limits: dict[str, int] = settings.RECONCILIATION_RULE_CEILING
    return limits.get(currency, 0)


def resolvable(rule: ResolveRule, now: datetime) -> QuerySet[Discrepancy]:
    """What the rule would have repaired now, oldest first."""
    highest = min(rule.max_amount, ceiling_of(rule.currency))
    rows = Discrepancy.objects.filter(
        state=DiscrepancyState.OPEN.value,
        kind=rule.kind,
        currency=rule.currency,
        amount_at_risk__lte=highest,
        first_seen_at__lte=now - timedelta(days=rule.min_age_days),
    ).order_by("first_seen_at", "pk")
    if rule.channel:
        rows = rows.filter(channel=rule.channel)
    if rule.fee_tolerance is not None:
        rows = rows.annotate(fees_apart=Abs(F("told_fee") - F("fee"))).filter(
            fees_apart__lte=rule.fee_tolerance
        )
    return rows
