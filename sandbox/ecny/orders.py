"""The gateway's side of an e-CNY payment: the order exists from the first request on, and is final once paid."""

import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone
from typing import Any

from sandbox import deliveries, payments
from sandbox.provider import ActionRefused, Payment, World

SCHEMA = """
CREATE TABLE IF NOT EXISTS ecny_accounts (
    merchant TEXT PRIMARY KEY REFERENCES merchants(id), mch_id TEXT NOT NULL UNIQUE,
    public_key TEXT NOT NULL DEFAULT ''
);
CREATE TABLE IF NOT EXISTS ecny_orders (
    payment TEXT PRIMARY KEY REFERENCES payments(id), code TEXT NOT NULL UNIQUE, asked TEXT NOT NULL,
    status TEXT NOT NULL DEFAULT 'WAITING', trade_no TEXT NOT NULL, paid_at REAL
);
CREATE TABLE IF NOT EXISTS ecny_refunds (
    payment TEXT NOT NULL REFERENCES payments(id), out_refund_no TEXT NOT NULL, refund_no TEXT NOT NULL,
    amount INTEGER NOT NULL, refunded_at REAL NOT NULL, PRIMARY KEY (payment, out_refund_no)
);
"""
_BEIJING = timezone(timedelta(hours=8))
_PAYER = "0011********3310"


@dataclass(frozen=True, slots=True)
class Account:
    merchant: str
    mch_id: str
    public_key: str


@dataclass(frozen=True, slots=True)
class Order:
    payment: str
    code: str
    asked: str
    status: str
    trade_no: str
    paid_at: float | None

    def said(self, name: str) -> str:
        return str(json.loads(self.asked).get(name, ""))


@dataclass(frozen=True, slots=True)
class Refund:
    payment: str
    out_refund_no: str
    refund_no: str
    amount: int
    refunded_at: float


def account_of(world: World, *, mch_id: str = "", merchant: str = "") -> Account | None:
    row = world.storage.row("SELECT * FROM ecny_accounts WHERE mch_id = ? OR merchant = ?", mch_id, merchant)
    return Account(**dict(row)) if row else None


def written_time(moment: float | None) -> str:
    return (
        datetime.fromtimestamp(moment, _BEIJING).isoformat(timespec="seconds") if moment is not None else ""
    )


def day_of(moment: float) -> str:
    return datetime.fromtimestamp(moment, _BEIJING).date().isoformat()


def midnight(day: date) -> float:
    """When this day begins."""
    return datetime(day.year, day.month, day.day, tzinfo=_BEIJING).timestamp()


def order_of(world: World, payment: str) -> Order:
    row = world.storage.row("SELECT * FROM ecny_orders WHERE payment = ?", payment)
    assert row is not None
    return Order(**dict(row))


def payment_with_code(world: World, code: str) -> str | None:
    row = world.storage.row("SELECT payment FROM ecny_orders WHERE code = ?", code)
    return str(row["payment"]) if row else None


def open_order(world: World, account: Account, asked: Mapping[str, Any]) -> Order:
    payment, code = world.new_id("ecy_"), secrets.token_urlsafe(12)
    payments.open_payment(
        world,
        payment=payment,
        channel="ecny",
        merchant=account.merchant,
        reference=asked["out_trade_no"],
        amount=asked["amount"],
        currency="CNY",
        description=asked["subject"],
        scan_url=f"{world.public_url}/wallet/ecny/{code}",
        actions="pay decline expire",
        expires_at=world.from_merchant(float(asked["expires_at"])),
    )
    world.storage.run(
        "INSERT INTO ecny_orders (payment, code, asked, trade_no) VALUES (?, ?, ?, ?)",
        *(payment, code, json.dumps(dict(asked), sort_keys=True), f"EC{secrets.randbelow(10**18):018d}"),
    )
    return order_of(world, payment)


def pay(world: World, payment: Payment) -> None:
    _check_waiting(payment)
    world.storage.run(
        "UPDATE ecny_orders SET status = 'PAID', paid_at = ? WHERE payment = ?", world.now(), payment.id
    )
    payments.add_captured(world, payment.id, payment.amount)
    _notify(world, payment, "order", order_of(world, payment.id).said("notify_url"), told(world, payment.id))


def close(world: World, payment: Payment, state: str, *, tell: bool = False) -> None:
    _check_waiting(payment)
    payments.set_state(world, payment.id, state)
    world.storage.run("UPDATE ecny_orders SET status = 'CLOSED' WHERE payment = ?", payment.id)
    if tell:
        _notify(
            world, payment, "order", order_of(world, payment.id).said("notify_url"), told(world, payment.id)
        )


def refund_of(world: World, payment: str, out_refund_no: str) -> Refund | None:
    row = world.storage.row(
        "SELECT * FROM ecny_refunds WHERE payment = ? AND out_refund_no = ?", payment, out_refund_no
    )
    return Refund(**dict(row)) if row else None


def refund(world: World, payment: Payment, out_refund_no: str, amount: int, notify_url: str) -> Refund:
    """Give `amount` back; the caller has checked that it is there and that the number is new."""
    number = f"ER{secrets.randbelow(10**18):018d}"
    world.storage.run(
        "INSERT INTO ecny_refunds (payment, out_refund_no, refund_no, amount, refunded_at) VALUES (?, ?, ?, ?, ?)",
        *(payment.id, out_refund_no, number, amount, world.now()),
    )
    payments.add_refunded(world, payment.id, amount)
    done = refund_of(world, payment.id, out_refund_no)
    assert done is not None
    _notify(world, payment, "refund", notify_url, refund_told(payment, done))
    return done


def told(world: World, payment: str) -> dict[str, Any]:
    found, order = payments.get_payment(world, payment), order_of(world, payment)
    return {
        "out_trade_no": found.reference,
        "trade_no": order.trade_no,
        "status": order.status,
        "amount": found.amount,
        "currency": "CNY",
        "paid_at": written_time(order.paid_at),
        "payer": _PAYER if order.paid_at else "",
    }


def refund_told(payment: Payment, done: Refund) -> dict[str, Any]:
    return {
        "out_trade_no": payment.reference,
        "out_refund_no": done.out_refund_no,
        "refund_no": done.refund_no,
        "status": "REFUNDED",
        "refund_amount": done.amount,
        "currency": "CNY",
        "refunded_at": written_time(done.refunded_at),
    }


def _check_waiting(payment: Payment) -> None:
    if payment.state != "waiting":
        raise ActionRefused(f"the payment is {payment.state}")


def _notify(world: World, payment: Payment, event: str, url: str, content: Mapping[str, Any]) -> None:
    account = account_of(world, merchant=payment.merchant)
    assert account is not None
    notice = secrets.token_hex(16)
    deliveries.ask_delivery(
        world,
        channel="ecny",
        merchant=payment.merchant,
        payment=payment.id,
        event_id=notice,
        kind=f"{event} {content['status']}",
        url=url,
        content=json.dumps({**content, "notify_id": notice, "event": event, "mch_id": account.mch_id}),
    )
