"""What the monitor costs, measured against the sandbox: see `python -m bench --help`."""
