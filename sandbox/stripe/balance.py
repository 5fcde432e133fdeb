"""The account's money: one balance transaction for everything that moves it, with Stripe's fee."""

import json

from sandbox.provider import World
from sandbox.stripe import deadlines
from sandbox.stripe.gateway import Call
from sandbox.stripe.lists import page_of
from sandbox.stripe.store import Object, add, load, newest

DISPUTE_FEE = 1_500
_SETTLEMENT_SECONDS = 2 * 86_400
MOVEMENTS = """
    SELECT e.merchant, upper(e.currency) AS currency,
           CASE json_extract(o.data, '$.reporting_category')
               WHEN 'charge' THEN 'payment' WHEN 'refund_failure' THEN 'refund_returned'
               WHEN 'dispute_reversal' THEN 'dispute_won' ELSE json_extract(o.data, '$.reporting_category')
           END AS kind,
           CASE s.kind WHEN 'charge' THEN p.reference
               WHEN 'refund' THEN coalesce(json_extract(s.data, '$.metadata.reference'), '') ELSE '' END AS reference,
           CASE s.kind WHEN 'charge' THEN '' ELSE p.reference END AS parent, s.id AS number,
           json_extract(o.data, '$.amount') AS amount, json_extract(o.data, '$.fee') AS fee, e.created AS moved_at
    FROM stripe_entries e JOIN stripe_objects o ON o.id = e.id
    JOIN stripe_objects s ON s.id = json_extract(o.data, '$.source')
    JOIN payments p ON p.id = json_extract(s.data, '$.payment_intent')
"""


def processing_fee(amount: int) -> int:
    """2.9 % of the amount, rounded half up to the minor unit, and 30 minor units more."""
    return (amount * 29 + 500) // 1000 + 30


def enter(
    world: World,
    merchant: str,
    *,
    source: str,
    kind: str,
    amount: int,
    currency: str,
    fee: int = 0,
    category: str = "",
    description: str = "",
    fee_description: str = "Stripe processing fees",
    settled: bool = False,
) -> Object:
    """Add one row. What comes in or goes back is available after two days, what is `settled` at once."""
    now = int(world.now())
    detail = {"amount": fee, "currency": currency, "type": "stripe_fee", "description": fee_description}
    entry: Object = {
        "id": world.new_id("txn_"),
        "object": "balance_transaction",
        "amount": amount,
        "available_on": now if settled else now + _SETTLEMENT_SECONDS,
        "balance_type": "payments",
        "created": now,
        "currency": currency,
        "description": description or None,
        "exchange_rate": None,
        "fee": fee,
        "fee_details": [{**detail, "application": None}] if fee else [],
        "net": amount - fee,
        "reporting_category": category or kind,
        "source": source,
        "status": "available" if settled else "pending",
        "type": kind,
    }
    world.storage.run(
        "INSERT INTO stripe_entries VALUES (?, ?, ?, ?, ?, ?, '')",
        *(entry["id"], merchant, currency, entry["net"], now, entry["available_on"]),
    )
    if kind != "payout":
        expect_day(world, merchant)
    world.storage.run(
        "INSERT INTO stripe_balances (merchant, currency, total) VALUES (?, ?, ?)"
        " ON CONFLICT (merchant, currency) DO UPDATE SET total = total + excluded.total",
        *(merchant, currency, entry["net"]),
    )
    return add(world, merchant, entry, parent=source)


def covers(world: World, merchant: str, currency: str, amount: int) -> bool:
    """Whether `amount` can be paid out. Accounts may owe Stripe unless control forbids it to one."""
    row = world.storage.row(
        "SELECT total, may_owe FROM stripe_balances WHERE merchant = ? AND currency = ?", merchant, currency
    )
    return row is None or bool(row["may_owe"]) or row["total"] >= amount


def forbid_owing(world: World, merchant: str, currency: str, *, forbidden: bool) -> None:
    world.storage.run(
        "INSERT INTO stripe_balances (merchant, currency, total, may_owe) VALUES (?, ?, 0, ?)"
        " ON CONFLICT (merchant, currency) DO UPDATE SET may_owe = excluded.may_owe",
        *(merchant, currency, not forbidden),
    )


def day_of(merchant: str) -> str:
    """The deadline at which an account's day ends."""
    return f"day:{merchant}"


def expect_day(world: World, merchant: str) -> None:
    deadlines.set_first(world, day_of(merchant), (int(world.now()) // 86_400 + 1) * 86_400)


def entries(world: World, where: str, *values: object) -> list[Object]:
    """Balance transactions in the order of their making; `where` is over `stripe_entries`."""
    rows = world.storage.rows(
        "SELECT o.data, e.payout FROM stripe_entries e JOIN stripe_objects o ON o.id = e.id"  # noqa: S608
        f" WHERE {where} ORDER BY o.sequence",
        *values,
    )
    return [{**as_of(world, json.loads(row["data"])), "_payout": row["payout"]} for row in rows]


def as_of(world: World, entry: Object) -> Object:
    if entry["available_on"] <= world.now():
        entry["status"] = "available"
    return entry


def retrieve(call: Call) -> Object:
    call.params.finish()
    return as_of(call.world, load(call.world, call.account.merchant, "balance_transaction", call.path["id"]))


def listing(call: Call) -> Object:
    wanted = {name: call.params.text(name) for name in ("type", "source", "currency")}
    payout = call.params.text("payout")
    merchant = call.account.merchant
    if payout:
        found = entries(call.world, "e.merchant = ? AND e.payout = ?", merchant, payout)[::-1]
    else:
        found = [as_of(call.world, one) for one in newest(call.world, merchant, "balance_transaction")]
    matching = [
        one for one in found if all(not value or one[name] == value for name, value in wanted.items())
    ]
    return page_of(call, matching, "/v1/balance_transactions")
