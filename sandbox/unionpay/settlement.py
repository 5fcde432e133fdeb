"""The settlement file of a day: text of fixed width in a zip, deflated, in base 64."""

import io
import zipfile
import zlib
from base64 import b64encode
from datetime import datetime

from sandbox.provider import PayoutTerms, World
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


def packed(world: World, account: Account, day: str) -> dict[str, str]:
    """`fileName` and `fileContent`; nothing when no money moved on that day."""
    rows = world.storage.rows(
        "SELECT * FROM unionpay_orders WHERE merchant = ? AND resp_code = '00' AND txn_type NOT IN ('02', '32')"
        " ORDER BY done_at, query_id",
        account.merchant,
    )
    found = [order for order in (Order(**dict(row)) for row in rows) if _of_day(order, day)]
    if not found:
        return {}
    text = "".join(_line(account, order) + "\r\n" for order in found)
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr(f"IND{day}88ACOMN", text)
        file.writestr(f"IND{day}88ALFEE", "")
    content = b64encode(zlib.compress(archive.getvalue())).decode("ascii")
    return {"fileName": f"{account.mer_id}_{day}.zip", "fileContent": content}


def _of_day(order: Order, day: str) -> bool:
    return order.done_at is not None and orders.settle_day(order.done_at) == day


def _line(account: Account, order: Order) -> str:
    number = orders.CARDS[order.card][1]
    fee = order.amount * _FEE_PER_MILLE // 1000 if order.txn_type in ("01", "03") else 0
    at = datetime.fromtimestamp(order.done_at or 0, orders.BEIJING).strftime("%m%d%H%M%S")
    known = {
        0: "48021000",
        1: "00010000",
        2: order.query_id[14:20],
        3: at,
        4: number,
        5: f"{order.amount:012d}",
        6: "0" * 12,
        7: "0" * 12,
        8: "0200",
        9: _PROCESSING[order.txn_type],
        10: "5411",
        11: "00000001",
        12: account.mer_id,
        13: order.query_id[8:20],
        14: "00",
        16: "01030000",
        18: "00",
        19: "012",
        20: "0" * 12,
        21: f"{fee:012d}",
    }
    return " ".join(known.get(place, "").ljust(width)[:width] for place, width in enumerate(_WIDTHS))
