# Helpers of study.smk. No rule here.
from anonbench.studies.scenes.plan import Plan as Scenes
from anonbench.studies.scenes.plan import figure as scene_figure
from anonbench.studies.scenes.settings import STUDY as SCENES_STUDY

SCENE_STUDY = Scenes(config)
SCENE_STATISTICS = config["scene_statistics"]


def shown_folders(figure):
    """The image folders of a figure that shows what methods make of people."""
    entry = SCENE_STUDY.figures("methods")[figure]
    return image_folders(entry["dataset"], [column["variant"] for column in entry["columns"]])
