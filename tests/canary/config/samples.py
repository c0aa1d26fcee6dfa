"""A sound configuration, and the type of the fixture that loads one."""

from collections.abc import Callable

from canary.config import Loaded

GOOD = """\
[[probes]]
name = "main"
url = "http://ingress.test"
token = "phc_hunter2"
[[stages]]
name = "raw"
kind = "kafka"
bootstrap = "kafka.test:9092"
topic = "raw"
[[stages]]
name = "events"
kind = "clickhouse"
url = "https://clickhouse.test:8123"
table = "events"
consumer_group = "group1"
"""

Configure = Callable[..., Loaded]
