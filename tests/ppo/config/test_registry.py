"""What can be a choice: frozen dataclasses without Python defaults, each name once, other people's with a prefix."""

from __future__ import annotations

import importlib
import sys
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import pytest

from ppo.config import choices
from ppo.config.compose import compose
from ppo.config.identity import essence, run_hash
from ppo.config.registry import Registry
from ppo.config.run import to_config, to_mapping
from ppo.config.schema import EXECUTION, PER_RUN, Added, Positive, defaults, hints
from ppo.errors import UserError
from ppo.learning.surrogates.base import Surrogate

EVERY = [(kind, name) for kind, registry in choices.GROUPS.items() for name in registry.names()]


@pytest.fixture
def registry() -> Registry[Any]:
    return Registry("surrogate", "ppo.learning.surrogates")


@pytest.fixture
def lab(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """A module of somebody else's, imported; its choice is gone afterwards."""
    (tmp_path / "my_lab.py").write_text(
        textwrap.dedent("""
        from dataclasses import dataclass
        from typing import Annotated
        from ppo.config import choices
        from ppo.config.schema import PER_RUN, Added, Positive
        from ppo.learning.surrogates.base import Surrogate

        @choices.surrogate("my_lab/x")
        @dataclass(frozen=True)
        class X(Surrogate):
            width: Annotated[Positive, PER_RUN]
            sharpness: Annotated[Positive, PER_RUN, Added(neutral=1)]

            def objective(self, t):
                return t.ratio * t.adv
        """)
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    choices.surrogate.names()
    monkeypatch.setattr(choices.surrogate, "_choices", dict(choices.surrogate._choices))
    monkeypatch.setattr(choices.surrogate, "_built", {})
    importlib.import_module("my_lab")
    yield
    sys.modules.pop("my_lab")


def refused(registry: Registry[Any], name: str, cls: type[Any]) -> str:
    with pytest.raises(UserError) as error:
        registry(name)(cls)
    assert "\n" not in str(error.value)
    assert name not in registry._choices or registry._choices[name] is not cls
    return str(error.value)


# -- ours --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "name"), EVERY)
def test_no_registered_schema_has_a_python_default(kind: str, name: str) -> None:
    assert list(defaults(choices.GROUPS[kind].find(name, kind))) == []


@pytest.mark.parametrize(("kind", "name"), EVERY)
def test_every_choice_is_named_by_its_registry(kind: str, name: str) -> None:
    assert choices.GROUPS[kind].find(name, kind).name == name


def test_unknown_names_are_refused_with_the_nearest_ones() -> None:
    with pytest.raises(UserError, match=r"surrogate\.name=klip is invalid: expected clip.*Did you mean clip") as error:
        choices.surrogate.find("klip", "surrogate.name")
    assert "\n" not in str(error.value)


# -- what cannot be registered -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Soft:
    width: Positive


@dataclass(frozen=True)
class Other:
    width: Positive


def test_two_registrations_of_one_name_are_refused_and_both_places_named(registry: Registry[Any]) -> None:
    registry("my_lab/x")(Soft)
    sentence = refused(registry, "my_lab/x", Other)
    assert "twice" in sentence
    assert f"{Soft.__module__}.Soft" in sentence
    assert f"{Other.__module__}.Other" in sentence


def test_a_module_that_is_imported_again_registers_the_same_choice(registry: Registry[Any]) -> None:
    registry("my_lab/x")(Soft)
    assert registry("my_lab/x")(Soft) is Soft


def test_a_schema_with_a_python_default_is_refused(registry: Registry[Any]) -> None:
    @dataclass(frozen=True)
    class Late:
        width: Positive
        sharpness: Positive = 1.0

    sentence = refused(registry, "my_lab/late", Late)
    assert "default of sharpness" in sentence
    assert "Added(neutral=...)" in sentence


def test_a_class_that_can_be_written_to_is_refused(registry: Registry[Any]) -> None:
    @dataclass
    class Loose:
        width: Positive

    assert "frozen dataclass" in refused(registry, "my_lab/loose", Loose)
    assert "frozen dataclass" in refused(registry, "my_lab/int", int)


@pytest.mark.parametrize("name", ["x", "", "/x", "my_lab/", "my lab/x", "my_lab/../x", "my_lab/x=1"])
def test_a_foreign_name_needs_its_package_before_it(registry: Registry[Any], name: str) -> None:
    assert "my_lab/x" in refused(registry, name, Soft)


# -- other people's ----------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("lab")
def test_a_foreign_choice_is_built_named_and_hashed_as_ours_are() -> None:
    values = to_mapping(compose()) | {"surrogate": {"name": "my_lab/x", "width": 2, "sharpness": 3}}
    run = to_config(values)
    assert (run.surrogate.name, run.surrogate.width, run.surrogate.sharpness) == ("my_lab/x", 2.0, 3.0)
    assert to_config(to_mapping(run)) == run
    assert essence(run)["surrogate"] == {"name": "my_lab/x", "width": 2.0, "sharpness": 3.0}


@pytest.mark.usefixtures("lab")
def test_a_younger_key_is_no_part_of_the_hash_at_its_neutral_value() -> None:
    base = to_mapping(compose())
    runs = [
        to_config(base | {"surrogate": {"name": "my_lab/x", "width": 2} | more})
        for more in ({}, {"sharpness": 1}, {"sharpness": 1.0}, {"sharpness": 2})
    ]
    old, one, real, other = (run_hash(run) for run in runs)
    assert old == one == real != other
    assert runs[0] == runs[1]
    assert "sharpness" not in essence(runs[0])["surrogate"]


@pytest.mark.usefixtures("lab")
def test_a_foreign_choice_is_listed_where_a_name_is_unknown() -> None:
    with pytest.raises(UserError, match="my_lab/x"):
        choices.surrogate.find("my_lab/y", "surrogate.name")


def test_marks_and_rules_of_a_foreign_schema_are_read_from_its_fields() -> None:
    @dataclass(frozen=True)
    class Marked(Surrogate):
        width: Annotated[Positive, PER_RUN, Added(neutral=2.0)]

    assert list(hints(Marked)) == ["width"]


def test_one_class_is_one_choice(registry: Registry[Any]) -> None:
    @registry("my_lab/one")
    @dataclass(frozen=True)
    class One(Surrogate):
        pass

    with pytest.raises(UserError, match="my_lab/one already"):
        registry("my_lab/other")(One)
    assert One.name == "my_lab/one"


def test_a_field_that_only_says_how_fast_is_no_part_of_what_a_run_is(monkeypatch: pytest.MonkeyPatch) -> None:
    choices.surrogate.names()
    monkeypatch.setattr(choices.surrogate, "_choices", dict(choices.surrogate._choices))
    monkeypatch.setattr(choices.surrogate, "_built", {})

    @choices.surrogate("my_lab/batched")
    @dataclass(frozen=True)
    class Batched(Surrogate):
        width: Annotated[Positive, PER_RUN]
        chunk: Annotated[Positive, EXECUTION]

    plain = to_mapping(compose())
    runs = [
        to_config(plain | {"surrogate": {"name": "my_lab/batched", "width": width, "chunk": chunk}})
        for width, chunk in ((1, 1), (1, 2), (2, 1))
    ]
    assert [run.surrogate.chunk for run in runs] == [1, 2, 1]
    assert essence(runs[0])["surrogate"] == {"name": "my_lab/batched", "width": 1.0}
    assert run_hash(runs[0]) == run_hash(runs[1]) != run_hash(runs[2])
