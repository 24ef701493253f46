# Face detectors of one's own: pictures with every face's box, TinyFaces trained on them, and on which any is tried.


rule render_faces:
    output:
        folder=directory("data/rendered/{face_images}"),
        stamp="results/stamps/render_faces/{face_images}.json",
    log:
        "logs/render_faces/{face_images}.log",
    benchmark:
        "results/benchmarks/render_faces/{face_images}.tsv"
    wildcard_constraints:
        face_images=any_of(DRAWN_FACES) or "none",
    conda:
        "../../envs/cpu.yaml"
    threads: WORKERS
    resources:
        mem_mb=memory_mb("render_faces"),
        runtime=minutes("render_faces"),
    params:
        spec=lambda w: json.dumps(FACE_IMAGES[w.face_images]["render"], sort_keys=True),
        code=lambda w: code_digest("anonbench.stages.render_faces"),
    shell:
        "anonbench render_faces --spec {params.spec:q} --output {output.folder} --stamp {output.stamp}"
        " --code {params.code} --threads {threads} > {log} 2>&1"


rule index_faces:
    input:
        root=lambda w: face_images_folder(w.dataset),
    output:
        manifest="results/manifests/{dataset}/original.csv",
        stamp="results/stamps/index_faces/{dataset}.json",
    log:
        "logs/index_faces/{dataset}.log",
    benchmark:
        "results/benchmarks/index_faces/{dataset}.tsv"
    wildcard_constraints:
        dataset=any_of(FACE_IMAGES) or "none",
    conda:
        "../../envs/cpu.yaml"
    threads: WORKERS
    resources:
        mem_mb=memory_mb("index_faces"),
        runtime=minutes("index_faces"),
    params:
        code=lambda w: code_digest("anonbench.stages.index_faces"),
    shell:
        "anonbench index_faces --root {input.root:q} --output {output.manifest} --stamp {output.stamp}"
        " --code {params.code} --threads {threads} > {log} 2>&1"


rule train_detector:
    input:
        data=lambda w: face_images_folder(FACE_TRAININGS[w.face_training]["images"]),
    output:
        weights="results/face_detectors/{face_training}/model.pt",
        history="results/face_detectors/{face_training}/history.csv",
        stamp="results/stamps/train_detector/{face_training}.json",
    log:
        "logs/train_detector/{face_training}.log",
    benchmark:
        "results/benchmarks/train_detector/{face_training}.tsv"
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
        spec=lambda w: json.dumps(FACE_TRAININGS[w.face_training]["recipe"], sort_keys=True),
        seed=lambda w: FACE_TRAININGS[w.face_training]["seed"],
        resume="results/.resume/train_detector/{face_training}",
        device=config["device"],
        code=lambda w: code_digest("anonbench.stages.train_detector"),
    shell:
        "anonbench train-detector --data {input.data:q} --spec {params.spec:q} --seed {params.seed}"
        " --output {output.weights} --history {output.history} --resume-dir {params.resume} --device {params.device}"
        " --stamp {output.stamp} --code {params.code} --threads {threads} > {log} 2>&1"
