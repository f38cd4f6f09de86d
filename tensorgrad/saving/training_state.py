"""A model's training as JSON and arrays: its objective, optimizer, schedule and history."""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite
from typing import Any

from tensorgrad.optim.arguments import number
from tensorgrad.saving import architecture, validation, weights
from tensorgrad.saving.errors import ModelFileError
from tensorgrad.saving.protocols import Trainable
from tensorgrad.saving.registry import kind_of, name_of
from tensorgrad.tensor import Array, Tensor
from tensorgrad.training.history import History
from tensorgrad.training.objective import DEFAULT

SLOTS = "optimizer/"
SHOWN = ("train_loss", "val_loss", "train_acc", "val_acc")
OPTIONAL = ("ignore_index",)
COMPILED = ("loss", "metrics", "label_smoothing", "clip_norm", "clip_value")


def encode_training(model: Trainable, state: Mapping[str, Tensor | Array]) -> tuple[dict[str, Any], dict[str, Array]]:
    """How a compiled model is trained, and the arrays of its optimizer."""
    optimizer = model.optimizer
    names = {id(item): name for name, item in state.items()}
    lost = [i for i, p in enumerate(optimizer.params) if id(p) not in names]
    if lost:
        raise ValueError(
            f"save: parameters {lost} of the optimizer are no longer in the model; compile the model again"
        )
    order = [names[id(p)] for p in optimizer.params]
    kept = optimizer.state_dict()
    slots = kept.pop("slots")
    kept["name"] = name_of(optimizer, "the optimizer")
    schedule = architecture.Encoder().value(model.schedule, "the learning-rate schedule")
    arrays = {f"{SLOTS}{slot}/{name}": values[i] for slot, values in slots.items() for i, name in enumerate(order)}
    objective = model.objective
    if objective.unregistered:
        raise ValueError(
            f"save: the loss or metric {', '.join(map(repr, objective.unregistered))} is a function that no file can "
            "name; register it with tensorgrad.losses.register or tensorgrad.training.metrics.register, or save the "
            "weights alone"
        )
    return {
        "loss": objective.loss,
        "metrics": list(model.metrics),
        **({} if objective.by_default or model.metrics != DEFAULT else {"by_default": False}),
        "label_smoothing": objective.label_smoothing,
        **({} if objective.ignore_index is None else {"ignore_index": objective.ignore_index}),
        "clip_norm": model.clip_norm,
        "clip_value": model.clip_value,
        "schedule": schedule,
        "parameters": order,
        "slots": list(slots),
        "optimizer": kept,
    }, arrays


def restore_training(model: Trainable, training: Any, arrays: Mapping[str, Array]) -> None:
    """Compile a model as it was, and restore its optimizer."""
    found = validation.keys(
        training,
        "training",
        (*COMPILED, "schedule", "parameters", "slots", "optimizer"),
        ("ignore_index", "by_default"),
    )
    kept = dict(validation.mapping(found["optimizer"], "optimizer"))
    kind = kind_of(validation.text(kept.get("name"), "optimizer"), "optimizer", "optimizer")
    kept["name"] = kind.name
    for n in (kept.get("step"), *validation.items(kept.get("updates"), "optimizer, updates")):
        validation.whole(n, "optimizer, steps")
    tensors = {name: item for name, item in weights.named(model).items() if isinstance(item, Tensor)}
    order = [validation.text(name, "parameters") for name in validation.items(found["parameters"], "parameters")]
    missing = [name for name in order if name not in tensors]
    if missing or len(set(order)) < len(order):
        raise ModelFileError(f"optimizer: parameters must be in the model, each once; not in the model: {missing[:10]}")
    slots = [validation.text(slot, "slots") for slot in validation.items(found["slots"], "slots")]
    if len(slots) * len(order) != len(arrays):
        raise ModelFileError(f"optimizer: {len(slots)} slots of {len(order)} parameters, but {len(arrays)} arrays")
    wanted = {f"{SLOTS}{slot}/{name}" for slot in slots for name in order}
    if wanted != arrays.keys():
        different = sorted(wanted ^ arrays.keys())
        raise ModelFileError(
            f"its arrays are not those of its optimizer; the first difference is {different[0][:100]!r}"
        )
    kept["slots"] = {slot: [arrays[f"{SLOTS}{slot}/{name}"] for name in order] for slot in slots}
    optimized = set(order)
    for name, tensor in tensors.items():
        tensor.requires_grad = name in optimized and tensor.dtype.kind == "f"
    try:
        optimizer = kind([tensors[name] for name in order], lr=kept.get("lr"))
        optimizer.load_state_dict(kept)
        _compile(model, optimizer, found)
    except ModelFileError:
        raise
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise ModelFileError(f"training: {error}") from error


