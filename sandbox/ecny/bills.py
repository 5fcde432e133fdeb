"""The gateway's bill of one day in GMT+8, and how the merchant's wallet is emptied into its bank account.

A payment is in the merchant's wallet at once and costs nothing; what the wallet holds at a day's end is swept to the
bank account on the next morning.
"""

import csv
import io
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from hashlib import sha256
from typing import Any

from sandbox.ecny import orders
from sandbox.ecny.orders import Account
from sandbox.provider import PayoutTerms, World
from sandbox.statements import files
from sandbox.statements.pages import Page, Seen

_COLUMNS = ("time", "kind", "out_trade_no", "trade_no", "out_refund_no", "refund_no", "amount", "fee")

MOVEMENTS = """
    SELECT p.merchant, 'CNY' AS currency, 'payment' AS kind, p.reference, '' AS parent, o.trade_no AS number,
           p.amount, 0 AS fee, o.paid_at AS moved_at
    FROM ecny_orders o JOIN payments p ON p.id = o.payment WHERE o.paid_at IS NOT NULL
    UNION ALL
    SELECT p.merchant, 'CNY', 'refund', r.out_refund_no, p.reference, r.refund_no, -r.amount, 0, r.refunded_at
    FROM ecny_refunds r JOIN payments p ON p.id = r.payment
"""


def _mch_id(world: World, merchant: str) -> str:
    account = orders.account_of(world, merchant=merchant)
    assert account is not None
    return account.mch_id


PAYS_OUT = PayoutTerms(
    payer="e-CNY operating bank",
    key=lambda world, merchant, day: f"{_mch_id(world, merchant)}{day:%Y%m%d}",
    text=lambda world, merchant, day, key: f"ECNY WALLET SWEEP {key}",
    day_shift=8 * 3600,
    made_after=3600,
    arrives_after=8 * 3600,
)


@dataclass(frozen=True, slots=True)
class Movement:
    """A row of the bill; a refund is negative."""

    kind: str
    reference: str
    trade_no: str
    refund_reference: str
    refund_no: str
    amount: int
    fee: int
    moved_at: float


def written(world: World, account: Account, asked: str) -> dict[str, Any]:
    """The fields of the answer; none when nothing moved, or for what is no day."""
    try:
        meant = date.fromisoformat(asked)
    except ValueError:
        return {}
    fault = files.met(world, "ecny", "trade", account.merchant, meant)
    day = files.day_told(world, "ecny", "trade", account.merchant, meant, fault)
    moved = files.of_day(world, "ecny", "trade", account.merchant, day, fault)
    if not moved:
        return {}
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\r\n")
    table.writerow(_COLUMNS)
    for one in moved:
        names = (one.reference, one.trade_no, one.refund_reference, one.refund_no)
        table.writerow([orders.written_time(one.moved_at), one.kind, *names, one.amount, one.fee])
    content = files.inside(fault, text.getvalue().encode("utf-8"))
    return {
        "bill_date": asked,
        "name": f"{account.mch_id}_{asked}.csv",
        "content": b64encode(files.outside(fault, content)).decode("ascii"),
        "sha256": files.hashed(fault, sha256(content).hexdigest()),
    }


def is_late(world: World, account: Account, asked: str) -> bool:
    try:
        day = date.fromisoformat(asked)
    except ValueError:
        return False
    return files.is_late(world, "ecny", "trade", account.merchant, day)


def _moved(world: World, merchant: str, day: date) -> list[Movement]:
    start = orders.midnight(day)
    rows = world.storage.rows(
        "SELECT kind, CASE parent WHEN '' THEN reference ELSE parent END AS reference,"  # noqa: S608
        " CASE kind WHEN 'payment' THEN number ELSE (SELECT o.trade_no FROM ecny_refunds r"
        " JOIN ecny_orders o ON o.payment = r.payment WHERE r.refund_no = number) END AS trade_no,"
        " CASE kind WHEN 'refund' THEN m.reference ELSE '' END AS refund_reference,"
        " CASE kind WHEN 'refund' THEN number ELSE '' END AS refund_no, amount, fee, moved_at"
        f" FROM ({MOVEMENTS}) m WHERE merchant = ? AND moved_at >= ? AND moved_at < ?"
        " ORDER BY moved_at, kind, number",
        *(merchant, start, start + 86_400),
    )
    return [Movement(**dict(row)) for row in rows]


def _seen(one: Movement) -> Seen:
    reference = one.refund_reference or one.reference
    return Seen(one.refund_no or one.trade_no, one.kind, reference, one.amount, one.fee, "CNY", one.moved_at)


def _changed(one: Movement, what: Mapping[str, Any]) -> Movement:
    named = ("amount", "fee", "moved_at", "reference")
    more: dict[str, Any] = {name: what[name] for name in named if name in what}
    if "key" in what:
        more["refund_no" if one.refund_no else "trade_no"] = what["key"]
    return replace(one, **more)


STATEMENTS = {
    "trade": Page(
        rows=_moved,
        seen=_seen,
        change=_changed,
        begins=orders.midnight,
        row_kinds=("missing", "foreign", "amount", "fee", "duplicate", "late", "refund_missing"),
        has_totals=False,
        file_kinds=(
            *("truncated", "damaged", "wrong_hash", "mixed_days", "not_ready", "corrected", "repeated"),
        ),
    )
}
