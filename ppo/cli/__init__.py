"""The command line: Hydra's flags and multirun, the manual, and shell completion."""
