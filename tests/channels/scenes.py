"""What the contract's tests have in common: payments brought to where a test begins, and what the sandbox knows."""

from dataclasses import replace

from ledger.money import Money
from payments.channels.contract import MovementRequest, NoticeKind, Outcome, StartRequest
from tests.channels.drivers import Driver
from tests.channels.world import Arrived, eventually

# A request or its answer that gets lost, before and after the provider did what was asked.
LOST = ["drop_before", "drop_after", "error_before", "error_after", "garbage_after"]


def captured(driver: Driver, start: StartRequest) -> list[int]:
    return [
        payment["captured"] for payment in driver.sandbox.payments(start.reference) if payment["captured"]
    ]


def refunded(driver: Driver, start: StartRequest) -> int:
    return sum(payment["refunded"] for payment in driver.sandbox.payments(start.reference))


def payment_notices(driver: Driver, start: StartRequest) -> list[Arrived]:
    """The verified notices that speak of this payment's success."""
    found = []
    for arrived in driver.receiver.at(driver.notify_path):
        notice = driver.channel.read_notice(arrived.headers, arrived.body)
        paid = notice.kind is NoticeKind.PAYMENT and notice.answer.outcome is Outcome.SUCCEEDED
        if paid and driver.tells_of(notice, start):
            found.append(arrived)
    return found


def refund_request(driver: Driver, amount: int, total: int = 10_000) -> tuple[StartRequest, MovementRequest]:
    start, answer = driver.paid(total)
    movement = replace(
        driver.movement(start, answer),
        key=f"{start.reference}:refund",
        amount=Money(amount, driver.currency),
        movement_reference=start.reference.replace("att_", "ref_"),
        reason="requested_by_customer",
    )
    return start, movement


def settled_refund(driver: Driver, movement: MovementRequest) -> Outcome:
    """The refund's outcome once the channel knows it."""

    def known() -> list[Outcome]:
        outcome = driver.channel.query_refund(movement).outcome
        return [] if outcome is Outcome.PENDING else [outcome]

    return eventually(known)[0]


def held(driver: Driver) -> tuple[StartRequest, MovementRequest]:
    """A payment whose money is held, and the question about it."""
    start = driver.start_request(capture=False)
    answer = driver.channel.start(start)
    if not driver.paid_at_start:
        driver.customer_pays(start)
        answer = driver.channel.query(driver.movement(start, answer))
    assert (answer.outcome, answer.amount) == (Outcome.AUTHORIZED, start.amount)
    return start, driver.movement(start, answer)


def part(
    driver: Driver, movement: MovementRequest, minor: int, *, before: int, final: bool
) -> MovementRequest:
    return replace(
        movement,
        key=f"{movement.reference}:capture:{before}",
        amount=Money(minor, driver.currency),
        captured_before=before,
        final=final,
    )
