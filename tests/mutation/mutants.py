"""Mutants of a module: the same source with one decision changed."""

import ast
import copy
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

COMPARED: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
}
REACHED: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.Mod: ast.Add,
    ast.BitOr: ast.BitAnd,
}
NAMED = {"min": "max", "max": "min", "any": "all", "all": "any", "sorted": "list", "reversed": "list"}
MEMBERS = {
    "Outcome": ("REJECTED", "UNDELIVERED", "ON_TIME", "LATE", "PENDING", "OVERDUE", "LOST", "UNREAD"),
    "Flag": ("DUPLICATED", "CORRUPT", "OUT_OF_ORDER", "DETOURED", "TIME_UNKNOWN"),
    "Receipt": ("ACCEPTED", "REFUSED", "UNKNOWN"),
    "Fate": (
        "STORED",
        "DEDUPLICATED",
        "ABORTED",
        "CONTROL",
        "DEAD_LETTERED",
        "FILTERED",
        "UNPARSABLE",
        "QUEUED",
        "NOT_YET",
        "EXPIRED",
        "LOST",
        "UNAUDITED",
    ),
}
WORD = re.compile(r"[a-z0-9_]+( [a-z]+)?")
"""A string that is an answer ("lost", "adds up"), and no sentence."""


@dataclass(frozen=True, slots=True)
class Mutant:
    """One changed decision: where it stands, what stood there and what stands there now.

    `number` is its place among all of the module's.
    """

    path: Path
    number: int
    line: int
    function: str
    before: str
    after: str

    @property
    def module(self) -> str:
        return f"{self.path.parent.name}.{self.path.stem}"

    @property
    def name(self) -> str:
        """The same as long as the code is: without the line's number."""
        return f"{self.module}.{self.function}: {self.before} => {self.after}"

    def source(self) -> str:
        """The whole module with this change."""
        tree = ast.parse(self.path.read_text())
        for number, (_, node, changed) in enumerate(_all_changes(tree)):
            if number == self.number:
                return ast.unparse(ast.fix_missing_locations(_Replacing(node, changed).visit(tree)))
        raise LookupError(f"{self.path}: has no mutant {self.number}. This is a bug.")


Node = ast.expr | ast.stmt


def mutants(path: Path) -> list[Mutant]:
    """Every mutant of one file, in order of its lines."""
    found = [
        Mutant(path, number, node.lineno, name, _text(node), _text(changed))
        for number, (name, node, changed) in enumerate(_all_changes(ast.parse(path.read_text())))
    ]
    return sorted(found, key=lambda one: one.line)


def _text(node: ast.AST) -> str:
    return " ".join(ast.unparse(node).split())


def _all_changes(tree: ast.Module) -> Iterator[tuple[str, Node, Node]]:
    for top in tree.body:
        if isinstance(top, ast.FunctionDef | ast.ClassDef | ast.Assign):
            for node in _deciding(top):
                yield from ((getattr(top, "name", "module"), node, changed) for changed in _changes(node))


def _deciding(node: ast.AST) -> Iterator[Node]:
    """What a tree holds, but for types and decorators, which decide nothing."""
    if isinstance(node, ast.expr | ast.stmt):
        yield node
    for name, value in ast.iter_fields(node):
        if name in ("annotation", "returns", "decorator_list", "bases"):
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST):
                yield from _deciding(child)


def _changes(node: Node) -> Iterator[Node]:
    yield from _of_operators(node)
    yield from _of_values(node)
    yield from _of_branches(node)


def _of_operators(node: ast.AST) -> Iterator[Node]:
    if isinstance(node, ast.Compare):
        for index, op in enumerate(node.ops):
            for other in COMPARED[type(op)]:
                changed = copy.deepcopy(node)
                changed.ops[index] = other()
                yield changed
    elif isinstance(node, ast.BoolOp):
        yield ast.BoolOp(ast.And() if isinstance(node.op, ast.Or) else ast.Or(), node.values)
        for index in range(len(node.values)):  # a condition less
            rest = [value for at, value in enumerate(node.values) if at != index]
            yield rest[0] if len(rest) == 1 else ast.BoolOp(node.op, rest)
    elif isinstance(node, ast.BinOp) and type(node.op) in REACHED:
        yield ast.BinOp(node.left, REACHED[type(node.op)](), node.right)
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not | ast.USub):
        yield node.operand


def _of_values(node: ast.AST) -> Iterator[Node]:
    if isinstance(node, ast.Constant) and isinstance(node.value, bool):
        yield ast.Constant(not node.value)
    elif isinstance(node, ast.Constant) and isinstance(node.value, int | float):
        yield ast.Constant(node.value + 1)
    elif isinstance(node, ast.Constant) and isinstance(node.value, str) and WORD.fullmatch(node.value):
        yield ast.Constant(f"not {node.value}")
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in NAMED:
        arguments = [] if node.func.id in ("sorted", "reversed") else node.keywords
        yield ast.Call(ast.Name(NAMED[node.func.id]), node.args, arguments)
    elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in MEMBERS:
        members = MEMBERS[node.value.id]
        if node.attr in members:
            yield ast.Attribute(node.value, members[(members.index(node.attr) + 1) % len(members)])


def _of_branches(node: ast.AST) -> Iterator[Node]:
    if isinstance(node, ast.If | ast.IfExp | ast.While) and not _changed_by_itself(node.test):
        changed = copy.deepcopy(node)
        changed.test = ast.UnaryOp(ast.Not(), node.test)
        yield changed
    elif isinstance(node, ast.Return) and node.value is not None and not _is_none(node.value):
        yield ast.Return(ast.Constant(None))
    elif isinstance(node, ast.AugAssign) or _acts(node):
        yield ast.Pass()
    elif isinstance(node, ast.Break | ast.Continue):
        yield ast.Continue() if isinstance(node, ast.Break) else ast.Break()
    elif isinstance(node, ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp):
        for index in [at for at, part in enumerate(node.generators) if part.ifs]:
            filtered = copy.deepcopy(node)
            filtered.generators[index].ifs = []
            yield filtered


def _acts(node: ast.AST) -> bool:
    """Whether it is there for what it does: a call or a yield by itself."""
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Call | ast.Yield | ast.YieldFrom)


def _changed_by_itself(test: ast.expr) -> bool:
    """Whether the opposite of a condition is among its own mutants."""
    opposite = isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not)
    return opposite or (isinstance(test, ast.Compare) and len(test.ops) == 1)


def _is_none(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


class _Replacing(ast.NodeTransformer):
    """Puts one node in the place of another."""

    def __init__(self, node: ast.AST, changed: ast.AST) -> None:
        self._node, self._changed = node, changed

    def visit(self, node: ast.AST) -> ast.AST:
        return self._changed if node is self._node else self.generic_visit(node)
