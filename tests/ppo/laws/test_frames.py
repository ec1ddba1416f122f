"""Laws 1 and 2 on frames: neither its pack nor an interruption changes a byte, in float32 and in bfloat16."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from ppo.config.compose import compose
from ppo.config.identity import pack_key
from ppo.config.run import Config
from ppo.train import Interrupted, train
from tests.ppo.blocks import A2C, PPO, blocks, game  # noqa: F401
from tests.ppo.handmade import records

pytestmark = pytest.mark.usefixtures("blocks")

SETTINGS = {  # of runs that share a pack
    "ppo": ([*PPO, "total_steps=192"], [[], ["surrogate.epsilon=0.1", "algorithm.lr=1e-3"], ["seed=7"]]),
    "a2c": ([*A2C, "total_steps=240"], [[], ["algorithm.trust_region=1"], ["algorithm.lr_schedule=constant"]]),
    "random": (["algorithm=random", "algorithm.horizon=30", "algorithm.num_actors=4", "total_steps=480"],
               [[], ["seed=1"], ["seed=2"]]),
}  # fmt: skip
every_algorithm = pytest.mark.parametrize("algorithm", SETTINGS)
every_precision = pytest.mark.parametrize("precision", ["float32", "bfloat16"])


def runs(algorithm: str, precision: str, outputs: Path, network: str = "a3c_cnn") -> list[Config]:
    common, settings = SETTINGS[algorithm]
    configs = [game([*common, *own, f"outputs={outputs}"], network, precision=precision) for own in settings]
    assert len({pack_key(config) for config in configs}) == 1
    return configs


def finish(configs: Sequence[Config]) -> list[tuple[bytes, bytes]]:
    outcomes = train(configs)
    assert [outcome.error for outcome in outcomes] == [None] * len(configs)
    return [records(outcome.folder) for outcome in outcomes]


def stop_after(iterations: int, configs: Sequence[Config]) -> None:
    asked = iter(range(iterations))
    with pytest.raises(Interrupted):
        train(configs, stop=lambda: next(asked, None) is None)


@every_algorithm
@every_precision
def test_a_run_of_frames_has_the_same_bytes_alone_in_a_pack_and_interrupted(
    tmp_path: Path, algorithm: str, precision: str
) -> None:
    together = finish(runs(algorithm, precision, tmp_path / "3"))
    assert len(set(together)) == 3, "all runs differ, so their bytes say something"
    assert all(len(episodes.splitlines()) > 4 for episodes, _ in together)
    for number in range(3):
        assert finish([runs(algorithm, precision, tmp_path / "alone")[number]]) == [together[number]]
    interrupted = runs(algorithm, precision, tmp_path / "interrupted")
    stop_after(1, interrupted[:1])
    stop_after(2, interrupted[1:])
    assert finish(interrupted) == together


@pytest.mark.slow
@every_precision
def test_so_it_has_with_the_network_of_nature(tmp_path: Path, precision: str) -> None:
    together = finish(runs("ppo", precision, tmp_path / "3", "nature_cnn"))
    assert finish(runs("ppo", precision, tmp_path / "2", "nature_cnn")[:0:-1]) == together[:0:-1]
    interrupted = runs("ppo", precision, tmp_path / "interrupted", "nature_cnn")[:1]
    stop_after(2, interrupted)
    assert finish(interrupted) == together[:1]


def test_the_precision_is_part_of_what_a_run_is(tmp_path: Path) -> None:
    single, half = (finish(runs("ppo", p, tmp_path)[:1]) for p in ("float32", "bfloat16"))
    assert single[0][1] != half[0][1]


def test_a_checkpoint_holds_no_frames_but_those_that_are_shown(tmp_path: Path) -> None:
    (config,) = runs("ppo", "float32", tmp_path)[:1]
    stop_after(1, [config])
    (checkpoint,) = tmp_path.glob("runs/**/checkpoint.pt")
    parameters = 676_404 + 771 + 257  # 4 bytes each, beside two moments
    assert checkpoint.stat().st_size < 12 * parameters + 3 * 4 * 84 * 84 * 4 + 50_000


# -- games -------------------------------------------------------------------------------------------------------------

TABLE_5 = ["experiment=table5", "algorithm.horizon=32", "algorithm.minibatch_size=128", "total_steps=1024"]
SHORT_A2C = ["experiment=a2c_atari", "algorithm.updates=4", "total_steps=960"]


@pytest.mark.slow
@every_precision
@pytest.mark.parametrize("common", [TABLE_5, SHORT_A2C], ids=["ppo", "a2c"])
@pytest.mark.parametrize("name", ["breakout", "qbert", "ms_pacman"])
def test_a_run_of_a_game_has_the_same_bytes_alone_in_a_pack_and_interrupted(
    tmp_path: Path, name: str, common: list[str], precision: str
) -> None:
    pytest.importorskip("ale_py")

    def seeds(outputs: str) -> list[Config]:
        chosen = [*common, "env=atari", f"env.id={name}", f"network.precision={precision}"]
        return [compose([*chosen, f"outputs={tmp_path / outputs}", f"seed={seed}"]) for seed in range(3)]

    together = finish(seeds("3"))
    assert len(set(together)) == 3
    assert finish(seeds("alone")[1:2]) == together[1:2]
    interrupted = seeds("interrupted")
    stop_after(1, interrupted[:1])
    stop_after(2, interrupted[1:])
    assert finish(interrupted[::-1]) == together[::-1]
