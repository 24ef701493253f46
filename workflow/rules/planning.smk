# At the end of a dry run: what the planned jobs will cost. At the start of a run: a record for `anonbench status`. No rule.
import atexit

from anonbench.ops import controllers
from anonbench.ops.clock import wait_for_inputs
from anonbench.ops.journal import write_last_run
from anonbench.ops.last_run import refuse_other, refuse_replacing
from anonbench.ops.planning import PlannedJob, describe, describe_missing, estimate, in_plan, missing_gpus

SLURM_JOB = os.environ.get("SLURM_JOB_ID")  # that this Snakemake runs in; the SLURM plug-in forgets it soon


def quiet_about_all():
    return any(quiet.name == "ALL" for quiet in workflow.output_settings.quiet or ())


def print_plan():
    """Print the estimate of a dry run that came to its end, and the datasets that are not there yet.

    Snakemake 9 has no hook for the end of a dry run (onsuccess and its kin are for real ones), hence `atexit`. Its
    scheduler is there only when the jobs have been planned without an error: not with --lint, --dag, --unlock.
    """
    try:
        if not workflow.dryrun or workflow.scheduler is None or quiet_about_all():
            return
        needed = workflow.dag.needrun_jobs(exclude_finished=False)
        jobs = [PlannedJob(job.rule.name, dict(job.wildcards_dict)) for job in needed]
        if jobs:
            print(f"\n{describe(estimate(jobs, ESTIMATOR, ON_GPU))}")
        if text := gpus_missing():
            print(in_plan(text))
        if MISSING_DATASETS:
            print(describe_missing({name: DATASET_ENTRIES[name]["root"] for name in MISSING_DATASETS}))
        sys.stdout.flush()
    except Exception as error:  # an estimate must never spoil a run
        sys.stderr.write(f"No estimate of this plan: {type(error).__name__}: {error}\n")


if workflow.is_main_process:
    atexit.register(print_plan)


def gpus_missing():
    """What is wrong where jobs here ask for GPUs that are not; a cluster's scheduler knows its own."""
    if ON_CLUSTER:
        return ""
    jobs = workflow.dag.needrun_jobs(exclude_finished=False)
    return missing_gpus([(job.rule.name, job.resources.get("gpu", 0)) for job in jobs], GPUS_HERE)


def refuse_missing_gpus():
    """Else the run stops at the first training, after an hour of detection."""
    if text := gpus_missing():
        raise WorkflowError(text)


def wait_for_sources():
    """Refuse inputs that are dated ahead of the clock, before Snakemake removes the outputs of jobs it will start.

    What one of these jobs makes anew (or dates anew, with --touch) gets the time of then.
    """
    jobs = list(workflow.dag.needrun_jobs())
    made = {path for job in jobs for path in job.output}
    try:
        wait_for_inputs(Path(path) for job in jobs for path in job.input if path not in made)
    except AnonbenchError as error:
        raise WorkflowError(str(error)) from None


def look_less_often():
    """Let Snakemake start jobs here without counting them a second.

    To keep to its 100 starts a second, version 9.27 looks at all waiting jobs again one second after each look, and so
    after each of those looks: the rounds pile up to one a second for every job that has ended (a tenth of a core in
    `make demo`). On a cluster the limit spares the scheduler.
    """
    if not ON_CLUSTER and workflow.scheduler is not None:
        workflow.scheduler.job_rate_limiter = None


def refuse_another_configuration():
    """What another configuration has made is not replaced without a word: by `dvc repro` not at all."""
    specs = [(job, job.params.get("spec")) for job in workflow.dag.needrun_jobs()]
    stamps = [(Path(job.output.stamp), json.loads(spec)) for job, spec in specs if spec]
    try:
        if "DVC_STAGE" in os.environ:
            refuse_other(workflow.overwrite_configfiles, Path.cwd())
        refuse_replacing(workflow.overwrite_configfiles, stamps, Path.cwd())
    except AnonbenchError as error:
        raise WorkflowError(str(error)) from None


def enter_as_controller():
    """Refuse files that another run here works on, and tell later ones which this one does.

    Snakemake does so with its own locks, as long as no third run has ended. `--nolock` asks for neither.
    """
    jobs = list(workflow.dag.needrun_jobs())
    made = {str(path) for job in jobs for path in job.output}
    read = {str(path) for job in jobs for path in job.input}
    try:
        if workflow.execution_settings.lock:
            controllers.refuse_same_files(Path.cwd(), made, read)
    except AnonbenchError as error:
        raise WorkflowError(str(error)) from None
    controllers.enter(Path.cwd(), map(str, workflow.dag_settings.targets), made, read, SLURM_JOB)


onstart:
    look_less_often()
    refuse_another_configuration()
    refuse_missing_gpus()
    enter_as_controller()
    wait_for_sources()
    write_last_run(
        [Path(file).resolve() for file in workflow.overwrite_configfiles],
        workflow.dag_settings.targets,
        options=workflow.config_settings.config,
        slurm_job=SLURM_JOB,
    )
