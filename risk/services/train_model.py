"""Learn a model from payments and what became of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.db.models import Max

from ledger import audit
from risk import artefacts, cards, measures
from risk.errors import TooFewOutcomes
from risk.examples import Examples, examples
from risk.learning import Scorer, signals_of, train
from risk.models import RiskModel
from risk.pasts import KINDS
from risk.transactions import LABEL_DELAY_DAYS, Past

_LEAST_FRAUDS = 50
_LATER = 0.25  # of the days are kept to judge a first fit on
_EXPLAINED = 300


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
    learnt = _learnt(pasts, days)
    rows = range(len(learnt.fraud))
    _enough(learnt, rows)
    values = signals_of(learnt)
    later = _judge_later(learnt)
    text = train(values, learnt.fraud)
    artefact = artefacts.seal(text, learnt.names)
    artefacts.unseal(artefact)
    card = cards.card(source=source, simulated=simulated, learnt=learnt, rows=rows, later=later)
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
            card=card,
            created_by=actor,
        )
    return Trained(model=str(row), digest=row.digest, card=card)


def _learnt(pasts: Sequence[Past], days: int) -> Examples:
    """Payments of which an answer can be expected by now."""
    last = (pasts[-1].day if pasts else 0) - LABEL_DELAY_DAYS
    wanted = range(last - days + 1, last + 1)
    kinds = [kind for kind in KINDS if any(kind in past.parties for past in pasts)]
    if any(past.proofs for past in pasts):
        kinds.append("challenge")
    return examples(pasts, wanted=wanted.__contains__, kinds=kinds)


def _enough(learnt: Examples, rows: Sequence[int]) -> None:
    frauds = sum(learnt.fraud[row] for row in rows)
    if frauds < _LEAST_FRAUDS or frauds == len(rows):
        raise TooFewOutcomes(
            f"{frauds} frauds among {len(rows)} payments with an answer: {_LEAST_FRAUDS} are needed. Wait, take more"
            " days, or train on a generated world.",
            param="days",
        )


def _both(labels: Sequence[int]) -> bool:
    return 0 < sum(labels) < len(labels)


def _judge_later(learnt: Examples) -> dict[str, Any]:
    """How a fit on the earlier days does on the later ones; nothing when either has no frauds."""
    first, last = learnt.day[0], learnt.day[-1]
    cut = last - int((last - first + 1) * _LATER)
    earlier = [row for row, day in enumerate(learnt.day) if day <= cut]
    later = [row for row, day in enumerate(learnt.day) if day > cut]
    if not all(_both([learnt.fraud[row] for row in part]) for part in (earlier, later)):
        return {}
    values = signals_of(learnt)
    fraud = [learnt.fraud[row] for row in later]
    scorer = Scorer(train(values[earlier], [learnt.fraud[row] for row in earlier]), learnt.names)
    scores = scorer.scores(values[later])
    return {
        **cards.detection(scores, fraud),
        "payments": len(later),
        "frauds": sum(fraud),
        "calibration": cards.calibration(scores, fraud),
        "curve": measures.curve(scores, fraud),
        "histogram": cards.histogram(scores, fraud),
        "weeks": cards.by_week(scores, fraud, [learnt.day[row] for row in later]),
        "influence": cards.influence(scorer.answers(values[later[:_EXPLAINED]])),
    }
