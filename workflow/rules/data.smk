# From a dataset's own folder to anonymized copies of it.


# Where jobs are only listed, raw datasets need not be there: this rule, of which no job is listed, stands in for them.
if LISTING in os.environ:

    rule raw:
        output:
            directory("{raw_root}"),
        wildcard_constraints:
            raw_root=any_of(absent_roots()) or "none",


rule render:
    output:
        output=directory(paths.rendered("{dataset}")),
        stamp=paths.stamp("render", "{dataset}"),
    log:
        paths.log("render", "{dataset}"),
    wildcard_constraints:
        dataset=any_of(name for name in RENDERED if name not in DRAWN_SCENES) or "none",
    conda:
        "../../envs/cpu.yaml"
    threads: WORKERS
    resources:
        mem_mb=memory_mb("render"),
        runtime=minutes("render"),
    params:
        spec=lambda w: as_json(DATASET_ENTRIES[w.dataset]["render"]),
        code=lambda w: digest("render"),
    shell:
        call("render")


rule unpack:
    input:
        root=root_to_unpack,
    output:
        output=directory(paths.images("{dataset}", "original")),
        stamp=paths.stamp("unpack", "{dataset}"),
    log:
        paths.log("unpack", "{dataset}"),
    wildcard_constraints:
        dataset=any_of(UNPACKED) or "none",
    conda:
        "../../envs/cpu.yaml"
    threads: WORKERS
    resources:
        mem_mb=memory_mb("unpack"),
        runtime=minutes("unpack"),
    params:
        boxes=lambda w: DATASET_ENTRIES[w.dataset].get("boxes", "detected"),
        code=lambda w: digest("unpack"),
    shell:
        call("unpack")


rule index:
    input:
        root=root_to_index,
        leave_out=left_out_files,
    output:
        output=paths.manifest("{dataset}"),
        dropped=paths.dropped("{dataset}"),
        sidecars=paths.sidecars("{dataset}"),
        splits=paths.splits("{dataset}"),
        stamp=paths.stamp("index", "{dataset}"),
    log:
        paths.log("index", "{dataset}"),
    wildcard_constraints:
        dataset=any_of(name for name in DATASET_ENTRIES if name not in CUT),
    conda:
        "../../envs/cpu.yaml"
    threads: WORKERS
    resources:
        mem_mb=memory_mb("index"),
        runtime=minutes("index"),
    params:
        spec=lambda w: as_json(
            {k: v for k, v in DATASET_ENTRIES[w.dataset].items() if k not in ("splits", "published_as")},
        ),
        code=lambda w: digest("index", DATASET_ENTRIES[w.dataset]["format"]),
        plugins=lambda w: needed_plugins("index", DATASET_ENTRIES[w.dataset]["format"]),
    shell:
        call("index")


rule detect:
    input:
        manifest=paths.manifest("{dataset}"),
        root=original_root,
        weights=detector_weights,
        boxes=detector_boxes,
    output:
        output=paths.detections("{dataset}", "{detector}"),
        stamp=paths.stamp("detect", "{dataset}", "{detector}"),
    log:
        paths.log("detect", "{dataset}", "{detector}"),
    wildcard_constraints:
        dataset=any_of([*DATASET_ENTRIES, *FACE_IMAGES]),
        detector=any_of(name for name in config["detectors"] if name not in COMPOSED) or "none",
    conda:
        "../../envs/cpu.yaml"
    threads: lambda w: 1 if detector_gpus(w) else WORKERS
    resources:
        mem_mb=memory_mb("detect"),
        runtime=minutes("detect"),
        gpu=detector_gpus,
    params:
        spec=lambda w: as_json(detector_entry(w.detector)),
        # Outside the outputs, which Snakemake deletes when a job fails: a killed run goes on from its last shard.
        resume_dir=paths.resume("detect", "{dataset}", "{detector}"),
        code=lambda w: digest("detect", config["detectors"][w.detector]["method"]),
        device=lambda w: config["device"] if config["detectors"][w.detector].get("gpu") else "cpu",
        plugins=lambda w: needed_plugins("detect", config["detectors"][w.detector]["method"]),
    shell:
        call("detect")


rule unite:
    input:
        manifest=paths.manifest("{dataset}"),
        detections=lambda w: [paths.detections(w.dataset, name) for name in entries.members(config, w.detector)],
    output:
        output=paths.detections("{dataset}", "{detector}"),
        stamp=paths.stamp("unite", "{dataset}", "{detector}"),
    log:
        paths.log("unite", "{dataset}", "{detector}"),
    wildcard_constraints:
        dataset=any_of([*DATASET_ENTRIES, *FACE_IMAGES]),
        detector=any_of(UNIONS) or "none",
    conda:
        "../../envs/cpu.yaml"
    threads: 1
    resources:
        mem_mb=memory_mb("unite"),
        runtime=minutes("unite"),
    params:
        code=lambda w: digest("unite"),
    shell:
        call("unite")


