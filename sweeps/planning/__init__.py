"""From a declared sweep to packs of runs: what would run, and for how long."""
