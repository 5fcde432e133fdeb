import structlog

from payments.facts import PaymentIntent
from risk import challenges
from risk.errors import CodeLimitReached
from risk.services.send_challenge_code import send_challenge_code

log = structlog.get_logger(__name__)


def tell_code(*, challenge: str, intent: PaymentIntent) -> None:
    """This will send the first code of a challenge that is answered with one.

    Opens its own transactions: none may be open. Where so many were sent that this one is not, the challenge stands
    without a code, and its page says so.
    """
    asked = challenges.challenge(challenge)
    if not asked.by_code:
        return
    try:
        send_challenge_code(
            challenge=challenge,
            owner=intent.session,
            kind=asked.kind,
            contacts=intent.contacts,
            language=intent.language,
        )
    except CodeLimitReached:
        log.warning("challenge.code_limit", challenge=challenge)
