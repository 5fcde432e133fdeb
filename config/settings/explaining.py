"""The language model that may write an advisory note on risk cases: any OpenAI-compatible address, off without one."""

from typing import Any

from config.settings.environment import env

LLM: dict[str, Any] = {
    # such as https://api.example.com/v1; plain http is for this machine only
    "base_url": env.str("LLM_BASE_URL", default="").rstrip("/"),
    "api_key": env.str("LLM_API_KEY", default=""),
    "model": env.str("LLM_MODEL", default="default"),
    # of one answer, from the first byte sent to the last one read
    "timeout_seconds": env.int("LLM_TIMEOUT_SECONDS", default=10),
}
