"""The games: the paper's 49 of Table 6, and all that ale-py ships; imports neither torch nor ale-py."""

from __future__ import annotations

import re
from contextlib import redirect_stdout
from functools import cache
from importlib.util import find_spec
from io import StringIO
from pathlib import Path

from ppo.errors import UserError, did_you_mean, invalid

TABLE6 = (
    "alien", "amidar", "assault", "asterix", "asteroids", "atlantis", "bank_heist", "battle_zone", "beam_rider",
    "bowling", "boxing", "breakout", "centipede", "chopper_command", "crazy_climber", "demon_attack", "double_dunk",
    "enduro", "fishing_derby", "freeway", "frostbite", "gopher", "gravitar", "ice_hockey", "jamesbond", "kangaroo",
    "krull", "kung_fu_master", "montezuma_revenge", "ms_pacman", "name_this_game", "pitfall", "pong", "private_eye",
    "qbert", "riverraid", "road_runner", "robotank", "seaquest", "space_invaders", "star_gunner", "tennis",
    "time_pilot", "tutankham", "up_n_down", "venture", "video_pinball", "wizard_of_wor", "zaxxon",
)  # fmt: skip
FOR_TWO = ("combat", "joust", "maze_craze", "warlords")  # shipped, but ALE has no rules for one player


@cache
def shipped() -> frozenset[str]:
    """Every game that the installed ale-py has a ROM of and can play alone; UserError without ale-py."""
    package = find_spec("ale_py")
    if package is None or not package.submodule_search_locations:
        raise UserError("env=atari is invalid: expected the extra that it needs: pip install 'ppo-sweeps[atari]'.")
    roms = Path(package.submodule_search_locations[0]) / "roms"
    return frozenset(path.stem for path in roms.glob("*.bin")) - set(FOR_TWO)


def check(game: str) -> None:
    """UserError unless this is one of them."""
    if game not in shipped():
        expected = "a game that ale-py ships for one player, such as breakout or ms_pacman"
        raise invalid("env.id", game, expected, _hint(game))


def _hint(name: str) -> str:
    """The game that a name of another library means, such as ALE/MsPacman-v5, or the nearest ones."""
    bare = re.sub(r"^ALE/|(NoFrameskip|Deterministic)?-v\d+$", "", name)
    snake = re.sub(r"(?<=[a-z\d])(?=[A-Z])|[\s-]+", "_", bare).lower()
    return did_you_mean(snake, [snake] if snake in shipped() else shipped())


def rom(game: str) -> Path:
    """The file of its ROM, its content verified by ale-py."""
    from ale_py import roms

    with redirect_stdout(StringIO()):  # it prints where it looks if that was changed by ALE_ROMS_DIR
        path = roms.get_rom_path(game)
    assert path is not None
    return Path(path)
