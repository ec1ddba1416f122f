"""The cross-entropy method (Figure 3)."""
