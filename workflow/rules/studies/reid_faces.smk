# Study 1, faces in re-identification: statistics and figures of the tables named under `build:` (tables: report.smk).

# --- statistics: from tables and results of every query to what they allow one to conclude ---


rule ttest:
    input:
        tables=[paths.table(name) for name in REID_FACES.built("models")],
    output:
        output=captioned(paths.statistics("ttest"), "ttest", "Statistics", statistics="ttest"),
        stamp=paths.stamp("ttest"),
    log:
        paths.log("ttest"),
    conda:
        "../../../envs/cpu.yaml"
    threads: 1
    resources:
        mem_mb=memory_mb("ttest"),
        runtime=minutes("ttest"),
    params:
        code=lambda w: digest("ttest"),
    shell:
        call("ttest")


rule effects:
    input:
        tables=[paths.table(name) for name in REID_FACES.built("models")],
    output:
        output=captioned(paths.statistics("effects"), "effects", "Statistics", statistics="effects"),
        stamp=paths.stamp("effects"),
    log:
        paths.log("effects"),
    conda:
        "../../../envs/cpu.yaml"
    threads: 1
    resources:
        mem_mb=memory_mb("effects"),
        runtime=minutes("effects"),
    params:
        margin=STATISTICS["margin"],
        alpha=REID_FACES.alpha,
        code=lambda w: digest("effects"),
    shell:
        call("effects")


rule cells:
    input:
        metrics=REID_FACES.metrics,
    output:
        output=captioned(paths.statistics("cells"), "cells", "Statistics", statistics="cells"),
        stamp=paths.stamp("cells"),
    log:
        paths.log("cells"),
    conda:
        "../../../envs/cpu.yaml"
    threads: 1
    resources:
        mem_mb=memory_mb("cells"),
        runtime=minutes("cells"),
    params:
        margin=STATISTICS["margin"],
        alpha=REID_FACES.alpha,
        resamples=STATISTICS["resamples"],
        code=lambda w: digest("cells"),
    shell:
        call("cells")


rule noise_floor:
    input:
        metrics=REID_FACES.metrics,
    output:
        output=captioned(paths.statistics("noise"), "noise", "Statistics", statistics="noise"),
        stamp=paths.stamp("noise_floor"),
    log:
        paths.log("noise_floor"),
    conda:
        "../../../envs/cpu.yaml"
    threads: 1
    resources:
        mem_mb=memory_mb("noise_floor"),
        runtime=minutes("noise_floor"),
    params:
        alpha=REID_FACES.alpha,
        resamples=STATISTICS["resamples"],
        code=lambda w: digest("noise_floor"),
    shell:
        call("noise_floor")


rule faces:
    input:
        metrics=REID_FACES.metrics,
        detections=REID_FACES.pair_detections,
    output:
        output=captioned(paths.statistics("faces"), "faces", "Statistics", statistics="faces"),
        stamp=paths.stamp("faces"),
    log:
        paths.log("faces"),
    conda:
        "../../../envs/cpu.yaml"
    threads: 1
    resources:
        mem_mb=memory_mb("faces"),
        runtime=minutes("faces"),
    params:
        cases=as_json(REID_FACES.pairs),
        bins=STATISTICS["face_heights_px"],
        alpha=REID_FACES.alpha,
        resamples=STATISTICS["resamples"],
        code=lambda w: digest("faces"),
    shell:
        call("faces")


rule conclusions:
    input:
        cells=paths.statistics("cells"),
        noise=paths.statistics("noise"),
        faces=paths.statistics("faces"),
        effects=paths.statistics("effects"),
        tables=[paths.table(name) for name in REID_FACES.setting_tables],
    output:
        output=captioned(paths.statistics("statistics", ".md"), "statistics", "Statistics", statistics="in words"),
        stamp=paths.stamp("conclusions"),
    log:
        paths.log("conclusions"),
    conda:
        "../../../envs/cpu.yaml"
    threads: 1
    resources:
        mem_mb=memory_mb("conclusions"),
        runtime=minutes("conclusions"),
    params:
        label=data_label(REID_FACES.datasets()),
        alpha=REID_FACES.alpha,
        code=lambda w: digest("conclusions"),
    shell:
        call("conclusions")


