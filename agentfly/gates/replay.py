"""Keep a delta only if it mends what failed and spoils nothing that worked."""

from __future__ import annotations

from dataclasses import replace

from agentfly.gates.fix import Fix
from agentfly.protocols import Past, PastSuccess, Replayed, Retry, Trial, Verdict, no_past


class Replay:
    """As `Fix`, and then tries past successes again: one that turns into a failure drops the delta.

    A delta that was learned from a success, or that only removes and merges, has nothing to mend: it stays if nothing
    that worked stops working.

    Args:
        replays: how many past successes to judge a delta by. What cannot be judged, or fails with the current playbook
            too, tells nothing and another one takes its place, up to twice as many in all.
    """

    name = "replay"

    def __init__(self, replays: int = 3) -> None:
        self._replays = replays

    async def decide(self, first: Trial, retry: Retry, past: Past = no_past, *, adds: bool = True) -> Verdict:
        """Accept if the task at hand is mended, where that is asked, and no past success flips."""
        mended = Verdict(accepted=True, reason="nothing to mend")
        if adds and not first.feedback.success:
            mended = await Fix().decide(first, retry)
            if not mended.accepted:
                return mended
        done: list[Replayed] = []
        for success in (await past())[: 2 * self._replays]:
            replayed = await replay(success)
            done.extend([replayed] if replayed else [])
            flipped = replayed is not None and replayed.outcome == "flipped"
            if flipped or _telling(done) == self._replays:
                break
        return _verdict(mended, done)


async def replay(success: PastSuccess) -> Replayed | None:
    """Try a solved task with the candidate playbook and, where that fails, with the current one: harm or noise?

    Returns:
        What became of it, or None where the attempt could not be judged.
    """
    trial = await success.candidate()
    if trial is None:
        return None
    held = Replayed(
        run=success.run,
        task_id=success.task_id,
        before=success.reward,
        after=trial.feedback.reward,
        attempts=(trial.id,),
    )
    if trial.feedback.success:
        return held
    control = await success.current()
    if control is None:  # nobody can say that it would have failed anyway: the delta bears the doubt
        return replace(held, outcome="flipped")
    return replace(
        held,
        control=control.feedback.reward,
        outcome="flipped" if control.feedback.success else "noise",
        attempts=(trial.id, control.id),
    )


def _telling(done: list[Replayed]) -> int:
    return sum(replayed.outcome != "noise" for replayed in done)


def _verdict(mended: Verdict, done: list[Replayed]) -> Verdict:
    """The verdict on a delta that mends what it should, after the replays."""
    flip = next((replayed for replayed in done if replayed.outcome == "flipped"), None)
    held = _telling(done)
    if flip:
        control = "not judged" if flip.control is None else f"{flip.control:g}"
        told = f"task {flip.task_id}, solved before, fails with it (reward {flip.after:g}; without it {control})"
    elif held:
        told = f"{held} of {held} past successes held"
    else:
        told = "no past success could be tried again"
    noise = len(done) - held
    apart = f", {noise} failed either way" if noise else ""
    return replace(mended, accepted=flip is None, reason=f"{mended.reason}; {told}{apart}", replays=tuple(done))
