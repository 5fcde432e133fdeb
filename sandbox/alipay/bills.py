"""Alipay's bills of one day in GMT+8: a zip of GBK CSV files whose names carry no UTF-8 flag, behind an address that
lives for thirty seconds. Everything in them is counted from the trades and refunds themselves.

The fee is 0.6 % of each payment, rounded half up to the fen, and stays with Alipay when the payment is refunded.
A bill is there from 9:00 on the next day; a day without any movement has none.
"""

import hmac
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import date, datetime, time, timedelta, timezone
from hashlib import sha256
from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from sandbox.alipay import bill_files, signing, trades
from sandbox.alipay.bill_files import Movement
from sandbox.alipay.trades import Account
from sandbox.provider import PayoutTerms, World
from sandbox.statements import files, rows
from sandbox.statements.pages import Page, Seen

KINDS = ("trade", "signcustomer")
_BEIJING = timezone(timedelta(hours=8))
_WRITTEN_AFTER = timedelta(days=1, hours=9)
_ADDRESS_LIVES_SECONDS = 30
_PATH = "/alipay/downloadBillFile.resource"

SCHEMA = """
DROP VIEW IF EXISTS alipay_movements;
CREATE VIEW alipay_movements AS
    SELECT p.merchant, 'pay' AS kind, t.trade_no, p.reference, t.subject, t.created_at, t.paid_at AS moved_at,
           p.amount, '' AS number, (p.amount * 6 + 500) / 1000 AS fee
    FROM alipay_trades t JOIN payments p ON p.id = t.payment WHERE t.paid_at IS NOT NULL
    UNION ALL
    SELECT p.merchant, 'refund', t.trade_no, p.reference, t.subject, t.created_at, r.refunded_at,
           r.amount, r.out_request_no, 0
    FROM alipay_refunds r JOIN alipay_trades t ON t.payment = r.payment JOIN payments p ON p.id = t.payment
    UNION ALL
    SELECT merchant, 'withdraw', id, '', '提现', made_at, made_at, amount, '', 0 FROM payouts WHERE channel = 'alipay';
"""
MOVEMENTS = """
    SELECT merchant, 'CNY' AS currency, CASE kind WHEN 'pay' THEN 'payment' ELSE kind END AS kind,
           CASE kind WHEN 'pay' THEN reference ELSE number END AS reference,
           CASE kind WHEN 'pay' THEN '' ELSE reference END AS parent, trade_no AS number,
           CASE kind WHEN 'pay' THEN amount ELSE -amount END AS amount, fee, moved_at
    FROM alipay_movements WHERE kind <> 'withdraw'
"""


def _payout_key(world: World, merchant: str, day: date) -> str:
    account = trades.account_of(world, merchant=merchant)
    assert account is not None
    return f"{day:%Y%m%d}{account.seller_id[-8:]}W"


# The balance of each day is withdrawn two hours after it ended, and is at the bank at ten.
PAYS_OUT = PayoutTerms(
    payer="Alipay",
    key=_payout_key,
    text=lambda world, merchant, day, key: f"ALIPAY WITHDRAWAL {key}",
    day_shift=8 * 3600,
    made_after=2 * 3600,
    arrives_after=8 * 3600,
)


def routes(world: World) -> list[BaseRoute]:
    async def download(request: Request) -> Response:
        asked = dict(request.query_params)
        token = asked.pop("token", "")
        fresh = asked.get("timestamp", "").isdigit() and (
            world.now() - int(asked["timestamp"]) / 1000 <= _ADDRESS_LIVES_SECONDS
        )
        account = trades.account_of(world, merchant=asked.get("userId", ""))
        if account is None or not fresh or not hmac.compare_digest(token, _token(world, asked)):
            return Response("下载链接已失效", 403)
        day = date.fromisoformat(asked["bizDates"])
        content = _written(world, account, asked["bizType"], day)
        return Response(content, media_type="application/octet-stream")

    return [Route(_PATH, download, methods=["GET"])]


def read_day(text: object) -> date | None:
    try:
        return date.fromisoformat(str(text))
    except ValueError:
        return None


def is_written(world: World, account: Account, kind: str, day: date) -> bool:
    written = datetime.combine(day, time(), _BEIJING) + _WRITTEN_AFTER
    told = world.now() >= written.timestamp()
    return told and bool(rows.of_day(world, "alipay", kind, account.merchant, day))


