// A real headless Chromium, driven by its DevTools protocol over one WebSocket: as much of it as these tests need.
// Whatever a page complains of is kept, so that a test can say that there was nothing.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { accessSync, constants } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { createInterface } from 'node:readline';
import { WebSocket } from 'ws';

const names = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'];

/** The browser's program; `CHROMIUM` says where it is when it is not in the path. Undefined when there is none. */
export const chromiumPath: string | undefined = [
  ...(process.env.CHROMIUM === undefined ? [] : [process.env.CHROMIUM]),
  ...(process.env.PATH ?? '').split(delimiter).flatMap((folder) => names.map((name) => join(folder, name))),
].find(isProgram);

/** Suffix for the names of tests that need it. */
export const chromiumNote =
  chromiumPath === undefined ? ' (skipped: no Chromium; apt-get install chromium)' : '';

const flags = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--hide-scrollbars',
  '--remote-debugging-port=0',
];

/** How a page is shown. */
export interface View {
  readonly width: number;
  readonly height: number;
  readonly scheme: 'light' | 'dark';
  /** Device pixels for a CSS pixel. */
  readonly scale?: number;
}

type Parameters = Readonly<Record<string, unknown>>;
// biome-ignore lint/suspicious/noExplicitAny: answers of the protocol have no types here.
type Answer = any;

/** A running browser with a profile of its own; `await using` ends it. */
export class Chromium implements AsyncDisposable {
  readonly #process: ChildProcess;
  readonly #profile: string;
  readonly #socket: WebSocket;
  readonly #calls = new Map<number, PromiseWithResolvers<Answer>>();
  readonly #listeners = new Map<string, (method: string, parameters: Answer) => void>();
  #lastId = 0;

