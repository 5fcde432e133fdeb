"""WeChat Pay's bills of one day in GMT+8, counted from the orders and refunds themselves.

The fee is 0.54 % of each payment (0.60 % for h5), rounded half up to the fen. A refund brings its share of the fee
back: the fee of all that was refunded so far, less what came back before, so that a whole refund brings back all of
it. A bill is there from 9:00 on the next day; its address lives for five minutes, and nobody signs the file.
"""

import gzip
import hmac
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime, time, timedelta, timezone
from hashlib import sha1, sha256
from typing import Any

from starlette.requests import Request

from sandbox.provider import PayoutTerms, World
from sandbox.statements import files, plans, rows
from sandbox.statements.pages import Page, Seen
from sandbox.statements.plans import Fault
from sandbox.wechat import bill_files, orders, platform_keys
from sandbox.wechat.answers import Answer, Content, Handler, Refused
from sandbox.wechat.bill_files import Movement
from sandbox.wechat.orders import Account

DOWNLOAD = "/v3/billdownload/file"
_BEIJING = timezone(timedelta(hours=8))
_WRITTEN_AFTER = timedelta(days=1, hours=9)
_KEPT_DAYS = 92
_ADDRESS_LIVES_SECONDS = 300

SCHEMA = """
DROP VIEW IF EXISTS wechat_movements;
CREATE VIEW wechat_movements AS
    WITH rated AS (
        SELECT p.id, p.merchant, p.reference, p.amount, p.description, o.transaction_id, o.trade_type, o.attach,
               o.asked, o.paid_at, CASE o.trade_type WHEN 'MWEB' THEN 60 ELSE 54 END AS rate
        FROM wechat_orders o JOIN payments p ON p.id = o.payment WHERE o.paid_at IS NOT NULL
    ), refunded AS (
        SELECT r.*, coalesce(e.status, 'SUCCESS') AS status, e.changed_at,
               sum(r.amount) OVER (PARTITION BY r.payment ORDER BY r.created_at, r.out_refund_no) AS so_far
        FROM wechat_refunds r LEFT JOIN wechat_refund_ends e ON e.refund_id = r.refund_id
    ), refunds AS (
        SELECT rated.*, r.refund_id, r.out_refund_no, r.created_at, r.status, r.changed_at, r.amount AS back,
               (r.so_far * rate + 5000) / 10000 - ((r.so_far - r.amount) * rate + 5000) / 10000 AS fee_back
        FROM refunded r JOIN rated ON rated.id = r.payment
    )
    SELECT merchant, 'pay' AS kind, paid_at AS moved_at, amount AS total, amount, (amount * rate + 5000) / 10000 AS fee,
           rate, reference, transaction_id, trade_type, description, attach, asked, '' AS refund_id, '' AS number,
           '' AS status, NULL AS changed_at FROM rated
    UNION ALL
    SELECT merchant, 'refund', created_at, amount, back, fee_back, rate, reference, transaction_id, trade_type,
           description, attach, asked, refund_id, out_refund_no, status, changed_at FROM refunds
    UNION ALL
    SELECT merchant, 'closed', changed_at, amount, back, fee_back, rate, reference, transaction_id, trade_type,
           description, attach, asked, refund_id, out_refund_no, status, changed_at FROM refunds
    WHERE status = 'CLOSED'
    UNION ALL
    SELECT merchant, 'withdraw', made_at, amount, amount, 0, 0, '', id, '', '', '', '{}', '', '', '', NULL
    FROM payouts WHERE channel = 'wechat';
"""
MOVEMENTS = """
    SELECT merchant, 'CNY' AS currency,
           CASE kind WHEN 'pay' THEN 'payment' WHEN 'closed' THEN 'refund_returned' ELSE kind END AS kind,
           CASE kind WHEN 'pay' THEN reference ELSE number END AS reference,
           CASE kind WHEN 'pay' THEN '' ELSE reference END AS parent,
           CASE kind WHEN 'pay' THEN transaction_id ELSE refund_id END AS number,
           CASE kind WHEN 'refund' THEN -amount ELSE amount END AS amount,
           CASE kind WHEN 'refund' THEN -fee ELSE fee END AS fee, moved_at
    FROM wechat_movements WHERE kind <> 'withdraw'
"""


def _payout_key(world: World, merchant: str, day: date) -> str:
    account = orders.account_of(world, merchant=merchant)
    assert account is not None
    return f"50{day:%Y%m%d}{account.mchid}"


