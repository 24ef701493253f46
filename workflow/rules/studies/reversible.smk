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
        split=split_of,
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
        split=split_of,
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
