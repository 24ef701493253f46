"""The commands that are no rule of the workflow: `anonbench status`, `verify`, `explain` and the rest.

Each function is a command; its signature and docstring are its options (core/command.py). What they call is imported
inside, so that `anonbench list` does not wait for Snakemake or torch.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from anonbench.core.command import Argument, ArgumentPath, Count, Spec, command

# --- data ---


@command("data")
def add_data(
    format: Argument,
    folder: ArgumentPath,
    spec: Spec = None,
    name: str | None = None,
    copy: bool = False,
    cache: bool = False,
    plugins: Sequence[str] = (),
) -> None:
    """Link a dataset to data/raw and record its hash, counts and licence for DVC.

    format: of the dataset, such as market1501 (`anonbench list datasets`).
    folder: where the dataset is; only read.
    spec: options of the format.
    name: of the dataset below data/raw; the format's when left out.
    copy: copy the files instead of linking the folder.
    cache: with --copy, store the images in DVC's cache too.
    """
    from anonbench.ops import add_data as module

    module.add_data(format, folder, spec or {}, name, copy=copy, cache=cache, plugins=list(plugins))


@command("data")
def make_csv(
    folder: ArgumentPath,
    pattern: str,
    output: Path | None = None,
    camid: str | None = None,
    split: str | None = None,
    test: float = 0.5,
    seed: int = 0,
    queries: Count = 1,
) -> None:
    r"""Write the CSV of the format `folder` from the names of the files.

    anonbench make-csv /data/mine --pattern '(?P<pid>\d{4})_c(?P<camid>\d)_\d+[.]jpg'

    Pictures are neither opened nor changed, and a CSV that is there is not overwritten. Names that do not match are
    counted, and the first is named.

    folder: with the images, anywhere below it.
    pattern: regular expression (Python's) for the whole name; with a slash in it, for the whole path below the folder.
        Its named groups are the columns: pid, and camid and split where the names say them.
    output: the CSV; images.csv in the folder when left out.
    camid: camera of all images where the names do not say it; `each`: each image of a person has another.
    split: train, query or gallery for all images. Left out, and not in the names: people are drawn for train and test.
    test: share of the people to test on, 0..1, where they are drawn.
    seed: of the draw.
    queries: images of each person and camera that become queries, where they are drawn.
    """
    from anonbench.ops.make_csv import make_csv as write

    print("\n".join(write(folder, pattern, output, camid, split, test, seed, queries)))


# --- detect ---


@command("detect")
def audit(
    dataset: Argument,
    detector: str | None = None,
    configfile: Sequence[Path] = (),
    manifest: Path | None = None,
    root: Path | None = None,
    detections: Path | None = None,
    rendered: bool = False,
    sample: Count = 200,
    seed: int = 0,
    review: Count = 72,
    second: Sequence[Path] = (),
    output: Path | None = None,
    filled: Path | None = None,
    confidence: float = 0.95,
) -> None:
    """Find out what a detector missed, by a random sample that you look at.

    dataset: of the configuration; with --manifest any name.
    detector: of the configuration; the only one with detections when left out.
    configfile: overlays over config/default.yaml; those of the last run when left out.
    manifest: instead of the configuration's; with --root and --detections.
    root: folder of the images that the manifest names.
    detections: boxes (CSV of `detect`).
    rendered: with --manifest, nobody real is shown.
    sample: images to look at.
    seed: of the sample, >= 0.
    review: pictures on the sheets of suspects.
    second: boxes of other detectors, or at a lower threshold.
    output: folder; results/audit/DATASET/DETECTOR when left out.
    filled: the annotations with your verdicts; reports instead of drawing.
    confidence: of the intervals, 0..1.
    """
    from anonbench.ops import audit as module
    from anonbench.ops.last_run import configuration

    if manifest is None:
        configfile = configuration(configfile, Path.cwd())
    chosen = (dataset, detector, configfile, manifest, root, detections, rendered)
    if filled:
        audited, folder = module.choose_filled(*chosen, output, filled)
        module.report_audit(audited, folder, filled, confidence)
    else:
        audited = module.choose(*chosen)
        module.draw_audit(audited, output or module.default_folder(audited), sample, seed, review, second)


# --- what is handed over ---


@command("anonymize")
def leaks(
    folder: ArgumentPath,
    originals: Path | None = None,
    manifest: Path | None = None,
    detections: Path | None = None,
    box_scale: float = 1.0,
    dropped: Path | None = None,
    report: Path | None = None,
    threads: int = 1,
) -> int:
    """Look for what a folder of pictures gives away besides them; status 1 when there is a leak.

    Metadata and previews in the files, further files, pixels of hidden parts that are still the original's, hidden
    parts that are like it, copies of pictures that were left out. docs/release.md says what each finding means.

    folder: with pictures; only read.
    originals: folder with the same paths, to compare with.
    manifest: the pictures that belong in it (CSV of `index` or `anonymize`).
    detections: what should be hidden (CSV of `detect`); what differs from the originals when left out.
    box_scale: of the variant, > 0: boxes of the detections are enlarged by it.
    dropped: a CSV with a column path: pictures below the originals that were left out; all that are not in the folder
        when left out.
    report: file for how many of each kind were found (JSON), with a row for each beside it (CSV).
    """
    from anonbench.core import checks
    from anonbench.core.errors import ConfigError
    from anonbench.ops import leaks as module

    try:
        checks.number("box_scale", box_scale, 0, above=True)
    except ValueError as error:
        raise ConfigError(str(error)) from error
    against = module.Against(originals, manifest, detections, box_scale, dropped)
    found, counts = module.find_leaks(folder, against, threads)
    if report:
        module.write_report(report, found, counts)
    print(module.as_text(found, counts))
    return int(any(finding.is_leak for finding in found))


@command("anonymize")
def release(
    dataset: Argument | None = None,
    variant: Argument | None = None,
    to: Path | None = None,
    licence: str | None = None,
    terms: Path | None = None,
    without_audit: str | None = None,
    sign_key: Path | None = None,
    owner: str | None = None,
    url: str | None = None,
    version: str = "1.0.0",
    review: Count = 72,
    review_only: bool = False,
    check: Path | None = None,
    signers: Path | None = None,
    configfile: Sequence[Path] = (),
    threads: int = 1,
) -> int:
    """Make the folder of a variant that can be handed over, or check one that you received (`--check`).

    anonbench release mine release --to /data/handed-over/mine --licence CC-BY-NC-4.0 --terms terms.txt
    anonbench release --check /data/handed-over/mine

    Pictures without metadata, a manifest with their SHA-256, a card of the method, a page for the recipient, and a
    description for machines. First come the sheets of likely misses, for you alone. It refuses while the audit is
    missing or about other boxes. docs/release.md

    dataset, variant: of the configuration; of a learned variant a copy, such as protected-seed0.
    to: folder for the release, which must not be there yet.
    licence: name or address of the licence that you give.
    terms: file with what you ask of a recipient.
    without_audit: why no audit is needed, instead of one; written into the card.
    sign_key: key of ssh (`ssh-keygen -t ed25519`) with which you sign.
    owner, url: who gives it, and where more is said; for the description.
    version: of the release, MAJOR.MINOR.PATCH.
    review: pictures on the sheets of likely misses.
    review_only: draw these sheets and write no release.
    check: folder of a release that you received: is it whole? Status 1 where it is not.
    signers: with --check, file of allowed signers (`man ssh-keygen`): it must be signed by one of them.
    configfile: overlays over config/default.yaml; those of the last run when left out.
    """
    from anonbench.core.errors import ConfigError

    if check is not None:
        from anonbench.ops.release import check as received

        if dataset or variant or to:
            raise ConfigError("--check is about a folder that is there; name nothing to be made beside it.")
        faults, said = received.check_release(check, signers)
        print(received.as_text(faults, said))
        return int(bool(faults))
    if not dataset or not variant:
        raise ConfigError("name a dataset and a variant of it, or a folder that you received with --check.")
    from anonbench.config import read_config
    from anonbench.ops.last_run import configuration
    from anonbench.ops.release import make
    from anonbench.ops.release.known import know

    known = know(read_config(configuration(configfile, Path.cwd())), dataset, variant)
    if review_only:
        print(f"release: {make.review(known, review)}")
        return 0
    for name, value in (("to", to), ("licence", licence), ("terms", terms)):
        if not value:
            raise ConfigError(f"--{name} is missing: it is yours to say (anonbench release --help).")
    assert to is not None
    assert licence is not None
    assert terms is not None
    wanted = make.Wanted(licence, terms, without_audit or "", sign_key, owner, url, version)
    text = make.demand(known, wanted, to)
    print(f"release: {make.review(known, review)}")
    for line in make.release(known, wanted, text, to, threads):
        print(f"release: {line}")
    return 0


# --- a study ---


@command("study")
def human_eval(
    action: Argument,
    answers: Sequence[ArgumentPath],
    key: Path,
    output: Path,
    published: Path | None = None,
    without: Sequence[str] = (),
    careless_below: float = 0.8,
) -> None:
    """Collect what participants of a human evaluation sent back (action `collect`).

    anonbench human-eval collect answers/ --key key.json --output table2.csv

    Writes how often people told in each group whether two pictures show the same person, with intervals, of all
    participants and of the careful ones. Beside the table: a line for every participant (.participants.csv) and for
    every file, with the reason where it is left out (.files.csv).

    action: collect.
    answers: files that participants sent, or folders with them.
    key: what `human-eval-kit` wrote apart from the pages.
    output: the table (CSV); Markdown and others beside it.
    published: the paper's values (config/published/reversible/table2.csv), to set beside them.
    without: codes of participants who have withdrawn.
    careless_below: share of right answers to control pairs below which a participant is careless, 0..1.
    """
    from anonbench.core.errors import ConfigError
    from anonbench.studies.reversible.human.privacy import collect

    if action != "collect":
        raise ConfigError(f"unknown action '{action}'; expected collect. The kit is made by human-eval-kit.")
    print(collect(answers, key, output, published, without, careless_below))


# --- help for users ---


@command("help")
def list_(kind: Argument | None = None, plugins: Sequence[str] = ()) -> None:
    """List the known plug-ins, with a line on each and what those need that is not here.

    kind: anonymizers, datasets, detectors or models; all of them when left out.
    """
    from anonbench.ops.plugins import REGISTRIES, describe_plugins

    for number, group in enumerate([kind] if kind else REGISTRIES):
        found = describe_plugins(group)
        width = max(len(line.name) for line in found)
        if not kind:
            print("\n" * bool(number) + f"{group}:")
        for line in found:
            print(f"{line.name:<{width}}  {line.text}".rstrip())
            for lacking in line.lacks:
                print(f"{'':<{width}}  needs, and is not here: {lacking}")


@command("help")
def completion(shell: Argument) -> None:
    """Print a script with which a shell completes commands, options and files.

    anonbench completion bash > ~/.local/share/bash-completion/completions/anonbench
    anonbench completion zsh > ~/.zfunc/_anonbench        (a folder of fpath)

    shell: bash or zsh.
    """
    from anonbench.ops.completion import completion_script

    print(completion_script(shell))


@command("help")
def check(
    kind: Argument, name: Argument, spec: Spec = None, plugins: Sequence[str] = (), root: Path | None = None
) -> None:
    """Check a plug-in against the contract of its kind.

    kind: anonymizer, dataset, detector or model.
    name: of the plug-in.
    spec: its parameters.
    root: folder of a dataset, for datasets, and for detectors to be tried on.
    """
    from anonbench.ops import check as module

    module.check(kind, name, spec or {}, list(plugins), root)


@command("help")
def check_config(files: Sequence[ArgumentPath]) -> None:
    """Check config files, each over the one before.

    files: YAML files, laid over config/default.yaml and the studies' defaults.
    """
    from anonbench import config

    config.check_files(files)
    print("config: every key and every name is known")


@command("help")
def explain(
    table: Argument,
    row: str,
    column: str,
    query: str | None = None,
    configfile: Sequence[Path] = (),
    json: bool = False,
) -> None:
    """Say where a table cell comes from, and what rebuilds it.

    table: such as table3.
    row: the row's model or anonymizer.
    column: such as map_anon_anon.
    query: path of a query image; what it scored there.
    configfile: overlays over config/default.yaml; those of the last run when left out.
    json: print JSON.
    """
    from anonbench.ops import explain as module
    from anonbench.ops.last_run import configuration

    found = module.explain(table, row, column, configuration(configfile, Path.cwd()), query)
    print(module.as_json(found) if json else module.as_text(found))


@command("help")
def verify(
    targets: Sequence[Argument] = (),
    allow_missing: bool = False,
    configfile: Sequence[Path] = (),
    json: bool = False,
) -> int:
    """Compare every artifact with its stamp and the tree; status 1 when one differs.

    targets: files to verify with all they are made from. When left out: everything, but what the last run did not ask
        for and what was never made here is not missing.
    allow_missing: what is not there does not count against the rest.
    configfile: overlays over config/default.yaml; those of the last run when left out.
    json: print JSON.
    """
    from anonbench.ops import verify as module
    from anonbench.ops.dag import workflow_jobs
    from anonbench.ops.last_run import configuration, last_targets

    root = Path.cwd()
    files = configuration(configfile, root)
    asked = [] if targets or configfile else last_targets(root)
    jobs = workflow_jobs(files, targets or sorted({"all", *asked} if asked else []), root)
    findings = module.Verifier(jobs, root, asked).findings()
    findings += [] if targets else module.foreign_files(jobs, root)  # of a part, most of the rest is no surprise
    absent = module.absent_data(jobs, root)
    print(module.as_json(findings, absent) if json else module.as_text(findings, absent))
    return int(module.failed(findings, allow_missing))


@command("help")
def status(targets: Sequence[Argument] = (), configfile: Sequence[Path] = (), json: bool = False) -> int:
    """Show what is done, running, failed and left; status 1 when a job failed or was killed.

    targets: as for snakemake; those of the last run when left out.
    configfile: overlays over config/default.yaml; those of the last run when left out.
    json: print JSON.
    """
    from anonbench.ops.status.report import as_json, as_text, read_status

    found = read_status(configfile, targets, Path.cwd())
    print(as_json(found) if json else as_text(found))
    return int(found.failed)


@command("help")
def recover(cancel: bool = False, gone: bool = False, configfile: Sequence[Path] = ()) -> None:
    """Make the folder ready again after Snakemake was killed (SIGKILL, a lost node).

    For a folder whose Snakemake was killed outright: SIGKILL, a login node that went down, a machine that lost power.
    (After Ctrl-C or SIGTERM nothing is needed.) It waits for the jobs that are left queued or running, in SLURM and on
    this machine. It removes Snakemake's lock. It marks jobs complete whose stamps prove that their files are whole. It
    removes nothing else, and refuses while Snakemake is running in this folder.

    cancel: end those jobs instead of waiting; a training resumes later.
    gone: a Snakemake that ran on another machine is no more, I looked.
    configfile: overlays of the killed run; as it recorded them when left out.
    """
    from anonbench.ops import recover as module

    found = module.recover(Path.cwd(), configfile, cancel, gone)
    print(module.as_text(found, Path.cwd()))


# --- DVC ---


@command("dvc")
def dvc_cells(configfile: Sequence[Path] = ()) -> None:
    """Write dvc.yaml for a configuration, from Snakemake's graph.

    configfile: overlays over config/default.yaml; those of the last call when left out.
    """
    from anonbench.ops.dvc.cells import configfiles_in_force, write_pipeline

    jobs = write_pipeline(configfile, Path.cwd())
    print(f"dvc.yaml: {len(jobs)} stages for {' + '.join(['config/default.yaml', *configfiles_in_force(Path.cwd())])}")


@command("dvc")
def dvc_settings() -> None:
    """Write the settings of every cell (DVC's stage `plan`)."""
    from anonbench.ops.dvc.cells import write_settings

    write_settings(Path.cwd())


@command("dvc")
def record(targets: Sequence[Argument] = (), configfile: Sequence[Path] = ()) -> None:
    """After a Snakemake run: enter its artifacts into dvc.lock and DVC's cache.

    targets: as for snakemake; everything when left out.
    configfile: overlays over config/default.yaml; those of the last run when left out.
    """
    from anonbench.ops.dvc.record import record as record_run

    done = record_run(Path.cwd(), configfile, targets)
    print(f"dvc.lock: {len(done.stages)} stages recorded; {len(done.left_out)} files are not there or not up to date")
    print("".join(f"  left out: {path}\n" for path in done.left_out[:10]), end="")


@command("dvc")
def adopt() -> None:
    """After dvc pull or checkout: let Snakemake take what is unchanged as done."""
    from anonbench.ops.dvc.adopt import adopt as adopt_files

    found = adopt_files(Path.cwd())
    print(f"{len(found.current)} stages are as dvc.lock says: done for Snakemake too")
    for what, names in (("stale, to be made again", found.stale), ("not here", found.absent)):
        print(f"{len(names)} {what}" + "".join(f"\n  {name}" for name in names[:10]))
