"""Learn a model from payments and what became of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.db.models import Max

from ledger import audit
from risk import artefacts
from risk.models import RiskModel
from risk.training import learn
from risk.transactions import Past


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    model: str  # "default@3"
    digest: str
    card: dict[str, Any]


def train_model(
    *, name: str, pasts: Sequence[Past], days: int, source: str, simulated: bool, actor: str
) -> Trained:
    """This will train the next version of the model `name` as a challenger, which decides nothing until a policy says.

    Use case. `pasts` in the order of time; the last `days` whose labels are settled are learnt from, what lies before
    only fills the histories. Minutes of work, outside any transaction. Raises `TooFewOutcomes`.
    """
    lesson = learn(pasts=pasts, days=days, source=source, simulated=simulated)
    artefact = artefacts.seal(lesson.text, lesson.names)
    artefacts.unseal(artefact)
    with transaction.atomic(durable=True):
        audit.attribute(actor=actor, reason=f"trained from {source}"[:200])
        last = RiskModel.objects.filter(name=name).aggregate(last=Max("version"))["last"] or 0
        row = RiskModel.objects.create(
            name=name,
            version=last + 1,
            text=artefact.text,
            schema=artefact.schema,
            digest=artefact.digest,
            key=artefact.key,
            signature=artefact.signature,
            card=lesson.card,
            created_by=actor,
        )
    return Trained(model=str(row), digest=row.digest, card=lesson.card)
