"""Cost against risk: a point a way of hiding, doses of one method joined by a line, the Pareto front marked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd
from matplotlib.figure import Figure

from anonbench.data.variants import ORIGINAL
from anonbench.report.style import FAINT, INK, MARGIN, OKABE_ITO, SMALL_SIZE, Series, house_style, open_page

WIDTH, HEIGHT = 6.2, 3.6  # inches of a page and of its axes
LOOKS = (("blue", "o", "-"), ("vermillion", "s", "--"), ("bluish green", "^", ":"), ("reddish purple", "D", "-."))
COLUMNS = ("variant", "cost", "cost_low", "cost_high", "risk", "risk_low", "risk_high", "attack", "void", "pareto")
OTHERS = "others"


@house_style()
def draw_tradeoff(table: pd.DataFrame, curves: Mapping[str, Sequence[str]], label: str) -> Figure:
    """Risk over cost. Bars are intervals; filled marks are on the Pareto front.

    table: of the kind `tradeoff`, in percent.
    curves: name -> doses of one method, joined in this order.
    label: which data, in words.
    """
    void = table[table["void"]]["variant"].tolist()
    notes = (
        "Down and left is better. Filled: on the Pareto front. Bars: intervals at 95 %. "
        + (f"Without a risk, since every attack on them is void: {', '.join(void)}. " if void else "")
        + f"\nData: {label}."
    )
    page, top = open_page("What does hiding cost, and which risk is left?", notes, WIDTH, 0.35 + HEIGHT + 0.75)
    styles = [Series(name, OKABE_ITO[c], m, s) for name, (c, m, s) in zip(curves, LOOKS, strict=False)]
    rest = Series(OTHERS, INK, "D", "")
    page.key([*styles, rest], MARGIN, top)
    axes = page.axes(MARGIN + 0.55, top + 0.35, WIDTH - 2 * MARGIN - 0.7, HEIGHT)
    shown = table[~table["void"]].set_index("variant")
    drawn = {dose for doses in curves.values() for dose in doses}
    groups = [(style, [d for d in curves[style.label] if d in shown.index]) for style in styles]
    groups.append((rest, [name for name in shown.index if name not in drawn]))
    for style, names in groups:
        rows = shown.loc[names]
        axes.plot(rows["cost"], rows["risk"], color=style.colour, ls=style.line or "none", lw=0.9, gid=style.label)
        for name, row in rows.iterrows():
            axes.errorbar(
                row["cost"], row["risk"],
                xerr=[[max(row["cost"] - row["cost_low"], 0)], [max(row["cost_high"] - row["cost"], 0)]],
                yerr=[[max(row["risk"] - row["risk_low"], 0)], [max(row["risk_high"] - row["risk"], 0)]],
                color=style.colour, marker=style.marker, ms=5, mfc=style.colour if row["pareto"] else "white",
                elinewidth=0.5, gid=str(name),
            )  # fmt: skip
            bold = "bold" if name == ORIGINAL else "normal"
            axes.annotate(
                str(name), (row["cost"], row["risk"]), (4, 4), textcoords="offset points", fontsize=SMALL_SIZE,
                color=style.colour, fontweight=bold,
            )  # fmt: skip
    axes.grid()
    axes.set_ylim(bottom=min(0.0, float(axes.get_ylim()[0])))
    axes.set_xlabel("cost: points of mAP lost", color=FAINT)
    axes.set_ylabel("risk that is left (%)", color=FAINT)
    return page.figure
