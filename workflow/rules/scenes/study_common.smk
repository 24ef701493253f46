# Helpers of study.smk. No rule here.
from anonbench.ops.costs.rates import find_rate, read_rates
from anonbench.studies.scenes.plan import Plan as Scenes
from anonbench.studies.scenes.plan import figure as scene_figure
from anonbench.studies.scenes.settings import STUDY as SCENES_STUDY

SCENE_STUDY = Scenes(config)
SCENE_STATISTICS = config["scene_statistics"]
SCENE_COSTS = SCENE_STUDY.costed  # dataset, variants


def shown_folders(figure):
    """The image folders of a figure that shows what methods make of people."""
    entry = SCENE_STUDY.figures("methods")[figure]
    return image_folders(entry["dataset"], [column["variant"] for column in entry["columns"]])


def gpu_pictures_per_s(variants):
    """variant -> pictures of COCO's size that one GPU hides people in, where the rates say so of its method."""
    rates, found = [rate for rate in read_rates() if rate.rule == "anonymize"], {}
    for variant in variants:
        method = config["variants"][variant]["method"]
        own = [rate for rate in rates if rate.method == method]
        rate = find_rate(own, "anonymize", method, "gpu_images_per_s", 640 * 480)
        if rate is not None:
            found[variant] = rate.gpu_images_per_s / rate.scale(640 * 480)
    return found
