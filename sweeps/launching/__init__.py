"""Where packs run: this machine or SLURM."""
