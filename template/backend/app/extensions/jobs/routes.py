"""An example: a route that asks for a job, and one that says how far it is."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Path
from pydantic import BaseModel, Field

from app.extensions.jobs.examples import example_report
from app.extensions.jobs.queue import State, queue

router = APIRouter(tags=["jobs"])


class ReportOrder(BaseModel):
    """What the report shall be like."""

    rows: int = Field(default=100, ge=0, le=1000, description="How long it shall be.")


class JobState(BaseModel):
    """A job that was asked for."""

    id: str = Field(description="Ask for its state with this. Who does not know it cannot guess it.")
    state: State = Field(description="Pending while it waits or runs, and for a day after that done or failed.")


@router.post("/jobs/example-report", status_code=HTTPStatus.ACCEPTED)
async def order_report(order: ReportOrder) -> JobState:
    """Have a report written, and do not wait for it."""
    return JobState(id=await example_report.enqueue(order.rows), state="pending")


@router.get("/jobs/{job_id}")
async def job_state(job_id: Annotated[str, Path(pattern="^[0-9a-f]{32}$")]) -> JobState:
    """Say how far a job is."""
    return JobState(id=job_id, state=await queue.state(job_id))
