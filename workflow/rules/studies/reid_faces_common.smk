# Helpers of reid_faces.smk. No rule here.
from anonbench.studies.reid_faces.plan import Plan as ReidFaces
from anonbench.studies.reid_faces.settings import DESIGN, STUDY

REID_FACES = ReidFaces(config)
STATISTICS, FIGURES = config["statistics"], config["figures"]


def image_folders(dataset, variants):
    """The image folders of variants; a real dataset that a dry run does without has none of its originals."""
    return [folder for folder in (image_folder(dataset, variant) for variant in variants) if folder]


def sampled_roots(*variants):
    """Those of the originals and of some variants of the dataset whose people are shown."""
    return image_folders(REID_FACES.sampled["dataset"], ("original", *variants))


def reid_faces_reports():
    """What is built by default beside the tables; nothing where no table of the study is."""
    if not REID_FACES.setting_tables:
        return []
    return [paths.statistics("ttest"), *REID_FACES.pages, *REID_FACES.figures]
