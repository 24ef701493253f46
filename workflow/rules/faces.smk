# Pictures with every face's box. TinyFaces is trained on them, and any detector is tested on them.


rule render_faces:
    output:
        output=directory("data/rendered/{face_images}"),
        stamp="results/stamps/render_faces/{face_images}.json",
    log:
        "logs/render_faces/{face_images}.log",
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
        root=lambda w: face_images_folder(w.dataset),
    output:
        output="results/manifests/{dataset}/original.csv",
        stamp="results/stamps/index_faces/{dataset}.json",
    log:
        "logs/index_faces/{dataset}.log",
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
        data=lambda w: face_images_folder(FACE_TRAININGS[w.face_training]["images"]),
    output:
        output="results/face_detectors/{face_training}/model.pt",
        history="results/face_detectors/{face_training}/history.csv",
        stamp="results/stamps/train_detector/{face_training}.json",
    log:
        "logs/train_detector/{face_training}.log",
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
        resume_dir="results/.resume/train_detector/{face_training}",
        device=config["device"],
        code=lambda w: digest("train_detector"),
    shell:
        call("train_detector")
