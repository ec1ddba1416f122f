"""Hydra's multirun through our launchers."""
