"""Tells the environment variables, for `endwatch serve --help`."""

from pathlib import Path
from typing import Any

from pydantic import SecretStr
from pydantic.fields import FieldInfo

from app.settings import Settings

VERBATIM = "\b"
"""Alone on the first line of a paragraph of help: its lines are not joined and wrapped."""


def described() -> str:
    """List every setting with its default and its meaning."""
    prefix = Settings.model_config.get("env_prefix", "")
    lines = [
        f"  {prefix}{name.upper():<26} {_meaning(name, field)}"
        for name, field in Settings.model_fields.items()
    ]
    return "\n".join([VERBATIM, "Environment:", *lines])


def _meaning(name: str, field: FieldInfo) -> str:
    words = field.description or name.replace("_", " ").capitalize()
    return f"{words} [default: {_default(field.default)}]"


def _default(value: Any) -> str:
    if value is None or isinstance(value, SecretStr):
        return "none"
    if isinstance(value, tuple | frozenset):
        return " ".join(map(str, value)) or "none"
    return str(value) if not isinstance(value, Path) else value.as_posix()
