"""The sandbox of the end-to-end tests, for the daemons that are killed beside it."""

from tests.e2e.conftest import sandbox

__all__ = ["sandbox"]