def _compile(model: Trainable, optimizer: Any, found: Mapping[str, Any]) -> None:
    metrics = tuple(validation.text(name, "metrics") for name in validation.items(found["metrics"], "metrics"))
    by_default = metrics == DEFAULT and validation.flag(found.get("by_default", True), "by_default")
    model.compile_model(
        opt=optimizer,
        loss=validation.text(found["loss"], "loss"),
        metrics=None if by_default else metrics,
        label_smoothing=validation.number(found["label_smoothing"], "label_smoothing"),
        ignore_index=found.get("ignore_index"),
        clip_norm=_limit(found["clip_norm"], "clip_norm"),
        clip_value=_limit(found["clip_value"], "clip_value"),
    )
    if found["schedule"] is not None:
        model.schedule = architecture.Decoder().schedule(found["schedule"], "schedule")
        number(model.schedule(optimizer.steps), "schedule", "the learning rate")


def _limit(value: Any, where: str) -> float | None:
    return None if value is None else validation.number(value, where)


def encode_history(history: History) -> dict[str, Any]:
    """The epochs and their figures."""
    for name, figures in history.history.items():
        if len(figures) != len(history.epoch):
            raise ValueError(
                f"save: the history has {len(history)} epochs but {len(figures)} figures of {name!r}; give every epoch "
                "one"
            )
    return {
        "epoch": list(history.epoch),
        "figures": {name: [_encoded(figure) for figure in figures] for name, figures in history.history.items()},
    }


def encode_shown(model: Trainable) -> dict[str, Any]:
    """The figures by epoch that the tutorial keeps."""
    return {name: [[epoch, _encoded(x)] for epoch, x in getattr(model, name).items()] for name in SHOWN}


def restore_history(model: Trainable, history: Any, shown: Any) -> None:
    """Give a model its history back."""
    found = validation.keys(history, "history", ("epoch", "figures"))
    epochs = [validation.whole(n, "history, epoch") for n in validation.items(found["epoch"], "history, epoch")]
    if epochs != sorted(set(epochs)):
        validation.wrong("history, epoch", "increasing numbers", epochs)
    model.history = History()
    model.history.epoch = epochs
    for name, figures in validation.mapping(found["figures"], "history").items():
        label = f"history, {validation.text(name, 'history')}"
        model.history.history[name] = [_decoded(x, label) for x in validation.items(figures, label)]
        if len(model.history.history[name]) != len(epochs):
            validation.wrong(label, f"{len(epochs)} figures, one per epoch", figures)
    for name, pairs in validation.keys(shown, "shown", SHOWN).items():
        for pair in validation.items(pairs, name):
            if len(validation.items(pair, name)) != 2:
                validation.wrong(name, "an epoch and a figure", pair)
            getattr(model, name)[validation.whole(pair[0], name)] = _decoded(pair[1], name)


def _encoded(figure: float) -> float | str:
    """A figure; JSON has no NaN and no infinity, so they become strings."""
    return float(figure) if isfinite(figure) else str(float(figure))


def _decoded(value: Any, where: str) -> float:
    return float(value) if value in ("nan", "inf", "-inf") else validation.number(value, where)
