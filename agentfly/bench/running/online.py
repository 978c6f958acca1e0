"""The online benchmark run: tasks in their order, each answered and then learned from before the next; its samples are the results."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from agentfly.bench.folder import ResultsWriter
from agentfly.bench.results import Result
from agentfly.bench.running.measured import Work, working
from agentfly.bench.running.outcomes import as_record, as_result
from agentfly.bench.running.progress import Tally
from agentfly.composition import Composition
from agentfly.learning.adaptation.course import LEARN, Course, Progress, Tasks
from agentfly.learning.adaptation.plan import Plan as CoursePlan
from agentfly.nodes.state import Emit
from agentfly.protocols import Trial
from agentfly.records import from_json
from agentfly.store.adaptations import Sample
from agentfly.types import RunResult, Task


class Online:
    """Learns over the tasks, once, and puts each on record as soon as it was learned from.

    Args:
        made: the agent's parts, over the working home.
        tasks: in the order in which they are worked on.
        writer: of the results folder.
        tally: counts what is put on record.
        emit: takes events.
    """

    def __init__(
        self, made: Composition, tasks: Sequence[Task], writer: ResultsWriter, tally: Tally, emit: Emit
    ) -> None:
        self._made, self._tasks, self._writer, self._tally = made, tasks, writer, tally
        self._by_id = {task.id: task for task in tasks}
        plan = CoursePlan(mode="online", window=1, concurrency=1)
        self._course = Course(made, Tasks(train=tasks), plan, emit=emit, on_progress=self._progress)
        self._read = 0

    async def run(self) -> None:
        """Run it to its end, or go on with it.

        Raises:
            ProviderError: the model's provider fails; nothing of that counts.
            UserError: the agent cannot work as it is set up.
        """
        # Reflecting and curating belong to no single task: replies are found by what was asked, in the order of asking.
        token = working.set(Work(("online", 0)))
        try:
            await self._course.run()
        finally:
            working.reset(token)

    def _progress(self, progress: Progress) -> None:
        """Put on record what the course has closed since."""
        rows = self._made.home.db.read(
            "SELECT sample FROM samples WHERE adaptation = ? AND phase = ? AND place >= ? ORDER BY place",
            (progress.id, LEARN, self._read),
        )
        self._read += len(rows)
        samples = [from_json(Sample, row["sample"]) for row in rows]
        finished = [self._finished(one) for one in samples if (one.task_id, 0) not in self._writer.done]
        if finished:
            self._writer.add(finished)
            self._tally.add(result for result, _ in finished)

    def _finished(self, sample: Sample) -> tuple[Result, Mapping[str, Any]]:
        task, run = self._by_id[sample.task_id], self._made.runs.show(sample.run_id)
        attempt, *others = run.trials
        trials = [Trial(attempt=one.attempt, feedback=one.feedback) for one in run.trials if one.feedback is not None]
        told = RunResult(
            run_id=sample.run_id,
            status=attempt.attempt.status,
            answer=sample.answer,
            reward=sample.reward,
            steps=len(attempt.attempt.steps),
            usage=sample.usage,
            task=task,
            attempt=attempt.attempt,
            feedback=run.feedback,
        )
        rounds = self._made.settings.rounds
        result = as_result(told, attempt=0, started=run.started, seconds=sample.seconds, trials=trials, rounds=rounds)
        further = [trial for trial in trials if trial.attempt is not attempt.attempt]
        return result, as_record(task, attempt.attempt, run.feedback, further[: len(others)])
