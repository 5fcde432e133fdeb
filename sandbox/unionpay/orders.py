"""UnionPay's side: every movement is an order of its own, known by orderId and txnTime together."""

import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone

from sandbox import deliveries, payments
from sandbox.provider import ActionRefused, Payment, World

SCHEMA = """
CREATE TABLE IF NOT EXISTS unionpay_accounts (
    merchant TEXT PRIMARY KEY REFERENCES merchants(id), mer_id TEXT NOT NULL UNIQUE
);
CREATE TABLE IF NOT EXISTS unionpay_certificates (
    cert_id TEXT PRIMARY KEY, merchant TEXT NOT NULL, public_key TEXT NOT NULL, certificate TEXT NOT NULL,
    UNIQUE (merchant, public_key)
);
CREATE TABLE IF NOT EXISTS unionpay_orders (
    query_id TEXT PRIMARY KEY, merchant TEXT NOT NULL, order_id TEXT NOT NULL, txn_time TEXT NOT NULL,
    txn_type TEXT NOT NULL, amount INTEGER NOT NULL, payment TEXT NOT NULL REFERENCES payments(id),
    resp_code TEXT NOT NULL, code TEXT NOT NULL, asked TEXT NOT NULL, card TEXT NOT NULL DEFAULT '', done_at REAL,
    UNIQUE (merchant, order_id, txn_time)
);
CREATE INDEX IF NOT EXISTS unionpay_orders_payment ON unionpay_orders (payment);
CREATE INDEX IF NOT EXISTS unionpay_orders_code ON unionpay_orders (code);
"""
# name → card type, and the number as UnionPay tells it afterwards. The credit card is UnionPay's own test card.
CARDS = {"debit": ("01", "621626*********0018"), "credit": ("02", "622155******0000")}
BEIJING = timezone(timedelta(hours=8))
WORDS = {
    "00": "成功[0000000]",
    "06": "系统繁忙，请稍后再试[9100006]",
    "11": "验证签名失败[9100004]",
    "12": "重复交易[2010012]",
    "34": "查无此交易[2600000]",
    "35": "原交易不存在或状态不正确[2040004]",
    "36": "与原交易信息不符[2040003]",
    "64": "卡上的余额不足[1000051]",
    "69": "您的输入超时，交易失败[5100069]",
    "70": "交易已跳转，等待持卡人输入[5100070]",
    "98": "文件不存在[2900098]",
}


@dataclass(frozen=True, slots=True)
class Account:
    merchant: str
    mer_id: str


@dataclass(frozen=True, slots=True)
class Order:
    """`resp_code` is what became of it: 70 waits for the customer, 00 is done."""

    query_id: str
    merchant: str
    order_id: str
    txn_time: str
    txn_type: str
    amount: int
    payment: str
    resp_code: str
    code: str
    asked: str
    card: str
    done_at: float | None

    def said(self, name: str) -> str:
        return str(json.loads(self.asked).get(name, ""))


def account_of(world: World, *, mer_id: str = "", merchant: str = "") -> Account | None:
    row = world.storage.row(
        "SELECT * FROM unionpay_accounts WHERE mer_id = ? OR merchant = ?", mer_id, merchant
    )
    return Account(**dict(row)) if row else None


def find(world: World, merchant: str, order_id: str, txn_time: str) -> Order | None:
    row = world.storage.row(
        "SELECT * FROM unionpay_orders WHERE merchant = ? AND order_id = ? AND txn_time = ?",
        *(merchant, order_id, txn_time),
    )
    return Order(**dict(row)) if row else None


def with_query_id(world: World, merchant: str, query_id: str) -> Order | None:
    row = world.storage.row(
        "SELECT * FROM unionpay_orders WHERE merchant = ? AND query_id = ?", merchant, query_id
    )
    return Order(**dict(row)) if row else None


def begun_by(world: World, payment: str) -> Order:
    """The order that the customer pays."""
    row = world.storage.row(
        "SELECT * FROM unionpay_orders WHERE payment = ? AND txn_type IN ('01', '02')", payment
    )
    assert row is not None
    return Order(**dict(row))


def payment_with_code(world: World, code: str) -> str | None:
    row = world.storage.row("SELECT payment FROM unionpay_orders WHERE code = ?", code)
    return str(row["payment"]) if row else None


def settle_day(moment: float) -> str:
    """UnionPay's own day, MMDD: it begins at 23:00."""
    return (datetime.fromtimestamp(moment, BEIJING) + timedelta(hours=1)).strftime("%m%d")


