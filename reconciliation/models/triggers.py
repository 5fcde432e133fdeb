"""Triggers that keep what a provider told us as it was told."""

import pgtrigger
from django.db import models


class NeverChanged(pgtrigger.Trigger):
    """UPDATE, DELETE and TRUNCATE are refused by a function of the ledger's: one of pgtrigger's own could be
    switched off by anyone with `SET pgtrigger.ignore`."""

    name = "never_changed"
    level = pgtrigger.Statement
    when = pgtrigger.Before
    operation = pgtrigger.Update | pgtrigger.Delete | pgtrigger.Truncate
    func = "RAISE EXCEPTION 'not in use: this trigger runs a function of the ledger';"

    def render_execute(self, model: models.Model) -> str:
        return "ledger_refuse_change()"
