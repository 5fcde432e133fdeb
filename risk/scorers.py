"""Models as decisions ask them: loaded once per process, and answers in whole numbers that add up."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from threading import Thread

from risk.artefacts import Artefact, unseal
from risk.errors import ModelNotFound
from risk.examples import row_of
from risk.learning import Scorer
from risk.models import RiskModel
from risk.signals import Signals
from risk.states import ModelState


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelAnswer:
    """In thousandths of log odds: `score` is exactly `base` plus the points of all groups, the largest first."""

    name: str  # "default@3"
    digest: str
    score: int
    base: int
    groups: tuple[tuple[str, int], ...]
    probability_ppm: int


@dataclass(frozen=True, slots=True)
class Loaded:
    name: str
    digest: str
    scorer: Scorer


@lru_cache(maxsize=8)
def loaded(model: str) -> Loaded:
    """The model "name@version". One statement, once per process. Raises `ModelNotFound`, `UnusableModel`."""
    name, _, version = model.partition("@")
    row = RiskModel.objects.filter(name=name, version=int(version) if version.isdecimal() else 0).first()
    if row is None:
        raise ModelNotFound(f"There is no model {model}. Train one, or take it out of the policy.")
    return Loaded(str(row), row.digest, unseal(artefact_of(row)))


def prepare_soon(known: Loaded) -> None:
    """Have it answer quickly from a moment later on; nobody waits for that."""
    if not known.scorer.looks_up:
        Thread(target=known.scorer.prepare, name=f"prepare {known.name}", daemon=True).start()


def artefact_of(row: RiskModel) -> Artefact:
    return Artefact(
        text=row.text,
        schema=tuple((name, group) for name, group in row.schema),
        digest=row.digest,
        key=row.key,
        signature=row.signature,
    )


def champion(name: str) -> str:
    """The champion among the models `name` as "name@version"; empty when there is none."""
    row = RiskModel.objects.filter(name=name, state=ModelState.CHAMPION).only("name", "version").first()
    return str(row) if row else ""


def ask(model: str, found: Signals) -> ModelAnswer:
    """What `model` says of a payment with the signals `found`. Raises as `loaded`."""
    return answer_of(loaded(model), found)


def answer_of(known: Loaded, found: Signals) -> ModelAnswer:
    """The same of a model that is loaded. Reads nothing."""
    answer = known.scorer.answer(row_of(known.scorer.names, found))
    groups = tuple(_thousandths(answer.groups))
    base = round(answer.base * 1000)
    return ModelAnswer(
        name=known.name,
        digest=known.digest,
        score=base + sum(points for _, points in groups),
        base=base,
        groups=groups,
        probability_ppm=round(answer.probability * 1_000_000),
    )


def _thousandths(groups: Iterable[tuple[str, float]]) -> Iterable[tuple[str, int]]:
    return ((name, round(points * 1000)) for name, points in groups)
