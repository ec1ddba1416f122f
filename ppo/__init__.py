"""The algorithms of the PPO paper (Schulman et al. 2017): one training, written for one run and mapped over a pack."""

import os

__version__ = "0.1.0"

# Without this, MKL may round a product differently by where in memory its operands lie, and so by a run's lane in its
# pack (law 1). Read once, at the first product; costs nothing that we could measure.
os.environ.setdefault("MKL_CBWR", "AUTO")
