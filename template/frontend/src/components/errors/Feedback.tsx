import { type ComponentType, useEffect, useState } from "react";
import { captureException } from "../../lib/sentry";
import type { FeedbackFormProps } from "./FeedbackForm";

/** Moves the keyboard to what has just appeared, and has it read out. */
const focus = (element: HTMLElement | null) => element?.focus();

/** The feedback form, fetched when somebody opens it; says so if it does not come, and asks for it again. */
export function Feedback(props: FeedbackFormProps) {
  const [Form, setForm] = useState<ComponentType<FeedbackFormProps>>();
  const [state, setState] = useState<"loading" | "failed">("loading");

  useEffect(() => {
    let isGone = state === "failed";
    if (!isGone) {
      import("./FeedbackForm").then(
        ({ FeedbackForm }) => !isGone && setForm(() => FeedbackForm),
        (error: unknown) => {
          if (!isGone) {
            captureException(error);
            setState("failed");
          }
        },
      );
    }
    return () => {
      isGone = true;
    };
  }, [state]);

  if (Form) {
    return <Form {...props} />;
  }
  if (state === "loading") {
    return (
      <p className="hint" ref={focus} tabIndex={-1}>
        The form is on its way.
      </p>
    );
  }
  return (
    <div className="feedback">
      <p ref={focus} tabIndex={-1}>
        The form could not be loaded. Your connection may be gone, or a new version of the page is
        there: then reload it.
      </p>
      <div className="feedback-ways">
        <button type="button" className="button button-primary" onClick={() => setState("loading")}>
          Try once more
        </button>
        <button type="button" className="button" onClick={() => location.reload()}>
          Reload
        </button>
        <button type="button" className="button" onClick={props.onClose}>
          Close
        </button>
      </div>
    </div>
  );
}
