from django.db import connection

from payments.models import Attempt, CustomerVault, SavedMethod
from payments.states import AttemptKind, AttemptState, SavedMethodState


def keep_instrument(*, attempt: Attempt) -> None:
    """This will keep the card that a try succeeded with, if its customer agreed to that.

    An operation: needs an open transaction and the attempt's lock; locks the vault, then its cards; the caller
    stores the attempt. Doing it twice changes nothing. A card that is kept already stays one: what is known of it
    is renewed, and the token that is not needed any more is forgotten at the channel.
    """
    assert connection.in_atomic_block, "keep_instrument() is an operation"
    succeeded = attempt.kind == AttemptKind.START and attempt.state == AttemptState.SUCCEEDED
    if not succeeded or attempt.saved_method_id is None:
        return
    if attempt.saved_method and attempt.saved_method.state != SavedMethodState.PENDING:
        return
    vault = CustomerVault.objects.locked().get(methods=attempt.saved_method_id)
    method = SavedMethod.objects.locked().get(pk=attempt.saved_method_id)
    method.vault = vault
    if method.state != SavedMethodState.PENDING or vault.erase_asked_at:
        return
    kept = _kept_before(method)
    if kept is None:
        method.keep()
        method.is_default = not vault.methods.filter(is_default=True).exists()
        method.last_used_at = attempt.sent_at
        method.store()
        return
    kept.vault = vault
    method.give_up()
    if not Attempt.objects.open().filter(saved_method=kept).exclude(pk=attempt.pk).exists():
        # Nothing repeats a call with the older token: the newer one, with the newer date, takes its place.
        kept.exchange_card(method)
        attempt.saved_method = kept
        if kept.state == SavedMethodState.EXPIRED:
            kept.renew()
    kept.last_used_at = attempt.sent_at
    method.is_default = False
    method.store()
    kept.store()


def _kept_before(method: SavedMethod) -> SavedMethod | None:
    """The same card of the same customer, at the same channel."""
    if not method.fingerprint:
        return None
    same = SavedMethod.objects.filter(
        vault=method.vault,
        channel=method.channel,
        fingerprint=method.fingerprint,
        state__in=[SavedMethodState.ACTIVE, SavedMethodState.EXPIRED],
    )
    return same.locked().first()
