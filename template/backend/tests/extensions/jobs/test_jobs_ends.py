"""Jobs that end in ways of their own, in real workers."""

import signal
from pathlib import Path
from typing import Any

import pytest

from tests.extensions.jobs.conftest import Workers, wait_until
from tests.extensions.jobs.ending_jobs import SECRET, blocks_a_thread, cancels_itself, leaves, leaves_a_thread
from tests.extensions.jobs.test_jobs_worker import enqueue, state_of
from tests.support import values

ENDING = "tests.extensions.jobs.ending_jobs"


@pytest.mark.parametrize(
    ("job", "text"),
    [
        (cancels_itself, "cancels-itself ended with CancelledError"),
        (leaves, "leaves ended with SystemExit"),
        (leaves_a_thread, "leaves-a-thread ended with SystemExit"),
    ],
    ids=["cancelled", "exit", "exit-in-a-thread"],
)
def test_a_job_that_stops_by_itself_failed(workers: Workers, tmp_path: Path, job: Any, text: str) -> None:
    job_id = enqueue(job, str(tmp_path))

    with workers.running(modules=ENDING):
        wait_until(lambda: state_of(job_id) == "failed")

    (event,) = workers.sent("event")
    assert workers.runs == [job.name]
    assert [(value["type"], value["value"]) for value in values(event)] == [("JobAbandonedError", text)]
    assert values(event)[0]["stacktrace"]["frames"][0]["function"] == job.function.__name__
    assert SECRET.encode() not in workers.raw
    assert SECRET not in workers.log


def test_a_thread_that_hangs_does_not_hold_up_the_end(workers: Workers, tmp_path: Path) -> None:
    job_id = enqueue(blocks_a_thread, str(tmp_path))

    with workers.running(modules=ENDING, JOBS_STOP_SECONDS="0.1") as process:
        wait_until(lambda: workers.runs)
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=60) == 0

    assert state_of(job_id) == "pending"
    assert [transaction["transaction"] for transaction in workers.sent("transaction")] == ["blocks-a-thread"]
    assert "Job blocks-a-thread was interrupted and goes back into the queue" in workers.log
