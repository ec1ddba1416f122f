"""Environments: suites of tasks behind one contract, `LockStep`; a folder each."""
