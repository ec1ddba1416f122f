"""The command lines of `ppo-sweeps` and `ppo-analysis`: argparse, whose errors are our sentences."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any, NoReturn

from ppo.errors import UserError, did_you_mean


class Parser(argparse.ArgumentParser):
    """A parser that raises UserError where argparse prints its usage and exits."""

    def error(self, message: str) -> NoReturn:
        """One sentence, with the commands where one is missing."""
        if commands := self._commands():
            expected = f"expected one of {', '.join(commands)}" if "required: COMMAND" in message else message
            raise UserError(f"{self.prog}: {expected}; `{self.prog} --help` lists all commands.")
        _, missing, names = message.partition("are required: ")  # of which those after the first may be left out
        what = f"{names.partition(',')[0]} is missing" if missing else message
        raise UserError(f"{self.prog}: {what}; `{self.prog} --help` lists its arguments.")

    def check_first(self, words: Sequence[str]) -> None:
        """UserError for an unknown flag in place of a command, of which argparse only says that there is none."""
        known = [flag for action in self._actions for flag in action.option_strings]
        if words and words[0].startswith("-") and not any(flag.startswith(words[0]) for flag in known):
            self.refuse(words)

    def refuse(self, words: Sequence[str]) -> NoReturn:
        """UserError for words that nothing has taken."""
        known = [flag for action in self._actions for flag in action.option_strings]
        hint = did_you_mean(words[0].partition("=")[0], known)
        what = "unknown flag" if words[0].startswith("-") else "unexpected word"
        listed = "all commands" if self._commands() else "its arguments"
        raise UserError(f"{self.prog}: {what} {words[0]}: `{self.prog} --help` lists {listed}.{hint}")

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        """UserError for a value that is none of an argument's choices."""
        if action.choices is None or value in action.choices:
            return
        names = [str(choice) for choice in action.choices]
        subject = action.option_strings[-1] if action.option_strings else "command"
        hint = did_you_mean(str(value), names)
        raise UserError(f"{self.prog}: {subject} {value} is invalid: expected one of {', '.join(names)}.{hint}")

    def _commands(self) -> list[str]:
        """The names of its commands, if it has some."""
        found = (a for a in self._actions if isinstance(a, argparse._SubParsersAction))
        return [str(name) for action in found for name in action.choices]
