#!/usr/bin/env python
"""Django's command-line door."""

import os
import signal
import sys


def main() -> None:
    if sys.argv[1:2] == ["up"]:
        # Nothing runs until the rest is read; then the supervisor listens.
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, lambda *_: os._exit(0))
        # Settings need a database address and keys; at the first start this is what makes them.
        from config.embedded.up import main as up

        sys.exit(up(sys.argv[2:]))
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    from django.core.exceptions import ImproperlyConfigured
    from django.core.management import execute_from_command_line

    try:
        execute_from_command_line(sys.argv)
    except ImproperlyConfigured as error:
        sys.exit(f"manage.py: {error}")


if __name__ == "__main__":
    main()
