# Pictures with every face's box. TinyFaces is trained on them, and any detector is tested on them.


rule render_faces:
    output:
        output=directory(paths.rendered("{face_images}")),
        stamp=paths.stamp("render_faces", "{face_images}"),
    log:
        paths.log("render_faces", "{face_images}"),
    wildcard_constraints:
        face_images=any_of(DRAWN_FACES) or "none",
    conda:
        "../../envs/cpu.yaml"
    threads: WORKERS
    resources:
        mem_mb=memory_mb("render_faces"),
        runtime=minutes("render_faces"),
    params:
        spec=lambda w: as_json(FACE_IMAGES[w.face_images]["render"]),
        code=lambda w: digest("render_faces"),
    shell:
        call("render_faces")


rule index_faces:
    input:
        root=lambda w: labelled_faces(w.dataset, paths.stamp("index_faces", w.dataset)),
    output:
        output=paths.manifest("{dataset}"),
        stamp=paths.stamp("index_faces", "{dataset}"),
    log:
        paths.log("index_faces", "{dataset}"),
    wildcard_constraints:
        dataset=any_of(FACE_IMAGES) or "none",
    conda:
        "../../envs/cpu.yaml"
    threads: WORKERS
    resources:
        mem_mb=memory_mb("index_faces"),
        runtime=minutes("index_faces"),
    params:
        code=lambda w: digest("index_faces"),
    shell:
        call("index_faces")


rule train_detector:
    input:
        data=lambda w: labelled_faces(
            FACE_TRAININGS[w.face_training]["images"], paths.stamp("train_detector", w.face_training)
        ),
    output:
        output=paths.face_detectors("{face_training}", "model.pt"),
        history=paths.face_detectors("{face_training}", "history.csv"),
        stamp=paths.stamp("train_detector", "{face_training}"),
    log:
        paths.log("train_detector", "{face_training}"),
    wildcard_constraints:
        face_training=any_of(FACE_TRAININGS) or "none",
    priority: 10
    conda:
        "../../envs/gpu.yaml"
    threads: WORKERS
    resources:
        mem_mb=memory_mb("train_detector"),
        runtime=minutes("train_detector"),
        gpu=int(ON_GPU),
    params:
        spec=lambda w: as_json(FACE_TRAININGS[w.face_training]["recipe"]),
        seed=lambda w: FACE_TRAININGS[w.face_training]["seed"],
        resume_dir=paths.resume("train_detector", "{face_training}"),
        device=config["device"],
        code=lambda w: digest("train_detector"),
    shell:
        call("train_detector")
