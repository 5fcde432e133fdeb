"""How old what decides has become: models by their data, rules by their end."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime

from risk import scorers
from risk.errors import ModelNotFound, UnusableModel
from risk.features import calendar_day
from risk.models import Policy, RiskModel, RollOut
from risk.policies import ending
from risk.states import PolicyState

OLD_DAYS = 90  # since the last payment that a model learnt from: fraud has moved on


@dataclass(frozen=True, slots=True, kw_only=True)
class Age:
    """Days since the last payment that it learnt from, and since it was crowned; None where that is not known."""

    data: int | None
    crown: int | None

    @property
    def old(self) -> bool:
        return self.data is not None and self.data > OLD_DAYS


def age_of(row: RiskModel, now: datetime) -> Age:
    last, today = row.card.get("last_day", ""), calendar_day(now)
    return Age(
        data=(today - date.fromisoformat(last)).days if last else None,
        crown=(today - calendar_day(row.crowned_at)).days if row.crowned_at else None,
    )


def broken_models() -> Iterator[tuple[str, str]]:
    """Models that a deciding policy names and that can not be asked, and why: the rules decide without."""
    for name in _named():
        try:
            scorers.loaded(name)
        except (ModelNotFound, UnusableModel) as problem:
            yield name, str(problem)


def old_models(now: datetime) -> Iterator[tuple[str, int]]:
    """Models that a deciding policy names, by days since the last payment that they learnt from."""
    named = _named()
    for row in RiskModel.objects.filter(name__in={name.partition("@")[0] for name in named}).defer("text"):
        age = age_of(row, now)
        if row.card.get("simulated"):
            continue  # days that never were do not pass
        if str(row) in named and age.data is not None and age.old:
            yield str(row), age.data


def ending_rules(now: datetime) -> Iterator[tuple[str, int]]:
    """Rules of what decides, by days that they still judge after today; less than none when they do no more."""
    for row in Policy.objects.filter(state=PolicyState.ACTIVE):
        for rule in row.rules:
            left = ending(rule, now)
            if left is not None:
                yield rule["id"], left


def _named() -> set[str]:
    """The models of the policies that decide, for everybody or for a share."""
    deciding = [*Policy.objects.filter(state=PolicyState.ACTIVE)]
    deciding += [row.policy for row in RollOut.objects.running().select_related("policy")]
    return {str(row.model["name"]) for row in deciding if row.model}
