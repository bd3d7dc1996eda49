import { useId, useState, useSyncExternalStore } from "react";
import { captureFeedback, enabled, onChange, sdkState, whyEventNotSent } from "../../lib/sentry";

export interface FeedbackFormProps {
  /** The event that the feedback is about. */
  eventId?: string | null;
  onClose: () => void;
  onSent?: () => void;
}

/** Moves the keyboard to what has just appeared. */
const focus = (element: HTMLElement | null) => element?.focus();

/** Asks for a message, and a name and e-mail address if the person likes; posts it through Sentry. */
export function FeedbackForm({ eventId, onClose, onSent }: FeedbackFormProps) {
  const [sent, setSent] = useState(false);
  const [sentId, setSentId] = useState<string | null>(null);
  const whyNot = useSyncExternalStore(onChange, () => sentId && whyEventNotSent(sentId));
  const isWaiting = useSyncExternalStore(onChange, () => sdkState() === "starting");
  const id = useId();

  function send(data: FormData) {
    const field = (name: string) => String(data.get(name) ?? "").trim() || undefined;
    const message = field("message");
    if (message) {
      setSentId(captureFeedback({ message, name: field("name"), email: field("email"), eventId }));
      setSent(true);
      onSent?.();
    }
  }

  if (sent) {
    return (
      <div className="feedback">
        <p ref={focus} tabIndex={-1} role="status">
          {enabled
            ? whyNot
              ? `Your message has not arrived. ${whyNot}`
              : isWaiting
                ? "Please keep this page open for a moment: your message is about to leave."
                : "Thank you. Your message is on its way."
            : "Sentry is off, so nothing was sent."}
        </p>
        <button type="button" className="button" onClick={onClose}>
          Close
        </button>
      </div>
    );
  }
  return (
    <form className="feedback" action={send}>
      <div className="field">
        <label htmlFor={`${id}-message`}>What happened?</label>
        <textarea
          ref={focus}
          id={`${id}-message`}
          name="message"
          rows={4}
          required
          maxLength={4000}
        />
      </div>
      <div className="feedback-person">
        <div className="field">
          <label htmlFor={`${id}-name`}>
            Name <span className="optional">optional</span>
          </label>
          <input id={`${id}-name`} name="name" autoComplete="name" maxLength={200} />
        </div>
        <div className="field">
          <label htmlFor={`${id}-email`}>
            E-mail <span className="optional">optional</span>
          </label>
          <input
            id={`${id}-email`}
            name="email"
            type="email"
            autoComplete="email"
            maxLength={200}
          />
        </div>
      </div>
      <p className="hint">The e-mail address is used to answer you, and for nothing else.</p>
      <div className="feedback-ways">
        <button type="submit" className="button button-primary">
          Send
        </button>
        <button type="button" className="button" onClick={onClose}>
          Cancel
        </button>
      </div>
    </form>
  );
}
