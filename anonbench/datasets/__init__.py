"""Dataset adapters: one module a native layout, each a function from folder to records.

`DATASETS.get("market1501")(root, **options)` returns a `_listing.DatasetListing`; the function's attribute `info` is a
`_listing.DatasetInfo`. An adapter reads names and protocol files, decodes no image and writes nothing.
"""

from __future__ import annotations

from anonbench.core.registry import Registry

DATASETS = Registry("dataset format", __name__)
