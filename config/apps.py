"""The composition as a Django app: its commands, its checks, and the one Celery that every process uses."""

from django.apps import AppConfig

from config.celery import app as celery_app


class ConfigConfig(AppConfig):
    name = "config"
    celery = celery_app