  private constructor(process: ChildProcess, profile: string, socket: WebSocket) {
    this.#process = process;
    this.#profile = profile;
    this.#socket = socket;
    socket.on('message', (data) => this.#take(JSON.parse(data.toString())));
    socket.on('close', () => {
      for (const call of this.#calls.values()) call.reject(new Error('the browser is gone'));
    });
  }

  static async start(): Promise<Chromium> {
    const profile = await mkdtemp(join(tmpdir(), 'slipstream-chromium-'));
    const child = spawn(chromiumPath as string, [...flags, `--user-data-dir=${profile}`, 'about:blank'], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    const url = await devToolsUrl(child);
    const socket = new WebSocket(url);
    await once(socket, 'open');
    return new Chromium(child, profile, socket);
  }

  /** A new, empty page. */
  async page(view: View): Promise<Page> {
    const { browserContextId } = await this.send('Target.createBrowserContext');
    const { targetId } = await this.send('Target.createTarget', { url: 'about:blank', browserContextId });
    const { sessionId } = await this.send('Target.attachToTarget', { targetId, flatten: true });
    const page = new Page(
      (method, parameters) => this.send(method, parameters, sessionId),
      () => this.send('Target.disposeBrowserContext', { browserContextId }),
    );
    this.#listeners.set(sessionId, (method, parameters) => page.event(method, parameters));
    await page.start(view);
    return page;
  }

  /** Calls a method of the protocol. Rejects with the browser's error. */
  send(method: string, params: Parameters = {}, sessionId?: string): Promise<Answer> {
    const id = ++this.#lastId;
    const call = Promise.withResolvers<Answer>();
    this.#calls.set(id, call);
    this.#socket.send(JSON.stringify({ id, method, params, ...(sessionId && { sessionId }) }));
    return call.promise;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const gone = once(this.#process, 'exit');
    this.send('Browser.close').catch(() => {});
    await gone;
    this.#socket.terminate();
    await rm(this.#profile, { recursive: true, force: true, maxRetries: 5 });
  }

  #take(message: Answer): void {
    if (message.id === undefined) {
      this.#listeners.get(message.sessionId)?.(message.method, message.params);
      return;
    }
    const call = this.#calls.get(message.id);
    this.#calls.delete(message.id);
    if (message.error === undefined) call?.resolve(message.result);
    else call?.reject(new Error(message.error.message));
  }
}

/** One page; `await using` closes it before what it shows ends. */
export class Page implements AsyncDisposable {
  /** What went wrong in it: exceptions, errors on the console, refused requests, breaches of its security policy. */
  readonly problems: string[] = [];
  /** What a test makes it complain of: each has to come, whenever it does. */
  readonly expected: RegExp[] = [];
  readonly #send: (method: string, parameters?: Parameters) => Promise<Answer>;
  readonly #close: () => Promise<void>;
  #closed: Promise<void> | undefined;
  #loaded: () => void = () => {};

  constructor(
    send: (method: string, parameters?: Parameters) => Promise<Answer>,
    close: () => Promise<void>,
  ) {
    this.#send = send;
    this.#close = close;
  }

  /** Further calls wait for the first. */
  [Symbol.asyncDispose](): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async start(view: View): Promise<void> {
    for (const domain of ['Page', 'Runtime', 'Log', 'Audits']) await this.#send(`${domain}.enable`);
    await this.view(view);
  }

  /** Changes how it is shown. */
  async view({ width, height, scheme, scale = 1 }: View): Promise<void> {
    const mobile = width < 600;
    const metrics = { width, height, deviceScaleFactor: scale, mobile };
    await this.#send('Emulation.setDeviceMetricsOverride', metrics);
    const features = [{ name: 'prefers-color-scheme', value: scheme }];
    await this.#send('Emulation.setEmulatedMedia', { features });
  }

  /** Resolves when the page has loaded. */
  async open(url: string): Promise<void> {
    const loaded = new Promise<void>((resolve) => {
      this.#loaded = resolve;
    });
    await this.#send('Page.navigate', { url });
    await loaded;
  }

  /** The value of an expression in the page, awaited. Rejects with the page's exception. */
  async value<T>(expression: string): Promise<T> {
    const { result, exceptionDetails } = await this.#send('Runtime.evaluate', {
      expression,
      awaitPromise: true,
      returnByValue: true,
    });
    if (exceptionDetails !== undefined) throw new Error(exceptionDetails.exception?.description);
    return result.value;
  }

  /** The text of an element; fails when there is none. */
  text(selector: string): Promise<string> {
    return this.value(`document.querySelector(${JSON.stringify(selector)}).textContent`);
  }

  /** Clicks in the middle of an element, as a mouse does. */
  async click(selector: string): Promise<void> {
    const [x, y] = await this.value<[number, number]>(`(() => {
      const element = document.querySelector(${JSON.stringify(selector)});
      element.scrollIntoView({ block: 'center' });
      const { left, top, width, height } = element.getBoundingClientRect();
      return [left + width / 2, top + height / 2];
    })()`);
    for (const type of ['mousePressed', 'mouseReleased']) {
      await this.#send('Input.dispatchMouseEvent', { type, x, y, button: 'left', clickCount: 1 });
    }
  }

  /** Types into what has the focus. */
  async type(text: string): Promise<void> {
    await this.#send('Input.insertText', { text });
  }

  /** Presses a key that has no text, such as `Tab`; `Enter` and `Space` have one. */
  async press(key: 'Tab' | 'Enter' | 'Space', modifiers = 0): Promise<void> {
    const [code, text] = { Tab: [9, ''], Enter: [13, '\r'], Space: [32, ' '] }[key];
    const base = {
      key: key === 'Space' ? ' ' : key,
      code: key,
      windowsVirtualKeyCode: code,
      modifiers,
    };
    await this.#send('Input.dispatchKeyEvent', { type: text ? 'keyDown' : 'rawKeyDown', ...base, text });
    await this.#send('Input.dispatchKeyEvent', { type: 'keyUp', ...base });
  }

  /** A picture of the page, all of it if `whole`. */
  async picture(path: string, whole = false): Promise<void> {
    const { data } = await this.#send('Page.captureScreenshot', { captureBeyondViewport: whole });
    await writeFile(path, Buffer.from(data, 'base64'));
  }

  event(method: string, parameters: Answer): void {
    if (method === 'Page.loadEventFired') this.#loaded();
    else if (method === 'Runtime.exceptionThrown') this.#complain(parameters.exceptionDetails.exception);
    else if (method === 'Runtime.consoleAPICalled' && ['error', 'warning'].includes(parameters.type)) {
      this.#complain(parameters.args);
    } else if (method === 'Log.entryAdded' && parameters.entry.level !== 'info')
      this.#complain(parameters.entry);
    else if (method === 'Audits.issueAdded') this.#complain(parameters.issue);
  }

  #complain(what: unknown): void {
    this.problems.push(JSON.stringify(what));
  }
}

/** What the browser prints once it listens. */
async function devToolsUrl(child: ChildProcess): Promise<string> {
  const said: string[] = [];
  for await (const line of createInterface({ input: child.stderr as NodeJS.ReadableStream })) {
    const url = /^DevTools listening on (ws:\S+)/.exec(line)?.[1];
    if (url !== undefined) {
      child.stderr?.resume();
      return url;
    }
    said.push(line);
  }
  throw new Error(`Chromium did not start:\n${said.join('\n')}`);
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
