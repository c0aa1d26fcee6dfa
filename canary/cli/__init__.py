"""The command line: arguments in, exit code out. One file a command; what a command needs, it imports."""

import sys


def main() -> None:
    """The console script `canary`."""
    try:
        from canary.cli.main import run

        sys.exit(run(sys.argv[1:]))
    except KeyboardInterrupt:  # before the command had begun
        sys.exit(130)
