# What jobs ask for: memory and time from measured rates, more at each retry (docs/cluster.md). No rule here.
#
# A rule says `mem_mb=memory_mb("its_name")` and `runtime=minutes("its_name")`, and `gpu=…` where it computes on one. Nothing
# has to be listed anywhere for that: a rule without a row in benchmarks/rates.csv asks for the amounts of unknown ones.
from snakemake.resources import Resource

from anonbench.core.gpus import gpu_count
from anonbench.core.memory import granted_memory
from anonbench.ops.costs.estimate import Estimator, request_memory_mb, request_minutes

ESTIMATOR = Estimator(config)
ON_CLUSTER = workflow.global_resources["_nodes"].value is not None
GPUS_HERE = gpu_count() if config["device"] != "cpu" and workflow.is_main_process and not ON_CLUSTER else 0
# `auto` checks this machine only. On a cluster set `device: cuda`: a login node usually has no GPU.
ON_GPU = config["device"] == "cuda" or (config["device"] == "auto" and GPUS_HERE > 0)
# On a GPU they decode images; on a CPU two trainings of one thread each are faster than one of two.
NETWORK_THREADS = 4 if ON_GPU else 1
WORKERS = workflow.global_resources["_cores"].value or 8  # processes of the jobs that work image by image


def limit_here(resource, amount):
    """Let no more jobs run on this machine at once than fit, unless the command line says how many do."""
    if workflow.is_main_process and not ON_CLUSTER and amount and resource not in workflow.global_resources:
        workflow.register_resource(resource, Resource(resource, amount))


limit_here("gpu", GPUS_HERE)  # two GPUs: two trainings side by side; one GPU: one after the other
limit_here("mem_mb", granted_memory() // 10**6)


resource_scopes:
    gpu="local",


def gpus_asked(rule, wildcards):
    """GPUs that a rule's own `resources:` ask for."""
    return workflow.get_rule(rule).resources.get("gpu").evaluate(wildcards).value or 0


def job_estimate(rule, wildcards, threads):
    return ESTIMATOR.estimate(rule, dict(wildcards.items()), gpus_asked(rule, wildcards), threads)


def memory_mb(rule):
    """For `resources:` of a rule: MB to reserve."""
    return lambda wildcards, attempt, threads: request_memory_mb(job_estimate(rule, wildcards, threads), attempt)


def minutes(rule):
    """For `resources:` of a rule: its time limit."""
    return lambda wildcards, attempt, threads: request_minutes(
        job_estimate(rule, wildcards, threads), attempt, gpus_asked(rule, wildcards)
    )


def training_gpus(wildcards):
    """On how many GPUs together a model is trained; a network that stays untrained needs one at most."""
    return 1 if wildcards.train_variant == "untrained" else config["models"][wildcards.model].get("gpus", 1)


def gpus_of(wildcards):
    """GPUs of a training."""
    return training_gpus(wildcards) if ON_GPU else 0


def training_threads(wildcards):
    """A training on several GPUs decodes images in each of its ranks."""
    return NETWORK_THREADS * max(1, gpus_of(wildcards))


def ranks_of(wildcards):
    """Processes of a training: one for each of its GPUs, one where it is to do without."""
    return 1 if config["device"] == "cpu" else training_gpus(wildcards)


def detector_gpus(wildcards):
    return int(ON_GPU and config["detectors"][wildcards.detector].get("gpu", False))


def variant_gpus(variant):
    return int(ON_GPU and config["variants"][variant].get("gpu", False))


def variant_entry(variant):
    """What a variant is; whether it computes on a GPU changes nothing in it."""
    return {key: value for key, value in config["variants"][variant].items() if key != "gpu"}
