"""WeChat Pay's refunds. The money leaves the merchant when a refund is accepted; how it ends is told later.

Three sums of a refund are special, any other ends in SUCCESS a moment later. 666.71 yuan: PROCESSING until
`POST /control/wechat/{mchid}/refunds/{out_refund_no}/{status}` says otherwise. 666.72: ABNORMAL (the customer's bank
refused it), until it is finished by apply-abnormal-refund. 666.73: CLOSED, the money comes back to the merchant. The
same control turns a SUCCESS into an ABNORMAL.
"""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sandbox import appointments, fates, payments
from sandbox.provider import ActionRefused, Payment, World
from sandbox.wechat import orders
from sandbox.wechat.orders import Account, written_time

SLOW, ABNORMAL, CLOSED = 66_671, 66_672, 66_673
_ENDS = {SLOW: "PROCESSING", ABNORMAL: "ABNORMAL", CLOSED: "CLOSED"}
_NEXT = {
    "PROCESSING": {"SUCCESS", "ABNORMAL", "CLOSED"},
    "SUCCESS": {"ABNORMAL"},
    "ABNORMAL": {"SUCCESS", "CLOSED"},
    "CLOSED": set[str](),
}

SCHEMA = """
CREATE TABLE IF NOT EXISTS wechat_refunds (
    mchid TEXT NOT NULL, out_refund_no TEXT NOT NULL, refund_id TEXT NOT NULL, payment TEXT NOT NULL,
    amount INTEGER NOT NULL, reason TEXT NOT NULL, created_at REAL NOT NULL, PRIMARY KEY (mchid, out_refund_no)
);
CREATE INDEX IF NOT EXISTS wechat_refunds_id ON wechat_refunds (refund_id);
CREATE TABLE IF NOT EXISTS wechat_refund_ends (
    refund_id TEXT PRIMARY KEY, status TEXT NOT NULL, changed_at REAL NOT NULL, notify_url TEXT NOT NULL
);
"""


@dataclass(frozen=True, slots=True)
class Refund:
    mchid: str
    out_refund_no: str
    refund_id: str
    payment: str
    amount: int
    reason: str
    created_at: float
    status: str
    changed_at: float
    notify_url: str


def refund_of(world: World, account: Account, out_refund_no: str) -> Refund | None:
    row = world.storage.row(
        "SELECT r.*, coalesce(e.status, 'SUCCESS') AS status, coalesce(e.changed_at, r.created_at) AS changed_at,"
        " coalesce(e.notify_url, '') AS notify_url FROM wechat_refunds r"
        " LEFT JOIN wechat_refund_ends e ON e.refund_id = r.refund_id WHERE mchid = ? AND out_refund_no = ?",
        *(account.mchid, out_refund_no),
    )
    return Refund(**dict(row)) if row else None


def refund(
    world: World, account: Account, payment: Payment, *, number: str, amount: int, reason: str, url: str
) -> Refund:
    """Give `amount` back; the caller has checked that it is there and that the number is new."""
    refund_id = f"5030{secrets.randbelow(10**24):024d}"
    world.storage.run(
        "INSERT INTO wechat_refunds (mchid, out_refund_no, refund_id, payment, amount, reason, created_at)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)",
        *(account.mchid, number, refund_id, payment.id, amount, reason, world.now()),
    )
    world.storage.run(
        "INSERT INTO wechat_refund_ends (refund_id, status, changed_at, notify_url) VALUES (?, ?, ?, ?)",
        *(refund_id, "PROCESSING", world.now(), url),
    )
    payments.add_refunded(world, payment.id, amount)
    world.storage.run("UPDATE wechat_orders SET trade_state = 'REFUND' WHERE payment = ?", payment.id)
    end = _ENDS.get(amount) or _fated_end(world, payment, refund_id)
    return end_refund(world, account, number, end) if end != "PROCESSING" else _known(world, account, number)


def _fated_end(world: World, payment: Payment, refund_id: str) -> str:
    """How the refund stands now, with an appointment for what becomes of it."""
    fate = fates.refund_fate(world, payment)
    if fate is None:
        return "SUCCESS"
    later = {"pending_succeeds": "SUCCESS", "pending_fails": "CLOSED", "succeeds_fails": "ABNORMAL"}[
        fate.kind
    ]
    appointments.make(world, payment=payment.id, deed=later, content=refund_id, after_seconds=fate.seconds)
    return "SUCCESS" if fate.kind == "succeeds_fails" else "PROCESSING"


def keep_appointment(world: World, payment: Payment, status: str, refund_id: str) -> None:
    row = world.storage.row("SELECT out_refund_no FROM wechat_refunds WHERE refund_id = ?", refund_id)
    account = orders.account_of(world, merchant=payment.merchant)
    assert row is not None
    assert account is not None
    end_refund(world, account, row["out_refund_no"], status)


def end_refund(world: World, account: Account, number: str, status: str) -> Refund:
    """Move the refund to `status` and tell the merchant. Raises ActionRefused."""
    known = _known(world, account, number)
    if status not in _NEXT[known.status]:
        raise ActionRefused(f"a refund does not go from {known.status} to {status}")
    world.storage.run(
        "UPDATE wechat_refund_ends SET status = ?, changed_at = ? WHERE refund_id = ?",
        *(status, world.now(), known.refund_id),
    )
    if status == "CLOSED":
        payments.add_refunded(world, known.payment, -known.amount)
    now = _known(world, account, number)
    told = refund_json(world, now, "refund_status", status)
    names = ("total", "refund", "payer_total", "payer_refund")
    told["amount"] = {name: told["amount"][name] for name in names}
    orders.notify(
        world,
        payments.get_payment(world, now.payment),
        event=f"REFUND.{status}",
        url=now.notify_url,
        plain={"mchid": account.mchid, **told},
        kind="refund",
    )
    return now


def _known(world: World, account: Account, number: str) -> Refund:
    found = refund_of(world, account, number)
    if found is None:
        raise ActionRefused(f"nobody asked for the refund {number!r}")
    return found


def refund_json(world: World, refund: Refund, status_name: str, status: str) -> dict[str, Any]:
    """The refund as an answer (`status`) or a notification (`refund_status`) tells it."""
    payment = payments.get_payment(world, refund.payment)
    told: dict[str, Any] = {
        "refund_id": refund.refund_id,
        "out_refund_no": refund.out_refund_no,
        "transaction_id": orders.order_of(world, refund.payment).transaction_id,
        "out_trade_no": payment.reference,
        "user_received_account": "支付用户零钱",
        status_name: status,
        "amount": _amounts(payment, refund),
    }
    if status_name == "status":
        told |= {"channel": "ORIGINAL", "create_time": written_time(refund.created_at)}
        told |= {"funds_account": "AVAILABLE", "promotion_detail": []}
    if status == "SUCCESS":
        told["success_time"] = written_time(refund.changed_at)
    return told


def _amounts(payment: Payment, refund: Refund) -> Mapping[str, Any]:
    return {
        "total": payment.amount,
        "refund": refund.amount,
        "payer_total": payment.amount,
        "payer_refund": refund.amount,
        "settlement_refund": refund.amount,
        "settlement_total": payment.amount,
        "discount_refund": 0,
        "currency": "CNY",
    }
