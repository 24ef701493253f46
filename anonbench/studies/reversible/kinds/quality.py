"""`rows: quality`: how much the pictures of variants look like the originals (Table 3; JPEG and keys, which are ours).

    reversible_table3:
      study: reversible
      rows: quality
      dataset: market1501-rendered
      model: agw      # whose runs the copies of learned variants belong to
      variants: [blurred, blurred_upgraded, blurred_recovered, blurred_restored]
      published: table3
    reversible_jpeg: {…, variants: [upgraded_q100, recovered_q100, upgraded_q75, recovered_q75], published: null}
    reversible_keys: {…, variants: [blurred_recovered, other_key, outsider, leaked_pairs], published: null}
    privacy_restored: {…, dataset: market1501-faces, model: face_net, variants: [blur, blur_restored], published: null}

Test images (query and gallery) against the originals at the copy's size. A variant is compared with the printed numbers
if it is what the paper recovers: made of a losslessly stored protected copy by the key of the same training, which
upgrades its supervision.

Source: Zhang et al. 2022, Table 3.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from anonbench.core.errors import ConfigError, DataError
from anonbench.core.structure import check_known
from anonbench.data import paths
from anonbench.data.entries import cut_from, runs_of, stored, training_of
from anonbench.data.results import read_metrics
from anonbench.report.cells import RUN, Runs
from anonbench.report.compare import compare_number, comparison
from anonbench.report.layout import STANDARD_ERROR
from anonbench.report.tables import Table
from anonbench.studies.kinds import Entry, Files, Source
from anonbench.studies.reversible import headings, trainings, trial
from anonbench.studies.reversible.kinds import KINDS
from anonbench.studies.reversible.kinds._rows import budget_notes, check_evaluated, of_data, printed_row
from anonbench.studies.reversible.settings import QUALITY
from anonbench.studies.tables import NAME, NAMES, PUBLISHED, check_keys, published_inputs, read_published

DIGITS = {"psnr": 2, "psnr_pooled": 2, "ssim": 3}
PRINTED = {"psnr_pooled": "psnr", "ssim": "ssim"}
"""What is compared with which printed number."""
ABOUT = "PSNR in dB and SSIM of n test images a run, against the originals at the same size. {runs}. Data: {label}."
POOLED = (
    "PSNR is given twice. The published one is compared with the pooled one: the paper does not say how it averages, "
    "its authors' code averages squared errors over batches of images before it takes the logarithm. The mean over "
    "images is never lower, identical pictures aside."
)
POOLED_ALONE = "PSNR is given twice: the mean over images, and the PSNR of the mean squared error of all images."
IDENTICAL = "**Pictures that equal their original** have an infinite PSNR; the mean leaves them out: {counts}."


@KINDS.register("quality")
class Quality:
    key, whole = ("variant",), "compares pictures with the originals"

    def check(self, config: Mapping[str, Any], entry: Entry, where: str) -> None:
        check_keys(entry, where, {"dataset": NAME, "model": NAME, "variants": NAMES, "published": PUBLISHED}, {})
        check_evaluated(config, entry, where)
        check_known(f"{where}.variants", entry["variants"], config["variants"])
        plain = [variant for variant in entry["variants"] if training_of(config, variant) is None]
        if plain and config["datasets"][entry["dataset"]].get("splits"):
            raise ConfigError(
                f"{where}: datasets.{entry['dataset']} has splits, and '{plain[0]}' has one copy for all of them, so "
                f"that nobody can say of which test images its PSNR would be; take it out, or use a dataset without "
                f"`splits`"
            )

    def datasets(self, config: Mapping[str, Any], entry: Entry) -> list[str]:
        return [entry["dataset"]]

    def inputs(self, config: Mapping[str, Any], entry: Entry) -> dict[str, list[str]]:
        found: dict[str, None] = {}
        for variant in entry["variants"]:
            for run in runs_of(config, entry["dataset"], entry["model"]):
                found[paths.quality(entry["dataset"], stored(config, variant, run))] = None
        return {"quality": list(found), **published_inputs(entry, "published")}

    def spec(self, config: Mapping[str, Any], entry: Entry) -> dict[str, Any]:
        made_by = dict.fromkeys(t for v in entry["variants"] if (t := training_of(config, v)))
        # The paper has no faces: nothing of theirs falls short of it.
        of_faces = cut_from(config, entry["dataset"]) is not None
        given = {} if of_faces else {"budget": trial.budget(config, entry["model"], made_by, raw=False)}
        return {
            **entry,
            "described": trainings.describe(config, entry["dataset"], entry["variants"]),
            **given,
        }

    def build(self, name: str, files: Files, spec: Entry, label: str) -> Table:
        results = [read_quality(path) for path in files.get("quality", ())]
        published = read_published(files, columns=("data", "method", "images", *PRINTED.values()))
        frame = quality_table(results, spec)
        pooled = POOLED_ALONE if published is None else POOLED
        notes = [ABOUT.format(runs=_in_words(results), label=label), pooled, *identical_notes(results, spec)]
        return Table(
            frame,
            f"{name}: how much {len(spec['variants'])} variants look like the originals",
            [*notes, *budget_notes(spec)],
            self.key,
            shown=shown_quality(frame),
            compared=compare_quality(frame, published, spec),
            runs=quality_runs(results, spec),
        )

    def cells(self, config: Mapping[str, Any], entry: Entry) -> dict[str, dict[str, Source]]:
        return {}


def read_quality(path: Path) -> dict[str, Any]:
    """The contents of a file of `picture-quality`."""
    return read_metrics(path, ("dataset", "variant", "n", "identical", *QUALITY))


def quality_table(results: Sequence[Mapping[str, Any]], spec: Entry) -> pd.DataFrame:
    """A line a variant: data, method, variant, n (pictures of a run), means over the runs, number of runs, errors.

    Raises `DataError` for a variant without measurements.
    """
    lines = []
    for variant in spec["variants"]:
        found = _of_variant(results, spec["dataset"], variant)
        line = {"data": spec["dataset"], "method": spec["described"]["methods"].get(variant, ""), "variant": variant}
        several = {metric: Runs(tuple(_number(result[metric]) for result in found)) for metric in QUALITY}
        line |= {"n": min(result["n"] for result in found)}
        line |= {metric: round(runs.mean, DIGITS[metric] + 1) for metric, runs in several.items()}
        line |= {"runs": len(found)}
        line |= {f"{metric}{STANDARD_ERROR}": _error(runs, metric) for metric, runs in several.items()}
        lines.append(line)
    return pd.DataFrame(lines)


def quality_runs(results: Sequence[Mapping[str, Any]], spec: Entry) -> pd.DataFrame:
    """A line a run: data, variant, split, seed, pictures, identical ones, the measures. Plain variants have no seed."""
    lines = [
        {
            "data": spec["dataset"],
            "variant": variant,
            **{key: result.get(key) for key in (*RUN, "n", "identical", *QUALITY)},
        }
        for variant in spec["variants"]
        for result in _of_variant(results, spec["dataset"], variant)
    ]
    return pd.DataFrame(lines).astype(dict.fromkeys(RUN, "Int64"))


def shown_quality(frame: pd.DataFrame) -> pd.DataFrame:
    """The table for readers: numbers as text, since SSIM needs more digits than other tables' numbers."""
    shown = frame[["method", "variant", "n"]].copy()
    for metric, digits in DIGITS.items():
        errors = frame[f"{metric}{STANDARD_ERROR}"]
        shown[headings.QUALITY[metric]] = [
            f"{value:.{digits}f}" + ("" if pd.isna(error) else f" ± {error:.{digits}f}")
            for value, error in zip(frame[metric], errors, strict=True)
        ]
    return shown


