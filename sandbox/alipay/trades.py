"""Alipay's side of a payment: no trade before the scan, then WAIT_BUYER_PAY, paid, closed, refunded."""

import json
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any

from sandbox import deliveries, payments
from sandbox.provider import ActionRefused, Payment, World

SCHEMA = """
CREATE TABLE IF NOT EXISTS alipay_accounts (
    merchant TEXT PRIMARY KEY REFERENCES merchants(id), app_id TEXT NOT NULL UNIQUE,
    seller_id TEXT NOT NULL UNIQUE, app_public_key TEXT NOT NULL DEFAULT ''
);
CREATE TABLE IF NOT EXISTS alipay_trades (
    payment TEXT PRIMARY KEY REFERENCES payments(id), code TEXT NOT NULL UNIQUE, product TEXT NOT NULL,
    subject TEXT NOT NULL, notify_url TEXT NOT NULL, return_url TEXT NOT NULL,
    status TEXT NOT NULL DEFAULT '', trade_no TEXT NOT NULL DEFAULT '', created_at REAL, paid_at REAL, closed_at REAL
);
CREATE INDEX IF NOT EXISTS alipay_trades_number ON alipay_trades (trade_no);
CREATE TABLE IF NOT EXISTS alipay_refunds (
    payment TEXT NOT NULL REFERENCES payments(id), out_request_no TEXT NOT NULL, amount INTEGER NOT NULL,
    refunded_at REAL NOT NULL, PRIMARY KEY (payment, out_request_no)
);
"""
BUYER = {"buyer_id": "2088102177846880", "buyer_logon_id": "159****5620"}
_BEIJING = timezone(timedelta(hours=8))


@dataclass(frozen=True, slots=True)
class Account:
    merchant: str
    app_id: str
    seller_id: str
    app_public_key: str


@dataclass(frozen=True, slots=True)
class Trade:
    """`status` is empty and `trade_no` too until somebody has scanned the code or opened the page."""

    payment: str
    code: str
    product: str
    subject: str
    notify_url: str
    return_url: str
    status: str
    trade_no: str
    created_at: float | None
    paid_at: float | None
    closed_at: float | None


def account_of(world: World, *, app_id: str = "", merchant: str = "") -> Account | None:
    row = world.storage.row(
        "SELECT * FROM alipay_accounts WHERE app_id = ? OR merchant = ?", app_id, merchant
    )
    return Account(**dict(row)) if row else None


def written_time(moment: float | None, *, millis: bool = False) -> str:
    """GMT+8, as Alipay writes it; refunds carry milliseconds."""
    if moment is None:
        return ""
    text = datetime.fromtimestamp(moment, _BEIJING).isoformat(" ", "milliseconds")
    return text[:23] if millis else text[:19]


def yuan(amount: int) -> str:
    return f"{amount // 100}.{amount % 100:02d}"


def trade_of(world: World, payment: str) -> Trade:
    row = world.storage.row("SELECT * FROM alipay_trades WHERE payment = ?", payment)
    assert row is not None
    return Trade(**dict(row))


def payment_with_code(world: World, code: str) -> str | None:
    row = world.storage.row("SELECT payment FROM alipay_trades WHERE code = ?", code)
    return str(row["payment"]) if row else None


def open_trade(
    world: World,
    *,
    account: Account,
    product: str,
    reference: str,
    amount: int,
    subject: str,
    notify_url: str,
    return_url: str,
    expires_at: float,
) -> Trade:
    """A code or a page that can become a trade until `expires_at`."""
    payment, code = world.new_id("ali_"), "bax" + secrets.token_hex(10)
    payments.open_payment(
        world,
        payment=payment,
        channel="alipay",
        merchant=account.merchant,
        reference=reference,
        amount=amount,
        currency="CNY",
        description=subject,
        scan_url=f"{world.public_url}/wallet/alipay/{code}",
        actions="scan pay decline expire",
        expires_at=expires_at,
    )
    world.storage.run(
        "INSERT INTO alipay_trades (payment, code, product, subject, notify_url, return_url)"
        " VALUES (?, ?, ?, ?, ?, ?)",
        *(payment, code, product, subject, notify_url, return_url),
    )
    return trade_of(world, payment)


def scan(world: World, payment: Payment) -> Trade:
    """The buyer's eyes: the trade begins to exist."""
    trade = trade_of(world, payment.id)
    if payment.state != "waiting":
        raise ActionRefused(f"the payment is {payment.state}")
    if not trade.status:
        day = datetime.fromtimestamp(world.now(), _BEIJING).strftime("%Y%m%d")
        number = f"{day}22001{secrets.randbelow(10**15):015d}"
        world.storage.run(
            "UPDATE alipay_trades SET status = 'WAIT_BUYER_PAY', trade_no = ?, created_at = ? WHERE payment = ?",
            *(number, world.now(), payment.id),
        )
        payments.set_state(world, payment.id, "waiting", actions="pay decline expire")
    return trade_of(world, payment.id)


