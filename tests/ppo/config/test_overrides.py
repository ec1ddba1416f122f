"""Overrides are Hydra's; a mistake in one is one sentence, and several values are several runs."""

from __future__ import annotations

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser

from ppo.config.compose import compose, expand, groups, parse
from ppo.config.run import to_mapping
from ppo.errors import UserError


def complaint(*overrides: str) -> str:
    with pytest.raises(UserError) as error:
        compose(overrides)
    sentence = str(error.value)
    assert "\n" not in sentence
    assert sentence.endswith((".", "?"))
    return sentence


# -- overrides ---------------------------------------------------------------------------------------------------------


def test_an_override_changes_one_value() -> None:
    before, after = to_mapping(compose()), to_mapping(compose(["algorithm.lr=1e-3"]))
    assert after["algorithm"].pop("lr") == 0.001
    assert before["algorithm"].pop("lr") == 0.0003
    assert before == after


def test_a_choice_counts_wherever_it_stands() -> None:
    first = compose(["surrogate=kl_fixed", "surrogate.beta=3"])
    assert compose(["surrogate.beta=3", "surrogate=kl_fixed"]) == first
    assert first.surrogate.beta == 3


def test_one_composition_leaves_no_trace_in_the_next() -> None:
    default = compose()
    compose(["algorithm.lr=1", "network.hidden=[3]", "seed=5"])
    assert compose() == default


@pytest.mark.parametrize(
    ("override", "start", "words"),
    [
        ("sead=1", "unknown key sead", ["Did you mean", "seed"]),
        ("algorithm.gama=1", "unknown key algorithm.gama", ["Did you mean algorithm.gamma?"]),
        ("+sead=1", "unknown key sead", ["Did you mean seed?"]),
        ("hydra.run.dir=x", "unknown key hydra.run.dir", ["expected"]),
        ("env=hoper", "env=hoper is invalid", ["Did you mean hopper", "walker2d"]),
        ("env=mujoco", "env=mujoco is invalid", ["expected"]),  # what the seven share, no task
        ("surrogate=klip", "surrogate=klip is invalid", ["clip", "none"]),
        ("surrogate=null", "surrogate=null is invalid", ["none"]),
        ("surrogate=[clip]", "surrogate=[clip] is invalid", ["none"]),
        ("experiment=table9", "experiment=table9 is invalid", ["table5"]),
        ("algorithm=ppo_atari", "algorithm=ppo_atari is invalid", ["experiment=table5"]),
        ("env=gymnasium", "env.id is missing", ["env.id=VALUE"]),
        ("network=5", "network=5 is invalid", ["mlp"]),
        ("algorithm.lr={a: 1}", "unknown key algorithm.lr.a", ["expected"]),
        ("~seed", "seed is missing", ["expected an integer"]),
        ("~surrogate", "surrogate.name is missing", ["clip"]),
        ("+env=walker2d", "the config cannot be composed", ["env"]),
        ("surrogate@other=clip", "the config cannot be composed", ["surrogate@other"]),
        ("seed", "'seed' is not an override", ["expected key=value"]),
        ("=3", "'=3' is not an override", ["expected key=value"]),
        ("seed=[1", "'seed=[1' is not an override", ["expected key=value"]),
        ("seed=0,1", "seed=0,1 is invalid", ["add -m"]),
        ("env=hopper,walker2d", "env=hopper,walker2d is invalid", ["add -m"]),
        ("seed=${nothing}", "seed cannot be resolved", ["nothing"]),
        ("seed=${seed}", "seed cannot be resolved", ["Recursive"]),
        ("seed=${surrogate}", "seed={name:clip,epsilon:0.2} is invalid", ["expected an integer"]),
        ("outputs=", "outputs= is invalid", ["expected a folder"]),
        ("run_dir=/", "run_dir=/ is invalid", ["expected a folder"]),
        ("threads=100000", "threads=100000 is invalid", ["1024"]),
        ("network.hidden={}", "network.hidden={} is invalid", ["expected a list"]),
    ],
)
def test_a_mistake_in_an_override_is_one_sentence(override: str, start: str, words: list[str]) -> None:
    sentence = complaint(override)
    assert sentence.startswith(start)
    for word in words:
        assert word in sentence


