"""From a declared sweep to finished run folders."""