# What each day brought is withdrawn three hours after it ended, and is at the bank at eleven.
PAYS_OUT = PayoutTerms(
    payer="Tenpay WeChat Pay",
    key=_payout_key,
    text=lambda world, merchant, day, key: f"WECHAT PAY WITHDRAWAL {key}",
    day_shift=8 * 3600,
    made_after=3 * 3600,
    arrives_after=8 * 3600,
)


def table() -> list[tuple[str, str, Handler]]:
    return [("GET", "/v3/bill/tradebill", _trade_bill), ("GET", "/v3/bill/fundflowbill", _fund_bill)]


def _trade_bill(world: World, account: Account, request: Request, content: Content) -> Answer:
    kind = request.query_params.get("bill_type", "ALL")
    if kind not in ("ALL", "SUCCESS", "REFUND"):
        raise Refused(400, "PARAM_ERROR", "bill_type 无效")
    return _offered(world, account, request, kind)


def _fund_bill(world: World, account: Account, request: Request, content: Content) -> Answer:
    kind = request.query_params.get("account_type", "BASIC")
    if kind not in ("BASIC", "OPERATION", "FEES"):
        raise Refused(400, "PARAM_ERROR", "account_type 无效")
    return _offered(world, account, request, kind)


def _offered(world: World, account: Account, request: Request, kind: str) -> Answer:
    day, packed = _asked_day(world, request), request.query_params.get("tar_type", "")
    if packed not in ("", "GZIP"):
        raise Refused(400, "PARAM_ERROR", "tar_type 无效")
    if world.now() < (datetime.combine(day, time(), _BEIJING) + _WRITTEN_AFTER).timestamp():
        raise Refused(400, "STATEMENT_CREATING", "账单生成中，请稍后再试")
    if files.is_late(world, "wechat", _page_of(kind), account.merchant, day):
        raise Refused(400, "STATEMENT_CREATING", "账单生成中，请稍后再试")
    fault = files.met(world, "wechat", _page_of(kind), account.merchant, day)
    text = _written(world, account, kind, day, fault)
    if not text:
        raise Refused(400, "NO_STATEMENT_EXIST", "账单文件不存在")
    token = {
        "kind": kind,
        "day": day.isoformat(),
        "packed": packed,
        "fault": fault.id if fault else 0,
        "until": int(world.now()) + _ADDRESS_LIVES_SECONDS,
    }
    return 200, {
        "hash_type": "SHA1",
        "hash_value": files.hashed(fault, sha1(text, usedforsecurity=False).hexdigest()),
        "download_url": f"{world.public_url}/wechat{DOWNLOAD}?token={_sealed(world, account, token)}",
    }


def _asked_day(world: World, request: Request) -> date:
    try:
        day = date.fromisoformat(request.query_params.get("bill_date", ""))
    except ValueError as problem:
        raise Refused(400, "PARAM_ERROR", "bill_date 格式错误") from problem
    today = datetime.fromtimestamp(world.now(), _BEIJING).date()
    if not today - timedelta(days=_KEPT_DAYS) <= day <= today:
        raise Refused(400, "PARAM_ERROR", "仅支持三个月内的账单")
    return day


def file(world: World, account: Account, token: str) -> bytes:
    """The bytes behind a download address. Raises Refused."""
    told, _, mark = token.partition(".")
    if not hmac.compare_digest(mark, _mark(world, account, told)):
        raise Refused(403, "NO_AUTH", "下载链接无效")
    asked = json.loads(urlsafe_b64decode(told))
    if world.now() > asked["until"]:
        raise Refused(403, "NO_AUTH", "下载链接已失效")
    fault = plans.with_id(world, asked["fault"])
    text = _written(world, account, asked["kind"], date.fromisoformat(asked["day"]), fault)
    if fault is not None and fault.kind == "zip_bomb" and asked["packed"]:
        return files.gzip_bomb()
    return files.outside(fault, gzip.compress(text, mtime=0) if asked["packed"] else text)


def _sealed(world: World, account: Account, token: dict[str, Any]) -> str:
    told = urlsafe_b64encode(json.dumps(token).encode()).decode()
    return f"{told}.{_mark(world, account, told)}"


