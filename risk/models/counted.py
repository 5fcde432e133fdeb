"""How many decisions were taken, by what they are told apart by: rows that only grow."""

from uuid import UUID

from django.db import connection, models

# Each decision once: whoever calls holds the reader.
_COUNT = """
INSERT INTO risk_decisioncount (stage, action, degraded, decisions)
SELECT d.stage, d.action, coalesce(d.inputs->'degraded'->>0, ''), count(*)
  FROM risk_decision d
 WHERE d.id > %(after)s AND d.id <= %(through)s
 GROUP BY 1, 2, 3
    ON CONFLICT (stage, action, degraded) DO UPDATE
   SET decisions = risk_decisioncount.decisions + EXCLUDED.decisions
"""
_LAST_OF = """
SELECT id FROM (
       SELECT id FROM risk_decision WHERE id > %(after)s AND id < %(before)s ORDER BY id LIMIT %(most)s) AS chunk
 ORDER BY id DESC LIMIT 1
"""


class DecisionCountQuerySet(models.QuerySet["DecisionCount"]):
    def take_in(self, *, after: UUID, before: UUID, most: int) -> UUID | None:
        """Count at most so many between the keys; the last of them, None where there are none."""
        with connection.cursor() as cursor:
            cursor.execute(_LAST_OF, {"after": after, "before": before, "most": most})
            found = cursor.fetchone()
            if found is None:
                return None
            cursor.execute(_COUNT, {"after": after, "through": found[0]})
        return UUID(str(found[0]))


class DecisionCount(models.Model):
    """Decisions of one kind since counting began. `degraded` is empty, or what was wanting."""

    stage = models.CharField(max_length=8)
    action = models.CharField(max_length=9)
    degraded = models.CharField(max_length=40, blank=True)
    decisions = models.BigIntegerField()

    objects = DecisionCountQuerySet.as_manager()

    class Meta:
        default_permissions = ()
        constraints = [
            models.UniqueConstraint(fields=["stage", "action", "degraded"], name="risk_decision_count_once")
        ]

    def __str__(self) -> str:
        return f"{self.stage} {self.action} {self.degraded}"
