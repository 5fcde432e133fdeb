import structlog
from django.db import connection, transaction
from django.utils import timezone

from ledger import audit
from ledger.identifiers import first_key_of
from risk import stored
from risk.features import calendar_day
from risk.models import Alert, RollOut

log = structlog.get_logger(__name__)

# A payment counts once, however often it was tried. Known to be honest, or stopped where the active policy accepts
# and nobody has found a fraud: the guess errs on the side of ending too soon.
_COST = f"""
SELECT count(DISTINCT d.subject) FILTER (
           WHERE label.fraud IS FALSE OR (label.fraud IS NULL AND s.action = 'accept'))
  FROM risk_decision d
  LEFT JOIN risk_shadowoutcome s
    ON s.decision_id = d.id AND s.policy_id = (SELECT id FROM risk_policy WHERE state = 'ACTIVE')
  {stored.LABEL}
 WHERE d.policy_id = %(policy)s AND d.id >= %(since)s AND d.action <> 'accept' AND d.stage = 'payment'
"""  # noqa: S608
_DECIDED = """
SELECT count(*) FROM risk_shadowoutcome
 WHERE policy_id = (SELECT id FROM risk_policy WHERE state = 'ACTIVE') AND decision_id >= %(since)s
"""


def watch_roll_out() -> bool:
    """This will count what the roll-out has cost, and end it when its budget of false positives is spent.

    The active policy decides for everybody from the next question on. Use case; locks the roll-out. Returns whether
    it ended it.
    """
    with transaction.atomic(durable=True):
        row = RollOut.objects.running().locked().select_related("policy").first()
        if row is None:
            return False
        cost, decided = _counted(row)
        now = timezone.now()
        row.measure(decided=decided, false_positives=cost, at=now)
        if cost < row.budget:
            return False
        reason = f"{cost} false positives spend the budget of {row.budget}."
        audit.attribute(actor="system", reason=reason)
        row.stop(reason=reason, at=now)
        row.store()
        detail = {"policy": str(row.policy), "false_positives": cost, "budget": row.budget}
        day = calendar_day(now)
        Alert.objects.raise_once("roll_out_stopped", row.public_id, day, detail, ended_at=now)
    log.error("risk.roll_out_stopped", roll_out=row.public_id, **detail)
    return True


def _counted(row: RollOut) -> tuple[int, int]:
    params = {"policy": row.policy_id, "since": first_key_of(row.started_at)}
    with connection.cursor() as cursor:
        cursor.execute(_COST, params)
        cost = cursor.fetchone()[0]
        cursor.execute(_DECIDED, params)
        return cost, cursor.fetchone()[0]
