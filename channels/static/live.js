// Brings what is said later: a stream of events while the page is seen, else a list that is asked for now and then.

const FAILURES_BORNE = 3;
const REOPEN_AFTER_MS = 2_000;
const POLL_EVERY_MS = 2_000;
const POLLS_BEFORE_STREAMING_AGAIN = 30;
const POLL_HIDDEN_EVERY_MS = 30_000;

export class Live {
  #after;
  #arrive;
  #headers;
  #isOn = false;
  #source = null;
  #timer = 0;
  #failures = 0;

  // after: gives the number of the last message that the page has; arrive: takes new ones; headers: sent along.
  constructor({ after, arrive, headers }) {
    this.#headers = headers;
    this.#after = after;
    this.#arrive = arrive;
    document.addEventListener("visibilitychange", () => (this.#isOn || !document.hidden) && this.#restart());
    window.addEventListener("pagehide", () => this.#stop());
    window.addEventListener("pageshow", (event) => event.persisted && this.#restart());
  }

  // Once there is a conversation; nothing when it runs already.
  start() {
    if (this.#isOn) return;
    this.#isOn = true;
    this.#restart();
  }

  // Until it is started again.
  stop() {
    this.#isOn = false;
    this.#stop();
  }

  #stop() {
    clearTimeout(this.#timer);
    // A question under way finds that it is not wanted any more.
    this.#timer = 0;
    this.#source?.close();
    this.#source = null;
  }

  async #restart() {
    this.#stop();
    this.#failures = 0;
    if (document.hidden) {
      this.#poll(POLL_HIDDEN_EVERY_MS);
      return;
    }
    // Another tab may have begun the conversation.
    if (!this.#isOn) await this.#ask();
    if (this.#isOn && !document.hidden) this.#open();
  }

  // Whether the server answered.
  async #ask() {
    try {
      const response = await fetch(`/chat/messages?after=${this.#after()}`, { headers: this.#headers });
      if (!response.ok) return false;
      const { messages } = await response.json();
      this.#isOn ||= messages.length > 0;
      this.#arrive(messages);
      return true;
    } catch {
      return false;
    }
  }

  #open() {
    this.#stop();
    const source = new EventSource(`/chat/events?after=${this.#after()}`);
    this.#source = source;
    source.addEventListener("open", () => (this.#failures = 0));
    source.addEventListener("message", (event) => this.#arrive([JSON.parse(event.data)]));
    source.addEventListener("cleared", () => location.replace(location.pathname));
    source.addEventListener("error", () => {
      this.#failures += 1;
      if (this.#failures >= FAILURES_BORNE) {
        this.#stop();
        this.#poll(POLL_EVERY_MS, POLLS_BEFORE_STREAMING_AGAIN);
      } else if (source.readyState === EventSource.CLOSED) {
        // An answer that is no stream, as of a server in front of ours: the browser would not come back by itself.
        this.#stop();
        this.#timer = setTimeout(() => this.#open(), REOPEN_AFTER_MS);
      }
    });
  }

  #poll(everyMs, count = Infinity) {
    this.#timer = setTimeout(async () => {
      const timer = this.#timer;
      const isAnswered = await this.#ask();
      if (timer !== this.#timer) return;
      if (isAnswered && count <= 1) {
        this.#failures = 0;
        this.#open();
      } else this.#poll(everyMs, isAnswered ? count - 1 : count);
    }, everyMs);
  }
}
