# Helpers of figures.smk: what each figure shows. No rule here.

FIGURE = config["figures"]
RANKED, DOSE = FIGURE["ranked"], FIGURE["dose_response"]
# Figures 1 and 2 show people of the table with the most anonymizers.
SAMPLED = max((config["tables"][table] for table in SETTING_TABLES), key=lambda table: len(table["variants"]))
DETAILS = {"sigma_rel": "standard deviation / width of the box", "n": "cells a side"}


def figure_cases(*tables):
    return json.dumps(
        [
            {"dataset": table["dataset"], "model": model, "variant": table["variants"][0]}
            for table in (config["tables"][name] for name in tables)
            for model in table["models"]
        ]
    )


def figure_targets():
    """The figures of the tables that are built by default."""
    names = ["figure1", "figure2", "variants", "settings", "differences_map", "differences_rank1"]
    names += [f"{kind}_{table}" for table in tables_with("models") for kind in ("cmc", "faces")]
    names += ["ranked"] if RANKED["table"] in SETTING_TABLES else []
    names += ["dose_response"] if DOSE["table"] in SETTING_TABLES else []
    return [f"results/figures/{name}.png" for name in names]


def sampled_root(variant):
    return image_folder(SAMPLED["dataset"], variant)


def variant_details(variant):
    """What a figure says of a variant: its method's main parameter."""
    entry = config["variants"].get(variant, {})
    return ", ".join(f"{name} = {entry[name]:.3g}" for name in DETAILS if name in entry)


def dose_table():
    return config["tables"][DOSE["table"]]


def dose_metrics(wildcards):
    """The doses tested on the model trained on originals; trained on too where the table trains on them anyway."""
    dataset, model = dose_table()["dataset"], DOSE["model"]
    variants = dict.fromkeys(variant for several in DOSE["parameters"].values() for variant in several)
    settings = [("original", "original"), *(("original", variant) for variant in variants)]
    settings += [(variant, variant) for variant in variants if variant in dose_table()["variants"]]
    return [
        metrics_path(dataset, model, run, train, test) for train, test in settings for run in runs_of(dataset, model)
    ]


def dose_spec():
    families = [
        {
            "title": config["variants"][variants[0]]["method"].replace("_", " "),
            "axis": f"{parameter}: {DETAILS[parameter]}" if parameter in DETAILS else parameter,
            "values": {variant: config["variants"][variant][parameter] for variant in variants},
            "more_hides": parameter not in DOSE["less_hides"],
        }
        for parameter, variants in DOSE["parameters"].items()
    ]
    return json.dumps({"dataset": dose_table()["dataset"], "model": DOSE["model"], "families": families})


def ranked_parts():
    """Of the first run of a model: test variant -> features, per-query results, images."""
    table = config["tables"][RANKED["table"]]
    dataset, model, variant = table["dataset"], RANKED["model"], table["variants"][0]
    run = runs_of(dataset, model)[0]
    return [
        {
            "setting": f"original → {test}",
            "features": f"results/features/{dataset}/{model}/original/{run}/{test}.npz",
            "queries": metrics_path(dataset, model, run, "original", test).replace(".json", ".queries.csv"),
            "root": image_folder(dataset, test),
        }
        for test in ("original", variant)
    ]
