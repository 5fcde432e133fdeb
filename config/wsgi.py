"""The web server's entry."""

import os

from django.core.wsgi import get_wsgi_application
from django.urls import get_resolver

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
application = get_wsgi_application()
# All views are imported now, once for all processes: each one's first customer would wait seconds for it.
_addresses = get_resolver().reverse_dict
