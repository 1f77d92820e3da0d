// Reads server-sent events by the letter of the HTML standard, and by a stricter one: fields and line ends that this
// server has no reason to send are errors.

import { get, type IncomingMessage } from 'node:http';

export interface ServerSentEvent {
  readonly type: string;
  readonly data: string;
  readonly id: string;
}

export class EventSourceParser {
  readonly events: ServerSentEvent[] = [];
  readonly comments: string[] = [];
  /** What a browser sends when it connects again. */
  lastEventId = '';
  retryMs: number | undefined;
  #text = '';
  #data: string[] = [];
  #type = '';
  #id = '';

  push(text: string): void {
    const lines = (this.#text + text).split('\n');
    this.#text = lines.pop() as string;
    for (const line of lines) this.#line(line);
  }

  #line(line: string): void {
    const [, name, value] = /^([a-z]*): ([^\r]*)$/.exec(line) ?? [];
    if (line === '') this.#dispatch();
    else if (name === '') this.comments.push(value);
    else if (name === 'data') this.#data.push(value);
    else if (name === 'event') this.#type = value;
    else if (name === 'id') this.#id = value;
    else if (name === 'retry' && /^[0-9]+$/.test(value)) this.retryMs = Number(value);
    else throw new Error(`not a line of an event stream: ${JSON.stringify(line)}`);
  }

  #dispatch(): void {
    this.lastEventId = this.#id;
    const data = this.#data.join('\n');
    if (data !== '') this.events.push({ type: this.#type || 'message', data, id: this.#id });
    this.#data = [];
    this.#type = '';
  }
}

/** A browser's `EventSource`, as far as it goes: connects again where it was. */
export class TestEventSource {
  readonly parser = new EventSourceParser();
  answer: IncomingMessage | undefined;
  /** Ends of answers, whole or not. */
  closes = 0;

  async connect(url: string): Promise<void> {
    const { lastEventId } = this.parser;
    const headers = lastEventId === '' ? {} : { 'Last-Event-ID': lastEventId };
    this.answer = await new Promise<IncomingMessage>((resolve, reject) => {
      get(url, { headers, agent: false }, resolve).on('error', reject);
    });
    this.answer.setEncoding('utf8');
    this.answer.on('data', (text: string) => this.parser.push(text));
    this.answer.on('error', () => {});
    this.answer.on('close', () => this.closes++);
  }

  /** The JSON of all events of a type. */
  texts(type = 'message'): string[] {
    return this.parser.events.filter((event) => event.type === type).map(({ data }) => data);
  }
}
