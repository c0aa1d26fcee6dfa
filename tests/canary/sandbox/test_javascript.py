"""JSON as JavaScript reads and prints it."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from canary.sandbox.javascript import number, parse, stringify

values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_characters="\0")),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(st.characters(exclude_characters="\0")), inner)
    ),
    max_leaves=20,
)


@given(values)
def test_what_is_printed_reads_back_equal(value: object) -> None:
    """Printing loses nothing that a double can hold."""
    assert json.loads(stringify(value), parse_int=float) == value


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_printed_number_is_the_same_double(value: float) -> None:
    """The shortest digits still name the same double."""
    assert float(number(value)) == value


@pytest.mark.parametrize(
    ("text", "printed"),
    [
        ("9007199254740993", "9007199254740992"),
        ("1152921504606846976", "1152921504606847000"),
        ("100000000000000000000", "100000000000000000000"),
        ("1e21", "1e+21"),
        ("1e2", "100"),
        ("0.000001", "0.000001"),
        ("0.0000001", "1e-7"),
        ("-0", "0"),
        ("1.0", "1"),
        ("0.1", "0.1"),
        ('"a\\u0000b"', '"ab"'),
        ('"\\ud800"', '"\\ud800"'),
    ],
)
def test_numbers_and_texts_as_node_prints_them(text: str, printed: str) -> None:
    """Taken from what `JSON.stringify(JSON.parse(text))` gives, less the NUL that PostHog removes."""
    assert stringify(parse(text)) == printed


def test_numbers_that_json_does_not_know_are_refused() -> None:
    """Python would read NaN; JavaScript does not."""
    with pytest.raises(ValueError, match="NaN"):
        parse("NaN")
    assert number(math.inf) == "null"
