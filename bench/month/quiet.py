"""Settings of a shop in which nobody fetches statements but the program that counts what was found in them."""

from config.settings import *  # noqa: F403

CELERY_BEAT_SCHEDULE = {
    name: job
    for name, job in CELERY_BEAT_SCHEDULE.items()  # noqa: F405
    if not job["task"].startswith("reconciliation.")
}
