"""A database: SQLAlchemy with sessions for routes, migrations by Alembic, on SQLite or PostgreSQL."""

from app.core.extension import Extension
from app.extensions.database.connections import database, lifespan
from app.extensions.database.errors import DatabaseUnavailableError, is_unavailable
from app.extensions.database.items import router
from app.extensions.database.session import Session, session
from app.extensions.database.settings import DatabaseSettings

__all__ = ["DatabaseUnavailableError", "Session", "database", "extension", "session"]

extension = Extension(
    "database",
    settings=DatabaseSettings,
    router=router,
    lifespan=lifespan,
    readiness=database.check,
    sentry_integrations=("sqlalchemy.SqlalchemyIntegration",),
    is_expected=is_unavailable,
)
