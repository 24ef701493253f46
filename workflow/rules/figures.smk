# Pictures: every one as SVG and PNG below results/figures/. They show the tables named under `build:`.

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


rule samples:
    input:
        manifest=f"results/manifests/{SAMPLED['dataset']}/original.csv",
        boxes=detections_of(SAMPLED["dataset"], SAMPLED["variants"][0]),
        folders=expand("results/images/{dataset}/{variant}", dataset=SAMPLED["dataset"], variant=SAMPLED["variants"]),
    output:
        picture="results/figures/variants.png",
        stamp="results/stamps/samples.json",
    log:
        "logs/samples.log",
    conda:
        "../../envs/cpu.yaml"
    threads: 1
    params:
        spec=lambda w: json.dumps({v: sampled_root(v) for v in ("original", *SAMPLED["variants"])}),
        people=FIGURE["people"],
        code=code_digest("anonbench.stages.samples"),
    shell:
        "anonbench samples --manifest {input.manifest} --detections {input.boxes} --spec {params.spec:q}"
        " --count {params.people} --output {output.picture} --stamp {output.stamp} --code {params.code} > {log} 2>&1"


rule figure1:
    input:
        manifest=f"results/manifests/{SAMPLED['dataset']}/original.csv",
        boxes=detections_of(SAMPLED["dataset"], SAMPLED["variants"][0]),
        folder=f"results/images/{SAMPLED['dataset']}/{SAMPLED['variants'][0]}",
    output:
        svg="results/figures/figure1.svg",
        png="results/figures/figure1.png",
        stamp="results/stamps/figure1.json",
    log:
        "logs/figure1.log",
    conda:
        "../../envs/cpu.yaml"
    threads: 1
    params:
        spec=lambda w: json.dumps({v: sampled_root(v) for v in ("original", SAMPLED["variants"][0])}),
        people=FIGURE["people"],
        label=data_label([SAMPLED["dataset"]]),
        code=code_digest("anonbench.stages.samples"),
    shell:
        "anonbench figure1 --manifest {input.manifest} --detections {input.boxes} --spec {params.spec:q}"
        " --count {params.people} --label {params.label:q} --output {output.svg} --png {output.png}"
        " --stamp {output.stamp} --code {params.code} > {log} 2>&1"


rule figure2:
    input:
        manifest=f"results/manifests/{SAMPLED['dataset']}/original.csv",
        boxes=detections_of(SAMPLED["dataset"], SAMPLED["variants"][0]),
        folders=expand("results/images/{dataset}/{variant}", dataset=SAMPLED["dataset"], variant=SAMPLED["variants"]),
    output:
        svg="results/figures/figure2.svg",
        png="results/figures/figure2.png",
        stamp="results/stamps/figure2.json",
    log:
        "logs/figure2.log",
    conda:
        "../../envs/cpu.yaml"
    threads: 1
    params:
        spec=lambda w: json.dumps(
            {
                "roots": {v: sampled_root(v) for v in ("original", *SAMPLED["variants"])},
                "details": {v: variant_details(v) for v in SAMPLED["variants"] if variant_details(v)},
            }
        ),
        label=data_label([SAMPLED["dataset"]]),
        code=code_digest("anonbench.stages.samples"),
    shell:
        "anonbench figure2 --manifest {input.manifest} --detections {input.boxes} --spec {params.spec:q}"
        " --label {params.label:q} --output {output.svg} --png {output.png} --stamp {output.stamp}"
        " --code {params.code} > {log} 2>&1"


rule figure_settings:
    input:
        metrics=[path for table in tables_with("models") for path in settings_metrics(table)],
    output:
        svg="results/figures/settings.svg",
        png="results/figures/settings.png",
        stamp="results/stamps/figure_settings.json",
    log:
        "logs/figure_settings.log",
    conda:
        "../../envs/cpu.yaml"
    threads: 1
    params:
        spec=figure_cases(*tables_with("models")),
        label=data_label(STUDY_DATASETS),
        code=code_digest("anonbench.stages.figures"),
    shell:
        "anonbench figure_settings --metrics {input.metrics} --spec {params.spec:q} --label {params.label:q}"
        " --output {output.svg} --png {output.png} --stamp {output.stamp} --code {params.code} > {log} 2>&1"


