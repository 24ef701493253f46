# Study 3, faces and bodies in scenes: statistics and figures of its tables (tables: report.smk).


rule scene_effects:
    input:
        scores=SCENE_STUDY.scores,
    output:
        output=captioned(paths.statistics("scene_effects"), "scene_effects", "Study 3", statistics="differences"),
        stamp=paths.stamp("scene_effects"),
    log:
        paths.log("scene_effects"),
    conda:
        "../../../envs/cpu.yaml"
    threads: 1
    resources:
        mem_mb=memory_mb("scene_effects"),
        runtime=minutes("scene_effects"),
    params:
        tables=as_json(SCENE_STUDY.compared),
        margin=SCENE_STATISTICS["margin"],
        alpha=SCENE_STUDY.alpha,
        resamples=SCENE_STATISTICS["resamples"],
        code=lambda w: digest("scene_effects"),
    shell:
        call("scene_effects")


rule scene_conclusions:
    input:
        effects=paths.statistics("scene_effects"),
    output:
        output=captioned(paths.statistics(SCENES_STUDY, ".md"), "scene_conclusions", "Study 3", statistics="in words"),
        stamp=paths.stamp("scene_conclusions"),
    log:
        paths.log("scene_conclusions"),
    conda:
        "../../../envs/cpu.yaml"
    threads: 1
    resources:
        mem_mb=memory_mb("scene_conclusions"),
        runtime=minutes("scene_conclusions"),
    params:
        label=data_label(SCENE_STUDY.datasets),
        alpha=SCENE_STUDY.alpha,
        code=lambda w: digest("scene_conclusions"),
    shell:
        call("scene_conclusions")


# --- figures, every one as SVG and PNG ---


rule scene_methods:
    input:
        manifest=lambda w: paths.manifest(*SCENE_STUDY.datasets_of("methods", w.figure)),
        instances=lambda w: paths.instances(*SCENE_STUDY.datasets_of("methods", w.figure)),
        roots=lambda w: shown_folders(w.figure),
    output:
        output=captioned(scene_figure("{figure}"), "scene_methods", "Study 3", figure="{figure}"),
        png=scene_figure("{figure}", ".png"),
        stamp=paths.stamp("scene_methods", "{figure}"),
    log:
        paths.log("scene_methods", "{figure}"),
    wildcard_constraints:
        figure=any_of(SCENE_STUDY.figures("methods")) or "none",
    conda:
        "../../../envs/cpu.yaml"
    threads: 1
    resources:
        mem_mb=memory_mb("scene_methods"),
        runtime=minutes("scene_methods"),
    params:
        variants=lambda w: as_json(SCENE_STUDY.columns("methods", w.figure)),
        pictures=lambda w: SCENE_STUDY.figures("methods")[w.figure]["pictures"],
        warning=lambda w: SCENE_STUDY.warning("methods", w.figure),
        label=lambda w: data_label(SCENE_STUDY.datasets_of("methods", w.figure)),
        code=lambda w: digest("scene_methods"),
    shell:
        call("scene_methods")


rule scene_predictions:
    input:
        manifest=lambda w: paths.manifest(*SCENE_STUDY.datasets_of("predictions", w.figure)),
        root=lambda w: image_folder(*SCENE_STUDY.datasets_of("predictions", w.figure), "original"),
        instances=lambda w: paths.instances(*SCENE_STUDY.datasets_of("predictions", w.figure)),
        predictions=lambda w: SCENE_STUDY.predictions(w.figure),
    output:
        output=captioned(scene_figure("{figure}"), "scene_predictions", "Study 3", figure="{figure}"),
        png=scene_figure("{figure}", ".png"),
        stamp=paths.stamp("scene_predictions", "{figure}"),
    log:
        paths.log("scene_predictions", "{figure}"),
    wildcard_constraints:
        figure=any_of(SCENE_STUDY.figures("predictions")) or "none",
    conda:
        "../../../envs/cpu.yaml"
    threads: 1
    resources:
        mem_mb=memory_mb("scene_predictions"),
        runtime=minutes("scene_predictions"),
    params:
        variants=lambda w: as_json(SCENE_STUDY.columns("predictions", w.figure)),
        pictures=lambda w: SCENE_STUDY.figures("predictions")[w.figure]["pictures"],
        warning=lambda w: SCENE_STUDY.warning("predictions", w.figure),
        label=lambda w: data_label(SCENE_STUDY.datasets_of("predictions", w.figure)),
        code=lambda w: digest("scene_predictions"),
    shell:
        call("scene_predictions", without=["least_score"])


