"""Games of the Atari 2600 on the bare Arcade Learning Environment, in lock-step."""
