from collections.abc import Callable

from django.db import transaction

from ledger.audit import attribute, record
from ledger.identifiers import MalformedIdentifier, decode
from payments.errors import NothingToAsk
from payments.models import Attempt, DisputeMovement, Payment, Refund
from payments.services.carry_out_dispute_movement import carry_out_dispute_movement
from payments.services.carry_out_refund import carry_out_refund
from payments.services.send_attempt import send_attempt
from payments.states import AttemptKind, AttemptState, RefundState


def ask_provider(*, subject: str, actor: str, reason: str) -> None:
    """This will ask the provider, now, what became of a movement (att_…, ref_…, dmv_…) or payment (pay_…).

    What it says is applied as if it had arrived. Opens its own transactions: the question is written down under the
    row's lock, then the provider is asked with nothing open. Raises `NothingToAsk` when the outcome is known by now.
    """
    prefix = subject.partition("_")[0]
    if prefix not in _ASK:
        raise NothingToAsk(f"No provider can be asked about {subject[:40]!r}.")
    try:
        _ASK[prefix](subject, actor, reason)
    except (
        MalformedIdentifier,
        Attempt.DoesNotExist,
        Refund.DoesNotExist,
        DisputeMovement.DoesNotExist,
    ) as error:
        raise NothingToAsk(f"There is no {subject[:40]!r}.") from error


def _attempt(subject: str, actor: str, reason: str) -> None:
    with transaction.atomic(durable=True):
        attribute(actor=actor, reason=reason)
        row = Attempt.objects.locked().by_reference(subject).get()
        if row.state != AttemptState.UNKNOWN:
            raise NothingToAsk(f"The provider has answered meanwhile: this is {row.state}.")
        record(action="attempt.asked", object_id=row.public_id)
    send_attempt(attempt=row, again=True)


def _payment(subject: str, actor: str, reason: str) -> None:
    """About the tries that may have brought money; when there is none, about those that are said to have come to
    nothing: somebody doubts that."""
    with transaction.atomic(durable=True):
        attribute(actor=actor, reason=reason)
        payment = Payment.objects.locked().by_public_id(subject).first()
        sent = payment.attempts.filter(kind=AttemptKind.START).exclude(sent_at=None) if payment else ()
        tries = [row for row in sent if row.state in _MAY_HAVE_MONEY] or list(sent)
        if not tries:
            raise NothingToAsk("This payment has no try that any provider heard of.")
        record(action="payment.asked", object_id=subject)
    for row in tries:
        send_attempt(attempt=row, again=True)


def _refund(subject: str, actor: str, reason: str) -> None:
    with transaction.atomic(durable=True):
        attribute(actor=actor, reason=reason)
        row = Refund.objects.locked().by_public_id(subject).get()
        if row.state != RefundState.UNKNOWN:
            raise NothingToAsk(f"The provider has answered meanwhile: this refund is {row.state}.")
        row.checks += 1
        row.store()
        record(action="refund.asked", object_id=row.public_id)
    carry_out_refund(refund=subject)


def _dispute_movement(subject: str, actor: str, reason: str) -> None:
    with transaction.atomic(durable=True):
        attribute(actor=actor, reason=reason)
        row = DisputeMovement.objects.locked().get(pk=decode("dmv", subject))
        if not row.is_under_way:
            raise NothingToAsk(f"The provider has answered meanwhile: this is {row.state}.")
        record(action="disputemovement.asked", object_id=row.public_id)
    carry_out_dispute_movement(movement=subject, again=True)


_MAY_HAVE_MONEY = (AttemptState.UNKNOWN, AttemptState.SUCCEEDED)
_ASK: dict[str, Callable[[str, str, str], None]] = {
    "att": _attempt,
    "pay": _payment,
    "ref": _refund,
    "dmv": _dispute_movement,
}
