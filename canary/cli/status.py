"""`canary status`: what the daemon knows, asked of its own page."""

import json
from typing import Annotated, Any

import typer
import urllib3

from canary.cli import codes
from canary.cli.common import ConfigOption, fail, load_config


def status(
    config: ConfigOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the object as it is.")] = False,
) -> int:
    """Print what the daemon knows. Exit codes: 0 nothing is wrong, 1 something is, 3 no answer."""
    loaded = load_config(config)
    url = f"http://{loaded.web.listen}/status"
    try:
        with urllib3.PoolManager(timeout=2.0, retries=False) as pool:
            known = _known(pool.request("GET", url).data)
    except urllib3.exceptions.HTTPError as error:
        fail(codes.UNKNOWN, f"{url}: no daemon answers ({_why(error)})")
    if known is None:
        fail(codes.UNKNOWN, f"{url}: what answers is no daemon of ours; web.listen is its address")
    if as_json:
        typer.echo(json.dumps(known, indent=2, ensure_ascii=False))
    else:
        _tell(known)
    return codes.DEGRADED if known["conditions"] else codes.OK


def _known(answer: bytes) -> dict[str, Any] | None:
    """What a daemon told; None where it was somebody else."""
    try:
        known = json.loads(answer)
    except ValueError:
        return None
    lists = ("conditions", "stages", "probes", "windows")
    ours = isinstance(known, dict) and all(isinstance(known.get(name), list) for name in lists)
    return known if ours and {"instance", "now", "version"} <= known.keys() else None


def _why(error: urllib3.exceptions.HTTPError) -> str:
    cause = error.__cause__ or error.__context__
    if isinstance(cause, OSError) and cause.strerror:
        return cause.strerror.lower()
    return "no answer in time" if isinstance(error, urllib3.exceptions.TimeoutError) else type(error).__name__


def _tell(known: dict[str, Any]) -> None:
    from canary.cli.show import status_tables

    status_tables(known)
