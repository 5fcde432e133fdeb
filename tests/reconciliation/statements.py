"""What is in our books, row by row, and WeChat's bills about it brought in."""

import gzip
import io
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import connection

from ledger.identifiers import encode, new_key
from reconciliation.facts import StatementView
from reconciliation.services.match_statement import match_statement
from reconciliation.services.receive_statement import receive_statement
from reconciliation.states import StatementSource
from tests.ledger.books import tamper
from tests.reconciliation.wechat_bill import BEIJING, NOON, Row, bill_pieces

DAY = date(2026, 3, 2)


def bill(rows: Iterable[Row]) -> bytes:
    """As WeChat writes it: a mark of order, ticks, a summary."""
    return b"".join(bill_pieces(rows, settings.WECHAT["mchid"]))


@dataclass(frozen=True, slots=True, kw_only=True)
class Ours:
    """A payment in our books, of which `parts` were captured; or one that brought nothing."""

    key: UUID
    amount: int
    at: datetime = NOON
    parts: tuple[int, ...] = ()
    state: str = "SUCCEEDED"
    currency: str = "CNY"
    theirs: str = ""
    channel: str = "wechat"

    @property
    def att(self) -> str:
        return encode("att", self.key)


def pay(amount: int = 10_000, **more: Any) -> Ours:
    """It is in our books from now on."""
    ours = Ours(key=new_key(), amount=amount, **more)
    if not ours.theirs:
        ours = replace(ours, theirs=f"4200{ours.att[-20:]}")
    taken = ours.state == "SUCCEEDED"
    _insert(
        "payments_payment",
        id=ours.key,
        reference=f"ord_{ours.key.hex[-20:]}",
        business_key=ours.key.hex,
        state=ours.state,
        method="bank_transfer" if ours.channel == "bank" else "wechat_pay",
        channel=ours.channel,
        currency=ours.currency,
        amount=amount,
        amount_captured=amount if taken else 0,
        amount_authorized=0,
        amount_refunding=0,
        amount_refunded=0,
        description="",
        decision="",
        risk_level="",
        case="",
        surplus=False,
        review_pending=False,
        failure_code="",
        failure_message="",
        advice="",
        instrument="{}",
        return_url="",
        device="phone",
        client_ip="",
        expires_at=ours.at,
        created_at=ours.at,
        updated_at=ours.at,
    )
    whole = taken and not ours.parts
    _attempt(ours, ours.key, "START", 1, amount, amount if whole else 0, ours.theirs)
    for number, part in enumerate(ours.parts, 1):
        _attempt(ours, new_key(), "CAPTURE", number, part, part, "")
    return ours


def _attempt(ours: Ours, key: UUID, kind: str, number: int, amount: int, brought: int, theirs: str) -> None:
    _insert(
        "payments_attempt",
        id=key,
        payment_id=ours.key,
        kind=kind,
        sequence=number,
        state=ours.state,
        channel=ours.channel,
        channel_reference=theirs,
        currency=ours.currency,
        amount=amount,
        brought=brought,
        brought_at=ours.at if brought else None,
        booked_at=ours.at if brought else None,
        request="{}",
        route="{}",
        answer="{}",
        three_d_secure="{}",
        action_kind="",
        action_value="",
        code="",
        message="",
        checks=0,
        created_at=ours.at,
        answered_at=ours.at,
    )


def refund(of: Ours, amount: int = 1_000, **more: Any) -> str:
    """ref_…"""
    key, at = new_key(), more.pop("at", of.at)
    row = {"state": "SUCCEEDED", "movement": 1, "came_back": "[]", **more}
    _insert(
        "payments_refund",
        id=key,
        payment_id=of.key,
        business_key=key.hex,
        currency=of.currency,
        amount=amount,
        reason="",
        requested_by="test",
        channel_reference=f"5030{encode('ref', key)[-20:]}",
        returned_at=at,
        booked_at=at,
        answer="{}",
        code="",
        message="",
        checks=0,
        created_at=at,
        updated_at=at,
        **row,
    )
    return encode("ref", key)


def _insert(table: str, **row: Any) -> None:
    columns, places = ", ".join(f'"{name}"' for name in row), ", ".join(["%s"] * len(row))
    tamper(f"INSERT INTO {table} ({columns}) VALUES ({places})", list(row.values()))


def bring(rows: Iterable[Row], day: date = DAY, *, packed: bool = False) -> StatementView:
    """The bill of these rows is received; WeChat dates each within the day."""
    content = bill(replace(row, at=_within(row.at, day)) for row in rows)
    return receive_statement(
        channel="wechat",
        kind="trade",
        day=day,
        name=f"wechat_trade_{day:%Y%m%d}.csv",
        content=io.BytesIO(gzip.compress(content, mtime=0) if packed else content),
        source=StatementSource.UPLOADED,
        actor="user:1",
    )


def _within(moment: datetime, day: date) -> datetime:
    return datetime.combine(day, moment.astimezone(BEIJING).timetz())


def match(rows: Iterable[Row], day: date = DAY) -> StatementView:
    return match_statement(file=bring(rows, day).id, actor="user:1")


def discrepancies() -> list[tuple[str, str, str]]:
    """(kind, subject, state), the oldest first."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT kind, subject, state FROM reconciliation_discrepancy ORDER BY id")
        return [(kind, subject, state) for kind, subject, state in cursor.fetchall()]


def totals(file: str) -> dict[tuple[str, str], tuple[int, int, int]]:
    """(kind, currency) → what lies between theirs and all that explains it: count, amount, fee."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT t.kind, t.currency, sum(CASE part WHEN 'theirs' THEN count ELSE -count END),"
            " sum(CASE part WHEN 'theirs' THEN amount ELSE -amount END),"
            " sum(CASE part WHEN 'theirs' THEN fee ELSE -fee END) FROM reconciliation_statementtotal t"
            " WHERE ledger_public_id('stm', file_id) = %s GROUP BY 1, 2",
            [file],
        )
        return {(kind, currency): (count, amount, fee) for kind, currency, count, amount, fee in cursor}


def our_total(file: str) -> int:
    """What the totals say of all our payments and refunds of the file's day, in whatever currency."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT coalesce(sum(amount), 0) FROM reconciliation_statementtotal"
            " WHERE part = 'ours' AND ledger_public_id('stm', file_id) = %s",
            [file],
        )
        return int(cursor.fetchone()[0])
