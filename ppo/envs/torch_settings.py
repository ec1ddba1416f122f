"""The settings of torch that foreign code may change, modes that it has entered and not left included."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import torch
from torch.overrides import _pop_mode as pop_function_mode
from torch.utils._python_dispatch import _pop_mode as pop_dispatch_mode

_hooks: Any = torch._C._autograd  # of tensors that are saved for a backward pass
_entered: list[Any] = []  # never left: leaving them would bring back what they ended


class _Setting(NamedTuple):
    """One of them: how to look at it, how to put it back to what was seen, and what is seen at first."""

    look: Callable[[], Any]
    put_back: Callable[[Any], object]
    usual: Any = False


def _leave_inference(old: bool) -> None:
    _entered.append(torch.inference_mode(old))
    _entered[-1].__enter__()


def _pop_hooks(_: Any) -> None:
    while _hooks._top_saved_tensors_default_hooks(True) is not None:
        _hooks._pop_saved_tensors_default_hooks()


def _pop_functions(old: int) -> None:
    torch.set_default_device(None)  # one of these modes itself, which is known by name, too
    while torch._C._len_torch_function_stack() > old:
        pop_function_mode()


def _pop_dispatches(old: int) -> None:
    while torch._C._len_torch_dispatch_stack() > old:
        pop_dispatch_mode()


_SETTINGS = (  # modes first: the setters of the others are subject to them
    _Setting(torch._C._len_torch_dispatch_stack, _pop_dispatches, 0),
    _Setting(torch._C._len_torch_function_stack, _pop_functions, 0),
    _Setting(torch.is_inference_mode_enabled, _leave_inference),
    _Setting(torch.is_grad_enabled, torch.set_grad_enabled, True),
    _Setting(partial(torch.is_autocast_enabled, "cpu"), partial(torch.set_autocast_enabled, "cpu")),
    _Setting(partial(torch.is_autocast_enabled, "cuda"), partial(torch.set_autocast_enabled, "cuda")),
    _Setting(partial(_hooks._top_saved_tensors_default_hooks, True), _pop_hooks, None),
    _Setting(torch.is_anomaly_enabled, torch.autograd.set_detect_anomaly),
    _Setting(torch.get_default_dtype, torch.set_default_dtype, torch.float32),
    _Setting(torch.get_num_threads, torch.set_num_threads, torch.get_num_threads()),
    _Setting(torch.are_deterministic_algorithms_enabled, torch.use_deterministic_algorithms),
    _Setting(torch.get_float32_matmul_precision, torch.set_float32_matmul_precision, "highest"),
    _Setting(torch._C._get_mkldnn_enabled, torch._C._set_mkldnn_enabled, True),
)
USUAL = [setting.usual for setting in _SETTINGS]  # as torch is loaded
_LOOKS = [setting.look for setting in _SETTINGS]


def look() -> list[Any]:
    """What they are now."""
    return [setting() for setting in _LOOKS]


def put_back(old: list[Any]) -> None:
    """Put back what is not as it was."""
    for setting, before in zip(_SETTINGS, old, strict=True):
        if setting.look() != before:
            setting.put_back(before)
