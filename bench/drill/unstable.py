"""Settings of a program that is broken on purpose: every call to a provider has a new outbound key.

The drill must notice. Nothing of this is part of the product.
"""

from config.settings import *  # noqa: F403

INSTALLED_APPS = [*INSTALLED_APPS, "bench.drill.broken.Broken"]  # noqa: F405
