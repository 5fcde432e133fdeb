"""What a language model wrote about decisions, as a person reads it, and how often it could not be shown."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Count
from django.utils import timezone

from risk import adviser, masking, wording
from risk.advice import PLACEHOLDER, Statement, restored
from risk.masking import LOWERS, Value
from risk.models import Advice
from risk.selectors import decision_row, policy_document
from risk.states import AdviceState

_SINCE = timedelta(days=30)


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """One statement in words. `points` is what the decision gave, `cites` each input's name with its value."""

    text: str
    factor: str
    points: int
    lowers: bool
    cites: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AdviceView:
    """`said` is empty unless the state is WRITTEN; then `fault` says why."""

    state: str
    model: str
    fault: str
    said: tuple[Said, ...]
    digest: str
    finished_at: datetime | None


def advice_on(decision: str, *, locale: str = "en") -> AdviceView | None:
    """None where nobody was asked, or nobody will be. Raises `DecisionNotFound`."""
    row = Advice.objects.filter(decision=decision_row(decision)).select_related("decision").first()
    if row is None or (row.state == AdviceState.WAITING and not adviser.configured()):
        return None
    return AdviceView(
        state=str(row.state),
        model=row.model,
        fault=row.fault,
        said=_said(row, locale) if row.state == AdviceState.WRITTEN else (),
        digest=row.digest,
        finished_at=row.finished_at,
    )


def outcomes() -> list[tuple[str, str, int]]:
    """State, fault and how often, of the last thirty days."""
    finished = Advice.objects.filter(finished_at__gt=timezone.now() - _SINCE)
    counted = finished.values_list("state", "fault").annotate(times=Count("pk")).order_by("-times", "fault")
    return [(str(state), fault, times) for state, fault, times in counted]


def _said(row: Advice, locale: str) -> tuple[Said, ...]:
    decision = row.decision
    masked = masking.mask(policy_document(decision.policy_id), decision.inputs, decision.outcome)
    points = {one.id: one.points for one in masked.factors}
    return tuple(_in_words(one, points, decision.currency, locale) for one in restored(row.statements))


def _in_words(one: Statement, points: Mapping[str, int], currency: str, locale: str) -> Said:
    """Its figures are the decision's: placeholders are filled in with what was checked."""
    values: dict[str, Value] = {cited.input: cited.value for cited in one.cites}
    shown = {
        name: wording.cited(name, value, currency=currency, locale=locale) for name, value in values.items()
    }
    text = PLACEHOLDER.sub(lambda found: shown[found.group(1)], one.says[wording.language(locale)])
    return Said(
        text=text,
        factor=one.factor,
        points=points.get(one.factor, 0),
        lowers=one.direction == LOWERS,
        cites=tuple(shown.items()),
    )
