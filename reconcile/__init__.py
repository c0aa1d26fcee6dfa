"""Pure rules: what the evidence about a canary proves. No clock, no I/O, no randomness."""
