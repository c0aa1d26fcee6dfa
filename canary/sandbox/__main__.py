"""`python -m canary.sandbox`: a sandbox as the subprocess of `start`, which ends with its caller."""

import argparse
import os
import sys
from pathlib import Path

from canary.sandbox.handle import EXTRA


def main() -> int:
    arguments = argparse.ArgumentParser(prog="python -m canary.sandbox")
    arguments.add_argument("--dir", type=Path, required=True)
    arguments.add_argument("--broker", default="tansu")
    arguments.add_argument("--partitions", type=int)
    given = arguments.parse_args()
    try:
        from canary.sandbox.broker import ImpossibleError
        from canary.sandbox.serve import serve
    except ModuleNotFoundError as error:
        sys.stderr.write(f"{EXTRA} ({error})\n")
        return os.EX_UNAVAILABLE
    try:
        serve(given.dir, broker=given.broker, partitions=given.partitions, say=_say, until_eof=True)
    except ImpossibleError as error:
        sys.stderr.write(f"{error}\n")
        return os.EX_UNAVAILABLE
    return 0


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
