"""The contract of the run folder, torch-free: its files, rows, states and locks, and what made its numbers."""
