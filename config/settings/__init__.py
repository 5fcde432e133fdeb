"""Settings, all from the environment (see `environment.py`), grouped by what they configure."""

from config.settings.background import *  # noqa: F403
from config.settings.base import *  # noqa: F403
from config.settings.channels import *  # noqa: F403
from config.settings.composition import *  # noqa: F403
from config.settings.console import *  # noqa: F403
from config.settings.explaining import *  # noqa: F403
from config.settings.logs import *  # noqa: F403
from config.settings.security import *  # noqa: F403
from config.settings.settlement import *  # noqa: F403
from config.settings.statements import *  # noqa: F403
