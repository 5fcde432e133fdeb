from django.apps import AppConfig
from django.db.backends.signals import connection_created

from ledger.wire import plan_once


class LedgerConfig(AppConfig):
    name = "ledger"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        connection_created.connect(plan_once, dispatch_uid="ledger.wire")
