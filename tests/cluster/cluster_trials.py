"""The networks of the cluster tests: what each does to the job that trains it."""

from __future__ import annotations

OVERLAY = """\
plugins: [trial_network]
recipes:
  trial: {epochs: 1, batch_size: 64, precision: fp32, optimizer: {method: adam, lr: 1.0e-3},
          schedule: {method: one_cycle}, loss: {label_smoothing: 0.1}, augmentation: {flip: 0.5}}
  trial_long: {epochs: 30, batch_size: 64, precision: fp32, optimizer: {method: adam, lr: 1.0e-3},
          schedule: {method: one_cycle}, loss: {label_smoothing: 0.1}, augmentation: {flip: 0.5}}
models:
"""
ENTRY = """\
  %s: {method: trial_network, name: %s, %s, input: [96, 48], pretrained: false, recipe: %s,
       evaluation: {metric: euclidean, rerank: null}}
"""
TRIALS = {
    "patient": ("step_s: 4.0", "trial_long"),  # 2 minutes, longer than its first time limit
    "hungry": ("step_s: 6.0, hold_mb: 1200", "trial"),
    "broken": ("fails: true", "trial"),
    "gpu_a": ("step_s: 12.0", "trial"),
    "gpu_b": ("step_s: 12.0", "trial"),
    "gpu_c": ("step_s: 1.0", "trial"),
    "plain": ("step_s: 0.0", "trial"),
}
RESULT = "results/models/market1501-rendered/{}/original/seed0/model.pt"
METRICS = "results/metrics/market1501-rendered/{}/original/seed0/original-vs-original.json"


def overlay() -> str:
    """A config file with all of them."""
    return OVERLAY + "".join(ENTRY % (name, name, *entry) for name, entry in TRIALS.items())