def test_an_unknown_key_inside_a_mapping_is_one_sentence() -> None:
    assert complaint("network={hiden: [3]}").startswith("unknown key network.hiden")
    assert complaint("surrogate={beta: 1}").startswith("unknown key surrogate.beta")


@pytest.mark.parametrize("group", ["{hidden: [3]}", "{hidden: [3], shared: false}"])
def test_a_group_given_as_a_mapping_changes_the_keys_it_names(group: str) -> None:
    assert compose([f"network={group}"]) == compose(["network.hidden=[3]"])


@pytest.mark.parametrize("override", ["seed={}", "sead={}", "surrogate.epsilon={}"])
def test_an_empty_mapping_is_not_passed_over(override: str) -> None:
    assert override.split("=")[0] in complaint(override)


def test_the_users_home_is_found_in_folders(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/somewhere")
    run = compose(["outputs=~/store", "run_dir=~/store/mine"])
    assert (run.execution.outputs, run.execution.run_dir) == ("/somewhere/store", "/somewhere/store/mine")
    assert complaint("outputs=~nobody-of-this-name/store")


@pytest.mark.parametrize("typed", ["outputs=/home/josé/my runs", "outputs='/home/josé/my runs'", "++outputs=~/my runs"])
def test_folders_may_have_letters_of_any_alphabet(typed: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/josé")
    assert compose([typed]).execution.outputs == "/home/josé/my runs"
    assert [compose(run).execution.outputs for run in expand([typed, "seed=0,1"])] == ["/home/josé/my runs"] * 2


@pytest.mark.parametrize("override", ["+algorithm.lr=1e-3", "++algorithm.lr=1e-3"])
def test_hydras_plus_goes_to_hydra(override: str) -> None:
    if override.startswith("++"):
        assert compose([override, "surrogate=none"]) == compose(["algorithm.lr=1e-3", "surrogate=none"])
    else:
        assert "algorithm.lr" in complaint(override)


def test_a_younger_key_that_is_removed_is_neutral() -> None:
    assert compose(["~algorithm.record"]) == compose()


# -- interpolations ----------------------------------------------------------------------------------------------------


def test_interpolations_take_other_values(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEED", "3")
    monkeypatch.setenv("RATE", "1e-3")
    monkeypatch.setenv("UNITS", "16")
    assert compose(["seed=${oc.env:SEED}"]) == compose(["seed=3"])
    assert compose(["algorithm.lr=${oc.env:RATE}"]) == compose(["algorithm.lr=1e-3"])
    assert compose(["network.hidden=[${oc.env:UNITS},8]"]) == compose(["network.hidden=[16,8]"])
    assert compose(["algorithm.minibatch_size=${algorithm.horizon}"]).algorithm.minibatch_size == 2048
    assert compose(["outputs=store-${seed}", "seed=4"]).execution.outputs == "store-4"


def test_an_interpolated_text_that_is_no_number_is_refused_as_any_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEED", "first")
    assert complaint("seed=${oc.env:SEED}").startswith("seed=first is invalid: expected an integer")
    assert complaint("seed='3'").startswith("seed=3 is invalid")  # typed as a string


# -- multirun ----------------------------------------------------------------------------------------------------------


def test_a_multirun_is_the_product_of_its_values_the_last_one_fastest() -> None:
    assert expand(["env=hopper,walker2d", "algorithm.lr=1e-3", "seed=0,1,2"]) == [
        ["env=hopper", "algorithm.lr=1e-3", "seed=0"],
        ["env=hopper", "algorithm.lr=1e-3", "seed=1"],
        ["env=hopper", "algorithm.lr=1e-3", "seed=2"],
        ["env=walker2d", "algorithm.lr=1e-3", "seed=0"],
        ["env=walker2d", "algorithm.lr=1e-3", "seed=1"],
        ["env=walker2d", "algorithm.lr=1e-3", "seed=2"],
    ]


def test_every_run_of_a_multirun_composes() -> None:
    runs = [compose(o) for o in expand(["surrogate=clip,none", "seed=range(3)", "network.hidden=[8],[8,8]"])]
    assert [(r.surrogate.name, r.seed, r.network.hidden) for r in runs] == [
        (surrogate, seed, hidden) for surrogate in ("clip", "none") for seed in range(3) for hidden in ((8,), (8, 8))
    ]


@pytest.mark.parametrize(
    ("override", "values"),
    [
        ("seed=range(0,5,2)", ["0", "2", "4"]),
        ("seed=choice(3,1)", ["3", "1"]),
        ("seed=sort(3,1)", ["1", "3"]),
        ("algorithm.lr=1e-3,1e-4", ["0.001", "0.0001"]),
        ("network.hidden=[64,64]", ["[64,64]"]),
        ("seed=3", ["3"]),
        ("surrogate=glob(kl_*)", ["kl_adaptive", "kl_fixed"]),
        ("surrogate=glob(*,exclude=kl*)", ["clip", "clip_log", "none"]),
        ("network=glob(*)", list(groups()["network"])),
        ("'outputs=a b','c,d'", None),
    ],
)
def test_hydras_grammar_names_the_values_of_an_axis(override: str, values: list[str] | None) -> None:
    if values is None:
        with pytest.raises(UserError):
            expand([override])
    else:
        assert [line.partition("=")[2] for (line,) in expand([override])] == values


def test_nothing_to_vary_is_one_run() -> None:
    assert expand([]) == [[]]
    assert expand(["seed=3"]) == [["seed=3"]]


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("seed=interval(0,9)", "intervals are for searches"),
        ("seed=glob(*)", "expected values"),
        ("surrogate=glob(x*)", "has no values"),
        ("seed=range(3,3)", "has no values"),
        ("seed=0,1,0", "has the value 0 twice"),
        ("algorithm.lr=1e-3,0.001", "twice"),
        ("algorithm.c1=1,1.0", "twice"),
        ("env=hopper,hopper", "twice"),
    ],
)
def test_an_axis_without_values_or_with_one_twice_is_refused_in_a_sentence(override: str, words: str) -> None:
    with pytest.raises(UserError, match=words) as error:
        expand([override])
    assert str(error.value).startswith(override)
    assert "\n" not in str(error.value)


def test_true_and_one_are_two_values() -> None:
    assert len(expand(["resume=true,1"])) == 2


@pytest.mark.parametrize(
    "line",
    ["seed=0", "seed=-3", "a.b_1=12", "lr=0.001", "lr=-1.50", "lr=3e-4", "lr=3e4", "lr=1.5e-07", "x=1e22", "x=007"],
)
def test_numbers_are_read_as_hydras_parser_reads_them(line: str) -> None:
    theirs = OverridesParser.create().parse_override(line)
    (ours,) = parse([line])
    assert (ours.key_or_group, ours.value(), type(ours.value())) == (
        theirs.key_or_group, theirs.value(), type(theirs.value())
    )  # fmt: skip
    assert (ours.type, ours.value_type, ours.package, ours.input_line) == (
        theirs.type, theirs.value_type, theirs.package, theirs.input_line
    )  # fmt: skip


@pytest.mark.parametrize(
    "values", ["range(0,3,0)", "range(0,1,0.0)", "range(nan,1)", "range(0,inf)", "shuffle(range(0,3,0))"]
)
def test_a_range_that_cannot_be_counted_is_a_mistake(values: str) -> None:
    with pytest.raises(UserError, match="expected values"):
        expand([f"algorithm.lr={values}"])


@pytest.mark.parametrize(
    "overrides", [["seed=range(0,1000000000)"], ["seed=shuffle(range(0,1000000000))"], ["a=range(0,1,1e-9)"],
                  ["a=range(0,1000)", "b=range(0,1000)"]], ids=" ".join
)  # fmt: skip
def test_more_runs_than_can_be_kept_are_refused_before_they_are_made(overrides: list[str]) -> None:
    with pytest.raises(UserError, match="at most"):
        expand(overrides)
