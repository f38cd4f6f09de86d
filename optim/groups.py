"""Groups of parameters, each with settings of its own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias

from tensorgrad.checks import brief, one_of
from tensorgrad.optim.arguments import count, number, parameters
from tensorgrad.optim.flat import Flat
from tensorgrad.optim.setting import Setting
from tensorgrad.tensor import Tensor

Params: TypeAlias = Iterable[Tensor] | Iterable[Mapping[str, Any]]


class Group:
    """Some of an optimizer's parameters, with the settings in which they differ from the others.

    Attributes
    ----------
    name : str or None
        What the group is called, if anything.
    params : list of Tensor
        Its parameters.
    factor : float
        Its learning rate over the optimizer's, so that schedules change all groups alike. It may be set anew at any
        time; 0 keeps the parameters as they are.
    settings : dict
        Its other settings, if they differ from the optimizer's.

    """

    def __init__(
        self,
        params: Sequence[Tensor],
        slots: int,
        name: str | None = None,
        factor: float = 1.0,
        settings: Mapping[str, Any] | None = None,
    ) -> None:
        self.params = list(params)
        self.name = name
        self.factor = factor
        self.settings = dict(settings or {})
        dtypes = dict.fromkeys(p.dtype for p in params)
        self.flats = [Flat([p for p in params if p.dtype == dtype], slots) for dtype in dtypes]

    def __repr__(self) -> str:
        own = {"factor": self.factor, **self.settings}
        name = "" if self.name is None else f"{self.name!r}, "
        return f"Group({name}{len(self.params)} parameters, {', '.join(f'{key}={x}' for key, x in own.items())})"

    @property
    def factor(self) -> float:
        """The group's learning rate divided by the optimizer's."""
        return self._factor

    @factor.setter
    def factor(self, value: float) -> None:
        self._factor = number(value, "Group", "factor")

    @property
    def differs(self) -> bool:
        """Whether it is more than all the parameters with the optimizer's settings."""
        return self.name is not None or self.factor != 1 or bool(self.settings)

    def merged(self, common: dict[str, Any]) -> dict[str, Any]:
        """All settings that hold for this group, given the optimizer's."""
        if self.factor == 1 and not self.settings:
            return common
        return {**common, **self.settings, "lr": common["lr"] * self.factor}

    def state(self) -> dict[str, Any]:
        """What :func:`from_state` makes it from."""
        return {"name": self.name, "parameters": len(self.params), "factor": self.factor, "settings": self.settings}


def grouped(
    params: Params, where: str, settings: Mapping[str, Setting[Any]], lr: float, slots: int
) -> tuple[list[Tensor], list[Group]]:
    """All parameters in their order, and the groups that they are in: one, unless `params` are dicts."""
    given: Any = params
    if isinstance(params, Iterable) and not isinstance(params, Tensor | Mapping | str):
        given = list(params)
    if not (isinstance(given, list) and given and all(isinstance(part, Mapping) for part in given)):
        found = parameters(given, where)
        return found, [Group(found, slots)]
    parts = [_part(part, f"{where}: group {i}", settings) for i, part in enumerate(given)]
    found = parameters([p for tensors, _, _ in parts for p in tensors], where)  # each once, in all groups together
    made = []
    for i, (tensors, name, own) in enumerate(parts):
        rate = own.pop("lr", None)
        if rate is not None and not lr:
            raise ValueError(
                f"{where}: group {i} has a learning rate of its own, which is kept as a multiple of the optimizer's, "
                f"but that is 0; pass {where}(..., lr=...) greater than 0"
            )
        made.append(Group(tensors, slots, name, 1.0 if rate is None else rate / lr, own))
    return found, made


def _part(
    part: Mapping[str, Any], where: str, settings: Mapping[str, Setting[Any]]
) -> tuple[list[Tensor], str | None, dict[str, Any]]:
    """The parameters, the name and the checked settings of a group that is given as a dict."""
    if "params" not in part:
        raise ValueError(f"{where} must have 'params', its Tensors; received the keys {sorted(map(str, part))}")
    own = {key: value for key, value in part.items() if key not in ("params", "name")}
    return parameters(part["params"], where), _name(part.get("name"), where), _checked(own, where, settings)


def from_state(
    state: Any, where: str, params: Sequence[Tensor], settings: Mapping[str, Setting[Any]], slots: int
) -> list[Group]:
    """The groups of an optimizer's state, over its parameters; None is a single one."""
    if state is None:
        return [Group(params, slots)]
    if not isinstance(state, list | tuple) or not state or not all(isinstance(item, Mapping) for item in state):
        raise TypeError(f"{where}: groups must be a list of dicts, received {type(state).__name__}")
    made, start = [], 0
    for i, item in enumerate(state):
        label = f"{where}: group {i}"
        size, own = count(item.get("parameters"), label, "parameters", low=1), item.get("settings")
        if not isinstance(own, Mapping):
            raise TypeError(f"{label}: settings must be a dict, received {type(own).__name__}")
        factor = number(item.get("factor"), label, "factor")
        checked = _checked(own, label, settings)
        made.append((params[start : start + size], slots, _name(item.get("name"), label), factor, checked))
        start += size
    if start != len(params):
        raise ValueError(f"{where}: the groups have {start} parameters, the optimizer has {len(params)}")
    return [Group(*group) for group in made]


def _checked(own: Mapping[str, Any], where: str, settings: Mapping[str, Setting[Any]]) -> dict[str, Any]:
    for key in own:
        one_of(key, settings, where, "setting")
    return {key: settings[key].check(value, where, key) for key, value in own.items()}


def _name(name: Any, where: str) -> str | None:
    if not isinstance(name, str | None):
        raise TypeError(f"{where}: name must be a str, received {brief(name)}")
    return name
