"""Make a model the champion of its name."""

from django.db import transaction
from django.utils import timezone

from ledger import audit
from risk.artefacts import unseal
from risk.errors import ModelNotFound
from risk.models import RiskModel
from risk.scorers import artefact_of
from risk.states import ModelState


def crown_model(*, model: str, actor: str, reason: str) -> str:
    """This will make "name@version" the champion and retire the one before; policies that name one are not changed.

    Use case. Locks all versions of the name. Raises `ModelNotFound`, `UnusableModel`. Again is without effect.
    """
    name, _, version = model.partition("@")
    with transaction.atomic(durable=True):
        audit.attribute(actor=actor, reason=reason)
        rows = list(RiskModel.objects.locked().filter(name=name))
        chosen = next((row for row in rows if str(row.version) == version), None)
        if chosen is None:
            raise ModelNotFound(f"There is no model {model}.", param="model")
        if chosen.state == ModelState.CHAMPION:
            return str(chosen)
        unseal(artefact_of(chosen))
        for row in rows:
            if row.state == ModelState.CHAMPION:
                row.retire()
                row.save(update_fields=["state"])
        chosen.crown(timezone.now())
        chosen.save(update_fields=["state", "crowned_at"])
    return str(chosen)
