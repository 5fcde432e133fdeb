"""The settlement file of a day: text of fixed width in a zip, deflated, in base 64."""

import io
import zipfile
import zlib
from base64 import b64encode
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any

from sandbox.provider import PayoutTerms, World
from sandbox.statements import files
from sandbox.statements.pages import Page, Seen
from sandbox.unionpay import orders
from sandbox.unionpay.orders import Account, Order

_WIDTHS = (
    *(11, 11, 6, 10, 19, 12, 12, 12, 4, 6, 4, 8, 15, 12, 2, 6, 11, 6, 2, 3, 12, 12, 12, 1, 3, 1, 1, 10, 11),
    *(1, 2, 2, 12, 14),
)
_PROCESSING = {"01": "000000", "03": "000000", "04": "200000", "31": "200000", "33": "200000"}
_FEE_PER_MILLE = 6

MOVEMENTS = f"""
    SELECT o.merchant, 'CNY' AS currency,
           CASE WHEN o.txn_type IN ('01', '03') THEN 'payment' ELSE 'refund' END AS kind,
           CASE WHEN o.txn_type IN ('01', '03') THEN p.reference ELSE o.order_id END AS reference,
           CASE WHEN o.txn_type IN ('01', '03') THEN '' ELSE p.reference END AS parent, o.query_id AS number,
           CASE WHEN o.txn_type IN ('01', '03') THEN o.amount ELSE -o.amount END AS amount,
           CASE WHEN o.txn_type IN ('01', '03') THEN o.amount * {_FEE_PER_MILLE} / 1000 ELSE 0 END AS fee,
           o.done_at AS moved_at
    FROM unionpay_orders o JOIN payments p ON p.id = o.payment
    WHERE o.resp_code = '00' AND o.txn_type NOT IN ('02', '32')
"""  # noqa: S608 - a number of our own


def _mer_id(world: World, merchant: str) -> str:
    account = orders.account_of(world, merchant=merchant)
    assert account is not None
    return account.mer_id


# What a settlement day brought after fees is at the bank on the next day at ten.
PAYS_OUT = PayoutTerms(
    payer="China UnionPay",
    key=lambda world, merchant, day: f"UP{day:%Y%m%d}{_mer_id(world, merchant)}",
    text=lambda world, merchant, day, key: f"UNIONPAY SETTLEMENT {day:%Y%m%d} {_mer_id(world, merchant)}",
    day_shift=9 * 3600,
    made_after=5 * 3600,
    arrives_after=6 * 3600,
)


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the file: an order and what is said of it."""

    order: Order
    query_id: str
    amount: int
    fee: int
    done_at: float


def packed(world: World, account: Account, asked: str) -> dict[str, str]:
    """`fileName` and `fileContent`; nothing when no money moved on that day (MMDD)."""
    meant = _date_of(world, asked)
    if meant is None:
        return {}
    fault = files.met(world, "unionpay", "ACOMN", account.merchant, meant)
    day = files.day_told(world, "unionpay", "ACOMN", account.merchant, meant, fault)
    told = files.of_day(world, "unionpay", "ACOMN", account.merchant, day, fault)
    if not told:
        return {}
    named = replace(account, mer_id=files.stranger(fault, account.mer_id))
    text = "".join(_line(named, row) + "\r\n" for row in told).encode("ascii")
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr(f"IND{asked}88ACOMN", files.inside(fault, text))
        file.writestr(f"IND{asked}88ALFEE", "")
    content = b64encode(zlib.compress(files.outside(fault, archive.getvalue()))).decode("ascii")
    return {"fileName": f"{account.mer_id}_{asked}.zip", "fileContent": content}


def is_late(world: World, account: Account, asked: str) -> bool:
    meant = _date_of(world, asked)
    return meant is not None and files.is_late(world, "unionpay", "ACOMN", account.merchant, meant)


def _date_of(world: World, asked: str) -> date | None:
    """The last day before tomorrow that is called so."""
    today = datetime.fromtimestamp(world.now(), orders.BEIJING).date() + timedelta(days=1)
    for year in (today.year, today.year - 1):
        with suppress(ValueError):
            day = date(year, int(asked[:2]), int(asked[2:]))
            if day <= today:
                return day
    return None


def _begins(day: date) -> float:
    """UnionPay's day begins at 23:00 of the day before."""
    return datetime(day.year, day.month, day.day, tzinfo=orders.BEIJING).timestamp() - 3600


def _moved(world: World, merchant: str, day: date) -> list[Row]:
    start = _begins(day)
    rows = world.storage.rows(
        "SELECT * FROM unionpay_orders WHERE merchant = ? AND resp_code = '00' AND txn_type NOT IN ('02', '32')"
        " AND done_at >= ? AND done_at < ? ORDER BY done_at, query_id",
        *(merchant, start, start + 86_400),
    )
    return [_row(Order(**dict(row))) for row in rows]


def _row(order: Order) -> Row:
    fee = order.amount * _FEE_PER_MILLE // 1000 if order.txn_type in ("01", "03") else 0
    return Row(order, order.query_id, order.amount, fee, order.done_at or 0.0)


def _seen(row: Row) -> Seen:
    paid = row.order.txn_type in ("01", "03")
    reference = row.order.said("reqReserved") if row.order.txn_type == "01" else row.order.order_id
    return Seen(
        row.query_id,
        "payment" if paid else "refund",
        reference or row.order.order_id,
        row.amount if paid else -row.amount,
        row.fee,
        "CNY",
        row.done_at,
    )


def _changed(row: Row, what: Mapping[str, Any]) -> Row:
    names = {"fee": "fee", "key": "query_id", "moved_at": "done_at"}
    more: dict[str, Any] = {names[name]: value for name, value in what.items() if name in names}
    if "amount" in what:
        more["amount"] = abs(what["amount"])
    return replace(row, **more)


STATEMENTS = {
    "ACOMN": Page(
        rows=_moved,
        seen=_seen,
        change=_changed,
        begins=_begins,
        row_kinds=("missing", "foreign", "amount", "fee", "duplicate", "late", "refund_missing"),
        has_totals=False,
        file_kinds=(
            *("truncated", "damaged", "mixed_days", "other_merchant", "zip_bomb", "path_traversal"),
            *("not_ready", "corrected", "repeated"),
        ),
    )
}


def _line(account: Account, row: Row) -> str:
    order = row.order
    known = {
        0: "48021000",
        1: "00010000",
        2: row.query_id[14:20],
        3: datetime.fromtimestamp(row.done_at, orders.BEIJING).strftime("%m%d%H%M%S"),
        4: orders.CARDS[order.card][1],
        5: f"{row.amount:012d}",
        6: "0" * 12,
        7: "0" * 12,
        8: "0200",
        9: _PROCESSING[order.txn_type],
        10: "5411",
        11: "00000001",
        12: account.mer_id,
        13: row.query_id[8:20],
        14: "00",
        16: "01030000",
        18: "00",
        19: "012",
        20: "0" * 12,
        21: f"{row.fee:012d}",
    }
    return " ".join(known.get(place, "").ljust(width)[:width] for place, width in enumerate(_WIDTHS))
