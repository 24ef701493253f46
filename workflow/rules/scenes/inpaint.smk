# Study 3: the generators of realistic anonymization (their copies of a dataset: rule anonymize in data.smk).


rule train_inpainter:
    input:
        manifest=paths.manifest("{dataset}"),
        root=lambda w: image_folder(w.dataset, "original"),
        detections=lambda w: paths.detections(w.dataset, INPAINTERS[w.inpainter]["detector"]),
    output:
        output=paths.inpainter("{dataset}", "{inpainter}"),
        history=paths.inpainter("{dataset}", "{inpainter}", "history.csv"),
        samples=paths.inpainter("{dataset}", "{inpainter}", "samples.png"),
        stamp=paths.stamp("train_inpainter", "{dataset}", "{inpainter}"),
    log:
        paths.log("train_inpainter", "{dataset}", "{inpainter}"),
    wildcard_constraints:
        inpainter=any_of(INPAINTERS) or "none",
    priority: 20  # the longest jobs first
    conda:
        "../../../envs/gpu.yaml"
    threads: NETWORK_THREADS
    resources:
        mem_mb=memory_mb("train_inpainter"),
        runtime=minutes("train_inpainter"),
        gpu=int(ON_GPU),
    params:
        spec=lambda w: as_json(INPAINTERS[w.inpainter]["recipe"]),
        seed=lambda w: INPAINTERS[w.inpainter].get("seed", 0),
        people=lambda w: shown_people(w.dataset, INPAINTERS[w.inpainter]),
        resume_dir=paths.resume("train_inpainter", "{dataset}", "{inpainter}"),
        device=config["device"],
        code=lambda w: digest("train_inpainter"),
    shell:
        call("train_inpainter")