rule published:
    input:
        tables=[paths.published(STUDY, f"table{n}") for n in range(3, 8)],
        text=paths.published(STUDY, "text"),
        sizes=paths.published(STUDY, "table2"),
        protocols=paths.published(STUDY, "protocols"),
    output:
        output=captioned(paths.statistics("published"), "published", "Statistics", statistics="published"),
        readable=paths.statistics("published", ".md"),
        stamp=paths.stamp("published"),
    log:
        paths.log("published"),
    conda:
        "../../../envs/cpu.yaml"
    threads: 1
    resources:
        mem_mb=memory_mb("published"),
        runtime=minutes("published"),
    params:
        margin=STATISTICS["margin"],
        alpha=REID_FACES.alpha,
        code=lambda w: digest("published"),
    shell:
        call("published")


# --- figures, every one as SVG and PNG ---


rule samples:
    input:
        manifest=lambda w: paths.manifest(REID_FACES.sampled["dataset"]),
        detections=lambda w: detections_of(REID_FACES.sampled["dataset"], REID_FACES.sampled["variants"][0]),
        roots=lambda w: sampled_roots(*REID_FACES.sampled["variants"]),
    output:
        output=captioned(paths.figure("variants", ".png"), "samples", "Samples", figure="variants"),
        stamp=paths.stamp("samples"),
    log:
        paths.log("samples"),
    conda:
        "../../../envs/cpu.yaml"
    threads: 1
    resources:
        mem_mb=memory_mb("samples"),
        runtime=minutes("samples"),
    params:
        variants=lambda w: ["original", *REID_FACES.sampled["variants"]],
        people=FIGURES["people"],
        warning=lambda w: entries.people_warning(config, REID_FACES.sampled["dataset"]),
        code=lambda w: digest("samples"),
    shell:
        call("samples")


rule figure1:
    input:
        manifest=lambda w: paths.manifest(REID_FACES.sampled["dataset"]),
        detections=lambda w: detections_of(REID_FACES.sampled["dataset"], REID_FACES.sampled["variants"][0]),
        roots=lambda w: sampled_roots(REID_FACES.sampled["variants"][0]),
    output:
        output=captioned(paths.figure("figure1"), "figure1", "Samples", figure="figure1"),
        png=paths.figure("figure1", ".png"),
        stamp=paths.stamp("figure1"),
    log:
        paths.log("figure1"),
    conda:
        "../../../envs/cpu.yaml"
    threads: 1
    resources:
        mem_mb=memory_mb("figure1"),
        runtime=minutes("figure1"),
    params:
        variants=lambda w: ["original", REID_FACES.sampled["variants"][0]],
        people=FIGURES["people"],
        label=lambda w: data_label([REID_FACES.sampled["dataset"]]),
        warning=lambda w: entries.people_warning(config, REID_FACES.sampled["dataset"]),
        code=lambda w: digest("figure1"),
    shell:
        call("figure1")


rule figure2:
    input:
        manifest=lambda w: paths.manifest(REID_FACES.sampled["dataset"]),
        detections=lambda w: detections_of(REID_FACES.sampled["dataset"], REID_FACES.sampled["variants"][0]),
        roots=lambda w: sampled_roots(*REID_FACES.sampled["variants"]),
    output:
        output=captioned(paths.figure("figure2"), "figure2", "Samples", figure="figure2"),
        png=paths.figure("figure2", ".png"),
        stamp=paths.stamp("figure2"),
    log:
        paths.log("figure2"),
    conda:
        "../../../envs/cpu.yaml"
    threads: 1
    resources:
        mem_mb=memory_mb("figure2"),
        runtime=minutes("figure2"),
    params:
        variants=lambda w: ["original", *REID_FACES.sampled["variants"]],
        details=lambda w: as_json(REID_FACES.details()),
        label=lambda w: data_label([REID_FACES.sampled["dataset"]]),
        warning=lambda w: entries.people_warning(config, REID_FACES.sampled["dataset"]),
        code=lambda w: digest("figure2"),
    shell:
        call("figure2")


rule figure_settings:
    input:
        metrics=[path for name in REID_FACES.built("models") for path in REID_FACES.table_metrics(name)],
    output:
        output=captioned(paths.figure("settings"), "figure_settings", "Figures", figure="settings"),
        png=paths.figure("settings", ".png"),
        stamp=paths.stamp("figure_settings"),
    log:
        paths.log("figure_settings"),
    conda:
        "../../../envs/cpu.yaml"
    threads: 1
    resources:
        mem_mb=memory_mb("figure_settings"),
        runtime=minutes("figure_settings"),
    params:
        cases=as_json(REID_FACES.cases()),
        label=data_label(REID_FACES.datasets()),
        code=lambda w: digest("figure_settings"),
    shell:
        call("figure_settings")


