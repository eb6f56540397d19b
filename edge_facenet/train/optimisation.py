"""The optimiser and its learning rate as a function of the step."""

from __future__ import annotations

import math
from typing import Any

from .config import OptimizerConfig, ScheduleConfig, TrainConfig


def build(config: OptimizerConfig) -> Any:
    """A Keras optimiser; the trainer assigns its learning rate before every step.

    Weight decay is decoupled: each step takes `learning_rate * weight_decay` times the weight away.
    """
    import keras

    clip = config.clip_norm or None
    if config.name == "muon":
        from .optimizers import MuonAdamW

        return MuonAdamW(config.learning_rate, config.weight_decay, clip=clip or math.inf)
    common = {"learning_rate": config.learning_rate, "weight_decay": config.weight_decay, "global_clipnorm": clip}
    if config.name == "sgd":
        optimizer = keras.optimizers.SGD(momentum=config.momentum, nesterov=config.momentum > 0, **common)
    else:
        optimizer = keras.optimizers.AdamW(beta_2=config.beta_2, epsilon=config.epsilon, **common)
    optimizer.exclude_from_weight_decay(var_names=["gamma", "beta"])
    return optimizer


def rate(config: TrainConfig, step: int) -> float:
    """Learning rate of step `step` (from 0): a linear rise, then the schedule's shape down to its floor."""
    schedule, top = config.schedule, config.optimizer.learning_rate
    warmup = _warmup(schedule, config.steps)
    rise = min(1.0, (step + 1) / warmup) if warmup else 1.0
    return top * rise * _fall(schedule, step, config.steps, warmup) + schedule.floor


def _fall(schedule: ScheduleConfig, step: int, steps: int, warmup: int) -> float:
    if schedule.shape == "cosine":
        return 0.5 + 0.5 * math.cos(math.pi * max(0, step - warmup) / max(1, steps - warmup))
    return min(1.0, (steps - step) / max(1.0, schedule.decay * steps))


def _warmup(schedule: ScheduleConfig, steps: int) -> int:
    """At least `warmup_least` steps, but never more than half of them."""
    return min(max(schedule.warmup_least, int(steps * schedule.warmup)), steps // 2)
