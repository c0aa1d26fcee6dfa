"""What is put around the parts that reach outside: nothing, unless whoever builds the program brings it.

No configuration reaches it. Tests wrap every part in one that dies at a given place.
"""

from collections.abc import Callable
from dataclasses import dataclass

from alerts.delivery import Sender
from canary.ask import Stage
from canary.courier import Ingress
from canary.ledger import Ledger


@dataclass(frozen=True, slots=True)
class Around:
    """How the ledger is opened (by its URL); what each stage (by its name), ingress and sender becomes."""

    ledger: Callable[[str], Ledger] = Ledger.open
    stage: Callable[[str, Stage], Stage] = lambda _name, stage: stage
    ingress: Callable[[Ingress], Ingress] = lambda ingress: ingress
    sender: Callable[[Sender], Sender] = lambda sender: sender


NOTHING = Around()
