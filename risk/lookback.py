"""What the past says about a payment: the part of its decision's inputs that comes from histories. Pure."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from risk import geography, readings
from risk.features import Inputs
from risk.geography import Place
from risk.history import HOUR, History
from risk.observations import event_of, here
from risk.signals import Signals, ratio_of, signals
from risk.variables import in_cny

Named = Mapping[str, tuple[str, ...]]  # by kind, the names of histories


def look_back(
    inputs: Inputs,
    rates: Mapping[str, Decimal],
    named: Named,
    histories: Mapping[str, History],
    places: Mapping[str, Place],
) -> tuple[dict[str, Any], Signals]:
    """What is stored of the past, with what histories will be told of this payment; and all signals, exactly."""
    facts, entities = inputs["facts"], inputs["entities"]
    amount = in_cny(facts["amount"], facts["currency"], rates)
    chosen = _of_each_kind(named, histories)
    at = datetime.fromisoformat(facts["happened_at"])
    event = event_of(at, amount, 0, entities)
    customers = named.get("customer", ())
    last = places.get(customers[0]) if customers else None
    found = signals(event.at, event, chosen) | geography.signals(last, here(facts, event.at))
    ratio = ratio_of(event.amount, chosen.get("customer"))
    return {**readings.pack(found, chosen), **told(named, ratio), "degraded": []}, found


def without_histories(named: Named, counts: Mapping[str, int], *why: str) -> dict[str, Any]:
    """The same when histories can not be asked: `counts` are bounded, and all there is."""
    return {"signals": dict(counts), "histories": [], **told(named, 0), "degraded": list(why)}


def told(named: Named, ratio: int) -> dict[str, Any]:
    skus = [name.partition(":")[2] for name in named.get("sku", ())]
    return {"event": {"ratio": ratio, "skus": skus}}


def _of_each_kind(named: Named, histories: Mapping[str, History]) -> dict[str, History]:
    """Of several SKUs the one that is bought most just now."""
    return {kind: max((histories[name] for name in names), key=_pace) for kind, names in named.items()}


def _pace(history: History) -> tuple[int, int]:
    last = history.times[-1] if history.times else 0
    return len(history.times) - history.since(last - HOUR), history.total
