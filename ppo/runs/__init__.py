"""The contract of the run folder, torch-free: its files, its states, its locks."""
