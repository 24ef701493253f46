# Helpers of privacy.smk. No rule here.
from anonbench.studies.privacy import plan as privacy
from anonbench.stages.cut_faces import Cut

RESTORED = [name for name in config["variants"] if entries.restores(config, name)]
ATTACKS = config["attacks"]
BY_SEARCH = [name for name in ATTACKS if not privacy.is_membership(config, name)]
PAGE_TABLE = privacy.page_table(config)
PAGE = config["tables"].get(PAGE_TABLE, {})
ATTACKED = ("{dataset}", "{attack}", "{any_variant}", "{run}")


def cut_of(wildcards):
    return DATASET_ENTRIES[wildcards.dataset]["cut"]


def attack_of(wildcards):
    """The files of one run of an attack."""
    return privacy.inputs(config, wildcards.dataset, wildcards.attack, wildcards.any_variant, wildcards.run)


def restored_of(wildcards):
    """What a figure of restored faces is made of."""
    return privacy.restored_figure(config, wildcards.figure)


def attack_spec(wildcards):
    return as_json(privacy.spec_of(ATTACKS[wildcards.attack]))


def attack_labels(wildcards, whole=False):
    """What an outcome belongs to.

    whole: the attack looks at clear pictures, by the network that was trained on the variant.
    """
    entry, run = ATTACKS[wildcards.attack], run_labels(wildcards.run)
    files = attack_of(wildcards)
    shown, trained = (("original", ""), wildcards.any_variant) if whole else (files.shown, files.trained)
    return as_json(
        {
            "dataset": wildcards.dataset,
            "attack": wildcards.attack,
            "variant": wildcards.any_variant,
            "run": wildcards.run,
            "split": run.get("split"),
            "seed": run["seed"],
            "probes": shown[0],
            "gallery": shown[1],
            "recognizer": f"{entry.get('recognizer') or entry['model']}, trained on {trained} pictures",
        }
    )


def truth_of(wildcards):
    """Annotated faces of the pictures, where they are known; nothing else."""
    of = entries.cut_from(config, wildcards.dataset) or wildcards.dataset
    root = raw_folder(of)
    known = of in RENDERED or (root and Path(root, FACE_TRUTH).is_file())
    return root if known else []
