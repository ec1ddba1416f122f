"""MuJoCo tasks, stepped in lock-step on the raw simulators."""
