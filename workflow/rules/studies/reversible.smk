# Study 2, learnable reversible anonymization: its trainings and figures (variants: data.smk, tables: report.smk).


rule train_base:
    input:
        manifest=paths.manifest("{dataset}"),
        root=lambda w: image_folder(w.dataset, "original"),
        splits=split_file,
    output:
        output=paths.checkpoint(*BESIDE),
        history=paths.history(*BESIDE),
        reference=paths.beside_network(*BESIDE, "reference.json"),
        people=paths.beside_network(*BESIDE, "people.csv"),
        stamp=paths.stamp("train_base", *BESIDE),
    log:
        paths.log("train_base", *BESIDE),
    wildcard_constraints:
        training=any_of(trainings_by("base")) or "none",
    priority: 20  # the longest jobs first
    conda:
        "../../../envs/gpu.yaml"
    threads: NETWORK_THREADS
    resources:
        mem_mb=memory_mb("train_base"),
        runtime=minutes("train_base"),
        gpu=int(ON_GPU),
    params:
        spec=lambda w: training_spec(w.training),
        seed=training_seed,
        division_seed=lambda w: run_labels(w.run)["seed"],  # a second key is judged on the same people
        split=split_of,
        trained_on=taught_by,
        resume_dir=paths.resume("train_base", *BESIDE),
        device=config["device"],
        code=lambda w: training_digest("train_base", w.training),
        plugins=lambda w: training_plugins(w.training),
    shell:
        call("train_base")


rule train_anonymizer:
    input:
        manifest=paths.manifest("{dataset}"),
        root=lambda w: image_folder(w.dataset, "original"),
        reference=reference_of,
        splits=split_file,
    output:
        output=paths.checkpoint(*BESIDE),
        history=paths.history(*BESIDE),
        validation=paths.beside_network(*BESIDE, "validation.csv"),
        upgrades=paths.beside_network(*BESIDE, "upgrades.csv"),
        people=paths.beside_network(*BESIDE, "people.csv"),
        anonymizer=paths.key(*BESIDE, "anonymizer"),
        recovery=paths.key(*BESIDE, "recovery"),
        stamp=paths.stamp("train_anonymizer", *BESIDE),
    log:
        paths.log("train_anonymizer", *BESIDE),
    wildcard_constraints:
        training=any_of(trainings_by("joint")) or "none",
    priority: 20  # the longest jobs first
    conda:
        "../../../envs/gpu.yaml"
    threads: NETWORK_THREADS
    resources:
        mem_mb=memory_mb("train_anonymizer"),
        runtime=minutes("train_anonymizer"),
        gpu=int(ON_GPU),
    params:
        spec=lambda w: training_spec(w.training),
        seed=training_seed,
        division_seed=lambda w: run_labels(w.run)["seed"],  # a second key is judged on the same people
        split=split_of,
        trained_on=taught_by,
        resume_dir=paths.resume("train_anonymizer", *BESIDE),
        device=config["device"],
        code=lambda w: training_digest("train_anonymizer", w.training),
        plugins=lambda w: training_plugins(w.training),
    shell:
        call("train_anonymizer")


rule train_restoration:
    input:
        manifest=paths.manifest("{dataset}"),
        root=lambda w: image_folder(w.dataset, "original"),
        shown_manifest=lambda w: paths.manifest(w.dataset, shown_to(w)),
        shown_root=lambda w: paths.images(w.dataset, shown_to(w)),
        splits=split_file,
    output:
        output=paths.key(*ALONE, "recovery"),
        history=paths.key(*ALONE, "recovery", ".history.csv"),
        stamp=paths.stamp("train_restoration", "{dataset}", "{training}", "{run}"),
    log:
        paths.log("train_restoration", "{dataset}", "{training}", "{run}"),
    wildcard_constraints:
        training=any_of(trainings_by("restoration")) or "none",
    priority: 20  # the longest jobs first
    conda:
        "../../../envs/gpu.yaml"
    threads: NETWORK_THREADS
    resources:
        mem_mb=memory_mb("train_restoration"),
        runtime=minutes("train_restoration"),
        gpu=int(ON_GPU),
    params:
        spec=lambda w: training_spec(w.training),
        seed=training_seed,
        split=split_of,
        resume_dir=paths.resume("train_restoration", "{dataset}", "{training}", "{run}"),
        device=config["device"],
        code=lambda w: training_digest("train_restoration", w.training),
        plugins=lambda w: training_plugins(w.training),
    shell:
        call("train_restoration")


