import { type ReactNode, useId, useRef, useState } from "react";
import { Feedback } from "../../components/errors/Feedback";
import { Configuration } from "./Configuration";
import { SentLog } from "./SentLog";
import "./diagnostics.css";
import { askBackendToBreak, askBackendToWait, noteBrowserError, noteFeedback } from "./experiments";

/** Shows how Sentry is set up on both sides, and lets a person see it work. */
export function DiagnosticsPage() {
  return (
    <>
      <header className="page-head">
        <h1>Diagnostics</h1>
        <p>How Sentry is set up in the browser and in the API, and a few ways to see it work.</p>
      </header>
      <Configuration />
      <Experiments />
      <SentLog />
    </>
  );
}

/** Throws in an event handler, where React leaves errors to the browser. */
function breakBrowser(): never {
  noteBrowserError();
  throw new Error("Diagnostics: the browser broke on purpose");
}

/** The buttons that break, slow down and send things on purpose. */
function Experiments() {
  const [pageBroken, setPageBroken] = useState(false);
  const dialog = useRef<HTMLDialogElement>(null);
  const [opened, setOpened] = useState(0);

  if (pageBroken) {
    throw new Error("Diagnostics: the page broke on purpose");
  }

  function openFeedback() {
    setOpened(opened + 1);
    dialog.current?.showModal();
  }

  return (
    <section className="section" aria-labelledby="experiments-title">
      <h2 id="experiments-title">Try it</h2>
      <ul className="experiments">
        <Experiment name="Break the browser" onRun={breakBrowser}>
          An event handler throws an error that nobody catches.
        </Experiment>
        <Experiment name="Break the backend" onRun={askBackendToBreak}>
          A route of the API raises an error. The answer brings the event ID here.
        </Experiment>
        <Experiment name="Make a slow request" onRun={askBackendToWait}>
          The API waits two seconds. The trace shows where the time went.
        </Experiment>
        <Experiment name="Send feedback" onRun={openFeedback}>
          A message from a person, as it would come with an error.
        </Experiment>
        <Experiment name="Break the page" onRun={() => setPageBroken(true)}>
          A component throws while it renders. The error page takes over.
        </Experiment>
      </ul>
      <dialog ref={dialog} className="dialog" aria-labelledby="feedback-title">
        <h2 id="feedback-title">Send feedback</h2>
        {opened > 0 && (
          <Feedback key={opened} onSent={noteFeedback} onClose={() => dialog.current?.close()} />
        )}
      </dialog>
    </section>
  );
}

interface ExperimentProps {
  name: string;
  onRun: () => void | Promise<void>;
  children: ReactNode;
}

function Experiment({ name, onRun, children }: ExperimentProps) {
  const [running, setRunning] = useState(false);
  const id = useId();

  function run() {
    // Called outside of any promise, so that what it throws reaches the browser as it is.
    const work = running ? undefined : onRun();
    if (work) {
      setRunning(true);
      void work.finally(() => setRunning(false));
    }
  }

  return (
    <li className="experiment">
      <p id={id}>{children}</p>
      <button
        type="button"
        className="button"
        aria-describedby={id}
        aria-busy={running}
        onClick={run}
      >
        {name}
      </button>
    </li>
  );
}
