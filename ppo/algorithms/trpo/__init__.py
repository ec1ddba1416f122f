"""Trust region policy optimization (Figure 3)."""
