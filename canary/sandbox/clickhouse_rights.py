"""Who may do what on the sandbox's ClickHouse: chDB has no users, so each statement is checked here first."""

import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from canary.sandbox.clickhouse_engine import Engine, EngineError, Statement

_QUOTED_OR_COMMENT = re.compile(
    r"""'(?:[^'\\]|\\.|'')*' | "(?:[^"\\]|\\.)*" | `(?:[^`\\]|\\.)*` | --[^\n]* | /\*.*?\*/""",
    re.DOTALL | re.VERBOSE,
)
_READS = frozenset({"SELECT", "WITH", "SHOW", "DESCRIBE", "DESC", "EXISTS", "EXPLAIN"})
_ANALYSED = frozenset({"SELECT", "WITH"})
_DATABASES = frozenset({"posthog", "system", "information_schema", "INFORMATION_SCHEMA"})
_TABLE_FUNCTIONS = frozenset({"numbers", "zeros", "one", "values", "view", "cluster", "clusterAllReplicas"})
_TABLE = re.compile(r"^ *TABLE id: .*\btable_name: (\S+)$", re.MULTILINE)
_TABLE_FUNCTION = re.compile(r"^ *TABLE_FUNCTION id: .*\btable_function_name: (\w+)$", re.MULTILINE)
_REMEMBERED = 512


@dataclass(frozen=True, slots=True)
class User:
    """One who may log in; without `writes` only SELECTs on the sandbox's own and the system tables."""

    name: str
    password: str = field(repr=False)
    writes: bool = False


class Rights:
    """Checks passwords and statements, and remembers the texts it found harmless."""

    def __init__(self, engine: Engine, users: Mapping[str, User]) -> None:
        self._engine, self._users = engine, users
        self._harmless: dict[tuple[str, str], None] = {}

    def login(self, name: str, password: str) -> User:
        """Raises 516 as ClickHouse does, whether the user is unknown or the password wrong."""
        user = self._users.get(name)
        expected = user.password if user else ""
        if not hmac.compare_digest(expected.encode(), password.encode()) or user is None:
            raise EngineError(
                516,
                "AUTHENTICATION_FAILED",
                f"{name}: Authentication failed: password is incorrect, or there is no user with such name.",
            )
        return user

    def check(self, user: User, statement: Statement) -> None:
        """Raises 62 for several statements at once, and 497 for what the user has no right to."""
        bare = _QUOTED_OR_COMMENT.sub(" ", statement.sql).strip()
        if statement.data is None and ";" in bare.rstrip("; \n\t\r"):
            raise EngineError(62, "SYNTAX_ERROR", "Multi-statements are not allowed.")
        if user.writes:
            return
        verb = bare.lstrip("( ").split(maxsplit=1)[0].upper() if bare else ""
        if verb not in _READS:
            self._engine.run(
                Statement(f"EXPLAIN AST {statement.sql}", params=statement.params, readonly=True)
            )
        if verb not in _READS or re.search(r"\bINTO\s+OUTFILE\b", bare, re.IGNORECASE):
            raise _denied(user, f"it's necessary to have the grant for {verb or 'an empty query'}")
        key = (statement.database, statement.sql)
        if verb in _ANALYSED and key not in self._harmless:
            self._check_tables(user, statement)
            if len(self._harmless) >= _REMEMBERED:
                self._harmless.clear()
            self._harmless[key] = None

    def _check_tables(self, user: User, statement: Statement) -> None:
        text = re.sub(r"\bFORMAT\s+\w+[\s;]*$", "", statement.sql.rstrip("; \n"), flags=re.IGNORECASE)
        tree = self._engine.run(
            Statement(
                f"EXPLAIN QUERY TREE {text}",
                format="TSVRaw",
                database=statement.database,
                params=statement.params,
                readonly=True,
            )
        ).body.decode()
        for table in _TABLE.findall(tree):
            if "." in table and table.split(".")[0].strip("`") not in _DATABASES:
                raise _denied(user, f"it's necessary to have the grant SELECT ON {table}")
        for function in _TABLE_FUNCTION.findall(tree):
            if function not in _TABLE_FUNCTIONS:
                raise _denied(user, f"it's necessary to have the grant READ for {function}()")


def _denied(user: User, why: str) -> EngineError:
    return EngineError(
        497, "ACCESS_DENIED", f"{user.name}: Not enough privileges. To execute this query, {why}."
    )
