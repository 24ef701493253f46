# Pictures: every one as SVG and PNG below results/figures/. They show the tables named under `build:`.


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
    benchmark:
        "results/benchmarks/samples.tsv"
    conda:
        "../../envs/cpu.yaml"
    threads: 1
    resources:
        mem_mb=memory_mb("samples"),
        runtime=minutes("samples"),
    params:
        spec=lambda w: json.dumps({v: sampled_root(v) for v in ("original", *SAMPLED["variants"])}),
        people=FIGURE["people"],
        code=lambda w: code_digest("anonbench.stages.samples"),
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
    benchmark:
        "results/benchmarks/figure1.tsv"
    conda:
        "../../envs/cpu.yaml"
    threads: 1
    resources:
        mem_mb=memory_mb("figure1"),
        runtime=minutes("figure1"),
    params:
        spec=lambda w: json.dumps({v: sampled_root(v) for v in ("original", SAMPLED["variants"][0])}),
        people=FIGURE["people"],
        label=data_label([SAMPLED["dataset"]]),
        code=lambda w: code_digest("anonbench.stages.samples"),
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
    benchmark:
        "results/benchmarks/figure2.tsv"
    conda:
        "../../envs/cpu.yaml"
    threads: 1
    resources:
        mem_mb=memory_mb("figure2"),
        runtime=minutes("figure2"),
    params:
        spec=lambda w: json.dumps(
            {
                "roots": {v: sampled_root(v) for v in ("original", *SAMPLED["variants"])},
                "details": {v: variant_details(v) for v in SAMPLED["variants"] if variant_details(v)},
            }
        ),
        label=data_label([SAMPLED["dataset"]]),
        code=lambda w: code_digest("anonbench.stages.samples"),
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
    benchmark:
        "results/benchmarks/figure_settings.tsv"
    conda:
        "../../envs/cpu.yaml"
    threads: 1
    resources:
        mem_mb=memory_mb("figure_settings"),
        runtime=minutes("figure_settings"),
    params:
        spec=figure_cases(*tables_with("models")),
        label=data_label(STUDY_DATASETS),
        code=lambda w: code_digest("anonbench.stages.figures"),
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
    benchmark:
        "results/benchmarks/figure_differences/{metric}.tsv"
    wildcard_constraints:
        metric="map|rank1",
    conda:
        "../../envs/cpu.yaml"
    threads: 1
    resources:
        mem_mb=memory_mb("figure_differences"),
        runtime=minutes("figure_differences"),
    params:
        label=data_label(STUDY_DATASETS),
        code=lambda w: code_digest("anonbench.stages.figures"),
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
    benchmark:
        "results/benchmarks/figure_cmc/{table}.tsv"
    conda:
        "../../envs/cpu.yaml"
    threads: 1
    resources:
        mem_mb=memory_mb("figure_cmc"),
        runtime=minutes("figure_cmc"),
    params:
        spec=lambda w: figure_cases(w.table),
        ranks=FIGURE["ranks"],
        label=lambda w: data_label(table_datasets(w.table)),
        code=lambda w: code_digest("anonbench.stages.figures"),
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
    benchmark:
        "results/benchmarks/figure_faces/{table}.tsv"
    conda:
        "../../envs/cpu.yaml"
    threads: 1
    resources:
        mem_mb=memory_mb("figure_faces"),
        runtime=minutes("figure_faces"),
    params:
        spec=lambda w: json.dumps(
            {"dataset": config["tables"][w.table]["dataset"], "variant": config["tables"][w.table]["variants"][0]}
        ),
        label=lambda w: data_label(table_datasets(w.table)),
        code=lambda w: code_digest("anonbench.stages.figures"),
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
    benchmark:
        "results/benchmarks/figure_dose_response.tsv"
    conda:
        "../../envs/cpu.yaml"
    threads: 1
    resources:
        mem_mb=memory_mb("figure_dose_response"),
        runtime=minutes("figure_dose_response"),
    params:
        spec=dose_spec(),
        label=data_label([dose_table()["dataset"]]),
        code=lambda w: code_digest("anonbench.stages.figures"),
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
    benchmark:
        "results/benchmarks/figure_ranked.tsv"
    conda:
        "../../envs/cpu.yaml"
    threads: 1
    resources:
        mem_mb=memory_mb("figure_ranked"),
        runtime=minutes("figure_ranked"),
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
        code=lambda w: code_digest("anonbench.stages.ranked"),
    shell:
        "anonbench figure_ranked --spec {params.spec:q} --ranks {params.ranks} --label {params.label:q}"
        " --output {output.svg} --png {output.png} --stamp {output.stamp} --code {params.code} > {log} 2>&1"
