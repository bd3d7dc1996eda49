"""Jobs: work that a request does not wait for, and work that is due at certain times."""

from app.core.extension import Extension
from app.extensions.jobs.job import job
from app.extensions.jobs.lifespan import lifespan, ping
from app.extensions.jobs.routes import router
from app.extensions.jobs.settings import JobsSettings

__all__ = ["extension", "job"]

extension = Extension("jobs", settings=JobsSettings, router=router, lifespan=lifespan, readiness=ping)
