"""A small configuration of Study 2: three methods of desensitizing, one of them learned, recovered and attacked."""

from __future__ import annotations

import copy
from typing import Any

import yaml

TEXT = """
seeds: [0, 1]
build: [table1, table3, table4, table5]
datasets:
  toy: {format: market1501, root: data/rendered/toy, published_as: market1501, render: {}}
  other: {format: market1501, root: data/raw/other}
face_images: {}
recipes: {short: {epochs: 20}}
models:
  agw:
    {method: agw, depth: 18, input: [64, 32], pretrained: false, recipe: short, seeds: [0, 1],
     evaluation: {metric: cosine}}
  bot: {method: bot, depth: 50, input: [256, 128], pretrained: true, recipe: short}
variants:
  faces: {method: gaussian_blur, sigma_rel: 0.1, detector: haar, box_scale: 1.0, jpeg_quality: 90}
  blurred: {method: gaussian_blur, sigma_rel: 0.1, detector: null, resize: [64, 32], encoding: png}
  pixelated: {method: mosaic, cell_px: 6, pixel: corner, detector: null, resize: [64, 32], encoding: png}
  protected: {method: pix2pix, training: joint, detector: null, encoding: png}
  upgraded: {method: pix2pix, training: upgraded_blurred, detector: null, encoding: png}
  upgraded_q75: {method: pix2pix, training: upgraded_blurred, detector: null, encoding: jpeg}
  recovered: {method: pix2pix, training: upgraded_blurred, of: upgraded, detector: null, encoding: png}
  recovered_q75: {method: pix2pix, training: upgraded_blurred, of: upgraded_q75, detector: null, encoding: png}
  restored: {method: pix2pix, training: restore, of: blurred, detector: null, encoding: png}
  other_key: {method: pix2pix, training: second, of: upgraded, detector: null, encoding: png}
reversible_recipes:
  small: {epochs: 60, generator: {levels: 5, width: 16}}
  paper: {}
reversible_trainings:
  base: {method: base, desensitized: blurred, model: agw, recipe: small}
  joint: {method: joint, desensitized: blurred, model: agw, recipe: small, upgrade: false, base: base}
  upgraded_blurred: {method: joint, desensitized: blurred, model: agw, recipe: small, upgrade: true, base: base}
  second: {method: joint, desensitized: blurred, model: agw, recipe: small, upgrade: true, base: base, seed_offset: 100}
  elsewhere: {method: joint, desensitized: blurred, model: agw, recipe: small, upgrade: false, dataset: other}
  restore: {method: restoration, of: blurred, recipe: small}
reversible_figures:
  real_people: false
  grids:
    methods:
      dataset: toy
      model: agw
      people: 3
      title: Raw and protected
      columns: [{variant: original, title: raw}, {variant: upgraded, title: protected, group: blurring}]
    attacked:
      dataset: toy
      model: agw
      people: 3
      title: By another key
      columns: [{variant: original, title: raw}, {variant: other_key, title: other key}]
  maps:
    features:
      dataset: toy
      model: agw
      people: 4
      images: 8
      panels:
        - {title: raw alone, training: original, variant: blurred, protected: blurred pictures}
        - {title: joint, training: upgraded_blurred, variant: upgraded}
reversible_human_eval:
  dataset: toy
  model: agw
  groups: [{name: both, left: original, right: original}]
tables:
  table1:
    {study: reversible, rows: unprotected, dataset: toy, model: agw, desensitized: [blurred, pixelated],
     protected: [upgraded, upgraded_q75], published: table1}
  table3:
    {study: reversible, rows: quality, dataset: toy, model: agw, variants: [blurred, recovered, recovered_q75],
     published: table3}
  table4:
    {study: reversible, rows: recovered, dataset: toy, model: agw,
     trainings: [{training: upgraded_blurred, variant: recovered}], variants: [restored], published: table4}
  table5:
    {study: reversible, rows: crossed, dataset: toy, model: agw, upper: true, published: table5, trainings: [
       {training: base, variant: blurred}, {training: joint, variant: protected},
       {training: upgraded_blurred, variant: upgraded}]}
"""


def reversible_config(*changes: tuple[str, Any]) -> dict[str, Any]:
    """The configuration, with changes: (dotted name, value). A value of None deletes the key."""
    config: dict[str, Any] = copy.deepcopy(yaml.safe_load(TEXT))
    for name, value in changes:
        *way, last = name.split(".")
        place = config
        for key in way:
            place = place[key]
        if value is None:
            del place[last]
        else:
            place[last] = value
    return config