def is_late(world: World, account: Account, kind: str, day: date) -> bool:
    return files.is_late(world, "alipay", kind, account.merchant, day)


def address(world: World, account: Account, kind: str, day: date) -> str:
    asked = {
        "bizType": kind,
        "userId": account.merchant,
        "fileType": "csv.zip",
        "bizDates": day.strftime("%Y%m%d"),
        "downloadFileName": f"{bill_files.owner(account)}_{day:%Y%m%d}.csv.zip",
        "timestamp": str(int(world.now() * 1000)),
    }
    return f"{world.public_url}{_PATH}?{urlencode({**asked, 'token': _token(world, asked)})}"


def _token(world: World, asked: dict[str, str]) -> str:
    secret = sha256(signing.private_pem(world).encode("ascii")).digest()
    return hmac.new(secret, urlencode(sorted(asked.items())).encode("utf-8"), sha256).hexdigest()


def _written(world: World, account: Account, kind: str, asked: date) -> bytes:
    fault = files.met(world, "alipay", kind, account.merchant, asked)
    day = files.day_told(world, "alipay", kind, account.merchant, asked, fault)
    start = datetime.combine(day, time(), _BEIJING)
    movements = files.of_day(world, "alipay", kind, account.merchant, day, fault)
    named = replace(account, seller_id=files.stranger(fault, account.seller_id))
    written = (start + _WRITTEN_AFTER).timestamp()
    if kind == "trade":
        texts = bill_files.trade_bill(named, day, movements, exported=written)
    else:
        before = _balance(world, account, day)
        texts = bill_files.fund_bill(named, day, movements, before=before, exported=written)
    spoiled = {name: files.inside(fault, text) for name, text in texts.items()}
    return files.outside(fault, bill_files.packed(day, spoiled))


def _movements(kind: str) -> Callable[[World, str, date], list[Movement]]:
    """What this bill lists of a day: withdrawals are no trades."""
    unlisted = "withdraw" if kind == "trade" else ""

    def moved(world: World, merchant: str, day: date) -> list[Movement]:
        start = _begins(day)
        found = world.storage.rows(
            "SELECT kind, trade_no, reference, subject, created_at, moved_at, amount, number, fee"
            " FROM alipay_movements WHERE merchant = ? AND moved_at >= ? AND moved_at < ? AND kind <> ?"
            " ORDER BY moved_at, trade_no, number",
            *(merchant, start, start + 86_400, unlisted),
        )
        return [Movement(**dict(row)) for row in found]

    return moved


def _begins(day: date) -> float:
    return datetime.combine(day, time(), _BEIJING).timestamp()


def _seen(one: Movement) -> Seen:
    kind = {"pay": "payment", "withdraw": "payout"}.get(one.kind, one.kind)
    key = f"{one.trade_no}/{one.number}" if one.number else one.trade_no
    return Seen(key, kind, one.number or one.reference, one.signed, one.fee, "CNY", one.moved_at)


def _changed(one: Movement, what: Mapping[str, Any]) -> Movement:
    more: dict[str, Any] = {name: what[name] for name in ("fee", "moved_at", "reference") if name in what}
    if "amount" in what:
        more["amount"] = abs(what["amount"])
    if "key" in what:
        more["trade_no"] = what["key"].partition("/")[0]
    return replace(one, **more)


def _page(kind: str, *more: str) -> Page[Movement]:
    return Page(
        rows=_movements(kind),
        seen=_seen,
        change=_changed,
        begins=_begins,
        row_kinds=("missing", "foreign", "amount", "fee", "duplicate", "late", "refund_missing", *more),
        file_kinds=(
            *("truncated", "damaged", "mixed_days", "other_merchant", "zip_bomb", "path_traversal"),
            *("not_ready", "corrected", "repeated"),
        ),
    )


STATEMENTS = {"trade": _page("trade"), "signcustomer": _page("signcustomer", "payout_amount")}


def _balance(world: World, account: Account, day: date) -> int:
    """What Alipay believes it held for the merchant when the day began."""
    row: Any = world.storage.row(
        "SELECT coalesce(sum(CASE kind WHEN 'pay' THEN amount - fee ELSE -amount END), 0) AS held"
        " FROM alipay_movements WHERE merchant = ? AND moved_at < ?",
        *(account.merchant, _begins(day)),
    )
    off = rows.drift(world, "alipay", "signcustomer", account.merchant, day)
    return int(row["held"]) + off.get("CNY", 0)
