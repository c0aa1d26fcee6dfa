"""The oracle judges by rules of its own."""

import ast
from pathlib import Path

import pytest

HERE = Path(__file__).parent
OWN = ("oracle.py", "truth.py", "terms.py", "pipeline.py", "mangle.py", "naming.py", "path.py")


@pytest.mark.parametrize("name", OWN)
def test_what_knows_the_truth_shares_no_rule_with_what_judges(name: str) -> None:
    """Neither the rules of outcomes nor those of conditions are imported there."""
    tree = ast.parse((HERE / name).read_text())
    taken = {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    taken |= {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}

    assert not {one for one in taken if one.split(".")[0] in ("reconcile", "alerts")}
    assert not taken & {"canary.rules", "canary.settle", "canary.book", "canary.readings", "canary.amend"}
