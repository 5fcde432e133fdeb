"""Celery: tasks of every app, durable enough to lose a worker (late acknowledgement, one task at a time)."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
app = Celery("smart_checkout")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
