"""`[changes]`: how often the parts of the pipeline are asked how they are made."""

from datetime import timedelta

from canary.config.fields import Flag, Span, Table


class ChangesConfig(Table):
    """`[changes]`."""

    enabled: Flag = True
    every: Span = timedelta(minutes=5)
    in_trouble: Span = timedelta(seconds=30)
    within: Span = timedelta(hours=1)