rule anonymize:
    input:
        manifest=paths.manifest("{dataset}"),
        sidecars=paths.sidecars("{dataset}"),
        detections=lambda w: detections_of(w.dataset, w.variant),
        root=original_root,
        weights=variant_weights,
        large_weights=large_weights,
        dropped=dropped_list,
        instances=scene_instances,
    output:
        output=directory(paths.images("{dataset}", "{variant}")),
        output_manifest=paths.manifest("{dataset}", "{variant}"),
        stamp=paths.stamp("anonymize", "{dataset}", "{variant}"),
    log:
        paths.log("anonymize", "{dataset}", "{variant}"),
    wildcard_constraints:
        variant=any_of(set(config["variants"]).difference(WHOLE, ACCEPTED)) or "none",
    conda:
        "../../envs/cpu.yaml"
    threads: 1
    resources:
        mem_mb=memory_mb("anonymize"),
        runtime=minutes("anonymize"),
        gpu=lambda w: variant_gpus(w.variant),
    params:
        spec=lambda w: as_json(variant_entry(w.variant)),
        resume_dir=paths.resume("anonymize", "{dataset}", "{variant}"),
        code=lambda w: digest("anonymize", config["variants"][w.variant]["method"]),
        device=lambda w: config["device"] if config["variants"][w.variant].get("gpu") else "cpu",
        plugins=lambda w: needed_plugins("anonymize", config["variants"][w.variant]["method"]),
    shell:
        call("anonymize")


# Pictures that another tool has anonymized.
rule accept_copy:
    input:
        manifest=paths.manifest("{dataset}"),
        root=original_root,
        files=accepted_files,
        sidecars=paths.sidecars("{dataset}"),
        detections=lambda w: detections_of(w.dataset, w.variant) if config["variants"][w.variant]["detector"] else [],
        dropped=dropped_list,
        instances=scene_instances,
    output:
        output=directory(paths.images("{dataset}", "{variant}")),
        output_manifest=paths.manifest("{dataset}", "{variant}"),
        report=paths.differences("{dataset}", "{variant}"),
        stamp=paths.stamp("accept_copy", "{dataset}", "{variant}"),
    log:
        paths.log("accept_copy", "{dataset}", "{variant}"),
    wildcard_constraints:
        variant=any_of(ACCEPTED) or "none",
    conda:
        "../../envs/cpu.yaml"
    threads: WORKERS
    resources:
        mem_mb=memory_mb("accept_copy"),
        runtime=minutes("accept_copy"),
    params:
        spec=lambda w: as_json({k: v for k, v in variant_entry(w.variant).items() if k != "root"}),
        code=lambda w: digest("accept_copy"),
    shell:
        call("accept_copy")


# Whole pictures are hidden, or recovered from the stored copy of another variant.
rule anonymize_whole:
    input:
        manifest=lambda w: source_manifest(w.dataset, w.stored),
        root=lambda w: source_images(w.dataset, w.stored),
        sidecars=lambda w: [] if w.dataset in CUT else paths.sidecars(w.dataset),
        weights=stored_weights,
        dropped=dropped_list,
    output:
        output=directory(paths.images("{dataset}", "{stored}")),
        output_manifest=paths.manifest("{dataset}", "{stored}"),
        stamp=paths.stamp("anonymize_whole", "{dataset}", "{stored}"),
    log:
        paths.log("anonymize_whole", "{dataset}", "{stored}"),
    conda:
        "../../envs/cpu.yaml"
    threads: 1
    resources:
        mem_mb=memory_mb("anonymize_whole"),
        runtime=minutes("anonymize_whole"),
        gpu=lambda w: variant_gpus(stored_variant(w.stored)),
    params:
        spec=lambda w: as_json(stored_entry(w.stored)),
        resume_dir=paths.resume("anonymize_whole", "{dataset}", "{stored}"),
        warning=lambda w: recovered_warning(w.dataset, w.stored),  # for DVC: not to be uploaded
        code=lambda w: digest("anonymize_whole", config["variants"][stored_variant(w.stored)]["method"]),
        device=lambda w: config["device"] if config["variants"][stored_variant(w.stored)].get("gpu") else "cpu",
        plugins=lambda w: needed_plugins("anonymize_whole", config["variants"][stored_variant(w.stored)]["method"]),
    shell:
        call("anonymize_whole")


rule picture_quality:
    input:
        manifest=paths.manifest("{dataset}", "{stored}"),
        root=paths.images("{dataset}", "{stored}"),
        reference_manifest=paths.manifest("{dataset}"),
        reference_root=original_root,
        splits=lambda w: paths.splits(w.dataset) if stored_split(w.stored) != "" else [],
    output:
        output=paths.quality("{dataset}", "{stored}"),
        images=paths.quality("{dataset}", "{stored}", ".images.csv"),
        stamp=paths.stamp("picture_quality", "{dataset}", "{stored}"),
    log:
        paths.log("picture_quality", "{dataset}", "{stored}"),
    wildcard_constraints:
        stored=any_stored(config["variants"]),
    conda:
        "../../envs/cpu.yaml"
    threads: 1
    resources:
        mem_mb=memory_mb("picture_quality"),
        runtime=minutes("picture_quality"),
    params:
        split=lambda w: stored_split(w.stored),
        labels=lambda w: as_json(stored_labels(w.dataset, w.stored)),
        code=lambda w: digest("picture_quality"),
    shell:
        call("picture_quality", without=["parts"])
