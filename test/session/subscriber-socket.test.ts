// Whether a change of ws is noticed at the start, on sockets that keep their parts elsewhere than the tested ws does.

import { expect, test } from 'vitest';
import { checkSocketInternals, SubscriberSocket } from '../../lib/session/subscriber-socket.ts';

interface Receiver {
  readonly [name: string]: unknown;
}

/** Sockets whose receiver has one of its fields under a name that nobody knows. */
function without(field: string): typeof SubscriberSocket {
  return class extends SubscriberSocket {
    setSocket(...parameters: unknown[]): void {
      const base = SubscriberSocket.prototype as unknown as { setSocket(...parameters: unknown[]): void };
      base.setSocket.apply(this, parameters);
      const internals = this as unknown as { _receiver: Receiver };
      internals._receiver = new Proxy(internals._receiver, {
        get(receiver, name) {
          const value = name === field ? undefined : receiver[name as string];
          return typeof value === 'function' ? value.bind(receiver) : value;
        },
        set: (receiver, name, value) => name === field || Reflect.set(receiver, name, value),
      });
    }
  };
}

test('the installed ws has what is needed', () => {
  expect(() => checkSocketInternals()).not.toThrow();
  expect(() => checkSocketInternals(without('nothing'))).not.toThrow();
});

test.for(['_buffers', '_bufferedBytes', '_fragments', '_messageLength', 'write'])(
  'one without %s is refused',
  (field) => {
    expect(() => checkSocketInternals(without(field))).toThrow(
      expect.objectContaining({ code: 'SOCKET_INTERNALS', message: expect.stringContaining('package.json') }),
    );
  },
);

test('one that goes on reading what is to be dropped is refused', () => {
  class Stubborn extends SubscriberSocket {
    override dropInput(): void {
      const internals = this as unknown as { _receiver: object };
      Object.assign(internals._receiver, {
        _buffers: [],
        _bufferedBytes: 0,
        _fragments: [],
        _messageLength: 0,
      });
    }
  }
  expect(() => checkSocketInternals(Stubborn)).toThrow(
    expect.objectContaining({ code: 'SOCKET_INTERNALS', cause: new Error('input is not dropped') }),
  );
});