def _mark(world: World, account: Account, told: str) -> str:
    secret = sha256(platform_keys.private_pem(world).encode()).digest()
    return hmac.new(secret, f"{account.mchid}.{told}".encode("utf-8", "replace"), sha256).hexdigest()


def _written(world: World, account: Account, kind: str, asked: date, fault: Fault | None) -> bytes:
    """The file without its wrapping; empty when nothing moved."""
    if kind in ("OPERATION", "FEES"):
        return b""  # everything goes through the basic account here
    page = _page_of(kind)
    day = files.day_told(world, "wechat", page, account.merchant, asked, fault)
    moved = files.of_day(world, "wechat", page, account.merchant, day, fault)
    named = replace(account, mchid=files.stranger(fault, account.mchid))
    if kind == "BASIC":
        text = bill_files.fund_flow(moved, _balance(world, account, day)) if moved else b""
    else:
        written = datetime.combine(day, time(), _BEIJING) + _WRITTEN_AFTER
        text = bill_files.trades(named, kind, moved, written=written.timestamp())
    return files.inside(fault, text)


def _page_of(kind: str) -> str:
    return "fundflow" if kind == "BASIC" else "trade"


def _movements(unlisted: str) -> Callable[[World, str, date], list[Movement]]:
    """What a bill lists of a day: withdrawals are no trades."""

    def moved(world: World, merchant: str, day: date) -> list[Movement]:
        start = _begins(day)
        found = world.storage.rows(
            "SELECT kind, moved_at, total, amount, fee, rate, reference, transaction_id, trade_type, description,"
            " attach, asked, refund_id, number, status, changed_at FROM wechat_movements"
            " WHERE merchant = ? AND moved_at >= ? AND moved_at < ? AND kind <> ?"
            " ORDER BY moved_at, transaction_id, number, kind",
            *(merchant, start, start + 86_400, unlisted),
        )
        return [Movement(**dict(row)) for row in found]

    return moved


def _begins(day: date) -> float:
    return datetime.combine(day, time(), _BEIJING).timestamp()


def _seen(one: Movement) -> Seen:
    kinds = {"pay": "payment", "refund": "refund", "withdraw": "payout"}
    key = f"{one.transaction_id}/{one.refund_id}/{one.kind}" if one.refund_id else one.transaction_id
    sign = -1 if one.kind in ("refund", "withdraw") else 1
    fee = -one.fee if one.kind == "refund" else one.fee
    kind, reference = kinds.get(one.kind, "other"), one.number or one.reference
    return Seen(key, kind, reference, sign * one.amount, fee, one.currency, one.moved_at)


def _changed(one: Movement, what: Mapping[str, Any]) -> Movement:
    plain = ("currency", "state", "moved_at", "reference")
    more: dict[str, Any] = {name: what[name] for name in plain if name in what}
    if "amount" in what:
        more["amount"] = abs(what["amount"])
        more["total"] = more["amount"] if one.kind == "pay" else one.total
    if "fee" in what:
        more["fee"] = abs(what["fee"])
    if "key" in what:
        more["transaction_id"] = what["key"].partition("/")[0]
    return replace(one, **more)


def _page(rows: Sequence[str], whole: Sequence[str], unlisted: str = "") -> Page[Movement]:
    return Page(
        rows=_movements(unlisted),
        seen=_seen,
        change=_changed,
        begins=_begins,
        row_kinds=("missing", "foreign", "amount", "fee", "duplicate", "late", "refund_missing", *rows),
        file_kinds=(
            *("truncated", "damaged", "wrong_hash", "mixed_days", "zip_bomb", "not_ready", "corrected"),
            *("repeated", *whole),
        ),
    )


# the fund flow names no merchant
STATEMENTS = {
    "trade": _page(("currency", "state"), ("other_merchant",), unlisted="withdraw"),
    "fundflow": _page(("payout_amount",), ()),
}


def _balance(world: World, account: Account, day: date) -> int:
    """What WeChat Pay believes the basic account held when the day began."""
    row: Any = world.storage.row(
        "SELECT coalesce(sum((amount - fee) * CASE WHEN kind IN ('refund', 'withdraw') THEN -1 ELSE 1 END), 0) AS held"
        " FROM wechat_movements WHERE merchant = ? AND moved_at < ?",
        *(account.merchant, _begins(day)),
    )
    off = rows.drift(world, "wechat", "fundflow", account.merchant, day)
    return int(row["held"]) + off.get("CNY", 0)
