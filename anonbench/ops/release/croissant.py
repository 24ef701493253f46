"""A release described for machines: Croissant 1.1 with its vocabulary for responsible AI (RAI 1.0), as JSON-LD.

Only what is known is said. What an owner alone knows (how pictures were collected, what they may be used for) is left
out; the terms are a file beside it. Source: https://docs.mlcommons.org/croissant/docs/croissant-spec-1.1.html
"""

from __future__ import annotations

import datetime
import json
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

from anonbench.data.pictures import MANIFEST_COLUMNS, Picture
from anonbench.ops.release.card import REMAINS, Facts, attacks_in_words, describe, missed_in_words, parameters
from anonbench.ops.release.known import Known
from anonbench.ops.release.layout import CARD, IMAGES, MANIFEST, TERMS

VERSIONS = ["http://mlcommons.org/croissant/1.1", "http://mlcommons.org/croissant/RAI/1.0"]
MEDIA = {".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".png": "image/png", ".bmp": "image/bmp"}
# The context that the specification prescribes, key by key.
OF_CROISSANT = (
    "arrayShape", "citeAs", "column", "containedIn", "equivalentProperty", "extract", "field", "fileProperty",
    "fileObject", "fileSet", "format", "includes", "isArray", "isLiveDataset", "jsonPath", "key", "md5", "parentField",
    "path", "recordSet", "references", "regex", "repeated", "replace", "samplingRate", "separator", "source",
    "subField", "transform",
)  # fmt: skip
CONTEXT: Mapping[str, Any] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "description": {"@container": "@language"},
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "name": {"@container": "@language"},
    "sc": "https://schema.org/",
    **{key: f"cr:{key}" for key in OF_CROISSANT},
}


def croissant(
    known: Known, facts: Facts, manifest_sha256: str, version: str, owner: str | None, url: str | None
) -> str:
    """The JSON-LD of a release.

    manifest_sha256: of its manifest.
    version: of the release, such as 1.0.0.
    owner, url: as the owner gave them; None leaves them out.
    """
    people = "drawn people" if known.rendered else "people"
    name = f"{known.dataset}-{known.stored}"
    found = {
        "@context": CONTEXT,
        "@type": "sc:Dataset",
        "name": name,
        "description": f"{len(facts.pictures):,} pictures of {people}. {describe(known)} What was missed and what "
        f"remains: {CARD}.",
        "conformsTo": VERSIONS,
        "license": facts.licence,
        "usageInfo": TERMS,
        "datePublished": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "version": version,
        **({"creator": {"@type": "sc:Organization", "name": owner}} if owner else {}),
        **({"url": url} if url else {}),
        "distribution": [_manifest(manifest_sha256), _images(facts.pictures)],
        "recordSet": [_records(facts.pictures)],
        **_responsible(known, facts),
    }
    return json.dumps(found, indent=1, ensure_ascii=False) + "\n"


def _manifest(digest: str) -> dict[str, Any]:
    return {
        "@type": "cr:FileObject", "@id": MANIFEST, "name": MANIFEST, "contentUrl": MANIFEST,
        "encodingFormat": "text/csv", "sha256": digest,
    }  # fmt: skip


def _images(pictures: Sequence[Picture]) -> dict[str, Any]:
    """The files of pictures. Patterns are of their suffixes as they are written, since they tell upper from lower."""
    suffixes = sorted({PurePosixPath(picture.path).suffix for picture in pictures})
    depths = sorted({len(PurePosixPath(picture.path).parts) for picture in pictures})
    folders = [IMAGES + "/*" * (depth - 1) for depth in depths]
    return {
        "@type": "cr:FileSet", "@id": IMAGES, "name": IMAGES,
        "description": f"Each picture's SHA-256 is in {MANIFEST}.",
        "encodingFormat": sorted({MEDIA.get(suffix.lower(), "image/*") for suffix in suffixes}),
        "includes": [f"{folder}/*{suffix}" for folder in folders for suffix in suffixes],
    }  # fmt: skip


def _records(pictures: Sequence[Picture]) -> dict[str, Any]:
    kinds = {"width": "sc:Integer", "height": "sc:Integer", **dict.fromkeys(pictures[0].labels, "sc:Integer")}
    columns = (*MANIFEST_COLUMNS, *pictures[0].labels)
    return {
        "@type": "cr:RecordSet", "@id": "pictures", "name": "pictures", "key": {"@id": "pictures/path"},
        "field": [
            {
                "@type": "cr:Field", "@id": f"pictures/{column}", "name": column,
                "dataType": kinds.get(column, "sc:Text"),
                "source": {"fileObject": {"@id": MANIFEST}, "extract": {"column": column}},
            }
            for column in columns
        ],
    }  # fmt: skip


def _responsible(known: Known, facts: Facts) -> dict[str, Any]:
    settings = json.dumps(parameters(known.entry), ensure_ascii=False)
    found = {
        "rai:dataPreprocessingProtocol": [
            f"{describe(known)} Settings: {settings}",
            "Metadata, previews and further pictures were taken out of every file.",
        ],
        "rai:dataManipulationProtocol": f"What was hidden was replaced; {CARD} says how.",
        "rai:dataLimitations": [line.replace("**", "") for line in missed_in_words(known, facts.without_audit)],
        "rai:personalSensitiveInformation": [
            "Nobody real is shown: the people are drawn." if known.rendered else "The pictures show real people.",
            REMAINS,
            *attacks_in_words(known),
        ],
    }
    if known.detections is not None:
        found["rai:machineAnnotationTools"] = [f"{known.detector_name} ({known.detector.get('method')})"]
    return found
