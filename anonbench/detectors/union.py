"""Everything that several detectors found: what one of them misses, another may hide."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from anonbench.core.errors import ConfigError
from anonbench.data.regions import Region
from anonbench.detectors import DETECTORS, Detect


@DETECTORS.register("union")
@dataclass(frozen=True)
class Union:
    """The regions of several detectors of the configuration together: `{method: union, of: [centerface, by_hand]}`.

    of: names of entries of `detectors`, at least one. An entry may be a union too.

    It looks at no picture. Its members are detected as they are without it, once, and the rule `unite` joins their
    files (`join`).
    """

    of: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        names = self.of if isinstance(self.of, tuple) else ()
        if not names or not all(isinstance(name, str) and name for name in names) or len(set(names)) < len(names):
            raise ValueError(f"of must be a list of names of detectors, each once and at least one, got {self.of!r}")

    def open(self, root: Path) -> Detect:
        """Raises `ConfigError`: there is nothing to open."""
        raise ConfigError(
            "detector 'union' looks at no picture: it joins what its members have found. In the workflow its name is "
            "used like any detector's; by hand: anonbench unite --help"
        )


def join(members: Mapping[str, Sequence[Region]]) -> list[Region]:
    """The regions of one picture by all members, best first; the order of the members does not matter.

    members: name -> its regions, best first.

    Every region stays, those that overlap too. Where two cover a pixel, `anonymize` shows the larger one's coarser
    patch, so what each member would hide is hidden. (One box in the place of two that nearly agree would hide no more,
    and must be as large as both.) Regions that are alike in all but score and source count once, with the best score.
    As often as a single member has such a region, it stays.
    """
    found = [(name, region) for name in sorted(members) for region in members[name]]
    joined: list[Region] = []
    own: Counter[tuple[str, object]] = Counter()
    kept: Counter[object] = Counter()
    for name, region in sorted(found, key=lambda pair: -pair[1].score):
        hides = (region.box, region.kind, region.mask, region.keypoints)
        own[name, hides] += 1
        if own[name, hides] > kept[hides]:
            kept[hides] += 1
            joined.append(region)
    return joined
