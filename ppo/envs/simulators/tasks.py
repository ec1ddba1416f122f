"""The paper's seven MuJoCo tasks as Gymnasium v5 defines them, over all environments at once (section 6.1).

Every formula keeps Gymnasium's order of operations: the results are equal bit for bit, not only close.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import mujoco
import numpy as np

from ppo.data import Bools, Floats
from ppo.errors import unknown

_SPEED_LIMIT = 10.0  # several tasks show the policy no velocity beyond this


class Task(Protocol):
    """One task. `before` and `now` are [E, watched]: of each of E environments, the numbers that `watch` names."""

    @property
    def model_file(self) -> str:
        """File among Gymnasium's own MuJoCo models."""

    @property
    def frame_skip(self) -> int:
        """Simulator steps per environment step."""

    @property
    def time_limit(self) -> int:
        """Environment steps after which Gymnasium ends an episode."""

    def watch(self, data: mujoco.MjData) -> tuple[Floats, ...]:
        """Live views of the numbers of one simulator that the task looks at: qpos, qvel, and what else it needs."""

    def reset(self, model: mujoco.MjModel, rng: np.random.Generator) -> tuple[Floats, Floats]:
        """Where an episode starts: qpos [nq], qvel [nv]."""

    def observe(self, now: Floats) -> Floats:
        """What the policy sees, [E, obs]; a new array."""

    def terminated(self, now: Floats, /) -> Bools:
        """Whether the task ends the episode here, [E]."""

    def reward(self, before: Floats, now: Floats, action: Floats, terminated: Bools, /) -> Floats:
        """What the step from `before` to `now` by the unclipped `action` [E, nu] earned, [E]."""


@dataclass(frozen=True)
class NoisyRest:
    """Where an episode starts: at the model's rest position, with noise in every coordinate and velocity."""

    scale: float
    normal_velocity: bool = False  # velocities are drawn from a normal, not a uniform, distribution

    def __call__(self, model: mujoco.MjModel, rng: np.random.Generator) -> tuple[Floats, Floats]:
        """Position [nq], then velocity [nv]: drawn in Gymnasium's order."""
        qpos = model.qpos0 + rng.uniform(-self.scale, self.scale, model.nq)
        if self.normal_velocity:
            return qpos, self.scale * rng.standard_normal(model.nv)
        return qpos, rng.uniform(-self.scale, self.scale, model.nv)


