"""`python -m tests.mutation`: hunt every mutant of `reconcile`, write docs/mutation.md, say how it went."""

import sys
import time

from tests.mutation.hunt import ROOT, all_mutants, hunted
from tests.mutation.memory import Memory
from tests.mutation.report import AIM, page, share, unexplained

KNOWN = ROOT / "build" / "mutation.json"


def main() -> int:
    """0 where enough were caught and every survivor is explained."""
    chosen, started = all_mutants(), time.monotonic()
    survivors = []
    for number, (mutant, alive) in enumerate(hunted(chosen, Memory(KNOWN)), 1):
        if alive:
            survivors.append(mutant)
            sys.stdout.write(
                f"{mutant.path.name}:{mutant.line}: survives: {mutant.before} => {mutant.after}\n"
            )
        if number % 50 == 0:
            sys.stderr.write(f"{number} of {len(chosen)} after {time.monotonic() - started:.0f} s\n")
    (ROOT / "docs" / "mutation.md").write_text(page(chosen, survivors))
    left = unexplained(survivors)
    sys.stdout.write(
        f"{len(chosen) - len(survivors)} of {len(chosen)} mutants caught "
        f"({100 * share(chosen, survivors):.1f} %), {len(left)} survivors without a reason\n"
    )
    return 0 if share(chosen, survivors) >= AIM and not left else 1


if __name__ == "__main__":
    sys.exit(main())
