"""Object storage by S3's protocol: files of users in a bucket, streamed or by links that expire."""

from app.core.extension import Extension
from app.extensions.storage.access import check_readiness, lifespan
from app.extensions.storage.routes import router
from app.extensions.storage.settings import StorageSettings

extension = Extension(
    "storage",
    settings=StorageSettings,
    router=router,
    lifespan=lifespan,
    readiness=check_readiness,
)
