"""A corrected file takes the place of the one before: what that one explained is open again, and looked at anew."""

from typing import Final

from reconciliation.models import Discrepancy, StatementFile
from reconciliation.staging.pools import run

# What the old file explained of other days belongs to those days' own files again, or to nobody yet.
_REOPEN: Final = """
UPDATE reconciliation_openitem i SET cleared_file_id = NULL, cleared_at = NULL, how = '',
    file_id = coalesce((SELECT id FROM reconciliation_statementfile f WHERE f.channel = i.channel
        AND f.kind = i.statement
        AND f.day_on = i.day_on AND f.state IN ('MATCHED', 'SETTLED')), i.file_id)
WHERE i.cleared_file_id = %(old)s AND i.file_id IS DISTINCT FROM %(new)s
"""
_FORGET: Final = """
DELETE FROM reconciliation_openitem i WHERE i.file_id = %(old)s AND i.side = 'ours' AND i.cleared_at IS NULL
    AND i.day_on <> %(day)s AND NOT EXISTS (SELECT FROM reconciliation_discrepancy d WHERE d.open_item_id = i.id)
    AND NOT EXISTS (SELECT FROM reconciliation_repairitem r WHERE r.item_id = i.id)
"""
_CARRY: Final = """
UPDATE reconciliation_openitem SET file_id = %(new)s WHERE file_id = %(old)s AND side = 'ours'
"""
# Its own lines are in the new file again, or were wrong.
_THEIRS: Final = """
UPDATE reconciliation_openitem SET cleared_file_id = %(new)s, cleared_at = now(), how = 'corrected'
WHERE file_id = %(old)s AND side = 'theirs' AND cleared_at IS NULL
"""


def step_back(old: StatementFile, new: StatementFile) -> None:
    """This will undo what `old` explained and opened. The discrepancies follow when the new file's are known."""
    Discrepancy.objects.filter(open_item__cleared_file=old).unexplained_again()
    Discrepancy.objects.told_anew(old).unexplained_again()
    values = {"old": old.pk, "new": new.pk, "day": old.day_on}
    for sql in (_REOPEN, _FORGET, _CARRY, _THEIRS):
        run(sql, values)
