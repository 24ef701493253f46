# How good the detectors are where the truth is known (their table: report.smk).


rule evaluate_detector:
    input:
        detections=paths.detections("{dataset}", "{detector}"),
        truth=truth_root,
        dropped=dropped_list,
    output:
        output=paths.detection_metrics("{dataset}", "{detector}"),
        groups=paths.detection_metrics("{dataset}", "{detector}", ".groups.csv"),
        curve=paths.detection_metrics("{dataset}", "{detector}", ".curve.csv"),
        figure=captioned(
            paths.detection_metrics("{dataset}", "{detector}", ".svg"),
            "detection_curve",
            "Detectors",
            dataset="{dataset}",
            detector="{detector}",
        ),
        png=paths.detection_metrics("{dataset}", "{detector}", ".png"),
        stamp=paths.stamp("evaluate_detector", "{dataset}", "{detector}"),
    log:
        paths.log("evaluate_detector", "{dataset}", "{detector}"),
    wildcard_constraints:
        dataset=any_of(WITH_TRUTH) or "none",
    conda:
        "../../envs/cpu.yaml"
    threads: 1
    resources:
        mem_mb=memory_mb("evaluate_detector"),
        runtime=minutes("evaluate_detector"),
    params:
        labels=lambda w: json.dumps(
            {
                "dataset": w.dataset,
                "detector": w.detector,
                "data": data_label([w.dataset]),
                "scales": scales_in_words(w.detector),
            },
            ensure_ascii=False,
        ),
        heights=config["statistics"]["face_heights_px"],
        confidence=config["statistics"]["confidence"],
        code=lambda w: digest("evaluate_detector"),
    shell:
        call("evaluate_detector", without=["iou"])
