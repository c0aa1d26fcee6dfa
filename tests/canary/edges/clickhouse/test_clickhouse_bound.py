"""Lists reach ClickHouse written as the driver itself would write them."""

from clickhouse_connect.driver.binding import format_bind_value
from hypothesis import given
from hypothesis import strategies as st

from canary.edges.clickhouse.client import bound


@given(
    st.lists(st.text(max_size=8) | st.uuids().map(str) | st.sampled_from("\\'`\t\n\0\"é"))
    | st.lists(st.integers())
)
def test_a_list_is_written_as_the_driver_writes_it(items: list[str] | list[int]) -> None:
    written = bound({"items": items, "text": "it's"})
    assert format_bind_value(written["items"]) == format_bind_value(items)
    assert written["text"] == "it's"
