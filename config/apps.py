"""The composition as a Django app: its commands, its checks, and the one Celery that every process uses."""

from django.apps import AppConfig, apps
from django.core.checks import register

from config.celery import app as celery_app
from config.checks import check_dotted_paths
from config.model_names import translate_names

_WITH_TABLES = ("ledger", "risk", "payments", "checkout", "reconciliation")


class ConfigConfig(AppConfig):
    name = "config"
    celery = celery_app

    def ready(self) -> None:
        register(check_dotted_paths)
        for label in _WITH_TABLES:
            translate_names(apps.get_app_config(label))
