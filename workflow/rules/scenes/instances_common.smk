# Helpers of instances.smk: what belongs to which network of instances. No rule here.
INSTANCE_NETWORK = ("{dataset}", "{instance_model}", "{scene_variant}", "{run}")


wildcard_constraints:
    instance_model=any_of(config["instance_models"]) or "none",
    scene_variant=any_of(["original", *config["variants"]]),
    tested_variant=any_of(["original", *config["variants"]]),


def instance_model_spec(wildcards):
    """The config entry of a network of instances, with its recipe written out."""
    return as_json(resolve_model(config, wildcards.instance_model, "instance_"))


def initial_network(wildcards):
    """The network that a training starts from, where the model names one: it was trained on original pictures."""
    initial = config["instance_models"][wildcards.instance_model].get("initial")
    return paths.checkpoint(initial["dataset"], initial["model"], "original", wildcards.run) if initial else []


def instance_protocol(wildcards):
    """Cityscapes has a measure of its own; the other datasets are scored as COCO is."""
    own = DATASET_ENTRIES[wildcards.dataset]["format"] == "cityscapes"
    return as_json({"protocol": "cityscapes" if own else "coco"})


def instance_method(wildcards):
    return config["instance_models"][wildcards.instance_model]["method"]
