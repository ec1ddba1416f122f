"""From a declared sweep to finished run folders: plan, pack, launch, watch, resume."""
