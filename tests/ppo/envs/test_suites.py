"""Suites and their tasks are found by name; what cannot be found is one sentence."""

from __future__ import annotations

import pytest

from ppo.config import choices
from ppo.config.compose import compose
from ppo.envs.gymnasium.schema import Gymnasium
from ppo.envs.simulators.schema import Mujoco
from ppo.envs.simulators.tasks import TASKS
from ppo.errors import UserError


def test_a_suite_is_named_by_its_task() -> None:
    hopper, cart = compose(["env=hopper"]).env, compose(["env=gymnasium", "env.id=CartPole-v1"]).env
    assert (hopper.suite, hopper.id, type(hopper)) == ("mujoco", "Hopper-v5", Mujoco)
    assert (cart.suite, cart.id, type(cart)) == ("gymnasium", "CartPole-v1", Gymnasium)


def test_an_unknown_task_or_suite_is_one_sentence_naming_the_nearest() -> None:
    with pytest.raises(UserError, match=r"^env\.id=Hoper-v5 is invalid: .*Walker2d-v5.* Did you mean Hopper-v5\?"):
        Mujoco("Hoper-v5", None).check()
    with pytest.raises(UserError, match=r"^env\.id=Ant-v5 is invalid: expected HalfCheetah-v5, .*"):
        Mujoco("Ant-v5", None).resolved()
    with pytest.raises(UserError, match=r"^env\.suite=mujco is invalid: .*gymnasium.* Did you mean mujoco\?"):
        choices.suite.find("mujco", "env.suite")
    for task_id in TASKS:
        assert Mujoco(task_id, None).resolved().id == task_id
