from django.apps import AppConfig
from django.db.backends.signals import connection_created
from django.utils.translation import gettext_lazy as _

from ledger.wire import plan_once


class LedgerConfig(AppConfig):
    name = "ledger"
    verbose_name = _("Books")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        connection_created.connect(plan_once, dispatch_uid="ledger.wire")