rule figure_differences:
    input:
        cells=paths.statistics("cells"),
    output:
        output=captioned(
            paths.figure("differences_{metric}"), "figure_differences", "Figures", figure="differences_{metric}"
        ),
        png=paths.figure("differences_{metric}", ".png"),
        stamp=paths.stamp("figure_differences", "{metric}"),
    log:
        paths.log("figure_differences", "{metric}"),
    wildcard_constraints:
        metric=any_of(DESIGN.metrics),
    conda:
        "../../../envs/cpu.yaml"
    threads: 1
    resources:
        mem_mb=memory_mb("figure_differences"),
        runtime=minutes("figure_differences"),
    params:
        metric=lambda w: w.metric,
        label=data_label(REID_FACES.datasets()),
        code=lambda w: digest("figure_differences"),
    shell:
        call("figure_differences", without=["margin"])


rule figure_cmc:
    input:
        metrics=lambda w: REID_FACES.table_metrics(w.table),
    output:
        output=captioned(paths.figure("cmc_{table}"), "figure_cmc", "Figures", figure="cmc_{table}"),
        png=paths.figure("cmc_{table}", ".png"),
        stamp=paths.stamp("figure_cmc", "{table}"),
    log:
        paths.log("figure_cmc", "{table}"),
    conda:
        "../../../envs/cpu.yaml"
    threads: 1
    resources:
        mem_mb=memory_mb("figure_cmc"),
        runtime=minutes("figure_cmc"),
    params:
        cases=lambda w: as_json(REID_FACES.cases(w.table)),
        ranks=FIGURES["ranks"],
        label=lambda w: data_label(REID_FACES.datasets(w.table)),
        code=lambda w: digest("figure_cmc"),
    shell:
        call("figure_cmc")


rule figure_faces:
    input:
        faces=paths.statistics("faces"),
    output:
        output=captioned(paths.figure("faces_{table}"), "figure_faces", "Figures", figure="faces_{table}"),
        png=paths.figure("faces_{table}", ".png"),
        stamp=paths.stamp("figure_faces", "{table}"),
    log:
        paths.log("figure_faces", "{table}"),
    conda:
        "../../../envs/cpu.yaml"
    threads: 1
    resources:
        mem_mb=memory_mb("figure_faces"),
        runtime=minutes("figure_faces"),
    params:
        dataset=lambda w: REID_FACES.tables[w.table]["dataset"],
        variant=lambda w: REID_FACES.tables[w.table]["variants"][0],
        label=lambda w: data_label(REID_FACES.datasets(w.table)),
        code=lambda w: digest("figure_faces"),
    shell:
        call("figure_faces")


rule figure_dose_response:
    input:
        metrics=REID_FACES.dose_metrics,
    output:
        output=captioned(paths.figure("dose_response"), "figure_dose_response", "Figures", figure="dose_response"),
        png=paths.figure("dose_response", ".png"),
        stamp=paths.stamp("figure_dose_response"),
    log:
        paths.log("figure_dose_response"),
    conda:
        "../../../envs/cpu.yaml"
    threads: 1
    resources:
        mem_mb=memory_mb("figure_dose_response"),
        runtime=minutes("figure_dose_response"),
    params:
        dataset=REID_FACES.dose["dataset"],
        model=REID_FACES.dose["model"],
        families=as_json(REID_FACES.dose["families"]),
        label=data_label([REID_FACES.dose["dataset"]]),
        code=lambda w: digest("figure_dose_response"),
    shell:
        call("figure_dose_response")


rule figure_ranked:
    input:
        features=REID_FACES.ranked.features,
        queries=REID_FACES.ranked.queries,
        roots=lambda w: image_folders(REID_FACES.ranked.dataset, REID_FACES.ranked.variants),
    output:
        output=captioned(paths.figure("ranked"), "figure_ranked", "Figures", figure="ranked"),
        png=paths.figure("ranked", ".png"),
        stamp=paths.stamp("figure_ranked"),
    log:
        paths.log("figure_ranked"),
    conda:
        "../../../envs/cpu.yaml"
    threads: 1
    resources:
        mem_mb=memory_mb("figure_ranked"),
        runtime=minutes("figure_ranked"),
    params:
        settings=REID_FACES.ranked.settings,
        evaluation=as_json(config["models"][FIGURES["ranked"]["model"]]["evaluation"]),
        model=FIGURES["ranked"]["model"],
        ranks=FIGURES["ranked"]["ranks"],
        label=data_label([REID_FACES.ranked.dataset]),
        warning=entries.people_warning(config, REID_FACES.ranked.dataset),
        code=lambda w: digest("figure_ranked"),
    shell:
        call("figure_ranked")