def compare_quality(frame: pd.DataFrame, published: pd.DataFrame | None, spec: Entry) -> pd.DataFrame:
    """Compare Table 3, number by number. There are no effects in it."""
    described = spec["described"]
    printed = of_data(published, described["data"])
    lines = []
    for row in frame.to_dict("records"):
        made_by = described["made_by"].get(row["variant"])
        ours = row["variant"] in described["recovered"] and described["roles"].get(made_by) == "with_u"
        known = printed_row(printed, {"method": row["method"], "images": "recovered"} if ours else None)
        for measure, column in PRINTED.items():
            pair = (None if known is None else float(known[column]), row[measure])
            lines.append(compare_number(row["data"], row["variant"], measure, pair))
    return comparison(lines)


def identical_notes(results: Sequence[Mapping[str, Any]], spec: Entry) -> list[str]:
    """Which variants have pictures that equal their original, a copy at a time; none where no picture does."""
    counts = [
        f"{variant} {result['identical']} of {result['n']}"
        for variant in spec["variants"]
        for result in _of_variant(results, spec["dataset"], variant)
        if result["identical"]
    ]
    return [IDENTICAL.format(counts=", ".join(counts))] if counts else []


def _of_variant(results: Sequence[Mapping[str, Any]], dataset: str, variant: str) -> list[Mapping[str, Any]]:
    found = [result for result in results if (result["dataset"], result["variant"]) == (dataset, variant)]
    if not found:
        raise DataError(
            f"no picture quality of {dataset}, {variant}; the table needs {paths.quality(dataset, variant)} or those "
            f"of its runs among its inputs."
        )
    return sorted(found, key=lambda result: [result.get(key) or 0 for key in RUN])


def _number(value: float | None) -> float:
    """A measure; JSON has no infinity, so null stands for the PSNR where no picture differs from its original."""
    return math.inf if value is None else float(value)


def _error(runs: Runs, metric: str) -> float | None:
    finite = len(runs.values) > 1 and all(map(math.isfinite, runs.values))
    return round(runs.standard_error, DIGITS[metric] + 1) if finite else None


def _in_words(results: Sequence[Mapping[str, Any]]) -> str:
    """Which runs there are of learned variants: `Means over seeds 0, 1`."""
    texts = []
    for name in ("seed", "split"):
        found = sorted({result[name] for result in results if result.get(name) is not None})
        if found:
            texts.append(f"{name}{'s' if len(found) > 1 else ''} {', '.join(map(str, found))}")
    return f"Means over {' and '.join(texts)}" if texts else "One copy each"
