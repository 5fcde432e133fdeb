"""Where settings come from: the process environment, then `<data>/environment` written by `manage.py up`."""

from pathlib import Path

import environ

BASE_DIR = Path(__file__).resolve().parent.parent.parent

env = environ.Env()
DATA_DIR = Path(env.str("SMART_CHECKOUT_DATA", default=str(BASE_DIR / "var"))).resolve()

_written_by_up = DATA_DIR / "environment"
if _written_by_up.is_file():
    environ.Env.read_env(_written_by_up)