@dataclass(frozen=True)
class PlanarRunner:
    """Paid for speed along x, less the cost of control: HalfCheetah, Hopper, Swimmer and Walker2d."""

    model_file: str
    frame_skip: int
    dt: float  # seconds per environment step: the model's timestep times frame_skip
    reset: NoisyRest
    ctrl_cost: float
    hidden: int = 1  # leading coordinates that the policy does not see
    clips_velocity: bool = False
    healthy: tuple[Floats, Floats] | None = None  # open bounds of coordinates 1..k: outside it ends, inside earns 1
    time_limit: int = 1000

    def watch(self, data: mujoco.MjData) -> tuple[Floats, ...]:
        return data.qpos, data.qvel

    def observe(self, now: Floats) -> Floats:
        obs = now[:, self.hidden :].copy()
        if self.clips_velocity:
            _clip(obs[:, -(now.shape[1] // 2) :])  # a planar runner has as many velocities as coordinates
        return obs

    def terminated(self, now: Floats) -> Bools:
        """Always False without `healthy`; else whether a coordinate is outside of it, or not a number."""
        if self.healthy is None:
            return np.zeros(len(now), np.bool_)
        low, high = self.healthy
        part = now[:, 1 : 1 + len(low)]
        return ~np.logical_and.reduce((low < part) & (part < high), axis=-1)

    def reward(self, before: Floats, now: Floats, action: Floats, terminated: Bools, /) -> Floats:
        earned = (now[:, 0] - before[:, 0]) / self.dt
        if self.healthy is not None:
            earned += ~terminated
        return earned - self.ctrl_cost * _sum_of_squares(action)


@dataclass(frozen=True)
class InvertedPendulum:
    """Paid 1 for every step that the pole stays up."""

    model_file: str = "inverted_pendulum.xml"
    frame_skip: int = 2
    time_limit: int = 1000
    reset: NoisyRest = NoisyRest(0.01)

    def watch(self, data: mujoco.MjData) -> tuple[Floats, ...]:
        return data.qpos, data.qvel

    def observe(self, now: Floats) -> Floats:
        return now.copy()

    def terminated(self, now: Floats) -> Bools:
        # "every number is finite, and the angle at most 0.2", in one comparison: nan and inf fail it too.
        return ~np.logical_and.reduce(np.abs(now) <= _PENDULUM_BOUNDS, axis=-1)

    def reward(self, _before: Floats, _now: Floats, _action: Floats, terminated: Bools, /) -> Floats:
        return (~terminated).astype(np.float64)


_PENDULUM_BOUNDS = np.array([np.finfo(np.float64).max, 0.2, np.finfo(np.float64).max, np.finfo(np.float64).max])


@dataclass(frozen=True)
class InvertedDoublePendulum:
    """Paid 10 for every step that the tip of the upper pole stays above 1, less penalties for distance and speed."""

    model_file: str = "inverted_double_pendulum.xml"
    frame_skip: int = 5
    time_limit: int = 1000
    reset: NoisyRest = NoisyRest(0.1, normal_velocity=True)

    def watch(self, data: mujoco.MjData) -> tuple[Floats, ...]:
        return data.qpos, data.qvel, data.site_xpos[0], data.qfrc_constraint[:1]  # columns 0-2, 3-5, 6-8, 9

    def observe(self, now: Floats) -> Floats:
        """Cart, sines and cosines of the hinges, velocities, and the force that holds the cart on its rail, [E, 9]."""
        angles = now[:, 1:3]
        return np.concatenate(
            [now[:, :1], np.sin(angles), np.cos(angles), _clip(now[:, 3:6].copy()), _clip(now[:, 9:].copy())],
            axis=1,
        )

    def terminated(self, now: Floats) -> Bools:
        return now[:, 8] <= 1

    def reward(self, _before: Floats, now: Floats, _action: Floats, terminated: Bools, /) -> Floats:
        """10 while up, less 0.01 x^2 + (y - 2)^2 of the tip and 0.001 v1^2 + 0.005 v2^2 of the hinges."""
        distance = 0.01 * _pow2(now[:, 6]) + _pow2(now[:, 8] - 2)
        speed = 1e-3 * _pow2(now[:, 4]) + 5e-3 * _pow2(now[:, 5])
        return 10.0 * ~terminated - distance - speed


@dataclass(frozen=True)
class Reacher:
    """Paid minus the distance of the fingertip to a target drawn for each episode, less the cost of control."""

    model_file: str = "reacher.xml"
    frame_skip: int = 2
    time_limit: int = 50

    def watch(self, data: mujoco.MjData) -> tuple[Floats, ...]:
        tip, target = data.body("fingertip").xpos, data.body("target").xpos
        return data.qpos, data.qvel, tip, target  # columns 0-3, 4-7, 8-10, 11-13

    def reset(self, model: mujoco.MjModel, rng: np.random.Generator) -> tuple[Floats, Floats]:
        """The arm near rest, the target uniformly in a disc of radius 0.2 and at rest."""
        qpos = rng.uniform(-0.1, 0.1, model.nq) + model.qpos0
        target = rng.uniform(-0.2, 0.2, 2)
        while np.linalg.norm(target) >= 0.2:
            target = rng.uniform(-0.2, 0.2, 2)
        qpos[-2:] = target
        qvel = rng.uniform(-0.005, 0.005, model.nv)
        qvel[-2:] = 0
        return qpos, qvel

    def observe(self, now: Floats) -> Floats:
        angles = now[:, :2]
        distance = now[:, 8:10] - now[:, 11:13]
        return np.concatenate([np.cos(angles), np.sin(angles), now[:, 2:6], distance], axis=1)

    def terminated(self, now: Floats) -> Bools:
        return np.zeros(len(now), np.bool_)

    def reward(self, _before: Floats, now: Floats, action: Floats, _terminated: Bools, /) -> Floats:
        vector = now[:, 8:11] - now[:, 11:]
        # np.linalg.norm of one vector is BLAS's dot, which may fuse its multiply-adds; vecdot calls the same routine.
        return -np.sqrt(np.vecdot(vector, vector)) - _sum_of_squares(action)


def _clip(velocity: Floats) -> Floats:
    """Clip in place. Two ufuncs take a third less time than np.clip on arrays this small."""
    np.maximum(velocity, -_SPEED_LIMIT, out=velocity)
    return np.minimum(velocity, _SPEED_LIMIT, out=velocity)


def _pow2(column: Floats) -> Floats:
    """Each number squared as Gymnasium squares it: a scalar at a time.

    NumPy's scalar ** 2 is C's pow(); an array's is x * x, and one result in a thousand differs in its last bit.
    """
    return np.array([number**2 for number in column])


def _sum_of_squares(action: Floats) -> Floats:
    """Of each row. Added from left to right, as np.sum adds fewer than eight numbers; einsum would not."""
    total: Floats = np.add.reduce(np.square(action), axis=-1)
    return total


_HOPPER_HEALTHY = np.array([0.7, -0.2] + 9 * [-100.0]), np.array([np.inf, 0.2] + 9 * [100.0])  # height, angle, others
_WALKER_HEALTHY = np.array([0.8, -1.0]), np.array([2.0, 1.0])  # height, angle

TASKS: dict[str, Task] = {
    "HalfCheetah-v5": PlanarRunner("half_cheetah.xml", 5, 0.05, NoisyRest(0.1, normal_velocity=True), ctrl_cost=0.1),
    "Hopper-v5": PlanarRunner(
        "hopper.xml", 4, 0.008, NoisyRest(5e-3), ctrl_cost=1e-3, clips_velocity=True, healthy=_HOPPER_HEALTHY
    ),
    "InvertedDoublePendulum-v5": InvertedDoublePendulum(),
    "InvertedPendulum-v5": InvertedPendulum(),
    "Reacher-v5": Reacher(),
    "Swimmer-v5": PlanarRunner("swimmer.xml", 4, 0.04, NoisyRest(0.1), ctrl_cost=1e-4, hidden=2),
    "Walker2d-v5": PlanarRunner(
        "walker2d_v5.xml", 4, 0.008, NoisyRest(5e-3), ctrl_cost=1e-3, clips_velocity=True, healthy=_WALKER_HEALTHY
    ),
}


def find(task_id: str) -> Task:
    """The task of this id; UserError if there is none."""
    if task_id not in TASKS:
        raise unknown("env.id", task_id, TASKS)
    return TASKS[task_id]
