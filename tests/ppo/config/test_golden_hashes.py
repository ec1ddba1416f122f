"""The hashes of some runs, frozen: a change of one of them would lose every run that has been trained (law 3).

If a test here fails, the code is wrong and not the hash. A key that is added takes `Added(neutral=...)`, at which the
run it belongs to is the one that it was.
"""

from __future__ import annotations

import copy

import pytest

from ppo.config import choices
from ppo.config.compose import compose
from ppo.config.flatten import flatten
from ppo.config.identity import run_hash
from ppo.config.run import to_config, to_mapping
from ppo.config.schema import defaults, neutral

GOLDEN = [
    ("", "482f0278f4ada6cfbfb045d90b29ae4dd424b47167ec64ed6a9f0e39240be81e"),
    ("surrogate=none", "e514239ab8b92612a247c540bfae4a36f61933aea5046237dafa188959bb1566"),
    (
        "surrogate=clip surrogate.epsilon=0.1 env=halfcheetah seed=2",
        "5a2b142740f8d8d4c09b85909e212fea20fc7029ef0335ee4e6a200f0fe6b936",
    ),
    (
        "surrogate=clip_log surrogate.reading=objective",
        "9f767377d24a9e862181bbdac754cb6b4f2c7dbfd08b5b2078bff4ca44c2da0f",
    ),
    (
        "surrogate=kl_fixed surrogate.beta=10 env=reacher",
        "d8453f268947d08d2fc09f5834bd66190bf985eea02ba97ad948dbf96562cfa3",
    ),
    (
        "surrogate=kl_adaptive surrogate.d_targ=0.003 env=walker2d seed=1",
        "f19f3375f718b2048268703f9d786961ab70ede8e661352ed0daf67221b44c94",
    ),
    ("algorithm=trpo", "ef2fd7a91aeaf081e37d72b1a3c58fe66b08fca612a571e2bbd02d348fac1d1d"),
    ("algorithm=trpo_2017 env=swimmer", "0eae3ebf42615491a4d5e0090317035b7441162016e2ee716540a273aec78bbf"),
    ("algorithm=vpg env=inverted_pendulum", "98b6772f088cf09fa4ec4c5726995cd13d3a756385f0853305c67f873a0aa87d"),
    (
        "algorithm=a2c env=inverted_double_pendulum",
        "314d00b60b46ea796c0af3cb13959980dafdd2805ae998f496b2fe0a04bb3b83",
    ),
    ("algorithm=a2c_trust_region seed=1", "2987616983688f8c2cb4a983a98d6f1f4eb7c48507d3e992b1c0fec70b5ca1f4"),
    ("algorithm=cem", "eb5e33f2835501e32d6671b43911ddd81ff2710764f7553e05018112b846f17a"),
    ("algorithm=random total_steps=102400", "8a4066a37edf1dc85c404605d99cc77bc60c5e52a77713b225d15ce314e7aed4"),
    ("algorithm=random algorithm.policy=uniform", "f5c025db86f2b1523895621eb7133d1916adfdfd09076cfebbfa6d0660ae6b9c"),
    ("experiment=table4", "b4986365ce1deca2a51ff99ccb1bfca343f136b7ebc858b85129ba2d7770b661"),
    ("experiment=table5 algorithm.reward=raw", "7b3cfff85eaa34257d63c002b3a654e2fd53248cd3146039455f7d319102ba16"),
    (
        "network=mlp_10x5 network.activation=relu network.shared=true",
        "8075fcef261e0a990206aa31e3e9c802285f7d17756c07422889c949415bb23c",
    ),
    (
        "network.hidden=[] algorithm.record=[interpolation] total_steps=2048",
        "4dde8b6146a10792a1a0ec0ccf5dda4f78122c42b06df5070c0c81b1b3893ba6",
    ),
    (
        "env=gymnasium env.id=CartPole env.time_limit=200",
        "02dfe1076c7b84749ed33ab804f6612cba866fb0cb0e09d7de2104ac1d1b961b",
    ),
    (
        "experiment=table5 env=atari env.id=breakout network=nature_cnn network.precision=bfloat16",
        "84d94519091d23faa3d5b04c9fd5e6e9d9578317d09f45ae36604caafa5516fc",
    ),
    (
        "experiment=a2c_atari env=atari env.id=qbert seed=1",
        "baa5b5061e02355b2168e2ab8b6ed2b7579d03f7c647959b33fc58fcfdbc499b",
    ),
    (
        "experiment=table5 env=atari env.id=pong algorithm.normalize_adv=actor network.shared=false",
        "e3a6373d58de6c74a3983934a199e4ee52c506b1bff83fe49652e9557413a9f0",
    ),
    (
        "env=atari env.id=pong env.sticky=0.25 algorithm=random network=a3c_cnn",
        "1fe03077212f62d904dbeb19fc182bf38a3d821ae12d6f89146e853f1b03afef",
    ),
    (
        "seed=123456789012345678901234567890 algorithm.lr=1e-30 algorithm.c2=0.1 "
        "algorithm.max_grad_norm=0.5 algorithm.value_clip=1e22",
        "fe27262160fd168641fef50e7d97f830f8e6af0b53c561cf2385462a2b53d794",
    ),
    (
        "algorithm.lr=0.30000000000000004 algorithm.log_std=-0.0 algorithm.normalize_adv=minibatch "
        "algorithm.normalize_reward=true",
        "74c9571616f24857e615121eb9e6a52a4ba162e9f3f64b2c5eeaaefd6294a4ef",
    ),
]


@pytest.mark.parametrize(("overrides", "digest"), GOLDEN)
def test_the_hash_of_a_run_stays_what_it_is(overrides: str, digest: str) -> None:
    run = compose(overrides.split())
    assert run_hash(run) == digest
    assert run_hash(to_config(to_mapping(run))) == digest


def test_every_algorithm_surrogate_network_and_suite_is_among_them() -> None:
    runs = [compose(overrides.split()) for overrides, _ in GOLDEN]
    for group, registry in choices.GROUPS.items():
        assert {choice.name for run in runs if (choice := getattr(run, group))} == set(registry.names())
    assert len({digest for _, digest in GOLDEN}) == len(GOLDEN) >= 20


def test_no_schema_has_a_python_default_on_which_a_hash_could_rest() -> None:
    every = [(group, r.find(name, group)) for group, r in choices.GROUPS.items() for name in r.names()]
    assert {f"{group}.{key}" for group, cls in every for key in defaults(cls)} == set()


@pytest.mark.parametrize(("overrides", "digest"), GOLDEN)
def test_a_run_that_was_written_down_before_a_key_was_added_is_the_same_run(overrides: str, digest: str) -> None:
    values = copy.deepcopy(to_mapping(compose(overrides.split())))
    for group, registry in choices.GROUPS.items():
        if group not in values:
            continue
        added = neutral(registry.find(values[group][registry.label], group))
        for key, value in added.items():
            if values[group][key] == (list(value) if isinstance(value, tuple) else value):
                del values[group][key]
    assert run_hash(to_config(values)) == digest


def test_a_key_that_was_added_counts_where_it_is_not_neutral() -> None:
    run = compose(["algorithm.record=[interpolation]"])
    assert run_hash(run) != run_hash(compose())
    assert "algorithm.record" in flatten(to_mapping(compose()))
