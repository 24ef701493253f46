# Helpers of reversible.smk. No rule here.
from anonbench.ops.catalog import plugin_module
from anonbench.studies.reversible.plan import Plan as Reversible
from anonbench.studies.reversible.plan import figure as reversible_figure
from anonbench.studies.reversible.trainings import base_of

REVERSIBLE = Reversible(config)
BESIDE = ("{dataset}", "{model}", "{training}", "{run}")
ALONE = ("{dataset}", "restoration", "{training}", "{run}")


def trainings_by(method):
    """The trainings of one method: base, joint or restoration."""
    return [name for name, entry in TRAININGS.items() if entry["method"] == method]


def training_spec(training):
    """What a training is: its recipe, its network and the anonymizer whose pictures it begins with, written out."""
    entry = TRAININGS[training]
    spec = {"recipe": config["reversible_recipes"][entry["recipe"]]}
    if "model" in entry:
        model = resolve_model(config, entry["model"])
        metric = model["evaluation"].get("metric", "euclidean")  # rank-1 of validations decides on upgrades
        own = {key: value for key, value in model.items() if key != "training"}  # what it learns by alone
        spec["model"] = {**own, "evaluation": {"metric": metric}}
    if "desensitized" in entry:
        spec["desensitized"] = variant_entry(entry["desensitized"])
    if entry["method"] == "joint":
        spec["upgrade"] = entry["upgrade"]
    return as_json(spec)


def training_seed(wildcards):
    """The run's seed; another one for a second training of the same kind (`seed_offset`)."""
    return run_labels(wildcards.run)["seed"] + TRAININGS[wildcards.training].get("seed_offset", 0)


def taught_by(wildcards):
    """The variants whose pictures a network sees beside the originals, for its checkpoint."""
    shown = ["original", TRAININGS[wildcards.training]["desensitized"]]
    return ", ".join(f"{wildcards.dataset}/{variant}" for variant in shown)


def training_modules(training):
    """The modules of the plug-ins that a training runs."""
    entry = TRAININGS[training]
    named = [(MODELS, config["models"][entry["model"]])] if "model" in entry else []
    named += [(ANONYMIZERS, config["variants"][entry["desensitized"]])] if "desensitized" in entry else []
    return [plugin_module(registry, plugin["method"]) for registry, plugin in named]


def training_digest(command, training):
    """For `params:`: changes with the code of the command and of the plug-ins that it runs."""
    return code_digest(*digest_modules(command), *training_modules(training))


def training_plugins(training):
    """For `params:`: the outside modules that the command must import."""
    return as_json([module for module in training_modules(training) if not module.startswith("anonbench.")])


def reference_of(wildcards):
    """What the base training of a joint one scored, where supervision is to be upgraded."""
    base = base_of(config, wildcards.training)
    names = (wildcards.dataset, wildcards.model, base, wildcards.run)
    return paths.beside_network(*names, "reference.json") if base is not None else []


def shown_to(wildcards):
    """The stored copy from which a restoration learns."""
    return entries.stored(config, TRAININGS[wildcards.training]["of"], wildcards.run)


def figure_splits(plan):
    return paths.splits(plan.dataset) if "split" in run_labels(plan.run) else []


def judged_folders(plan):
    """The image folders of the pages. Real people who may not be shown stop the run before anything is trained."""
    if plan.people == "real" and not plan.spec.get("real_people"):
        raise WorkflowError(
            f"reversible_human_eval: the people of {plan.dataset} are real and would be sent to every participant. "
            f"Where the dataset's terms and a review board allow it, write `real_people: true` there (docs/human-eval.md)."
        )
    return image_folders(plan.dataset, plan.stored)
