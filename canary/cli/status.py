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
            answer = pool.request("GET", url)
        known = json.loads(answer.data)
    except (urllib3.exceptions.HTTPError, ValueError) as error:
        fail(codes.UNKNOWN, f"{url}: no daemon answers ({type(error).__name__})")
    if as_json:
        typer.echo(json.dumps(known, indent=2, ensure_ascii=False))
    else:
        _tell(known)
    return codes.DEGRADED if known["conditions"] else codes.OK


def _tell(known: dict[str, Any]) -> None:
    from canary.cli.show import status_tables

    status_tables(known)
