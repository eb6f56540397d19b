"""The optimiser and its learning rate as a function of the step."""

from __future__ import annotations

import math
from typing import Any

from .config import TrainConfig
from .sections import OptimizerConfig, ScheduleConfig


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
    rise_steps = warmup(config)
    rise = min(1.0, (step + 1) / rise_steps) if rise_steps else 1.0
    return top * rise * _fall(schedule, step, config.steps, rise_steps) + schedule.floor


def _fall(schedule: ScheduleConfig, step: int, steps: int, warmup: int) -> float:
    if schedule.shape == "cosine":
        return 0.5 + 0.5 * math.cos(math.pi * max(0, step - warmup) / max(1, steps - warmup))
    return min(1.0, (steps - step) / max(1.0, schedule.decay * steps))


def warmup(config: TrainConfig) -> int:
    """Steps in which the rate rises: at least `warmup_least`, but never more than half of all."""
    return min(max(config.schedule.warmup_least, int(config.steps * config.schedule.warmup)), config.steps // 2)
