import structlog

from checkout.models import Order
from checkout.selectors.contacts import contacts_of
from checkout.services.write_once import write_once
from checkout.states import NotificationKind
from payments import selectors
from payments.channels.contract import ActionKind
from risk import challenges
from risk.errors import ChallengeOver, CodeLimitReached
from risk.services.send_challenge_code import send_challenge_code

log = structlog.get_logger(__name__)


def ask_to_confirm(*, payment: str) -> None:
    """This will tell the customer of a challenge that a reviewer asked for: by its first code, or by a letter.

    Asks a messenger: must run outside any transaction. Told twice, it sends one code; a payment that does not wait
    for an answer is left alone.
    """
    found = selectors.payment(payment)
    if found.next_action is None or found.next_action.kind != ActionKind.CHALLENGE:
        return
    asked = challenges.challenge(found.challenge)
    if not asked.by_code:
        write_once(order=found.reference, kind=NotificationKind.CONFIRM)
        return
    if asked.code:
        return
    order = Order.objects.named(found.reference).get()
    try:
        send_challenge_code(
            challenge=asked.id,
            owner=None,
            kind=asked.kind,
            contacts=contacts_of(order),
            language="zh" if order.in_chinese else "en",
        )
    except (ChallengeOver, CodeLimitReached) as refusal:
        log.warning("challenge.not_told", payment=payment, code=refusal.code)
