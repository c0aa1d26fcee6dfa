"""A whole small pipeline on this machine, with faults on demand, for demos and tests."""

from canary.sandbox.handle import Handle, NotPossibleError, SandboxError, start

__all__ = ["Handle", "NotPossibleError", "SandboxError", "start"]
