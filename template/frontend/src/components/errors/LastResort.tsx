import { Component, type PropsWithChildren } from "react";

/** Catches what the error page itself throws, so that nobody is left with an empty page. It needs nothing that could fail. */
export class LastResort extends Component<PropsWithChildren, { hasFailed: boolean }> {
  override state = { hasFailed: false };

  static getDerivedStateFromError() {
    return { hasFailed: true };
  }

  override render() {
    if (!this.state.hasFailed) {
      return this.props.children;
    }
    return (
      <main className="layout-main">
        <section className="error-page">
          <h1>Something went wrong</h1>
          <p className="error-text">Not even the error page can be shown. Reload to start anew.</p>
          <div className="error-ways">
            <button
              type="button"
              className="button button-primary"
              onClick={() => location.reload()}
            >
              Reload the page
            </button>
          </div>
        </section>
      </main>
    );
  }
}
