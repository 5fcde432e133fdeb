"""WeChat Pay's side of a payment: the order exists from the first request on."""

import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any

from sandbox import deliveries, payments
from sandbox.provider import ActionRefused, Payment, World

SCHEMA = """
CREATE TABLE IF NOT EXISTS wechat_accounts (
    merchant TEXT PRIMARY KEY REFERENCES merchants(id), appid TEXT NOT NULL, mchid TEXT NOT NULL UNIQUE,
    serial TEXT NOT NULL, api_v3_key TEXT NOT NULL, public_key TEXT NOT NULL DEFAULT ''
);
CREATE TABLE IF NOT EXISTS wechat_orders (
    payment TEXT PRIMARY KEY REFERENCES payments(id), code TEXT NOT NULL UNIQUE, trade_type TEXT NOT NULL,
    trade_state TEXT NOT NULL DEFAULT 'NOTPAY', transaction_id TEXT NOT NULL DEFAULT '',
    notify_url TEXT NOT NULL, attach TEXT NOT NULL, asked TEXT NOT NULL, paid_at REAL
);
CREATE INDEX IF NOT EXISTS wechat_orders_transaction ON wechat_orders (transaction_id);
"""
PAYER = {"openid": "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o"}
STATE_WORDS = {"NOTPAY": "订单未支付", "SUCCESS": "支付成功", "CLOSED": "订单已关闭", "REFUND": "转入退款"}
_SUMMARIES = {
    "TRANSACTION.SUCCESS": "支付成功",
    "REFUND.SUCCESS": "退款成功",
    "REFUND.ABNORMAL": "退款异常",
    "REFUND.CLOSED": "退款关闭",
}
_BEIJING = timezone(timedelta(hours=8))


@dataclass(frozen=True, slots=True)
class Account:
    merchant: str
    appid: str
    mchid: str
    serial: str
    api_v3_key: str
    public_key: str


@dataclass(frozen=True, slots=True)
class Order:
    """`asked` is what the merchant asked for, to tell a repeated request from another one."""

    payment: str
    code: str
    trade_type: str
    trade_state: str
    transaction_id: str
    notify_url: str
    attach: str
    asked: str
    paid_at: float | None


def account_of(world: World, *, mchid: str = "", merchant: str = "") -> Account | None:
    row = world.storage.row("SELECT * FROM wechat_accounts WHERE mchid = ? OR merchant = ?", mchid, merchant)
    return Account(**dict(row)) if row else None


def written_time(moment: float) -> str:
    return datetime.fromtimestamp(moment, _BEIJING).isoformat(timespec="seconds")


def order_of(world: World, payment: str) -> Order:
    row = world.storage.row("SELECT * FROM wechat_orders WHERE payment = ?", payment)
    assert row is not None
    return Order(**dict(row))


def payment_with_code(world: World, code: str) -> str | None:
    row = world.storage.row("SELECT payment FROM wechat_orders WHERE code = ?", code)
    return str(row["payment"]) if row else None


def prepay_id(order: Order) -> str:
    return f"wx{order.code}"


def payment_with_transaction(world: World, account: Account, transaction_id: str) -> Payment | None:
    row = world.storage.row(
        "SELECT p.id FROM payments p JOIN wechat_orders o ON o.payment = p.id"
        " WHERE p.merchant = ? AND o.transaction_id = ?",
        *(account.merchant, transaction_id or "?"),
    )
    return payments.get_payment(world, row["id"]) if row else None


def open_order(
    world: World, *, account: Account, trade_type: str, asked: Mapping[str, Any], expires_at: float
) -> Order:
    payment, code = world.new_id("wxp_"), secrets.token_urlsafe(9)
    payments.open_payment(
        world,
        payment=payment,
        channel="wechat",
        merchant=account.merchant,
        reference=asked["out_trade_no"],
        amount=asked["amount"]["total"],
        currency="CNY",
        description=asked["description"],
        scan_url=f"{world.public_url}/wallet/wechat/{code}",
        actions="pay decline expire",
        expires_at=expires_at,
    )
    world.storage.run(
        "INSERT INTO wechat_orders (payment, code, trade_type, notify_url, attach, asked)"
        " VALUES (?, ?, ?, ?, ?, ?)",
        *(payment, code, trade_type, asked["notify_url"], asked.get("attach", "")),
        json.dumps(asked, sort_keys=True),
    )
    return order_of(world, payment)


def pay(world: World, payment: Payment) -> None:
    if payment.state != "waiting":
        raise ActionRefused(f"the payment is {payment.state}")
    day = datetime.fromtimestamp(world.now(), _BEIJING).strftime("%Y%m%d")
    world.storage.run(
        "UPDATE wechat_orders SET trade_state = 'SUCCESS', transaction_id = ?, paid_at = ? WHERE payment = ?",
        *(f"4200002{day}{secrets.randbelow(10**13):013d}", world.now(), payment.id),
    )
    payments.add_captured(world, payment.id, payment.amount)
    notify(
        world,
        payment,
        event="TRANSACTION.SUCCESS",
        url=order_of(world, payment.id).notify_url,
        plain=transaction(world, payments.get_payment(world, payment.id)),
    )


def close(world: World, payment: Payment, state: str) -> None:
    """Close the order, by the merchant's wish or because the customer declined. Tells nobody, as WeChat does."""
    if payment.state not in ("waiting", "closed"):
        raise ActionRefused(f"the payment is {payment.state}")
    world.storage.run("UPDATE wechat_orders SET trade_state = 'CLOSED' WHERE payment = ?", payment.id)
    payments.set_state(world, payment.id, state)


def expire(world: World, payment: Payment) -> None:
    """The time to pay is over. The order stays NOTPAY: time_expire closes nothing."""
    if payment.state != "waiting":
        raise ActionRefused(f"the payment is {payment.state}")
    payments.set_state(world, payment.id, "closed")


def transaction(world: World, payment: Payment) -> dict[str, Any]:
    """The order as a query or a notification tells it."""
    account, order = account_of(world, merchant=payment.merchant), order_of(world, payment.id)
    assert account is not None
    told: dict[str, Any] = {
        "appid": account.appid,
        "mchid": account.mchid,
        "out_trade_no": payment.reference,
        "trade_state": order.trade_state,
        "trade_state_desc": STATE_WORDS[order.trade_state],
        "attach": order.attach,
        "amount": {"total": payment.amount, "currency": "CNY"},
        "promotion_detail": [],
    }
    if order.paid_at is not None:
        told |= {
            "transaction_id": order.transaction_id,
            "trade_type": order.trade_type,
            "bank_type": "OTHERS",
            "success_time": written_time(order.paid_at),
            "payer": _payer(order),
        }
        told["amount"] |= {"payer_total": payment.amount, "payer_currency": "CNY"}
    return told


def _payer(order: Order) -> dict[str, str]:
    """Who was named when the order was made (JSAPI), or who scanned it."""
    named = json.loads(order.asked).get("payer")
    return named if order.trade_type == "JSAPI" else PAYER


def notify(
    world: World,
    payment: Payment,
    *,
    event: str,
    url: str,
    plain: Mapping[str, Any],
    kind: str = "transaction",
) -> None:
    content = {
        "id": f"EV-{secrets.token_hex(16)}",
        "create_time": written_time(world.now()),
        "event_type": event,
        "summary": _SUMMARIES[event],
        "kind": kind,
        "plain": plain,
    }
    deliveries.ask_delivery(
        world,
        channel="wechat",
        merchant=payment.merchant,
        payment=payment.id,
        event_id=str(content["id"]),
        kind=event,
        url=url,
        content=json.dumps(content, ensure_ascii=False),
    )
