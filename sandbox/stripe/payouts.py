"""`/v1/payouts`: at the end of each day (UTC) what has become available goes to the merchant's bank."""

from datetime import UTC, datetime

from sandbox import payouts
from sandbox.provider import World
from sandbox.stripe import balance
from sandbox.stripe.events import emit
from sandbox.stripe.gateway import Call
from sandbox.stripe.lists import page_of
from sandbox.stripe.store import Object, add, load, newest, save

_ARRIVES_AFTER_SECONDS = 8 * 3600


def end_day(world: World, merchant: str) -> None:
    """Pay out what is available, and come again tomorrow while anything is not."""
    pay_out(world, merchant, until=world.now())
    left = world.storage.row(
        "SELECT max(id) AS id FROM stripe_entries WHERE merchant = ? AND payout = ''", merchant
    )
    if left and left["id"]:
        balance.expect_day(world, merchant)


def pay_out(world: World, merchant: str, *, until: float) -> list[Object]:
    """One payout per currency of what is available by `until`; a balance that is owed waits for more."""
    sums = world.storage.rows(
        "SELECT currency, sum(net) AS total FROM stripe_entries"
        " WHERE merchant = ? AND payout = '' AND available_on <= ? GROUP BY currency HAVING sum(net) > 0",
        *(merchant, until),
    )
    return [_payout(world, merchant, row["currency"], row["total"], until) for row in sums]


def _payout(world: World, merchant: str, currency: str, amount: int, until: float) -> Object:
    now = int(world.now())
    payout: Object = {
        "id": world.new_id("po_"),
        "object": "payout",
        "amount": amount,
        "arrival_date": now // 86_400 * 86_400,
        "automatic": True,
        "balance_transaction": None,
        "created": now,
        "currency": currency,
        "description": "STRIPE PAYOUT",
        "destination": "ba_sandbox",
        "failure_balance_transaction": None,
        "failure_code": None,
        "failure_message": None,
        "livemode": False,
        "metadata": {},
        "method": "standard",
        "reconciliation_status": "in_progress",
        "source_type": "card",
        "statement_descriptor": None,
        "status": "in_transit",
        "type": "bank_account",
    }
    world.storage.run(
        "UPDATE stripe_entries SET payout = ?"
        " WHERE merchant = ? AND currency = ? AND payout = '' AND available_on <= ?",
        *(payout["id"], merchant, currency, until),
    )
    entry = balance.enter(
        *(world, merchant),
        source=payout["id"],
        kind="payout",
        amount=-amount,
        currency=currency,
        description="STRIPE PAYOUT",
        settled=True,
    )
    world.storage.run("UPDATE stripe_entries SET payout = ? WHERE id = ?", payout["id"], entry["id"])
    payout["balance_transaction"] = entry["id"]
    add(world, merchant, payout)
    _send_to_bank(world, merchant, payout)
    emit(world, merchant, "payout.created", payout, payment=payout["id"])
    payout.update(status="paid", reconciliation_status="completed")
    save(world, payout)
    for news in ("paid", "reconciliation_completed"):
        emit(world, merchant, f"payout.{news}", payout, payment=payout["id"])
    return payout


def _send_to_bank(world: World, merchant: str, payout: Object) -> None:
    """On the account at eight o'clock of the day of arrival, or at once when that has passed."""
    payouts.record(
        world,
        payouts.Payout(
            id=payout["id"],
            channel="stripe",
            merchant=merchant,
            currency=payout["currency"].upper(),
            amount=payout["amount"],
            day=f"{datetime.fromtimestamp(payout['arrival_date'] - 1, UTC):%Y-%m-%d}",
            payer="Stripe",
            text=f"{payout['description']} {payout['id']}",
            made_at=payout["created"],
            arrives_at=max(payout["arrival_date"] + _ARRIVES_AFTER_SECONDS, payout["created"]),
        ),
    )


def retrieve(call: Call) -> Object:
    call.params.finish()
    return load(call.world, call.account.merchant, "payout", call.path["id"], "payout")


def listing(call: Call) -> Object:
    status = call.params.text("status")
    found = newest(call.world, call.account.merchant, "payout")
    return page_of(call, [one for one in found if status in ("", one["status"])], "/v1/payouts")
