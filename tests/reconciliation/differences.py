"""Statements with differences, made in the tables as matching leaves them: for tests that need no provider."""

from datetime import UTC, date, datetime
from hashlib import sha256
from typing import Any

from django.db import transaction

from ledger.identifiers import new_key
from reconciliation.models import Discrepancy, OpenItem, StatementChunk, StatementFile
from reconciliation.states import DiscrepancyKind as K
from reconciliation.states import Side, StatementSource

DAY = date(2026, 11, 19)
NOON = datetime(2026, 11, 19, 12, tzinfo=UTC)
TEXT = "时间,商户订单号,金额\n`2026-11-19 12:00:00,`att_x,`100.00\n`2026-11-19 12:01:00,`att_y,`50.00\n"


def statement(channel: str = "wechat", *, text: str = TEXT, day: date = DAY, **fields: Any) -> StatementFile:
    """A file that was matched, with its bytes."""
    content = text.encode("gb18030")
    with transaction.atomic():
        file = StatementFile.objects.create(
            channel=channel,
            kind="trade",
            day_on=day,
            source=StatementSource.UPLOADED.value,
            name="bill.csv",
            sha256=sha256(content + str(new_key()).encode()).hexdigest(),
            size=len(content),
            brought_by="system",
            **fields,
        )
        StatementChunk.objects.create(file=file, number=0, content=content)
        file.match(rows=2, matched=0, at=NOON)
        file.store()
    return file


def item(file: StatementFile, amount: int, side: Side = Side.THEIRS, **fields: Any) -> OpenItem:
    """What one side has and the other has not."""
    fields.setdefault("movement", new_key() if side == Side.OURS else None)
    return OpenItem.objects.create(
        side=side.value,
        channel=file.channel,
        statement=file.kind,
        kind="payment" if amount > 0 else "refund",
        amount=amount,
        currency=fields.pop("currency", "CNY"),
        happened_at=NOON,
        file=file,
        line=fields.pop("line", OpenItem.objects.count() + 2 if side == Side.THEIRS else 0),
        day_on=DAY,
        due_on=DAY,
        **fields,
    )


def difference(kind: K, *, file: StatementFile | None = None, **said: Any) -> Discrepancy:
    """A discrepancy as matching writes it: signed sums, fees in thousandths."""
    file = file or StatementFile.objects.order_by("pk").last() or statement()
    ours, told = said.pop("ours", 0), said.pop("told", None)
    fee, told_fee = said.pop("fee", 0), said.pop("told_fee", 0)
    at_risk = abs((told or 0) - ours) or abs(told_fee - fee) // 1000
    said.setdefault("line_kind", "payment")
    said.setdefault("subject", f"9000{Discrepancy.objects.count()}")
    return Discrepancy.objects.create(
        kind=kind.value,
        channel=file.channel,
        reference=said.pop("reference", ""),
        amount=ours,
        currency="CNY",
        told_amount=told or 0,
        told_currency=said.pop("told_currency", "" if told is None else "CNY"),
        amount_at_risk=said.pop("at_risk", at_risk),
        fee=fee,
        told_fee=told_fee,
        source="statement",
        file=file,
        line=said.pop("line", 2),
        happened_at=NOON,
        ours=said.pop("ours_facts", {"amount": ours} if ours else None),
        theirs=said.pop("theirs_facts", None if told is None else {"amount": told, "state": "success"}),
        **said,
    )


def missing_here(amount: int = 5_000, **said: Any) -> Discrepancy:
    """They tell of money that we know nothing of."""
    file = said.pop("file", None) or StatementFile.objects.order_by("pk").last() or statement()
    return difference(K.MISSING_HERE, file=file, told=amount, open_item=item(file, amount), **said)


def missing_there(amount: int = 5_000, **said: Any) -> Discrepancy:
    """They should have told of it by now."""
    file = said.pop("file", None) or StatementFile.objects.order_by("pk").last() or statement()
    said.setdefault("open_item", item(file, amount, Side.OURS))
    return difference(K.MISSING_THERE, file=file, ours=amount, line=0, at_risk=abs(amount), **said)
