"""What typer and pydantic say of a wrong command line, in our words: `where: what is wrong (got what)`."""

import re
from typing import Any

_WORDS = {
    "int_parsing": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_parsing": "must be a number",
    "finite_number": "must be a finite number",
    "greater_than_equal": "must be at least {ge}",
    "less_than_equal": "must be at most {le}",
}
"""pydantic's names of faults, with which newer versions of typer tell a value that does not fit."""

_CHOICE = re.compile(r"'.*' is not one of (?P<names>'.*')\.?$", re.DOTALL)


def in_words(error: Any) -> str:
    """One line of a usage error of typer's: what is wrong, and where to read what would be right."""
    command = getattr(error.ctx, "command_path", "canary")
    where, help_ = _where(error), f"see `{command} --help`"
    if type(error).__name__ == "MissingParameter":
        return f"{where or 'an argument'}: is missing; {help_}"
    if type(error).__name__ == "NoSuchOption":
        near = ", ".join(error.possibilities or ())
        return f"{error.option_name}: no such option{f'; did you mean {near}?' if near else ''}; {help_}"
    message = _value(error) or error.message.strip().rstrip(".")
    if where:
        return f"{where}: {message}"
    option = getattr(error, "option_name", None)
    return f"{f'{option}: ' if option else ''}{message[:1].lower()}{message[1:]}; {help_}"


def _where(error: Any) -> str:
    """The option or argument, by the name that people type."""
    hint = getattr(error, "param_hint", None)
    if hint:
        return hint if isinstance(hint, str) else str(hint[0])
    param = getattr(error, "param", None)
    if param is None:
        return ""
    if getattr(param, "param_type_name", "") == "argument":
        return str(param.metavar or param.name)
    return str(max(param.opts, key=len))


def _value(error: Any) -> str | None:
    """What a value must be, where pydantic told it; None where typer or we did."""
    tell = getattr(error.__cause__, "errors", None)
    if tell is None:
        return None
    first = tell()[0]
    choice = _CHOICE.search(str(first["msg"]))
    if choice is not None:
        what = f"must be one of {choice['names']}".replace("'", "")
    elif first["type"] in _WORDS:
        limits = first.get("ctx", {}).items()
        what = _WORDS[first["type"]].format(**{name: _number(limit) for name, limit in limits})
    else:
        what = str(first["msg"])
    return f'{what} (got "{first["input"]}")'


def _number(limit: Any) -> str:
    if isinstance(limit, float):
        return f"{limit:g}"
    return f"{limit:,}" if isinstance(limit, int) else str(limit)
