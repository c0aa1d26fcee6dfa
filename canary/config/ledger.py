"""`[ledger]`: where it is written down what was sent and seen, and for how long it is kept."""

from datetime import timedelta
from typing import Annotated, Any

from pydantic import BeforeValidator, ValidationInfo

from canary.config.fields import Span, Table, below, wrong

_SCHEME = "sqlite:///"


def _ledger_url(value: Any, info: ValidationInfo) -> Any:
    if not isinstance(value, str) or not value.startswith(_SCHEME) or len(value) == len(_SCHEME):
        raise wrong('must be "sqlite:///" and the path of a file')
    folder = (info.context or {}).get("folder")
    path = value.removeprefix(_SCHEME)
    if folder is None or path == ":memory:":
        return value
    return f"{_SCHEME}{below(folder, path)}"


class LedgerConfig(Table):
    """`[ledger]`."""

    url: Annotated[str, BeforeValidator(_ledger_url)] = "sqlite:///canary.db"
    keep_clean: Span = timedelta(days=1)
    keep_unclean: Span = timedelta(days=30)
    keep_windows: Span = timedelta(days=400)
