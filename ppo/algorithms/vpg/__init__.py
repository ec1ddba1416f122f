"""Vanilla policy gradient with an adaptive stepsize (Figure 3)."""
