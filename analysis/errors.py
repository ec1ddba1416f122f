"""The errors that a user is told in one sentence."""


class UserError(Exception):
    """A mistake of the user's, or something missing: told in one sentence, exit status 2."""
