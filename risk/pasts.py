"""Judged payments and their outcomes as training is told them: the same parties that the decisions were made on."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from uuid import UUID

from risk.history import mark
from risk.models import Decision, Outcome, Proof
from risk.observations import event_of
from risk.selectors import policy_document
from risk.states import Stage
from risk.transactions import Past
from risk.variables import in_cny

KINDS = ("customer", "card", "device", "address", "ip", "merchant")
Proofs = Mapping[UUID, tuple[tuple[int, bool], ...]]


def stored(*, since: datetime, until: datetime) -> list[Past]:
    """The tries to pay that were judged in between, in the order of time. A fraud that was taken back is none,
    though histories counted it meanwhile.

    Every try counts, as it does online: ten cards tried for one order are ten tries of that device. What became of the
    payment is the outcome of the last one. Three statements.
    """
    tries, last = [], {}
    for place, (subject, past) in enumerate(_asked(since, until, _proofs(since))):
        tries.append(past._replace(last=False))
        last[subject] = place
    verdicts = _verdicts(since)
    for subject, place in last.items():
        heard = verdicts.get(subject, ())
        fraud, known_at = (True, heard[-1][0]) if heard and heard[-1][1] else (False, 0)
        tries[place] = tries[place]._replace(last=True, fraud=int(fraud), known_at=known_at, verdicts=heard)
    return sorted(tries, key=lambda past: past.at)


def _verdicts(since: datetime) -> dict[str, tuple[tuple[int, bool], ...]]:
    """By payment, when it was heard to be a fraud, and none after all; what says the same again says nothing."""
    found: dict[str, tuple[tuple[int, bool], ...]] = {}
    rows = Outcome.objects.filter(known_at__gte=since).order_by("known_at", "id")
    for subject, fraud, known_at in rows.values_list("subject", "fraud", "known_at").iterator():
        heard = found.get(subject, ())
        if fraud != (heard[-1][1] if heard else False):
            found[subject] = (*heard, (_ms(known_at), fraud))
    return found


def _proofs(since: datetime) -> Proofs:
    found: dict[UUID, tuple[tuple[int, bool], ...]] = {}
    rows = Proof.objects.filter(known_at__gte=since).order_by("id")
    for decision, known_at, passed in rows.values_list("decision_id", "known_at", "passed").iterator():
        found[decision] = (*found.get(decision, ()), (_ms(known_at), passed))
    return found


def _asked(since: datetime, until: datetime, proofs: Proofs) -> Iterator[tuple[str, Past]]:
    rows = (
        Decision.objects.filter(stage=Stage.PAYMENT, happened_at__gte=since, happened_at__lt=until)
        .order_by("id")
        .values_list("id", "subject", "happened_at", "amount", "currency", "inputs__entities", "policy_id")
    )
    for key, subject, at, amount, currency, entities, policy_id in rows.iterator(chunk_size=2000):
        counted = in_cny(amount, currency, policy_document(policy_id).rates)
        event = event_of(at, counted, 0, entities)
        parties = {kind: mark(entity) for kind, entity in entities.items() if kind in KINDS}
        if event.customer:
            parties["customer"] = event.customer
        yield subject, Past(event.at, event.amount, parties, proofs=proofs.get(key, ()))


def _ms(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)
