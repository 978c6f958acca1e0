"""`agentfly bench score`: the verdict on answers that are in a file, without a model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from agentfly.cli import bench_options, options


def score(
    dataset: bench_options.DatasetName,
    predictions: Annotated[
        Path,
        typer.Argument(
            metavar="PREDICTIONS.jsonl", help="Lines with task_id and model_answer, or a run's results.jsonl."
        ),
    ],
    split: bench_options.Split = None,
    levels: bench_options.Levels = None,
    ids: bench_options.Ids = None,
    file_types: bench_options.FileTypes = None,
    limit: bench_options.Limit = None,
    sample: bench_options.Sample = None,
    sample_seed: bench_options.SampleSeed = 0,
    scorer: Annotated[
        str | None,
        typer.Option(
            "--scorer", metavar="NAME", help="gaia, exact, numeric, f1, or an adapter's name. Default: the dataset's."
        ),
    ] = None,
    attempt: Annotated[
        int | None,
        typer.Option("--attempt", metavar="N", min=0, help="Which attempt of a run's results, counted from 0."),
    ] = None,
    download: bench_options.Download = False,
    as_json: options.AsJson = False,
    debug: options.Debug = False,
) -> None:
    """Score answers by the dataset's own rule; GAIA's official one where it has no other.

    Every selected task counts: one without a prediction is wrong. Tasks whose answer the dataset withholds are not scored.

    \b
    Example:
      agentfly bench score gaia/ predictions.jsonl --levels 1,2
    """
    from agentfly.bench import predictions as answers

    tasks = bench_options.read_dataset(
        dataset, split=split, levels=levels, ids=ids, file_types=file_types, limit=limit, sample=sample,
        sample_seed=sample_seed, download=download,
    )  # fmt: skip
    judge = answers.scorer_for(tasks, scorer)
    found = answers.score(tasks, answers.read_predictions(predictions, attempt), judge)
    if as_json:
        from agentfly.cli.streams import print_json

        print_json(found.to_data())
        return
    from agentfly.cli.views import bench_score as view
    from agentfly.cli.views import console

    view.scores(console.out(), tasks.name, found)