rule figure_differences:
    input:
        cells="results/statistics/cells.csv",
    output:
        svg="results/figures/differences_{metric}.svg",
        png="results/figures/differences_{metric}.png",
        stamp="results/stamps/figure_differences/{metric}.json",
    log:
        "logs/figure_differences/{metric}.log",
    wildcard_constraints:
        metric="map|rank1",
    conda:
        "../../envs/cpu.yaml"
    threads: 1
    params:
        label=data_label(STUDY_DATASETS),
        code=code_digest("anonbench.stages.figures"),
    shell:
        "anonbench figure_differences --cells {input.cells} --metric {wildcards.metric} --label {params.label:q}"
        " --output {output.svg} --png {output.png} --stamp {output.stamp} --code {params.code} > {log} 2>&1"


rule figure_cmc:
    input:
        metrics=lambda w: settings_metrics(w.table),
    output:
        svg="results/figures/cmc_{table}.svg",
        png="results/figures/cmc_{table}.png",
        stamp="results/stamps/figure_cmc/{table}.json",
    log:
        "logs/figure_cmc/{table}.log",
    conda:
        "../../envs/cpu.yaml"
    threads: 1
    params:
        spec=lambda w: figure_cases(w.table),
        ranks=FIGURE["ranks"],
        label=lambda w: data_label(table_datasets(w.table)),
        code=code_digest("anonbench.stages.figures"),
    shell:
        "anonbench figure_cmc --metrics {input.metrics} --spec {params.spec:q} --ranks {params.ranks}"
        " --label {params.label:q} --output {output.svg} --png {output.png} --stamp {output.stamp}"
        " --code {params.code} > {log} 2>&1"


rule figure_faces:
    input:
        faces="results/statistics/faces.csv",
    output:
        svg="results/figures/faces_{table}.svg",
        png="results/figures/faces_{table}.png",
        stamp="results/stamps/figure_faces/{table}.json",
    log:
        "logs/figure_faces/{table}.log",
    conda:
        "../../envs/cpu.yaml"
    threads: 1
    params:
        spec=lambda w: json.dumps(
            {"dataset": config["tables"][w.table]["dataset"], "variant": config["tables"][w.table]["variants"][0]}
        ),
        label=lambda w: data_label(table_datasets(w.table)),
        code=code_digest("anonbench.stages.figures"),
    shell:
        "anonbench figure_faces --faces {input.faces} --spec {params.spec:q} --label {params.label:q}"
        " --output {output.svg} --png {output.png} --stamp {output.stamp} --code {params.code} > {log} 2>&1"


rule figure_dose_response:
    input:
        metrics=dose_metrics,
    output:
        svg="results/figures/dose_response.svg",
        png="results/figures/dose_response.png",
        stamp="results/stamps/figure_dose_response.json",
    log:
        "logs/figure_dose_response.log",
    conda:
        "../../envs/cpu.yaml"
    threads: 1
    params:
        spec=dose_spec(),
        label=data_label([dose_table()["dataset"]]),
        code=code_digest("anonbench.stages.figures"),
    shell:
        "anonbench figure_dose_response --metrics {input.metrics} --spec {params.spec:q} --label {params.label:q}"
        " --output {output.svg} --png {output.png} --stamp {output.stamp} --code {params.code} > {log} 2>&1"


rule figure_ranked:
    input:
        parts=lambda w: [
            part[kind] for part in ranked_parts() for kind in ("features", "queries", "root") if part[kind]
        ],
    output:
        svg="results/figures/ranked.svg",
        png="results/figures/ranked.png",
        stamp="results/stamps/figure_ranked.json",
    log:
        "logs/figure_ranked.log",
    conda:
        "../../envs/cpu.yaml"
    threads: 1
    params:
        spec=lambda w: json.dumps(
            {
                "settings": ranked_parts(),
                "evaluation": config["models"][RANKED["model"]]["evaluation"],
                "model": RANKED["model"],
            }
        ),
        ranks=RANKED["ranks"],
        label=data_label([config["tables"][RANKED["table"]]["dataset"]]),
        code=code_digest("anonbench.stages.ranked"),
    shell:
        "anonbench figure_ranked --spec {params.spec:q} --ranks {params.ranks} --label {params.label:q}"
        " --output {output.svg} --png {output.png} --stamp {output.stamp} --code {params.code} > {log} 2>&1"
