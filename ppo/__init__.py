"""One training of a policy, written for one run and mapped over a pack (Schulman et al. 2017)."""

__version__ = "0.1.0"
