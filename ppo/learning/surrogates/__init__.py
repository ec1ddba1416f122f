"""The surrogate objectives of sections 3, 4 and 6.1, to be maximised: a file each, or a few that belong together."""
