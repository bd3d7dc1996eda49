"""What Sentry learns of a call: how long it took, which model, how much. Never what was said.

https://develop.sentry.dev/sdk/telemetry/traces/modules/ai-agents/
"""

from app.core import sentry
from app.extensions.ai.messages import Completion

CHAT = "chat"
TRANSCRIPTION = "transcription"


def begin(operation: str, model: str, host: str, *, streaming: bool) -> sentry.Span:
    """Begin a call, and return its span, which is still to be finished."""
    span = sentry.start_span(f"gen_ai.{operation}", f"{operation} {model}")
    span.set_data("gen_ai.operation.name", operation)
    span.set_data("gen_ai.request.model", model)
    span.set_data("gen_ai.response.streaming", streaming)
    span.set_data("server.address", host)
    return span


def describe(span: sentry.Span, completion: Completion) -> None:
    """Say what came of it."""
    counts = {"input": completion.input_tokens, "output": completion.output_tokens}
    span.set_data("gen_ai.response.model", completion.model)
    span.set_data("gen_ai.response.finish_reasons", [completion.finish_reason])
    for name, count in counts.items():
        if count is not None:
            span.set_data(f"gen_ai.usage.{name}_tokens", count)
    if completion.input_tokens is not None and completion.output_tokens is not None:
        span.set_data("gen_ai.usage.total_tokens", completion.input_tokens + completion.output_tokens)
    sentry.add_breadcrumb(
        "A model answered", category="ai", data={"model": completion.model, "finish_reason": completion.finish_reason}
    )
