"""What taskiq writes into logs, without what it writes of messages: they hold the arguments of jobs."""

import logging

_OWN_REPORTS = frozenset({"Exception found while executing function.", "Task %s with id %s skipped setting result."})
"""What ``run`` says itself."""


class WithoutValues(logging.Filter):
    """Keeps the text of a record and drops its values; the kind of an error stays."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Change the record, or say that it is not needed."""
        if record.msg in _OWN_REPORTS:
            return False
        kind = record.exc_info[0] if record.exc_info else None
        record.msg = f"{record.msg} ({kind.__name__})" if kind else str(record.msg)
        record.args, record.exc_info, record.exc_text = None, None, None
        # Nothing of this is an event: what fails in a job, or in the broker, is reported where it is known.
        if record.levelno > logging.WARNING:
            record.levelno, record.levelname = logging.WARNING, "WARNING"
        return True


_FILTER = WithoutValues()


def quiet_taskiq() -> None:
    """Make every logger of taskiq say little; a filter holds for one logger and not for those below it."""
    logging.getLogger("taskiq").setLevel(logging.WARNING)
    for name in list(logging.root.manager.loggerDict):
        if name.partition(".")[0] in {"taskiq", "taskiq_redis"}:
            logging.getLogger(name).addFilter(_FILTER)
