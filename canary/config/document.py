"""A TOML file as plain values, with the line on which each key stands."""

import re
import tomllib
from pathlib import Path as FilePath
from typing import Any

from canary.config.problems import ConfigError, Draft
from canary.config.schema import Path, value_at

_HEADER = re.compile(r"\s*(\[\[?)([^\[\]]+)\]\]?\s*(?:#.*)?$")
_KEY = re.compile(r"""\s*([A-Za-z0-9_.-]+|"[^"]+")\s*=""")
_LARGEST = 1024 * 1024


def read(path: FilePath) -> Draft:
    """Read the file; everything that keeps it from being read is a `ConfigError`."""
    source = str(path)
    text = _text(path, source)
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        fault = f"{source}: is not valid TOML: {_cause(error)}"
    except RecursionError:
        fault = f"{source}: is nested too deeply"
    else:
        return Draft(raw, source, {at: f"{source}:{line}" for at, line in lines_of(text, raw).items()})
    raise ConfigError([fault], source=source)


def _cause(error: tomllib.TOMLDecodeError) -> str:
    # the library's words end "(at line 3, column 5)" and quote no more than one character of the file
    words = str(error).replace("(at end of document)", "(at the end of the file)")
    return words.replace("Cannot overwrite a value", "the key stands above already")


def _text(path: FilePath, source: str) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(_LARGEST + 1)
        if len(content) > _LARGEST:
            what = "is larger than 1 MiB, which no configuration is"
        else:
            return content.decode("utf-8-sig").replace("\r\n", "\n")
    except FileNotFoundError:
        what = "no such file"
    except IsADirectoryError:
        what = "is a folder, not a file"
    except PermissionError:
        what = "we may not read it"
    except UnicodeDecodeError as error:
        what = f"must be UTF-8 text (byte {error.start} is not)"
    except OSError as error:
        what = f"cannot be read ({error.strerror})"
    raise ConfigError([f"{source}: {what}"], source=source)


def lines_of(text: str, raw: dict[str, Any]) -> dict[Path, int]:
    """Path -> line, for keys at the start of a line; a path that the parsed file lacks is dropped."""
    found: dict[Path, int] = {}
    counts: dict[str, int] = {}
    table: Path = ()
    fence = ""
    for number, line in enumerate(text.splitlines(), 1):
        if fence:
            fence = "" if fence in line else fence
            continue
        fence = _opened(line)
        if header := _HEADER.match(line):
            table = _table(header[2].strip(), header[1] == "[[", counts)
        elif key := _KEY.match(line):
            path = (*table, *key[1].strip('"').split("."))
            if value_at(path, raw) is not None:
                found.setdefault(path, number)
    return found


def _opened(line: str) -> str:
    """The quotes of a text that begins on this line and does not end on it."""
    return next((quotes for quotes in ('"""', "'''") if line.count(quotes) % 2), "")


def _table(name: str, is_list: bool, counts: dict[str, int]) -> Path:
    parts = [part.strip().strip('"') for part in name.split(".")]
    whole = ".".join(parts)
    if is_list:
        counts[whole] = counts.get(whole, -1) + 1
    if whole in counts:
        return (*parts, counts[whole])
    at = counts.get(parts[0])
    return tuple(parts) if at is None else (parts[0], at, *parts[1:])
