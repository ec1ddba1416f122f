"""Proximal policy optimization, Algorithm 1."""
