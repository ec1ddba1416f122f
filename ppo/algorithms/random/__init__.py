"""Random policies, the 0 of normalised scores."""
