import { useEffect, useState } from "react";

/** How long the outcome is shown, in milliseconds. */
const SHOWN = 2000;

interface CopyButtonProps {
  label: string;
  /** What assistive technology calls the button when the label alone is ambiguous; begins with the label. */
  name?: string;
  text: string;
}

/** Copies `text`, and says for a moment whether it worked. */
export function CopyButton({ label, name, text }: CopyButtonProps) {
  const [outcome, setOutcome] = useState("");

  useEffect(() => {
    const timer = setTimeout(() => setOutcome(""), SHOWN);
    return () => clearTimeout(timer);
  }, [outcome]);

  async function copy() {
    try {
      await navigator.clipboard.writeText(text);
      setOutcome("Copied");
    } catch {
      // Browsers refuse on insecure addresses and without permission.
      setOutcome("Blocked");
    }
  }

  return (
    <>
      <button
        type="button"
        className="button button-small"
        aria-label={outcome ? undefined : name}
        onClick={copy}
      >
        {outcome || label}
      </button>
      <span className="visually-hidden" role="status">
        {outcome}
      </span>
    </>
  );
}
