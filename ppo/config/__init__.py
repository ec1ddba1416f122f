"""What can be chosen: schemas, the config of a run, its composition by Hydra and its identity."""
