"""Judged payments and their outcomes as training is told them: the same parties that the decisions were made on."""

from collections.abc import Iterator
from datetime import datetime

from risk.features import whole
from risk.history import mark
from risk.models import Decision, Outcome
from risk.rules import in_cny
from risk.selectors import policy_document
from risk.states import Stage
from risk.transactions import Past

KINDS = ("customer", "card", "device", "address", "ip", "merchant")


def stored(*, since: datetime, until: datetime) -> list[Past]:
    """The payments judged in between, in the order of time; a payment asked about twice counts once, as last judged.

    Two statements. A fraud that was taken back is none.
    """
    verdicts = _verdicts(since)
    last = dict(_asked(since, until, verdicts))
    return sorted(last.values(), key=lambda past: past.at)


def _verdicts(since: datetime) -> dict[str, tuple[bool, int]]:
    rows = Outcome.objects.filter(known_at__gte=since).order_by("known_at", "id")
    return {
        subject: (fraud, _ms(known_at))
        for subject, fraud, known_at in rows.values_list("subject", "fraud", "known_at").iterator()
    }


def _asked(
    since: datetime, until: datetime, verdicts: dict[str, tuple[bool, int]]
) -> Iterator[tuple[str, Past]]:
    rows = (
        Decision.objects.filter(stage=Stage.PAYMENT, happened_at__gte=since, happened_at__lt=until)
        .order_by("id")
        .values_list("subject", "happened_at", "amount", "currency", "inputs__entities", "policy_id")
    )
    for subject, at, amount, currency, entities, policy_id in rows.iterator(chunk_size=2000):
        counted = in_cny(amount, currency, policy_document(policy_id).rates)
        fraud, known_at = verdicts.get(subject, (False, 0))
        parties = {kind: mark(key) for kind, key in entities.items() if kind in KINDS}
        if "customer" not in parties and entities.get("email"):
            parties["customer"] = mark(entities["email"])
        amount_cny = whole(amount if counted is None else counted)
        yield subject, Past(_ms(at), amount_cny, parties, int(fraud), known_at if fraud else 0)


def _ms(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)
