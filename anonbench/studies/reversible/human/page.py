"""The page of one form: a single HTML file that a browser opens from disk, with everything in it.

    text = form_page(kit, 3, pairs, pictures)

A page and a folder of pictures would be nearer at hand, but a phone opens one file from its downloads and sees none
beside it. The page asks nothing of any server: its content security policy forbids it. It holds for every pair an id
that says nothing and two pictures, encoded anew, so that neither a name nor metadata comes along.
"""

from __future__ import annotations

import base64
import hashlib
import json
import math
from collections.abc import Sequence
from pathlib import Path

import jinja2

FOLDER = Path(__file__).with_name("page")
FILES_SHA256 = "ae471f25eca41dae107c526b00725fa938a4b9b7b3f4863ccaafb26147945287"
"""Of the files of the page. It makes an edit of them an edit of the code, which makes the pages again; a test sees to
it."""
SECONDS_A_PAIR = 5


def files_sha256() -> str:
    """What `FILES_SHA256` has to be."""
    digest = hashlib.sha256()
    for file in sorted(FOLDER.iterdir()):
        digest.update(f"{file.name}\n".encode() + file.read_bytes())
    return digest.hexdigest()


def form_page(
    kit: str, form: int, pairs: Sequence[tuple[str, bytes, bytes]], contact: str = "", warning: str = ""
) -> str:
    """The HTML of a form.

    kit: id of the kit, which tells its answers from those of another.
    form: its number, from 1 on.
    pairs: id, left and right picture (PNG) in the order in which they are shown.
    contact: whom participants ask and send their file to; "" for nobody.
    warning: a line in red; "" where the people are drawn.
    """
    shown = [{"id": name, "left": _data_url(left), "right": _data_url(right)} for name, left, right in pairs]
    data = json.dumps({"kit": kit, "form": form, "pairs": shown}).replace("<", "\\u003c")
    style, script = ((FOLDER / f"form.{kind}").read_text(encoding="utf-8") for kind in ("css", "js"))
    policy = (
        f"default-src 'none'; img-src data:; style-src '{_hash(style)}'; script-src '{_hash(script)}'; "
        f"base-uri 'none'; form-action 'none'"
    )
    template = jinja2.Environment(autoescape=True).from_string((FOLDER / "form.html").read_text(encoding="utf-8"))
    return template.render(
        policy=jinja2.filters.do_mark_safe(policy),
        style=jinja2.filters.do_mark_safe(style),
        script=jinja2.filters.do_mark_safe(script),
        data=jinja2.filters.do_mark_safe(data),
        form=form, count=len(pairs), minutes=max(1, math.ceil(len(pairs) * SECONDS_A_PAIR / 60)), contact=contact,
        warning=warning,
    )  # fmt: skip


def _data_url(png: bytes) -> str:
    return f"data:image/png;base64,{base64.b64encode(png).decode()}"


def _hash(text: str) -> str:
    """What the content security policy calls an inline text."""
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"