# --- figures, as SVG and PNG ---


rule figure_grid:
    input:
        manifests=lambda w: REVERSIBLE.grid(w.grid).manifests,
        roots=lambda w: image_folders(REVERSIBLE.grid(w.grid).dataset, REVERSIBLE.grid(w.grid).stored),
        splits=lambda w: figure_splits(REVERSIBLE.grid(w.grid)),
    output:
        output=captioned(reversible_figure("{grid}"), "figure_grid", "Study 2", figure="{grid}"),
        png=reversible_figure("{grid}", ".png"),
        stamp=paths.stamp("figure_grid", "{grid}"),
    log:
        paths.log("figure_grid", "{grid}"),
    wildcard_constraints:
        grid=any_of(REVERSIBLE.entries("grids")) or "none",
    conda:
        "../../../envs/cpu.yaml"
    threads: 1
    resources:
        mem_mb=memory_mb("figure_grid"),
        runtime=minutes("figure_grid"),
    params:
        variants=lambda w: as_json(REVERSIBLE.grid(w.grid).columns),
        people=lambda w: REVERSIBLE.grid(w.grid).people,
        title=lambda w: REVERSIBLE.grid(w.grid).title,
        label=lambda w: data_label([REVERSIBLE.grid(w.grid).dataset]),
        warning=lambda w: REVERSIBLE.grid(w.grid).warning,
        split=lambda w: run_labels(REVERSIBLE.grid(w.grid).run).get("split", ""),
        code=lambda w: digest("figure_grid"),
    shell:
        call("figure_grid", without=["seed"])


rule figure_maps:
    input:
        raw=lambda w: REVERSIBLE.map(w.map).raw,
        protected=lambda w: REVERSIBLE.map(w.map).protected,
    output:
        output=captioned(reversible_figure("{map}"), "figure_maps", "Study 2", figure="{map}"),
        png=reversible_figure("{map}", ".png"),
        numbers=reversible_figure("{map}", ".csv"),
        stamp=paths.stamp("figure_maps", "{map}"),
    log:
        paths.log("figure_maps", "{map}"),
    wildcard_constraints:
        map=any_of(REVERSIBLE.entries("maps")) or "none",
    conda:
        "../../../envs/cpu.yaml"
    threads: 1
    resources:
        mem_mb=memory_mb("figure_maps"),
        runtime=minutes("figure_maps"),
    params:
        panels=lambda w: as_json(REVERSIBLE.map(w.map).panels),
        evaluation=lambda w: as_json(config["models"][REVERSIBLE.map(w.map).model]["evaluation"]),
        people=lambda w: REVERSIBLE.map(w.map).people,
        images=lambda w: REVERSIBLE.map(w.map).images,
        label=lambda w: data_label([REVERSIBLE.map(w.map).dataset]),
        code=lambda w: digest("figure_maps"),
    shell:
        call("figure_maps", without=["seed"])


# --- Table 2: pages on which people judge, made where they are named as a target ---


rule human_eval_kit:
    input:
        manifests=REVERSIBLE.human_eval.manifests,
        roots=lambda w: judged_folders(REVERSIBLE.human_eval),
    output:
        output=directory(paths.human_eval("pages")),
        key=paths.human_eval("key.json"),
        stamp=paths.stamp("human_eval_kit"),
    log:
        paths.log("human_eval_kit"),
    conda:
        "../../../envs/cpu.yaml"
    threads: 1
    resources:
        mem_mb=memory_mb("human_eval_kit"),
        runtime=minutes("human_eval_kit"),
    params:
        variants=REVERSIBLE.human_eval.variants,
        spec=lambda w: as_json(REVERSIBLE.human_eval.spec),
        people=REVERSIBLE.human_eval.people,
        label=data_label([REVERSIBLE.human_eval.dataset]),
        warning=entries.people_warning(config, REVERSIBLE.human_eval.dataset),  # for DVC: not to be uploaded
        code=lambda w: digest("human_eval_kit"),
    shell:
        call("human_eval_kit", without=["seed"])
