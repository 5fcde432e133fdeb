"""Where settings come from: the process environment, then the two files that `manage.py up` writes."""

import os
from pathlib import Path

import environ

from config.embedded.onboarding import live_credentials

BASE_DIR = Path(__file__).resolve().parent.parent.parent

# Without these nothing starts; `manage.py up` writes them all.
REQUIRED = (
    "SECRET_KEY",
    "AUDIT_HMAC_KEY",
    "RISK_ENTITY_KEY",
    "QUOTE_KEYS",
    "VAULT_KEYS",
    "DATABASE_URL",
    "REDIS_URL",
)

env = environ.Env()
DATA_DIR = Path(env.str("SMART_CHECKOUT_DATA", default=str(BASE_DIR / "var"))).resolve()

# Live credentials and the sandbox's addresses must never meet: whoever sets one gets none of the other.
_files = ["environment"] if live_credentials(os.environ) else ["environment", "sandbox.environment"]
for _path in (DATA_DIR / name for name in _files):
    if _path.is_file():
        environ.Env.read_env(_path)
