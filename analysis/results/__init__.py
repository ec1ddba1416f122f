"""The tables and figures: one module each."""
