"""Composition: settings, URLs, Celery, the embedded services, and the commands that span all apps."""
