"""Draw faces before and after an attacker has restored them (Study 4)."""

from __future__ import annotations

from anonbench.attacks._outcome import read_trials
from anonbench.core.command import Count, Input, Output, command
from anonbench.core.errors import DataError
from anonbench.report.style import write_figure
from anonbench.studies.privacy.figures_restored import choose, draw_restored, read_faces


@command("study")
def figure_restored(
    trials: Input,
    manifests: list[Input],
    roots: list[Input],
    faces: Count,
    attack: str,
    label: str,
    output: Output,
    png: Output,
    title: str = "What comes back of hidden faces",
    seed: int = 0,
    warning: str = "",
    threads: int = 1,
) -> None:
    """Draw the same faces original, hidden and restored: those that an attack recognizes beside those that it does not.

    Below hidden and restored faces is their PSNR against the original. Faces are drawn at random, of different people
    as far as there are any; those of the attack's control are left out.

    trials: a row a probe (CSV of `attack`).
    manifests: of the original, the hidden and the restored faces (CSV of `cut_faces` or `anonymize_whole`).
    roots: their image folders, in the same order.
    faces: to show of each kind at most.
    attack: its name.
    label: which data is shown, in words.
    title: of the figure.
    seed: that draws the faces, >= 0.
    warning: a line in red on the figure; "" where the people are drawn.
    output: the figure (SVG).
    png: the same (PNG).
    """
    try:
        halves = choose(read_trials(trials), faces, seed)
    except DataError as error:
        raise DataError(f"{trials}: {error}") from error
    pictures = read_faces([trial.path for trial in halves.shown], manifests, roots)
    write_figure(draw_restored(halves, pictures, attack, label, title, seed, warning), output, png)