def pay(world: World, payment: Payment) -> None:
    scan(world, payment)
    world.storage.run(
        "UPDATE alipay_trades SET status = 'TRADE_SUCCESS', paid_at = ? WHERE payment = ?",
        *(world.now(), payment.id),
    )
    payments.add_captured(world, payment.id, payment.amount)
    notify(world, payment.id)


def close(world: World, payment: Payment, state: str) -> None:
    """End an unpaid payment. Without a trade only the code stops working; Alipay still knows no trade."""
    trade = trade_of(world, payment.id)
    if payment.state != "waiting":
        raise ActionRefused(f"the payment is {payment.state}")
    payments.set_state(world, payment.id, state)
    if trade.status:
        world.storage.run(
            "UPDATE alipay_trades SET status = 'TRADE_CLOSED', closed_at = ? WHERE payment = ?",
            *(world.now(), payment.id),
        )
        # Face to face and page pay tell of success only; wap pay of closing as well.
        if trade.product == "QUICK_WAP_WAY":
            notify(world, payment.id)


def refund(world: World, payment: Payment, out_request_no: str, amount: int) -> None:
    """Give `amount` back; the caller has checked that it is there and that the number is new."""
    now = world.now()
    world.storage.run(
        "INSERT INTO alipay_refunds (payment, out_request_no, amount, refunded_at) VALUES (?, ?, ?, ?)",
        *(payment.id, out_request_no, amount, now),
    )
    payments.add_refunded(world, payment.id, amount)
    if payment.refunded + amount == payment.captured:
        world.storage.run(
            "UPDATE alipay_trades SET status = 'TRADE_CLOSED', closed_at = ? WHERE payment = ?",
            *(now, payment.id),
        )
    notify(world, payment.id, out_request_no)


def refund_of(world: World, payment: str, out_request_no: str) -> tuple[int, float] | None:
    """Amount and moment of one refund."""
    row = world.storage.row(
        "SELECT amount, refunded_at FROM alipay_refunds WHERE payment = ? AND out_request_no = ?",
        *(payment, out_request_no),
    )
    return (int(row["amount"]), float(row["refunded_at"])) if row else None


def notify(world: World, payment: str, out_request_no: str = "") -> None:
    """Ask for the notification of what the trade is now; for a refund it names the refund's number."""
    found, trade = payments.get_payment(world, payment), trade_of(world, payment)
    event = secrets.token_hex(17)
    kind = f"refund {trade.status}" if out_request_no else trade.status
    deliveries.ask_delivery(
        world,
        channel="alipay",
        merchant=found.merchant,
        payment=payment,
        event_id=event,
        kind=kind,
        url=trade.notify_url,
        content=json.dumps(
            {"notify_id": event, **_told(world, found, trade, out_request_no)}, ensure_ascii=False
        ),
    )


def _told(world: World, payment: Payment, trade: Trade, out_request_no: str) -> dict[str, Any]:
    account = account_of(world, merchant=payment.merchant)
    assert account is not None
    told: dict[str, Any] = {
        "notify_type": "trade_status_sync",
        "app_id": account.app_id,
        "auth_app_id": account.app_id,
        "charset": "utf-8",
        "version": "1.0",
        "trade_no": trade.trade_no,
        "out_trade_no": payment.reference,
        "seller_id": account.seller_id,
        "seller_email": "seller@sandbox.example",
        "trade_status": trade.status,
        "total_amount": yuan(payment.amount),
        "subject": trade.subject,
        "gmt_create": written_time(trade.created_at),
        **BUYER,
    }
    if trade.paid_at is not None:
        paid = yuan(payment.amount)
        told |= dict.fromkeys(("receipt_amount", "invoice_amount", "buyer_pay_amount"), paid)
        told |= {"point_amount": "0.00", "gmt_payment": written_time(trade.paid_at)}
        told["fund_bill_list"] = json.dumps([{"amount": paid, "fundChannel": "ALIPAYACCOUNT"}])
    if trade.closed_at is not None:
        told["gmt_close"] = written_time(trade.closed_at)
    if out_request_no:
        refund = refund_of(world, payment.id, out_request_no)
        told |= {"out_biz_no": out_request_no, "refund_fee": yuan(payment.refunded)}
        told["gmt_refund"] = written_time(refund[1] if refund else None, millis=True)
    return told
