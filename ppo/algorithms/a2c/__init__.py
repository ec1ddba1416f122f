"""Synchronous advantage actor critic (Figure 3)."""