rule scene_sizes:
    input:
        instances=lambda w: [paths.instances(d) for d in SCENE_STUDY.datasets_of("sizes", w.figure)],
        manifests=lambda w: [paths.manifest(d) for d in SCENE_STUDY.datasets_of("sizes", w.figure)],
    output:
        output=captioned(scene_figure("{figure}"), "scene_sizes", "Study 3", figure="{figure}"),
        png=scene_figure("{figure}", ".png"),
        numbers=scene_figure("{figure}", ".csv"),
        stamp=paths.stamp("scene_sizes", "{figure}"),
    log:
        paths.log("scene_sizes", "{figure}"),
    wildcard_constraints:
        figure=any_of(SCENE_STUDY.figures("sizes")) or "none",
    conda:
        "../../../envs/cpu.yaml"
    threads: 1
    resources:
        mem_mb=memory_mb("scene_sizes"),
        runtime=minutes("scene_sizes"),
    params:
        names=lambda w: SCENE_STUDY.datasets_of("sizes", w.figure),
        label=lambda w: data_label(SCENE_STUDY.datasets_of("sizes", w.figure)),
        code=lambda w: digest("scene_sizes"),
    shell:
        call("scene_sizes")


rule scene_depths:
    input:
        scores=lambda w: SCENE_STUDY.depth_scores(w.figure),
    output:
        output=captioned(scene_figure("{figure}"), "scene_depths", "Study 3", figure="{figure}"),
        png=scene_figure("{figure}", ".png"),
        numbers=scene_figure("{figure}", ".csv"),
        stamp=paths.stamp("scene_depths", "{figure}"),
    log:
        paths.log("scene_depths", "{figure}"),
    wildcard_constraints:
        figure=any_of(SCENE_STUDY.figures("depths")) or "none",
    conda:
        "../../../envs/cpu.yaml"
    threads: 1
    resources:
        mem_mb=memory_mb("scene_depths"),
        runtime=minutes("scene_depths"),
    params:
        lines=lambda w: as_json(SCENE_STUDY.figures("depths")[w.figure]["lines"]),
        label=lambda w: data_label(SCENE_STUDY.datasets_of("depths", w.figure)),
        code=lambda w: digest("scene_depths"),
    shell:
        call("scene_depths")


# --- costs: measured where this runs, so that they differ from machine to machine ---


rule anonymizer_cost:
    input:
        manifest=paths.manifest("{dataset}"),
        detections=lambda w: detections_of(w.dataset, w.variant),
        root=original_root,
        weights=variant_weights,
        large_weights=large_weights,
    output:
        output=paths.cost("{dataset}", "{variant}"),
        stamp=paths.stamp("anonymizer_cost", "{dataset}", "{variant}"),
    log:
        paths.log("anonymizer_cost", "{dataset}", "{variant}"),
    wildcard_constraints:
        dataset=any_of(SCENES) or "none",
        variant=any_of(set(config["variants"]).difference(WHOLE, ACCEPTED)) or "none",
    conda:
        "../../../envs/cpu.yaml"
    threads: 1
    resources:
        mem_mb=memory_mb("anonymizer_cost"),
        runtime=minutes("anonymizer_cost"),
    params:
        spec=lambda w: as_json(variant_entry(w.variant)),
        code=lambda w: digest("anonymizer_cost", config["variants"][w.variant]["method"]),
        plugins=lambda w: needed_plugins("anonymizer_cost", config["variants"][w.variant]["method"]),
    shell:
        call("anonymizer_cost", without=["pictures"])


rule anonymizer_costs:
    input:
        costs=[paths.cost(SCENE_COSTS[0], variant) for variant in SCENE_COSTS[1]],
    output:
        output=captioned(paths.statistics("scene_costs"), "anonymizer_costs", "Study 3", statistics="costs"),
        readable=paths.statistics("scene_costs", ".md"),
        stamp=paths.stamp("anonymizer_costs"),
    log:
        paths.log("anonymizer_costs"),
    conda:
        "../../../envs/cpu.yaml"
    threads: 1
    resources:
        mem_mb=memory_mb("anonymizer_costs"),
        runtime=minutes("anonymizer_costs"),
    params:
        variants=SCENE_COSTS[1],
        gpu=lambda w: as_json(gpu_pictures_per_s(SCENE_COSTS[1])),
        label=data_label([SCENE_COSTS[0]]) if SCENE_COSTS[0] else "",
        code=lambda w: digest("anonymizer_costs"),
    shell:
        call("anonymizer_costs")