def open_order(world: World, account: Account, sent: Mapping[str, str]) -> Order:
    """A payment that waits on UnionPay's page until `payTimeout`."""
    payment, code = world.new_id("unp_"), secrets.token_hex(12)
    until = datetime.strptime(sent["payTimeout"], "%Y%m%d%H%M%S").replace(tzinfo=BEIJING)
    payments.open_payment(
        world,
        payment=payment,
        channel="unionpay",
        merchant=account.merchant,
        # What the merchant wrote beside its order number, if anything: people look for that.
        reference=sent.get("reqReserved") or sent["orderId"],
        amount=int(sent["txnAmt"]),
        currency="CNY",
        description=sent.get("orderDesc", ""),
        scan_url=f"{world.public_url}/wallet/unionpay/{code}",
        actions="pay decline expire",
        expires_at=world.from_merchant(until.timestamp()),
    )
    return _store(world, account.merchant, sent, payment, "70", code)


def move(world: World, merchant: str, sent: Mapping[str, str], payment: str) -> None:
    """A movement that is done at once: a completion, something undone, a refund."""
    order = _store(world, merchant, sent, payment, "70", "")
    _done(world, order, begun_by(world, payment).card)


def pay(world: World, payment: Payment, card: str) -> None:
    order = _waiting(world, payment)
    if order.txn_type == "02":
        payments.set_state(world, payment.id, "authorized")
    else:
        payments.add_captured(world, payment.id, payment.amount)
    _done(world, order, card)


def end(world: World, payment: Payment, state: str, resp_code: str) -> None:
    """Over without money. UnionPay sends notices of success only."""
    order = _waiting(world, payment)
    payments.set_state(world, payment.id, state)
    world.storage.run(
        "UPDATE unionpay_orders SET resp_code = ? WHERE query_id = ?", resp_code, order.query_id
    )


def expire(world: World, payment: Payment) -> None:
    """The customer took too long; or a hold was not completed in time, and nobody is told."""
    if payment.state == "authorized":
        order = begun_by(world, payment.id)
        payments.set_state(world, payment.id, "closed")
        world.storage.run("UPDATE unionpay_orders SET resp_code = '69' WHERE query_id = ?", order.query_id)
    else:
        end(world, payment, "closed", "69")


def told(world: World, order: Order) -> dict[str, str]:
    """What UnionPay says of an order, in a notice or in the answer to a question."""
    account = account_of(world, merchant=order.merchant)
    assert account is not None
    fields = {
        "merId": account.mer_id,
        "orderId": order.order_id,
        "txnTime": order.txn_time,
        "txnAmt": str(order.amount),
        "currencyCode": "156",
        "queryId": order.query_id,
        "reqReserved": order.said("reqReserved"),
        "accessType": "0",
    }
    if order.done_at is not None:
        kind, number = CARDS[order.card]
        fields |= {
            "traceNo": order.query_id[14:20],
            "traceTime": datetime.fromtimestamp(order.done_at, BEIJING).strftime("%m%d%H%M%S"),
            "settleDate": settle_day(order.done_at),
            "settleAmt": str(order.amount),
            "settleCurrencyCode": "156",
            "accNo": number,
            "payCardType": kind,
        }
    return fields


def _waiting(world: World, payment: Payment) -> Order:
    if payment.state != "waiting":
        raise ActionRefused(f"the payment is {payment.state}")
    return begun_by(world, payment.id)


def _store(
    world: World, merchant: str, sent: Mapping[str, str], payment: str, resp_code: str, code: str
) -> Order:
    query_id = f"{sent['txnTime']}{secrets.randbelow(10**7):07d}"
    world.storage.run(
        "INSERT INTO unionpay_orders (query_id, merchant, order_id, txn_time, txn_type, amount, payment, resp_code,"
        " code, asked) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        *(query_id, merchant, sent["orderId"], sent["txnTime"], sent["txnType"], int(sent["txnAmt"])),
        *(payment, resp_code, code, json.dumps(dict(sent), ensure_ascii=False, sort_keys=True)),
    )
    stored = with_query_id(world, merchant, query_id)
    assert stored is not None
    return stored


def _done(world: World, order: Order, card: str) -> None:
    world.storage.run(
        "UPDATE unionpay_orders SET resp_code = '00', card = ?, done_at = ? WHERE query_id = ?",
        *(card, world.now(), order.query_id),
    )
    done = with_query_id(world, order.merchant, order.query_id)
    assert done is not None
    content = {
        **told(world, done),
        "txnType": done.txn_type,
        "txnSubType": done.said("txnSubType"),
        "bizType": done.said("bizType"),
        "respCode": "00",
        "respMsg": "success",
    }
    deliveries.ask_delivery(
        world,
        channel="unionpay",
        merchant=done.merchant,
        payment=done.payment,
        event_id=done.query_id,
        kind=f"txnType {done.txn_type}",
        url=done.said("backUrl"),
        content=json.dumps(content, ensure_ascii=False),
    )
