"""The composition as a Django app: its commands, its checks, and the one Celery that every process uses."""

from django.apps import AppConfig
from django.core.checks import register

from config.celery import app as celery_app
from config.checks import check_dotted_paths


class ConfigConfig(AppConfig):
    name = "config"
    celery = celery_app

    def ready(self) -> None:
        register(check_dotted_paths)
